package access

import (
	"context"
	"maps"
	"slices"

	"longshore/internal/catalog"
)

// Search is the catalog's, of what the caller may see.
func (g *Guard) Search(ctx context.Context, req catalog.SearchRequest) (catalog.SearchPage, error) {
	_, s, query, err := g.look(ctx, req.Blueprint, req.Query)
	if err != nil {
		return catalog.SearchPage{}, err
	}
	req.Query = query
	page, err := g.seen(s).Search(ctx, req)
	if err != nil {
		return page, err
	}
	return page, g.read(ctx, req.Blueprint, page.Entities)
}

// FindWords is the catalog's, of what the caller may see.
func (g *Guard) FindWords(ctx context.Context, text string, limit int) ([]catalog.Entity, error) {
	c, s, _, err := g.look(ctx, "", nil)
	if err != nil {
		return nil, err
	}
	list, err := g.FindWordsAmong(ctx, text, limit, func(e *catalog.Entity) bool { return s.sees(c, e.Blueprint, e.Team) })
	if err != nil {
		return nil, err
	}
	return list, g.read(ctx, "", list)
}

// CountMatches is the catalog's, of what the caller may see.
func (g *Guard) CountMatches(ctx context.Context, req catalog.SearchRequest) (int64, error) {
	_, s, query, err := g.look(ctx, req.Blueprint, req.Query)
	if err != nil {
		return 0, err
	}
	req.Query = query
	n, err := g.seen(s).CountMatches(ctx, req)
	if err != nil {
		return n, err
	}
	return n, g.read(ctx, req.Blueprint, nil)
}

// CountEntities is the catalog's. Errors: fault.Denied when the caller may not see them all.
func (g *Guard) CountEntities(ctx context.Context, blueprint string) (int64, error) {
	c, s, _, err := g.look(ctx, blueprint, nil)
	if err != nil {
		return 0, err
	}
	if s.owned[blueprint] {
		return 0, c.refused(blueprint, "read")
	}
	return g.Catalog.CountEntities(ctx, blueprint)
}

// Counts is the catalog's, without the blueprints that the caller may not see whole.
func (g *Guard) Counts(ctx context.Context) (map[string]int64, error) {
	_, s, _, err := g.look(ctx, "", nil)
	if err != nil {
		return nil, err
	}
	counts, err := g.Catalog.Counts(ctx)
	maps.DeleteFunc(counts, func(id string, _ int64) bool { return s.hidden[id] || s.owned[id] })
	return counts, err
}

// Entity is the catalog's. Errors: fault.Denied when the caller may not see it.
func (g *Guard) Entity(ctx context.Context, blueprint, identifier string) (catalog.Entity, error) {
	return g.EntityAs(ctx, blueprint, identifier, catalog.Reading{})
}

// EntityAs is the catalog's. Errors: fault.Denied when the caller may not see it.
func (g *Guard) EntityAs(ctx context.Context, blueprint, identifier string, how catalog.Reading) (catalog.Entity, error) {
	c, s, _, err := g.look(ctx, blueprint, nil)
	if err != nil {
		return catalog.Entity{}, err
	}
	e, err := g.seen(s).EntityAs(ctx, blueprint, identifier, how)
	if err != nil {
		return e, err
	}
	if s.owned[blueprint] && !c.owns(e.Team) {
		return catalog.Entity{}, c.refused(blueprint, "read")
	}
	return e, g.read(ctx, blueprint, []catalog.Entity{e})
}

// Referrers is the catalog's, without those of blueprints that the caller may not see whole.
func (g *Guard) Referrers(ctx context.Context, target catalog.Key) ([]catalog.ReferrerCount, error) {
	_, s, _, err := g.look(ctx, target.Blueprint, nil)
	if err != nil {
		return nil, err
	}
	list, err := g.Catalog.Referrers(ctx, target)
	return slices.DeleteFunc(list, func(r catalog.ReferrerCount) bool { return s.hidden[r.Blueprint] || s.owned[r.Blueprint] }), err
}

// ReferrersBy is the catalog's, of what the caller may see.
func (g *Guard) ReferrersBy(ctx context.Context, target catalog.Key, blueprint, relation string, after int64, limit int) ([]catalog.Entity, error) {
	c, s, _, err := g.look(ctx, blueprint, nil)
	if err != nil {
		return nil, err
	}
	list, err := g.Catalog.ReferrersBy(ctx, target, blueprint, relation, after, limit)
	if err != nil {
		return nil, err
	}
	if s.owned[blueprint] {
		list = slices.DeleteFunc(list, func(e catalog.Entity) bool { return !c.owns(e.Team) })
	}
	return list, g.read(ctx, blueprint, list)
}

// Pending is the catalog's, without what blueprints wait for, or are waited for, that the caller may not see whole:
// what waits is not there.
func (g *Guard) Pending(ctx context.Context, samples int) (catalog.PendingReport, error) {
	_, s, _, err := g.look(ctx, "", nil)
	if err != nil {
		return catalog.PendingReport{}, err
	}
	unseen := union(s.hidden, s.owned)
	report, err := g.Catalog.Pending(ctx, samples)
	report.Groups = slices.DeleteFunc(report.Groups, func(p catalog.PendingGroup) bool {
		gone := unseen[p.Blueprint] || unseen[p.Target]
		if gone {
			report.Count -= p.Count
		}
		return gone
	})
	return report, err
}
