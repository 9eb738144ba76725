package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"longshore/internal/pipeline"
)

// The log of a run is for people: so many lines are kept, each at most so long, and the last one says that there were more.
const (
	maxLogLines = 2000
	maxLogText  = 4096 // bytes
)

// Log implements [pipeline.AttemptStore].
func (y *Syncs) Log(ctx context.Context, runID int64, line pipeline.LogLine) error {
	text := strings.ToValidUTF8(line.Text, "\uFFFD")
	if len(text) > maxLogText {
		text = strings.ToValidUTF8(text[:maxLogText], "") + " …"
	}
	at := line.At
	if at.IsZero() {
		at = y.now()
	}
	err := y.s.exec(ctx, `INSERT INTO sync_log (sync_id, at, level, stream, text)
		SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), CASE WHEN n.lines < $6 THEN $3 ELSE 'warn' END, CASE WHEN n.lines < $6 THEN $4 ELSE '' END,
			CASE WHEN n.lines < $6 THEN $5 ELSE 'there was more: the log of a run ends here' END
		FROM (SELECT count(*) AS lines FROM sync_log WHERE sync_id = $1) n WHERE n.lines <= $6`,
		runID, at.UnixMilli(), line.Level, line.Stream, text, int64(maxLogLines-1))
	if err != nil {
		return fmt.Errorf("log of sync %d: %w", runID, err)
	}
	return nil
}

// LogOf returns the log of a run.
func (y *Syncs) LogOf(ctx context.Context, runID int64) ([]pipeline.LogLine, error) {
	rows, err := y.s.read.QueryContext(ctx, `SELECT at, level, stream, text FROM sync_log WHERE sync_id = $1 ORDER BY id`, runID)
	if err != nil {
		return nil, fmt.Errorf("read the log of sync %d: %w", runID, err)
	}
	defer rows.Close()
	var all []pipeline.LogLine
	for rows.Next() {
		var l pipeline.LogLine
		var at int64
		if err := rows.Scan(&at, &l.Level, &l.Stream, &l.Text); err != nil {
			return nil, err
		}
		l.At = time.UnixMilli(at).UTC()
		all = append(all, l)
	}
	return all, rows.Err()
}

func addNotice(ctx context.Context, tx *sql.Tx, connectionID, runID, at int64, n pipeline.Notice) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO notices (connection_id, sync_id, at, kind, stream, text) VALUES ($1, $2, $3, $4, $5, $6)`,
		connectionID, runID, at, n.Kind, n.Stream, n.Text)
	return err
}

// Notices lists the newest notices of a connection, at most limit.
func (y *Syncs) Notices(ctx context.Context, connectionID int64, limit int) ([]pipeline.Notice, error) {
	rows, err := y.s.read.QueryContext(ctx, `SELECT id, sync_id, at, kind, stream, text FROM notices WHERE connection_id = $1 ORDER BY id DESC LIMIT $2`, connectionID, limit)
	if err != nil {
		return nil, fmt.Errorf("list notices: %w", err)
	}
	defer rows.Close()
	var all []pipeline.Notice
	for rows.Next() {
		var n pipeline.Notice
		var at int64
		if err := rows.Scan(&n.ID, &n.RunID, &at, &n.Kind, &n.Stream, &n.Text); err != nil {
			return nil, err
		}
		n.At = time.UnixMilli(at).UTC()
		all = append(all, n)
	}
	return all, rows.Err()
}

// SaveDiscovery keeps what a run found its source to have, and returns the notices of what has changed since the run
// before. A connection's first discovery changes nothing.
func (y *Syncs) SaveDiscovery(ctx context.Context, connectionID, runID int64, d pipeline.Discovery) (notices []pipeline.Notice, err error) {
	text, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	err = y.s.InTx(ctx, func(tx *sql.Tx) error {
		var held string
		if err := tx.QueryRowContext(ctx, `SELECT discovered FROM connections WHERE id = $1`, connectionID).Scan(&held); err != nil || held == string(text) {
			return err
		}
		if held != "" {
			var before pipeline.Discovery
			if err := json.Unmarshal([]byte(held), &before); err != nil {
				return err
			}
			notices = d.Since(before)
		}
		for _, n := range notices {
			if err := addNotice(ctx, tx, connectionID, runID, y.now().UnixMilli(), n); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `UPDATE connections SET discovered = $2 WHERE id = $1`, connectionID, string(text))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("keep what the source of connection %d has: %w", connectionID, err)
	}
	return notices, nil
}
