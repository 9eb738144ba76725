package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// contentColumns are what an entity says, without how it was written.
const contentColumns = `e.id, e.blueprint_id, e.identifier, e.title, e.icon, e.team, e.properties, e.relations, e.created_at, e.created_by,
	e.updated_at, e.updated_by, e.source`

// contents runs a query for contentColumns, and whatever text stands before them.
func (t *catalogTx) contents(ctx context.Context, query string, args []any, before []any, fn func(catalog.Entity) error) error {
	n, err := t.dict(ctx)
	if err != nil {
		return err
	}
	return t.each(ctx, query, args, func(r *sql.Rows) error {
		var e catalog.Entity
		var blueprint, created, updated int64
		var team sql.NullString
		var properties, relations []byte
		err := r.Scan(append(before, &e.ID, &blueprint, &e.Identifier, &e.Title, &e.Icon, &team, &properties, &relations, &created, &e.CreatedBy,
			&updated, &e.UpdatedBy, &e.Source)...)
		if err != nil {
			return err
		}
		e.Blueprint, e.Properties, e.Relations = n.blueprint[blueprint], properties, relations
		if team.Valid {
			e.Team = json.RawMessage(team.String)
		}
		e.CreatedAt, e.UpdatedAt = fromMillis(created), fromMillis(updated)
		return fn(e)
	})
}

// Entities implements catalog.View.
func (t *catalogTx) Entities(ctx context.Context, blueprint string, identifiers []string, rule catalog.Rule) (out []catalog.Entity, err error) {
	err = t.named(identifiers, func(part []string) error {
		q, err := t.compile(ctx, catalog.Find{Blueprint: blueprint, Rule: rule})
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		q.conditions = append(q.conditions, "e.identifier IN "+q.list(part))
		return t.contents(ctx, `SELECT `+contentColumns+` FROM `+q.place().entities+` e `+q.where(), q.args, nil, func(e catalog.Entity) error {
			out = append(out, e)
			return nil
		})
	})
	return out, err
}

// named calls fn for at most chunkKeys of the identifiers at a time, padded to a few sizes.
func (t *catalogTx) named(identifiers []string, fn func(part []string) error) error {
	for len(identifiers) > 0 {
		n := min(len(identifiers), chunkKeys)
		size := 1
		for size < n {
			size *= 4
		}
		part := append(make([]string, 0, size), identifiers[:n]...)
		for len(part) < min(size, chunkKeys) {
			part = append(part, part[0])
		}
		if err := fn(part); err != nil {
			return err
		}
		identifiers = identifiers[n:]
	}
	return nil
}

// list binds texts: ($4,$5,$6).
func (q *query) list(texts []string) string {
	first := len(q.args) + 1
	for _, s := range texts {
		q.args = append(q.args, s)
	}
	return list(first, len(texts))
}

// link compiles the entities of a link that name some of its identifiers; nil when there can be none. The relation's rows
// come first, whatever the planner believes: they are few.
func (t *catalogTx) link(ctx context.Context, l catalog.Link, part []string) (*query, string, error) {
	rel, err := t.relationID(ctx, l.Blueprint, l.Relation)
	if err == nil {
		var target int64
		if target, err = t.blueprintID(ctx, l.Target); err == nil {
			q, err := t.compile(ctx, catalog.Find{Blueprint: l.Blueprint, Rule: l.Rule})
			if err != nil {
				return nil, "", err
			}
			plain := len(q.conditions) == 1 // that of the blueprint, which the relation implies
			if plain {
				q.conditions, q.args = nil, nil
			}
			q.conditions = append(q.conditions, "r.target_blueprint_id = "+q.bind(target), "r.target_identifier IN "+q.list(part), "r.relation_id = "+q.bind(rel))
			p := q.place()
			if plain {
				return q, " FROM " + p.relations + " r ", nil
			}
			return q, " FROM " + p.relations + " r CROSS JOIN " + p.entities + " e ", nil
		}
	}
	if fault.Is(err, fault.NotFound) {
		return nil, "", nil
	}
	return nil, "", err
}

// Linked implements catalog.View.
func (t *catalogTx) Linked(ctx context.Context, l catalog.Link, fn func(string, catalog.Entity) error) error {
	return t.named(l.Identifiers, func(part []string) error {
		q, _, err := t.link(ctx, l, part)
		if q == nil || err != nil {
			return err
		}
		q.conditions = append(q.conditions, "e.id = r.entity_id")
		var target string
		from := ` FROM ` + q.place().relations + ` r CROSS JOIN ` + q.place().entities + ` e ` + q.where()
		if l.Values {
			return t.values(ctx, from, q.args, l.Blueprint, fn)
		}
		return t.contents(ctx, `SELECT r.target_identifier, `+contentColumns+from, q.args, []any{&target},
			func(e catalog.Entity) error { return fn(target, e) })
	})
}

// values is Linked for who wants properties and times alone: of many entities the rest is most of the work.
func (t *catalogTx) values(ctx context.Context, from string, args []any, blueprint string, fn func(string, catalog.Entity) error) error {
	return t.each(ctx, `SELECT r.target_identifier, e.properties, e.created_at, e.updated_at`+from, args, func(r *sql.Rows) error {
		e := catalog.Entity{Blueprint: blueprint}
		var target string
		var properties []byte
		var created, updated int64
		if err := r.Scan(&target, &properties, &created, &updated); err != nil {
			return err
		}
		e.Properties, e.CreatedAt, e.UpdatedAt = properties, fromMillis(created), fromMillis(updated)
		return fn(target, e)
	})
}

// LinkCounts implements catalog.View.
func (t *catalogTx) LinkCounts(ctx context.Context, l catalog.Link) (map[string]int64, error) {
	counts := map[string]int64{}
	err := t.named(l.Identifiers, func(part []string) error {
		q, from, err := t.link(ctx, l, part)
		if q == nil || err != nil {
			return err
		}
		if strings.Contains(from, " e ") {
			q.conditions = append(q.conditions, "e.id = r.entity_id")
		}
		return t.each(ctx, `SELECT r.target_identifier, count(*)`+from+q.where()+` GROUP BY r.target_identifier`, q.args, func(r *sql.Rows) error {
			var target string
			var n int64
			err := r.Scan(&target, &n)
			counts[target] = n
			return err
		})
	})
	return counts, err
}
