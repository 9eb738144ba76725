package store

import (
	"context"
	"database/sql"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// Walk implements catalog.View.
func (t *catalogTx) Walk(ctx context.Context, blueprint string, after int64, limit int) ([]catalog.Entity, error) {
	id, err := t.blueprintID(ctx, blueprint)
	if err != nil {
		return nil, err
	}
	// While entities move, those that have arrived are walked through; the next walk sees the rest.
	return t.entities(ctx, `SELECT `+entityColumns+t.known.home(id).joined()+`WHERE e.id > $1 AND +e.blueprint_id = $2 ORDER BY e.id LIMIT $3`, after, id, limit)
}

// Prune implements catalog.Tx.
func (t *catalogTx) Prune(ctx context.Context, blueprint string, ids []int64) error {
	id, err := t.blueprintID(ctx, blueprint)
	if err != nil {
		return err
	}
	n := t.known
	pointed := map[site]bool{}
	for _, p := range n.every().tables() {
		if pointed[p], err = t.anyOf(ctx, `SELECT 1 FROM `+p.relations+` WHERE target_blueprint_id = $1 LIMIT 1`, id); err != nil {
			return err
		}
	}
	gone := int64(0)
	for in, some := range byPlace(ids) {
		for len(some) > 0 {
			k := min(len(some), chunkKeys)
			args := make([]any, k)
			for i, id := range some[:k] {
				args[i] = id
			}
			marks := list(1, k)
			var queries []string
			for p, is := range pointed {
				if is {
					queries = append(queries, `INSERT INTO `+p.pending+` SELECT r.target_blueprint_id, r.target_identifier, r.relation_id, r.entity_id FROM `+in.entities+` e
						JOIN `+p.relations+` r ON r.target_blueprint_id = e.blueprint_id AND r.target_identifier = e.identifier WHERE e.id IN `+marks+` ON CONFLICT DO NOTHING`)
				}
			}
			// Those that point at another of these go with it: their rows are taken away last.
			queries = append(queries, `DELETE FROM `+in.pending+` WHERE entity_id IN `+marks, `DELETE FROM `+in.relations+` WHERE entity_id IN `+marks,
				`DELETE FROM `+in.heads+` WHERE entity_id IN `+marks)
			for _, q := range queries {
				if _, err := t.exec(ctx, q, args...); err != nil {
					return err
				}
			}
			count, err := t.exec(ctx, `DELETE FROM `+in.entities+` WHERE id IN `+marks, args...)
			if err != nil {
				return err
			}
			gone += count
			some = some[k:]
		}
	}
	_, err = t.exec(ctx, `UPDATE blueprints SET entities = entities - $1 WHERE id = $2`, gone, id)
	return err
}

func (t *catalogTx) anyOf(ctx context.Context, query string, args ...any) (bool, error) {
	found := false
	err := t.each(ctx, query, args, func(*sql.Rows) error { found = true; return nil })
	return found, err
}

// RetentionRuns implements catalog.View.
func (t *catalogTx) RetentionRuns(ctx context.Context, blueprint string, limit int) (runs []catalog.RetentionRun, err error) {
	id, err := t.blueprintID(ctx, blueprint)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = t.each(ctx, `SELECT id, days, property, cutoff, begun_at, coalesce(finished_at, 0), walked, pruned FROM retention_runs
		WHERE blueprint_id = $1 ORDER BY id DESC LIMIT $2`, []any{id, limit}, func(r *sql.Rows) error {
		var run catalog.RetentionRun
		var cutoff, begun, finished int64
		err := r.Scan(&run.ID, &run.Days, &run.By, &cutoff, &begun, &finished, &run.Walked, &run.Pruned)
		run.Cutoff, run.Begun = fromMillis(cutoff), fromMillis(begun)
		if finished != 0 {
			run.Finished = fromMillis(finished)
		}
		runs = append(runs, run)
		return err
	})
	return runs, err
}

// PutRetentionRun implements catalog.Tx.
func (t *catalogTx) PutRetentionRun(ctx context.Context, blueprint string, run *catalog.RetentionRun) error {
	id, err := t.blueprintID(ctx, blueprint)
	if err != nil {
		return err
	}
	if run.ID == 0 {
		return t.row(ctx, `INSERT INTO retention_runs (blueprint_id, days, property, cutoff, begun_at, walked, pruned) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id`,
			[]any{id, run.Days, run.By, millis(run.Cutoff), millis(run.Begun), run.Walked, run.Pruned}, &run.ID)
	}
	var finished any
	if !run.Finished.IsZero() {
		finished = millis(run.Finished)
		if _, err := t.exec(ctx, `DELETE FROM retention_runs WHERE blueprint_id = $1 AND id < $2 AND pruned = 0 AND finished_at IS NOT NULL`, id, run.ID); err != nil {
			return err
		}
	}
	_, err = t.exec(ctx, `UPDATE retention_runs SET walked = $1, pruned = $2, finished_at = $3 WHERE id = $4`, run.Walked, run.Pruned, finished, run.ID)
	return err
}
