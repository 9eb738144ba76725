package access

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"longshore/internal/auth"
	"longshore/internal/catalog"
)

// Limits of the reads that are noted and not yet recorded.
const (
	maxNoted   = 10_000
	maxDigests = 8
)

// Call is what a caller asked, for the record of privileged reads.
type Call struct {
	Route  string        // with the names of its segments: "POST /v1/blueprints/{blueprint}/entities/search"
	Digest func() string // of the query and body, as far as they were read
}

type callKey struct{}

// WithCall returns a context in which reads are made by the call.
func WithCall(ctx context.Context, call Call) context.Context {
	return context.WithValue(ctx, callKey{}, call)
}

// Recorder appends to the audit log; see [catalog.Catalog.Record].
type Recorder interface {
	Record(ctx context.Context, entries []catalog.AuditEntry) error
}

// Reads gathers reads of privileged blueprints: one entry of the audit log for each actor, route and blueprint a minute.
type Reads struct {
	recorder Recorder
	now      func() time.Time

	mu           sync.Mutex
	noted        map[readKey]*noted
	privileged   map[string]bool
	privilegedAt time.Time
}

type readKey struct{ actor, route, blueprint string }

type noted struct {
	first    time.Time
	calls    int64
	entities int64
	digests  []string
	more     bool // digests than are kept
}

// NewReads returns a gatherer that writes to recorder.
func NewReads(recorder Recorder, now func() time.Time) *Reads {
	return &Reads{recorder: recorder, now: now, noted: map[readKey]*noted{}}
}

// note adds a read of n entities of a blueprint.
func (r *Reads) note(ctx context.Context, blueprint string, n int64) {
	who, _ := auth.From(ctx)
	call, _ := ctx.Value(callKey{}).(Call)
	digest := ""
	if call.Digest != nil {
		digest = call.Digest()
	}
	key := readKey{who.ID, call.Route, blueprint}
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.noted[key]
	if at == nil {
		if len(r.noted) >= maxNoted { // so many actors and routes in a minute: told apart by blueprint alone
			key = readKey{"", "", blueprint}
		}
		if at = r.noted[key]; at == nil {
			at = &noted{first: r.now()}
			r.noted[key] = at
		}
	}
	at.calls++
	at.entities += n
	switch {
	case digest == "" || slices.Contains(at.digests, digest):
	case len(at.digests) < maxDigests:
		at.digests = append(at.digests, digest)
	default:
		at.more = true
	}
}

// Flush records what was noted at least so long ago; 0 records all. What cannot be recorded is kept for the next time.
func (r *Reads) Flush(ctx context.Context, age time.Duration) error {
	now := r.now()
	due := map[readKey]*noted{}
	r.mu.Lock()
	for key, n := range r.noted {
		if now.Sub(n.first) >= age {
			due[key] = n
			delete(r.noted, key)
		}
	}
	r.mu.Unlock()
	if len(due) == 0 {
		return nil
	}
	keys := slices.SortedFunc(maps.Keys(due), func(a, b readKey) int {
		return strings.Compare(a.actor+"\x00"+a.route+"\x00"+a.blueprint, b.actor+"\x00"+b.route+"\x00"+b.blueprint)
	})
	entries := make([]catalog.AuditEntry, len(keys))
	for i, key := range keys {
		n := due[key]
		data, err := json.Marshal(map[string]any{"route": key.route, "calls": n.calls, "entities": n.entities, "queries": n.digests, "moreQueries": n.more})
		if err != nil {
			return err
		}
		entries[i] = catalog.AuditEntry{At: n.first.UTC().Truncate(time.Millisecond), Kind: "entity", Action: "READ", Blueprint: key.blueprint, Actor: key.actor, Data: data}
	}
	if err := r.recorder.Record(ctx, entries); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		for key, n := range due {
			if again := r.noted[key]; again != nil {
				n.calls += again.calls
				n.entities += again.entities
			}
			r.noted[key] = n
		}
		return err
	}
	return nil
}
