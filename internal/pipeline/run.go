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
