package pipeline

import (
	"context"
	"encoding/json"
	"iter"
	"time"

	"longshore/internal/tally"
)

// Stream is a named kind of record that a Source offers.
type Stream struct {
	Name        string     `json:"name"`
	PrimaryKey  [][]string `json:"primaryKey"`
	CursorField string     `json:"cursorField,omitempty"` // "" when only full refresh is possible
	Incremental bool       `json:"incremental"`           // read incrementally by default (logs); else every sync is a full snapshot
	Optional    bool       `json:"optional,omitempty"`    // not read unless chosen by name
	Doc         string     `json:"doc"`                   // one sentence for people
}

// Page is what one answer of the source brought. Records are raw JSON objects, valid until the next page.
type Page struct {
	Records   [][]byte
	EmittedAt time.Time       // when the answer came
	State     json.RawMessage // how far the stream is read once this page is durable; opaque, at most 1,500 bytes
	Cursor    string          // the request in the source's words (path and query, no secret), for the manifest
	Statuses  map[int]int     // HTTP statuses met for this page, retries included
	// Gaps name what this page could not read and was passed over (a parent gone with 404, a 403 on one parent):
	// a stream with gaps is partial, never complete.
	Gaps []string
	// Sum is of the records as the source cut them from its answer; nil when it does not say. What reaches the lake is held
	// against it.
	Sum *tally.Sum
	// Last means that the read is complete with this page. To read on from its State is another, incremental read.
	Last bool
}

// Source reads records from the system at the head of the pipeline.
type Source interface {
	// Streams lists what can be read, in the order to read it.
	Streams() []Stream
	// Read yields the pages of a stream from state on (nil: from the start). It ends after the last page, or with
	// one error: fault.Denied (the credential may not read the stream), fault.Invalid (configuration),
	// fault.Unavailable (retries spent). Stopping early or cancelling ctx is safe at any page.
	Read(ctx context.Context, stream string, state json.RawMessage) iter.Seq2[Page, error]
}
