package catalog

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"strconv"

	"longshore/internal/fault"
)

// Limits of a page.
const (
	defaultPage = 200
	maxPage     = 1000
	maxSorts    = 4
)

// SearchRequest asks for one page of entities.
type SearchRequest struct {
	Blueprint string          // "" means every blueprint
	Query     json.RawMessage // Port's rules; nil matches everything
	Text      string          // only entities with this in identifier or title, whatever the case of ASCII letters
	Sort      []Sort          // then by blueprint and identifier; none means by those alone
	Limit     int             // 0 means 200, at most 1000
	From      string          // SearchPage.Next of the page before; "" for the first
	Asker     string          // identifier of the _user entity that asks; "" for a machine
	Reading                   // how the entities are wanted
}

// Sort is one key of an order. Entities without a value come last, either way round.
type Sort struct {
	Field string // property name, or $identifier, $title, $createdAt, $updatedAt …
	Desc  bool
}

// SearchPage is one page. Next is "" on the last. Pages stay as they are while entities are written: an entity is seen
// at most once as long as its sort fields do not change, and at least once if it was there all the time.
type SearchPage struct {
	Entities []Entity
	Next     string
}

// Find is a search as the store runs it.
type Find struct {
	Blueprint string
	Rule      Rule
	Text      string
	Sort      []Sort
	Limit     int
	After     *Position
}

// Position is a place in the order of a search: that of an entity which was the last of a page.
type Position struct {
	Keys                  []SortKey
	Blueprint, Identifier string
}

// SortKey is an entity's value under one Sort: numbers and times before text before nothing.
type SortKey struct {
	Rank   int // 0 number, 1 text, 2 neither
	Number float64
	Text   string
}

// Search returns one page. It may be short of Limit though there is a Next, when much had to be looked at for little.
// Errors: fault.Invalid for a query, sort or cursor that cannot be read, fault.NotFound for a blueprint that is not there.
func (c *Catalog) Search(ctx context.Context, req SearchRequest) (SearchPage, error) {
	var page SearchPage
	err := c.store.InView(ctx, func(v View) error {
		m, err := c.modelOf(ctx, v)
		if err != nil {
			return err
		}
		s, err := c.searching(ctx, v, m, req)
		if err != nil {
			return err
		}
		if page, err = s.page(); err != nil {
			return err
		}
		if err := c.addInverses(ctx, v, m, page.Entities); err != nil {
			return err
		}
		return c.readAs(ctx, v, m, page.Entities, req.Reading)
	})
	return page, err
}

// CountMatches returns how many entities a search finds in all.
func (c *Catalog) CountMatches(ctx context.Context, req SearchRequest) (n int64, err error) {
	req.From, req.Limit, req.Sort = "", 0, nil
	err = c.store.InView(ctx, func(v View) error {
		m, err := c.modelOf(ctx, v)
		if err != nil {
			return err
		}
		s, err := c.searching(ctx, v, m, req)
		if err == nil {
			n, err = s.count()
		}
		return err
	})
	return n, err
}

// searching is a search under way.
type searching struct {
	*Catalog
	lowered
	ctx   context.Context //nolint:containedctx // lives as long as the call
	view  View
	model *model
	query Rule
	find  Find
}

// searching reads a request as of a view.
func (c *Catalog) searching(ctx context.Context, v View, m *model, req SearchRequest) (*searching, error) {
	s := &searching{Catalog: c, ctx: ctx, view: v, model: m}
	if req.Blueprint != "" && m.rules[req.Blueprint] == nil {
		return nil, missing("Blueprint", req.Blueprint)
	}
	var err error
	if s.query, err = parseQuery(req.Query, queryParser{now: c.now(), context: s.context(req.Asker)}); err != nil {
		return nil, err
	}
	if req.Blueprint == "" {
		req.Blueprint = m.only(&s.query)
	}
	if s.lowered, err = m.lower(&s.query, req.Blueprint); err != nil {
		return nil, err
	}
	s.find = Find{Blueprint: req.Blueprint, Rule: s.rule, Text: req.Text, Limit: req.Limit}
	if s.find.Limit == 0 {
		s.find.Limit = defaultPage
	}
	if s.find.Limit < 0 || s.find.Limit > maxPage {
		return nil, invalidRequest("limit %d: want 1 to %d", s.find.Limit, maxPage)
	}
	if s.find.Sort, err = m.sorts(req.Sort, req.Blueprint); err != nil {
		return nil, err
	}
	if req.From != "" {
		s.find.After, err = readCursor(req.From, s.find)
	}
	return s, err
}

// only returns the one blueprint that a query on all of them asks for, "" when it does not.
func (m *model) only(r *Rule) string {
	switch {
	case r.Combinator == "and":
		for i := range r.Rules {
			if id := m.only(&r.Rules[i]); id != "" {
				return id
			}
		}
	case r.Combinator == "" && !r.Negate && r.Subject.Kind == MetaProperty && r.Subject.Name == "$blueprint" &&
		(r.Operator == OpEqual || r.Operator == OpIn) && len(r.Values) == 1 && r.Values[0].Kind == TextValue && m.rules[r.Values[0].Text] != nil:
		return r.Values[0].Text
	}
	return ""
}

// sorts checks an order. A property that no blueprint has is left out: it is the same for every entity.
func (m *model) sorts(list []Sort, blueprint string) (out []Sort, err error) {
	if len(list) > maxSorts {
		return nil, invalidRequest("sort: more than %d keys", maxSorts)
	}
	for _, s := range list {
		if s.Field == "" || s.Field[0] == '$' && (!metaProperties[s.Field] || s.Field == "$team") {
			return nil, invalidRequest("sort: cannot order by %q", s.Field)
		}
		known := s.Field[0] == '$'
		for _, id := range m.order {
			if blueprint != "" && id != blueprint {
				continue
			}
			if m.rules[id].derived[s.Field] {
				return nil, invalidRequest("sort: cannot order by %q: it is calculated when it is read", s.Field)
			}
			known = known || m.rules[id].checks[s.Field] != nil
		}
		if known {
			out = append(out, s)
		}
	}
	return out, nil
}

const (
	// residualPage is how many entities are looked at in one go when the store cannot decide a query alone.
	residualPage = 500
	// maxResidual is how many are looked at for one page; then it is handed out as it is.
	maxResidual = 20_000
)

// page returns the next page.
func (s *searching) page() (page SearchPage, err error) {
	if !s.residual {
		var more bool
		if page.Entities, more, err = s.view.Search(s.ctx, s.find); more {
			page.Next = cursorOf(page.Entities[len(page.Entities)-1], s.find)
		}
		return page, err
	}
	page.Entities = []Entity{}
	err = s.each(maxResidual, func(e Entity, match bool) bool {
		if match && len(page.Entities) == s.find.Limit {
			page.Next = cursorOf(page.Entities[len(page.Entities)-1], s.find)
			return false
		}
		if match {
			page.Entities = append(page.Entities, e)
		}
		return true
	}, func(last Entity) { page.Next = cursorOf(last, s.find) })
	return page, err
}

func (s *searching) count() (n int64, err error) {
	if !s.residual {
		return s.view.Count(s.ctx, s.find)
	}
	err = s.each(0, func(_ Entity, match bool) bool {
		if match {
			n++
		}
		return true
	}, nil)
	return n, err
}

// each decides what the store alone cannot: it calls fn with what the store found, in order, and whether it matches, until
// fn has enough. After most entities (0: no limit), and if there are more, it calls given with the last one.
func (s *searching) each(most int, fn func(e Entity, match bool) bool, given func(last Entity)) error {
	find := s.find
	find.Limit = residualPage
	for looked := 0; ; {
		list, more, err := s.view.Search(s.ctx, find)
		if err != nil || len(list) == 0 {
			return err
		}
		matches, err := s.decide(list)
		if err != nil {
			return err
		}
		for i, e := range list {
			if !fn(e, matches[i]) {
				return nil
			}
		}
		if !more {
			return nil
		}
		last := list[len(list)-1]
		if looked += len(list); most > 0 && looked >= most {
			given(last)
			return nil
		}
		at := positionOf(last, s.find)
		find.After = &at
	}
}

// decide says which entities match. What they are judged by is filled into copies of them.
func (s *searching) decide(list []Entity) ([]bool, error) {
	list = slices.Clone(list)
	if err := s.addInverses(s.ctx, s.view, s.model, list); err != nil {
		return nil, err
	}
	how := Reading{Only: []string{}}
	eachSubject(s.query, func(name string) { how.Only = append(how.Only, name) })
	scored := s.query.asksScorecards()
	if scored {
		how = Reading{} // their rules may read anything
	}
	if err := s.deriveAs(s.ctx, s.view, s.model, list, how); err != nil {
		return nil, err
	}
	if scored {
		if err := s.score(s.ctx, s.view, s.model, list, true); err != nil {
			return nil, err
		}
	}
	return matching(s.ctx, s.view, s.model, list, &s.query, s.lowered)
}

// matching says which of the entities match, whose derived properties are filled in.
func matching(ctx context.Context, v View, m *model, list []Entity, query *Rule, low lowered) ([]bool, error) {
	ids := make([]int64, len(list))
	for i, e := range list {
		ids[i] = e.ID
	}
	judge := matcher{graph: m, known: map[*Rule]map[int64]bool{}}
	for r, rule := range low.remote {
		judge.known[r] = map[int64]bool{}
		for part := range slices.Chunk(ids, residualPage) {
			found, err := v.Matching(ctx, part, rule)
			if err != nil {
				return nil, err
			}
			maps.Copy(judge.known[r], found)
		}
	}
	out := make([]bool, len(list))
	for i := range list {
		out[i] = judge.matches(query, &list[i])
	}
	return out, nil
}

// Blueprint implements Graph.
func (m *model) Blueprint(id string) *Blueprint {
	if m.rules[id] == nil {
		return nil
	}
	return &m.rules[id].Blueprint
}

// Entity implements Graph. It has none: what is beyond an entity's own row is asked of the store.
func (m *model) Entity(Key) *Entity { return nil }

// Referrers implements Graph, as Entity does.
func (m *model) Referrers(Key) []Referrer { return nil }

// cursor is a Position as clients carry it. Order guards against a cursor that belongs to another sort.
type cursor struct {
	Order uint32    `json:"o"`
	Keys  []SortKey `json:"k,omitempty"`
	B     string    `json:"b"`
	I     string    `json:"i"`
}

func orderOf(f Find) uint32 {
	h := fnv.New32a()
	for _, s := range f.Sort {
		_, _ = h.Write(strconv.AppendBool(append([]byte(s.Field), 0), s.Desc))
	}
	return h.Sum32()
}

// positionOf returns an entity's place in the order of a search.
func positionOf(e Entity, f Find) Position {
	p := Position{Blueprint: e.Blueprint, Identifier: e.Identifier}
	for _, s := range f.Sort {
		p.Keys = append(p.Keys, KeyOf(e, s.Field))
	}
	return p
}

func cursorOf(e Entity, f Find) string {
	p := positionOf(e, f)
	k := cursor{Order: orderOf(f), Keys: p.Keys, B: p.Blueprint, I: p.Identifier}
	text, err := json.Marshal(k)
	if err != nil {
		panic("catalog: a cursor cannot be written: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func readCursor(from string, f Find) (*Position, error) {
	const maxCursorBytes = 16 << 10
	var k cursor
	text, err := base64.RawURLEncoding.DecodeString(from)
	if err != nil || len(text) > maxCursorBytes || json.Unmarshal(text, &k) != nil || k.Order != orderOf(f) || len(k.Keys) != len(f.Sort) {
		return nil, invalidRequest("from: not a cursor of this search")
	}
	return &Position{Keys: k.Keys, Blueprint: k.B, Identifier: k.I}, nil
}

// sortKey is a SortKey as a cursor holds it. Number is text: JSON has no infinity.
type sortKey struct {
	Rank   int    `json:"r,omitempty"`
	Number string `json:"n,omitempty"`
	Text   string `json:"t,omitempty"`
}

// MarshalJSON writes the key for a cursor.
func (k SortKey) MarshalJSON() ([]byte, error) {
	w := sortKey{Rank: k.Rank, Text: k.Text}
	if k.Rank == 0 {
		w.Number = strconv.FormatFloat(k.Number, 'g', -1, 64)
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (k *SortKey) UnmarshalJSON(text []byte) error {
	var w sortKey
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	*k = SortKey{Rank: w.Rank, Text: w.Text}
	if w.Number == "" {
		return nil
	}
	var err error
	k.Number, err = strconv.ParseFloat(w.Number, 64)
	if math.IsNaN(k.Number) {
		return strconv.ErrSyntax
	}
	return err
}

// KeyOf returns the entity's key under a sort field, as the store orders it.
func KeyOf(e Entity, field string) SortKey {
	text := func(s string) SortKey {
		if s == "" {
			return SortKey{Rank: 2}
		}
		return SortKey{Rank: 1, Text: s}
	}
	switch field {
	case "$identifier":
		return text(e.Identifier)
	case "$title":
		if e.Title == "" {
			return text(e.Identifier)
		}
		return text(e.Title)
	case "$blueprint":
		return text(e.Blueprint)
	case "$icon":
		return text(e.Icon)
	case "$createdBy":
		return text(e.CreatedBy)
	case "$updatedBy":
		return text(e.UpdatedBy)
	case "$datasource":
		return text(e.Source)
	case "$createdAt":
		return SortKey{Number: float64(e.CreatedAt.UnixMilli())}
	case "$updatedAt":
		return SortKey{Number: float64(e.UpdatedAt.UnixMilli())}
	}
	key := SortKey{Rank: 2}
	members(e.Properties, func(name string, value []byte) {
		if name != field {
			return
		}
		switch v := constant(value); v.Kind {
		case NumberValue:
			key = SortKey{Number: v.Number}
		case TextValue:
			key = SortKey{Rank: 1, Text: v.Text}
		}
	})
	return key
}

// Entity returns one entity, inverse relations and derived properties included, or fault.NotFound.
func (c *Catalog) Entity(ctx context.Context, blueprint, identifier string) (Entity, error) {
	return c.EntityAs(ctx, blueprint, identifier, Reading{})
}

// EntityAs is Entity with a say in how it is read.
func (c *Catalog) EntityAs(ctx context.Context, blueprint, identifier string, how Reading) (Entity, error) {
	var e Entity
	err := c.store.InView(ctx, func(v View) error {
		m, err := c.modelOf(ctx, v)
		if err != nil {
			return err
		}
		if m.rules[blueprint] == nil {
			return missing("Blueprint", blueprint)
		}
		if e, err = c.entity(ctx, v, m, Key{blueprint, identifier}); err != nil {
			return err
		}
		one := []Entity{e}
		err = c.readAs(ctx, v, m, one, how)
		e = one[0]
		return err
	})
	return e, err
}

func (c *Catalog) entity(ctx context.Context, v View, m *model, key Key) (Entity, error) {
	e, err := v.Entity(ctx, key)
	if fault.Is(err, fault.NotFound) {
		return e, missing("Entity", key.Identifier)
	}
	if err != nil {
		return e, err
	}
	one := []Entity{e}
	err = c.addInverses(ctx, v, m, one)
	return one[0], err
}

// addInverses fills in what is read from other entities as it stands there: inverse relations, and inherited teams.
func (c *Catalog) addInverses(ctx context.Context, v View, m *model, entities []Entity) error {
	byBlueprint := map[string][]int{}
	for i, e := range entities {
		if r := m.rules[e.Blueprint]; r != nil && slices.ContainsFunc(r.Relations, func(rel Relation) bool { return rel.InverseOf != "" }) {
			byBlueprint[e.Blueprint] = append(byBlueprint[e.Blueprint], i)
		}
	}
	for blueprint, places := range byBlueprint {
		ids := make([]string, len(places))
		for i, at := range places {
			ids[i] = entities[at].Identifier
		}
		for _, rel := range m.rules[blueprint].Relations {
			if rel.InverseOf == "" {
				continue
			}
			found, err := v.Inverse(ctx, rel.Target, rel.InverseOf, blueprint, ids)
			if err != nil {
				return err
			}
			for _, at := range places {
				e := &entities[at]
				e.Relations = withRelation(e.Relations, rel, found[e.Identifier])
			}
		}
	}
	return addTeams(ctx, v, m, entities, 0)
}

// withRelation puts a relation's identifiers into an entity's relations.
func withRelation(relations json.RawMessage, rel Relation, ids []string) json.RawMessage {
	if len(ids) == 0 && !rel.Many {
		return relations
	}
	value := textList(ids)
	if !rel.Many {
		value = appendText(nil, ids[0])
	}
	out, done := []byte{'{'}, false
	members(relations, func(name string, v []byte) {
		if !done && name >= rel.Name {
			out, done = appendMember(out, rel.Name, value), true
		}
		if name != rel.Name {
			out = appendMember(out, name, v)
		}
	})
	if !done {
		out = appendMember(out, rel.Name, value)
	}
	return append(out, '}')
}

// CountEntities returns how many entities a blueprint has, or fault.NotFound.
func (c *Catalog) CountEntities(ctx context.Context, blueprint string) (int64, error) {
	counts, err := c.Counts(ctx)
	if err != nil {
		return 0, err
	}
	n, ok := counts[blueprint]
	if !ok {
		return 0, missing("Blueprint", blueprint)
	}
	return n, nil
}

// Counts returns how many entities each blueprint has.
func (c *Catalog) Counts(ctx context.Context) (counts map[string]int64, err error) {
	err = c.store.InView(ctx, func(v View) (err error) {
		counts, err = v.Counts(ctx)
		return err
	})
	return counts, err
}

// Referrers returns who points at the entity: how many of each blueprint by each relation. The entity need not be there.
func (c *Catalog) Referrers(ctx context.Context, target Key) (counts []ReferrerCount, err error) {
	err = c.store.InView(ctx, func(v View) (err error) {
		counts, err = v.ReferrerCounts(ctx, target)
		return err
	})
	return counts, err
}

// ReferrersBy returns a page of the blueprint's entities whose relation points at the target, in order of row id: after
// the id given, at most limit (0 means 200, at most 1000).
func (c *Catalog) ReferrersBy(ctx context.Context, target Key, blueprint, relation string, after int64, limit int) (list []Entity, err error) {
	if limit <= 0 {
		limit = defaultPage
	}
	err = c.store.InView(ctx, func(v View) (err error) {
		list, err = v.Referrers(ctx, target, blueprint, relation, after, min(limit, maxPage))
		return err
	})
	return list, err
}

// Pending returns the relations that wait for their targets.
func (c *Catalog) Pending(ctx context.Context, samples int) (report PendingReport, err error) {
	err = c.store.InView(ctx, func(v View) (err error) {
		report, err = v.Pending(ctx, min(max(samples, 0), 100))
		return err
	})
	return report, err
}

// SearchPlan calls fn with what a search asks of the store: for those who want to know how it would be run.
func (c *Catalog) SearchPlan(ctx context.Context, req SearchRequest, fn func(View, Find) error) error {
	return c.store.InView(ctx, func(v View) error {
		m, err := c.modelOf(ctx, v)
		if err != nil {
			return err
		}
		s, err := c.searching(ctx, v, m, req)
		if err != nil {
			return err
		}
		return fn(v, s.find)
	})
}
