package access

import (
	"bytes"
	"context"
	"encoding/json"

	"longshore/internal/auth"
	"longshore/internal/catalog"
)

// Write is the catalog's. Errors: fault.Denied when the caller may not make this change. The entity that is returned is
// what was sent when the caller may not read it.
func (g *Guard) Write(ctx context.Context, change catalog.Change) (catalog.Result, error) {
	c, cat, err := g.gated(ctx)
	if err != nil {
		return catalog.Result{}, err
	}
	result, err := cat.Write(ctx, change)
	if err != nil || c.admin() || result.Entity.Identifier == "" {
		return result, err
	}
	s, err := g.scope(ctx, c)
	if err != nil {
		return catalog.Result{}, err
	}
	if c.Role != auth.Ingest && s.sees(c, change.Blueprint, result.Entity.Team) {
		return result, nil
	}
	result.Entity, err = said(change, result.Entity)
	result.Withheld, result.Flags, result.Pending, result.Healed = true, nil, nil, nil
	return result, err
}

// WriteAll is the catalog's. Errors: fault.Denied when the caller may not make one of the changes.
func (g *Guard) WriteAll(ctx context.Context, changes []catalog.Change) ([]catalog.Result, error) {
	_, cat, err := g.gated(ctx)
	if err != nil {
		return nil, err
	}
	return cat.WriteAll(ctx, changes)
}

// WriteEach is the catalog's. A change that the caller may not make has fault.Denied as its result's error.
func (g *Guard) WriteEach(ctx context.Context, changes []catalog.Change) ([]catalog.Result, error) {
	_, cat, err := g.gated(ctx)
	if err != nil {
		return nil, err
	}
	return cat.WriteEach(ctx, changes)
}

// gated is the catalog as the caller may change it. Permissions come with the blueprints, which a transaction reads anew
// when they have changed: what is allowed is allowed while it is done, and many changes cost no more than one.
func (g *Guard) gated(ctx context.Context) (*caller, *catalog.Catalog, error) {
	c, err := g.caller(ctx)
	if err != nil || c.admin() {
		return c, g.Catalog, err
	}
	if err := c.load(ctx); err != nil {
		return nil, nil, err
	}
	cat := g.Seen(func(all []catalog.Blueprint) []string { return c.scope(all).partly() })
	return c, cat.Gated(c.mayWrite), nil
}

// said is an entity as far as the change said it. Of a relation that was given as a search it has what was found: a
// search looks at nothing that the caller may not see.
func said(change catalog.Change, e catalog.Entity) (catalog.Entity, error) {
	out := catalog.Entity{Blueprint: e.Blueprint, Identifier: e.Identifier}
	if change.Title != nil {
		out.Title = e.Title
	}
	if change.Icon != nil {
		out.Icon = e.Icon
	}
	if change.Team != nil {
		out.Team = e.Team
	}
	for _, part := range []struct {
		sent []catalog.Field
		is   json.RawMessage
		into *json.RawMessage
	}{{change.Properties, e.Properties, &out.Properties}, {change.Relations, e.Relations, &out.Relations}} {
		is := map[string]json.RawMessage{}
		if err := json.Unmarshal(part.is, &is); err != nil {
			return out, err
		}
		members := map[string]json.RawMessage{}
		for _, f := range part.sent {
			members[f.Name] = f.Value
			if text := bytes.TrimSpace(f.Value); len(text) > 0 && text[0] == '{' && part.into == &out.Relations {
				members[f.Name] = is[f.Name]
			}
		}
		text, err := encode(members)
		if err != nil {
			return out, err
		}
		*part.into = text
	}
	return out, nil
}
