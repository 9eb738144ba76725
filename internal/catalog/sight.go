package catalog

import (
	"slices"
	"strings"
	"sync"

	"longshore/internal/fault"
)

// Sight returns those of the blueprints of whose entities whoever asks may find out nothing. It is asked on the state of
// the catalog that is looked at, and must be quick.
type Sight func(all []Blueprint) []string

// Seen is the catalog as it is seen by someone from whom the entities of some blueprints are hidden. Whatever is worked
// out from them is not there: mirror, calculation and aggregation properties that reach them, by whatever way, have no
// value; rules that walk to them, or through them, are decided as if they did not exist, and so are the rules of
// scorecards; inverse relations from there are empty; a search as a value that looks at them is refused.
//
// That is no oracle: what is answered is worked out without a look at a hidden entity, so it is the same whatever they
// are. What an entity itself holds is its own and is shown: the identifiers that its relations name, and the team that
// it inherits, which says who may see it.
//
// Seen does not keep anybody from naming a hidden blueprint: that is for the caller to refuse.
func (c *Catalog) Seen(sight Sight) *Catalog {
	seen := *c
	seen.sight = sight
	return &seen
}

// maxMasks bounds how many ways of seeing one state of the blueprints are remembered.
const maxMasks = 64

// masks are models as they are with some blueprints hidden.
type masks struct {
	sync.Mutex
	of map[string]*model
}

// without is the model as it is with those blueprints hidden.
func (m *model) without(hidden []string) *model {
	if len(hidden) == 0 {
		return m
	}
	key := strings.Join(hidden, "\x00")
	m.masks.Lock()
	defer m.masks.Unlock()
	if known := m.masks.of[key]; known != nil {
		return known
	}
	masked := *m
	masked.plans, masked.cards, masked.masks, masked.hidden = &plans{}, &cards{}, &masks{}, map[string]bool{}
	for _, id := range hidden {
		masked.hidden[id] = true
	}
	if m.masks.of == nil || len(m.masks.of) >= maxMasks {
		m.masks.of = map[string]*model{}
	}
	m.masks.of[key] = &masked
	return &masked
}

// blueprints are those of the model, ordered by identifier.
func (m *model) blueprints() []Blueprint {
	list := make([]Blueprint, len(m.order))
	for i, id := range m.order {
		list[i] = m.rules[id].Blueprint
	}
	return list
}

// ruleHidden is the rule of a derived property that has no value because it looks into a hidden blueprint.
const ruleHidden = "permissions"

// hideDerived takes the value from every derived property that reaches a hidden blueprint, itself or by way of others.
func (m *model) hideDerived() {
	if len(m.hidden) == 0 {
		return
	}
	for _, p := range m.plans.of {
		for _, d := range p.derived {
			if id := m.reachesHidden(d); id != "" {
				d.hide("it looks at entities of " + id + ", which you may not see")
			}
		}
	}
	hidden := func(at propertyAt) bool {
		p := m.plans.of[at.blueprint]
		return p != nil && p.byName[at.name] != nil && p.byName[at.name].brokenRule == ruleHidden
	}
	for grew := true; grew; {
		grew = false
		for id, p := range m.plans.of {
			for _, d := range p.derived {
				needs := slices.Clone(d.others)
				for _, own := range d.own {
					needs = append(needs, propertyAt{id, own})
				}
				if i := slices.IndexFunc(needs, hidden); i >= 0 && d.brokenRule != ruleHidden {
					d.hide("it is worked out from " + needs[i].name + " of " + needs[i].blueprint + ", which you may not see")
					grew = true
				}
			}
		}
	}
}

func (d *derived) hide(why string) { d.broken, d.brokenRule = why, ruleHidden }

// reachesHidden returns a hidden blueprint that the property looks at, "" for none.
func (m *model) reachesHidden(d *derived) string {
	var chains [][]step
	switch x := d.how.(type) {
	case *mirror:
		chains = [][]step{x.steps}
	case *aggregation:
		chains = x.chains
		if m.hidden[x.target] {
			return x.target
		}
		if x.query != nil && x.query.low.blind {
			return "hidden blueprints, by its query"
		}
	}
	for _, chain := range chains {
		for _, s := range chain {
			if m.hidden[s.to()] {
				return s.to()
			}
		}
	}
	return ""
}

// searchable refuses a search as a value over entities that whoever writes may not see: what it finds would tell of them.
func (b *batch) searchable(blueprint string) error {
	if !b.hidden[blueprint] {
		return nil
	}
	return fault.Errorf(fault.Denied, "a search in a relation or an identifier looks at entities of %q, which you may not see, or not all of them", blueprint).
		WithCode("missing_permissions", map[string]any{"blueprint": blueprint, "missing": "entities.read"}).
		WithHint("name the entities by their identifiers")
}
