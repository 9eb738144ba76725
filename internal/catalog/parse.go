package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"longshore/internal/fault"
)

// ParseQuery reads a search query in Port's grammar. Nil, null and {} match everything. now is what presets count from.
// Whoever asks is a machine: {"context": …} stands for nothing. Errors: fault.Invalid with the code invalid_request.
func ParseQuery(raw json.RawMessage, now time.Time) (Rule, error) {
	return parseQuery(raw, queryParser{now: now})
}

func parseQuery(raw json.RawMessage, p queryParser) (Rule, error) {
	if isNull(raw) {
		return Everything(), nil
	}
	p.now = p.now.UTC()
	return p.node(raw, 0)
}

type queryParser struct {
	now    time.Time
	count  int
	listed int
	// context returns the values of a property of who asks ("user") or of its teams ("userTeams"); nil means nobody asks.
	context func(of, property string) ([]Value, error)
}

// wireRule is a node as clients write it.
type wireRule struct {
	Combinator     json.RawMessage   `json:"combinator"`
	Rules          []json.RawMessage `json:"rules"`
	Conditions     []json.RawMessage `json:"conditions"` // as scorecards name them
	Property       json.RawMessage   `json:"property"`
	PropertySchema json.RawMessage   `json:"propertySchema"`
	Relation       string            `json:"relation"`
	TargetProperty string            `json:"targetProperty"`
	Scorecard      string            `json:"scorecard"`
	ScorecardRule  string            `json:"scorecardRule"`
	Operator       string            `json:"operator"`
	Value          json.RawMessage   `json:"value"`
	Blueprint      string            `json:"blueprint"`
	Direction      string            `json:"direction"`
	Required       json.RawMessage   `json:"required"`
	FromBlueprint  string            `json:"fromBlueprint"`
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
	if w.Rules == nil {
		w.Rules = w.Conditions
	}
	r := Rule{Combinator: "and"}
	if !isNull(w.Combinator) {
		r.Combinator = strings.Trim(strings.ToLower(unquote(bytes.TrimSpace(w.Combinator))), "'\"")
	}
	if r.Combinator != "and" && r.Combinator != "or" {
		return r, invalidRequest("query: combinator %s, want and, or", excerpt(w.Combinator))
	}
	if w.Rules == nil && len(bytes.TrimSpace(raw)) > 2 && w.Combinator == nil {
		err := invalidRequest("query: a rule needs an operator, or a combinator and rules: %s", excerpt(raw))
		if members, _ := ordered(raw); depth == 0 && slices.ContainsFunc(members, func(m orderedMember) bool { return m.Name == "query" }) {
			err = err.WithHint("the query itself is wanted here, not as the member query")
		}
		return r, err
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

func unknownOperator(name string) error {
	names := append(slices.Sorted(maps.Keys(operators)), "relatedTo", "matchAny")
	meant := ""
	if near := fault.Misspelt(name, names); near != "" && len(name) > 2 { // shorter ones are like all signs
		meant = fmt.Sprintf("; is %q meant?", near)
	}
	return invalidRequest("query: unknown operator %q%s", name, meant).WithHint("the operators are %s", strings.Join(names, ", "))
}

var metaProperties = map[string]bool{
	"$identifier": true, "$title": true, "$team": true, "$icon": true, "$blueprint": true, "$createdAt": true,
	"$createdBy": true, "$updatedAt": true, "$updatedBy": true, "$datasource": true,
}

func (p *queryParser) condition(w wireRule, raw json.RawMessage) (Rule, error) {
	switch w.Operator {
	case "relatedTo":
		return p.related(w)
	case "matchAny":
		return p.path(w)
	}
	known, ok := operators[w.Operator]
	if !ok {
		return Rule{}, unknownOperator(w.Operator)
	}
	r := Rule{Operator: known.op, Negate: known.negate}
	switch {
	case w.Relation != "":
		if w.TargetProperty != "" && w.TargetProperty != "$identifier" && w.TargetProperty != "$title" {
			return r, invalidRequest("query: targetProperty %q, want $identifier or $title", w.TargetProperty)
		}
		r.Subject = Subject{Kind: RelationValue, Name: w.Relation, Titles: w.TargetProperty == "$title"}
	case w.Scorecard != "":
		r.Subject = Subject{Kind: ScorecardValue, Name: w.Scorecard, Rule: w.ScorecardRule}
	case !isNull(w.PropertySchema):
		return p.schema(r, w)
	case isObject(w.Property):
		return p.constantSubject(r, w)
	default:
		name := unquote(w.Property)
		switch {
		case name == "":
			return r, invalidRequest("query: want a property name in %s", excerpt(raw))
		case name[0] == '$' && !metaProperties[name]:
			return r, invalidRequest("query: unknown meta-property %q", name).WithHint("the meta-properties are %s", strings.Join(slices.Sorted(maps.Keys(metaProperties)), ", "))
		case name[0] == '$':
			r.Subject = Subject{Kind: MetaProperty, Name: name}
		default:
			r.Subject = Subject{Kind: ValueProperty, Name: name}
		}
	}
	return p.compared(r, w)
}

func isObject(raw []byte) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) > 0 && raw[0] == '{'
}

// schema reads a condition on every property of a kind.
func (p *queryParser) schema(r Rule, w wireRule) (Rule, error) {
	var s struct {
		Type, Format string
		Items        struct{ Type, Format string }
	}
	if err := json.Unmarshal(w.PropertySchema, &s); err != nil || s.Type == "" {
		return r, invalidRequest("query: propertySchema wants {type, format, items}, got %s", excerpt(w.PropertySchema))
	}
	if r.Operator != OpEqual && (r.Operator != OpContains || r.Negate) {
		return r, invalidRequest("query: operator %q on propertySchema, want =, != or contains", w.Operator)
	}
	r.Subject = Subject{Kind: SchemaProperty, Schema: PropertySchema{s.Type, s.Format, s.Items.Type, s.Items.Format}}
	return p.compared(r, w)
}

// contextOf reads {"context": "user" or "userTeams", "property": …}; ok says whether raw is one.
func (p *queryParser) contextOf(raw json.RawMessage) (values []Value, ok bool, err error) {
	var c struct {
		Context  *string `json:"context"`
		Property string  `json:"property"`
	}
	if isObject(raw) {
		_ = json.Unmarshal(raw, &c) // what does not fit is no context
	}
	if c.Context == nil {
		return nil, false, nil
	}
	if *c.Context != "user" && *c.Context != "userTeams" || c.Property == "" {
		return nil, true, invalidRequest("query: want context user or userTeams and a property, got %s", excerpt(raw))
	}
	values, err = p.asked(*c.Context, c.Property)
	return values, true, err
}

func (p *queryParser) asked(of, property string) ([]Value, error) {
	if p.context == nil {
		return nil, nil
	}
	return p.context(of, property)
}

// constantSubject reads a condition on a property of who asks: it holds for every entity or for none.
func (p *queryParser) constantSubject(r Rule, w wireRule) (Rule, error) {
	have, ok, err := p.contextOf(w.Property)
	if err == nil && !ok {
		err = invalidRequest("query: want a property name or {context, property}, got %s", excerpt(w.Property))
	}
	if err != nil {
		return r, err
	}
	if r, err = p.compared(r, w); err != nil {
		return r, err
	}
	var v []byte // one value stands for itself, several are a list
	switch len(have) {
	case 0:
	case 1:
		v = have[0].json()
	default:
		for i, h := range have {
			v = append(append(v, "[,"[min(i, 1)]), h.json()...)
		}
		v = append(v, ']')
	}
	if constantHolds(r, v) {
		return Everything(), nil
	}
	return Nothing(), nil
}

// constantHolds decides a condition, or several joined, on a value that is no entity's.
func constantHolds(r Rule, v []byte) bool {
	if r.Combinator == "" {
		return r.holds(subjectValue{json: v})
	}
	for _, sub := range r.Rules {
		if constantHolds(sub, v) != (r.Combinator == "and") {
			return r.Combinator == "or"
		}
	}
	return r.Combinator == "and"
}

// compared reads what a condition compares with. A value from who asks may be several, or none: the condition then holds
// when it does for one of them, a negated one when it does for all.
func (p *queryParser) compared(r Rule, w wireRule) (Rule, error) {
	values, ok, err := p.contextOf(w.Value)
	if err != nil {
		return r, err
	}
	if !ok {
		return p.values(r, w)
	}
	if len(values) == 0 {
		return Rule{Operator: OpNever, Negate: r.Negate}, nil
	}
	if r.Operator == OpEqual || r.Operator == OpIn {
		r.Operator, r.Values = OpIn, values
		return r, p.listing(len(values))
	}
	out := Rule{Combinator: map[bool]string{false: "or", true: "and"}[r.Negate]}
	for _, v := range values {
		w.Value = v.json()
		one, err := p.values(r, w)
		if err != nil {
			return r, err
		}
		if p.count++; p.count > maxQueryRules {
			return r, invalidRequest("query: more than %d rules", maxQueryRules)
		}
		out.Rules = append(out.Rules, one)
	}
	return out, nil
}

func (p *queryParser) listing(n int) error {
	if p.listed += n; p.listed > maxQueryValues {
		return invalidRequest("query: want lists of at most %d values in all", maxQueryValues)
	}
	return nil
}

// identifiers reads the value of relatedTo and matchAny.
func (p *queryParser) identifiers(w wireRule) ([]string, error) {
	values, ok, err := p.contextOf(w.Value)
	if err != nil {
		return nil, err
	}
	if !ok {
		value, _, err := canonical(nil, orNull(w.Value))
		if err != nil {
			return nil, invalidRequest("query: %w", err)
		}
		if value[0] == '[' {
			elements(value, func(v []byte) { values = append(values, constant(v)) })
		} else {
			values = []Value{constant(value)}
		}
	}
	ids := make([]string, 0, len(values))
	for _, v := range values {
		if v.Kind != TextValue {
			return nil, invalidRequest("query: operator %q wants an identifier or a list of them, got %s", w.Operator, excerpt(w.Value))
		}
		ids = append(ids, v.Text)
	}
	return ids, p.listing(len(ids))
}

// related reads relatedTo.
func (p *queryParser) related(w wireRule) (Rule, error) {
	directions := map[string]Direction{"": Both, "upstream": Upstream, "downstream": Downstream}
	d, ok := directions[w.Direction]
	if !ok {
		return Rule{}, invalidRequest("query: direction %q, want upstream or downstream", w.Direction)
	}
	if w.Blueprint == "" {
		return Rule{}, invalidRequest("query: relatedTo wants the blueprint of the entities named in value")
	}
	r := Related{Blueprint: w.Blueprint, Direction: d}
	if !isNull(w.Required) {
		var required bool
		if json.Unmarshal(w.Required, &required) != nil {
			return Rule{}, invalidRequest("query: required: want true or false, got %s", excerpt(w.Required))
		}
		r.Required = &required
	}
	var err error
	r.Identifiers, err = p.identifiers(w)
	return Rule{Operator: OpRelatedTo, Related: &r}, err
}

// path reads matchAny.
func (p *queryParser) path(w wireRule) (Rule, error) {
	var property struct {
		Path          []json.RawMessage `json:"path"`
		FromBlueprint string            `json:"fromBlueprint"`
	}
	if json.Unmarshal(orNull(w.Property), &property) != nil || len(property.Path) == 0 || len(property.Path) > maxPathSteps {
		return Rule{}, invalidRequest("query: matchAny wants a property {path: 1 to %d relations}, got %s", maxPathSteps, excerpt(w.Property))
	}
	path := Path{From: w.FromBlueprint}
	if property.FromBlueprint != "" {
		path.From = property.FromBlueprint
	}
	bounded := 0
	for _, raw := range property.Path {
		step := Step{Relation: unquote(raw)}
		if isObject(raw) {
			var s struct {
				Relation string `json:"relation"`
				MaxHops  *int   `json:"maxHops"`
			}
			if json.Unmarshal(raw, &s) != nil || s.MaxHops != nil && (*s.MaxHops < 1 || *s.MaxHops > maxPathHops) {
				return Rule{}, invalidRequest("query: a step of a path: want {relation, maxHops: 1 to %d}, got %s", maxPathHops, excerpt(raw))
			}
			if step.Relation = s.Relation; s.MaxHops != nil {
				step.MaxHops = *s.MaxHops
				bounded++
			}
		}
		if step.Relation == "" || bounded > 1 {
			return Rule{}, invalidRequest("query: a path wants relations, and maxHops once at most: %s", excerpt(w.Property))
		}
		path.Steps = append(path.Steps, step)
	}
	var err error
	path.Identifiers, err = p.identifiers(w)
	return Rule{Operator: OpMatchAny, Path: &path}, err
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
	case OpExpired:
		r.From = p.now.UnixMilli()
		if r.Negate { // neither holds for what is not there
			r.Negate, r.Operator = false, OpGreaterOrEqual
			r.Values = []Value{{Kind: TextValue, IsTime: true, Time: r.From}}
		}
	case OpBetween:
		return p.between(r, value)
	case OpEqual:
		r.Values = []Value{constant(value)}
		if r.Subject.Titles && r.Values[0].Kind == JSONValue {
			return wrong("a title: in and contains compare with several")
		}
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
		return p.list(r, w, value)
	}
	return r, nil
}

// myTeams is what Port's interface writes for the teams of who looks.
const myTeams = "My Teams"

// list reads the value of in and its kin.
func (p *queryParser) list(r Rule, w wireRule, value []byte) (Rule, error) {
	if value[0] != '[' {
		value = append(append([]byte{'['}, value...), ']')
	}
	elements(value, func(v []byte) { r.Values = append(r.Values, constant(v)) })
	if r.Subject.Kind == MetaProperty && r.Subject.Name == "$team" {
		for i, v := range r.Values {
			if v.Kind == TextValue && v.Text == myTeams {
				teams, err := p.asked("userTeams", "$identifier")
				if err != nil {
					return r, err
				}
				r.Values = append(append(r.Values[:i:i], teams...), r.Values[i+1:]...)
				break
			}
		}
	}
	for _, v := range r.Values {
		if v.Kind == JSONValue {
			return r, invalidRequest("query: operator %q wants a list of strings, numbers, booleans or nulls, got %s", w.Operator, excerpt(value))
		}
	}
	return r, p.listing(len(r.Values))
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
		v.Time, v.IsTime = Instant(v.Text)
		return v
	case '[', '{':
		return Value{Kind: JSONValue, Text: string(value)}
	}
	return Value{Kind: NumberValue, Text: string(value), Number: Number(string(value))}
}

// json writes the constant.
func (v Value) json() []byte {
	switch v.Kind {
	case NullValue:
		return []byte("null")
	case BoolValue:
		return strconv.AppendBool(nil, v.Bool)
	case TextValue:
		return appendText(nil, v.Text)
	}
	return []byte(v.Text)
}

// Number is how search reads a JSON number: the nearest double; beyond the greatest, infinity.
func Number(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64) // out of range, it is infinite or zero
	return n
}

// Instant is how search reads a date-time: RFC 3339 to the letter, in capitals, leap seconds excepted. It returns Unix
// milliseconds; what is finer is cut off.
func Instant(text string) (ms int64, ok bool) {
	const shape = "0000-00-00T00:00:00"
	if len(text) < len(shape)+1 {
		return 0, false
	}
	for i := range len(shape) {
		if digit := text[i] >= '0' && text[i] <= '9'; digit != (shape[i] == '0') || !digit && text[i] != shape[i] {
			return 0, false
		}
	}
	rest := text[len(shape):]
	if rest[0] == '.' {
		n := 1
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		if n == 1 {
			return 0, false
		}
		rest = rest[n:]
	}
	if rest != "Z" {
		if len(rest) != len("+00:00") || rest[0] != '+' && rest[0] != '-' || rest[1:3] > "23" || rest[4:] > "59" {
			return 0, false
		}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	return t.UnixMilli(), err == nil
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
			return r, invalidRequest("query: unknown preset %q: want today, yesterday, tomorrow, or last or next with Day, Week, 2Weeks, Month, 3Months, 6Months, 12Months, 2Years or 3Years", w.Preset)
		}
		r.From, r.To = from.UnixMilli(), to.UnixMilli()
		return r, nil
	}
	for _, m := range []struct {
		text string
		into *int64
	}{{w.From, &r.From}, {w.To, &r.To}} {
		t, ok := Instant(m.text)
		if !ok {
			return r, invalidRequest("query: want a date-time such as 2026-01-31T00:00:00Z, got %q", m.text)
		}
		*m.into = t
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
