package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
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

// note takes a job's end and returns its error. That the database is away is no failure of the job: outage tells how long
// that is borne.
func (t *trouble) note(ctx context.Context, err error) error {
	if ctx.Err() != nil || store.Away(err) {
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

// maxOutage is how long a command that is to end waits for a database that does not answer. One that stays waits for as
// long as it takes.
const maxOutage = 2 * time.Minute

// outage is a time in which the database did not answer.
type outage struct {
	longest time.Duration // that is waited; 0: as long as it takes
	log     *slog.Logger
	since   time.Time // zero while it answers
}

// note takes the end of a question to the database, and tells of an outage's beginning and end. It returns the error that
// waiting would not mend.
func (o *outage) note(now time.Time, err error) error {
	if err == nil {
		if !o.since.IsZero() {
			o.log.Warn("the database answers again", "away", now.Sub(o.since).Round(time.Second))
		}
		o.since = time.Time{}
		return nil
	}
	if !fault.Is(err, fault.Unavailable) {
		return err
	}
	if o.since.IsZero() {
		o.since = now
		if o.longest > 0 {
			o.log.Warn("the database does not answer, and is waited for", "error", err, "longest", o.longest)
		} else {
			o.log.Warn("the database does not answer, and is waited for", "error", err)
		}
	}
	if o.longest > 0 && now.Sub(o.since) > o.longest {
		return fmt.Errorf("waited %s for the database: %w", o.longest, err)
	}
	return nil
}

// awayAgain is how long after one report of a database that is away the next is let through.
const awayAgain = time.Minute

// calm is a log in which a database that is away is told of once in a while, and not by everything that asks it.
type calm struct {
	slog.Handler
	told *atomic.Int64 // Unix seconds of the last report
}

// Handle passes a record on, unless it tells again that the database is away.
func (c calm) Handle(ctx context.Context, r slog.Record) error {
	away := false
	r.Attrs(func(a slog.Attr) bool {
		err, _ := a.Value.Any().(error)
		away = away || store.Away(err)
		return !away
	})
	if away {
		last := c.told.Load()
		if r.Time.Unix() < last+int64(awayAgain.Seconds()) && r.Time.Unix() >= last || !c.told.CompareAndSwap(last, r.Time.Unix()) {
			return nil
		}
	}
	return c.Handler.Handle(ctx, r)
}

// WithAttrs and WithGroup keep the log calm.
func (c calm) WithAttrs(attrs []slog.Attr) slog.Handler {
	return calm{c.Handler.WithAttrs(attrs), c.told}
}

// WithGroup is like WithAttrs.
func (c calm) WithGroup(name string) slog.Handler { return calm{c.Handler.WithGroup(name), c.told} }
