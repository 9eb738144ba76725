package catalog

import (
	"context"
	"maps"
	"slices"
)

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
