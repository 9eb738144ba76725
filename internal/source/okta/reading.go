package okta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
	"longshore/internal/tally"
)

// maxDenied is how many parents in a row may refuse, when none has answered, before the stream counts as refused.
const maxDenied = 20

// errStopped means that the caller wants no more pages.
var errStopped = errors.New("stopped")

// reading is one Read under way: where pages go, and what the next page must account for.
type reading struct {
	source  *Source
	client  *client
	spec    streamSpec
	started time.Time // local clock; earlier when it was given what was read for the run before
	older   bool      // it was
	hole    bool      // something could not be read, now or before the state that it began with
	began   string    // the same by the org's clock, from the first answer on
	bound   string    // up to which everything was known before; "" for a full read
	yield   func(pipeline.Page, error) bool
	hide    trim // what of the records stays out of the lake
	watch   func(record []byte)

	statuses  map[int]int     // met since the last page
	gaps      []string        // found since the last page
	lastState json.RawMessage // of the last page
	answered  bool            // a parent of this read has answered
	resumed   bool            // the read goes on where another stopped, which may have met empty lists
	emptied   *answer         // the last one below a parent that was empty, which nothing contradicts; nil once looked into
	ending    bool            // the parent read is the stream's last one
	denied    int             // parents refused in a row
}

// met takes an answer's statuses into the account of the next page.
func (r *reading) met(a *answer) {
	if a == nil {
		return
	}
	for status, n := range a.statuses {
		r.statuses[status] += n
	}
	if !a.at.IsZero() && a.at.Before(r.started) { // it tells of the org as it was then
		r.started, r.older = a.at, true
	}
}

// gap notes what cannot be read.
func (r *reading) gap(format string, args ...any) {
	r.hole = true
	r.gaps = append(r.gaps, fmt.Sprintf(format, args...))
}

// page yields the records of an answer, one line each and without what must not be told. A state that would be too
// long is replaced by the one before: a resumed read repeats the page then.
func (r *reading) page(a *answer, records [][]byte, next state) error {
	for i, record := range records {
		records[i] = r.hide.apply(rawjson.OneLine(record))
		if r.watch != nil {
			r.watch(record)
		}
	}
	encoded := r.account(next).encode()
	if len(encoded) <= maxStateBytes {
		r.lastState = encoded
	}
	page := pipeline.Page{
		Records: records, EmittedAt: r.client.read.time(a.at), State: r.lastState, Cursor: a.path, Statuses: r.statuses, Gaps: r.gaps, Last: next.Done,
	}
	sum := tally.Of(records)
	page.Sum = &sum
	if r.lastState == nil {
		page.State = r.account(state{}).encode()
	}
	r.statuses, r.gaps = map[int]int{}, nil
	if !r.yield(page, nil) {
		return errStopped
	}
	return nil
}

// listings reads one listing after the other.
func listings(key string, requests ...string) func(context.Context, *reading, state) error {
	return func(ctx context.Context, r *reading, from state) error {
		if from.Phase < 0 || from.Phase >= len(requests) || !from.belongsTo(requests[from.Phase]) {
			return foreignState()
		}
		fresh := from.Phase == 0 && from.Link == ""
		for phase := from.Phase; phase < len(requests); phase++ {
			pages := newPager(r.client, key, requests[phase], from.Link)
			pages.filled = fresh
			from.Link = ""
			for pages.more() {
				page, err := pages.fetch(ctx)
				r.met(page.answer)
				if err != nil {
					return err
				}
				fresh = false
				look := r.blindEnd
				if pages.hollow {
					look = r.emptyHanded
				}
				if len(page.records) == 0 && !pages.more() {
					if err := look(ctx, page.answer); err != nil {
						return err
					}
				}
				next := state{Phase: phase, Link: pages.next}
				if !pages.more() {
					next = state{Phase: phase + 1, Done: phase+1 == len(requests)}
				}
				if err := r.page(page.answer, page.records, next); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

func foreignState() error {
	return fault.Errorf(fault.Invalid, "the state belongs to another stream").WithHint("Reset the stream's state: it will be read from the start.")
}

// children reads a sub-stream.
func children(spec childSpec) func(context.Context, *reading, state) error {
	return func(ctx context.Context, r *reading, from state) error { return r.children(ctx, spec, from) }
}

// children visits the parents page by page. Every parent visited, and every page of parents without one to visit,
// makes at least one page, so that the state moves on. A parent that has gone since, or that the credential may not
// read, is a gap.
func (r *reading) children(ctx context.Context, spec childSpec, from state) error {
	if !from.belongsTo(spec.parents) {
		return foreignState()
	}
	parents := newPager(r.client, spec.parentsKey, spec.parents, from.Link).shared()
	parents.filled = from.Link == "" && !strings.Contains(spec.parents, "filter=") // a part of a list may be empty
	for parents.more() {
		page, err := parents.fetch(ctx)
		r.met(page.answer)
		if err != nil {
			return fmt.Errorf("list parents: %w", err)
		}
		if from.Phase == phaseChanged && from.Link == "" && len(page.records) == 0 && !parents.more() {
			if err := r.nothingChanged(ctx, page.answer); err != nil {
				return err
			}
		} else if parents.hollow {
			if err := r.emptyHanded(ctx, page.answer); err != nil {
				return err
			}
		}
		ids, err := idsOf(page, spec.wanted)
		if err != nil {
			return err
		}
		spec.sure = spec.surely(page)
		last := state{Phase: from.Phase, Link: parents.next}
		if !parents.more() {
			last = state{Phase: spec.next, Done: spec.next == 0}
		}
		begin, child := resumeAt(ids, from)
		from.Parent = ""
		if err := r.visit(ctx, spec, ids[begin:], child, state{Phase: from.Phase, Link: page.answer.path}, last); err != nil {
			return err
		}
		if begin >= len(ids) {
			if last.Done {
				if err := r.lookBack(ctx); err != nil {
					return err
				}
			}
			if err := r.page(page.answer, nil, last); err != nil {
				return err
			}
		}
	}
	return nil
}

// visit reads the children of each parent in turn, of the first one from the request child on. The state at says
// where the parents stand; behind the last one it is last.
func (r *reading) visit(ctx context.Context, spec childSpec, ids []string, child string, at, last state) error {
	if child != "" && (len(ids) == 0 || !spec.within(ids[0], child)) {
		return foreignState()
	}
	request := func(i int) string {
		if i == 0 && child != "" && spec.below == nil {
			return child
		}
		return spec.path(ids[i])
	}
	pages := &ahead{client: r.client, key: spec.key, request: request, count: len(ids)}
	ctx, stop := pages.begin(ctx)
	defer stop() // no call outlives the read
	for i, id := range ids {
		at.Parent = id
		done := at
		if i == len(ids)-1 {
			done = last
		}
		below := newPager(r.client, spec.key, spec.path(id), request(i))
		below.ready = pages.next(ctx)
		below.filled = spec.sure != nil && spec.sure(id)
		if spec.mayBeEmpty != nil {
			below.mayBeEmpty = func(ctx context.Context) bool { return spec.mayBeEmpty(ctx, r, id) }
		}
		if r.ending = last.Done && i == len(ids)-1; r.ending {
			if err := r.lookBack(ctx); err != nil {
				return err
			}
		}
		read := func() error { return r.child(ctx, spec, id, below, at, done) }
		if spec.below != nil {
			at.Child = ""
			if i == 0 {
				at.Child = child
			}
			read = func() error { return spec.below(ctx, r, id, below, at, done) }
		}
		if err := read(); err != nil {
			return err
		}
	}
	return nil
}

// surely tells of which parents of a page it is known that something is below them.
func (spec childSpec) surely(page listPage) func(id string) bool {
	if spec.filled == nil {
		return nil
	}
	sure := map[string]bool{}
	for _, parent := range page.records {
		if spec.filled(parent) {
			sure[rawjson.GetString(parent, "id")] = true
		}
	}
	return func(id string) bool { return sure[id] }
}

// within reports whether a stored request is for what is below a parent.
func (spec childSpec) within(parent, request string) bool {
	path := spec.path(parent)
	if spec.below == nil {
		return state{Link: request}.belongsTo(path)
	}
	path, _, _ = strings.Cut(path, "?")
	return strings.HasPrefix(request, path+"/")
}

// idsOf returns the ids of the wanted objects of a page.
func idsOf(page listPage, wanted func([]byte) bool) ([]string, error) {
	var ids []string
	for i, record := range page.records {
		id := rawjson.GetString(record, "id")
		if id == "" {
			return nil, fault.Errorf(fault.Invalid, "GET %s: object %d has no id", shown(page.answer.path), i)
		}
		if wanted == nil || wanted(record) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// resumeAt finds where in a page of parents to go on: behind the last one begun, or inside of it. When that parent is
// no longer there the whole page is read again, which repeats records but skips none.
func resumeAt(ids []string, from state) (begin int, child string) {
	if from.Parent == "" {
		return 0, ""
	}
	at := slices.Index(ids, from.Parent)
	switch {
	case at < 0:
		return 0, ""
	case from.Child != "":
		return at, from.Child
	}
	return at + 1, ""
}

// child reads the pages below one parent. Between its pages the state is inside with the next request, behind the
// last one it is done.
func (r *reading) child(ctx context.Context, spec childSpec, id string, pages *pager, inside, done state) error {
	quoted := rawjson.AppendString(nil, id)
	for pages.more() {
		page, passed, err := r.fetchChild(ctx, pages)
		if err != nil {
			return err
		}
		if passed {
			return r.page(page.answer, nil, done)
		}
		inside.Child = pages.next
		next := inside
		if !pages.more() {
			next = done
		}
		if err := r.page(page.answer, withMember(page.records, spec.member, quoted), next); err != nil {
			return err
		}
	}
	return nil
}

// fetchChild fetches a page below a parent. A parent that is passed over, because it may not be read, leaves a gap. One
// that is gone does not: it has nothing that could be missed.
func (r *reading) fetchChild(ctx context.Context, pages *pager) (page listPage, passed bool, err error) {
	page, err = pages.fetch(ctx)
	r.met(page.answer)
	if err == nil {
		r.answered, r.denied = true, 0
		if pages.hollow {
			err = r.contradicted(ctx, page, pages.denies && (pages.mayBeEmpty == nil || !pages.mayBeEmpty(ctx)))
		} else if len(page.records) == 0 && !pages.more() {
			r.emptied = page.answer
			if r.ending {
				err = r.lookBack(ctx)
			}
		}
		return page, false, err
	}
	if failed := r.passOver(err); failed != nil {
		return page, false, failed
	}
	if fault.Is(err, fault.NotFound) && r.isGone(ctx, page.answer.path) {
		r.client.log.Info("okta object went while it was read", "path", shown(page.answer.path))
		return page, true, nil
	}
	r.gap("%s", explained(err))
	return page, true, nil
}

// passOver decides whether a parent that cannot be read is passed over (nil) or ends the stream.
func (r *reading) passOver(err error) error {
	refused := asAPIError(err)
	switch {
	case refused == nil:
		return err
	case refused.Status == http.StatusNotFound || refused.Status == http.StatusGone:
		return nil
	case refused.Status == http.StatusForbidden:
		if r.denied++; r.denied >= maxDenied && !r.answered {
			return err
		}
		return nil
	}
	return err
}

// withMember adds the parent's id to each record. One that has it already stays as it is.
func withMember(records [][]byte, name string, value []byte) [][]byte {
	for i, record := range records {
		if have, ok := rawjson.Get(record, name); !ok || string(have) != string(value) {
			record = rawjson.AppendMember(make([]byte, 0, len(record)+len(name)+len(value)+4), record, name, value)
		}
		records[i] = record
	}
	return records
}
