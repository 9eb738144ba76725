package main

import (
	"context"
	"sync"

	"longshore/internal/fault"
)

// maxFailuresInARow is how many jobs may fail, one after another and tried again in between, before a waiting command
// says that it is hopeless.
const maxFailuresInARow = 5

// trouble remembers how jobs fail, for a command that waits for them.
type trouble struct {
	mu    sync.Mutex
	last  error
	inRow int
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
	if t.inRow >= maxFailuresInARow || fault.Is(t.last, fault.Denied) || fault.Is(t.last, fault.Invalid) {
		return t.last
	}
	return nil
}
