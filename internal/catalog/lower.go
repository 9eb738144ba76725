package catalog

import "slices"

// maxLoweredRules bounds the conditions that a query comes down to: one on a kind of property stands for many.
const maxLoweredRules = 3000

// lowered is a query as the store compiles it. Its conditions name only what blueprints define.
type lowered struct {
	rule Rule
	// Residual: rule holds for more than the query does, since some of it cannot be decided by the store.
	residual bool
	// remote are the conditions of the query that look beyond the entity's own row, each as the store decides it.
	remote map[*Rule]Rule
	// blind: some of it looks into hidden blueprints, and is decided as if there were nothing.
	blind bool
}

// lower takes a query on the entities of one blueprint, or of every one (""), to what the store compiles.
func (m *model) lower(query *Rule, blueprint string) (lowered, error) {
	l := lowering{model: m, scope: m.order, scoped: blueprint != ""}
	if l.scoped {
		l.scope = []string{blueprint}
	}
	l.remote = map[*Rule]Rule{}
	l.rule = l.lower(query)
	if l.count > maxLoweredRules {
		return l.lowered, invalidRequest("query: its rules stand for %d conditions, more than %d", l.count, maxLoweredRules)
	}
	return l.lowered, nil
}

type lowering struct {
	*model
	lowered
	scope  []string // blueprints that are searched
	scoped bool     // one alone
	count  int
}

func (l *lowering) lower(r *Rule) Rule {
	if r.Combinator != "" {
		out := Rule{Combinator: r.Combinator}
		for i := range r.Rules {
			out.Rules = append(out.Rules, l.lower(&r.Rules[i]))
		}
		return out
	}
	l.count++
	remote := false
	out := *r
	switch {
	case r.Operator == OpNever:
	case r.Operator == OpRelatedTo:
		remote, out = true, l.related(r.Related)
	case r.Operator == OpMatchAny:
		remote, out = true, l.path(r.Path)
	case r.Subject.Kind == ValueProperty:
		out = l.property(r)
	case r.Subject.Kind == MetaProperty && r.Subject.Name == "$team":
		out = l.team(r)
	case r.Subject.Kind == SchemaProperty:
		out = l.schema(r)
	case r.Subject.Kind == ScorecardValue:
		l.residual = true
		out = Everything()
	case r.Subject.Kind == RelationValue:
		remote, out = true, l.relation(r)
	}
	if remote {
		l.remote[r] = out
	}
	return out
}

// absent is a condition on a value that is not there.
func absent(r *Rule) Rule {
	if r.holds(subjectValue{}) {
		return Everything()
	}
	return Nothing()
}

func ofBlueprints(ids []string, negate bool) Rule {
	r := Rule{Subject: Subject{Kind: MetaProperty, Name: "$blueprint"}, Operator: OpIn, Negate: negate}
	for _, id := range ids {
		r.Values = append(r.Values, Value{Kind: TextValue, Text: id})
	}
	return r
}

func and(rules ...Rule) Rule { return Rule{Combinator: "and", Rules: rules} }

// or joins rules of which one must hold; none is never.
func or(rules ...Rule) Rule {
	if len(rules) == 0 {
		return Nothing()
	}
	return Rule{Combinator: "or", Rules: rules}
}

func (l *lowering) property(r *Rule) Rule {
	var derived []string
	defined := false
	for _, b := range l.scope {
		defined = defined || l.rules[b].checks[r.Subject.Name] != nil
		if l.rules[b].derived[r.Subject.Name] {
			derived = append(derived, b)
		}
	}
	out := *r
	if !defined {
		out = absent(r)
	}
	if len(derived) == 0 {
		return out
	}
	l.residual = true
	if l.scoped {
		return Everything()
	}
	return or(ofBlueprints(derived, false), out)
}

// team is a condition on $team: where it is inherited, what is stored of it says nothing.
func (l *lowering) team(r *Rule) Rule {
	var heirs []string
	for _, b := range l.scope {
		if l.rules[b].owned.path != nil {
			heirs = append(heirs, b)
		}
	}
	if len(heirs) == 0 {
		return *r
	}
	l.residual = true
	if l.scoped {
		return Everything()
	}
	return or(ofBlueprints(heirs, false), *r)
}

// each joins what a condition comes down to for each blueprint; where decide does not say, other holds.
func (l *lowering) each(decide func(*rules) (Rule, bool), other Rule) Rule {
	var rules []Rule
	var decided []string
	for _, b := range l.scope {
		r, ok := decide(l.rules[b])
		if !ok {
			continue
		}
		if l.scoped {
			return r
		}
		l.count++
		rules = append(rules, and(ofBlueprints([]string{b}, false), r))
		decided = append(decided, b)
	}
	if len(decided) == 0 {
		return other
	}
	if other.Operator != OpNever || other.Negate {
		rules = append(rules, and(ofBlueprints(decided, true), other))
	}
	return or(rules...)
}

func (l *lowering) relation(r *Rule) Rule {
	return l.each(func(b *rules) (Rule, bool) {
		rel := b.relations[r.Subject.Name]
		if rel == nil {
			return Rule{}, false
		}
		out := *r
		out.Subject.Of, out.Subject.Rel = b.Identifier, rel
		if l.hidden[rel.Target] && (rel.InverseOf != "" || r.Subject.Titles) {
			if l.blind = true; rel.InverseOf != "" {
				return absent(r), true
			}
			out.Subject.Titles = false // what is not there goes by its identifier
		}
		return out, true
	}, absent(r))
}

func (l *lowering) schema(r *Rule) Rule {
	return l.each(func(b *rules) (Rule, bool) {
		out := Rule{Combinator: map[bool]string{false: "or", true: "and"}[r.Negate]}
		for _, p := range b.Properties {
			if l.count <= maxLoweredRules && r.Subject.Schema.fits(p) {
				one := *r
				one.Subject = Subject{Kind: ValueProperty, Name: p.Name}
				out.Rules = append(out.Rules, one)
				l.count++
			}
		}
		return out, len(out.Rules) > 0
	}, Rule{Operator: OpNever, Negate: r.Negate})
}

func (l *lowering) related(r *Related) Rule {
	if l.rules[r.Blueprint] == nil || len(r.Identifiers) == 0 {
		return Nothing()
	}
	if l.hidden[r.Blueprint] {
		l.blind = true
		return Nothing()
	}
	var along []RelationName
	if r.Required != nil || len(l.hidden) > 0 {
		for _, b := range l.order {
			for _, rel := range l.rules[b].Relations {
				switch {
				case rel.InverseOf != "" || r.Required != nil && rel.Required != *r.Required:
				case l.hidden[b] || l.hidden[rel.Target]:
					l.blind = true
				default:
					along = append(along, RelationName{b, rel.Name})
				}
			}
		}
		if len(along) == 0 {
			return Nothing()
		}
	}
	var ways []Rule
	for direction, against := range map[Direction]bool{Upstream: false, Downstream: true} {
		if r.Direction == Both || r.Direction == direction {
			ways = append(ways, reached(r.Blueprint, r.Identifiers, []Hop{{Against: against, Relations: along}}))
		}
	}
	named := Rule{Subject: Subject{Kind: MetaProperty, Name: "$identifier"}, Operator: OpIn, Negate: true}
	for _, id := range r.Identifiers {
		named.Values = append(named.Values, Value{Kind: TextValue, Text: id})
	}
	return and(or(ways...), or(ofBlueprints([]string{r.Blueprint}, true), named))
}

func reached(blueprint string, ids []string, hops []Hop) Rule {
	return Rule{Operator: OpReached, Reach: &Reach{Blueprint: blueprint, Identifiers: ids, Hops: hops}}
}

func (l *lowering) path(p *Path) Rule {
	if len(p.Identifiers) == 0 {
		return Nothing()
	}
	if p.From != "" {
		if l.hidden[p.From] {
			l.blind = true
			return Nothing()
		}
		hops, _, ok := l.hops(p.From, p.Steps)
		if !ok {
			return Nothing()
		}
		return reached(p.From, p.Identifiers, hops)
	}
	return l.each(func(b *rules) (Rule, bool) {
		hops, end, ok := l.hops(b.Identifier, p.Steps)
		if !ok {
			return Rule{}, false
		}
		slices.Reverse(hops)
		for i := range hops {
			hops[i].Against = !hops[i].Against
		}
		return reached(end, p.Identifiers, hops), true
	}, Nothing())
}

// hops reads a path from one blueprint to the other at its end.
func (l *lowering) hops(from string, steps []Step) (hops []Hop, end string, ok bool) {
	for _, s := range steps {
		b := l.rules[from]
		if b == nil || b.relations[s.Relation] == nil {
			return nil, "", false
		}
		rel := b.relations[s.Relation]
		if l.hidden[from] || l.hidden[rel.Target] {
			l.blind = true
			return nil, "", false
		}
		hop := Hop{Relations: []RelationName{{from, rel.Name}}, Max: 1}
		if rel.InverseOf != "" {
			other := l.rules[rel.Target]
			if other == nil || other.relations[rel.InverseOf] == nil || other.relations[rel.InverseOf].Target != from {
				return nil, "", false
			}
			hop.Against, hop.Relations[0] = true, RelationName{rel.Target, rel.InverseOf}
		}
		if rel.Target == from {
			hop.Max = max(s.MaxHops, 1)
		}
		hops = append(hops, hop)
		from = rel.Target
	}
	return hops, from, l.rules[from] != nil
}
