package catalog

import "fmt"

// mirror is a mirror property: the value of a property at the end of a path of relations. Where the path has a relation
// to many, the value is one flat list of what the entities at its end have, each entity once, in the order in which they
// are reached; lists in it are taken apart, and what has no value is left out.
type mirror struct {
	steps []step
	last  string // property or meta-property
	end   string // blueprint at the end of the path
	ends  bool   // last is a derived property there
	many  bool
}

func (m *model) linkMirror(blueprint string, def mirrorDefinition) *derived {
	x := &mirror{end: blueprint}
	d := &derived{how: x}
	for _, name := range def.path[:len(def.path)-1] {
		r := m.rules[x.end]
		if r == nil {
			d.breakOff("path", fmt.Sprintf("there is no blueprint %q", x.end))
			return d
		}
		s, ok := r.step(name)
		if !ok {
			d.breakOff("path", fmt.Sprintf("%q is no relation of %q", name, x.end))
			return d
		}
		x.steps = append(x.steps, s)
		x.end, x.many = s.to(), x.many || s.many
	}
	x.last = def.path[len(def.path)-1]
	if r := m.rules[x.end]; r == nil {
		d.breakOff("path", fmt.Sprintf("there is no blueprint %q", x.end))
	} else if x.last == "" || x.last[0] == '$' && !metaProperties[x.last] || x.last[0] != '$' && r.checks[x.last] == nil && !r.derived[x.last] {
		d.breakOff("path", fmt.Sprintf("%q is no property of %q", x.last, x.end))
	} else if r.derived[x.last] {
		x.ends = true
		d.others = []propertyAt{{x.end, x.last}}
	}
	return d
}

func (x *mirror) derive(d *deriving, name string, nodes []*node) error {
	reached, err := d.walk(nodes, x.steps)
	if err != nil {
		return err
	}
	if x.ends {
		if err := d.fill(everyEnd(nodes, reached), map[string]bool{x.last: true}); err != nil {
			return err
		}
	}
	if x.last == "$team" {
		if err := d.complete(everyEnd(nodes, reached)); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		n.set(name, x.value(reached[n], func(e *node) []byte { return e.read(x.last) }))
		if d.how.TitleIdentifiers && x.last == "$title" {
			if n.shown == nil {
				n.shown = map[string][]byte{}
			}
			n.shown[name] = x.value(reached[n], func(e *node) []byte {
				both := appendMember([]byte{'{'}, "identifier", appendText(nil, e.Identifier))
				return append(appendMember(both, "title", appendText(nil, e.title())), '}')
			})
		}
	}
	return nil
}

// value puts the values of the entities at the end together.
func (x *mirror) value(ends []*node, read func(*node) []byte) []byte {
	if !x.many {
		if len(ends) == 0 {
			return nil
		}
		return read(ends[0])
	}
	list := []byte{'['}
	add := func(v []byte) {
		if isNull(v) {
			return
		}
		if len(list) > 1 {
			list = append(list, ',')
		}
		list = append(list, v...)
	}
	for _, e := range ends {
		if v := read(e); len(v) > 0 && v[0] == '[' {
			elements(v, add)
		} else {
			add(v)
		}
	}
	return append(list, ']')
}
