package access

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"

	"longshore/internal/catalog"
)

// scope is what of the entities a caller may see.
type scope struct {
	hidden map[string]bool // blueprints of which nothing is seen
	owned  map[string]bool // blueprints of which the entities of the caller's teams are seen
	teams  []string
}

func (s scope) all() bool { return len(s.hidden)+len(s.owned) == 0 }

// partly lists the blueprints that are not seen whole. What is worked out from their entities is not shown: whether it
// came from one that is seen is not looked into.
func (s scope) partly() []string {
	return slices.Sorted(maps.Keys(union(s.hidden, s.owned)))
}

func union(a, b map[string]bool) map[string]bool {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// sees reports whether the entities of the caller's teams are among what is seen of a blueprint, and those of that team.
func (s scope) sees(c *caller, blueprint string, team json.RawMessage) bool {
	return !s.hidden[blueprint] && (!s.owned[blueprint] || c.owns(team))
}

// scope looks through all blueprints.
func (g *Guard) scope(ctx context.Context, c *caller) (scope, error) {
	if c.admin() {
		return scope{}, nil
	}
	if err := c.load(ctx); err != nil {
		return scope{}, err
	}
	list, err := g.Blueprints(ctx)
	if err != nil {
		return scope{}, err
	}
	return c.scope(list), nil
}

// scope is what the caller sees of these blueprints, which are all. The caller's teams must be known.
func (c *caller) scope(list []catalog.Blueprint) scope {
	s := scope{hidden: map[string]bool{}, owned: map[string]bool{}, teams: c.teams}
	if c.admin() {
		return s
	}
	for _, b := range list {
		switch leaf := readLeaf(b.Identifier, b.Permissions); {
		case c.may(leaf):
		case c.mayIfOwned(leaf):
			s.owned[b.Identifier] = true
		default:
			s.hidden[b.Identifier] = true
		}
	}
	return s
}

// readLeaf is who may read a blueprint's entities. Permissions that cannot be read let nobody in but admins.
func readLeaf(blueprint string, permissions json.RawMessage) Leaf {
	if len(permissions) == 0 {
		return first(blueprint, "read")
	}
	var set kept
	if json.Unmarshal(permissions, &set) != nil {
		return Leaf{}
	}
	if leaf, ok := set["read"]; ok {
		return leaf
	}
	return first(blueprint, "read")
}

// seen is the catalog as the scope shows it.
func (g *Guard) seen(s scope) *catalog.Catalog {
	if s.all() {
		return g.Catalog
	}
	hidden := s.partly()
	return g.Seen(func([]catalog.Blueprint) []string { return hidden })
}

// SeesAll refuses callers from whom the entities of some blueprint are kept, or were when it was deleted: records and
// verdicts are shown whatever blueprint they became.
func (g *Guard) SeesAll(ctx context.Context) error {
	c, err := g.caller(ctx)
	if err != nil || c.admin() {
		return err
	}
	s, err := g.scope(ctx, c)
	if err != nil {
		return err
	}
	if partly := s.partly(); len(partly) > 0 {
		return c.refused(partly[0], "read")
	}
	former, err := g.FormerPermissions(ctx)
	if err != nil {
		return err
	}
	for _, doc := range former {
		if !c.may(readLeaf(doc.Identifier, doc.Doc)) {
			return c.refused(doc.Identifier, "read")
		}
	}
	return nil
}

// SeesBlueprint refuses callers who may not see every entity of the blueprint, and notes that they are read.
func (g *Guard) SeesBlueprint(ctx context.Context, blueprint string) error {
	c, s, _, err := g.look(ctx, blueprint, nil)
	if err != nil {
		return err
	}
	if s.owned[blueprint] {
		return c.refused(blueprint, "read")
	}
	return g.read(ctx, blueprint, nil)
}

// look is what every reading begins with: who calls, and what of the blueprint ("" for all) may be seen.
func (g *Guard) look(ctx context.Context, blueprint string, query json.RawMessage) (*caller, scope, json.RawMessage, error) {
	c, err := g.caller(ctx)
	if err != nil {
		return nil, scope{}, nil, err
	}
	s, err := g.scope(ctx, c)
	if err != nil {
		return nil, s, nil, err
	}
	query, err = s.among(c, blueprint, query)
	return c, s, query, err
}

// among refuses a blueprint that is hidden, and lays over a query that only what is seen is looked at.
func (s scope) among(c *caller, blueprint string, query json.RawMessage) (json.RawMessage, error) {
	type rule struct {
		Property   string `json:"property,omitempty"`
		Operator   string `json:"operator,omitempty"`
		Value      any    `json:"value,omitempty"`
		Combinator string `json:"combinator,omitempty"`
		Rules      []any  `json:"rules,omitempty"`
	}
	mine := rule{Property: "$team", Operator: "containsAny", Value: s.teams}
	rules := []any{}
	switch {
	case s.hidden[blueprint]:
		return nil, c.refused(blueprint, "read")
	case s.all() || blueprint != "" && !s.owned[blueprint]:
		return query, nil
	case blueprint != "":
		rules = append(rules, mine)
	default:
		if hidden := slices.Sorted(maps.Keys(s.hidden)); len(hidden) > 0 {
			rules = append(rules, rule{Property: "$blueprint", Operator: "notIn", Value: hidden})
		}
		if owned := slices.Sorted(maps.Keys(s.owned)); len(owned) > 0 {
			rules = append(rules, rule{Combinator: "or", Rules: []any{rule{Property: "$blueprint", Operator: "notIn", Value: owned}, mine}})
		}
	}
	var asked struct {
		Rules json.RawMessage `json:"rules"`
	}
	// Whatever is wrong with a query is told by whoever reads it; one without rules matches everything.
	if len(query) > 0 && (json.Unmarshal(query, &asked) != nil || len(asked.Rules) > 0 && string(bytes.Join(bytes.Fields(asked.Rules), nil)) != "[]") {
		rules = append([]any{query}, rules...)
	}
	return encode(rule{Combinator: "and", Rules: rules})
}
