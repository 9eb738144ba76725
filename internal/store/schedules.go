package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"longshore/internal/pipeline"
)

// RunJobs is what the runs' store asks of the job queue, each in the caller's transaction.
type RunJobs interface {
	// EnqueueTick inserts a due time of a connection; a second one of the same time is dropped.
	EnqueueTick(ctx context.Context, tx *sql.Tx, connectionID int64, at time.Time) error
	// StopSync drops the job of a run, or tells that a worker is at it.
	StopSync(ctx context.Context, tx *sql.Tx, syncID int64) (atWork bool, err error)
}

// RunBy has connections run by their schedules: from now on the store sets a tick wherever a connection's next time
// changes. Of a connection's ticks the one counts whose time its row has; any other does nothing.
func (y *Syncs) RunBy(jobs RunJobs) { y.jobs = jobs }

// arm sets when the connection is due next: not while a run of it is under way, whose end sets it.
func (y *Syncs) arm(ctx context.Context, tx *sql.Tx, connectionID int64) error {
	if y.jobs == nil {
		return nil
	}
	at, err := y.due(ctx, tx, connectionID)
	if err != nil {
		return err
	}
	var next int64
	if !at.IsZero() {
		at = at.Truncate(time.Second).Add(time.Second * time.Duration(min(1, at.Nanosecond()))) // up
		next = at.Unix()
	}
	if _, err := tx.ExecContext(ctx, `UPDATE connections SET next_at = $2 WHERE id = $1`, connectionID, next); err != nil || next == 0 {
		return err
	}
	return y.jobs.EnqueueTick(ctx, tx, connectionID, at)
}

// due is when the connection is to run next; the zero time for not by itself, or while a run is under way.
func (y *Syncs) due(ctx context.Context, tx *sql.Tx, connectionID int64) (time.Time, error) {
	var doc, status string
	var failures int
	var created, finished sql.NullInt64
	var last sql.NullString
	err := tx.QueryRowContext(ctx, `SELECT c.doc, c.status, c.failures, s.started_at, s.finished_at, s.status FROM connections c
		LEFT JOIN syncs s ON s.id = (SELECT max(id) FROM syncs WHERE connection_id = c.id AND cause <> $2)
		WHERE c.id = $1`, connectionID, pipeline.CauseFeed).Scan(&doc, &status, &failures, &created, &finished, &last)
	if err != nil {
		return time.Time{}, err
	}
	if status != string(pipeline.Active) || last.String == string(pipeline.Running) {
		return time.Time{}, nil
	}
	var c pipeline.Connection
	if err := json.Unmarshal([]byte(doc), &c); err != nil {
		return time.Time{}, fmt.Errorf("read connection %d: %w", connectionID, err)
	}
	at := c.Schedule.Next(y.now(), timeOrZero(created))
	if hold := pipeline.HoldBack(failures); hold > 0 && !at.IsZero() && finished.Valid {
		if earliest := timeOrZero(finished).Add(hold); earliest.After(at) {
			at = earliest
		}
	}
	return at, nil
}

// Tick is a due time of a connection that has come. It starts the run, in the transaction that completes the tick,
// unless the time is not the connection's any more or a run is under way. streams and failed are as in Start.
func (y *Syncs) Tick(ctx context.Context, at time.Time, start Start, complete func(context.Context, *sql.Tx) error) (id int64, started bool, err error) {
	connectionID := start.Connection.ID
	err = y.s.InTx(ctx, func(tx *sql.Tx) error {
		if err := complete(ctx, tx); err != nil {
			return err
		}
		var next int64
		var status string
		err := tx.QueryRowContext(ctx, `SELECT next_at, status FROM connections WHERE id = $1`, connectionID).Scan(&next, &status)
		if errors.Is(err, sql.ErrNoRows) || err == nil && (next != at.Unix() || status != string(pipeline.Active)) {
			return nil
		}
		if err != nil {
			return err
		}
		if id, err = underWay(ctx, tx, connectionID); err != nil {
			return err
		}
		if id != 0 { // its end sets the next time
			_, err := tx.ExecContext(ctx, `UPDATE connections SET next_at = 0 WHERE id = $1`, connectionID)
			return err
		}
		id, started, err = y.start(ctx, tx, start)
		return err
	})
	if err != nil {
		return 0, false, fmt.Errorf("tick of %q: %w", start.Connection.Name, err)
	}
	return id, started, nil
}

// lateTick is how long after its time a tick may have started no run before it counts as lost, and earlyTick how far
// ahead of a connection's schedule its next time may lie: more was set by a clock that was set back since.
const (
	lateTick  = 2 * time.Minute
	earlyTick = time.Minute
)

// EnsureTicks sets the next time of every connection that should have one and has none, or one that was missed or lies
// further ahead than its schedule says.
func (y *Syncs) EnsureTicks(ctx context.Context) error {
	err := y.s.InTx(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT id FROM connections WHERE status = 'active' ORDER BY id`)
		if err != nil {
			return err
		}
		ids, err := column[int64](rows)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := y.ensureTick(ctx, tx, id); err != nil {
				return fmt.Errorf("connection %d: %w", id, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("set when connections run: %w", err)
	}
	return nil
}

func (y *Syncs) ensureTick(ctx context.Context, tx *sql.Tx, id int64) error {
	var next int64
	if err := tx.QueryRowContext(ctx, `SELECT next_at FROM connections WHERE id = $1`, id).Scan(&next); err != nil {
		return err
	}
	at, err := y.due(ctx, tx, id)
	if err != nil {
		return err
	}
	set := time.Unix(next, 0)
	if next != 0 && !at.IsZero() && !set.Before(y.now().Add(-lateTick)) && !set.After(at.Add(earlyTick)) {
		if y.jobs == nil {
			return nil
		}
		return y.jobs.EnqueueTick(ctx, tx, id, set) // there as a rule
	}
	if next == 0 && at.IsZero() {
		return nil
	}
	return y.arm(ctx, tx, id)
}

// NextRuns is when each connection is due next by its schedule, by its id; one that is not due by itself is not there.
func (y *Syncs) NextRuns(ctx context.Context) (map[int64]time.Time, error) {
	rows, err := y.s.read.QueryContext(ctx, `SELECT id, next_at FROM connections WHERE next_at <> 0 AND status = 'active'`)
	if err != nil {
		return nil, fmt.Errorf("list the next runs: %w", err)
	}
	defer rows.Close()
	all := map[int64]time.Time{}
	for rows.Next() {
		var id, at int64
		if err := rows.Scan(&id, &at); err != nil {
			return nil, err
		}
		all[id] = time.Unix(at, 0).UTC()
	}
	return all, rows.Err()
}

// countFailures keeps how many runs of a connection have failed in a row. From some on its schedule holds back, which
// is told, as is the end of it. A run that was cancelled says nothing.
func (y *Syncs) countFailures(ctx context.Context, tx *sql.Tx, connectionID, runID int64, status pipeline.Status, now int64) error {
	if status == pipeline.Cancelled {
		return nil
	}
	var failures int
	var paused int64
	if err := tx.QueryRowContext(ctx, `SELECT failures, paused_at FROM connections WHERE id = $1`, connectionID).Scan(&failures, &paused); err != nil {
		return err
	}
	failures++
	if status != pipeline.Failed {
		failures = 0
	}
	hold := pipeline.HoldBack(failures)
	var notice pipeline.Notice
	switch {
	case hold > 0 && paused == 0:
		paused = now
		notice = pipeline.Notice{Kind: pipeline.NoticeHeld, Text: fmt.Sprintf("%d runs in a row have failed: the schedule holds back, and tries again %s after each failure at first, less and less often. "+
			"A run by hand that succeeds ends that", failures, hold)}
	case hold == 0 && paused != 0:
		paused = 0
		notice = pipeline.Notice{Kind: pipeline.NoticeResumed, Text: "a run has succeeded: the schedule is as it was"}
	}
	if _, err := tx.ExecContext(ctx, `UPDATE connections SET failures = $2, paused_at = $3 WHERE id = $1`, connectionID, failures, paused); err != nil || notice.Kind == "" {
		return err
	}
	return addNotice(ctx, tx, connectionID, runID, now, notice)
}
