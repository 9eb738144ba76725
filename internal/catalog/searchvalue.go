package catalog

import (
	"encoding/json"
	"slices"
	"strings"
)

// maxMirrored bounds how many entities a rule on a mirror property may find behind it.
const maxMirrored = 1000

// related returns the identifiers that a search given as a value finds in a blueprint, at most maxRelationMatches.
// Port's limits hold: no calculated properties, and mirrors one level over a single relation alone.
func (b *batch) related(blueprint string, raw []byte) ([]string, error) {
	r := b.rules[blueprint]
	if r == nil {
		return nil, missing("Blueprint", blueprint)
	}
	if err := b.searchable(blueprint); err != nil {
		return nil, err
	}
	query, err := b.plainQuery(raw, 0)
	if err != nil {
		return nil, err
	}
	return b.matches(blueprint, query, maxRelationMatches)
}

// plainQuery writes a search value in the words of other searches: lists under contains. What is no rule stays for the parser to refuse.
func (b *batch) plainQuery(raw json.RawMessage, depth int) (json.RawMessage, error) {
	list, broken := ordered(raw)
	if broken != nil || depth > maxQueryDepth {
		return raw, nil //nolint:nilerr // the parser refuses it
	}
	e := objectEdit{list: list}
	if nodes, ok := lookup(list, "rules"); ok {
		var rules []json.RawMessage
		if json.Unmarshal(nodes, &rules) != nil || len(rules) > maxQueryRules {
			return raw, nil //nolint:nilerr // the parser refuses it
		}
		for i := range rules {
			plain, err := b.plainQuery(rules[i], depth+1)
			if err != nil {
				return nil, err
			}
			rules[i] = plain
		}
		e.set("rules", joined(rules))
		return render(e.list), nil
	}
	name, _ := e.text("property")
	value, _ := lookup(list, "value")
	if len(value) == 0 || value[0] != '[' {
		return raw, nil
	}
	if operator, _ := e.text("operator"); operator == "contains" {
		return anyOf(name, value)
	}
	return raw, nil
}

// anyOf is a rule that holds when the property contains one of the values.
func anyOf(name string, list json.RawMessage) (json.RawMessage, error) {
	var values []json.RawMessage
	if err := json.Unmarshal(list, &values); err != nil {
		return nil, invalidRequest("query: %w", err)
	}
	rules := make([]json.RawMessage, len(values))
	for i, v := range values {
		rules[i] = render([]orderedMember{{"property", appendText(nil, name)}, {"operator", appendText(nil, "contains")}, {"value", v}})
	}
	if len(rules) == 0 { // none of nothing
		rules = []json.RawMessage{[]byte(`{"property":"$identifier","operator":"in","value":[]}`)}
	}
	return render([]orderedMember{{"combinator", appendText(nil, "or")}, {"rules", joined(rules)}}), nil
}

// behindMirrors turns conditions on mirror properties into conditions on the relation that the mirror starts with: it is
// one of those entities behind which the condition holds or, where it holds for what is not there, none of those behind
// which it does not. One query a condition.
func (b *batch) behindMirrors(r *rules, rule *Rule) error {
	for i := range rule.Rules {
		if err := b.behindMirrors(r, &rule.Rules[i]); err != nil {
			return err
		}
	}
	name := rule.Subject.Name
	if rule.Combinator != "" || rule.Operator == OpNever || rule.Subject.Kind != ValueProperty || !r.derived[name] || r.checks[name] != nil {
		return nil
	}
	rel, property, err := b.mirrored(r, name)
	if err != nil {
		return err
	}
	if err := b.searchable(rel.Target); err != nil {
		return err
	}
	behind := *rule
	if behind.Subject.Name = property; property[0] == '$' {
		behind.Subject.Kind = MetaProperty
	}
	without := rule.holds(subjectValue{})
	if without {
		behind.Negate = !behind.Negate
	}
	ids, err := b.find(rel.Target, behind, maxMirrored+1)
	if err != nil {
		return err
	}
	if len(ids) > maxMirrored {
		return invalidRequest("query: the mirror %q of %q finds more than %d entities of %q", name, r.Identifier, maxMirrored, rel.Target)
	}
	*rule = Rule{Subject: Subject{Kind: RelationValue, Name: rel.Name}, Operator: OpIn, Negate: without, Values: textValues(ids)}
	return nil
}

// mirrored returns the relation that a mirror goes over and the property that it shows. Errors: fault.Invalid for what a
// search as a value cannot look at.
func (b *batch) mirrored(r *rules, name string) (*Relation, string, error) {
	at := slices.IndexFunc(r.definitions.mirrors, func(m mirrorDefinition) bool { return m.name == name })
	if at < 0 {
		return nil, "", invalidRequest("query: %q of %q is calculated: a search as a value cannot use it", name, r.Identifier)
	}
	path := r.definitions.mirrors[at].path
	rel := r.relations[path[0]]
	if rel == nil || rel.Many || rel.InverseOf != "" || len(path) != 2 || path[1] == "" {
		return nil, "", invalidRequest("query: the mirror %q of %q goes over more than one single relation (%s): a search as a value cannot use it", name, r.Identifier, strings.Join(path, "."))
	}
	target := b.rules[rel.Target]
	if target == nil || target.derived[path[1]] || path[1] == "$team" && target.owned.path != nil {
		return nil, "", invalidRequest("query: the mirror %q of %q shows what is calculated or inherited: a search as a value cannot use it", name, r.Identifier)
	}
	return rel, path[1], nil
}
