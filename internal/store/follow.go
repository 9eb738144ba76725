package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"longshore/internal/catalog"
	"longshore/internal/rawjson"
)

// seed adds the catalog's system blueprints where they are not there yet.
func (s *Store) seed(ctx context.Context) error {
	c := s.Catalog()
	var done bool
	err := c.InView(ctx, func(v catalog.View) (err error) {
		done, err = catalog.Seeded(ctx, v)
		return err
	})
	if err == nil && !done {
		err = c.InTx(ctx, func(tx catalog.Tx) error { return catalog.Seed(ctx, tx) })
	}
	if err != nil {
		return fmt.Errorf("add the system blueprints: %w", err)
	}
	return nil
}

// renameInWebhooks makes mappings to a blueprint follow its new identifier. Nothing else of a mapping is touched, and
// what is no mapping stays as it is.
func (t *catalogTx) renameInWebhooks(ctx context.Context, from, to string) error {
	changed := map[int64]string{}
	err := t.each(ctx, `SELECT id, doc FROM webhooks`, nil, func(r *sql.Rows) error {
		var id int64
		var doc string
		if err := r.Scan(&id, &doc); err != nil {
			return err
		}
		if after := retargeted([]byte(doc), from, to); string(after) != doc {
			changed[id] = string(after)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for id, doc := range changed {
		if _, err := t.exec(ctx, `UPDATE webhooks SET doc = $1 WHERE id = $2`, doc, id); err != nil {
			return fmt.Errorf("rename blueprint %q in a webhook: %w", from, err)
		}
	}
	return nil
}

// retargeted returns a webhook's document with the mappings to one blueprint pointing at another.
func retargeted(doc []byte, from, to string) []byte {
	return editMember(doc, "mappings", func(list []byte) []byte {
		out, first := []byte{'['}, true
		for mapping, err := range rawjson.Elements(list) {
			if err != nil {
				return list
			}
			if !first {
				out = append(out, ',')
			}
			first = false
			out = append(out, editMember(mapping, "blueprint", func(value []byte) []byte {
				if name, ok := rawjson.String(value); !ok || name != from {
					return value
				}
				text, _ := json.Marshal(to) // a string always encodes
				return text
			})...)
		}
		out = append(out, ']')
		if !bytes.Contains(out, []byte(`"`)) {
			return list
		}
		return out
	})
}

// editMember returns an object with one member's value put through edit, the others byte for byte.
func editMember(object []byte, name string, edit func([]byte) []byte) []byte {
	out, changed := []byte{'{'}, false
	for quoted, value := range rawjson.Members(object) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(out, quoted...), ':')
		if rawjson.NameIs(quoted, name) {
			after := edit(value)
			changed = changed || !bytes.Equal(after, value)
			value = after
		}
		out = append(out, value...)
	}
	if !changed {
		return object
	}
	return append(out, '}')
}
