package jq

import (
	"context"
	"time"
)

// stepsBetweenLooks is how many steps of the interpreter pass between two looks at the clock.
const stepsBetweenLooks = 256

// stepClock is the context of one run. The interpreter asks for Done before every step, so a run needs neither a
// timer nor a goroutine: every so many steps Done looks at the time and at the caller's context.
type stepClock struct {
	context.Context // the caller's, for Value
	deadline        time.Time
	steps           int
	err             error
}

func (c *stepClock) start(ctx context.Context, limit time.Duration) {
	*c = stepClock{Context: ctx, deadline: time.Now().Add(limit)}
}

// Done returns a closed channel once the time is up, and until then one that never is.
func (c *stepClock) Done() <-chan struct{} {
	if c.steps++; c.steps%stepsBetweenLooks == 0 && c.err == nil {
		if err := c.Context.Err(); err != nil {
			c.err = err
		} else if !time.Now().Before(c.deadline) {
			c.err = context.DeadlineExceeded
		}
	}
	if c.err != nil {
		return closed
	}
	return nil
}

func (c *stepClock) Err() error { return c.err }

func (c *stepClock) Deadline() (time.Time, bool) { return c.deadline, true }

var closed = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()
