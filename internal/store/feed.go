package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
	"longshore/internal/receipt"
)

var _ pipeline.FeedStore = (*Syncs)(nil)

// nudgesKept is how long a settled nudge is kept: a copy of it that comes later does no harm but one more read.
const nudgesKept = 24 * time.Hour

// maxNudges bounds the nudges that wait for a feed. With more, the log alone tells.
const maxNudges = 100_000

// Feed implements [pipeline.FeedStore].
func (y *Syncs) Feed(ctx context.Context, connectionID int64) (pipeline.FeedState, error) {
	var st pipeline.FeedState
	var position, log string
	var runID, lastID, alive int64
	var since sql.NullInt64
	err := scanConnection(y.s.read.QueryRowContext(ctx, `SELECT coalesce(f.position, ''), coalesce(f.caught_up, 0), f.since, coalesce(f.alive_until, 0),
		coalesce((SELECT state FROM stream_states WHERE connection_id = c.id AND stream = f.log), ''),
		coalesce((SELECT max(id) FROM syncs WHERE connection_id = c.id AND status = 'running' AND cause = $2), 0),
		coalesce((SELECT max(id) FROM syncs WHERE connection_id = c.id AND status IN ('succeeded', 'partial') AND cause <> $2), 0),
		EXISTS (SELECT 1 FROM syncs s JOIN sync_streams t ON t.sync_id = s.id
			JOIN stream_states g ON g.connection_id = s.connection_id AND g.stream = t.stream AND g.generation <> t.generation
			WHERE s.connection_id = c.id AND s.status = 'running' AND s.cause = $2),
		EXISTS (SELECT 1 FROM syncs s JOIN sync_streams t ON t.sync_id = s.id
			WHERE s.connection_id = c.id AND s.status = 'running' AND s.cause <> $2 AND t.stream = f.log AND t.status IN ('pending', 'running')), `+connectionColumns+`
		FROM connections c LEFT JOIN feeds f ON f.connection_id = c.id WHERE c.id = $1`, connectionID, pipeline.CauseFeed), &st.Connection, &position, &st.CaughtUp, &since, &alive, &log, &runID, &lastID, &st.Stale, &st.LogTaken)
	if errors.Is(err, sql.ErrNoRows) {
		return st, fault.Errorf(fault.NotFound, "connection %d does not exist", connectionID)
	}
	if err != nil {
		return st, fmt.Errorf("read the feed of connection %d: %w", connectionID, err)
	}
	st.Since, st.Alive = timeOrZero(since), alive > y.now().UnixMilli()
	if position != "" {
		st.Position = json.RawMessage(position)
	}
	if log != "" {
		st.Log = json.RawMessage(log)
	}
	if st.Run, err = y.runOrNil(ctx, runID); err != nil {
		return st, err
	}
	st.LastRun, err = y.runOrNil(ctx, lastID)
	return st, err
}

func (y *Syncs) runOrNil(ctx context.Context, id int64) (*pipeline.Run, error) {
	if id == 0 {
		return nil, nil //nolint:nilnil // no run is no error
	}
	run, err := y.Run(ctx, id)
	return &run, err
}

// StartFeed implements [pipeline.FeedStore].
func (y *Syncs) StartFeed(ctx context.Context, c pipeline.Connection, streams []pipeline.Stream) (pipeline.Run, error) {
	var id int64
	err := y.s.InTx(ctx, func(tx *sql.Tx) error {
		began, err := y.began(ctx, tx)
		if err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, `INSERT INTO syncs (connection_id, started_at, status, cause) VALUES ($1, $2, 'running', $3) RETURNING id`,
			c.ID, began, pipeline.CauseFeed).Scan(&id); err != nil {
			return err
		}
		for i, st := range streams {
			if _, err := tx.ExecContext(ctx, `INSERT INTO stream_states (connection_id, stream, generation) VALUES ($1, $2, 0)
				ON CONFLICT (connection_id, stream) DO NOTHING`, c.ID, st.Name); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `INSERT INTO sync_streams (sync_id, position, stream, mode, generation, status, state)
				SELECT $1, $2, stream, $3, generation, 'pending', state FROM stream_states WHERE connection_id = $4 AND stream = $5`,
				id, i, pipeline.Incremental, c.ID, st.Name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return pipeline.Run{}, fmt.Errorf("start the feed of %q: %w", c.Name, err)
	}
	return y.Run(ctx, id)
}

// DropFeed implements [pipeline.FeedStore]. A run that has objects stays.
func (y *Syncs) DropFeed(ctx context.Context, runID int64) error {
	err := y.s.InTx(ctx, func(tx *sql.Tx) error {
		var objects int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM objects WHERE sync_id = $1`, runID).Scan(&objects); err != nil {
			return err
		}
		if objects > 0 {
			return fault.Errorf(fault.Internal, "the run has %d objects", objects)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM sync_streams WHERE sync_id = $1`, runID); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM syncs WHERE id = $1 AND cause = $2`, runID, pipeline.CauseFeed)
		return err
	})
	if err != nil {
		return fmt.Errorf("forget run %d of the feed: %w", runID, err)
	}
	return nil
}

// SaveFeed implements [pipeline.FeedStore].
func (y *Syncs) SaveFeed(ctx context.Context, connectionID int64, m pipeline.FeedMark) error {
	err := y.s.exec(ctx, `INSERT INTO feeds (connection_id, log, position, caught_up, since, alive_until) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (connection_id) DO UPDATE SET log = excluded.log, position = excluded.position, caught_up = excluded.caught_up, alive_until = excluded.alive_until`,
		connectionID, m.Log, string(m.Position), m.CaughtUp, y.now().UnixMilli(), m.Alive.UnixMilli())
	if err != nil {
		return fmt.Errorf("record the feed of connection %d: %w", connectionID, err)
	}
	return nil
}

// NoFeeds tells that no feed is at work: the process that worked on this database has ended.
func (y *Syncs) NoFeeds(ctx context.Context) error {
	if err := y.s.exec(ctx, `UPDATE feeds SET alive_until = 0`); err != nil {
		return fmt.Errorf("reset feeds: %w", err)
	}
	return nil
}

// logOfFeed names the stream that a live feed of the connection reads by itself, or "".
func (y *Syncs) logOfFeed(ctx context.Context, tx *sql.Tx, connectionID int64) (log string, err error) {
	err = tx.QueryRowContext(ctx, `SELECT log FROM feeds WHERE connection_id = $1 AND alive_until > $2`, connectionID, y.now().UnixMilli()).Scan(&log)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return log, err
}

// Nudges implements [pipeline.FeedStore].
func (y *Syncs) Nudges(ctx context.Context, connectionID, after int64, limit int) ([]pipeline.Nudge, error) {
	rows, err := y.s.read.QueryContext(ctx, `SELECT id, event FROM nudges WHERE connection_id = $1 AND id > $2 AND settled = 0 ORDER BY id LIMIT $3`,
		connectionID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list nudges: %w", err)
	}
	defer rows.Close()
	var all []pipeline.Nudge
	for rows.Next() {
		var n pipeline.Nudge
		var event string
		if err := rows.Scan(&n.ID, &event); err != nil {
			return nil, err
		}
		n.Event = json.RawMessage(event)
		all = append(all, n)
	}
	return all, rows.Err()
}

// SettleNudges implements [pipeline.FeedStore]. It also forgets those that were settled long ago.
func (y *Syncs) SettleNudges(ctx context.Context, ids []int64) error {
	return y.s.InTx(ctx, func(tx *sql.Tx) error {
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, `UPDATE nudges SET settled = 1 WHERE id = $1`, id); err != nil {
				return fmt.Errorf("settle nudge %d: %w", id, err)
			}
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM nudges WHERE settled = 1 AND received_at < $1`, y.now().Add(-nudgesKept).UnixMilli()); err != nil {
			return fmt.Errorf("forget old nudges: %w", err)
		}
		return nil
	})
}

// TakesNudges returns fault.NotFound when there is no connection of that id.
func (y *Syncs) TakesNudges(ctx context.Context, connectionID int64) error {
	var known int
	if err := y.s.read.QueryRowContext(ctx, `SELECT count(*) FROM connections WHERE id = $1`, connectionID).Scan(&known); err != nil {
		return fmt.Errorf("look for connection %d: %w", connectionID, err)
	}
	if known == 0 {
		return fault.Errorf(fault.NotFound, "connection %d does not exist", connectionID)
	}
	return nil
}

// PutNudges keeps the events of one delivery for the connection's feed, and returns how many were new. A delivery or an
// event that came before is passed over. Errors: fault.NotFound for a connection that does not exist.
func (y *Syncs) PutNudges(ctx context.Context, connectionID int64, delivery string, events []pipeline.NewNudge) (fresh int, err error) {
	err = y.s.InTx(ctx, func(tx *sql.Tx) error {
		var known, waiting int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM connections WHERE id = $1`, connectionID).Scan(&known); err != nil {
			return err
		}
		if known == 0 {
			return fault.Errorf(fault.NotFound, "connection %d does not exist", connectionID)
		}
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM nudges WHERE connection_id = $1 AND delivery = $2`, connectionID, delivery).Scan(&known); err != nil || known > 0 {
			return err
		}
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM nudges WHERE connection_id = $1 AND settled = 0`, connectionID).Scan(&waiting); err != nil || waiting > maxNudges {
			return err
		}
		for _, e := range events {
			result, err := tx.ExecContext(ctx, `INSERT INTO nudges (connection_id, delivery, uuid, event, received_at) VALUES ($1, $2, $3, $4, $5)
				ON CONFLICT (connection_id, uuid) DO NOTHING`, connectionID, delivery, e.UUID, string(e.Event), y.now().UnixMilli())
			if err != nil {
				return err
			}
			n, err := result.RowsAffected()
			if err != nil {
				return err
			}
			fresh += int(n)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("keep a delivery of events: %w", err)
	}
	return fresh, nil
}

// LastOf lists the objects that hold what is known of a stream: all that were written from its newest whole reading but
// one on. The newest alone would not do: of what went between the two it says nothing, and a feed that was not at work
// then has still to tell of it. A reading with gaps is whole but for what the credential may not read; one that broke off is not.
func (y *Syncs) LastOf(ctx context.Context, connectionID int64, stream string) ([]string, error) {
	rows, err := y.s.read.QueryContext(ctx, `SELECT o.object_key FROM objects o JOIN sync_streams t ON t.sync_id = o.sync_id AND t.stream = o.stream
		JOIN syncs s ON s.id = o.sync_id
		WHERE s.connection_id = $1 AND o.stream = $2 AND t.generation >= coalesce((SELECT DISTINCT w.generation FROM sync_streams w JOIN syncs r ON r.id = w.sync_id
			WHERE r.connection_id = $1 AND w.stream = $2 AND w.mode = $3
				AND (w.status = 'complete' OR w.status = 'partial' AND w.error = `+y.s.engine.firstGap+`)
			ORDER BY w.generation DESC LIMIT 1 OFFSET 1), 0) ORDER BY o.id`,
		connectionID, stream, pipeline.FullRefresh)
	if err != nil {
		return nil, fmt.Errorf("list the objects of %s: %w", stream, err)
	}
	return column[string](rows)
}

// ChangedLines lists the lines of a run that changed an entity, with what they changed, by object and line.
func (y *Syncs) ChangedLines(ctx context.Context, runID int64, limit int) ([]receipt.ChangedLine, error) {
	rows, err := y.s.read.QueryContext(ctx, `SELECT o.object_key, o.stream, h.line, coalesce(h.after, '') FROM history h JOIN objects o ON o.id = h.object_id
		WHERE o.sync_id = $1 AND h.kind = 'entity' AND h.action <> 'DELETE' ORDER BY o.id, h.line LIMIT $2`, runID, limit)
	if err != nil {
		return nil, fmt.Errorf("list what sync %d changed: %w", runID, err)
	}
	defer rows.Close()
	var all []receipt.ChangedLine
	for rows.Next() {
		var c receipt.ChangedLine
		if err := rows.Scan(&c.ObjectKey, &c.Stream, &c.Line, &c.After); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

// FeedObjects lists the objects of a stream that feeds of the connection have written since.
func (y *Syncs) FeedObjects(ctx context.Context, connectionID int64, stream string, since time.Time) ([]string, error) {
	rows, err := y.s.read.QueryContext(ctx, `SELECT o.object_key FROM objects o JOIN syncs s ON s.id = o.sync_id
		WHERE s.connection_id = $1 AND s.cause = $2 AND o.stream = $3 AND o.found_at >= $4 ORDER BY o.id`,
		connectionID, pipeline.CauseFeed, stream, since.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("list the feed's objects of %s: %w", stream, err)
	}
	return column[string](rows)
}

// column reads rows of one column, and closes them.
func column[T any](rows *sql.Rows) ([]T, error) {
	defer rows.Close()
	var all []T
	for rows.Next() {
		var value T
		if err := rows.Scan(&value); err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, rows.Err()
}
