package catalog

import "context"

// Gate says whether a change may be made: nil, or why not. It is asked within the transaction that makes the change, and
// so of permissions that nobody can change before the change is made; not of changes that one which may be made entails.
type Gate func(ctx context.Context, change *Change, at Moment) error

// Gated is the catalog with changes that gate refuses rejected.
func (c *Catalog) Gated(gate Gate) *Catalog {
	gated := *c
	gated.gate = gate
	return &gated
}

// Moment is the catalog as a change meets it. It is of use until the Gate returns.
type Moment struct {
	b   *batch
	rec *record
}

// Blueprints are all blueprints, ordered by identifier, with the permissions that hold now.
func (m Moment) Blueprints() []Blueprint { return m.b.blueprints() }

// Blueprint returns one blueprint.
func (m Moment) Blueprint(id string) (b Blueprint, there bool) {
	r := m.b.rules[id]
	if r == nil {
		return b, false
	}
	return r.Blueprint, true
}

// Exists reports whether the entity that the change is about is there.
func (m Moment) Exists() bool { return m.rec.there }

// Before returns the entity that the change is about with the team that it has or inherits, and whether it is there.
func (m Moment) Before() (Entity, bool, error) { return m.entity(m.rec) }

// Entity returns an entity with the team that it has or inherits, and whether it is there.
func (m Moment) Entity(key Key) (e Entity, there bool, err error) {
	if m.b.rules[key.Blueprint] == nil || !legalEntityID(key.Identifier) {
		return e, false, nil
	}
	rec, err := m.b.record(key)
	if err != nil {
		return e, false, err
	}
	return m.entity(rec)
}

func (m Moment) entity(rec *record) (Entity, bool, error) {
	if !rec.there {
		return Entity{}, false, nil
	}
	if !rec.loaded {
		if err := m.b.load([]*record{rec}); err != nil {
			return Entity{}, false, err
		}
	}
	if rec.rules.owned.path == nil {
		return rec.entity, true, nil
	}
	if err := m.b.flush(); err != nil { // its owners may be among what the batch has changed
		return Entity{}, false, err
	}
	one := []Entity{rec.entity}
	err := addTeams(m.b.ctx, m.b.tx, m.b.model, one, 0)
	return one[0], true, err
}
