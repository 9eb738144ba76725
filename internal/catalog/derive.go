package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"longshore/internal/fault"
)

// Limits of what is derived for one page of entities.
const (
	// maxReach is how many entities one derived property of one entity may look at. Port's limit of aggregations.
	maxReach = 20_000
	// maxKept is how many entities are remembered between the properties of a page.
	maxKept = 50_000
	// maxCalculating is how long the calculations of a page may take in all; those that are left then have no value.
	maxCalculating = 5 * time.Second
	// maxTimeouts is how often a calculation may run out of its time on a page before it is left alone.
	maxTimeouts = 3
)

// Reading is how entities are wanted.
type Reading struct {
	// Stored leaves mirror, calculation and aggregation properties out: Derived stays nil.
	Stored bool
	// Only names the derived properties that are wanted; nil wants all.
	Only []string
	// TitleIdentifiers makes a mirror of $title {"identifier","title"}, or a list of these.
	TitleIdentifiers bool
	// Unscored leaves scorecards out.
	Unscored bool
}

// derive fills in Derived and Underived of the entities, of whatever blueprints, as view sees the catalog. Inverse
// relations must be filled in already. It costs a few queries a page for each path that a property follows.
func (c *Catalog) derive(ctx context.Context, view View, m *model, entities []Entity) error {
	return c.deriveAs(ctx, view, m, entities, Reading{})
}

func (c *Catalog) deriveAs(ctx context.Context, view View, m *model, entities []Entity, how Reading) error {
	if how.Stored {
		return nil
	}
	groups := map[string][]*node{}
	for i := range entities {
		if e := &entities[i]; len(m.plan(e.Blueprint).derived) > 0 {
			groups[e.Blueprint] = append(groups[e.Blueprint], &node{Entity: e, whole: true})
		}
	}
	if len(groups) == 0 {
		return nil
	}
	d := &deriving{ctx: ctx, catalog: c, view: view, model: m, now: c.now().UTC(), how: how, page: groups}
	d.forget()
	for _, blueprint := range slices.Sorted(maps.Keys(groups)) {
		nodes := groups[blueprint]
		names := m.plan(blueprint).names()
		if how.Only != nil {
			maps.DeleteFunc(names, func(name string, _ bool) bool { return !slices.Contains(how.Only, name) })
		}
		if err := d.fill(nodes, names); err != nil {
			return err
		}
		for _, n := range nodes {
			n.Derived, n.Underived = n.object(names), n.flags
		}
	}
	return nil
}

// derivedAfter derives the properties of an entity that a write has left. The transaction has ended: programs of users
// run outside it. The write stands, so that trouble here costs the values alone.
func (c *Catalog) derivedAfter(ctx context.Context, e Entity) Entity {
	one := []Entity{e}
	err := c.store.InView(ctx, func(v View) error {
		m, err := c.modelOf(ctx, v)
		if err != nil {
			return err
		}
		return c.readAs(ctx, v, m, one, Reading{})
	})
	if err != nil {
		return e
	}
	return one[0]
}

// node is an entity while values are derived for it or from it.
type node struct {
	*Entity
	whole  bool              // what it reads from other entities as it stands there is filled in: inverse relations, inherited teams
	values map[string][]byte // of derived properties: nil for none; a name that is missing was not derived yet
	shown  map[string][]byte // answered instead of the value
	flags  []Flag
}

func (n *node) set(name string, value []byte) {
	if n.values == nil {
		n.values = map[string][]byte{}
	}
	if isNull(value) {
		value = nil
	}
	n.values[name] = value
}

// fail gives a derived property no value and says why.
func (n *node) fail(name, rule, format string, args ...any) {
	n.set(name, nil)
	message := fault.Errorf(fault.Invalid, format, args...).Error()
	n.flags = append(n.flags, Flag{Property: name, Rule: rule, Want: excerpt([]byte(message))})
}

// object writes the named values as a canonical object.
func (n *node) object(names map[string]bool) json.RawMessage {
	out := []byte{'{'}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		value := n.values[name]
		if shown, ok := n.shown[name]; ok {
			value = shown
		}
		if value != nil {
			out = appendMember(out, name, value)
		}
	}
	return append(out, '}')
}

// deriving is one call of derive.
type deriving struct {
	ctx     context.Context //nolint:containedctx // lives as long as the call
	catalog *Catalog
	view    View
	model   *model
	now     time.Time
	how     Reading

	page     map[string][]*node
	known    map[Key]*node              // entities looked at; nil: not there
	links    map[step]map[*node][]*node // steps back that were taken: where each node got
	looked   int                        // entities read for the property under way
	spent    time.Duration              // in calculations
	timeouts map[*calculation]int
}

// forget lets go of all entities but those of the page.
func (d *deriving) forget() {
	d.known, d.links = map[Key]*node{}, map[step]map[*node][]*node{}
	for _, nodes := range d.page {
		for _, n := range nodes {
			d.known[Key{n.Blueprint, n.Identifier}] = n
		}
	}
}

// errTooMany says that a property looked at more than maxReach entities.
var errTooMany = errors.New("looks at too many entities")

// fill derives the named properties of nodes of one blueprint, as far as they are not derived yet.
func (d *deriving) fill(nodes []*node, names map[string]bool) error {
	if len(nodes) == 0 {
		return nil
	}
	for _, p := range d.model.plan(nodes[0].Blueprint).needed(names) {
		var open []*node
		for _, n := range nodes {
			if _, done := n.values[p.name]; !done {
				open = append(open, n)
			}
		}
		outer := d.looked
		if err := d.one(p, open); err != nil {
			return err
		}
		d.looked = outer
		if len(d.known) > maxKept {
			d.forget()
		}
	}
	return nil
}

// one derives a property of nodes. What looks at too many entities for all of them at once is derived for half of them
// at a time; what does for one entity alone has no value.
func (d *deriving) one(p *derived, nodes []*node) error {
	if len(nodes) == 0 {
		return nil
	}
	if p.broken != "" {
		for _, n := range nodes {
			n.fail(p.name, p.brokenRule, "%s", p.broken)
		}
		return nil
	}
	d.looked = 0
	err := p.how.derive(d, p.name, nodes)
	if !errors.Is(err, errTooMany) {
		return err
	}
	d.forget()
	if len(nodes) == 1 {
		nodes[0].fail(p.name, "too-many", "it looks at more than %d entities", maxReach)
		return nil
	}
	if err := d.one(p, nodes[:len(nodes)/2]); err != nil {
		return err
	}
	return d.one(p, nodes[len(nodes)/2:])
}

// read returns a property or meta-property of a node, nil for none. A derived one must be derived already.
func (n *node) read(name string) []byte {
	if name != "" && name[0] == '$' {
		return n.meta(name)
	}
	if value, ok := n.values[name]; ok {
		return value
	}
	return memberOf(n.Properties, name)
}

func (n *node) meta(name string) []byte {
	switch name {
	case "$team":
		return n.Team
	case "$createdAt":
		return appendText(nil, n.CreatedAt.UTC().Format(stampFormat))
	case "$updatedAt":
		return appendText(nil, n.UpdatedAt.UTC().Format(stampFormat))
	}
	if text, _ := n.metaText(name); text != "" {
		return appendText(nil, text)
	}
	return nil
}

func (n *node) title() string {
	if n.Title == "" {
		return n.Identifier
	}
	return n.Title
}

// stampFormat is how times are written.
const stampFormat = "2006-01-02T15:04:05.000Z07:00"

// memberOf returns a member of a canonical object, nil when it is not there.
func memberOf(object []byte, name string) []byte {
	if len(object) < 2 || object[0] != '{' {
		return nil
	}
	for i := 1; i < len(object) && object[i] == '"'; {
		end := skip(object, i)
		quoted, start := object[i+1:end-1], end+1
		i = skip(object, start)
		if string(quoted) == name || len(quoted) > len(name) && unquote(object[start-1-len(quoted)-2:end]) == name {
			return object[start:i]
		}
		if i < len(object) && object[i] == ',' {
			i++
		}
	}
	return nil
}
