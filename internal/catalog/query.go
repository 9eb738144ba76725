package catalog

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
)

// Limits of a search query.
const (
	maxQueryDepth  = 32
	maxQueryRules  = 1000
	maxQueryValues = 10_000 // in the lists of all rules
)

// Rule is one node of a search query. A node with Combinator joins Rules; any other is a condition on one subject.
// No condition is ever unknown: one on a value that is not there is false, its negation true.
type Rule struct {
	Combinator string // "and", "or"; "" for a condition
	Rules      []Rule

	Subject  Subject
	Operator Operator
	Negate   bool
	Values   []Value // what Equal, In, Contains and the others compare with
	From, To int64   // of Between: Unix milliseconds, both included
}

// Subject is what a condition looks at.
type Subject struct {
	Kind SubjectKind
	Name string // of the property or relation; "$title" and the like for meta-properties
}

// SubjectKind says where a subject is found.
type SubjectKind int

// The kinds of subject.
const (
	MetaProperty SubjectKind = iota
	ValueProperty
	RelationValue
)

// Operator is a condition's kind, negations apart.
type Operator int

// The operators. Each says when it holds for a value v of the entity.
const (
	OpEqual          Operator = iota // v is Values[0]; for a list, any of null, string, number, boolean or list
	OpIn                             // v, or an element of v when it is a list, is one of Values
	OpLess                           // v is a number, or a date-time, below Values[0]
	OpLessOrEqual                    //
	OpContains                       // v is a string with Values[0] in it, or a list with the element Values[0]
	OpPrefix                         // v is a string that begins with Values[0]
	OpSuffix                         // v is a string that ends with Values[0]
	OpBetween                        // v is a date-time from From to To
	OpEmpty                          // v is not there, or an empty list
	OpExpired                        // v is a date-time before From
	OpGreater                        //
	OpGreaterOrEqual                 //
)

// ValueKind is the kind of a constant in a query.
type ValueKind int

// The kinds of constant. A date-time is a string that reads as one; it compares as an instant with < and >, as text with =.
const (
	NullValue ValueKind = iota
	TextValue
	NumberValue
	BoolValue
	JSONValue // a list or object, canonical
)

// Value is a constant in a query.
type Value struct {
	Kind   ValueKind
	Text   string // of TextValue and JSONValue
	Number float64
	Bool   bool
	IsTime bool // Text is a date-time
	Time   int64
}

// Everything matches every entity.
func Everything() Rule { return Rule{Combinator: "and"} }

// ParseQuery reads a search query in Port's grammar. Nil, null and {} match everything. now is what presets count from.
// Errors: fault.Invalid with the code invalid_request.
func ParseQuery(raw json.RawMessage, now time.Time) (Rule, error) {
	if isNull(raw) {
		return Everything(), nil
	}
	p := queryParser{now: now.UTC()}
	return p.node(raw, 0)
}

type queryParser struct {
	now    time.Time
	count  int
	listed int
}

// wireRule is a node as clients write it.
type wireRule struct {
	Combinator     json.RawMessage   `json:"combinator"`
	Rules          []json.RawMessage `json:"rules"`
	Property       json.RawMessage   `json:"property"`
	PropertySchema json.RawMessage   `json:"propertySchema"`
	Relation       string            `json:"relation"`
	TargetProperty string            `json:"targetProperty"`
	Scorecard      json.RawMessage   `json:"scorecard"`
	Operator       string            `json:"operator"`
	Value          json.RawMessage   `json:"value"`
}

func (p *queryParser) node(raw json.RawMessage, depth int) (Rule, error) {
	var w wireRule
	if p.count++; p.count > maxQueryRules || depth > maxQueryDepth {
		return Rule{}, invalidRequest("query: more than %d rules, or deeper than %d", maxQueryRules, maxQueryDepth)
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return Rule{}, invalidRequest("query: %w in %s", err, excerpt(raw))
	}
	if w.Operator != "" {
		return p.condition(w, raw)
	}
	r := Rule{Combinator: "and"}
	if !isNull(w.Combinator) {
		r.Combinator = strings.Trim(strings.ToLower(unquote(bytes.TrimSpace(w.Combinator))), "'\"")
	}
	if r.Combinator != "and" && r.Combinator != "or" {
		return r, invalidRequest("query: combinator %s, want and, or", excerpt(w.Combinator))
	}
	if w.Rules == nil && len(bytes.TrimSpace(raw)) > 2 && w.Combinator == nil {
		return r, invalidRequest("query: a rule needs an operator, or a combinator and rules: %s", excerpt(raw))
	}
	for _, sub := range w.Rules {
		node, err := p.node(sub, depth+1)
		if err != nil {
			return r, err
		}
		r.Rules = append(r.Rules, node)
	}
	return r, nil
}

// operators are Port's operators: ours, and whether negated.
var operators = map[string]struct {
	op     Operator
	negate bool
}{
	"=": {OpEqual, false}, "!=": {OpEqual, true}, ">": {OpGreater, false}, ">=": {OpGreaterOrEqual, false}, "<": {OpLess, false}, "<=": {OpLessOrEqual, false},
	"contains": {OpContains, false}, "doesNotContains": {OpContains, true}, "containsAny": {OpIn, false},
	"beginsWith": {OpPrefix, false}, "doesNotBeginsWith": {OpPrefix, true}, "endsWith": {OpSuffix, false}, "doesNotEndsWith": {OpSuffix, true},
	"in": {OpIn, false}, "notIn": {OpIn, true}, "between": {OpBetween, false}, "notBetween": {OpBetween, true},
	"isEmpty": {OpEmpty, false}, "isNotEmpty": {OpEmpty, true}, "isExpired": {OpExpired, false}, "isNotExpired": {OpExpired, true},
}

var metaProperties = map[string]bool{
	"$identifier": true, "$title": true, "$team": true, "$icon": true, "$blueprint": true, "$createdAt": true,
	"$createdBy": true, "$updatedAt": true, "$updatedBy": true, "$datasource": true,
}

func (p *queryParser) condition(w wireRule, raw json.RawMessage) (Rule, error) {
	known, ok := operators[w.Operator]
	switch {
	case w.Operator == "relatedTo" || w.Operator == "matchAny":
		return Rule{}, invalidRequest("query: the operator %q is not supported yet", w.Operator)
	case w.PropertySchema != nil || w.Scorecard != nil:
		return Rule{}, invalidRequest("query: rules on propertySchema and scorecard are not supported yet")
	case !ok:
		return Rule{}, invalidRequest("query: unknown operator %q", w.Operator)
	}
	r := Rule{Operator: known.op, Negate: known.negate}
	switch name := unquote(w.Property); {
	case w.Relation != "":
		if w.TargetProperty != "" && w.TargetProperty != "$identifier" {
			return r, invalidRequest("query: targetProperty %q is not supported yet, only $identifier", w.TargetProperty)
		}
		r.Subject = Subject{RelationValue, w.Relation}
	case name == "":
		return r, invalidRequest("query: want a property name in %s", excerpt(raw))
	case name[0] == '$':
		if !metaProperties[name] {
			return r, invalidRequest("query: unknown meta-property %q", name)
		}
		r.Subject = Subject{MetaProperty, name}
	default:
		r.Subject = Subject{ValueProperty, name}
	}
	return p.values(r, w)
}

// values reads what the condition compares with, as far as its operator needs.
func (p *queryParser) values(r Rule, w wireRule) (Rule, error) {
	value, _, err := canonical(nil, orNull(w.Value))
	if err != nil {
		return r, invalidRequest("query: %w", err)
	}
	if r.Operator == OpEqual && value[0] == '{' {
		r.Operator = OpBetween
	}
	wrong := func(want string) (Rule, error) {
		return r, invalidRequest("query: operator %q wants %s, got %s", w.Operator, want, excerpt(value))
	}
	switch r.Operator {
	case OpEmpty:
		return r, nil
	case OpExpired:
		r.From = p.now.UnixMilli()
		if r.Negate { // neither holds for what is not there
			r.Negate, r.Operator = false, OpGreaterOrEqual
			r.Values = []Value{{Kind: TextValue, IsTime: true, Time: r.From}}
		}
		return r, nil
	case OpBetween:
		return p.between(r, value)
	case OpEqual:
		r.Values = []Value{constant(value)}
	case OpLess, OpLessOrEqual, OpGreater, OpGreaterOrEqual:
		v := constant(value)
		if v.Kind != NumberValue && !v.IsTime {
			return wrong("a number or a date-time")
		}
		r.Values = []Value{v}
	case OpContains, OpPrefix, OpSuffix:
		v := constant(value)
		if v.Kind != TextValue && !(v.Kind == NumberValue && r.Operator == OpContains) {
			return wrong("a string")
		}
		r.Values = []Value{v}
	case OpIn:
		if value[0] != '[' {
			value = append(append([]byte{'['}, value...), ']')
		}
		elements(value, func(v []byte) { r.Values = append(r.Values, constant(v)) })
		if p.listed += len(r.Values); p.listed > maxQueryValues {
			return wrong("lists of at most 10000 values in all")
		}
		for _, v := range r.Values {
			if v.Kind == JSONValue {
				return wrong("a list of strings, numbers, booleans or nulls")
			}
		}
	}
	return r, nil
}

func orNull(raw []byte) []byte {
	if len(raw) == 0 {
		return []byte("null")
	}
	return raw
}

func constant(value []byte) Value {
	switch value[0] {
	case 'n':
		return Value{}
	case 't', 'f':
		return Value{Kind: BoolValue, Bool: value[0] == 't'}
	case '"':
		v := Value{Kind: TextValue, Text: unquote(value)}
		if t, err := time.Parse(time.RFC3339Nano, v.Text); err == nil {
			v.IsTime, v.Time = true, t.UnixMilli()
		}
		return v
	case '[', '{':
		return Value{Kind: JSONValue, Text: string(value)}
	}
	v := Value{Kind: NumberValue, Text: string(value)}
	_ = json.Unmarshal(value, &v.Number)
	return v
}

// between reads {"from","to"} or {"preset"}.
func (p *queryParser) between(r Rule, value []byte) (Rule, error) {
	var w struct{ From, To, Preset string }
	if err := json.Unmarshal(value, &w); err != nil {
		return r, invalidRequest("query: want {from, to} or {preset}, got %s", excerpt(value))
	}
	if w.Preset != "" {
		from, to, ok := presetRange(w.Preset, p.now)
		if !ok {
			return r, invalidRequest("query: unknown preset %q", w.Preset)
		}
		r.From, r.To = from.UnixMilli(), to.UnixMilli()
		return r, nil
	}
	for _, m := range []struct {
		text string
		into *int64
	}{{w.From, &r.From}, {w.To, &r.To}} {
		t, err := time.Parse(time.RFC3339Nano, m.text)
		if err != nil {
			return r, invalidRequest("query: %q is no date-time", m.text)
		}
		*m.into = t.UnixMilli()
	}
	return r, nil
}

// presetRange returns the instants of one of Port's named ranges, both included. Days are UTC days.
func presetRange(name string, now time.Time) (from, to time.Time, ok bool) {
	day := 24 * time.Hour
	today := now.Truncate(day)
	whole := func(start time.Time) (time.Time, time.Time, bool) {
		return start, start.Add(day - time.Millisecond), true
	}
	switch name {
	case "today":
		return whole(today)
	case "tomorrow":
		return whole(today.Add(day))
	case "yesterday":
		return whole(today.Add(-day))
	}
	days := map[string]int{"Day": 1, "Week": 7, "2Weeks": 14, "Month": 30, "3Months": 90, "6Months": 180, "12Months": 365, "2Years": 730, "3Years": 1095}
	if n := days[strings.TrimPrefix(name, "last")]; n > 0 && strings.HasPrefix(name, "last") {
		return now.Add(-time.Duration(n) * day), now, true
	}
	if n := days[strings.TrimPrefix(name, "next")]; n > 0 && strings.HasPrefix(name, "next") {
		return now, now.Add(time.Duration(n) * day), true
	}
	return from, to, false
}
