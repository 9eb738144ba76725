package access

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// Write is the catalog's. Errors: fault.Denied when the caller may not make this change.
func (g *Guard) Write(ctx context.Context, change catalog.Change) (catalog.Result, error) {
	if err := g.mayWrite(ctx, &change); err != nil {
		return catalog.Result{}, err
	}
	return g.Catalog.Write(ctx, change)
}

// WriteAll is the catalog's. Errors: fault.Denied when the caller may not make one of the changes.
func (g *Guard) WriteAll(ctx context.Context, changes []catalog.Change) ([]catalog.Result, error) {
	for i := range changes {
		if err := g.mayWrite(ctx, &changes[i]); err != nil {
			return nil, err
		}
	}
	return g.Catalog.WriteAll(ctx, changes)
}

// WriteEach is the catalog's. A change that the caller may not make has fault.Denied as its result's error.
func (g *Guard) WriteEach(ctx context.Context, changes []catalog.Change) ([]catalog.Result, error) {
	results := make([]catalog.Result, len(changes))
	var may []catalog.Change
	var at []int
	for i := range changes {
		switch err := g.mayWrite(ctx, &changes[i]); {
		case err == nil:
			may, at = append(may, changes[i]), append(at, i)
		case fault.Is(err, fault.Denied), fault.Is(err, fault.NotFound), fault.Is(err, fault.Invalid):
			results[i] = catalog.Result{Outcome: catalog.OutcomeRejected, Identifier: changes[i].Identifier, Err: err}
		default:
			return nil, err
		}
	}
	written, err := g.Catalog.WriteEach(ctx, may)
	if err != nil {
		return nil, err
	}
	for i := range written {
		results[at[i]] = written[i]
	}
	return results, nil
}

// mayWrite checks a change against the permissions of its blueprint. What is wrong with the change otherwise is the
// catalog's to say.
func (g *Guard) mayWrite(ctx context.Context, change *catalog.Change) error {
	c, err := g.caller(ctx)
	if err != nil || c.admin() {
		return err
	}
	if err := c.load(ctx); err != nil {
		return err
	}
	b, err := g.Catalog.Blueprint(ctx, change.Blueprint)
	if err != nil {
		return err
	}
	p := c.permissions(b)
	before, there, err := g.before(ctx, change)
	if err != nil {
		return err
	}
	if change.CreateMissingRelated {
		if err := g.mayCreateRelated(ctx, c, b, change); err != nil {
			return err
		}
	}
	switch {
	case change.Op == catalog.OpDelete:
		if !c.mayWith(p.Unregister, before.Team) {
			return c.refused(b.Identifier, "unregister")
		}
		if change.DeleteDependents {
			return g.mayDeleteDependents(ctx, c, b.Identifier)
		}
		return nil
	case !there:
		if !c.mayWith(p.Register, change.Team) {
			return c.refused(b.Identifier, "register")
		}
		return nil
	case c.mayWith(p.Update, before.Team):
		return nil
	}
	for _, path := range touched(before, change) {
		leaf, ok := p.UpdateProperties[path.name]
		if path.relation {
			leaf, ok = p.UpdateRelations[path.name]
		}
		if ok && c.mayWith(leaf, before.Team) {
			continue
		}
		if path.relation {
			return c.refused(b.Identifier, "updateRelations."+path.name)
		}
		return c.refused(b.Identifier, "updateProperties."+path.name)
	}
	return nil
}

// before returns the entity that a change is about. A change that finds it by a query is pinned to what was found.
func (g *Guard) before(ctx context.Context, change *catalog.Change) (e catalog.Entity, there bool, err error) {
	if change.IdentifierQuery != nil {
		page, err := g.Catalog.Search(ctx, catalog.SearchRequest{Blueprint: change.Blueprint, Query: change.IdentifierQuery, Limit: 2})
		if err != nil || len(page.Entities) != 1 {
			return e, false, err
		}
		change.Identifier, change.IdentifierQuery = page.Entities[0].Identifier, nil
	}
	e, err = g.Catalog.Entity(ctx, change.Blueprint, change.Identifier)
	if fault.Is(err, fault.NotFound) {
		return e, false, nil
	}
	return e, err == nil, err
}

// field is a property or a relation that a change changes.
type field struct {
	name     string
	relation bool
}

// touched lists what a change changes of an entity: what it sends that is another value, and, when it replaces, what it
// leaves out.
func touched(before catalog.Entity, change *catalog.Change) []field {
	var all []field
	for _, m := range []struct {
		name string
		sent []byte
		was  any
	}{{"$title", change.Title, before.Title}, {"$icon", change.Icon, before.Icon}, {"$team", change.Team, before.Team}} {
		var was json.RawMessage
		switch v := m.was.(type) {
		case string:
			was, _ = encode(v)
			if v == "" {
				was = nil
			}
		case json.RawMessage:
			was = v
		}
		if (m.sent != nil || change.Op == catalog.OpReplace) && !same(m.sent, was) {
			all = append(all, field{m.name, false})
		}
	}
	if change.Rename != "" && change.Rename != before.Identifier {
		all = append(all, field{"$identifier", false})
	}
	for _, part := range []struct {
		sent     []catalog.Field
		was      json.RawMessage
		relation bool
	}{{change.Properties, before.Properties, false}, {change.Relations, before.Relations, true}} {
		was := map[string]json.RawMessage{}
		_ = json.Unmarshal(part.was, &was) // canonical: an object
		sent := map[string]bool{}
		for _, f := range part.sent {
			sent[f.Name] = true
			if !same(f.Value, was[f.Name]) {
				all = append(all, field{f.Name, part.relation})
			}
		}
		for name := range was {
			if change.Op == catalog.OpReplace && !sent[name] {
				all = append(all, field{name, part.relation})
			}
		}
	}
	return all
}

// same compares JSON values; what is not there is null.
func same(a, b []byte) bool {
	return reflect.DeepEqual(decoded(a), decoded(b))
}

func decoded(text []byte) any {
	if len(text) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return string(text) // it is refused by whoever reads it
	}
	if list, ok := v.([]any); ok && len(list) == 0 {
		return nil // an empty list of related entities is none
	}
	return v
}

// mayCreateRelated checks that the caller may register entities where the change's relations may create them.
func (g *Guard) mayCreateRelated(ctx context.Context, c *caller, b catalog.Blueprint, change *catalog.Change) error {
	for _, f := range change.Relations {
		for _, r := range b.Relations {
			if r.Name != f.Name || same(f.Value, nil) {
				continue
			}
			target, err := g.Catalog.Blueprint(ctx, r.Target)
			if fault.Is(err, fault.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if !c.may(c.permissions(target).Register) {
				return c.refused(target.Identifier, "register")
			}
		}
	}
	return nil
}

// mayDeleteDependents checks that the caller may unregister entities of every blueprint that points at this one, or at
// one that does.
func (g *Guard) mayDeleteDependents(ctx context.Context, c *caller, blueprint string) error {
	list, err := g.Catalog.Blueprints(ctx)
	if err != nil {
		return err
	}
	reached := map[string]bool{blueprint: true}
	for grew := true; grew; {
		grew = false
		for _, b := range list {
			for _, r := range b.Relations {
				if !r.Required || !reached[r.Target] || reached[b.Identifier] && b.Identifier != blueprint {
					continue
				}
				if !c.may(c.permissions(b).Unregister) {
					return c.refused(b.Identifier, "unregister")
				}
				if !reached[b.Identifier] {
					reached[b.Identifier], grew = true, true
				}
			}
		}
	}
	return nil
}
