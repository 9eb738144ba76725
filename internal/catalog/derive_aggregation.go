package catalog

import (
	"encoding/json"
	"slices"
)

// aggregationDefinition is an aggregation property as it is written.
type aggregationDefinition struct {
	name   string
	target string
	spec   json.RawMessage
	query  json.RawMessage
	paths  []pathFilter
	broken error
}

type pathFilter struct {
	Path          []json.RawMessage `json:"path"`
	FromBlueprint string            `json:"fromBlueprint"`
}

func readAggregation(name string, def json.RawMessage) *aggregationDefinition {
	var w struct {
		Target          string          `json:"target"`
		CalculationSpec json.RawMessage `json:"calculationSpec"`
		Query           json.RawMessage `json:"query"`
		PathFilter      []pathFilter    `json:"pathFilter"`
	}
	d := &aggregationDefinition{name: name}
	if err := json.Unmarshal(def, &w); err != nil {
		d.broken = invalidRequest("its definition cannot be read: %w", err)
		return d
	}
	d.target, d.spec, d.query, d.paths = w.Target, w.CalculationSpec, w.Query, w.PathFilter
	return d
}

// aggregation is an aggregation property: a number over the entities of a blueprint that are connected with the entity.
type aggregation struct {
	measure
	target string
	query  *asked
	chains [][]step
	pinned bool            // by pathFilter
	ends   map[string]bool // derived properties of the target that it needs
}

func (m *model) linkAggregation(blueprint string, def *aggregationDefinition) *derived {
	x := &aggregation{target: def.target, ends: map[string]bool{}}
	d := &derived{how: x}
	target := m.rules[def.target]
	err := def.broken
	if err == nil {
		x.measure, err = readMeasure(def.spec)
	}
	switch {
	case err != nil:
		d.breakOff("calculationSpec", err.Error())
		return d
	case target == nil:
		d.breakOff("target", "there is no blueprint "+def.target)
		return d
	}
	if x.chains, x.pinned, err = m.pinned(blueprint, def); err != nil {
		d.breakOff("pathFilter", err.Error())
		return d
	}
	if len(x.chains) == 0 {
		d.breakOff("pathFilter", "no relations connect "+blueprint+" with "+def.target)
	}
	x.query = m.ask(def.query, def.target, m.read)
	if err = x.query.err; err == nil && x.query.rule.asksScorecards() {
		err = invalidRequest("it looks at scorecards, which look at properties like this one")
	}
	if err != nil {
		d.breakOff("query", err.Error())
		return d
	}
	need := func(name string) {
		if target.derived[name] && !x.ends[name] {
			x.ends[name] = true
			d.others = append(d.others, propertyAt{def.target, name})
		}
	}
	eachSubject(x.query.rule, need)
	if !x.entities {
		need(x.property)
	}
	if x.timed() {
		need(x.measureTimeBy)
	}
	return d
}

// eachSubject calls fn with every property that a rule looks at.
func eachSubject(r Rule, fn func(name string)) {
	if r.Combinator == "" && r.Subject.Kind == ValueProperty {
		fn(r.Subject.Name)
	}
	for _, sub := range r.Rules {
		eachSubject(sub, fn)
	}
}

// asks reports whether a condition looks at a meta-property.
func (r *Rule) asks(meta string) bool {
	return r.Combinator == "" && r.Subject.Kind == MetaProperty && r.Subject.Name == meta ||
		slices.ContainsFunc(r.Rules, func(sub Rule) bool { return sub.asks(meta) })
}

// pinned returns the chains of an aggregation. A path starts at fromBlueprint, which is the target or the blueprint of
// the property; without it, at the latter. Where both are the same blueprint, fromBlueprint means the target's side.
func (m *model) pinned(blueprint string, def *aggregationDefinition) (chains [][]step, pinned bool, err error) {
	if len(def.paths) == 0 || len(def.paths[0].Path) == 0 {
		return m.chains(blueprint, def.target), false, nil
	}
	if len(def.paths) > 1 {
		return nil, true, invalidRequest("there is more than one path")
	}
	f := def.paths[0]
	from, to := blueprint, def.target
	if f.FromBlueprint != "" && f.FromBlueprint == def.target {
		from, to = def.target, blueprint
	} else if f.FromBlueprint != "" && f.FromBlueprint != blueprint {
		return nil, true, invalidRequest("fromBlueprint is %q, want %q or %q", f.FromBlueprint, def.target, blueprint)
	}
	steps, end, err := m.path(from, f.Path)
	switch {
	case err != nil:
		return nil, true, err
	case end != to:
		return nil, true, invalidRequest("the path leads from %q to %q, want to %q", from, end, to)
	case f.FromBlueprint != "" && f.FromBlueprint == def.target:
		steps = m.reversed(steps)
	}
	return [][]step{steps}, true, nil
}

func (x *aggregation) derive(d *deriving, name string, nodes []*node) error {
	query := x.query.at(d.model, d.now)
	if query.err != nil {
		for _, n := range nodes {
			n.fail(name, "query", "%v", query.err)
		}
		return nil
	}
	if x.plain(nodes[0].Blueprint) && !query.low.residual && !(query.local() && d.walked(nodes, x.chains[0][0])) {
		return x.named(d, name, nodes, query.low.rule)
	}
	return x.reached(d, name, nodes, query)
}

// plain reports whether only entities count that name the node by one relation, as they are stored.
func (x *aggregation) plain(blueprint string) bool {
	return len(x.chains) == 1 && len(x.chains[0]) == 1 && x.chains[0][0].back && x.chains[0][0].hops <= 1 && len(x.ends) == 0 &&
		(x.pinned || x.target != blueprint)
}

// named is the plain case: the entities that name the node by one relation. The database goes through them; none is kept.
func (x *aggregation) named(d *deriving, name string, nodes []*node, rule Rule) error {
	s := x.chains[0][0]
	link := Link{Blueprint: s.holder, Relation: s.relation, Target: s.target, Rule: rule}
	for _, n := range nodes {
		link.Identifiers = append(link.Identifiers, n.Identifier)
	}
	if x.fn == "count" || x.fn == "average" && x.entities && x.averageOf == "total" {
		counts, err := d.view.LinkCounts(d.ctx, link)
		if err != nil {
			return err
		}
		for _, n := range nodes {
			t := tally{measure: x.measure, n: counts[n.Identifier]}
			n.set(name, t.result(d.now))
		}
		return nil
	}
	tallies := make(map[string]*tally, len(nodes))
	for _, n := range nodes {
		tallies[n.Identifier] = &tally{measure: x.measure}
	}
	link.Values = true
	var e node
	err := d.view.Linked(d.ctx, link, func(target string, found Entity) error {
		e.Entity = &found
		tallies[target].add(&e)
		return nil
	})
	for _, n := range nodes {
		tallies[n.Identifier].settle(d, name, n)
	}
	return err
}

func (t *tally) settle(d *deriving, name string, n *node) {
	if t.full {
		n.fail(name, "too-many", "it looks at more than %d values", maxReach)
		return
	}
	n.set(name, t.result(d.now))
}

// reached is every other case: the entities at the ends of the chains, each once.
func (x *aggregation) reached(d *deriving, name string, nodes []*node, query *asked) error {
	reached := make(map[*node][]*node, len(nodes))
	for _, chain := range x.chains {
		ends, err := d.walk(nodes, chain)
		if err != nil {
			return err
		}
		for n, list := range ends {
			reached[n] = append(reached[n], list...)
		}
	}
	all := everyEnd(nodes, reached)
	if len(x.ends) > 0 {
		if err := d.fill(all, x.ends); err != nil {
			return err
		}
	}
	passed, err := d.filter(x.target, all, query)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		t := tally{measure: x.measure}
		counted := map[*node]bool{}
		for _, e := range reached[n] {
			// Without a path an entity is not connected with itself.
			if !counted[e] && passed(e) && (x.pinned || e != n) {
				counted[e] = true
				t.add(e)
			}
		}
		t.settle(d, name, n)
	}
	return nil
}

// filter returns which entities of a blueprint match a query. Those that it needs of their derived properties are there.
func (d *deriving) filter(blueprint string, all []*node, query *asked) (func(*node) bool, error) {
	switch {
	case query.everything():
		return func(*node) bool { return true }, nil
	case query.local():
		judge := matcher{graph: d.model}
		return func(n *node) bool { return judge.matches(&query.low.rule, n.Entity) }, nil
	case query.low.residual:
		return d.judge(all, query)
	}
	ids := make([]string, len(all))
	for i, n := range all {
		ids[i] = n.Identifier
	}
	slices.Sort(ids)
	found, err := d.view.Entities(d.ctx, blueprint, slices.Compact(ids), query.low.rule)
	if err != nil {
		return nil, err
	}
	matching := make(map[string]bool, len(found))
	for _, e := range found {
		matching[e.Identifier] = true
	}
	return func(n *node) bool { return matching[n.Identifier] }, nil
}

// judge decides about entities one by one, with the store's answers to what lies beyond their own rows.
func (d *deriving) judge(all []*node, query *asked) (func(*node) bool, error) {
	if query.rule.asks("$team") {
		if err := d.complete(all); err != nil {
			return nil, err
		}
	}
	list := make([]Entity, len(all))
	names := map[string]bool{}
	eachSubject(query.rule, func(name string) { names[name] = true })
	for i, n := range all {
		list[i] = *n.Entity
		list[i].Derived = n.object(names)
	}
	matches, err := matching(d.ctx, d.view, d.model, list, &query.rule, query.low)
	if err != nil {
		return nil, err
	}
	passed := make(map[*node]bool, len(all))
	for i, n := range all {
		passed[n] = matches[i]
	}
	return func(n *node) bool { return passed[n] }, nil
}
