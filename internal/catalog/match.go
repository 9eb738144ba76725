package catalog

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Graph is what rules ask about beyond the entity itself.
type Graph interface {
	// Blueprint returns a definition, nil when there is none.
	Blueprint(identifier string) *Blueprint
	// Entity returns an entity, nil when it is not there.
	Entity(key Key) *Entity
	// Referrers returns the entities whose relations, as stored, point at the key, each with the relation's name.
	Referrers(key Key) []Referrer
}

// Referrer is an entity that points at another by a relation.
type Referrer struct {
	Key
	Relation string
}

// Match says whether the entity matches: the meaning of search. What the store's SQL finds must be exactly that. Derived
// values and scorecards are read from the entity; whoever asks about them has filled them in.
func Match(r *Rule, e *Entity, g Graph) bool {
	m := matcher{graph: g}
	return m.matches(r, e)
}

type matcher struct {
	graph Graph
	// known holds answers that were found otherwise: by condition, then by entity.
	known map[*Rule]map[int64]bool
}

func (m *matcher) matches(r *Rule, e *Entity) bool {
	switch r.Combinator {
	case "and", "or":
		for i := range r.Rules {
			if m.matches(&r.Rules[i], e) != (r.Combinator == "and") {
				return r.Combinator == "or"
			}
		}
		return r.Combinator == "and" || len(r.Rules) == 0
	}
	if answers, ok := m.known[r]; ok {
		return answers[e.ID]
	}
	switch r.Operator {
	case OpRelatedTo:
		return m.related(r.Related, e)
	case OpMatchAny:
		return m.path(r.Path, e)
	}
	if r.Subject.Kind != SchemaProperty {
		return r.holds(m.subject(r.Subject, e))
	}
	some := *r
	some.Negate = false
	b := m.graph.Blueprint(e.Blueprint)
	found := b != nil && slices.ContainsFunc(b.Properties, func(p Property) bool {
		return r.Subject.Schema.fits(p) && some.holds(subjectValue{json: memberValue(e.Properties, p.Name), dated: true})
	})
	return found != r.Negate
}

// fits says whether a property is of the kind.
func (s PropertySchema) fits(p Property) bool {
	if p.Type != s.Type || s.Format != "" && p.Format != s.Format {
		return false
	}
	if s.ItemType == "" && s.ItemFormat == "" {
		return true
	}
	var def struct {
		Items struct {
			Type   any `json:"type"`
			Format any `json:"format"`
		} `json:"items"`
	}
	if json.Unmarshal(p.Schema, &def) != nil {
		return false
	}
	return (s.ItemType == "" || def.Items.Type == s.ItemType) && (s.ItemFormat == "" || def.Items.Format == s.ItemFormat)
}

// subjectValue is what a condition looks at: canonical JSON, nil when it is not there; or an instant.
type subjectValue struct {
	json    []byte
	dated   bool // texts that are date-times are equal when they are the same instant
	instant bool
	at      int64
}

func textSubject(s string) subjectValue {
	if s == "" {
		return subjectValue{}
	}
	return subjectValue{json: appendText(nil, s)}
}

func memberValue(object []byte, name string) (value []byte) {
	members(object, func(n string, v []byte) {
		if n == name && !isNull(v) {
			value = v
		}
	})
	return value
}

func (m *matcher) subject(s Subject, e *Entity) subjectValue {
	switch s.Kind {
	case ValueProperty:
		if v := memberValue(e.Properties, s.Name); v != nil {
			return subjectValue{json: v, dated: true}
		}
		return subjectValue{json: memberValue(e.Derived, s.Name), dated: true}
	case RelationValue:
		return subjectValue{json: m.relation(s, e)}
	case ScorecardValue:
		return scorecardValue(e.Scorecards, s)
	}
	if text, ok := e.metaText(s.Name); ok {
		return textSubject(text)
	}
	switch s.Name {
	case "$createdAt":
		return subjectValue{instant: true, at: e.CreatedAt.UnixMilli()}
	case "$updatedAt":
		return subjectValue{instant: true, at: e.UpdatedAt.UnixMilli()}
	case "$team":
		if !isNull(e.Team) {
			return subjectValue{json: e.Team}
		}
	}
	return subjectValue{}
}

// metaText is the meta-property of that name, "" for none; ok tells those that are texts.
func (e *Entity) metaText(name string) (text string, ok bool) {
	switch name {
	case "$identifier":
		return e.Identifier, true
	case "$title":
		return titleOf(e), true
	case "$blueprint":
		return e.Blueprint, true
	case "$icon":
		return e.Icon, true
	case "$createdBy":
		return e.CreatedBy, true
	case "$updatedBy":
		return e.UpdatedBy, true
	case "$datasource":
		return e.Source, true
	}
	return "", false
}

func titleOf(e *Entity) string {
	if e.Title == "" {
		return e.Identifier
	}
	return e.Title
}

// scorecardValue reads {"name": {"level": …, "rules": [{"identifier": …, "status": …}]}}.
func scorecardValue(scorecards json.RawMessage, s Subject) subjectValue {
	var card struct {
		Level json.RawMessage `json:"level"`
		Rules []struct {
			Identifier string          `json:"identifier"`
			Status     json.RawMessage `json:"status"`
		} `json:"rules"`
	}
	if json.Unmarshal(orNull(memberValue(scorecards, s.Name)), &card) != nil {
		return subjectValue{}
	}
	if s.Rule == "" {
		return textSubject(unquote(card.Level))
	}
	for _, r := range card.Rules {
		if r.Identifier == s.Rule {
			return textSubject(unquote(r.Status))
		}
	}
	return subjectValue{}
}

// relation reads a relation's value: identifiers or titles, from this side or, for an inverse one, from the other.
func (m *matcher) relation(s Subject, e *Entity) []byte {
	b := m.graph.Blueprint(e.Blueprint)
	if b == nil || b.relation(s.Name) == nil {
		return nil
	}
	rel := b.relation(s.Name)
	value := memberValue(e.Relations, s.Name)
	if rel.Many && len(value) > 0 && value[0] != '[' {
		value = append(append([]byte{'['}, value...), ']')
	}
	if rel.InverseOf != "" {
		ids := []string{}
		for _, k := range m.follow(Key{e.Blueprint, e.Identifier}, rel) {
			ids = append(ids, k.Identifier)
		}
		slices.Sort(ids)
		switch {
		case rel.Many:
			value = textList(ids)
		case len(ids) > 0:
			value = appendText(nil, ids[0])
		}
		if len(ids) == 0 {
			value = nil
		}
	}
	if !s.Titles || value == nil {
		return value
	}
	name := func(id []byte) []byte {
		if target := m.graph.Entity(Key{rel.Target, unquote(id)}); target != nil {
			return appendText(nil, titleOf(target))
		}
		return id
	}
	if value[0] != '[' {
		return name(value)
	}
	titles := []byte{'['}
	elements(value, func(id []byte) {
		if len(titles) > 1 {
			titles = append(titles, ',')
		}
		titles = append(titles, name(id)...)
	})
	return append(titles, ']')
}

// follow returns the entities that a relation of the key's blueprint leads to; those that are not there too.
func (m *matcher) follow(from Key, rel *Relation) (to []Key) {
	e := m.graph.Entity(from)
	if e == nil {
		return nil // what is not there leads nowhere, though others point at it
	}
	if rel.InverseOf != "" {
		for _, r := range m.graph.Referrers(from) {
			if r.Blueprint == rel.Target && r.Relation == rel.InverseOf {
				to = append(to, r.Key)
			}
		}
		return to
	}
	ids, _ := texts(memberValue(e.Relations, rel.Name))
	for _, id := range ids {
		to = append(to, Key{rel.Target, id})
	}
	return to
}

// related walks from the named entities, each way on its own, and says whether e is met.
func (m *matcher) related(r *Related, e *Entity) bool {
	self := Key{e.Blueprint, e.Identifier}
	if e.Blueprint == r.Blueprint && slices.Contains(r.Identifiers, e.Identifier) {
		return false
	}
	wanted := func(blueprint, relation string) bool {
		b := m.graph.Blueprint(blueprint)
		return r.Required == nil || b != nil && b.relation(relation) != nil && b.relation(relation).Required == *r.Required
	}
	up := func(k Key) (next []Key) {
		b := m.graph.Blueprint(k.Blueprint)
		if b == nil {
			return nil
		}
		for i := range b.Relations {
			if rel := &b.Relations[i]; rel.InverseOf == "" && wanted(k.Blueprint, rel.Name) {
				next = append(next, m.follow(k, rel)...)
			}
		}
		return next
	}
	down := func(k Key) (next []Key) {
		for _, ref := range m.graph.Referrers(k) {
			if wanted(ref.Blueprint, ref.Relation) {
				next = append(next, ref.Key)
			}
		}
		return next
	}
	for direction, step := range map[Direction]func(Key) []Key{Upstream: up, Downstream: down} {
		if r.Direction != Both && r.Direction != direction {
			continue
		}
		seen := map[Key]bool{}
		var queue []Key
		for _, id := range r.Identifiers {
			if named := (Key{r.Blueprint, id}); m.graph.Entity(named) != nil {
				queue = append(queue, named)
			}
		}
		for len(queue) > 0 {
			for _, next := range step(queue[0]) {
				if next == self {
					return true
				}
				if !seen[next] {
					seen[next] = true
					queue = append(queue, next)
				}
			}
			queue = queue[1:]
		}
	}
	return false
}

// path follows the steps, from the entity or, with From, from the named ones.
func (m *matcher) path(p *Path, e *Entity) bool {
	self := Key{e.Blueprint, e.Identifier}
	at := map[Key]bool{self: true}
	if p.From != "" {
		at = map[Key]bool{}
		for _, id := range p.Identifiers {
			if named := (Key{p.From, id}); m.graph.Entity(named) != nil {
				at[named] = true
			}
		}
	}
	for _, step := range p.Steps {
		at = m.step(at, step)
	}
	if p.From != "" {
		return at[self]
	}
	for k := range at {
		if slices.Contains(p.Identifiers, k.Identifier) && m.graph.Entity(k) != nil {
			return true
		}
	}
	return false
}

func (m *matcher) step(at map[Key]bool, s Step) map[Key]bool {
	found := map[Key]bool{}
	for hop := 0; hop < max(s.MaxHops, 1) && len(at) > 0; hop++ {
		next := map[Key]bool{}
		for k := range at {
			b := m.graph.Blueprint(k.Blueprint)
			if b == nil || b.relation(s.Relation) == nil {
				continue
			}
			rel := b.relation(s.Relation)
			for _, to := range m.follow(k, rel) {
				found[to] = true
				if rel.Target == k.Blueprint { // only a relation of a blueprint to itself is followed again
					next[to] = true
				}
			}
		}
		at = next
	}
	return found
}

// holds decides a condition on a value.
func (r *Rule) holds(v subjectValue) bool {
	return r.affirms(v) != r.Negate
}

func (r *Rule) affirms(v subjectValue) bool {
	switch r.Operator {
	case OpEmpty:
		return !v.instant && (v.json == nil || string(v.json) == "[]")
	case OpEqual:
		return v.equal(r.Values[0])
	case OpIn:
		return slices.ContainsFunc(r.Values, func(w Value) bool { return v.equal(w) || v.has(w) })
	case OpContains:
		w := r.Values[0]
		return v.has(w) || w.Kind == TextValue && v.isText() && strings.Contains(unquote(v.json), w.Text)
	case OpPrefix:
		return v.isText() && strings.HasPrefix(unquote(v.json), r.Values[0].Text)
	case OpSuffix:
		return v.isText() && strings.HasSuffix(unquote(v.json), r.Values[0].Text)
	case OpBetween:
		at, ok := v.when()
		return ok && at >= r.From && at <= r.To
	case OpExpired:
		at, ok := v.when()
		return ok && at < r.From
	case OpLess, OpLessOrEqual, OpGreater, OpGreaterOrEqual:
		sign, ok := v.order(r.Values[0])
		return ok && (sign < 0 && (r.Operator == OpLess || r.Operator == OpLessOrEqual) || sign > 0 && (r.Operator == OpGreater || r.Operator == OpGreaterOrEqual) ||
			sign == 0 && (r.Operator == OpLessOrEqual || r.Operator == OpGreaterOrEqual))
	}
	return false
}

func (v subjectValue) isText() bool { return len(v.json) > 0 && v.json[0] == '"' }

// equal compares with a constant: texts byte for byte, date-times in properties by instant, numbers by value, lists and objects by their canonical text.
func (v subjectValue) equal(w Value) bool {
	if v.instant {
		return w.IsTime && w.Time == v.at
	}
	if v.json == nil || w.Kind == NullValue {
		return v.json == nil && w.Kind == NullValue
	}
	if w.Kind == JSONValue {
		return string(v.json) == w.Text
	}
	have := constant(v.json)
	if have.Kind != w.Kind {
		return false
	}
	switch w.Kind {
	case TextValue:
		return have.Text == w.Text || v.dated && have.IsTime && w.IsTime && have.Time == w.Time
	case NumberValue:
		return have.Number == w.Number
	case BoolValue:
		return have.Bool == w.Bool
	}
	return false
}

// has says whether v is a list with the constant in it; null is never in one.
func (v subjectValue) has(w Value) bool {
	found := false
	if len(v.json) > 0 && v.json[0] == '[' && w.Kind != NullValue {
		elements(v.json, func(e []byte) {
			found = found || !bytes.Equal(e, []byte("null")) && subjectValue{json: e, dated: v.dated}.equal(w)
		})
	}
	return found
}

func (v subjectValue) when() (int64, bool) {
	switch {
	case v.instant:
		return v.at, true
	case v.isText():
		return Instant(unquote(v.json))
	}
	return 0, false
}

// order compares a number with a number, an instant with an instant; nothing else has an order.
func (v subjectValue) order(w Value) (int, bool) {
	if w.Kind == NumberValue {
		if v.instant || v.json == nil {
			return 0, false
		}
		have := constant(v.json)
		switch {
		case have.Kind != NumberValue:
			return 0, false
		case have.Number < w.Number:
			return -1, true
		case have.Number > w.Number:
			return 1, true
		}
		return 0, true
	}
	at, ok := v.when()
	return cmp(at, w.Time), ok
}
