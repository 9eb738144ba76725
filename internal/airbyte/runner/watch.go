package runner

import (
	"context"
	"sync"
	"time"

	"longshore/internal/fault"
)

// maxWait is how long a source may say at once that it waits for a rate limit.
const maxWait = 24 * time.Hour

// watch tells when a run waits for somebody too long.
type watch struct {
	clock   Clock
	mu      sync.Mutex
	since   time.Time
	limit   time.Duration
	waiting string // for what, for the message
	role    Role
	armed   time.Time     // until when run sleeps
	sooner  chan struct{} // wakes it when the limit ends before that
}

func newWatch(clock Clock) *watch { return &watch{clock: clock, sooner: make(chan struct{}, 1)} }

// waitFor begins to wait: for the source's next sign of life, for the destination to take a line, or for its end.
func (w *watch) waitFor(role Role, what string, limit time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since, w.role, w.waiting, w.limit = w.clock.Now(), role, what, limit
	if w.since.Add(limit).Before(w.armed) {
		select {
		case w.sooner <- struct{}{}:
		default: // it is being woken
		}
	}
}

// throttled lets the source be silent until its rate limit is over.
func (w *watch) throttled(until time.Time) {
	now := w.clock.Now()
	if latest := now.Add(maxWait); until.After(latest) {
		until = latest
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.role != Source {
		return
	}
	w.since = now
	if until.After(now) {
		w.since = until
	}
}

// run returns once somebody was waited for too long, or nil with ctx.
func (w *watch) run(ctx context.Context) (Role, error) {
	for {
		w.mu.Lock()
		w.armed = w.since.Add(w.limit)
		left := w.armed.Sub(w.clock.Now())
		role, what, limit := w.role, w.waiting, w.limit
		w.mu.Unlock()
		if left <= 0 {
			return role, fault.Errorf(fault.Unavailable, "the %s %s for %s", role, what, limit)
		}
		select {
		case <-ctx.Done():
			return role, nil
		case <-w.sooner:
		case <-w.clock.After(left):
		}
	}
}
