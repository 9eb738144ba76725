package portapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"longshore/internal/fault"
)

// retryAfter is what a client is told to wait when the other side does not answer, in seconds.
const retryAfter = "5"

// statusError is an answer whose status no kind of fault tells.
type statusError struct {
	status        int
	code, message string
	allow         string // of a 405
}

func (e *statusError) Error() string { return e.message }

// errorAnswer is the body of every failure.
type errorAnswer struct {
	OK      bool           `json:"ok"`
	Error   string         `json:"error"`
	Message string         `json:"message"`
	Details map[string]any `json:"details,omitempty"`
}

// databaseAway is the code of a database that does not answer. The error names the server, which is no caller's business.
const databaseAway = "database_away"

// statuses are the codes' statuses; a code that is not here has its kind's.
var statuses = map[string]int{
	"bad_request": 400, "run_exhausted": 400, "unauthorized": 401, "invalid_credentials": 401, "missing_permissions": 403, "has_dependents": 403,
	"not_found": 404, "identifier_taken": 409, "invalid_request": 422, "blueprint_schema_mismatch": 422, "required_relation": 422,
	"relation_many_violation": 422, "team_inheritance_enabled": 422, "inherited_ownership_enabled": 422, "forbidden_type_change": 422,
	"forbidden_format_change": 422, "protected_blueprint_violation": 422, "protected_resource": 422, "protected_entity": 422,
}

// kinds are the status and code of an error that has no code of its own.
var kinds = map[fault.Kind]struct {
	status int
	code   string
}{
	fault.Invalid: {422, "invalid_request"}, fault.NotFound: {404, "not_found"}, fault.Conflict: {409, "conflict"},
	fault.Denied: {403, "missing_permissions"}, fault.Unavailable: {503, "unavailable"},
}

// toAnswer is the status and body of an error. What is our own fault is not told.
func toAnswer(err error) (int, errorAnswer) {
	var own *statusError
	if errors.As(err, &own) {
		return own.status, errorAnswer{Error: own.code, Message: own.message}
	}
	kind, known := kinds[fault.KindOf(err)]
	var f *fault.Error
	if !known || !errors.As(err, &f) {
		return http.StatusInternalServerError, errorAnswer{Error: "internal_error", Message: "internal error"}
	}
	if f.Code == databaseAway {
		return kind.status, errorAnswer{Error: kind.code, Message: "the database does not answer now: try again soon"}
	}
	answer := errorAnswer{Error: kind.code, Message: err.Error(), Details: f.Details}
	if f.Code != "" {
		answer.Error = f.Code
	}
	if hint := fault.HintOf(err); hint != "" {
		answer.Details = map[string]any{"hint": hint}
		for k, v := range f.Details {
			answer.Details[k] = v
		}
	}
	if status, ok := statuses[f.Code]; ok {
		return status, answer
	}
	return kind.status, answer
}

// fail answers an error. A failure of ours is logged with its cause.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		return // nobody listens any more
	}
	status, answer := toAnswer(err)
	if status >= 500 {
		a.Log.Error("a request failed", "method", r.Method, "path", logPath(r), "status", status, "error", err, "trace", w.Header().Get("X-Trace-Id"))
	}
	var own *statusError
	switch {
	case errors.As(err, &own) && own.allow != "":
		w.Header().Set("Allow", own.allow)
	case status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
	}
	_ = writeJSON(w, status, answer)
}

// logPath is the path for logs. A webhook's key lets people in, and is left out.
func logPath(r *http.Request) string {
	if path := r.URL.EscapedPath(); !strings.HasPrefix(path, "/ingest/") {
		return path
	}
	return "/ingest/…"
}

// okAnswer says that something was done.
type okAnswer struct {
	OK bool `json:"ok"`
}

func writeOK(w http.ResponseWriter) error { return writeJSON(w, http.StatusOK, okAnswer{true}) }

// writeJSON answers with a whole body. An error means that it was not begun.
func writeJSON(w http.ResponseWriter, status int, body any) error {
	text, err := encode(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the client has gone: nothing is left to be done
	return nil
}

// encode writes JSON as it is read elsewhere: <, > and & as themselves.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// stamp is a time as Port writes it: RFC 3339 in UTC with milliseconds. The zero time is null.
type stamp time.Time

func (s stamp) MarshalJSON() ([]byte, error) {
	t := time.Time(s)
	if t.IsZero() {
		return []byte("null"), nil
	}
	return t.UTC().AppendFormat(nil, `"2006-01-02T15:04:05.000Z"`), nil
}
