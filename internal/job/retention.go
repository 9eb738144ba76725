package job

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

const queueRetention = "retention" // its own: a process without the handler must not fetch it

// RetentionArgs is the one job that lets go of what blueprints keep no longer.
type RetentionArgs struct{}

// Kind is the job's name in the queue.
func (RetentionArgs) Kind() string { return "retention" }

// InsertOpts makes the job the only one while it is under way.
func (RetentionArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueRetention, MaxAttempts: 1 << 14, UniqueOpts: river.UniqueOpts{ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
}

// EnsureRetention enqueues the job, unless it is there.
func (q *Queue) EnsureRetention(ctx context.Context) error {
	if _, err := q.insert.Insert(ctx, RetentionArgs{}, nil); err != nil {
		return fmt.Errorf("enqueue the retention: %w", err)
	}
	return nil
}

type retentionWorker struct {
	river.WorkerDefaults[RetentionArgs]
	handle func(ctx context.Context, until time.Time) (time.Duration, error)
}

// Work lets go for one quantum, or until there is nothing old for a while.
func (w *retentionWorker) Work(ctx context.Context, _ *river.Job[RetentionArgs]) error {
	wait, err := w.handle(ctx, time.Now().Add(quantum))
	if err != nil {
		return err
	}
	return river.JobSnooze(wait)
}
