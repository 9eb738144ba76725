package job

import (
	"context"
	"database/sql"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
)

type syncWorker struct {
	river.WorkerDefaults[SyncArgs]
	handle func(ctx context.Context, syncID int64, until time.Time) (time.Duration, bool, error)
}

// Timeout is far above a quantum: a source may need long for its first page, and stopping it there would begin it anew.
func (w *syncWorker) Timeout(*river.Job[SyncArgs]) time.Duration { return 30 * time.Minute }

// Work runs one quantum. Snoozing keeps the same row: still unique, cancellable and visible.
func (w *syncWorker) Work(ctx context.Context, job *river.Job[SyncArgs]) error {
	wait, done, err := w.handle(ctx, job.Args.SyncID, time.Now().Add(quantum))
	if err != nil {
		return err
	}
	if !done {
		return river.JobSnooze(wait)
	}
	return nil
}

type feedWorker struct {
	river.WorkerDefaults[FeedArgs]
	handle func(ctx context.Context, connectionID int64, until time.Time) (time.Duration, error)
}

// Timeout is far above a quantum: one step may wait out several windows of a rate limit.
func (w *feedWorker) Timeout(*river.Job[FeedArgs]) time.Duration { return 30 * time.Minute }

// Work follows for one quantum.
func (w *feedWorker) Work(ctx context.Context, job *river.Job[FeedArgs]) error {
	wait, err := w.handle(ctx, job.Args.ConnectionID, time.Now().Add(quantum))
	if err != nil {
		return err
	}
	return river.JobSnooze(wait)
}

// completeTx marks the job as done in tx. The client in ctx knows its driver.
func completeTx[T river.JobArgs](ctx context.Context, tx *sql.Tx, job *river.Job[T]) error {
	_, err := river.JobCompleteTx[riverdriver.Driver[*sql.Tx]](ctx, tx, job)
	return err
}

type ingestWorker struct {
	river.WorkerDefaults[IngestArgs]
	handle func(ctx context.Context, args IngestArgs, until time.Time, complete Complete) (bool, error)
}

func (w *ingestWorker) Work(ctx context.Context, job *river.Job[IngestArgs]) error {
	complete := func(ctx context.Context, tx *sql.Tx) error {
		return completeTx(ctx, tx, job)
	}
	done, err := w.handle(ctx, job.Args, time.Now().Add(quantum), complete)
	if err != nil {
		return err
	}
	if !done {
		return river.JobSnooze(0)
	}
	return nil
}

type tickWorker struct {
	river.WorkerDefaults[TickArgs]
	handle func(ctx context.Context, connectionID int64, at time.Time, complete Complete) error
}

func (w *tickWorker) Work(ctx context.Context, job *river.Job[TickArgs]) error {
	return w.handle(ctx, job.Args.ConnectionID, time.Unix(job.Args.At, 0), func(ctx context.Context, tx *sql.Tx) error {
		return completeTx(ctx, tx, job)
	})
}
