package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// SQLite has one writer: an index made in one go would keep all others waiting for as long as that takes. So its indexes of
// properties are rows of a table of their own, filled some at a time.
const (
	// holdFor is how long filling may keep the writer at a time.
	holdFor = 25 * time.Millisecond
	// The fewest and the most entities taken in at a time.
	minFill, maxFill = 20, 5000
)

// Follow keeps the indexes that follow use: it makes those that searches ask for and takes changed entities into the
// index of words, until ctx ends. Trouble is given to report, and it goes on.
func (c *Catalog) Follow(ctx context.Context, report func(error)) error {
	const (
		idle = time.Second           // between looks when there is nothing to do
		busy = 20 * time.Millisecond // between batches: others write too
	)
	tell := func(what string, err error) {
		if err != nil && ctx.Err() == nil {
			report(fmt.Errorf("%s: %w", what, err))
		}
	}
	fill := filler{Catalog: c, entities: minFill}
	tell("make an index for searches", c.dropOldIndexes(ctx))
	for pause := busy; ; {
		select {
		case <-ctx.Done():
			return nil
		case u := <-c.uses.wanted:
			tell("make an index for searches", c.makeIndex(ctx, u))
			c.uses.Lock()
			c.uses.pending--
			c.uses.filling = c.uses.filling || c.store.engine.dialect.indexProperty == nil
			c.uses.Unlock()
			pause = busy
		case <-time.After(pause):
			moved, err := c.MoveSome(ctx)
			tell("move entities", err)
			n, err := c.IndexWords(ctx)
			tell("index words", err)
			more, fillErr := fill.some(ctx)
			tell("fill an index for searches", fillErr)
			c.uses.Lock()
			c.uses.filling = more || fillErr != nil
			c.uses.Unlock()
			if pause = idle; n+moved > 0 && err == nil || more && fillErr == nil {
				pause = busy
			}
		}
	}
}

// Following says whether indexes are wanted that Follow has not made yet.
func (c *Catalog) Following() bool {
	c.uses.Lock()
	defer c.uses.Unlock()
	return c.uses.pending > 0 || c.uses.filling
}

// beginIndex begins an index of a property on SQLite. From then on triggers keep what changes; the rest is to be filled in.
func (c *Catalog) beginIndex(ctx context.Context, u use) error {
	return c.store.InTx(ctx, func(tx *sql.Tx) error {
		var there, indexes int64
		err := tx.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(property = $1), 0) FROM property_indexes WHERE blueprint_id = $2`, u.property, u.blueprint).Scan(&indexes, &there)
		if err != nil || there > 0 || indexes >= maxIndexes {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO property_indexes (blueprint_id, property, path) VALUES ($1, $2, $3)`, u.blueprint, u.property, jsonPath(u.property))
		return err
	})
}

// filler fills indexes that are begun.
type filler struct {
	*Catalog
	entities int // of the next batch: what holdFor was enough for
}

// some takes the next entities into an index. more says that there is more to do.
func (f *filler) some(ctx context.Context) (more bool, err error) {
	if f.store.engine.dialect.indexProperty != nil {
		return false, nil
	}
	var index, blueprint int64
	var filled string
	err = f.store.read.QueryRowContext(ctx, `SELECT id, blueprint_id, filled FROM property_indexes WHERE done = 0 ORDER BY id LIMIT 1`).Scan(&index, &blueprint, &filled)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, f.store.Explain(err)
	}
	var held time.Duration
	err = f.store.InTx(ctx, func(tx *sql.Tx) error {
		start := time.Now()
		defer func() { held = time.Since(start) }()
		// Those that change meanwhile are kept by triggers, a new identifier included: by that of its last look it is behind or ahead.
		var last sql.NullString
		err := tx.QueryRowContext(ctx, `SELECT max(identifier) FROM (
			SELECT identifier FROM (SELECT identifier FROM entities WHERE blueprint_id = $1 AND identifier > $2 ORDER BY identifier LIMIT $3) UNION ALL
			SELECT identifier FROM (SELECT identifier FROM event_entities WHERE blueprint_id = $1 AND identifier > $2 ORDER BY identifier LIMIT $3)
			ORDER BY identifier LIMIT $3)`, blueprint, filled, f.entities).Scan(&last)
		if err != nil {
			return err
		}
		if !last.Valid {
			_, err := tx.ExecContext(ctx, `UPDATE property_indexes SET done = 1 WHERE id = $1`, index)
			return err
		}
		for _, from := range []string{"entity_values", "event_values"} {
			_, err = tx.ExecContext(ctx, `INSERT INTO property_values (index_id, kind, value, identifier, entity_id)
				SELECT v.index_id, v.kind, v.value, v.identifier, v.entity_id FROM `+from+` v
				WHERE v.blueprint_id = $1 AND v.identifier > $2 AND v.identifier <= $3 AND v.index_id = $4 ON CONFLICT DO NOTHING`, blueprint, filled, last.String, index)
			if err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE property_indexes SET filled = $1 WHERE id = $2`, last.String, index)
		return err
	})
	f.entities = min(max(int(float64(f.entities)*float64(holdFor)/float64(max(held, time.Millisecond))), minFill, f.entities/4), maxFill, 2*f.entities)
	return true, err
}

// dropOldIndexes drops the indexes of properties that SQLite had before it had property_values.
func (c *Catalog) dropOldIndexes(ctx context.Context) error {
	if c.store.engine.dialect.indexProperty != nil {
		return nil
	}
	var names []string
	rows, err := c.store.read.QueryContext(ctx, `SELECT name FROM sqlite_master WHERE type = 'index' AND name GLOB 'search_[0-9]*_[0-9a-f]*'`)
	if err != nil {
		return c.store.Explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, name := range names {
		if _, err := c.store.write.ExecContext(ctx, "DROP INDEX IF EXISTS "+name); err != nil {
			return c.store.Explain(err)
		}
	}
	return nil
}
