package job

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// A job's end is written after its handler has returned, three times at most. While a database server is away, or a disk
// is full, that comes to nothing, and the row says for ever that the job runs: the queue itself would find it after the
// job's longest time, half an hour for a run. So each process remembers what it works on, and what it has as running
// and does not work on, in two looks one after the other, is taken up again. Should the end be written after all, the job
// has run twice: its fences are made for that.

// atWork is the jobs that this process works on.
type atWork struct {
	river.MiddlewareDefaults
	mu   sync.Mutex
	jobs map[int64]bool
}

// Work remembers a job while its handler runs.
func (w *atWork) Work(ctx context.Context, job *rivertype.JobRow, handle func(context.Context) error) error {
	w.mu.Lock()
	if w.jobs == nil {
		w.jobs = map[int64]bool{}
	}
	w.jobs[job.ID] = true
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.jobs, job.ID)
	}()
	return handle(ctx)
}

func (w *atWork) on(id int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.jobs[id]
}

// look is one process's care for its queue while it runs.
type look struct {
	queue *Queue
	alive *alive // nil on SQLite
	work  *atWork
	idle  map[int64]string // the jobs that seemed lost in the last look, and when they were taken
}

// run looks until ctx ends. What fails is tried again at the next turn.
func (l *look) run(ctx context.Context) {
	tick := time.NewTicker(l.queue.lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = l.once(ctx) // the next look tries again
		}
	}
}

func (l *look) once(ctx context.Context) error {
	if l.alive != nil {
		if err := l.alive.hold(ctx); err != nil {
			return err
		}
		if err := l.queue.reclaimDead(ctx); err != nil {
			return err
		}
	}
	if err := l.reclaimLost(ctx); err != nil {
		return err
	}
	return l.queue.pullBack(ctx)
}

// reclaimLost puts jobs back that this process has as running, and does not work on.
func (l *look) reclaimLost(ctx context.Context) error {
	running, err := l.running(ctx)
	if err != nil {
		return err
	}
	before := l.idle
	l.idle = map[int64]string{}
	for id, taken := range running {
		if l.work.on(id) {
			continue
		}
		if before[id] != taken {
			l.idle[id] = taken
			continue
		}
		if _, err := l.queue.db.ExecContext(ctx, `UPDATE river_job SET state = 'available', scheduled_at = CURRENT_TIMESTAMP
			WHERE id = $1 AND state = 'running' AND CAST(attempted_at AS TEXT) = $2`, id, taken); err != nil {
			return fmt.Errorf("take up job %d again: %w", id, err)
		}
	}
	return nil
}

// running lists the jobs that this process has taken, and when. On SQLite there is no other process.
func (l *look) running(ctx context.Context) (map[int64]string, error) {
	query, args := `SELECT id, CAST(attempted_at AS TEXT) FROM river_job WHERE state = 'running'`, []any{}
	if l.alive != nil {
		query, args = query+` AND attempted_by[array_upper(attempted_by, 1)] = $1`, append(args, l.alive.name())
	}
	rows, err := l.queue.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list running jobs: %w", err)
	}
	defer rows.Close()
	running := map[int64]string{}
	for rows.Next() {
		var id int64
		var taken string
		if err := rows.Scan(&id, &taken); err != nil {
			return nil, fmt.Errorf("list running jobs: %w", err)
		}
		running[id] = taken
	}
	return running, rows.Err()
}
