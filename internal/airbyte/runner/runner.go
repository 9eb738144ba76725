package runner

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"longshore/internal/airbyte"
)

// Runner runs connectors. It is safe for concurrent use.
type Runner struct {
	Folder    string   // where runs have their folders; made when it is not there
	Path      string   // where programs, docker and podman are looked for; PATH of the connectors
	EngineEnv []string // what docker and podman need beside PATH, as DOCKER_HOST=…; the containers do not get it
	Log       *slog.Logger
	Clock     Clock // nil means the real one
}

// Clock tells the time by which limits pass.
type Clock interface {
	Now() time.Time
	After(d time.Duration) <-chan time.Time
}

type realClock struct{}

func (realClock) Now() time.Time                         { return time.Now() }
func (realClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

func (r *Runner) clock() Clock {
	if r.Clock == nil {
		return realClock{}
	}
	return r.Clock
}

func (r *Runner) logger() *slog.Logger {
	if r.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return r.Log
}

// Job is one attempt at moving records.
type Job struct {
	ID           int64 // sync_id of the catalogs and records
	Attempt      int   // from 0
	ConnectionID string
	Source       *Side // nil clears: the destination is told that every stream is complete, with nothing in it
	Destination  Side
	Streams      []Stream
	// Namespace is a stream's namespace at the destination by that at the source, as [pipeline.Connection.NamespaceOf]
	// has it; nil leaves it.
	Namespace func(source string) string
	Prefix    string // goes before the streams' names at the destination
	States    States // from which the source goes on
	// Lenient passes over a source whose STATE counts other records than came, with a warning. A destination that counts
	// fewer than it was sent fails in any case.
	Lenient bool
}

// Side is a connector with its configuration.
type Side struct {
	Command Command
	Config  json.RawMessage
	Secrets []string // texts of the configuration that no log may show
}

// Role is a connector's part in a run.
type Role string

// The roles.
const (
	Source      Role = "source"
	Destination Role = "destination"
)

// Sink takes what a run tells while it goes. Any of its methods may be called from any goroutine, and several at once.
// One that takes its time slows the run down.
type Sink interface {
	// State keeps a state, for good once it returns nil. An error ends the run. States of a stream come in their order.
	State(ctx context.Context, s State) error
	// Reconfigured keeps a configuration in place of the connector's own, for the runs to come. An error ends the run.
	Reconfigured(ctx context.Context, role Role, config json.RawMessage) error
	Log(line Line)
	// Progress tells what was counted so far: about every second while something changes, and at the end.
	Progress(counts []Count)
}

// Line is something that a connector says to people.
type Line struct {
	Role  Role
	Level slog.Level
	Text  string // at most maxLogBytes; it may have several lines
}

// Count is how far a stream is.
type Count struct {
	Stream    airbyte.Descriptor // as the source calls it
	Status    string             // the last that the source told: airbyte.StatusRunning and so on; "" for none
	Records   int64              // sent to the destination
	Bytes     int64              // of their data
	Committed int64              // durable at the destination, as far as a state or the end of the run says
	Estimate  int64              // of the records of the run, as the source told it; 0 for none
	// Until is when the source's rate limit ends for which it waits, by what it told last; zero when it does not.
	Until time.Time
}

// Outcome is what a run came to, whether it succeeded or not.
type Outcome struct {
	Streams            []Count
	Unknown            map[string]int64 // records by stream that the job does not move: dropped
	SourceExit         Exit
	DestinationExit    Exit
	Failures           []Failure // as the connectors told them, the newest maxFailures
	States             int64     // that were kept
	LinesDropped       int64     // of log, beyond the limits
	SourceStarted      bool
	DestinationStarted bool
}

// Committed is how many records are durable. An attempt that failed with some is a partial failure.
func (o Outcome) Committed() (n int64) {
	for _, s := range o.Streams {
		n += s.Committed
	}
	return n
}

// Failure is an error as a connector told it.
type Failure struct {
	Role     Role
	Type     string // system_error, config_error, transient_error, or "" from older connectors
	Message  string // for people
	Internal string // for operators
	Stream   airbyte.Descriptor
}
