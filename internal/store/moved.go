package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"longshore/internal/pipeline"
)

// What follows is for runs whose records do not pass through this program's own source and destination: another moves
// them, and tells how far it is.

// SaveState keeps a state of a stream that its destination has given back, for the run and for those after it.
func (y *Syncs) SaveState(ctx context.Context, runID int64, stream string, state json.RawMessage) error {
	err := y.s.InTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE sync_streams SET state = $3 WHERE sync_id = $1 AND stream = $2`, runID, stream, string(state)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE stream_states SET state = $3 WHERE stream = $2
			AND connection_id = (SELECT connection_id FROM syncs WHERE id = $1)`, runID, stream, string(state))
		return err
	})
	if err != nil {
		return fmt.Errorf("keep the state of %s in sync %d: %w", stream, runID, err)
	}
	return nil
}

// SaveCounts sets what a stream of a run has brought so far, over all attempts: rows read from the source, and rows and
// bytes that are durable at the destination.
func (y *Syncs) SaveCounts(ctx context.Context, runID int64, stream string, read, rows, bytes int64) error {
	if err := y.s.exec(ctx, `UPDATE sync_streams SET api_rows = $3, lake_rows = $4, lake_bytes = $5 WHERE sync_id = $1 AND stream = $2`,
		runID, stream, read, rows, bytes); err != nil {
		return fmt.Errorf("keep the counts of %s in sync %d: %w", stream, runID, err)
	}
	return nil
}

// NewGeneration begins a stream of a run over: a later attempt at a full refresh that cannot go on where the one before
// it ended. Its state is dropped, and where older generations were to go, the one begun before goes too.
func (y *Syncs) NewGeneration(ctx context.Context, runID int64, stream string) (generation int64, err error) {
	err = y.s.InTx(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, `UPDATE stream_states SET generation = generation + 1, state = '' WHERE stream = $2
			AND connection_id = (SELECT connection_id FROM syncs WHERE id = $1) RETURNING generation`, runID, stream).Scan(&generation); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE sync_streams SET generation = CAST($3 AS BIGINT), state = '', status = $4,
			minimum_generation = CASE WHEN minimum_generation = 0 THEN 0 ELSE CAST($3 AS BIGINT) END WHERE sync_id = $1 AND stream = $2`,
			runID, stream, generation, string(pipeline.Pending))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("begin %s of sync %d over: %w", stream, runID, err)
	}
	return generation, nil
}
