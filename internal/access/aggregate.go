package access

import (
	"context"
	"encoding/json"
	"strings"

	"longshore/internal/catalog"
)

// Aggregate is the catalog's, over what the caller may see.
func (g *Guard) Aggregate(ctx context.Context, spec json.RawMessage) (json.RawMessage, error) {
	return g.aggregate(ctx, spec, "", (*catalog.Catalog).Aggregate)
}

// AggregateOverTime is the catalog's, over what the caller may see.
func (g *Guard) AggregateOverTime(ctx context.Context, spec json.RawMessage) (json.RawMessage, error) {
	return g.aggregate(ctx, spec, "blueprint", (*catalog.Catalog).AggregateOverTime)
}

// aggregate lays over the query of a spec that only what is seen is looked at. blueprint is the member that names the
// blueprint; "" for none.
func (g *Guard) aggregate(ctx context.Context, spec json.RawMessage, blueprint string,
	run func(*catalog.Catalog, context.Context, json.RawMessage) (json.RawMessage, error),
) (json.RawMessage, error) {
	c, err := g.caller(ctx)
	if err != nil {
		return nil, err
	}
	members, err := exact(spec, "query", "blueprint")
	if err != nil {
		return nil, err
	}
	id := ""
	if blueprint != "" && json.Unmarshal(members[blueprint], &id) != nil {
		return nil, invalid("%s: want a blueprint's identifier", blueprint)
	}
	seen := g.Catalog
	if !c.admin() {
		_, s, query, err := g.look(ctx, id, members["query"])
		if err != nil {
			return nil, err
		}
		seen = g.seen(s)
		if !s.all() && query != nil {
			members["query"] = query
			if spec, err = encode(members); err != nil {
				return nil, err
			}
		}
	}
	result, err := run(seen, ctx, spec)
	if err != nil {
		return nil, err
	}
	return result, g.read(ctx, id, nil)
}

// PropertiesHistory is the catalog's. Errors: fault.Denied when the caller may not see the entity.
func (g *Guard) PropertiesHistory(ctx context.Context, spec json.RawMessage) (json.RawMessage, error) {
	c, err := g.caller(ctx)
	if err != nil {
		return nil, err
	}
	members, err := exact(spec, "entityIdentifier", "blueprintIdentifier")
	if err != nil {
		return nil, err
	}
	var blueprint, entity string
	for name, into := range map[string]*string{"blueprintIdentifier": &blueprint, "entityIdentifier": &entity} {
		if json.Unmarshal(members[name], into) != nil {
			return nil, invalid("%s: want an identifier", name)
		}
	}
	if _, err := g.EntityAs(ctx, blueprint, entity, catalog.Reading{Stored: true, Unscored: true}); err != nil {
		return nil, err
	}
	s, err := g.scope(ctx, c)
	if err != nil {
		return nil, err
	}
	return g.seen(s).PropertiesHistory(ctx, spec)
}

// exact reads an object whose members of these names are spelled so: who reads it again takes another case for the same.
func exact(spec json.RawMessage, names ...string) (map[string]json.RawMessage, error) {
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(spec, &members); err != nil {
		return nil, invalid("want an object: %v", err)
	}
	for have := range members {
		for _, name := range names {
			if have != name && strings.EqualFold(have, name) {
				return nil, invalid("unknown member %q: want %q", have, name)
			}
		}
	}
	return members, nil
}
