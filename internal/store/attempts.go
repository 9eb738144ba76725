package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
)

// broughtBy are the rows and bytes that run $1 has in the lake.
const broughtBy = `(SELECT coalesce(sum(lake_rows), 0) FROM sync_streams WHERE sync_id = $1), (SELECT coalesce(sum(lake_bytes), 0) FROM sync_streams WHERE sync_id = $1)`

// BeginAttempt implements [pipeline.AttemptStore].
func (y *Syncs) BeginAttempt(ctx context.Context, runID int64, number int) error {
	err := y.s.InTx(ctx, func(tx *sql.Tx) error { return beginAttempt(ctx, tx, runID, number, y.now().UnixMilli()) })
	if err != nil {
		return fmt.Errorf("begin attempt %d of sync %d: %w", number, runID, err)
	}
	return nil
}

// beginAttempt keeps what the run had brought before, for endAttempt to subtract.
func beginAttempt(ctx context.Context, tx *sql.Tx, runID int64, number int, at int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO attempts (sync_id, number, status, started_at, row_count, byte_count)
		SELECT $1, $2, 'running', $3, `+broughtBy+` FROM syncs WHERE id = $1 AND status = 'running'
		ON CONFLICT (sync_id, number) DO NOTHING`, runID, number, at)
	return err
}

// EndAttempt implements [pipeline.AttemptStore].
func (y *Syncs) EndAttempt(ctx context.Context, runID int64, status pipeline.Status, message string) error {
	err := y.s.InTx(ctx, func(tx *sql.Tx) error { return y.endAttempt(ctx, tx, runID, status, message) })
	if err != nil {
		return fmt.Errorf("end the attempt at sync %d: %w", runID, err)
	}
	return nil
}

func (y *Syncs) endAttempt(ctx context.Context, tx *sql.Tx, runID int64, status pipeline.Status, message string) error {
	var rows, bytes int64
	if err := tx.QueryRowContext(ctx, `SELECT `+broughtBy, runID).Scan(&rows, &bytes); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE attempts SET status = $2, error = $3, finished_at = $4, row_count = $5 - row_count, byte_count = $6 - byte_count
		WHERE sync_id = $1 AND status = 'running'`, runID, string(status), message, y.now().UnixMilli(), rows, bytes)
	return err
}

// EndRun implements [pipeline.AttemptStore].
func (y *Syncs) EndRun(ctx context.Context, runID int64, status pipeline.Status, message string) error {
	err := y.s.InTx(ctx, func(tx *sql.Tx) error { return y.end(ctx, tx, runID, status, message) })
	if err != nil {
		return fmt.Errorf("end sync %d: %w", runID, err)
	}
	return nil
}

func (y *Syncs) end(ctx context.Context, tx *sql.Tx, runID int64, status pipeline.Status, message string) error {
	_, err := tx.ExecContext(ctx, `UPDATE sync_streams SET status = $2, error = $3, finished_at = $4
		WHERE sync_id = $1 AND status IN ('pending', 'running', 'ended')`, runID, string(status), message, y.now().UnixMilli())
	if err != nil {
		return err
	}
	return y.finish(ctx, tx, runID, status, message)
}

// finish ends a run and its attempt, counts how often its connection has failed in a row, and sets when it runs again.
func (y *Syncs) finish(ctx context.Context, tx *sql.Tx, runID int64, status pipeline.Status, message string) error {
	now := y.now().UnixMilli()
	var connectionID int64
	var cause string
	err := tx.QueryRowContext(ctx, `UPDATE syncs SET status = $2, error = $3, finished_at = $4 WHERE id = $1 AND status = 'running'
		RETURNING connection_id, cause`, runID, string(status), message, now).Scan(&connectionID, &cause)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil // it has ended already
	case err != nil || cause == pipeline.CauseFeed:
		return err
	}
	attempt := pipeline.Succeeded
	if status == pipeline.Failed || status == pipeline.Cancelled {
		attempt = status
	}
	if err := y.endAttempt(ctx, tx, runID, attempt, message); err != nil {
		return err
	}
	if err := y.countFailures(ctx, tx, connectionID, runID, status, now); err != nil {
		return err
	}
	return y.arm(ctx, tx, connectionID)
}

// attempts lists the attempts of a run in their order.
func (y *Syncs) attempts(ctx context.Context, runID int64) ([]pipeline.Attempt, error) {
	rows, err := y.s.read.QueryContext(ctx, `SELECT number, status, started_at, finished_at, error, row_count, byte_count
		FROM attempts WHERE sync_id = $1 ORDER BY number`, runID)
	if err != nil {
		return nil, fmt.Errorf("list the attempts of sync %d: %w", runID, err)
	}
	defer rows.Close()
	var all []pipeline.Attempt
	for rows.Next() {
		var a pipeline.Attempt
		var started int64
		var finished sql.NullInt64
		if err := rows.Scan(&a.Number, &a.Status, &started, &finished, &a.Error, &a.Rows, &a.Bytes); err != nil {
			return nil, err
		}
		a.StartedAt, a.FinishedAt = timeOrZero(sql.NullInt64{Int64: started, Valid: true}), timeOrZero(finished)
		if a.Status == pipeline.Running {
			a.Rows, a.Bytes = 0, 0 // what it brings is counted at its end
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

// CancelAsked implements [pipeline.AttemptStore].
func (y *Syncs) CancelAsked(ctx context.Context, runID int64) (bool, error) {
	var asked bool
	err := y.s.read.QueryRowContext(ctx, `SELECT cancel_at <> 0 FROM syncs WHERE id = $1`, runID).Scan(&asked)
	if err != nil {
		return false, fmt.Errorf("read sync %d: %w", runID, err)
	}
	return asked, nil
}

// Cancel asks a run to end. One that nobody works on ends at once; the worker of another ends it within a second or two.
// What is in the lake stays. A run that has ended is a fault.Conflict.
func (y *Syncs) Cancel(ctx context.Context, runID int64, who string) error {
	err := y.s.InTx(ctx, func(tx *sql.Tx) error {
		var status, cause string
		err := tx.QueryRowContext(ctx, `SELECT status, cause FROM syncs WHERE id = $1`, runID).Scan(&status, &cause)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return fault.Errorf(fault.NotFound, "sync %d does not exist", runID)
		case err != nil:
			return err
		case status != string(pipeline.Running):
			return fault.Errorf(fault.Conflict, "sync %d has ended: it is %s", runID, status)
		case cause == pipeline.CauseFeed:
			return fault.Errorf(fault.Conflict, "sync %d is the feed's: it ends by itself", runID)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE syncs SET cancel_at = $2, cancel_by = $3 WHERE id = $1 AND cancel_at = 0`,
			runID, y.now().UnixMilli(), who); err != nil {
			return err
		}
		atWork := false
		if y.jobs != nil {
			if atWork, err = y.jobs.StopSync(ctx, tx, runID); err != nil {
				return err
			}
		}
		if atWork {
			return nil
		}
		return y.end(ctx, tx, runID, pipeline.Cancelled, cancelledBy(who))
	})
	if err != nil {
		return fmt.Errorf("cancel sync %d: %w", runID, err)
	}
	return nil
}

func cancelledBy(who string) string {
	if who == "" {
		return "cancelled"
	}
	return "cancelled by " + who
}

// baselineRuns is how many reads Baseline looks back at.
const baselineRuns = 20

// Baseline is how many records the newest full reads of a stream before the run brought, the newest first.
func (y *Syncs) Baseline(ctx context.Context, run pipeline.Run, stream string) ([]int64, error) {
	rows, err := y.s.read.QueryContext(ctx, `SELECT t.lake_rows FROM sync_streams t JOIN syncs s ON s.id = t.sync_id
		WHERE s.connection_id = $1 AND t.stream = $2 AND s.id < $3 AND t.mode = 'full_refresh' AND s.cause <> $4
			AND (t.status = 'complete' OR t.status = 'partial' AND t.lake_rows = 0)
		ORDER BY s.id DESC LIMIT $5`, run.Connection.ID, stream, run.ID, pipeline.CauseFeed, baselineRuns)
	if err != nil {
		return nil, fmt.Errorf("read the earlier reads of %s: %w", stream, err)
	}
	return column[int64](rows)
}
