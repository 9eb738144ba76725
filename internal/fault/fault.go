package fault

import (
	"errors"
	"fmt"
)

// Kind is what a caller can do about an error.
type Kind int

// The kinds. The zero value is Internal: an error nobody classified is our fault.
const (
	Internal    Kind = iota // our mistake: answer "internal error", log the cause
	Invalid                 // the input is wrong: mend it and call again
	NotFound                // the thing named does not exist
	Conflict                // the thing exists already, or is in use
	Denied                  // the credential may not do this
	Unavailable             // the other side does not answer now: try again later
)

func (k Kind) String() string {
	return [...]string{"internal", "invalid", "not found", "conflict", "denied", "unavailable"}[k]
}

// Error is an error of a kind. Hint, when set, says in one sentence what an operator can do about it.
// Code is a machine-readable name that a door may answer with (Port's "identifier_taken"); Details goes beside it.
type Error struct {
	Kind    Kind
	Code    string
	Message string
	Hint    string
	Details map[string]any
	Cause   error
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause, if the message was made with %w.
func (e *Error) Unwrap() error { return e.Cause }

// Errorf makes an error of the kind. A %w verb keeps the wrapped error as its cause. What encoding/json found wrong is
// said in the words of whoever wrote the JSON.
func Errorf(kind Kind, format string, args ...any) *Error {
	for i, arg := range args {
		if err, ok := arg.(error); ok {
			args[i] = inWords(err)
		}
	}
	err := fmt.Errorf(format, args...)
	cause := errors.Unwrap(err)
	if _, several := err.(interface{ Unwrap() []error }); several {
		cause = err
	}
	return &Error{Kind: kind, Message: err.Error(), Cause: cause}
}

// WithHint adds what an operator can do.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// WithCode adds the machine-readable code and its details (which may be nil).
func (e *Error) WithCode(code string, details map[string]any) *Error {
	e.Code, e.Details = code, details
	return e
}

// KindOf returns the kind of the first Error in err's chain, or Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Is reports whether err is of the kind.
func Is(err error, kind Kind) bool { return err != nil && KindOf(err) == kind }

// HintOf returns the first hint in err's chain, or "".
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Cause
	}
	return ""
}
