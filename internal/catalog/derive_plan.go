package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"longshore/internal/fault"
)

// definitions are the derived properties of a blueprint's document, in its order. They hold what does not depend on
// other blueprints.
type definitions struct {
	mirrors      []mirrorDefinition
	calculations []*calculation
	aggregations []*aggregationDefinition
}

type mirrorDefinition struct {
	name string
	path []string // relations, and last a property
}

func readDefinitions(doc json.RawMessage) definitions {
	var d definitions
	list, err := ordered(doc)
	if err != nil {
		return d
	}
	each := func(name string, fn func(name string, def json.RawMessage)) {
		raw, _ := lookup(list, name)
		entries, err := ordered(raw)
		if err != nil {
			return
		}
		for _, e := range entries {
			fn(e.Name, e.Value)
		}
	}
	each("mirrorProperties", func(name string, def json.RawMessage) {
		var m struct {
			Path string `json:"path"`
		}
		_ = json.Unmarshal(def, &m) // what is no path leads nowhere
		d.mirrors = append(d.mirrors, mirrorDefinition{name, strings.Split(m.Path, ".")})
	})
	each("calculationProperties", func(name string, def json.RawMessage) {
		d.calculations = append(d.calculations, readCalculation(name, def))
	})
	each("aggregationProperties", func(name string, def json.RawMessage) {
		d.aggregations = append(d.aggregations, readAggregation(name, def))
	})
	return d
}

// DerivedProperties are the mirror, calculation and aggregation properties that the document defines, in its order. A
// mirror has no type of its own.
func (b Blueprint) DerivedProperties() []Property {
	list, err := ordered(b.Doc)
	if err != nil {
		return nil
	}
	var out []Property
	for _, kind := range []string{"mirrorProperties", "calculationProperties", "aggregationProperties"} {
		raw, _ := lookup(list, kind)
		entries, err := ordered(raw)
		if err != nil {
			continue
		}
		for _, e := range entries {
			p := Property{Name: e.Name, Schema: e.Value}
			var def struct{ Title, Type, Format any }
			_ = json.Unmarshal(e.Value, &def) // what is no text is none
			p.Title, _ = def.Title.(string)
			p.Type, _ = def.Type.(string)
			p.Format, _ = def.Format.(string)
			if kind == "aggregationProperties" {
				p.Type = "number"
			}
			out = append(out, p)
		}
	}
	return out
}

// derived is a derived property as a model has it: its paths resolved.
type derived struct {
	name       string
	how        deriver
	own        []string     // derived properties of the same blueprint that come first
	others     []propertyAt // and those of other entities
	broken     string       // why it never has a value
	brokenRule string
	mark       int // of the search for cycles
}

// deriver sets the value of a property for nodes of one blueprint.
type deriver interface {
	derive(d *deriving, name string, nodes []*node) error
}

type propertyAt struct{ blueprint, name string }

// plan is the derived properties of a blueprint, in an order in which each comes after what it needs of its own.
type plan struct {
	derived []*derived
	byName  map[string]*derived
	warn    sync.Once
	warned  []Flag // see warnings
}

func (p *plan) names() map[string]bool {
	all := make(map[string]bool, len(p.derived))
	for _, d := range p.derived {
		all[d.name] = true
	}
	return all
}

// needed returns the named properties and what they need of their own blueprint, in order.
func (p *plan) needed(names map[string]bool) []*derived {
	wanted := map[string]bool{}
	var want func(name string)
	want = func(name string) {
		if d := p.byName[name]; d != nil && !wanted[name] {
			wanted[name] = true
			for _, own := range d.own {
				want(own)
			}
		}
	}
	for name := range names {
		want(name)
	}
	var list []*derived
	for _, d := range p.derived {
		if wanted[d.name] {
			list = append(list, d)
		}
	}
	return list
}

// plans are the plans of a model, made when they are first asked for.
type plans struct {
	sync.Mutex
	of map[string]*plan
}

// plan returns the plan of a blueprint; one that is not there has nothing to derive.
func (m *model) plan(blueprint string) *plan {
	m.plans.Lock()
	defer m.plans.Unlock()
	if m.plans.of == nil {
		m.plans.of = map[string]*plan{}
		for id, r := range m.rules {
			m.plans.of[id] = m.link(r)
		}
		m.hideDerived()
		m.breakCycles()
		for _, p := range m.plans.of {
			p.sort()
		}
	}
	if p := m.plans.of[blueprint]; p != nil {
		return p
	}
	return &plan{}
}

// link resolves the paths of a blueprint's derived properties.
func (m *model) link(r *rules) *plan {
	p := &plan{byName: map[string]*derived{}}
	add := func(d *derived, name string) *derived {
		d.name = name
		p.derived = append(p.derived, d)
		p.byName[name] = d
		return d
	}
	for _, def := range r.definitions.mirrors {
		add(m.linkMirror(r.Identifier, def), def.name)
	}
	for _, def := range r.definitions.aggregations {
		add(m.linkAggregation(r.Identifier, def), def.name)
	}
	for _, def := range r.definitions.calculations {
		d := add(&derived{how: def}, def.name)
		for _, other := range p.derived {
			if _, calculated := other.how.(*calculation); other != d && (def.whole && !calculated || def.mentions(other.name)) {
				d.own = append(d.own, other.name)
			}
		}
	}
	// A calculation may also use one that stands further down.
	for _, d := range p.derived {
		def, ok := d.how.(*calculation)
		if !ok {
			continue
		}
		for _, other := range r.definitions.calculations {
			if other.name != d.name && !slices.Contains(d.own, other.name) && def.mentions(other.name) {
				d.own = append(d.own, other.name)
			}
		}
	}
	return p
}

// sort puts each property behind those of its blueprint that it needs.
func (p *plan) sort() {
	var sorted []*derived
	var visit func(d *derived)
	done := map[*derived]bool{}
	visit = func(d *derived) {
		if d == nil || done[d] {
			return
		}
		done[d] = true
		for _, own := range d.own {
			visit(p.byName[own])
		}
		sorted = append(sorted, d)
	}
	for _, d := range p.derived {
		visit(d)
	}
	p.derived = sorted
}

// warnings tells which derived properties of a blueprint can never have a value, and why, in the order of its document.
func (m *model) warnings(blueprint string) []Flag {
	p := m.plan(blueprint)
	p.warn.Do(func() { p.warned = m.unable(blueprint, p) })
	return p.warned
}

func (m *model) unable(blueprint string, p *plan) (list []Flag) {
	for _, prop := range m.rules[blueprint].DerivedProperties() {
		d := p.byName[prop.Name]
		if d == nil {
			continue
		}
		if d.broken != "" {
			list = append(list, Flag{Property: d.name, Rule: d.brokenRule, Want: d.broken})
		} else if x, ok := d.how.(*calculation); ok {
			if _, err := x.compile(); err != nil {
				list = append(list, Flag{Property: d.name, Rule: "jq", Want: "it does not compile: " + explained(err)})
			}
		}
	}
	return list
}

// explained is an error's text with what to do about it.
func explained(err error) string {
	var f *fault.Error
	if errors.As(err, &f) && f.Hint != "" {
		return err.Error() + " (" + f.Hint + ")"
	}
	return err.Error()
}

// maxDerivedChain is how many derived properties may hang on one another.
const maxDerivedChain = 16

// breakCycles takes the value from every property that, by way of others, is derived from itself, or from a chain of
// others longer than maxDerivedChain: values then depend on no order, and deriving comes to an end.
func (m *model) breakCycles() {
	const (
		unseen = iota
		open
	)
	var depth func(at propertyAt, trail []propertyAt) int
	depth = func(at propertyAt, trail []propertyAt) int {
		p := m.plans.of[at.blueprint]
		if p == nil || p.byName[at.name] == nil {
			return 0
		}
		d := p.byName[at.name]
		switch {
		case d.mark == open:
			for i := slices.Index(trail, at); i < len(trail); i++ {
				m.plans.of[trail[i].blueprint].byName[trail[i].name].breakOff("cycle", "it is derived from itself")
			}
			return 0
		case d.mark > open:
			return d.mark - open
		}
		d.mark = open
		trail = append(trail, at)
		deepest := 0
		for _, own := range d.own {
			deepest = max(deepest, depth(propertyAt{at.blueprint, own}, trail))
		}
		for _, other := range d.others {
			deepest = max(deepest, depth(other, trail))
		}
		if d.mark = open + deepest + 1; deepest >= maxDerivedChain {
			d.breakOff("depth", fmt.Sprintf("it hangs on a chain of more than %d derived properties", maxDerivedChain))
		}
		return deepest + 1
	}
	for _, id := range m.order {
		for _, d := range m.plans.of[id].derived {
			depth(propertyAt{id, d.name}, nil)
		}
	}
}

func (d *derived) breakOff(rule, why string) {
	if d.broken == "" {
		d.broken, d.brokenRule = why, rule
	}
}

// step is one relation followed from entities of a blueprint to entities of another.
type step struct {
	holder   string // the blueprint that has the relation
	relation string
	target   string // of the relation
	back     bool   // from the target to those that name it
	many     bool   // may lead to several
	hops     int    // followed up to so many times, and what is found on the way counts; 0 is 1
}

// to is the blueprint that the step leads to.
func (s step) to() string {
	if s.back {
		return s.holder
	}
	return s.target
}

// step returns the step along a relation of the blueprint. One that is read from the other side is the step back.
func (r *rules) step(relation string) (step, bool) {
	rel := r.relations[relation]
	if rel == nil {
		return step{}, false
	}
	if rel.InverseOf != "" {
		return step{holder: rel.Target, relation: rel.InverseOf, target: r.Identifier, back: true, many: rel.Many}, true
	}
	return step{holder: r.Identifier, relation: relation, target: rel.Target, many: rel.Many}, true
}
