package catalog

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"longshore/internal/fault"
)

// Limits of one definition within a blueprint. Entities are checked with it again and again, so it must stay cheap.
const (
	maxDefinitionBytes = 64 << 10
	maxDefinitionDepth = 32
	maxPatternBytes    = 2000
)

// colours are those that enumColors may name.
var colours = []string{
	"blue", "turquoise", "orange", "purple", "pink", "yellow", "green", "red", "gold", "silver", "paleBlue", "darkGray", "lightGray", "bronze", "lime", "olive", "brown",
}

// specs are what a property's value may describe.
var specs = []string{"open-api", "async-api", "embedded-url"}

// checkDefinition holds a document that is to be written against Port's rules, as far as they need no other blueprint.
// What a blueprint has already is not checked again: it may be older than a rule.
func checkDefinition(b *Blueprint, old *rules) error {
	members, err := ordered(b.Doc)
	if err != nil {
		return err
	}
	for _, p := range b.Properties {
		if before := propertyOf(old, p.Name); before != nil && bytes.Equal(before.Schema, p.Schema) {
			continue
		}
		if err := checkProperty(p); err != nil {
			return err
		}
	}
	for name, check := range map[string]func(string, json.RawMessage) error{
		"relations": checkRelation, "mirrorProperties": checkMirror, "calculationProperties": checkCalculation, "aggregationProperties": checkAggregation,
	} {
		if err := checkEntries(members, name, old, check); err != nil {
			return err
		}
	}
	for name, check := range map[string]func(json.RawMessage) error{
		"ownership": b.checkOwnership, "teamInheritance": b.checkTeamInheritance, "changelogDestination": checkChangelog, "includeInGlobalSearch": checkSwitch("includeInGlobalSearch"),
		"history": checkSwitch("history"),
	} {
		if raw, _ := lookup(members, name); !isNull(raw) {
			if err := check(raw); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkEntries checks the entries of one map that are new or different.
func checkEntries(members []orderedMember, name string, old *rules, check func(string, json.RawMessage) error) error {
	raw, _ := lookup(members, name)
	entries, err := ordered(raw)
	if err != nil {
		return err
	}
	if len(entries) > maxBlueprintMembers {
		return invalidRequest("%s: more than %d", name, maxBlueprintMembers)
	}
	var known []orderedMember
	if old != nil {
		was, _ := ordered(old.Doc)
		before, _ := lookup(was, name)
		known, _ = ordered(before)
	}
	had := make(map[string]json.RawMessage, len(known))
	for _, m := range known {
		had[m.Name] = m.Value
	}
	for _, m := range entries {
		if before, is := had[m.Name]; is && bytes.Equal(before, m.Value) {
			continue
		}
		if len(m.Value) > maxDefinitionBytes {
			return invalidRequest("%s %q: larger than %d bytes", name, m.Name, maxDefinitionBytes)
		}
		if name != "relations" && (!propertyNamePattern.MatchString(m.Name) || len(m.Name) > maxPropertyName) {
			return invalidRequest("%s: name %q: want 1 to %d of letters, digits, @_=\\-", name, m.Name, maxPropertyName)
		}
		if err := check(m.Name, m.Value); err != nil {
			return err
		}
	}
	return nil
}

// part is one member of a definition: a string unless it says otherwise.
type part struct {
	value json.RawMessage
	where string
}

// text returns a string of at most max characters; null and absent are "".
func (p part) text(most int) (string, error) {
	if isNull(p.value) {
		return "", nil
	}
	var s string
	if json.Unmarshal(p.value, &s) != nil {
		return "", invalidRequest("%s: want a string, got %s", p.where, excerpt(p.value))
	}
	if utf8.RuneCountInString(s) > most {
		return "", invalidRequest("%s: longer than %d characters", p.where, most)
	}
	return s, nil
}

// oneOf returns a string that is one of legal; null and absent are "".
func (p part) oneOf(legal ...string) (string, error) {
	s, err := p.text(maxPatternBytes)
	if err == nil && s != "" && !slices.Contains(legal, s) {
		err = invalidRequest("%s: want one of %s, got %s", p.where, strings.Join(legal, ", "), excerpt(p.value))
	}
	return s, err
}

// parts returns a look-up in a definition that must be an object.
func parts(where string, raw json.RawMessage) (func(string) part, []orderedMember, error) {
	if isNull(raw) {
		return nil, nil, invalidRequest("%s: want an object, got null", where)
	}
	list, err := ordered(raw)
	if err != nil {
		return nil, nil, invalidRequest("%s: %w", where, err)
	}
	return func(name string) part {
		value, _ := lookup(list, name)
		return part{value, where + ": " + name}
	}, list, nil
}

// checkDisplay checks what definitions of all kinds have for people to read.
func checkDisplay(get func(string) part) error {
	for name, most := range map[string]int{"title": maxTitle, "description": maxDefinitionBytes, "icon": maxDefinitionBytes, "format": maxTitle} {
		if _, err := get(name).text(most); err != nil {
			return err
		}
	}
	if _, err := get("spec").oneOf(specs...); err != nil {
		return err
	}
	if auth := get("specAuthentication"); !isNull(auth.value) {
		if _, _, err := parts(auth.where, auth.value); err != nil {
			return err
		}
	}
	return nil
}

func checkProperty(p Property) error {
	where := "property " + quote(p.Name)
	if len(p.Schema) > maxDefinitionBytes {
		return invalidRequest("%s: its definition is larger than %d bytes", where, maxDefinitionBytes)
	}
	get, _, err := parts(where, p.Schema)
	if err != nil {
		return err
	}
	if err := checkDisplay(get); err != nil {
		return err
	}
	if err := checkColours(where, get("enumColors").value); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(p.Schema))
	d.UseNumber()
	var schema any
	if err := d.Decode(&schema); err != nil {
		return invalidRequest("%s: %w", where, err)
	}
	if err := checkSchema(where, schema, false, 0); err != nil {
		return err
	}
	if check := newCheck(p); check.broken != nil {
		return invalidRequest("%s: its definition is no JSON Schema: %w", where, check.broken)
	}
	return nil
}

// namedSchemas are the keywords whose members are names, each of a schema of its own.
var namedSchemas = []string{"properties", "patternProperties", "definitions", "$defs", "dependencies", "dependentSchemas"}

// checkSchema refuses what would make checking a value dear: schemas that name each other, so that a short definition
// can mean an endless one, and deep ones. names says that the node's members are names. Keywords of values (enum,
// const, default) may hold anything.
func checkSchema(where string, schema any, names bool, depth int) error {
	if depth > maxDefinitionDepth {
		return invalidRequest("%s: its definition is nested deeper than %d", where, maxDefinitionDepth)
	}
	switch node := schema.(type) {
	case []any:
		for _, sub := range node {
			if err := checkSchema(where, sub, false, depth+1); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, sub := range node {
			text, isText := sub.(string)
			switch {
			case names:
			case name == "enum" || name == "const" || name == "default" || name == "examples":
				continue
			case isText && (name == "$ref" || name == "$dynamicRef" || name == "$recursiveRef"):
				return invalidRequest("%s: %s is not allowed in a definition: write out what %s stands for", where, name, excerpt([]byte(text)))
			case isText && name == "pattern" && len(text) > maxPatternBytes:
				return invalidRequest("%s: pattern is longer than %d bytes", where, maxPatternBytes)
			}
			if err := checkSchema(where, sub, !names && slices.Contains(namedSchemas, name), depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkColours(where string, raw json.RawMessage) error {
	if isNull(raw) {
		return nil
	}
	list, err := ordered(raw)
	if err != nil {
		return invalidRequest("%s: enumColors: %w", where, err)
	}
	for _, m := range list {
		if _, err := (part{m.Value, where + ": enumColors: " + m.Name}).oneOf(colours...); err != nil {
			return err
		}
	}
	return nil
}

func checkRelation(name string, raw json.RawMessage) error {
	get, _, err := parts("relation "+quote(name), raw)
	if err != nil {
		return err
	}
	for member, most := range map[string]int{"title": maxTitle, "description": maxDefinitionBytes, "type": maxTitle} {
		if _, err := get(member).text(most); err != nil {
			return err
		}
	}
	return nil
}

func checkMirror(name string, raw json.RawMessage) error {
	get, _, err := parts("mirror property "+quote(name), raw)
	if err != nil {
		return err
	}
	return checkDisplay(get)
}

// calculationMembers are all that the definition of a calculation may have.
var calculationMembers = []string{
	"calculation", "type", "title", "description", "icon", "format", "spec", "specAuthentication", "items", "colorized", "colors",
}

func checkCalculation(name string, raw json.RawMessage) error {
	where := "calculation property " + quote(name)
	get, list, err := parts(where, raw)
	if err != nil {
		return err
	}
	for _, m := range list {
		if !slices.Contains(calculationMembers, m.Name) {
			return invalidRequest("%s: unknown member %q", where, m.Name)
		}
	}
	jq, err := get("calculation").text(maxDefinitionBytes)
	if err != nil {
		return err
	}
	kind, err := get("type").oneOf(propertyTypes...)
	switch {
	case err != nil:
		return err
	case jq == "":
		return invalidRequest("%s: a calculation is required", where)
	case kind == "":
		return invalidRequest("%s: a type is required: one of %s", where, strings.Join(propertyTypes, ", "))
	}
	return checkDisplay(get)
}

func checkAggregation(name string, raw json.RawMessage) error {
	where := "aggregation property " + quote(name)
	get, _, err := parts(where, raw)
	if err != nil {
		return err
	}
	if err := checkDisplay(get); err != nil {
		return err
	}
	if _, err := get("type").oneOf("number"); err != nil {
		return err
	}
	for _, required := range []string{"title", "target", "calculationSpec"} {
		if isNull(get(required).value) {
			return invalidRequest("%s: %s is required", where, required)
		}
	}
	target, err := get("target").text(maxBlueprintID)
	if err != nil {
		return err
	}
	if !legalBlueprintID(target) {
		return invalidRequest("%s: target %q is no blueprint identifier", where, target)
	}
	if err := checkCalculationSpec(where+": calculationSpec", get("calculationSpec").value); err != nil {
		return err
	}
	if query := get("query"); !isNull(query.value) {
		if _, _, err := parts(query.where, query.value); err != nil {
			return err
		}
	}
	return checkPathFilter(where+": pathFilter", get("pathFilter").value)
}

func checkCalculationSpec(where string, raw json.RawMessage) error {
	get, _, err := parts(where, raw)
	if err != nil {
		return err
	}
	by, err := get("calculationBy").oneOf("entities", "property")
	if err != nil {
		return err
	}
	functions := map[string][]string{"entities": {"count", "average"}, "property": {"sum", "min", "max", "median", "average"}}[by]
	if by == "" {
		return invalidRequest("%s: calculationBy is required: entities or property", where)
	}
	function, err := get("func").oneOf(functions...)
	if err != nil {
		return err
	}
	if function == "" {
		return invalidRequest("%s: func is required: one of %s", where, strings.Join(functions, ", "))
	}
	property, err := get("property").text(maxPropertyName)
	if err != nil {
		return err
	}
	if by == "property" && property == "" {
		return invalidRequest("%s: property is required", where)
	}
	if _, err := get("averageOf").oneOf("hour", "day", "week", "month", "total"); err != nil {
		return err
	}
	_, err = get("measureTimeBy").text(maxPropertyName)
	return err
}

func checkPathFilter(where string, raw json.RawMessage) error {
	if isNull(raw) {
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil || len(list) > 1 {
		return invalidRequest("%s: want a list of at most one path, got %s", where, excerpt(raw))
	}
	for _, entry := range list {
		get, _, err := parts(where, entry)
		if err != nil {
			return err
		}
		var path []json.RawMessage
		if json.Unmarshal(get("path").value, &path) != nil || len(path) == 0 || slices.ContainsFunc(path, isNoStep) {
			return invalidRequest("%s: path: want a list of relations, got %s", where, excerpt(entry))
		}
		if _, err := get("fromBlueprint").text(maxBlueprintID); err != nil {
			return err
		}
	}
	return nil
}

// isNoStep reports that a part of a path is neither a relation's name nor {"relation", "maxHops"}.
func isNoStep(part json.RawMessage) bool {
	var step struct{ Relation string }
	return json.Unmarshal(part, &step.Relation) != nil && json.Unmarshal(part, &step) != nil || step.Relation == ""
}

func (b *Blueprint) checkOwnership(raw json.RawMessage) error {
	get, _, err := parts("ownership", raw)
	if err != nil {
		return err
	}
	kind, err := get("type").oneOf("Direct", "Inherited")
	if err != nil {
		return err
	}
	path, err := get("path").text(maxPatternBytes)
	switch {
	case err != nil:
		return err
	case kind == "":
		return invalidRequest("ownership: a type is required: Direct or Inherited")
	case kind == "Inherited":
		if err := b.checkPath("ownership", path); err != nil {
			return err
		}
	}
	_, err = get("title").text(maxTitle)
	return err
}

func (b *Blueprint) checkTeamInheritance(raw json.RawMessage) error {
	get, _, err := parts("teamInheritance", raw)
	if err != nil {
		return err
	}
	path, err := get("path").text(maxPatternBytes)
	if err != nil {
		return err
	}
	return b.checkPath("teamInheritance", path)
}

// checkPath wants a path that begins with a relation of the blueprint. Where it goes on may come later.
func (b *Blueprint) checkPath(where, path string) error {
	if first, _, _ := strings.Cut(path, "."); b.relation(first) == nil {
		if path == "" {
			return invalidRequest("%s: a path is required: the names of relations, with dots", where)
		}
		return invalidRequest("%s: path %q does not start with a relation of %q", where, path, b.Identifier)
	}
	return nil
}

func checkChangelog(raw json.RawMessage) error {
	get, _, err := parts("changelogDestination", raw)
	if err != nil {
		return err
	}
	kind, err := get("type").oneOf("WEBHOOK", "KAFKA")
	if err != nil {
		return err
	}
	if kind == "" {
		return invalidRequest("changelogDestination: a type is required: WEBHOOK or KAFKA")
	}
	address, err := get("url").text(maxPatternBytes)
	if err != nil {
		return err
	}
	if u, err := url.Parse(address); kind == "WEBHOOK" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return invalidRequest("changelogDestination: url %q is no address of http or https", address)
	}
	if agent := get("agent"); !isNull(agent.value) {
		return checkBoolean(agent.where, agent.value)
	}
	return nil
}

// checkSwitch checks a member that is true or false.
func checkSwitch(where string) func(json.RawMessage) error {
	return func(raw json.RawMessage) error { return checkBoolean(where, raw) }
}

func checkBoolean(where string, raw json.RawMessage) error {
	var on bool
	if json.Unmarshal(raw, &on) != nil {
		return invalidRequest("%s: want true or false, got %s", where, excerpt(raw))
	}
	return nil
}

func quote(name string) string { return string(appendText(nil, name)) }

// checkTargets checks the blueprints that a blueprint names: they must be there.
func checkTargets(m *model, b *Blueprint, old *rules, w Writer) error {
	known := func(id string) bool {
		return m.rules[id] != nil || id == b.Identifier || old != nil && id == old.Identifier || w.AllowPendingTargets
	}
	for _, r := range b.Relations {
		if !known(r.Target) {
			return missingTarget(r.Target, "relation %q of %q points at it", r.Name, b.Identifier)
		}
	}
	var doc struct {
		Aggregations map[string]struct {
			Target string `json:"target"`
		} `json:"aggregationProperties"`
	}
	_ = json.Unmarshal(b.Doc, &doc) // its shape is checked
	for name, a := range doc.Aggregations {
		if !known(a.Target) {
			return missingTarget(a.Target, "aggregation property %q of %q counts it", name, b.Identifier)
		}
	}
	return nil
}

func missingTarget(id, format string, args ...any) error {
	return fault.Errorf(fault.NotFound, "Blueprint with identifier %q was not found: "+format, append([]any{id}, args...)...).
		WithCode("not_found", map[string]any{"resource": "Blueprint", "relevantField": "identifier", "withValue": id})
}
