package ingest

import "time"

// State is how far an object is taken.
type State string

// The states of an object.
const (
	Queued   State = "queued"
	Reading  State = "reading"
	Done     State = "done"
	Failed   State = "failed"   // broken (truncated gzip): the records before the damage are in, the error says where it is
	Unrouted State = "unrouted" // no webhook has its namespace as key or identifier; it is taken as soon as one has
	Gone     State = "gone"     // deleted or replaced in the bucket before it was read
)

// Object is one version of a lake object and how far it is taken.
type Object struct {
	ID          int64
	Bucket      string
	Key         string
	ETag        string
	Namespace   string
	Stream      string
	SyncID      int64 // 0 for a foreign writer
	Bytes       int64
	RowsWritten int64 // -1 when unknown
	SHA256      string
	State       State
	Pass        int64
	Webhook     string
	MappingID   int64
	LinesDone   int64
	Records     int64
	Error       string
	FoundAt     time.Time
	IngestedAt  time.Time
}

// Waiting is how much is still to be taken.
type Waiting struct {
	Objects int64 // queued or half read
	Lines   int64 // taken so far, of all objects
	Written int64 // that our own writer put into all objects
}
