package runner

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"longshore/internal/airbyte"
	"longshore/internal/fault"
)

// progressEvery is how often a run tells how far it is, and sends on what gathered for the destination.
const (
	progressEvery = time.Second
	flushEvery    = 200 * time.Millisecond
	pipeBytes     = 64 << 10
)

// maxUnknown bounds the streams that are counted by name although the job does not move them.
const maxUnknown = 1000

// run is a job under way.
type run struct {
	job     Job
	sink    Sink
	clock   Clock
	streams []*moved
	bySrc   map[airbyte.Descriptor]*moved
	ledger  *ledger
	talk    *talk
	watch   *watch

	source, destination *process
	finishing           atomic.Bool // the destination was told that all is sent

	in struct { // of the destination
		sync.Mutex
		*bufio.Writer
	}

	mu      sync.Mutex // guards what follows
	first   error      // what went wrong first, as far as the runner saw it
	counts  map[*moved]*Count
	unknown map[string]int64
	states  int64
	stated  map[*moved]bool // told a state
	whole   bool            // a global or legacy state was told
	changed bool            // something was counted since the last progress
}

// Run moves the records of a job, and returns once both processes are gone. The Outcome holds in any case. An error says
// why the attempt failed: fault.Invalid when a person must mend it, fault.Unavailable when another attempt may help.
func (r *Runner) Run(ctx context.Context, job Job, sink Sink) (Outcome, error) {
	streams, err := job.plan()
	if err != nil {
		return Outcome{}, err
	}
	dir, remove, err := r.folder()
	if err != nil {
		return Outcome{}, err
	}
	defer remove()
	states, err := newLedger(filepath.Join(dir, "states"), streams)
	if err != nil {
		return Outcome{}, err
	}
	defer states.close()
	limits, secrets := job.Destination.Command.Limits.withDefaults(), job.Destination.Secrets
	if job.Source != nil {
		limits.LogLines += job.Source.Command.Limits.withDefaults().LogLines
		secrets = slices.Concat(secrets, job.Source.Secrets)
	}
	x := &run{
		job: job, sink: sink, clock: r.clock(), streams: streams, ledger: states,
		talk: &talk{log: sink.Log, limit: limits.LogLines, mask: masker(secrets)}, watch: newWatch(r.clock()),
		bySrc: map[airbyte.Descriptor]*moved{}, counts: map[*moved]*Count{}, unknown: map[string]int64{}, stated: map[*moved]bool{},
	}
	for _, m := range streams {
		x.bySrc[m.source], x.counts[m] = m, &Count{Stream: m.source}
	}
	if err := x.start(r, dir); err != nil {
		return x.outcome(Exit{}, Exit{}, false), err
	}
	return x.work(ctx)
}

// environment is what every connector of a run gets, beside the folders of its own.
func environment(j Job) []string {
	env := []string{"USE_STREAM_CAPABLE_STATE=true"}
	if j.ID != 0 {
		env = append(env, "WORKER_JOB_ID="+strconv.FormatInt(j.ID, 10), "WORKER_ATTEMPT="+strconv.Itoa(j.Attempt), "WORKER_CONNECTION_ID="+j.ConnectionID)
	}
	return env
}

// start starts both processes, or none.
func (x *run) start(r *Runner, dir string) error {
	theirs, ours, err := catalogs(x.streams, x.job.ID)
	if err != nil {
		return err
	}
	env := environment(x.job)
	x.destination, err = r.start(dir, launch{
		command: x.job.Destination.Command, args: []string{"write"}, role: string(Destination), env: env, stdin: true,
		files: map[string][]byte{"config": x.job.Destination.Config, "catalog": ours},
	})
	if err != nil {
		return fmt.Errorf("destination: %w", err)
	}
	x.in.Writer = bufio.NewWriterSize(x.destination.stdin, pipeBytes)
	if x.job.Source == nil {
		return nil
	}
	files := map[string][]byte{"config": x.job.Source.Config, "catalog": theirs}
	if len(x.job.States) > 0 {
		files["state"] = x.job.States.file()
	}
	x.source, err = r.start(dir, launch{command: x.job.Source.Command, args: []string{"read"}, role: string(Source), env: env, files: files})
	if err != nil {
		x.destination.end()
		x.discard()
		return fmt.Errorf("source: %w", err)
	}
	return nil
}

// discard lets a destination end that has nothing to do.
func (x *run) discard() {
	_ = x.destination.stdin.Close()
	var read sync.WaitGroup
	read.Go(func() { x.talk.stderr(Destination, x.destination.stderr) })
	read.Go(func() { x.talk.stderr(Destination, x.destination.stdout) })
	read.Wait()
	x.destination.wait()
	x.destination.close()
}

// work moves the records, with all that goes on beside it.
func (x *run) work(ctx context.Context) (Outcome, error) {
	beside, done := context.WithCancel(ctx)
	defer done()
	var alongside, outputs sync.WaitGroup
	outputs.Go(func() { x.talk.stderr(Destination, x.destination.stderr) })
	outputs.Go(func() { x.listen(ctx) })
	if x.source != nil {
		outputs.Go(func() { x.talk.stderr(Source, x.source.stderr) })
		x.awaitSource()
	} else {
		x.awaitEnd()
	}
	alongside.Go(func() {
		if role, err := x.watch.run(beside); err != nil {
			x.fail(role, err)
		}
	})
	alongside.Go(func() { x.beat(beside) })
	alongside.Go(func() {
		select {
		case <-ctx.Done():
			x.end()
		case <-beside.Done():
		}
	})
	alongside.Go(func() {
		<-x.destination.exited
		if !x.finishing.Load() && x.source != nil {
			x.source.end() // nobody is left to take its records
		}
	})
	var sourceExit Exit
	if x.source != nil {
		sourceExit = x.pump(ctx)
	}
	x.finish(ctx, sourceExit)
	<-x.destination.exited
	outputs.Wait()
	destinationExit := x.destination.wait()
	done()
	alongside.Wait()
	x.destination.close()
	if x.source != nil {
		x.source.close()
	}
	err := x.verdict(ctx, sourceExit, destinationExit)
	outcome := x.outcome(sourceExit, destinationExit, err == nil)
	x.sink.Progress(outcome.Streams)
	return outcome, err
}

// fail notes what went wrong and ends who cannot go on: after a fault of the source the destination may finish what it has.
func (x *run) fail(role Role, err error) {
	x.mu.Lock()
	if x.first == nil {
		x.first = err
	}
	x.mu.Unlock()
	if role == Source && x.source != nil {
		x.source.end()
		return
	}
	x.end()
}

func (x *run) end() {
	if x.source != nil {
		x.source.end()
	}
	x.destination.end()
}

func (x *run) failed() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.first
}

// beat tells the progress and flushes what waits in the buffer, so that a slow source's records are on their way.
func (x *run) beat(ctx context.Context) {
	flush, progress := time.NewTicker(flushEvery), time.NewTicker(progressEvery)
	defer flush.Stop()
	defer progress.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-flush.C:
			if x.in.TryLock() { // when it is locked, somebody is writing
				_ = x.in.Flush() // the error stays, and the next write has it
				x.in.Unlock()
			}
		case <-progress.C:
			if counts, changed := x.progress(); changed {
				x.sink.Progress(counts)
			}
		}
	}
}

func (x *run) progress() (counts []Count, changed bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	changed, x.changed = x.changed, false
	for _, m := range x.streams {
		counts = append(counts, *x.counts[m])
	}
	return counts, changed
}

// finish says to the destination that all is sent: with the status of every stream when the source ended well, else without.
func (x *run) finish(ctx context.Context, source Exit) {
	select {
	case <-x.destination.exited:
		x.fail(Destination, &goneError{errors.New("it ended early")})
	default:
	}
	if source.OK() && x.failed() == nil && ctx.Err() == nil && x.unfinished() == nil {
		if err := x.complete(); err != nil {
			x.fail(Destination, err)
		}
	}
	x.finishing.Store(true)
	x.awaitEnd()
	x.in.Lock()
	_ = x.in.Flush() // what it could not take, it did not give back either
	_ = x.destination.stdin.Close()
	x.in.Unlock()
}

// complete sends the states that were never told, then that every stream is complete.
func (x *run) complete() error {
	for _, m := range x.streams {
		x.mu.Lock()
		silent := x.source != nil && !x.whole && !x.stated[m] && m.Mode == airbyte.FullRefresh && !m.resumable()
		x.mu.Unlock()
		if !silent {
			continue
		}
		n := x.ledger.unsaid(m)
		body := emptyState(m.destination, n)
		if err := x.ledger.send(airbyte.StreamType, m, emptyState(m.source, n), body); err != nil {
			return err
		}
		if err := x.write(append(append([]byte(`{"type":"STATE","state":`), body...), "}\n"...)); err != nil {
			return err
		}
	}
	for _, m := range x.streams {
		if err := x.write(completeStatus(m.destination, x.clock.Now().UnixMilli())); err != nil {
			return err
		}
	}
	return nil
}

// verdict says why the run failed, or nil.
func (x *run) verdict(ctx context.Context, source, destination Exit) error {
	first := x.failed()
	var gone *goneError
	switch {
	case ctx.Err() != nil:
		return fault.Errorf(fault.Unavailable, "the run was stopped: %w", context.Cause(ctx))
	case first != nil && !errors.As(first, &gone):
		return first
	case !destination.OK() && (gone != nil || source.Stopped):
		return x.talk.failed(Destination, x.destination.name, destination)
	case !source.OK() && !source.Stopped:
		return x.talk.failed(Source, x.source.name, source)
	case !destination.OK():
		return x.talk.failed(Destination, x.destination.name, destination)
	case gone != nil || source.Stopped:
		return fault.Errorf(fault.Unavailable, "the destination %s ended before it had everything", x.destination.name)
	}
	if err := x.unfinished(); err != nil {
		return err
	}
	if n, stream := x.ledger.missing(); n > 0 {
		return fault.Errorf(fault.Unavailable, "the destination %s ended well, but never gave back %d states, one of them of the stream %s", x.destination.name, n, stream).
			WithHint("What it has stored is not known. The next attempt goes on from the states that it did give back.")
	}
	return nil
}

// outcome is what the run came to.
func (x *run) outcome(source, destination Exit, ok bool) Outcome {
	counts, _ := x.progress()
	if ok {
		for i := range counts {
			counts[i].Committed = counts[i].Records
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return Outcome{
		Streams: counts, Unknown: x.unknown, SourceExit: source, DestinationExit: destination, Failures: x.talk.told(""),
		States: x.states, LinesDropped: x.talk.dropped.Load(), SourceStarted: x.source != nil, DestinationStarted: x.destination != nil,
	}
}

// warn is something that the runner itself has to say of a connector.
func (x *run) warn(role Role, format string, args ...any) {
	x.talk.say(role, slog.LevelWarn, fmt.Sprintf(format, args...))
}
