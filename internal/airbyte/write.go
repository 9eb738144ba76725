package airbyte

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"longshore/internal/fault"
)

// tickEvery is how often a Writer is asked whether something it holds is old enough to be stored.
const tickEvery = 15 * time.Second

// maxPendingBytes bounds the states that wait for their records to be stored. Beyond it everything is stored at once.
const maxPendingBytes = 32 << 20

// Destination is a destination that runs as a connector process.
type Destination struct {
	Specification Specification
	// Open reads a configuration, without asking the destination for anything yet. An error of kind fault.Invalid is the
	// user's to mend.
	Open func(config json.RawMessage, e Environment) (*Target, error)
	// Now tells the time of messages; nil means time.Now.
	Now func() time.Time
}

// Target is a destination that was opened with a configuration.
type Target struct {
	// Check stores, reads and removes as little as proves that the destination can be written.
	Check func(ctx context.Context) error
	// Begin prepares to write the streams. start is the time of the run, one for all that is written in it.
	Begin func(ctx context.Context, streams []WrittenStream, start time.Time) (Writer, error)
}

// WrittenStream is a stream of the catalog that a write is given.
type WrittenStream struct {
	Descriptor
	Generation int64
	// Minimum is the lowest generation that stays when this one is complete: Generation, or 0 to keep all.
	Minimum int64
	SyncID  int64
}

// Writer stores records. It is used by one goroutine; streams are numbered as they were given to Begin.
type Writer interface {
	// Write takes a record, whose spans it does not keep. stored tells that Stored has grown, of any stream.
	Write(ctx context.Context, stream int, r Record) (stored bool, err error)
	// Tick stores what has waited for long enough.
	Tick(ctx context.Context) (stored bool, err error)
	// Flush stores all that is left.
	Flush(ctx context.Context) error
	// Stored is how many records of the stream are durable and visible, in the order in which they were written.
	Stored(stream int) int64
	// Supersede removes what the stream's generation takes the place of. It is called once the stream is complete and
	// all of it is stored.
	Supersede(ctx context.Context, stream int) error
	// Close lets go of what is not stored.
	Close()
}

// Run runs a command (spec, check, write) and reports whether the process should end with 0. in holds the messages of a
// write. Whatever went wrong is told in messages on out; the error is for what could not be told there.
func (d *Destination) Run(ctx context.Context, name string, files Files, debug bool, in io.Reader, out io.Writer) (ok bool, err error) {
	now := d.Now
	if now == nil {
		now = time.Now
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e := newEmitter(out, now, cancel)
	run := &writing{destination: d, out: e, now: now, files: files}
	run.environment = Environment{Log: newLogger(e, debug), Reconfigured: func(json.RawMessage) {}, Throttled: func(time.Time) {}}
	switch name {
	case "spec":
		e.emit(message{Type: "SPEC", Spec: &d.Specification})
		ok = true
	case "check":
		ok = run.check(ctx)
	case "write":
		if err := run.write(ctx, in); err != nil {
			e.failed("", err)
		} else {
			ok = true
		}
	default:
		return false, fault.Errorf(fault.Invalid, "no command %q: there are spec, check and write", name)
	}
	return ok && e.Err() == nil, e.Err()
}

// writing is one command of a destination under way.
type writing struct {
	destination *Destination
	environment Environment
	out         *Emitter
	now         func() time.Time
	files       Files

	writer  Writer
	streams []*writtenStream
	of      map[Descriptor]*writtenStream

	pending      []pendingState // in the order in which they came
	pendingBytes int
	total        int64 // records since the last state that is not of one stream
	junk         int   // lines that were no messages
}

// writtenStream is a stream that is being written.
type writtenStream struct {
	WrittenStream
	number int
	taken  int64  // records
	since  int64  // records since the last state of the stream
	end    string // StatusComplete or StatusIncomplete, once it was told
}

// pendingState is a state whose records are not all stored yet.
type pendingState struct {
	line   []byte  // what goes back
	stream int     // -1: of all of them
	upTo   []int64 // how many records of the stream, or of each of them, came before it
}

func (w *writing) open() (*Target, error) {
	config, err := readConfig(w.files.Config)
	if err != nil {
		return nil, &unreadable{err}
	}
	return w.destination.Open(config, w.environment)
}

// check tells whether the configuration works, as that of a source does.
func (w *writing) check(ctx context.Context) bool {
	target, err := w.open()
	if _, no := err.(*unreadable); no { //nolint:errorlint // made here, and never wrapped
		w.out.failed("", err)
		return false
	}
	if err == nil {
		err = target.Check(ctx)
	}
	return w.out.checked(ctx, err)
}

// write takes the messages of a run. Each state goes back once the records before it are stored; when the input ends
// well, what older generations left of the complete streams is removed. The error is for the platform to know.
func (w *writing) write(ctx context.Context, in io.Reader) error {
	streams, err := readWrittenCatalog(w.files.Catalog)
	if err != nil {
		return err
	}
	target, err := w.open()
	if err != nil {
		return err
	}
	if w.writer, err = target.Begin(ctx, streams, w.now()); err != nil {
		return err
	}
	defer w.writer.Close()
	w.of = map[Descriptor]*writtenStream{}
	for i, s := range streams {
		st := &writtenStream{WrittenStream: s, number: i}
		w.streams, w.of[s.Descriptor] = append(w.streams, st), st
	}
	if err := w.take(ctx, in); err != nil {
		return err
	}
	return w.end(ctx)
}

// take reads the input to its end.
func (w *writing) take(ctx context.Context, in io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lines, next := make(chan []byte), make(chan struct{})
	var readErr error
	go func() { // it may outlive this function, up to the next line: a read of standard input cannot be broken off
		defer close(lines)
		from := NewLines(in)
		for {
			line, err := from.Next()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					readErr = fmt.Errorf("read the input: %w", err)
				}
				return
			}
			select {
			case lines <- line:
			case <-ctx.Done():
				return
			}
			select {
			case <-next: // the line was lent until now
			case <-ctx.Done():
				return
			}
		}
	}()
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	for n := int64(1); ; {
		select {
		case line, more := <-lines:
			if !more {
				if ctx.Err() != nil {
					return stopped(ctx)
				}
				return readErr
			}
			err := w.line(ctx, line)
			if err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
			n++
			next <- struct{}{}
		case <-tick.C:
			stored, err := w.writer.Tick(ctx)
			if stored {
				w.release()
			}
			if err != nil {
				return err
			}
		case <-ctx.Done():
			return stopped(ctx)
		}
	}
}

func stopped(ctx context.Context) error {
	return fault.Errorf(fault.Unavailable, "stopped before the input ended: %w", context.Cause(ctx)).
		WithHint("Nothing is lost: what was not stored comes again, from the last state on.")
}

// line takes one line of the input.
func (w *writing) line(ctx context.Context, line []byte) error {
	m, ok := ParseMessage(line)
	if !ok {
		return w.noMessage(line)
	}
	switch m.Type {
	case "RECORD":
		return w.record(ctx, m)
	case "STATE":
		return w.state(ctx, m)
	}
	d, status, ok := m.StreamStatus()
	if !ok || status != StatusComplete && status != StatusIncomplete {
		return nil
	}
	st, err := w.stream(d)
	if err == nil {
		st.end = status
	}
	return err
}

// noMessage passes over text, as everybody does who reads the protocol. What looks like a message and is cut off or
// broken is none of that: a record could be lost with it.
func (w *writing) noMessage(line []byte) error {
	text := strings.TrimSpace(string(line[:min(len(line), 200)]))
	if strings.HasPrefix(text, "{") && !json.Valid(line) {
		return fault.Errorf(fault.Internal, "the line is broken JSON: %.60q", text)
	}
	const told = 20
	if w.junk++; text != "" && w.junk <= told {
		w.environment.Log.Warn("a line of the input is no message", "line", text)
	}
	return nil
}

func (w *writing) stream(d Descriptor) (*writtenStream, error) {
	st := w.of[d]
	if st == nil {
		return nil, fault.Errorf(fault.Internal, "the stream %s is not in the catalog", d)
	}
	return st, nil
}

func (w *writing) record(ctx context.Context, m Message) error {
	r, err := m.Record()
	if err != nil {
		return err
	}
	st, err := w.stream(r.Stream)
	if err != nil {
		return err
	}
	if st.end != "" {
		return fault.Errorf(fault.Internal, "a record of the stream %s behind its status %s", r.Stream, st.end)
	}
	st.taken++
	st.since++
	w.total++
	stored, err := w.writer.Write(ctx, st.number, r)
	if stored {
		w.release()
	}
	if err != nil {
		return fmt.Errorf("stream %s: %w", r.Stream, err)
	}
	return nil
}

// state keeps a state until the records before it are stored: of its stream, or of all streams when it is of all.
func (w *writing) state(ctx context.Context, m Message) error {
	s, err := m.State()
	if err != nil {
		return err
	}
	p := pendingState{stream: -1}
	if s.Type == StreamType {
		st, err := w.stream(s.Stream)
		if err != nil {
			return err
		}
		p.stream, p.upTo = st.number, []int64{st.taken}
		p.line = m.WithDestinationStats(st.since)
		st.since = 0
	} else {
		for _, st := range w.streams {
			p.upTo = append(p.upTo, st.taken)
		}
		p.line = m.WithDestinationStats(w.total)
		w.total = 0
	}
	w.pending = append(w.pending, p)
	w.pendingBytes += len(p.line)
	if w.pendingBytes > maxPendingBytes {
		if err := w.writer.Flush(ctx); err != nil {
			return err
		}
	}
	if w.covers(p) {
		w.release()
	}
	return nil
}

// release gives back the states whose records are stored. Those of one stream keep their order, and one that is of all
// streams keeps its place among all.
func (w *writing) release() {
	held := map[int]bool{}
	kept := w.pending[:0]
	for _, p := range w.pending {
		if held[-1] || held[p.stream] || p.stream < 0 && len(held) > 0 || !w.covers(p) {
			held[p.stream] = true
			kept = append(kept, p)
			continue
		}
		w.out.back(p.line)
		w.pendingBytes -= len(p.line)
	}
	clear(w.pending[len(kept):])
	w.pending = kept
}

// covers reports whether every record before a state is stored.
func (w *writing) covers(p pendingState) bool {
	if p.stream >= 0 {
		return w.writer.Stored(p.stream) >= p.upTo[0]
	}
	for i, n := range p.upTo {
		if w.writer.Stored(i) < n {
			return false
		}
	}
	return true
}

// end stores what is left when the input has ended, and removes what complete streams take the place of. A stream of
// which nobody said how it ended makes the run fail: its source may have been killed.
func (w *writing) end(ctx context.Context) error {
	if err := w.writer.Flush(ctx); err != nil {
		return err
	}
	w.release()
	var open []string
	for _, st := range w.streams {
		if st.end == "" {
			open = append(open, st.Descriptor.String())
		}
	}
	if len(open) > 0 {
		return fault.Errorf(fault.Unavailable, "the input ended, but these streams did not receive a terminal status: %s", strings.Join(open, ", ")).
			WithHint("What came is stored, and nothing was deleted. The platform has to send STREAM_STATUS COMPLETE or INCOMPLETE for every stream of the catalog.")
	}
	for i, st := range w.streams {
		if st.end != StatusComplete {
			w.environment.Log.Warn("the stream is not complete: older generations stay", "stream", st.Descriptor.String())
			continue
		}
		if err := w.writer.Supersede(ctx, i); err != nil {
			return fmt.Errorf("stream %s: %w", st.Descriptor, err)
		}
	}
	return nil
}
