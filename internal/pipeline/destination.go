package pipeline

import (
	"context"
	"encoding/json"
	"time"

	"longshore/internal/tally"
)

// Part names one object-to-be: the Number-th batch of a stream in a run.
type Part struct {
	SyncID     int64
	Connection string // Connection.Identity
	Namespace  string
	Stream     string // at the source
	Prefix     string // goes before the stream's name at the destination
	Generation int64
	Start      time.Time // of the run; one value for all its parts
	Number     int
	Before     int64 // pages of the stream that were durable before this part
}

// Target is the stream's name at the destination.
func (p Part) Target() string { return p.Prefix + p.Stream }

// Commit is what a durable batch stands for: the object, and how far its stream is read once it is there.
// It travels with the object itself, so that a run interrupted between the object and its own records can adopt it.
type Commit struct {
	Key         string          `json:"-"`
	ETag        string          `json:"-"`
	Bytes       int64           `json:"-"`
	SHA256      string          `json:"sha256"`
	APIRows     int64           `json:"api_rows"` // records that the source's pages held
	LakeRows    int64           `json:"rows"`     // lines written
	Pages       int64           `json:"pages"`
	State       json.RawMessage `json:"state,omitempty"`
	FirstCursor string          `json:"first,omitempty"`
	LastCursor  string          `json:"last,omitempty"`
	Statuses    map[int]int     `json:"statuses,omitempty"`
	Sum         tally.Sum       `json:"sum,omitzero"` // of the records that the source's pages held; not kept beside the object
	Gaps        []string        `json:"gaps,omitempty"`
	End         bool            `json:"end,omitempty"` // the stream's last batch: nothing of it is asked for any more
}

// Destination makes batches durable. A batch is there whole or not at all.
type Destination interface {
	// Existing returns the commit of a part that is already durable, or fault.NotFound.
	Existing(ctx context.Context, part Part) (Commit, error)
	// Open starts a batch; nothing is visible before its Commit.
	Open(part Part) (Batch, error)
	// Resume takes up the batch of a part that a process on this machine left behind when it was killed, as it was at
	// its last Checkpoint, and returns what it stood for; fault.NotFound when there is none to take up.
	Resume(part Part) (Batch, Commit, error)
	// WriteManifest makes the record of a finished stream durable.
	WriteManifest(ctx context.Context, run Run, stream StreamRun, parts []Commit) error
}

// Batch gathers the records of one object.
type Batch interface {
	Append(record []byte, extractedAt time.Time) error
	Rows() int64
	RawBytes() int64
	// Checkpoint lets a killed process's successor take up the batch as it is now, standing for c, instead of asking
	// the source again. It is a saving, not a promise: a destination may forget, and only a Commit is durable.
	Checkpoint(c Commit) error
	// Commit makes the batch durable and visible, with c beside it, and returns c completed.
	Commit(ctx context.Context, c Commit) (Commit, error)
	// Discard lets go of what was gathered since the last Checkpoint. It does nothing after Commit.
	Discard()
	// Forget drops the batch and its checkpoints: what it stood for is recorded.
	Forget()
}
