package jq

import (
	"context"
	"errors"
	"runtime/metrics"
	"time"
)

// stepsBetweenLooks is how many steps of the interpreter pass between two looks at the clock.
const stepsBetweenLooks = 32

// stepClock is the context of one run. The interpreter asks for Done before every step, so a run needs neither a
// timer nor a goroutine: every so many steps Done looks at the time and at the caller's context.
type stepClock struct {
	context.Context // the caller's, for Value
	deadline        time.Time
	steps           int
	looked          time.Time
	floor           uint64 // the heap at the first slow look; 0: there was none
	err             error
}

// A look that comes late means that the steps before it were long ones, which may have made much: only then the heap is measured.
// It is that of the whole process, so that the bound is far above what a run may need.
const (
	slowLook      = 200 * time.Microsecond
	maxGrownBytes = 256 << 20
)

var errMemory = errors.New("it took more than 256 MiB of memory")

func (c *stepClock) start(ctx context.Context, limit time.Duration) {
	now := time.Now()
	*c = stepClock{Context: ctx, deadline: now.Add(limit), looked: now}
}

// Done returns a closed channel once the time is up, and until then one that never is.
func (c *stepClock) Done() <-chan struct{} {
	if c.steps++; c.steps%stepsBetweenLooks == 0 && c.err == nil {
		c.look()
	}
	if c.err != nil {
		return closed
	}
	return nil
}

func (c *stepClock) look() {
	now := time.Now()
	late := now.Sub(c.looked) > slowLook
	c.looked = now
	switch err := c.Context.Err(); {
	case err != nil:
		c.err = err
	case !now.Before(c.deadline):
		c.err = context.DeadlineExceeded
	case late:
		size := heapBytes()
		if c.floor == 0 {
			c.floor = size
		}
		c.floor = min(c.floor, size)
		if size-c.floor > maxGrownBytes {
			c.err = errMemory
		}
	}
}

// heapBytes is how many bytes the process's objects have, those not yet swept included.
func heapBytes() uint64 {
	sample := [1]metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample[:])
	return sample[0].Value.Uint64()
}

func (c *stepClock) Err() error { return c.err }

func (c *stepClock) Deadline() (time.Time, bool) { return c.deadline, true }

var closed = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()
