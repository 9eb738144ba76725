package pipeline

import (
	"encoding/json"
	"time"
)

// Status is the state of a run or of a stream in it.
type Status string

// The statuses. Partial means that all that could be read is in the lake, and that something is known to be missing.
const (
	Pending   Status = "pending"
	Running   Status = "running"
	Ended     Status = "ended" // of a stream: its last record is durable, its manifest is not written yet
	Complete  Status = "complete"
	Partial   Status = "partial"
	Failed    Status = "failed"
	Succeeded Status = "succeeded" // of a run: every stream is complete
	Cancelled Status = "cancelled"
)

// Modes of reading a stream.
const (
	FullRefresh = "full_refresh"
	Incremental = "incremental"
)

// What a run does.
const (
	JobSync    = "sync"
	JobClear   = "clear"   // nothing is read: what the streams have left at the destination goes
	JobRefresh = "refresh" // everything is read from its start, and what was there before goes
)

// Clear is the mode of a stream that is cleared. It proves nothing about the source.
const Clear = "clear"

// Run is one sync of a connection; Airbyte calls it a job.
type Run struct {
	ID         int64
	Connection Connection
	Type       string // JobSync, JobClear or JobRefresh
	StartedAt  time.Time
	FinishedAt time.Time
	Status     Status
	Cause      string // what started it
	Actor      string // who did; "" for the program itself
	Error      string
	CancelAt   time.Time // when it was asked to end; zero for never
	CancelBy   string
	Streams    []StreamRun
	Attempts   []Attempt // in their order; a feed's run has none
}

// Attempt is one try at a run. Each goes on where what is durable ends.
type Attempt struct {
	Number     int    // from 1
	Status     Status // Running, Failed, Succeeded or Cancelled
	StartedAt  time.Time
	FinishedAt time.Time
	Error      string
	Rows       int64 // that it brought into the lake
	Bytes      int64
}

// Rows are the rows that a run has brought into the lake, and their bytes there.
func (r Run) Rows() (rows, bytes int64) {
	for _, st := range r.Streams {
		rows, bytes = rows+st.LakeRows, bytes+st.LakeBytes
	}
	return rows, bytes
}

// JobStatus is the status of a run in Airbyte's words: pending, running, incomplete (an attempt has failed, another will
// follow), succeeded, failed or cancelled. Partial is failed there: something is known to be missing.
func (r Run) JobStatus() string {
	switch r.Status {
	case Running:
		switch n := len(r.Attempts); {
		case n == 0:
			return string(Pending)
		case r.Attempts[n-1].Status == Failed:
			return "incomplete"
		}
		return string(Running)
	case Partial:
		return string(Failed)
	}
	return string(r.Status)
}

// Levels of a run's log.
const (
	LevelDebug = "debug"
	LevelInfo  = "info"
	LevelWarn  = "warn"
	LevelError = "error"
)

// LogLine is something that happened in a run, for people.
type LogLine struct {
	At     time.Time
	Level  string
	Stream string // "" for the run as a whole
	Text   string
}

// StreamRun is one stream of a run: how far it is read and what was counted on the way.
type StreamRun struct {
	Stream      string
	Mode        string
	Generation  int64
	Minimum     int64 // generations below it go once the stream is complete; 0: none do
	Status      Status
	State       json.RawMessage
	NextPart    int
	Pages       int64
	APIRows     int64
	LakeRows    int64
	LakeBytes   int64
	FirstCursor string
	LastCursor  string
	Statuses    map[int]int
	Gaps        []string
	Error       string
	StartedAt   time.Time
	FinishedAt  time.Time
}
