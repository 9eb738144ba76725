package airbyte

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
)

// maxGaps is how many gaps of a stream are told.
const maxGaps = 50

// read reads the configured streams one after the other.
func (r *command) read(ctx context.Context) bool {
	catalog, err := readCatalog(r.files.Catalog)
	var states map[string]json.RawMessage
	if err == nil {
		states, err = readStates(r.files.State)
	}
	var session *Session
	if err == nil {
		session, err = r.open()
	}
	if err != nil {
		r.out.failed("", err)
		return false
	}
	var streams []*streamRead
	var begun []Begun
	for _, chosen := range catalog {
		s := &streamRead{command: r, session: session, name: chosen.Stream.Name, mode: chosen.Mode}
		if s.begin(states[s.name]); s.refused == nil && !s.done {
			begun = append(begun, Begun{s.name, s.from})
		}
		streams = append(streams, s)
	}
	rows := map[string]int64{}
	if session.Foresee != nil && len(begun) > 0 {
		rows = session.Foresee(ctx, begun)
	}
	var failed []string
	kind := fault.Unavailable
	for _, s := range streams {
		if err := s.run(ctx, rows[s.name]); err != nil {
			failed = append(failed, s.name)
			kind = worse(kind, fault.KindOf(err), len(failed) == 1)
		}
		if ctx.Err() != nil {
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		r.out.failed("", fault.Errorf(fault.Unavailable, "stopped before all streams were read: %w", context.Cause(ctx)).
			WithHint("Nothing is lost: reading goes on from the last state."))
		return false
	case len(failed) > 0:
		r.out.failed("", fault.Errorf(kind, "%d of %d streams are not complete: %s", len(failed), len(catalog), strings.Join(failed, ", ")).
			WithHint("Each one's own error says why."))
		return false
	}
	return true
}

// worse is what kind of failure a run has whose streams failed in these ways. As long as one of them may pass with time,
// so may the run: a platform tries it again. When none may, it is told to ask its user.
func worse(all, one fault.Kind, first bool) fault.Kind {
	if first || one == fault.Unavailable {
		return one
	}
	return all
}

// waits passes on what Environment.Throttled is told.
func (r *command) waits(until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock() // until it is told: nothing of a stream comes behind its end
	if r.throttled != nil {
		r.throttled(until)
	}
}

func (r *command) setThrottled(tell func(time.Time)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.throttled = tell
}

// streamRead is the reading of one stream.
type streamRead struct {
	*command
	session *Session
	name    string
	mode    string

	from    json.RawMessage // where the read begins
	done    bool            // there is nothing to read
	refused error           // why the stream cannot be read so

	state json.RawMessage // the newest
	begun bool            // RUNNING was told
	told  bool            // a STATE was
	gaps  []string
}

// run reads the stream and tells all there is to tell about it. The error says that it is not complete.
func (s *streamRead) run(ctx context.Context, rows int64) error {
	s.out.status(s.name, StatusStarted, time.Time{})
	s.setThrottled(func(until time.Time) { s.out.status(s.name, StatusRunning, until) })
	if rows > 0 {
		s.out.trace(trace{Type: "ESTIMATE", Estimate: &estimate{Name: s.name, Type: "STREAM", Rows: rows}})
	}
	err := s.pages(ctx)
	s.setThrottled(nil)
	if err == nil && !s.told { // even a stream without a record ends with a state
		s.out.state(s.name, s.state, 0)
	}
	if err == nil && len(s.gaps) > 0 && !s.session.AcceptGaps {
		err = fault.Errorf(fault.Denied, "%d parts of the stream could not be read, the first: %s", len(s.gaps), s.gaps[0]).
			WithHint("All else of it was read. Let the credential read these, or set accept_gaps to count such a stream as complete.")
	}
	if err != nil {
		s.out.failed(s.name, err)
		s.out.status(s.name, StatusIncomplete, time.Time{})
		return err
	}
	s.out.status(s.name, StatusComplete, time.Time{})
	return nil
}

// offered returns the stream as the source tells it.
func (s *streamRead) offered() (Stream, error) {
	var names []string
	for _, offered := range s.session.Catalog.Streams {
		if offered.Name == s.name {
			return offered, nil
		}
		names = append(names, offered.Name)
	}
	e := fault.Errorf(fault.Invalid, "no stream %q: there are %s", s.name, strings.Join(names, ", "))
	if nearest := fault.Nearest(s.name, names); nearest != "" {
		e = e.WithHint("Did you mean %q?", nearest)
	}
	return Stream{}, e
}

// begin decides where the read begins, of the state that the platform kept.
func (s *streamRead) begin(kept json.RawMessage) {
	offered, err := s.offered()
	if err == nil && s.mode == Incremental && !offered.incremental() {
		err = fault.Errorf(fault.Invalid, "stream %q cannot be read incrementally", s.name).
			WithHint("Choose the sync mode full_refresh for it.")
	}
	if s.refused = err; err != nil {
		return
	}
	s.state = kept
	if isEmpty(kept) {
		kept, s.state = nil, json.RawMessage("{}")
	}
	if s.from = kept; s.session.Begin != nil {
		s.from, s.done = s.session.Begin(s.name, s.mode, kept)
	}
}

func (s *streamRead) pages(ctx context.Context) error {
	if s.refused != nil {
		return s.refused
	}
	if s.done {
		s.log.Info("the full refresh was complete already", "stream", s.name)
		return nil
	}
	quoted := rawjson.AppendString(nil, s.name)
	for page, err := range s.session.Source.Read(ctx, s.name, s.from) {
		s.gap(page.Gaps)
		if err != nil {
			return err
		}
		s.page(quoted, page)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read %s: %w", s.name, context.Cause(ctx))
		}
	}
	if ctx.Err() != nil { // a source that was stopped may just end
		return fmt.Errorf("read %s: %w", s.name, context.Cause(ctx))
	}
	return nil
}

// page writes the records of a page and the state behind them.
func (s *streamRead) page(name []byte, page pipeline.Page) {
	if len(page.Records) > 0 && !s.begun {
		s.begun = true
		s.out.status(s.name, StatusRunning, time.Time{})
	}
	for _, record := range page.Records {
		s.out.record(name, record, page.EmittedAt)
	}
	if !isEmpty(page.State) {
		s.state = page.State
	}
	s.out.state(s.name, s.state, int64(len(page.Records)))
	s.told = true
}

// gap tells what could not be read, and remembers that there was something.
func (s *streamRead) gap(gaps []string) {
	for _, gap := range gaps {
		if len(s.gaps) < maxGaps {
			s.log.Warn("a part of the stream could not be read", "stream", s.name, "gap", gap)
			s.gaps = append(s.gaps, gap)
		}
	}
}

func (s Stream) incremental() bool {
	for _, mode := range s.Modes {
		if mode == Incremental {
			return true
		}
	}
	return false
}

func isEmpty(state json.RawMessage) bool {
	text := strings.TrimSpace(string(state))
	return text == "" || text == "null" || text == "{}"
}
