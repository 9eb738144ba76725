package catalog

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// Limits of what is aggregated on request.
const (
	maxAggregated = 1_000_000 // entities
	maxDistinct   = 10_000    // values that are counted, or series
)

// Aggregate answers one number about all entities that match a query, or how often each value occurs among them. spec has
// func, query and, by func, property, averageOf, measureTimeBy, calculationBy; for countValues one of property and relation.
// The result is JSON: a number, null for that of no numbers, or an object of counts. Errors: fault.Invalid.
func (c *Catalog) Aggregate(ctx context.Context, spec json.RawMessage) (result json.RawMessage, err error) {
	var w struct {
		Func, Property, Relation string
		Scorecard                json.RawMessage
		Query                    json.RawMessage
		CalculationBy            string
	}
	if err := json.Unmarshal(spec, &w); err != nil {
		return nil, invalidRequest("aggregate: %w", err)
	}
	if w.Func == "countValues" {
		return c.countValues(ctx, w.Property, w.Relation, w.Scorecard, w.Query)
	}
	x, err := readMeasure(spec)
	if err != nil {
		return nil, err
	}
	if w.CalculationBy == "" && w.Property == "" {
		x.entities = true
	}
	if x.fn == "count" {
		n, err := c.CountMatches(ctx, SearchRequest{Query: w.Query})
		return strconv.AppendInt(nil, n, 10), err
	}
	t := tally{measure: x}
	how := Reading{Only: []string{x.property, x.measureTimeBy}}
	err = c.eachMatch(ctx, SearchRequest{Query: w.Query}, how, func(n *node) error { t.add(n); return t.overflow() })
	return orNull(t.result(c.now())), err
}

// overflow is an error once the tally cannot keep all values that it needs.
func (t *tally) overflow() error {
	if t.full {
		return invalidRequest("the median of more than %d values: narrow the query", maxReach)
	}
	return nil
}

// countValues counts the values of a property or relation; lists stand for their elements. Entities without a value do not
// count.
func (c *Catalog) countValues(ctx context.Context, property, relation string, scorecard, query json.RawMessage) (json.RawMessage, error) {
	switch {
	case !isNull(scorecard):
		return nil, invalidRequest("countValues: by scorecard is not served yet")
	case (property == "") == (relation == ""):
		return nil, invalidRequest("countValues: want a property or a relation")
	}
	counts := map[string]int64{}
	err := c.eachMatch(ctx, SearchRequest{Query: query}, Reading{Only: []string{property}}, func(n *node) error {
		value := memberOf(n.Relations, relation)
		if property != "" {
			value = n.read(property)
		}
		for _, name := range seriesNames(value) {
			counts[name]++
		}
		if len(counts) > maxDistinct {
			return invalidRequest("countValues: there are more than %d values: narrow the query", maxDistinct)
		}
		return nil
	})
	out := []byte{'{'}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out = appendMember(out, name, strconv.AppendInt(nil, counts[name], 10))
	}
	return append(out, '}'), err
}

// seriesNames are the texts of a value, or of its elements.
func seriesNames(value []byte) (names []string) {
	one := func(v []byte) {
		switch {
		case isNull(v):
		case v[0] == '"':
			names = append(names, unquote(v))
		default:
			names = append(names, string(v))
		}
	}
	if len(value) > 0 && value[0] == '[' {
		elements(value, one)
	} else {
		one(value)
	}
	return names
}

// eachMatch calls fn with every entity that matches, on one state of the catalog, page by page.
func (c *Catalog) eachMatch(ctx context.Context, req SearchRequest, how Reading, fn func(*node) error) error {
	return c.store.InView(ctx, func(v View) error {
		m, err := c.modelOf(ctx, v)
		if err != nil {
			return err
		}
		req.Limit = maxPage
		s, err := c.searching(ctx, v, m, req)
		if err != nil {
			return err
		}
		for n := 0; ; {
			page, err := s.page()
			if err != nil {
				return err
			}
			if err := c.addInverses(ctx, v, m, page.Entities); err != nil {
				return err
			}
			if err := c.deriveAs(ctx, v, m, page.Entities, how); err != nil {
				return err
			}
			for i := range page.Entities {
				if err := fn(readNode(&page.Entities[i])); err != nil {
					return err
				}
			}
			if n += len(page.Entities); n > maxAggregated {
				return invalidRequest("more than %d entities match: narrow the query", maxAggregated)
			}
			if page.Next == "" {
				return nil
			}
			if s.find.After, err = readCursor(page.Next, s.find); err != nil {
				return err
			}
		}
	})
}

// readNode is an entity whose derived values were filled in.
func readNode(e *Entity) *node {
	n := &node{Entity: e}
	members(e.Derived, n.set)
	return n
}
