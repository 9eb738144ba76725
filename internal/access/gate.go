package access

import (
	"context"
	"encoding/json"
	"slices"

	"longshore/internal/catalog"
)

// mayWrite checks a change against the permissions of its blueprint, and of those that it reaches. It implements
// [catalog.Gate]. What is wrong with the change otherwise is the catalog's to say.
//
// A caller who does not see the entity is refused alike whether it is there or not, and whatever it holds.
func (c *caller) mayWrite(_ context.Context, change *catalog.Change, at catalog.Moment) error {
	b, there := at.Blueprint(change.Blueprint)
	if !there {
		return nil
	}
	p, err := permissionsOf(b)
	if err != nil {
		return err
	}
	w := writing{c, change, at, b, p, catalog.Entity{}, at.Exists(), c.may(p.Read)}
	if w.there && !(w.sees && c.may(p.Update)) {
		if w.before, _, err = at.Before(); err != nil {
			return err
		}
		w.sees = w.sees || c.mayWith(p.Read, w.before.Team)
	}
	if change.Op == catalog.OpDelete {
		return w.mayDelete()
	}
	switch {
	case w.there && change.Exists != catalog.MustNotExist:
		err = w.mayUpdate()
	case change.Exists == catalog.MustExist:
		if !w.sees && !c.may(p.Update) {
			err = w.refused("update")
		}
	case !c.mayWith(p.Register, change.Team):
		err = w.refused("register")
	}
	if err != nil {
		return err
	}
	return w.mayRelate()
}

// writing is a change that is being checked.
type writing struct {
	*caller
	change *catalog.Change
	at     catalog.Moment
	b      catalog.Blueprint
	Permissions
	before catalog.Entity // when it decides
	there  bool
	sees   bool // the entity, if it is there
}

// refused is the answer to what the caller may not do. To one who does not see the entity it does not tell which
// permission is missing: that would tell whether the entity is there.
func (w *writing) refused(permission string) error {
	if !w.sees {
		permission = "read"
	}
	return w.caller.refused(w.b.Identifier, permission)
}

func (w *writing) mayDelete() error {
	if !w.mayWith(w.Unregister, w.before.Team) {
		return w.refused("unregister")
	}
	if w.change.DeleteDependents {
		return w.mayDeleteDependents()
	}
	return nil
}

// mayUpdate checks what the change changes. What the caller does not see is changed by whatever is said of it: if it were
// allowed to say again what is there, guesses would find out what that is.
func (w *writing) mayUpdate() error {
	if w.mayWith(w.Update, w.before.Team) {
		return nil
	}
	fields := touched(w.before, w.change)
	if !w.sees {
		fields = w.said()
	}
	for _, f := range fields {
		leaf, ok := w.UpdateProperties[f.name]
		group := "updateProperties."
		if f.relation {
			leaf, ok = w.UpdateRelations[f.name]
			group = "updateRelations."
		}
		if !ok || !w.mayWith(leaf, w.before.Team) {
			return w.refused(group + f.name)
		}
	}
	if !w.sees && len(fields) == 0 {
		return w.refused("update")
	}
	return nil
}

// said lists what the change says of the entity; a replacement says something of everything.
func (w *writing) said() (all []field) {
	for _, m := range []struct {
		name string
		sent bool
	}{
		{"$title", w.change.Title != nil}, {"$icon", w.change.Icon != nil}, {"$team", w.change.Team != nil}, {"$identifier", w.change.Rename != ""},
	} {
		if m.sent || w.change.Op == catalog.OpReplace && m.name != "$identifier" {
			all = append(all, field{m.name, false})
		}
	}
	if w.change.Op == catalog.OpReplace {
		for _, p := range w.b.Properties {
			all = append(all, field{p.Name, false})
		}
		for _, r := range w.b.Relations {
			all = append(all, field{r.Name, true})
		}
	}
	for _, f := range w.change.Properties {
		all = append(all, field{f.Name, false})
	}
	for _, f := range w.change.Relations {
		all = append(all, field{f.Name, true})
	}
	return all
}

// mayRelate checks where the change's relations point. To relate to an entity is to find out whether it is there, so
// that whoever neither sees it nor may register one like it may not; what was related before may stay.
func (w *writing) mayRelate() error {
	for _, f := range w.change.Relations {
		i := slices.IndexFunc(w.b.Relations, func(r catalog.Relation) bool { return r.Name == f.Name })
		if i < 0 || same(f.Value, nil) {
			continue
		}
		target, there := w.at.Blueprint(w.b.Relations[i].Target)
		if !there {
			continue
		}
		p, err := permissionsOf(target)
		if err != nil {
			return err
		}
		switch {
		case w.may(p.Register):
		case w.change.CreateMissingRelated:
			return w.caller.refused(target.Identifier, "register")
		case !w.may(p.Read):
			if err := w.mayName(target, p.Read, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayName checks the entities that a relation names.
func (w *writing) mayName(target catalog.Blueprint, read Leaf, f catalog.Field) error {
	names := func(value []byte) (ids []string) {
		var one string
		if json.Unmarshal(value, &ids) != nil && json.Unmarshal(value, &one) == nil {
			ids = []string{one}
		}
		return ids // what is a search is for the catalog to refuse
	}
	before, _, err := w.at.Before()
	if err != nil {
		return err
	}
	had := map[string]json.RawMessage{}
	if len(before.Relations) > 0 {
		if err := json.Unmarshal(before.Relations, &had); err != nil {
			return err
		}
	}
	for _, id := range names(f.Value) {
		if slices.Contains(names(had[f.Name]), id) {
			continue
		}
		if w.mayIfOwned(read) {
			e, there, err := w.at.Entity(catalog.Key{Blueprint: target.Identifier, Identifier: id})
			if err != nil {
				return err
			}
			if there && w.owns(e.Team) {
				continue
			}
		}
		return w.caller.refused(target.Identifier, "read")
	}
	return nil
}

// mayDeleteDependents checks that the caller may unregister entities of every blueprint that points at this one, or at
// one that does.
func (w *writing) mayDeleteDependents() error {
	list := w.at.Blueprints()
	reached := map[string]bool{w.b.Identifier: true}
	for grew := true; grew; {
		grew = false
		for _, b := range list {
			if reached[b.Identifier] && b.Identifier != w.b.Identifier {
				continue
			}
			if !slices.ContainsFunc(b.Relations, func(r catalog.Relation) bool { return r.Required && reached[r.Target] }) {
				continue
			}
			p, err := permissionsOf(b)
			if err != nil {
				return err
			}
			if !w.may(p.Unregister) {
				return w.caller.refused(b.Identifier, "unregister")
			}
			if !reached[b.Identifier] {
				reached[b.Identifier], grew = true, true
			}
		}
	}
	return nil
}
