package catalog

import (
	"errors"
	"slices"
	"strings"
)

// walk follows steps from nodes and returns where each gets, each entity once, in the order in which they are reached.
// One query a step and 256 entities.
func (d *deriving) walk(nodes []*node, steps []step) (map[*node][]*node, error) {
	at := make(map[*node][]*node, len(nodes))
	for _, n := range nodes {
		at[n] = []*node{n}
	}
	for _, s := range steps {
		next, err := d.follow(everyEnd(nodes, at), s)
		if err != nil {
			return nil, err
		}
		for _, n := range nodes {
			at[n] = gather(at[n], next)
		}
	}
	return at, nil
}

// everyEnd returns what nodes reach, each once, in order.
func everyEnd(nodes []*node, reached map[*node][]*node) []*node {
	seen := map[*node]bool{}
	var list []*node
	for _, n := range nodes {
		for _, e := range reached[n] {
			if !seen[e] {
				seen[e] = true
				list = append(list, e)
			}
		}
	}
	return list
}

// gather returns what the nodes reach by one more step, each once, in order.
func gather(from []*node, next map[*node][]*node) []*node {
	if len(from) == 1 {
		return next[from[0]]
	}
	return everyEnd(from, next)
}

// follow takes one step from each node.
func (d *deriving) follow(from []*node, s step) (map[*node][]*node, error) {
	if s.hops > 1 {
		return d.climb(from, s)
	}
	if s.back {
		return d.back(from, s)
	}
	names := make(map[*node][]string, len(from))
	var all []string
	for _, n := range from {
		ids, _ := texts(memberOf(n.Relations, s.relation))
		if !s.many && len(ids) > 1 {
			ids = ids[:1]
		}
		names[n] = ids
		all = append(all, ids...)
	}
	if err := d.load(s.target, all); err != nil {
		return nil, err
	}
	out := make(map[*node][]*node, len(from))
	for n, ids := range names {
		for _, id := range ids {
			if e := d.known[Key{s.target, id}]; e != nil {
				out[n] = append(out[n], e)
			}
		}
	}
	return out, nil
}

// load makes the entities known.
func (d *deriving) load(blueprint string, identifiers []string) error {
	var ask []string
	asked := map[string]bool{}
	for _, id := range identifiers {
		if _, known := d.known[Key{blueprint, id}]; !known && !asked[id] {
			ask = append(ask, id)
		}
		asked[id] = true
	}
	if d.looked += len(asked); d.looked > maxReach {
		return errTooMany
	}
	if len(ask) == 0 {
		return nil
	}
	found, err := d.view.Entities(d.ctx, blueprint, ask, Everything())
	if err != nil {
		return err
	}
	for _, id := range ask {
		d.known[Key{blueprint, id}] = nil
	}
	for i := range found {
		d.known[Key{blueprint, found[i].Identifier}] = &node{Entity: &found[i]}
	}
	return nil
}

// complete fills in what nodes read from other entities: inverse relations, inherited teams. Those of the page have it,
// those that were only walked over need it once something looks.
func (d *deriving) complete(nodes []*node) error {
	const portion = 500
	var open []*node
	for _, n := range nodes {
		if r := d.model.rules[n.Blueprint]; !n.whole && r != nil && r.borrows() {
			open = append(open, n)
		}
	}
	for part := range slices.Chunk(open, portion) {
		list := make([]Entity, len(part))
		for i, n := range part {
			list[i] = *n.Entity
		}
		if err := d.catalog.addInverses(d.ctx, d.view, d.model, list); err != nil {
			return err
		}
		for i, n := range part {
			n.Relations, n.Team, n.whole = list[i].Relations, list[i].Team, true
		}
	}
	return nil
}

// borrows reports whether entities of the blueprint have relations or teams that stand in other entities.
func (r *rules) borrows() bool {
	return r.owned.path != nil || slices.ContainsFunc(r.Relations, func(rel Relation) bool { return rel.InverseOf != "" })
}

// back takes a step from entities to those that name them, in order of identifier.
func (d *deriving) back(from []*node, s step) (map[*node][]*node, error) {
	taken := d.links[s]
	if taken == nil {
		taken = make(map[*node][]*node, len(from))
		d.links[s] = taken
	}
	byID := make(map[string]*node, len(from))
	var ids []string
	out := make(map[*node][]*node, len(from))
	for _, n := range from {
		if list, done := taken[n]; done {
			out[n] = list
			if d.looked += len(list); d.looked > maxReach {
				return nil, errTooMany
			}
			continue
		}
		byID[n.Identifier] = n
		ids = append(ids, n.Identifier)
	}
	if len(ids) == 0 {
		return out, nil
	}
	link := Link{Blueprint: s.holder, Relation: s.relation, Target: s.target, Identifiers: ids, Rule: Everything()}
	err := d.view.Linked(d.ctx, link, func(target string, e Entity) error {
		if d.looked++; d.looked > maxReach {
			return errTooMany
		}
		k := Key{e.Blueprint, e.Identifier}
		n := d.known[k]
		if n == nil {
			n = &node{Entity: &e}
			d.known[k] = n
		}
		out[byID[target]] = append(out[byID[target]], n)
		return nil
	})
	if errors.Is(err, errTooMany) {
		return nil, errTooMany
	}
	if err != nil {
		return nil, err
	}
	for _, n := range byID {
		list := out[n]
		slices.SortFunc(list, func(a, b *node) int { return strings.Compare(a.Identifier, b.Identifier) })
		if !s.many && len(list) > 1 {
			list = list[:1]
			out[n] = list
		}
		taken[n] = list
	}
	return out, nil
}

// walked reports whether a step back was taken from every one of the nodes before.
func (d *deriving) walked(nodes []*node, s step) bool {
	taken := d.links[s]
	return taken != nil && !slices.ContainsFunc(nodes, func(n *node) bool { _, done := taken[n]; return !done })
}

// climb follows a relation of a blueprint to itself up to s.hops times. All that is found on the way counts.
func (d *deriving) climb(from []*node, s step) (map[*node][]*node, error) {
	once := s
	once.hops = 0
	next := map[*node][]*node{}
	frontier := from
	for range s.hops {
		reached, err := d.follow(frontier, once)
		if err != nil {
			return nil, err
		}
		var fresh []*node
		for _, n := range frontier {
			next[n] = reached[n]
		}
		for _, n := range everyEnd(frontier, reached) {
			if _, done := next[n]; !done {
				next[n] = nil
				fresh = append(fresh, n)
			}
		}
		if frontier = fresh; len(frontier) == 0 {
			break
		}
	}
	out := make(map[*node][]*node, len(from))
	for _, n := range from {
		seen := map[*node]bool{n: true}
		layer := []*node{n}
		for range s.hops {
			var fresh []*node
			for _, at := range layer {
				for _, e := range next[at] {
					if !seen[e] {
						seen[e] = true
						fresh = append(fresh, e)
					}
				}
			}
			out[n] = append(out[n], fresh...)
			layer = fresh
		}
	}
	return out, nil
}
