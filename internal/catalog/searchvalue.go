package catalog

import (
	"encoding/json"
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
	query, err := b.plainQuery(r, raw, 0)
	if err != nil {
		return nil, err
	}
	return b.matches(blueprint, query, maxRelationMatches)
}

// plainQuery writes a search value in the words of the store: lists under contains, and mirrors as the relation behind
// them. What is no rule stays for the parser to refuse.
func (b *batch) plainQuery(r *rules, raw json.RawMessage, depth int) (json.RawMessage, error) {
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
			plain, err := b.plainQuery(r, rules[i], depth+1)
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
	if r.derived[name] {
		return b.mirrorRule(r, name, list)
	}
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

// mirrorRule turns a rule on a mirror into one on the relation that the mirror starts with.
func (b *batch) mirrorRule(r *rules, name string, rule []orderedMember) (json.RawMessage, error) {
	var doc struct {
		Mirrors map[string]struct{ Path string } `json:"mirrorProperties"`
	}
	_ = json.Unmarshal(r.Doc, &doc) // it is a blueprint's
	mirror, is := doc.Mirrors[name]
	if !is {
		return nil, invalidRequest("query: %q of %q is calculated: a search as a value cannot use it", name, r.Identifier)
	}
	relation, property, _ := strings.Cut(mirror.Path, ".")
	rel := r.relations[relation]
	if rel == nil || rel.Many || rel.InverseOf != "" || strings.Contains(property, ".") {
		return nil, invalidRequest("query: the mirror %q of %q goes over more than one single relation (%s): a search as a value cannot use it", name, r.Identifier, mirror.Path)
	}
	if err := b.searchable(rel.Target); err != nil {
		return nil, err
	}
	target := b.rules[rel.Target]
	if target == nil || target.derived[property] {
		return nil, invalidRequest("query: the mirror %q of %q shows a calculated property: a search as a value cannot use it", name, r.Identifier)
	}
	behind := objectEdit{list: append([]orderedMember(nil), rule...)}
	behind.set("property", appendText(nil, property))
	query, err := b.plainQuery(target, render(behind.list), 0)
	if err != nil {
		return nil, err
	}
	ids, err := b.matches(rel.Target, render([]orderedMember{{"combinator", appendText(nil, "and")}, {"rules", joined([]json.RawMessage{query})}}), maxMirrored+1)
	if err != nil {
		return nil, err
	}
	if len(ids) > maxMirrored {
		return nil, invalidRequest("query: the mirror %q of %q finds more than %d entities of %q", name, r.Identifier, maxMirrored, rel.Target)
	}
	on := func(operator string, more ...orderedMember) json.RawMessage {
		return render(append([]orderedMember{{"relation", appendText(nil, relation)}, {"operator", appendText(nil, operator)}}, more...))
	}
	found := on("in", orderedMember{"value", textList(ids)})
	value, _ := lookup(rule, "value")
	operator, _ := behind.text("operator")
	negative := operator == "!=" || strings.HasPrefix(operator, "not") || strings.HasPrefix(operator, "doesNot")
	if operator == "isEmpty" || operator == "=" && isNull(value) || negative && !isNull(value) { // nothing behind it either
		return render([]orderedMember{{"combinator", appendText(nil, "or")}, {"rules", joined([]json.RawMessage{found, on("isEmpty")})}}), nil
	}
	return found, nil
}
