package pipeline

import (
	"encoding/json"
	"time"
)

// Connection ties a source to a destination: which streams, under which namespace, how often.
type Connection struct {
	ID        int64    `json:"-"`
	Name      string   `json:"name"`
	Source    string   `json:"source"`    // what is read, for people: the org's URL
	Namespace string   `json:"namespace"` // first part of the object keys; routes to the webhook of that key or identifier
	Streams   []string `json:"streams"`   // chosen streams; empty means all of the source but the optional ones
	// Modes say how streams are read where it is not as the source does by default: FullRefresh or Incremental by name.
	// A stream that can only be read in full is, whatever they say.
	Modes map[string]string `json:"modes,omitempty"`
	Every time.Duration     `json:"every"` // pause between the end of a run and the next; 0 means by hand only
}

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

// Mode is how the connection reads a stream. A full refresh begins a new generation, and what is not in it is gone from
// the source. An incremental read adds to the generation what changed since the read before, and proves no absence: an
// object deleted, a membership or an assignment taken away stays until the next full refresh or until the feed tells.
func (c Connection) Mode(st Stream) string {
	mode := c.Modes[st.Name]
	switch {
	case mode == FullRefresh, mode == Incremental && st.CursorField != "":
		return mode
	case st.Incremental:
		return Incremental
	}
	return FullRefresh
}

// Run is one sync of a connection.
type Run struct {
	ID         int64
	Connection Connection
	StartedAt  time.Time
	FinishedAt time.Time
	Status     Status
	Cause      string
	Error      string
	Streams    []StreamRun
}

// StreamRun is one stream of a run: how far it is read and what was counted on the way.
type StreamRun struct {
	Stream      string
	Mode        string
	Generation  int64
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
