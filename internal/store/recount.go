package store

import (
	"context"
	"database/sql"
	"fmt"

	"longshore/internal/ingest"
	"longshore/internal/receipt"
	"longshore/internal/verdict"
)

// Recount counts a run's ledger anew from its cells, by stream and code of the roll-ups, beside the sums that are kept.
func (b *Objects) Recount(ctx context.Context, syncID int64) (map[string]map[verdict.Code]int64, error) {
	rows, err := b.read.QueryContext(ctx, `SELECT o.stream, c.cells FROM verdict_chunks c JOIN objects o ON o.id = c.object_id
		WHERE o.sync_id = $1 ORDER BY c.object_id, c.first_line`, syncID)
	if err != nil {
		return nil, fmt.Errorf("recount verdicts: %w", err)
	}
	defer rows.Close()
	sums := map[string]map[verdict.Code]int64{}
	for rows.Next() {
		var stream string
		var packed []byte
		if err := rows.Scan(&stream, &packed); err != nil {
			return nil, err
		}
		lines, err := ingest.DecodeRows(packed)
		if err != nil {
			return nil, fmt.Errorf("recount verdicts: %w", err)
		}
		if sums[stream] == nil {
			sums[stream] = map[verdict.Code]int64{}
		}
		for i := range lines {
			sums[stream][lines[i].RollUp.Code]++
		}
	}
	return sums, rows.Err()
}

// EntityRows counts the entities by blueprint, row by row, beside the numbers that are kept.
func (b *Objects) EntityRows(ctx context.Context) (map[string]int64, error) {
	rows, err := b.read.QueryContext(ctx, `SELECT n.name, count(*) FROM all_entities e JOIN blueprint_names n ON n.id = e.blueprint_id GROUP BY n.name`)
	if err != nil {
		return nil, fmt.Errorf("count entities: %w", err)
	}
	defer rows.Close()
	counts := map[string]int64{}
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return nil, err
		}
		counts[name] = n
	}
	return counts, rows.Err()
}

// LastWrites gives the changes of a run that nothing has followed, with what their entities hold now; at most limit.
func (b *Objects) LastWrites(ctx context.Context, syncID int64, limit int, fn func(receipt.LastWrite)) error {
	rows, err := b.read.QueryContext(ctx, `SELECT o.stream, o.object_key, h.line, h.blueprint, h.identifier, coalesce(h.after, '{}'), e.id, coalesce(e.properties, ''), coalesce(e.relations, '')
		FROM objects o JOIN history h ON h.object_id = o.id
		LEFT JOIN blueprint_names n ON n.name = h.blueprint
		LEFT JOIN all_entities e ON e.blueprint_id = n.id AND e.identifier = h.identifier
		WHERE o.sync_id = $1 AND h.kind = 'entity' AND h.status = 'SUCCESS' AND h.action <> 'DELETE'
			AND NOT EXISTS (SELECT 1 FROM history l WHERE l.blueprint = h.blueprint AND l.identifier = h.identifier AND l.id > h.id)
			AND NOT EXISTS (SELECT 1 FROM history_names r WHERE r.old_blueprint = h.blueprint AND r.old_identifier IN ('', h.identifier))
		LIMIT $2`, syncID, limit)
	if err != nil {
		return fmt.Errorf("look at what sync %d wrote: %w", syncID, err)
	}
	defer rows.Close()
	for rows.Next() {
		var w receipt.LastWrite
		var id sql.NullInt64
		if err := rows.Scan(&w.Stream, &w.ObjectKey, &w.Line, &w.Blueprint, &w.Identifier, &w.After, &id, &w.Properties, &w.Relations); err != nil {
			return err
		}
		w.There = id.Valid
		fn(w)
	}
	return rows.Err()
}
