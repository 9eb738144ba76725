package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"longshore/internal/fault"
	"longshore/internal/tally"
)

// maxBatchBytes closes a batch (raw record bytes): one object of it compresses to some 10 MB.
const maxBatchBytes = 64 << 20

// maxGaps is how many gaps a stream's record names.
const maxGaps = 50

// Store keeps runs. Every method is one transaction.
type Store interface {
	Run(ctx context.Context, id int64) (Run, error)
	// SaveCommit records a durable object, the stream's counters and state, and queues the object for ingest. A commit
	// with End also sets the stream's status to Ended: a run taken up there asks the source for nothing more.
	SaveCommit(ctx context.Context, part Part, c Commit) error
	// SaveStream sets the stream's status, error and times.
	SaveStream(ctx context.Context, runID int64, s StreamRun) error
	// Commits lists what SaveCommit recorded for a stream, in order.
	Commits(ctx context.Context, runID int64, stream string) ([]Commit, error)
	FinishRun(ctx context.Context, runID int64, status Status, message string) error
}

// Sync moves the records of one run. The zero Progress is allowed.
type Sync struct {
	Source      Source
	Destination Destination
	Store       Store
	Now         func() time.Time
	Progress    func(stream string, pages, rows int64) // told after each page, from several goroutines; may be nil
	Parallel    int                                    // streams read at one time; 0 means 1
	// Again tells that another attempt may follow one in which the source did not answer for a stream: such a stream is
	// left where it is, and Work returns an error once the others have ended. Without, the stream ends there.
	Again func(Run) bool
	// Log is told what people want to know of a run; may be nil.
	Log func(ctx context.Context, runID int64, line LogLine) error
	// Baseline returns how many records the newest full reads of a stream before a run brought, the newest first; may be nil.
	Baseline func(ctx context.Context, run Run, stream string) ([]int64, error)
}

// silent is the error of a source that does not answer for a stream, while others are read.
type silent struct{ error }

func (s silent) Unwrap() error { return s.error }

// Work goes on with a run until it is finished (done) or until has passed. What is durable is never read again; an
// error leaves the run as it is, to be taken up by the next call.
func (s *Sync) Work(ctx context.Context, runID int64, until time.Time) (done bool, err error) {
	run, err := s.Store.Run(ctx, runID)
	if err != nil {
		return false, err
	}
	if run.Status != Running {
		return true, nil
	}
	if done, err := s.streams(ctx, run, until); err != nil || !done {
		return false, err
	}
	if run, err = s.Store.Run(ctx, runID); err != nil {
		return false, err
	}
	status, message := sumUp(run.Streams)
	return true, s.Store.FinishRun(ctx, runID, status, message)
}

// streams works on the streams that are not finished, Parallel of them at a time and begun in their order. An error in
// one lets the others end with what they have.
func (s *Sync) streams(ctx context.Context, run Run, until time.Time) (done bool, err error) {
	var wait sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	var broken atomic.Bool
	left, stop := false, false
	late := func() bool { return broken.Load() || s.Now().After(until) }
	slots := make(chan struct{}, max(1, s.Parallel))
	before := make(chan struct{})
	close(before)
	for i, st := range run.Streams {
		if st.Status != Pending && st.Status != Running && st.Status != Ended {
			continue
		}
		slots <- struct{}{}
		if mu.Lock(); stop || i > 0 && ctx.Err() != nil {
			left = true
			mu.Unlock()
			<-slots
			break
		}
		mu.Unlock()
		turn, ended := before, make(chan struct{})
		before = ended
		wait.Go(func() {
			defer func() { close(ended); <-slots }()
			done, err := s.stream(ctx, run, st, turnOf{turn, until, late})
			mu.Lock()
			defer mu.Unlock()
			left = left || !done
			var s silent
			passed := errors.As(err, &s)
			stop = stop || !done && !passed
			if err != nil {
				if !passed {
					broken.Store(true)
				}
				errs = append(errs, fmt.Errorf("sync %d, stream %s: %w", run.ID, st.Stream, err))
			}
		})
	}
	wait.Wait()
	return !left, errors.Join(errs...)
}

// turnOf is when a stream may end, and when it must.
type turnOf struct {
	before <-chan struct{} // closed once the stream before it has ended
	until  time.Time
	late   func() bool
}

// wait holds a stream that is read until the one before it has ended, so that what little streams bring reaches the
// lake in the order of the streams, as far as that costs nothing: what others point at comes first then.
func (t turnOf) wait(ctx context.Context, now time.Time) {
	timer := time.NewTimer(t.until.Sub(now))
	defer timer.Stop()
	select {
	case <-t.before:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// sumUp is the run's status: failed when no stream could be read, partial when any has something missing.
func sumUp(streams []StreamRun) (Status, string) {
	status, message, failed := Succeeded, "", 0
	for _, st := range streams {
		if st.Status == Complete {
			continue
		}
		status = Partial
		if st.Status == Failed {
			failed++
		}
		if message == "" {
			message = st.Stream + ": " + st.Error
		}
	}
	if failed == len(streams) && failed > 0 {
		status = Failed
	}
	return status, message
}

// stream reads one stream from where it stands. A stream that the source refuses ends failed or partial and lets the
// next one start; an error of the lake or the database ends the call.
func (s *Sync) stream(ctx context.Context, run Run, st StreamRun, turn turnOf) (done bool, err error) {
	w := &streamWriter{sync: s, run: run, st: st}
	defer w.discard()
	defer func() {
		var loss *lossError
		if errors.As(err, &loss) {
			w.forget() // it stands for what did not come as it was sent
			done, err = true, w.refused(ctx, loss)
		}
	}()
	if err := w.begin(ctx); err != nil {
		return false, err
	}
	if w.st.Status == Ended || w.st.Mode == Clear {
		return true, w.finish(ctx, Complete, "")
	}
	if !w.next.End {
		if done, err := w.read(ctx, turn); err != nil || !done {
			return false, err
		}
	}
	if w.st.Status != Running {
		return true, nil // refused, and finished
	}
	turn.wait(ctx, s.Now())
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	return true, w.finish(ctx, Complete, "")
}

// read takes the stream's pages until the last one. done is false when it has to go on another time.
func (w *streamWriter) read(ctx context.Context, turn turnOf) (done bool, err error) {
	for page, readErr := range w.sync.Source.Read(ctx, w.st.Stream, w.state()) {
		if readErr != nil {
			if ctx.Err() != nil {
				return false, ctx.Err()
			}
			err := w.refused(ctx, readErr)
			return err == nil, err
		}
		if err := w.add(page); err != nil {
			return false, err
		}
		late := turn.late()
		if late || w.batch.RawBytes() >= maxBatchBytes {
			if err := w.flush(ctx); err != nil {
				return false, err
			}
		}
		if late {
			return false, nil
		}
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	w.next.End = true
	if w.batch != nil {
		return true, w.batch.Checkpoint(w.next)
	}
	return true, nil
}

// streamWriter gathers the pages of one stream into batches.
type streamWriter struct {
	sync  *Sync
	run   Run
	st    StreamRun
	batch Batch
	next  Commit // what the open batch will stand for
}

// begin adopts objects that an interrupted run made durable but could not record, and marks the stream as running.
func (w *streamWriter) begin(ctx context.Context) error {
	for {
		c, err := w.sync.Destination.Existing(ctx, w.part())
		if fault.Is(err, fault.NotFound) {
			break
		}
		if err != nil {
			return err
		}
		if err := w.save(ctx, c); err != nil {
			return err
		}
	}
	if w.st.StartedAt.IsZero() {
		w.st.StartedAt = w.sync.Now()
	}
	if w.st.Status == Ended {
		return nil
	}
	w.st.Status = Running
	if err := w.sync.Store.SaveStream(ctx, w.run.ID, w.st); err != nil {
		return err
	}
	b, c, err := w.sync.Destination.Resume(w.part())
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	w.batch, w.next = b, c
	return err
}

// state is how far the stream is read: durably, or in the batch that was taken up.
func (w *streamWriter) state() json.RawMessage {
	if w.batch != nil {
		return w.next.State
	}
	return w.st.State
}

func (w *streamWriter) part() Part {
	return Part{
		SyncID: w.run.ID, Connection: w.run.Connection.Identity(), Namespace: w.run.Connection.Namespace(), Stream: w.st.Stream,
		Prefix:     w.run.Connection.Prefix,
		Generation: w.st.Generation, Start: w.run.StartedAt, Number: w.st.NextPart, Before: w.st.Pages,
	}
}

func (w *streamWriter) add(page Page) error {
	if w.batch == nil {
		b, err := w.sync.Destination.Open(w.part())
		if err != nil {
			return err
		}
		w.batch, w.next = b, Commit{FirstCursor: page.Cursor, Statuses: map[int]int{}}
	}
	sum := tally.Of(page.Records)
	if page.Sum != nil {
		if differ := tally.Differ(*page.Sum, sum); differ != "" {
			return &lossError{HopSource, "page " + page.Cursor + ": " + differ}
		}
	}
	w.next.Sum.AddSum(sum)
	for _, record := range page.Records {
		if err := w.batch.Append(record, page.EmittedAt); err != nil {
			return err
		}
	}
	w.next.APIRows += int64(len(page.Records))
	w.next.Pages++
	w.next.LastCursor = page.Cursor
	w.next.State = append(w.next.State[:0], page.State...)
	w.next.End = page.Last // stopped here, the run must not read on: that would be an incremental read
	for status, n := range page.Statuses {
		w.next.Statuses[status] += n
	}
	w.next.Gaps = addGaps(w.next.Gaps, page.Gaps)
	if w.sync.Progress != nil {
		w.sync.Progress(w.st.Stream, w.st.Pages+w.next.Pages, w.st.APIRows+w.next.APIRows)
	}
	return w.batch.Checkpoint(w.next)
}

// flush makes the open batch durable and only then records how far the stream is read: a crash in between repeats
// nothing, because the object itself tells the next run.
func (w *streamWriter) flush(ctx context.Context) error {
	if w.batch == nil {
		return nil
	}
	c := w.next
	c.LakeRows = w.batch.Rows()
	if s, ok := w.batch.(summing); ok {
		if differ := tally.Differ(c.Sum, s.Sum()); differ != "" {
			return &lossError{HopLake, differ}
		}
	}
	if c.LakeRows > 0 { // a stream without records leaves no object
		var err error
		if c, err = w.batch.Commit(ctx, c); err != nil {
			return err
		}
	}
	if err := w.save(ctx, c); err != nil {
		return err
	}
	w.batch.Forget()
	w.batch = nil
	return nil
}

// forget drops the open batch and what is kept of it.
func (w *streamWriter) forget() {
	if w.batch != nil {
		w.batch.Forget()
		w.batch = nil
	}
}

func (w *streamWriter) discard() {
	if w.batch != nil {
		w.batch.Discard()
		w.batch = nil
	}
}

func (w *streamWriter) save(ctx context.Context, c Commit) error {
	c.Gaps = addGaps(nil, c.Gaps[:min(len(c.Gaps), max(0, maxGaps-len(w.st.Gaps)))])
	if err := w.sync.Store.SaveCommit(ctx, w.part(), c); err != nil {
		return err
	}
	st := &w.st
	if c.LakeRows > 0 {
		st.NextPart++
	}
	st.State, st.Pages, st.APIRows, st.LakeRows = c.State, st.Pages+c.Pages, st.APIRows+c.APIRows, st.LakeRows+c.LakeRows
	st.LakeBytes += c.Bytes
	if st.FirstCursor == "" {
		st.FirstCursor = c.FirstCursor
	}
	if c.LastCursor != "" {
		st.LastCursor = c.LastCursor
	}
	if st.Statuses == nil {
		st.Statuses = map[int]int{}
	}
	for status, n := range c.Statuses {
		st.Statuses[status] += n
	}
	st.Gaps = addGaps(st.Gaps, c.Gaps)
	if c.End {
		st.Status = Ended
	}
	return nil
}

// addGaps keeps the first maxGaps: one is enough to make a stream partial, and a thousand tell no more than a few.
func addGaps(gaps, more []string) []string {
	return append(gaps, more[:min(len(more), max(0, maxGaps-len(gaps)))]...)
}

// refused ends a stream that the source would not go on with: what was read is kept, and the run tells of the rest.
func (w *streamWriter) refused(ctx context.Context, cause error) error {
	if err := w.flush(ctx); err != nil {
		return errors.Join(err, cause)
	}
	if w.sync.Again != nil && fault.Is(cause, fault.Unavailable) && w.sync.Again(w.run) {
		return errors.Join(silent{cause}, w.log(ctx, LevelWarn, "broke off: "+message(cause)))
	}
	status := Failed
	if w.st.Pages > 0 {
		status = Partial
	}
	return w.finish(ctx, status, message(cause))
}

// message is an error with its hint, for people.
func message(err error) string {
	if hint := fault.HintOf(err); hint != "" {
		return err.Error() + " (" + hint + ")"
	}
	return err.Error()
}

// finish flushes the rest, writes the manifest and sets the stream's end. A stream with gaps is partial.
func (w *streamWriter) finish(ctx context.Context, status Status, message string) error {
	w.next.End = status == Complete
	if err := w.flush(ctx); err != nil {
		return err
	}
	if status == Complete && len(w.st.Gaps) > 0 {
		status, message = Partial, w.st.Gaps[0]
	}
	if status == Complete {
		suspicious, err := w.suspicious(ctx)
		if err != nil {
			return err
		}
		if suspicious != "" {
			status, message = Partial, suspicious
		}
	}
	w.st.Status, w.st.Error, w.st.FinishedAt = status, message, w.sync.Now()
	parts, err := w.sync.Store.Commits(ctx, w.run.ID, w.st.Stream)
	if err != nil {
		return err
	}
	if err := w.sync.Destination.WriteManifest(ctx, w.run, w.st, parts); err != nil {
		return err
	}
	if err := w.sync.Store.SaveStream(ctx, w.run.ID, w.st); err != nil {
		return err
	}
	return w.told(ctx)
}

// GiveUp ends the streams of a run that were left for another attempt, when none follows.
func (s *Sync) GiveUp(ctx context.Context, runID int64, cause error) error {
	run, err := s.Store.Run(ctx, runID)
	if err != nil {
		return err
	}
	var errs []error
	for _, st := range run.Streams {
		if st.Status != Pending && st.Status != Running {
			continue
		}
		w := &streamWriter{sync: s, run: run, st: st}
		status := Failed
		if st.Pages > 0 {
			status = Partial
		}
		errs = append(errs, w.finish(ctx, status, message(cause)))
	}
	return errors.Join(errs...)
}
