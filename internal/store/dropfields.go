package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"longshore/internal/rawjson"
)

// DropFields implements catalog.Tx.
func (t *catalogTx) DropFields(ctx context.Context, blueprint string, properties, relations []string) error {
	id, err := t.blueprintID(ctx, blueprint)
	if err != nil {
		return err
	}
	n, err := t.dict(ctx)
	if err != nil {
		return err
	}
	for _, p := range n.of(id).tables() {
		if err := errors.Join(t.dropMembers(ctx, p, id, "properties", properties), t.dropMembers(ctx, p, id, "relations", relations)); err != nil {
			return err
		}
	}
	for _, r := range relations {
		number, err := t.relationID(ctx, blueprint, r)
		if err != nil {
			return err
		}
		for _, p := range n.of(id).tables() {
			for _, table := range []string{p.relations, p.pending} {
				if _, err := t.exec(ctx, `DELETE FROM `+table+` WHERE relation_id = $1`, number); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// dropMembers removes members of a column's objects. The text of the others stays as it is.
func (t *catalogTx) dropMembers(ctx context.Context, p site, blueprint int64, column string, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	for after := int64(0); ; {
		ids, docs, err := t.membersOf(ctx, p, blueprint, column, after)
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
		for i, doc := range docs {
			less := without(doc, keys)
			if less == nil {
				continue
			}
			if _, err := t.exec(ctx, `UPDATE `+p.entities+` SET `+column+` = $1 WHERE id = $2`, string(less), ids[i]); err != nil {
				return fmt.Errorf("drop fields of entity %d: %w", ids[i], err)
			}
		}
	}
}

// membersOf reads up to chunkKeys of a blueprint's documents, by id.
func (t *catalogTx) membersOf(ctx context.Context, p site, blueprint int64, column string, after int64) (ids []int64, docs [][]byte, err error) {
	err = t.each(ctx, `SELECT id, `+column+` FROM `+p.entities+` WHERE blueprint_id = $1 AND id > $2 ORDER BY id LIMIT $3`, []any{blueprint, after, chunkKeys}, func(r *sql.Rows) error {
		var id int64
		var doc []byte
		err := r.Scan(&id, &doc)
		ids, docs = append(ids, id), append(docs, doc)
		return err
	})
	return ids, docs, err
}

// without returns the object without these members, or nil when it has none of them.
func without(object []byte, keys []string) []byte {
	less := []byte{'{'}
	dropped := false
	for name, value := range rawjson.Members(object) {
		if slices.ContainsFunc(keys, func(k string) bool { return rawjson.NameIs(name, k) }) {
			dropped = true
			continue
		}
		if len(less) > 1 {
			less = append(less, ',')
		}
		less = append(append(append(less, name...), ':'), value...)
	}
	if !dropped {
		return nil
	}
	return append(less, '}')
}
