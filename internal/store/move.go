package store

import (
	"context"
	"database/sql"
	"fmt"

	"longshore/internal/catalog"
)

// A blueprint that comes to live elsewhere takes its entities with it a few at a time: each step is a transaction, each
// entity is in one place or the other, and reading looks in both until the last has arrived. A move that was broken off
// goes on with what is not there yet; one that is turned back likewise.

// moveBatch is how many entities one step takes.
const moveBatch = 500

// livesAs is the value of blueprints.apart for a blueprint as it is to be.
func (t *catalogTx) livesAs(ctx context.Context, id int64, b catalog.Blueprint) (int64, error) {
	n, err := t.dict(ctx)
	if err != nil {
		return 0, err
	}
	now, away := n.apart[id], catalog.LivesApart(b.Doc)
	switch {
	case away && (now == livesApart || now == movesApart), !away && (now == livesHere || now == movesHere):
		return now, nil
	case away:
		return movesApart, nil
	}
	return movesHere, nil
}

// MoveSome moves some hundreds of the entities that are not where their blueprint lives, and returns how many. None means
// that all are in their place.
func (c *Catalog) MoveSome(ctx context.Context) (moved int, err error) {
	var waiting int
	err = c.store.read.QueryRowContext(ctx, `SELECT count(*) FROM blueprints WHERE apart >= $1`, movesApart).Scan(&waiting)
	if err != nil || waiting == 0 {
		return 0, c.store.Explain(err)
	}
	err = c.store.InTx(ctx, func(tx *sql.Tx) error {
		t := c.view(tx)
		n, err := t.dict(ctx)
		if err != nil {
			return err
		}
		for id, lives := range n.apart {
			if lives != livesApart && moved == 0 {
				if moved, err = t.moveSome(ctx, id); err != nil {
					return fmt.Errorf("move entities of %q: %w", n.blueprint[id], err)
				}
			}
		}
		return nil
	})
	return moved, err
}

// moveSome makes one step of a blueprint's move. The last one ends it.
func (t *catalogTx) moveSome(ctx context.Context, blueprint int64) (int, error) {
	n, err := t.dict(ctx)
	if err != nil {
		return 0, err
	}
	from, to, arrived := here, apart, livesApart
	if n.apart[blueprint] == movesHere {
		from, to, arrived = apart, here, livesHere
	}
	ids, err := t.ids(ctx, `SELECT id FROM `+from.entities+` WHERE blueprint_id = $1 ORDER BY identifier LIMIT $2`, []any{blueprint, moveBatch})
	if err != nil {
		return 0, err
	}
	if err := t.moveRows(ctx, from, to, ids); err != nil || len(ids) == moveBatch {
		return len(ids), err
	}
	if _, err := t.exec(ctx, `UPDATE blueprints SET apart = $1 WHERE id = $2`, arrived, blueprint); err != nil {
		return 0, err
	}
	return len(ids), t.renew(ctx)
}

// moveRows gives entities new ids in another place, and their heads and relation rows with them.
func (t *catalogTx) moveRows(ctx context.Context, from, to site, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	type key struct {
		blueprint  int64
		identifier string
	}
	olds := make(map[key]int64, len(ids))
	rows := make([]any, 0, 2*len(ids))
	const mine = ` WHERE entity_id IN (SELECT old_id FROM event_moves)`
	for _, id := range ids {
		rows = append(rows, id, 0)
	}
	if err := t.inRows(ctx, `INSERT INTO event_moves (old_id, new_id) VALUES %s`, "ii", rows); err != nil {
		return err
	}
	err := t.each(ctx, `SELECT id, blueprint_id, identifier FROM `+from.entities+` WHERE id IN (SELECT old_id FROM event_moves)`, nil, func(r *sql.Rows) error {
		var id int64
		var k key
		err := r.Scan(&id, &k.blueprint, &k.identifier)
		olds[k] = id
		return err
	})
	if err != nil {
		return err
	}
	rows = rows[:0]
	err = t.each(ctx, `INSERT INTO `+to.entities+` (`+rowColumns+`) SELECT `+rowColumns+` FROM `+from.entities+` WHERE id IN (SELECT old_id FROM event_moves)
		RETURNING id, blueprint_id, identifier`, nil, func(r *sql.Rows) error {
		var id int64
		var k key
		err := r.Scan(&id, &k.blueprint, &k.identifier)
		rows = append(rows, olds[k], id)
		return err
	})
	if err != nil {
		return err
	}
	const head = `writer_id, generation, extracted_at, key_id, line, object_id, origin_line, digest, flags, older`
	const relation = `target_blueprint_id, target_identifier, relation_id`
	if err := t.inRows(ctx, `INSERT INTO event_moves (old_id, new_id) VALUES %s ON CONFLICT (old_id) DO UPDATE SET new_id = excluded.new_id`, "ii", rows); err != nil {
		return err
	}
	for _, q := range []string{
		`INSERT INTO ` + to.heads + ` (entity_id, ` + head + `) SELECT m.new_id, ` + head + ` FROM event_moves m JOIN ` + from.heads + ` h ON h.entity_id = m.old_id`,
		`INSERT INTO ` + to.relations + ` (` + relation + `, entity_id) SELECT ` + relation + `, m.new_id FROM event_moves m JOIN ` + from.relations + ` r ON r.entity_id = m.old_id`,
		`INSERT INTO ` + to.pending + ` (` + relation + `, entity_id) SELECT ` + relation + `, m.new_id FROM event_moves m JOIN ` + from.pending + ` r ON r.entity_id = m.old_id`,
		`DELETE FROM ` + from.pending + mine, `DELETE FROM ` + from.relations + mine, `DELETE FROM ` + from.heads + mine,
		`DELETE FROM ` + from.entities + ` WHERE id IN (SELECT old_id FROM event_moves)`,
		`DELETE FROM event_moves`,
	} {
		if _, err := t.exec(ctx, q); err != nil {
			return err
		}
	}
	return nil
}
