package job

import (
	"context"
	"fmt"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

const (
	queueChangelog = "changelog"
	// maxChangelogs is how many blueprints' changes one process tells at a time: each waits most of the time.
	maxChangelogs = 16
)

// ChangelogArgs names the blueprint whose changes are told.
type ChangelogArgs struct {
	Blueprint string `json:"blueprint" river:"unique"`
}

// Kind is the job's name in the queue.
func (ChangelogArgs) Kind() string { return "changelog" }

// InsertOpts makes a blueprint's changelog unique while it is under way: one worker at a time tells its changes.
func (ChangelogArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueChangelog, MaxAttempts: 1 << 14, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
}

// EnsureChangelog enqueues the telling of a blueprint's changes, unless it is under way.
func (q *Queue) EnsureChangelog(ctx context.Context, blueprint string) error {
	if _, err := q.insert.Insert(ctx, ChangelogArgs{Blueprint: blueprint}, nil); err != nil {
		return fmt.Errorf("enqueue the changelog of %q: %w", blueprint, err)
	}
	return nil
}

type changelogWorker struct {
	river.WorkerDefaults[ChangelogArgs]
	handle func(ctx context.Context, blueprint string, until time.Time) (wait time.Duration, done bool, err error)
}

// Work tells changes for one quantum, or until there is nothing to tell for a while.
func (w *changelogWorker) Work(ctx context.Context, job *river.Job[ChangelogArgs]) error {
	wait, done, err := w.handle(ctx, job.Args.Blueprint, time.Now().Add(quantum))
	if err != nil || done {
		return err
	}
	return river.JobSnooze(wait)
}
