package catalog

import (
	"context"
	"encoding/json"
	"slices"

	"longshore/internal/fault"
)

// Entity returns one entity, inverse relations and derived properties included, or fault.NotFound.
func (c *Catalog) Entity(ctx context.Context, blueprint, identifier string) (Entity, error) {
	return c.EntityAs(ctx, blueprint, identifier, Reading{})
}

// EntityAs is Entity with a say in how it is read.
func (c *Catalog) EntityAs(ctx context.Context, blueprint, identifier string, how Reading) (Entity, error) {
	var e Entity
	err := c.store.InView(ctx, func(v View) error {
		m, err := c.modelOf(ctx, v)
		if err != nil {
			return err
		}
		if m.rules[blueprint] == nil {
			return missing("Blueprint", blueprint)
		}
		if e, err = c.entity(ctx, v, m, Key{blueprint, identifier}); err != nil {
			return err
		}
		one := []Entity{e}
		err = c.readAs(ctx, v, m, one, how)
		e = one[0]
		return err
	})
	return e, err
}

func (c *Catalog) entity(ctx context.Context, v View, m *model, key Key) (Entity, error) {
	e, err := v.Entity(ctx, key)
	if fault.Is(err, fault.NotFound) {
		return e, missing("Entity", key.Identifier)
	}
	if err != nil {
		return e, err
	}
	one := []Entity{e}
	err = c.addInverses(ctx, v, m, one)
	return one[0], err
}

// addInverses fills in what is read from other entities as it stands there: inverse relations, and inherited teams.
func (c *Catalog) addInverses(ctx context.Context, v View, m *model, entities []Entity) error {
	byBlueprint := map[string][]int{}
	for i, e := range entities {
		if r := m.rules[e.Blueprint]; r != nil && slices.ContainsFunc(r.Relations, func(rel Relation) bool { return rel.InverseOf != "" }) {
			byBlueprint[e.Blueprint] = append(byBlueprint[e.Blueprint], i)
		}
	}
	for blueprint, places := range byBlueprint {
		ids := make([]string, len(places))
		for i, at := range places {
			ids[i] = entities[at].Identifier
		}
		for _, rel := range m.rules[blueprint].Relations {
			if rel.InverseOf == "" {
				continue
			}
			found, err := v.Inverse(ctx, rel.Target, rel.InverseOf, blueprint, ids)
			if err != nil {
				return err
			}
			for _, at := range places {
				e := &entities[at]
				e.Relations = withRelation(e.Relations, rel, found[e.Identifier])
			}
		}
	}
	return addTeams(ctx, v, m, entities, 0)
}

// withRelation puts a relation's identifiers into an entity's relations.
func withRelation(relations json.RawMessage, rel Relation, ids []string) json.RawMessage {
	if len(ids) == 0 && !rel.Many {
		return relations
	}
	value := textList(ids)
	if !rel.Many {
		value = appendText(nil, ids[0])
	}
	out, done := []byte{'{'}, false
	members(relations, func(name string, v []byte) {
		if !done && name >= rel.Name {
			out, done = appendMember(out, rel.Name, value), true
		}
		if name != rel.Name {
			out = appendMember(out, name, v)
		}
	})
	if !done {
		out = appendMember(out, rel.Name, value)
	}
	return append(out, '}')
}

// CountEntities returns how many entities a blueprint has, or fault.NotFound.
func (c *Catalog) CountEntities(ctx context.Context, blueprint string) (int64, error) {
	counts, err := c.Counts(ctx)
	if err != nil {
		return 0, err
	}
	n, ok := counts[blueprint]
	if !ok {
		return 0, missing("Blueprint", blueprint)
	}
	return n, nil
}

// Counts returns how many entities each blueprint has.
func (c *Catalog) Counts(ctx context.Context) (counts map[string]int64, err error) {
	err = c.store.InView(ctx, func(v View) (err error) {
		counts, err = v.Counts(ctx)
		return err
	})
	return counts, err
}

// Referrers returns who points at the entity: how many of each blueprint by each relation. The entity need not be there.
func (c *Catalog) Referrers(ctx context.Context, target Key) (counts []ReferrerCount, err error) {
	err = c.store.InView(ctx, func(v View) (err error) {
		counts, err = v.ReferrerCounts(ctx, target)
		return err
	})
	return counts, err
}

// ReferrersBy returns a page of the blueprint's entities whose relation points at the target, in order of row id: after
// the id given, at most limit (0 means 200, at most 1000).
func (c *Catalog) ReferrersBy(ctx context.Context, target Key, blueprint, relation string, after int64, limit int) (list []Entity, err error) {
	if limit <= 0 {
		limit = defaultPage
	}
	err = c.store.InView(ctx, func(v View) (err error) {
		list, err = v.Referrers(ctx, target, blueprint, relation, after, min(limit, maxPage))
		return err
	})
	return list, err
}

// Pending returns the relations that wait for their targets.
func (c *Catalog) Pending(ctx context.Context, samples int) (report PendingReport, err error) {
	err = c.store.InView(ctx, func(v View) (err error) {
		report, err = v.Pending(ctx, min(max(samples, 0), 100))
		return err
	})
	return report, err
}
