package catalog

import (
	"context"
	"encoding/json"
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
