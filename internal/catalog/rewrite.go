package catalog

import (
	"context"
	"slices"
	"strings"

	"longshore/internal/fault"
)

// rewriteChunk is how many entities are rewritten at a time.
const rewriteChunk = 500

// rewrite puts every entity of a blueprint through edit, which says whether it changed it. before and after are the
// blueprint's rules on either side: relation rows follow. Nothing is noted in the history: it is the blueprint that
// changed. tx must know the new blueprint already.
func rewrite(ctx context.Context, tx Tx, before, after *rules, edit func(*Entity, *State) (bool, error)) error {
	return tx.Each(ctx, before.Identifier, rewriteChunk, func(list []Entity) error {
		keys := make([]Key, len(list))
		for i, e := range list {
			keys[i] = Key{e.Blueprint, e.Identifier}
		}
		states, err := tx.States(ctx, keys)
		if err != nil {
			return err
		}
		var saved []Saved
		for i := range list {
			e := &list[i]
			had := refsOf(before, e.Relations)
			changed, err := edit(e, &states[i])
			if err != nil {
				return err
			}
			if !changed {
				continue
			}
			states[i].Digest = nil
			s := Saved{Key: keys[i], State: states[i], Entity: e}
			s.Add, s.Drop = diffRefs(had, refsOf(after, e.Relations))
			saved = append(saved, s)
		}
		if len(saved) == 0 {
			return nil
		}
		_, err = tx.Save(ctx, saved)
		return err
	})
}

// entities gives the values of the blueprint's entities their new name, and the stamps that own them.
func (n *renaming) entities(ctx context.Context, tx Tx, old *rules) error {
	renamed := *old
	renamed.relations = make(map[string]*Relation, len(old.relations))
	for name, rel := range old.relations {
		if n.kind == aRelation && name == n.from {
			name = n.to
		}
		renamed.relations[name] = rel
	}
	prefix := "."
	if n.kind == aRelation {
		prefix = ">"
	}
	return rewrite(ctx, tx, old, &renamed, func(e *Entity, s *State) (bool, error) {
		into := &e.Properties
		if n.kind == aRelation {
			into = &e.Relations
		}
		text, changed := renameMember(*into, n.from, n.to)
		*into = text
		stamps := make([]*Stamp, 0, 1+len(s.Older))
		stamps = append(stamps, &s.Head)
		for i := range s.Older {
			stamps = append(stamps, &s.Older[i])
		}
		for _, stamp := range stamps {
			if i := slices.Index(stamp.Fields, prefix+n.from); i >= 0 {
				fields := slices.Clone(stamp.Fields)
				fields[i] = prefix + n.to
				slices.Sort(fields)
				stamp.Fields, changed = fields, true
			}
		}
		if slices.ContainsFunc(s.Flags, func(f Flag) bool { return rootOf(f) == n.from }) {
			s.Flags, changed = slices.Clone(s.Flags), true
			for i, f := range s.Flags {
				if rootOf(f) == n.from {
					s.Flags[i].Property = n.to + strings.TrimPrefix(f.Property, n.from)
				}
			}
		}
		e.Flags = s.Flags
		return changed, nil
	})
}

// renameMember returns a canonical object with one member under another name.
func renameMember(object []byte, from, to string) (out []byte, changed bool) {
	var list []Field
	members(object, func(name string, value []byte) {
		if name == from {
			name, changed = to, true
		}
		list = append(list, Field{name, value})
	})
	if !changed {
		return object, false
	}
	slices.SortFunc(list, func(a, b Field) int {
		return strings.Compare(string(appendText(nil, a.Name)), string(appendText(nil, b.Name)))
	})
	out = []byte{'{'}
	for _, f := range list {
		out = appendMember(out, f.Name, f.Value)
	}
	return append(out, '}'), true
}

// changeMany takes the values of relations that become single, or many, to the new shape. A list of several has none.
func changeMany(ctx context.Context, tx Tx, old *rules, b *Blueprint) error {
	many := map[string]bool{}
	for _, r := range old.Relations {
		if s := b.relation(r.Name); s != nil && s.Many != r.Many && r.InverseOf == "" && s.InverseOf == "" {
			many[r.Name] = s.Many
		}
	}
	if len(many) == 0 {
		return nil
	}
	return rewrite(ctx, tx, old, old, func(e *Entity, _ *State) (changed bool, err error) {
		out := []byte{'{'}
		members(e.Relations, func(name string, value []byte) {
			toMany, is := many[name]
			ids, _ := texts(value)
			switch {
			case is && toMany:
				value, changed = textList(ids), true
			case is && len(ids) > 1:
				err = fault.Errorf(fault.Invalid, "relation %q of %q cannot become single: entity %q has %d", name, old.Identifier, e.Identifier, len(ids)).
					WithCode("relation_many_violation", map[string]any{"relation": name, "entity": e.Identifier})
			case is:
				changed = true
				if len(ids) == 0 {
					return
				}
				value = appendText(nil, ids[0])
			}
			out = appendMember(out, name, value)
		})
		e.Relations = append(out, '}')
		return changed, err
	})
}

// clearRelationsTo takes the entities of a blueprint out of the optional relations of others. What waits for an entity
// that is not there goes on waiting.
func (c *Catalog) clearRelationsTo(ctx context.Context, tx Tx, m *model, id string, w Writer) error {
	for _, other := range m.order {
		for _, r := range m.rules[other].Relations {
			if r.Target != id || other == id || r.InverseOf != "" {
				continue
			}
			err := tx.Each(ctx, other, rewriteChunk, func(list []Entity) error {
				changes, err := clearing(ctx, tx, list, r, w)
				if err == nil && len(changes) > 0 {
					_, err = c.Apply(ctx, tx, changes, nil)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// clearing returns the changes that take what is there out of one relation of the entities.
func clearing(ctx context.Context, tx Tx, list []Entity, r Relation, w Writer) ([]Change, error) {
	named := make([][]string, len(list))
	var keys []Key
	for i, e := range list {
		members(e.Relations, func(name string, value []byte) {
			if name == r.Name {
				named[i], _ = texts(value)
			}
		})
		for _, id := range named[i] {
			keys = append(keys, Key{r.Target, id})
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	there, err := tx.Present(ctx, keys)
	if err != nil {
		return nil, err
	}
	var changes []Change
	for i, e := range list {
		left := slices.DeleteFunc(slices.Clone(named[i]), func(id string) bool { return there[Key{r.Target, id}] })
		if len(left) == len(named[i]) {
			continue
		}
		value := textList(left)
		if !r.Many {
			value = []byte("null")
		}
		changes = append(changes, Change{
			Blueprint: e.Blueprint, Identifier: e.Identifier, Relations: []Field{{r.Name, value}}, Lenient: true, Actor: w.Actor, Source: w.Source,
		})
	}
	return changes, nil
}
