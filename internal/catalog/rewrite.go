package catalog

import (
	"context"
	"slices"
	"strings"
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
