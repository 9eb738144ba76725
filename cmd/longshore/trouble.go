package main

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"longshore/internal/fault"
	"longshore/internal/store"
)

// maxFailuresInARow is how many jobs may fail, one after another and tried again in between, before a waiting command
// says that it is hopeless.
const maxFailuresInARow = 5

// maxStall is how long after a failure nothing may succeed.
const maxStall = 45 * time.Second

// trouble remembers how jobs fail, for a command that waits for them.
type trouble struct {
	mu    sync.Mutex
	last  error
	inRow int
	since time.Time // of the first failure in the row
}

// note takes a job's end and returns its error.
func (t *trouble) note(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.last, t.inRow = nil, 0
		return nil
	}
	if t.inRow == 0 {
		t.since = time.Now()
	}
	t.last = err
	t.inRow++
	return err
}

// hopeless returns the error that waiting longer would not mend, or nil.
func (t *trouble) hopeless() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil {
		return nil
	}
	var f *fault.Error
	full := errors.As(t.last, &f) && f.Code == store.DiskFull || errors.Is(t.last, syscall.ENOSPC)
	if full || t.inRow >= maxFailuresInARow || time.Since(t.since) > maxStall || fault.Is(t.last, fault.Denied) || fault.Is(t.last, fault.Invalid) {
		return t.last
	}
	return nil
}

// maxOutage is how long a waiting command waits for a database that does not answer.
const maxOutage = 2 * time.Minute

// outage is a time in which the database did not answer a waiting command.
type outage struct {
	since time.Time // zero while it answers
	last  error
}

// note takes the end of a question to the database. It returns the error that waiting would not mend; first tells that an
// outage begins.
func (o *outage) note(now time.Time, err error) (first bool, _ error) {
	if err == nil {
		*o = outage{}
		return false, nil
	}
	if !fault.Is(err, fault.Unavailable) {
		return false, err
	}
	if first = o.since.IsZero(); first {
		o.since = now
	}
	o.last = err
	if now.Sub(o.since) > maxOutage {
		return false, err
	}
	return first, nil
}
