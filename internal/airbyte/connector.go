package airbyte

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"sync"
	"time"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
)

// Connector is a source that runs as a connector process.
type Connector struct {
	Specification Specification
	// Open makes a session of a configuration, without asking the source for anything yet. An error of kind
	// fault.Invalid is the user's to mend.
	Open func(config json.RawMessage, e Environment) (*Session, error)
	// Now tells the time of messages; nil means time.Now.
	Now func() time.Time
}

// Environment is what a session may use while a command runs.
type Environment struct {
	Log *slog.Logger
	// Reconfigured tells the platform to keep this configuration in place of the one given. It may be called from any
	// goroutine.
	Reconfigured func(config json.RawMessage)
	// Throttled tells that reading waits for the source's rate limit until about that time. It may be called from any
	// goroutine, and again whenever the wait goes on.
	Throttled func(until time.Time)
}

// Session is a source that was opened with a configuration.
type Session struct {
	Source  pipeline.Source
	Catalog Catalog
	// Check asks the source for as little as proves that it can be read.
	Check func(ctx context.Context) error
	// Begin decides where a read of the stream begins, in the sync mode, of the state that the platform kept (nil for
	// none). done is a full refresh that this state says is complete: nothing is read. Nil takes states as they are.
	Begin func(stream, mode string, state json.RawMessage) (from json.RawMessage, done bool)
	// Foresee is told of the streams before they are read, and where each begins. It returns about how many records each
	// brings, as far as it knows. It may be nil.
	Foresee func(ctx context.Context, streams []Begun) map[string]int64
	// AcceptGaps counts a stream as complete although parts of it could not be read.
	AcceptGaps bool
}

// Begun is a stream that is about to be read, and where that begins.
type Begun struct {
	Stream string
	From   json.RawMessage
}

// command is one command under way.
type command struct {
	connector *Connector
	out       *Emitter
	log       *slog.Logger
	files     Files

	mu        sync.Mutex
	throttled func(until time.Time) // of the stream that is being read
}

// Run runs a command (spec, check, discover, read) and reports whether the process should end with 0. Whatever went
// wrong is told in messages on out; the error is for what could not be told there.
func (c *Connector) Run(ctx context.Context, name string, files Files, debug bool, out io.Writer) (ok bool, err error) {
	now := c.Now
	if now == nil {
		now = time.Now
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e := newEmitter(out, now, cancel)
	run := &command{connector: c, out: e, log: newLogger(e, debug), files: files}
	switch name {
	case "spec":
		e.emit(message{Type: "SPEC", Spec: &c.Specification})
		ok = true
	case "check":
		ok = run.check(ctx)
	case "discover":
		ok = run.discover()
	case "read":
		ok = run.read(ctx)
	default:
		return false, fault.Errorf(fault.Invalid, "no command %q: there are spec, check, discover and read", name)
	}
	return ok && e.Err() == nil, e.Err()
}

// open reads the configuration and opens a session with it.
func (r *command) open() (*Session, error) {
	config, err := readConfig(r.files.Config)
	if err != nil {
		return nil, &unreadable{err}
	}
	session, err := r.connector.Open(config, Environment{Log: r.log, Reconfigured: r.reconfigured, Throttled: r.waits})
	if err != nil {
		return nil, err
	}
	return session, nil
}

func (r *command) reconfigured(config json.RawMessage) {
	r.out.emit(message{Type: "CONTROL", Control: &control{
		Type: "CONNECTOR_CONFIG", EmittedAt: millis(r.out.now()), Config: controlConfig{Config: config},
	}})
}

// unreadable is a configuration that could not be read at all, which says nothing of the user's settings.
type unreadable struct{ err error }

func (u *unreadable) Error() string { return u.err.Error() }
func (u *unreadable) Unwrap() error { return u.err }

// check tells whether the configuration works.
func (r *command) check(ctx context.Context) bool {
	session, err := r.open()
	if _, no := err.(*unreadable); no { //nolint:errorlint // made here, and never wrapped
		r.out.failed("", err)
		return false
	}
	if err == nil {
		err = session.Check(ctx)
	}
	return r.out.checked(ctx, err)
}

func (r *command) discover() bool {
	session, err := r.open()
	if err != nil {
		r.out.failed("", err)
		return false
	}
	r.out.emit(message{Type: "CATALOG", Catalog: &session.Catalog})
	return true
}
