package access

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// documentKind is the kind of the documents that hold permissions.
const documentKind = "permissions"

// Documents keeps documents. Every method is atomic and safe for concurrent use.
type Documents interface {
	// Get returns one document, or fault.NotFound.
	Get(ctx context.Context, key catalog.DocumentKey) (catalog.Document, error)
	// List returns the documents of a kind.
	List(ctx context.Context, kind string) ([]catalog.Document, error)
	// Put adds a document or replaces what there is of that key.
	Put(ctx context.Context, doc catalog.Document) (catalog.Document, error)
}

// Guard is the catalog as its callers may see it and change it. The methods of the catalog that it does not have itself
// are those that tell nothing of entities, or that a door gives to admins alone.
type Guard struct {
	*catalog.Catalog
	Documents Documents
	Teams     func(ctx context.Context, user string) ([]string, error) // the teams of a person; nil for none
	Reads     *Reads                                                   // nil: privileged reads are not recorded
}

func permissionsKey(blueprint string) catalog.DocumentKey {
	return catalog.DocumentKey{Kind: documentKind, Blueprint: blueprint, Identifier: "entities"}
}

// Permissions returns a blueprint's permissions as Port writes them, or fault.NotFound.
func (g *Guard) Permissions(ctx context.Context, blueprint string) (json.RawMessage, error) {
	b, err := g.Catalog.Blueprint(ctx, blueprint)
	if err != nil {
		return nil, err
	}
	set, err := g.keptOf(ctx, blueprint)
	if err != nil {
		return nil, err
	}
	return render(b, set)
}

// PatchPermissions lays a patch over a blueprint's permissions, leaf by leaf, and returns them.
func (g *Guard) PatchPermissions(ctx context.Context, blueprint string, patch json.RawMessage, actor string) (json.RawMessage, error) {
	b, err := g.Catalog.Blueprint(ctx, blueprint)
	if err != nil {
		return nil, err
	}
	set, err := g.keptOf(ctx, blueprint)
	if err != nil {
		return nil, err
	}
	if set, err = merged(b, set, patch); err != nil {
		return nil, err
	}
	if err := g.keep(ctx, blueprint, set, actor); err != nil {
		return nil, err
	}
	return render(b, set)
}

func (g *Guard) keep(ctx context.Context, blueprint string, set kept, actor string) error {
	text, err := encode(set)
	if err != nil {
		return err
	}
	_, err = g.Documents.Put(ctx, catalog.Document{DocumentKey: permissionsKey(blueprint), Doc: text, UpdatedBy: actor})
	return err
}

func (g *Guard) keptOf(ctx context.Context, blueprint string) (kept, error) {
	doc, err := g.Documents.Get(ctx, permissionsKey(blueprint))
	if fault.Is(err, fault.NotFound) {
		return kept{}, nil
	}
	if err != nil {
		return nil, err
	}
	return readKept(doc)
}

func (g *Guard) keptAll(ctx context.Context) (map[string]kept, error) {
	list, err := g.Documents.List(ctx, documentKind)
	if err != nil {
		return nil, err
	}
	all := make(map[string]kept, len(list))
	for _, doc := range list {
		if all[doc.Blueprint], err = readKept(doc); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func readKept(doc catalog.Document) (kept, error) {
	var set kept
	if err := json.Unmarshal(doc.Doc, &set); err != nil {
		return nil, fmt.Errorf("read the permissions of %q: %w", doc.Blueprint, err)
	}
	return set, nil
}

// RenameProperty is the catalog's; the property keeps its permissions.
func (g *Guard) RenameProperty(ctx context.Context, blueprint, from, to string, w catalog.Writer) (catalog.Blueprint, error) {
	return g.renamed(ctx, blueprint, "updateProperties.", from, to, w, g.Catalog.RenameProperty)
}

// RenameRelation is the catalog's; the relation keeps its permissions.
func (g *Guard) RenameRelation(ctx context.Context, blueprint, from, to string, w catalog.Writer) (catalog.Blueprint, error) {
	return g.renamed(ctx, blueprint, "updateRelations.", from, to, w, g.Catalog.RenameRelation)
}

// renamed gives the new name the old one's leaf before the name is there, and takes the old one's away after: at no
// time is either as permissive as from the start.
func (g *Guard) renamed(ctx context.Context, blueprint, group, from, to string, w catalog.Writer,
	rename func(ctx context.Context, blueprint, from, to string, w catalog.Writer) (catalog.Blueprint, error),
) (catalog.Blueprint, error) {
	set, err := g.keptOf(ctx, blueprint)
	if err != nil {
		return catalog.Blueprint{}, err
	}
	leaf, ok := set[group+from]
	b, known := g.Catalog.Blueprint(ctx, blueprint)
	if known != nil || !ok || from == to || slices.Contains(leavesOf(b), group+to) { // nothing to keep, or a rename that will be refused
		return rename(ctx, blueprint, from, to, w)
	}
	set[group+to] = leaf
	if err := g.keep(ctx, blueprint, set, w.Actor); err != nil {
		return catalog.Blueprint{}, err
	}
	b, err = rename(ctx, blueprint, from, to, w)
	if err != nil {
		delete(set, group+to)
		if undo := g.keep(ctx, blueprint, set, w.Actor); undo != nil {
			return b, undo
		}
		return b, err
	}
	delete(set, group+from)
	return b, g.keep(ctx, blueprint, set, w.Actor)
}

// scope is what of the entities a caller may see.
type scope struct {
	hidden map[string]bool // blueprints of which nothing is seen
	owned  map[string]bool // blueprints of which the entities of the caller's teams are seen
	teams  []string
}

func (s scope) all() bool { return len(s.hidden)+len(s.owned) == 0 }

// scope looks through all blueprints.
func (g *Guard) scope(ctx context.Context, c *caller) (scope, error) {
	s := scope{hidden: map[string]bool{}, owned: map[string]bool{}}
	if c.admin() {
		return s, nil
	}
	if err := c.load(ctx); err != nil {
		return s, err
	}
	s.teams = c.teams
	list, err := g.Catalog.Blueprints(ctx)
	if err != nil {
		return s, err
	}
	for _, b := range list {
		leaf := first(b.Identifier, "read")
		if set, ok := c.kept[b.Identifier]["read"]; ok {
			leaf = set
		}
		switch {
		case c.may(leaf):
		case c.mayIfOwned(leaf):
			s.owned[b.Identifier] = true
		default:
			s.hidden[b.Identifier] = true
		}
	}
	return s, nil
}

// SeesAll refuses callers from whom the entities of some blueprint are kept: records and verdicts are shown whatever
// blueprint they became.
func (g *Guard) SeesAll(ctx context.Context) error {
	c, err := g.caller(ctx)
	if err != nil {
		return err
	}
	s, err := g.scope(ctx, c)
	if err != nil || s.all() {
		return err
	}
	hidden := slices.Sorted(maps.Keys(s.hidden))
	hidden = append(hidden, slices.Sorted(maps.Keys(s.owned))...)
	return c.refused(hidden[0], "read")
}

// SeesBlueprint refuses callers who may not see every entity of the blueprint, and notes that they are read.
func (g *Guard) SeesBlueprint(ctx context.Context, blueprint string) error {
	c, s, _, err := g.look(ctx, blueprint, nil)
	if err != nil {
		return err
	}
	if s.owned[blueprint] {
		return c.refused(blueprint, "read")
	}
	return g.read(ctx, blueprint, nil)
}

// seen refuses a blueprint that is hidden, and lays over a query that only what is seen is looked at.
func (s scope) seen(c *caller, blueprint string, query json.RawMessage) (json.RawMessage, error) {
	type rule struct {
		Property   string `json:"property,omitempty"`
		Operator   string `json:"operator,omitempty"`
		Value      any    `json:"value,omitempty"`
		Combinator string `json:"combinator,omitempty"`
		Rules      []any  `json:"rules,omitempty"`
	}
	mine := rule{Property: "$team", Operator: "containsAny", Value: s.teams}
	rules := []any{}
	switch {
	case s.hidden[blueprint]:
		return nil, c.refused(blueprint, "read")
	case s.all() || blueprint != "" && !s.owned[blueprint]:
		return query, nil
	case blueprint != "":
		rules = append(rules, mine)
	default:
		if hidden := slices.Sorted(maps.Keys(s.hidden)); len(hidden) > 0 {
			rules = append(rules, rule{Property: "$blueprint", Operator: "notIn", Value: hidden})
		}
		if owned := slices.Sorted(maps.Keys(s.owned)); len(owned) > 0 {
			rules = append(rules, rule{Combinator: "or", Rules: []any{rule{Property: "$blueprint", Operator: "notIn", Value: owned}, mine}})
		}
	}
	var asked struct {
		Rules json.RawMessage `json:"rules"`
	}
	// Whatever is wrong with a query is told by whoever reads it; one without rules matches everything.
	if len(query) > 0 && (json.Unmarshal(query, &asked) != nil || len(asked.Rules) > 0 && string(bytes.Join(bytes.Fields(asked.Rules), nil)) != "[]") {
		rules = append([]any{query}, rules...)
	}
	return encode(rule{Combinator: "and", Rules: rules})
}

// look is what every reading begins with: who calls, and what of the blueprint ("" for all) may be seen.
func (g *Guard) look(ctx context.Context, blueprint string, query json.RawMessage) (*caller, scope, json.RawMessage, error) {
	c, err := g.caller(ctx)
	if err != nil {
		return nil, scope{}, nil, err
	}
	s, err := g.scope(ctx, c)
	if err != nil {
		return nil, s, nil, err
	}
	query, err = s.seen(c, blueprint, query)
	return c, s, query, err
}

// Search is the catalog's, of what the caller may see.
func (g *Guard) Search(ctx context.Context, req catalog.SearchRequest) (catalog.SearchPage, error) {
	_, _, query, err := g.look(ctx, req.Blueprint, req.Query)
	if err != nil {
		return catalog.SearchPage{}, err
	}
	req.Query = query
	page, err := g.Catalog.Search(ctx, req)
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
	list, err := g.Catalog.FindWordsAmong(ctx, text, limit, func(e *catalog.Entity) bool {
		return !s.hidden[e.Blueprint] && (!s.owned[e.Blueprint] || c.owns(e.Team))
	})
	if err != nil {
		return nil, err
	}
	return list, g.read(ctx, "", list)
}

// CountMatches is the catalog's, of what the caller may see.
func (g *Guard) CountMatches(ctx context.Context, req catalog.SearchRequest) (int64, error) {
	_, _, query, err := g.look(ctx, req.Blueprint, req.Query)
	if err != nil {
		return 0, err
	}
	req.Query = query
	n, err := g.Catalog.CountMatches(ctx, req)
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
	e, err := g.Catalog.EntityAs(ctx, blueprint, identifier, how)
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

// History is the catalog's, without the blueprints that the caller may not see whole.
func (g *Guard) History(ctx context.Context, f catalog.HistoryFilter) ([]catalog.AuditEntry, error) {
	c, s, _, err := g.look(ctx, f.Blueprint, nil)
	if err != nil {
		return nil, err
	}
	if s.owned[f.Blueprint] {
		return nil, c.refused(f.Blueprint, "read")
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

// Pending is the catalog's, without what blueprints wait for that the caller may not see whole.
func (g *Guard) Pending(ctx context.Context, samples int) (catalog.PendingReport, error) {
	_, s, _, err := g.look(ctx, "", nil)
	if err != nil {
		return catalog.PendingReport{}, err
	}
	report, err := g.Catalog.Pending(ctx, samples)
	report.Groups = slices.DeleteFunc(report.Groups, func(p catalog.PendingGroup) bool {
		gone := s.hidden[p.Blueprint] || s.owned[p.Blueprint]
		if gone {
			report.Count -= p.Count
		}
		return gone
	})
	return report, err
}

// read notes what was read of privileged blueprints. asked is the blueprint that the caller named, which counts even
// when nothing of it was found.
func (g *Guard) read(ctx context.Context, asked string, list []catalog.Entity) error {
	if g.Reads == nil {
		return nil
	}
	privileged, err := g.privileged(ctx)
	if err != nil || len(privileged) == 0 {
		return err
	}
	counts := map[string]int64{}
	if privileged[asked] {
		counts[asked] = 0
	}
	for _, e := range list {
		if privileged[e.Blueprint] {
			counts[e.Blueprint]++
		}
	}
	for blueprint, n := range counts {
		g.Reads.note(ctx, blueprint, n)
	}
	return nil
}

// privilegedFresh is for how long it is taken as it was read which blueprints are privileged.
const privilegedFresh = time.Second

// privileged returns the blueprints whose document says "privileged": true.
func (g *Guard) privileged(ctx context.Context) (map[string]bool, error) {
	r := g.Reads
	r.mu.Lock()
	known, at := r.privileged, r.privilegedAt
	r.mu.Unlock()
	now := r.now()
	if known != nil && now.Sub(at) < privilegedFresh && !now.Before(at) {
		return known, nil
	}
	list, err := g.Catalog.Blueprints(ctx)
	if err != nil {
		return nil, err
	}
	known = map[string]bool{}
	for _, b := range list {
		var doc struct {
			Privileged any `json:"privileged"`
		}
		if json.Unmarshal(b.Doc, &doc) == nil && doc.Privileged == true {
			known[b.Identifier] = true
		}
	}
	r.mu.Lock()
	r.privileged, r.privilegedAt = known, now
	r.mu.Unlock()
	return known, nil
}
