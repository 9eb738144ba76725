package access

import (
	"context"
	"maps"
	"slices"

	"longshore/internal/catalog"
)

// keptKinds are the kinds of things that the doors show to admins alone: so is what was done to them.
var keptKinds = []string{"credential", "webhook", "secret", "app", "migration"}

// History is the catalog's, without the blueprints that the caller may not see whole. What there is of entities of
// blueprints that were deleted is shown to admins alone: nobody can tell any more who might see them, and another
// blueprint of that name is not the same.
func (g *Guard) History(ctx context.Context, f catalog.HistoryFilter) ([]catalog.AuditEntry, error) {
	c, s, _, err := g.look(ctx, f.Blueprint, nil)
	if err != nil {
		return nil, err
	}
	if s.owned[f.Blueprint] {
		return nil, c.refused(f.Blueprint, "read")
	}
	if !c.admin() {
		f.EntitiesOf, f.ExceptKinds = []string{}, append(f.ExceptKinds, keptKinds...)
		for blueprint, kinds := range map[string]string{"_user": "user", "_team": "team"} {
			if s.hidden[blueprint] || s.owned[blueprint] {
				f.ExceptKinds = append(f.ExceptKinds, kinds)
			}
		}
		list, err := g.Blueprints(ctx)
		if err != nil {
			return nil, err
		}
		for _, b := range list {
			if !s.hidden[b.Identifier] && !s.owned[b.Identifier] {
				f.EntitiesOf = append(f.EntitiesOf, b.Identifier)
			}
		}
	}
	f.ExceptBlueprints = append(f.ExceptBlueprints, slices.Sorted(maps.Keys(s.hidden))...)
	f.ExceptBlueprints = append(f.ExceptBlueprints, slices.Sorted(maps.Keys(s.owned))...)
	list, err := g.Catalog.History(ctx, f)
	if err != nil || f.Reads {
		return list, err
	}
	var shown []catalog.Entity
	for _, e := range list {
		if e.Kind == "entity" && e.Identifier != "" {
			shown = append(shown, catalog.Entity{Blueprint: e.Blueprint})
		}
	}
	return list, g.read(ctx, "", shown)
}
