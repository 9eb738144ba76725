package jq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/itchyny/gojq"

	"longshore/internal/fault"
)

// MaxExpressionBytes is how long an expression may be.
const MaxExpressionBytes = 8 << 10

// Options are the limits of a program's runs.
type Options struct {
	// Timeout is how long one run may take; 0 means 250 ms.
	Timeout time.Duration
	// MaxOutputBytes is how large the JSON text of a value may be; 0 means 1 MiB.
	MaxOutputBytes int
}

func (o Options) withDefaults() Options {
	if o.Timeout <= 0 {
		o.Timeout = 250 * time.Millisecond
	}
	if o.MaxOutputBytes <= 0 {
		o.MaxOutputBytes = 1 << 20
	}
	return o
}

// Program is a compiled expression. It is safe for concurrent use, each run with an Input of its own.
type Program struct {
	source  string
	query   *gojq.Query
	code    *gojq.Code
	plain   bool     // the whole expression is the path
	check   *check   // the whole expression is that question; nil: it is not
	path    []string // the object keys that the expression begins with
	shown   []string // the path's beginnings as texts: .body, .body.id
	hasPath bool
	opts    Options
}

// Compile compiles an expression. Errors are fault.Invalid, name the position, and carry a hint where one is known.
func Compile(expr string, opts Options) (*Program, error) {
	if len(expr) > MaxExpressionBytes {
		return nil, fault.Errorf(fault.Invalid, "the expression has %d bytes, at most %d are allowed", len(expr), MaxExpressionBytes).
			WithHint("split it over several properties, or compute the value at the source")
	}
	text := doubleQuotes(expr)
	query, err := gojq.Parse(text)
	if err != nil {
		return nil, compileError(expr, err)
	}
	p, err := compileQuery(query, opts.withDefaults())
	if err != nil {
		return nil, compileError(expr, err)
	}
	p.source = expr
	return p, nil
}

func compileQuery(query *gojq.Query, opts Options) (*Program, error) {
	code, err := gojq.Compile(guarded(translated(query)), append(regexFunctions(), compilerOptions...)...)
	if err != nil {
		return nil, err
	}
	p := &Program{query: query, code: code, opts: opts}
	p.path, p.plain, p.hasPath = leadingPath(query)
	p.check = checkOf(query)
	for n := range p.path {
		p.shown = append(p.shown, pathText(p.path[:n+1]))
	}
	return p, nil
}

// Steady reports whether the program gives the same over the same input whenever it runs. One that reads the clock, or
// may, does not.
func (p *Program) Steady() bool { return p.check != nil || !strings.Contains(p.source, "now") }

// Source returns the expression as it was written.
func (p *Program) Source() string { return p.source }

// RunError is the failure of one run: the program's own, or a limit reached.
type RunError struct {
	Message string
	Value   string // excerpt of the JSON value that the program could not take, "" when unknown
	Limit   bool   // a limit of time, size or depth ended the run
	Timeout bool   // it was that of time, or of memory: it cost as much
}

func (e *RunError) Error() string { return e.Message }

// Run returns the JSON text of the program's first output, or nil if there is none (empty). The text may lie in a
// text of the input, so it is valid until the input's next Reset. The error is a *RunError, or ctx's.
func (p *Program) Run(ctx context.Context, in *Input) ([]byte, error) {
	if p.plain {
		if value, ok := in.span(p.path); ok {
			if len(value) > p.opts.MaxOutputBytes {
				return nil, p.tooLarge()
			}
			return value, nil
		}
	}
	if p.check != nil {
		if yes, ok := p.check.answer(in); ok {
			return boolText(yes), nil
		}
	}
	return p.interpret(ctx, in)
}

func boolText(yes bool) []byte {
	if yes {
		return trueText
	}
	return falseText
}

// interpret runs the program in the interpreter, whose answer is what the program means.
func (p *Program) interpret(ctx context.Context, in *Input) (text []byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	root, err := in.value()
	if err != nil {
		return nil, &RunError{Message: err.Error()}
	}
	defer func() {
		if r := recover(); r != nil { // a fault of the interpreter must not take a batch down
			text, err = nil, &RunError{Message: fmt.Sprintf("the interpreter failed: %v", r)}
		}
	}()
	in.clock.start(ctx, p.opts.Timeout)
	value, ok := p.code.RunWithContext(&in.clock, root).Next()
	if !ok {
		return nil, nil
	}
	if failure, ok := value.(error); ok {
		return nil, p.runError(ctx, in, failure)
	}
	switch withinLimits(value, p.opts.MaxOutputBytes) {
	case limitSize:
		return nil, p.tooLarge()
	case limitDepth:
		return nil, &RunError{Limit: true, Message: fmt.Sprintf("the value is nested deeper than %d levels", MaxDepth)}
	}
	return gojq.Marshal(value)
}

func (p *Program) tooLarge() error {
	return &RunError{Limit: true, Message: fmt.Sprintf("the value is larger than %d bytes", p.opts.MaxOutputBytes)}
}

func (p *Program) runError(ctx context.Context, in *Input, failure error) error {
	if in.clock.err != nil && errors.Is(failure, in.clock.err) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if errors.Is(failure, errMemory) {
			return &RunError{Limit: true, Timeout: true, Message: errMemory.Error()}
		}
		return &RunError{Limit: true, Timeout: true, Message: fmt.Sprintf("still running after %s", p.opts.Timeout)}
	}
	if l, ok := failure.(limitError); ok { //nolint:errorlint // the interpreter returns it bare
		return &RunError{Limit: true, Message: l.Error()}
	}
	e := &RunError{}
	if v, ok := failure.(gojq.ValueError); ok { //nolint:errorlint // the interpreter returns it bare
		e.Message, e.Value = thrown(v.Value())
		return e
	}
	e.Message = Shorten(failure.Error(), maxMessageBytes)
	if path, value := p.Subject(in); path != "" {
		e.Value = Excerpt(value)
	}
	return e
}

// thrown tells of what a program gave to error().
func thrown(v any) (message, value string) {
	if withinLimits(v, 1<<16) != limitNone {
		return "error called with a large value", ""
	}
	text, err := gojq.Marshal(v)
	if err != nil {
		return "error called", ""
	}
	if s, ok := v.(string); ok {
		return Shorten(s, maxMessageBytes), Excerpt(text)
	}
	return "error called with " + Excerpt(text), Excerpt(text)
}

// Subject returns the path that the expression begins with (".body.id" of .body.id | startswith("cr")) and the text
// found there: what the program looks at first. The path is "" when the expression begins otherwise.
func (p *Program) Subject(in *Input) (path string, value []byte) {
	if !p.hasPath || len(p.path) == 0 {
		return "", nil
	}
	for n := len(p.path); n > 0; n-- { // a path that fails half-way shows what it could reach
		if value, ok := in.span(p.path[:n]); ok {
			return p.shown[n-1], value
		}
	}
	return "", nil
}

const excerptBytes = 120

// Excerpt cuts a JSON text to at most 120 bytes.
func Excerpt(text []byte) string {
	if len(text) <= excerptBytes {
		return string(text)
	}
	return Shorten(string(text[:excerptBytes+1]), excerptBytes)
}

// maxMessageBytes is how much of an interpreter's message is passed on: it may quote the program.
const maxMessageBytes = 400

// Shorten cuts s to at most n bytes, whole runes, with an ellipsis.
func Shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	const ellipsis = "…"
	return strings.ToValidUTF8(s[:n-len(ellipsis)], "") + ellipsis
}
