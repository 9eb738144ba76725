package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Retry says how often a run is tried, and how long it waits in between. An attempt that failed is partial if it brought
// something into the lake, else complete.
type Retry struct {
	InRow    int           // complete failures, one after the other, that end a run
	Complete int           // complete failures in all that end it
	Partial  int           // partial failures in all that end it
	First    time.Duration // wait after a complete failure; three times as long after each one that follows it
	Longest  time.Duration
}

// AirbyteRetry is how Airbyte tries.
func AirbyteRetry() Retry {
	return Retry{InRow: 5, Complete: 10, Partial: 20, First: 10 * time.Second, Longest: 30 * time.Minute}
}

// After is the wait before the attempt that follows these, all of them failed; again is false when none does.
func (r Retry) After(attempts []Attempt) (wait time.Duration, again bool) {
	inRow, complete, partial := 0, 0, 0
	for _, a := range attempts {
		if a.Rows > 0 {
			partial++
			inRow = 0
			continue
		}
		complete++
		inRow++
	}
	if inRow >= r.InRow || complete >= r.Complete || partial >= r.Partial {
		return 0, false
	}
	if inRow == 0 {
		return 0, true
	}
	wait = r.First
	for range inRow - 1 {
		wait = min(wait*3, r.Longest)
	}
	return wait, true
}

// AttemptStore keeps the attempts of runs. Every method is one transaction.
type AttemptStore interface {
	Run(ctx context.Context, id int64) (Run, error)
	// BeginAttempt begins the attempt of that number, unless it is there.
	BeginAttempt(ctx context.Context, runID int64, number int) error
	// EndAttempt ends the attempt under way, and counts what it brought.
	EndAttempt(ctx context.Context, runID int64, status Status, message string) error
	// EndRun ends a run that is under way, its attempt, and those of its streams that have not ended, in that status.
	EndRun(ctx context.Context, runID int64, status Status, message string) error
	// CancelAsked tells whether the run was asked to end.
	CancelAsked(ctx context.Context, runID int64) (bool, error)
	// Log adds a line to the run's log.
	Log(ctx context.Context, runID int64, line LogLine) error
}

// Attempts works on runs, attempt by attempt, and ends those that were cancelled.
type Attempts struct {
	Store AttemptStore
	Retry Retry
	Now   func() time.Time
	// Work goes on with the run until it has finished it (done) or until has passed. An error fails the attempt.
	Work func(ctx context.Context, runID int64, until time.Time) (done bool, err error)
	// GiveUp ends the streams that failed, when no attempt follows; may be nil.
	GiveUp func(ctx context.Context, runID int64, cause error) error
	// Away tells that an error is that of the store itself, which then cannot record an attempt; may be nil.
	Away func(err error) bool
}

// cancelLook is how often a run at work looks whether it was asked to end.
const cancelLook = 500 * time.Millisecond

var errCancelled = errors.New("the run was cancelled")

// Run works on a run for one quantum. wait is how long there is nothing to do, because an attempt has failed; with done
// the run is finished.
func (a *Attempts) Run(ctx context.Context, runID int64, until time.Time) (wait time.Duration, done bool, err error) {
	run, err := a.Store.Run(ctx, runID)
	if err != nil || run.Status != Running {
		return 0, err == nil, err
	}
	if !run.CancelAt.IsZero() {
		return 0, true, a.cancelled(ctx, run)
	}
	n := len(run.Attempts)
	if n == 0 || run.Attempts[n-1].Status != Running {
		if wait := a.left(run); wait > 0 {
			return wait, false, nil
		}
		if err := a.Store.BeginAttempt(ctx, runID, n+1); err != nil {
			return 0, false, err
		}
		if n > 0 {
			err = a.log(ctx, runID, LevelInfo, fmt.Sprintf("attempt %d begins where the one before it had come to", n+1))
		}
		if err != nil {
			return 0, false, err
		}
	}
	done, err = a.watched(ctx, runID, until)
	switch {
	case errors.Is(err, errCancelled):
		return 0, true, a.cancelled(ctx, run)
	case err == nil || ctx.Err() != nil || a.Away != nil && a.Away(err):
		return 0, done, err
	}
	return a.failed(ctx, runID, err)
}

// left is how long the run waits still after its last attempt.
func (a *Attempts) left(run Run) time.Duration {
	if len(run.Attempts) == 0 {
		return 0
	}
	wait, _ := a.Retry.After(run.Attempts)
	return run.Attempts[len(run.Attempts)-1].FinishedAt.Add(wait).Sub(a.Now())
}

// watched works, and stops when the run is cancelled.
func (a *Attempts) watched(ctx context.Context, runID int64, until time.Time) (bool, error) {
	at, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		tick := time.NewTicker(cancelLook)
		defer tick.Stop()
		for {
			select {
			case <-at.Done():
				return
			case <-tick.C:
			}
			if asked, err := a.Store.CancelAsked(at, runID); err == nil && asked {
				stop(errCancelled)
			}
		}
	}()
	done, err := a.Work(at, runID, until)
	stop(nil) // the first cause stays
	<-looked
	if !done && errors.Is(context.Cause(at), errCancelled) {
		return false, errCancelled
	}
	return done, err
}

func (a *Attempts) cancelled(ctx context.Context, run Run) error {
	now, err := a.Store.Run(ctx, run.ID)
	if err != nil {
		return err
	}
	message := "cancelled"
	if now.CancelBy != "" {
		message = "cancelled by " + now.CancelBy
	}
	return errors.Join(a.log(ctx, run.ID, LevelWarn, message), a.Store.EndRun(ctx, run.ID, Cancelled, message))
}

// failed ends an attempt, and the run with it when no other follows.
func (a *Attempts) failed(ctx context.Context, runID int64, cause error) (time.Duration, bool, error) {
	text := message(cause)
	if err := a.Store.EndAttempt(ctx, runID, Failed, text); err != nil {
		return 0, false, errors.Join(err, cause)
	}
	run, err := a.Store.Run(ctx, runID)
	if err != nil {
		return 0, false, errors.Join(err, cause)
	}
	wait, again := a.Retry.After(run.Attempts)
	if again {
		return wait, false, a.log(ctx, runID, LevelError, fmt.Sprintf("attempt %d failed; the next one follows in %s: %s", len(run.Attempts), wait, text))
	}
	if err := a.log(ctx, runID, LevelError, fmt.Sprintf("attempt %d failed, and was the last: %s", len(run.Attempts), text)); err != nil {
		return 0, false, err
	}
	if a.GiveUp != nil {
		if err := a.GiveUp(ctx, runID, cause); err != nil {
			if logged := a.log(ctx, runID, LevelError, "the streams could not be ended well: "+message(err)); logged != nil {
				return 0, false, logged
			}
		}
	}
	return 0, true, a.Store.EndRun(ctx, runID, Failed, text)
}

func (a *Attempts) log(ctx context.Context, runID int64, level, text string) error {
	return a.Store.Log(ctx, runID, LogLine{At: a.Now(), Level: level, Text: text})
}
