package pipeline

import (
	"context"
	"encoding/json"
	"iter"
	"time"
)

// Follower is a Source that also tells of changes as they happen: it follows the stream that is the system's log and
// reads again, one by one, the objects that the log's records touch.
type Follower interface {
	Source
	// Follow begins to follow. It asks for nothing yet.
	Follow(options FollowOptions) (Following, error)
}

// FollowOptions say where to begin and what to ask when more must be known than the system tells.
type FollowOptions struct {
	Streams []string        // whose records are wanted
	State   json.RawMessage // how far the log is read
	// Recall yields what the lake knows of a stream, in no particular order. The system tells what is there; that
	// something has gone shows only beside what was known.
	Recall func(ctx context.Context, stream string) iter.Seq2[Recalled, error]
	// NoDeletions leaves out records of objects that are gone: for readers who know nothing of DeletedMember, and would take
	// such a record for one of an object that is there.
	NoDeletions bool
	// Nudges takes what has come since the last call, in order; nil for a source that nobody nudges.
	Nudges func(ctx context.Context) ([]Nudge, error)
}

// Recalled is a record of the lake. Of several of one key the one of the newest generation counts, and among these
// the one extracted last.
type Recalled struct {
	Record      []byte // valid until the next one
	Generation  int64
	ExtractedAt int64 // Unix milliseconds
}

// Nudge is word of a change that came by another way than the log, which will tell of it too.
type Nudge struct {
	ID    int64
	Event json.RawMessage // in the source's words
}

// NewNudge is an event as it came. Of one UUID only the first counts.
type NewNudge struct {
	UUID  string
	Event json.RawMessage
}

// Following is a source that is being followed. It is not safe for concurrent use. After an error it is of no more use.
type Following interface {
	// Next waits for changes, at most until the given time, and returns what they brought; nothing is a zero Brought.
	// Everything returned counts as durable at the next call.
	Next(ctx context.Context, until time.Time) (Brought, error)
	// Rewind reads the log once more from a time (of the local clock) on, and again the objects that it touches, without
	// bringing its records. Brought tells of the mark once that is done.
	Rewind(since time.Time, mark int64)
	// RewindState is Rewind from a state of the log.
	RewindState(state json.RawMessage, mark int64)
}

// Brought is what one step of a Following brought.
type Brought struct {
	Pages   []StreamPage // records of objects read again
	Log     []Page       // of the log: all that their records touch is in Pages, of this step or of one before
	Settled []int64      // nudges of which the same is true
	Rewound []int64      // marks of rewinds that are done
	Wanted  string       // why the whole should be read anew, "" for no reason: something has changed that cannot be followed
}

// Empty reports whether the step brought nothing.
func (b *Brought) Empty() bool {
	return len(b.Pages) == 0 && len(b.Log) == 0 && len(b.Settled) == 0 && len(b.Rewound) == 0 && b.Wanted == ""
}

// StreamPage is a page of a stream. Its State is empty: a stream's own reading knows nothing of it.
type StreamPage struct {
	Stream string
	Page
}

// DeletedMember is the member that a record gets when the object is gone: when that was seen, RFC 3339. The name is that
// of Airbyte's CDC sources.
const DeletedMember = "_ab_cdc_deleted_at"
