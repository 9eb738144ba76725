package catalog_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"longshore/internal/catalog"
)

// The reference: what derived properties are, in the plainest way, over entities in memory.

type refKey struct{ blueprint, id string }

type refEntity struct {
	refKey
	title string
	team  []string
	props map[string]json.RawMessage
	rels  map[string][]string
}

type refRelation struct {
	target, inverseOf string
	many              bool
}

type refMirror struct {
	path []string
	last string
}

type refAggregation struct {
	target     string
	path       []string
	fromTarget bool
	fn         string
	query      string // "" or the name of a query below
}

type refWorld struct {
	relations    map[string]map[string]refRelation
	owned        map[string]string // blueprint to the relation that its teams come by
	mirrors      map[string]map[string]refMirror
	aggregations map[string]map[string]refAggregation
	entities     map[refKey]*refEntity
	order        []refKey // sorted
}

// refQueries are by name: the rule, and what it means.
var refQueries = map[string]struct {
	rule  string
	holds func(w *refWorld, e *refEntity) bool
}{
	"big": {`{"property":"n","operator":">","value":2}`, func(_ *refWorld, e *refEntity) bool {
		r := ratOf(e.props["n"])
		return r != nil && r.Cmp(big.NewRat(2, 1)) > 0
	}},
	"notX": {`{"property":"s","operator":"!=","value":"x"}`, func(_ *refWorld, e *refEntity) bool { return string(e.props["s"]) != `"x"` }},
	"core": {`{"property":"$team","operator":"containsAny","value":["core"]}`, func(w *refWorld, e *refEntity) bool { return slices.Contains(w.teams(e), "core") }},
	"mine": {`{"relation":"up","operator":"isNotEmpty"}`, func(w *refWorld, e *refEntity) bool { return len(e.rels["up"]) > 0 }},
}

func ratOf(raw json.RawMessage) *big.Rat {
	if len(raw) == 0 || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return nil
	}
	r, _ := new(big.Rat).SetString(string(raw))
	return r
}

func (w *refWorld) step(e *refEntity, relation string) (out []*refEntity) {
	rel := w.relations[e.blueprint][relation]
	if rel.inverseOf != "" {
		for _, k := range w.order {
			if k.blueprint == rel.target && slices.Contains(w.entities[k].rels[rel.inverseOf], e.id) {
				out = append(out, w.entities[k])
			}
		}
		return out
	}
	for _, id := range e.rels[relation] {
		if to := w.entities[refKey{rel.target, id}]; to != nil {
			out = append(out, to)
		}
	}
	return out
}

func (w *refWorld) walk(e *refEntity, path []string) []*refEntity {
	at := []*refEntity{e}
	for _, relation := range path {
		var next []*refEntity
		for _, from := range at {
			for _, to := range w.step(from, relation) {
				if !slices.Contains(next, to) {
					next = append(next, to)
				}
			}
		}
		at = next
	}
	return at
}

func (w *refWorld) teams(e *refEntity) []string {
	relation, inherits := w.owned[e.blueprint]
	if !inherits {
		return e.team
	}
	var out []string
	for _, owner := range w.walk(e, []string{relation}) {
		for _, team := range w.teams(owner) {
			if !slices.Contains(out, team) {
				out = append(out, team)
			}
		}
	}
	return out
}

func (w *refWorld) value(e *refEntity, name string) json.RawMessage {
	var v any
	switch name {
	case "$identifier":
		v = e.id
	case "$title":
		if v = e.title; e.title == "" {
			v = e.id
		}
	case "$team":
		if teams := w.teams(e); teams != nil {
			v = teams
		} else {
			return nil
		}
	default:
		if string(e.props[name]) == "null" {
			return nil
		}
		return e.props[name]
	}
	text, _ := json.Marshal(v)
	return text
}

func (w *refWorld) mirror(e *refEntity, m refMirror) json.RawMessage {
	many := false
	at := e.blueprint
	for _, relation := range m.path {
		many = many || w.relations[at][relation].many
		at = w.relations[at][relation].target
	}
	var flat []json.RawMessage
	for _, end := range w.walk(e, m.path) {
		v := w.value(end, m.last)
		if !many {
			return v
		}
		var list []json.RawMessage
		if json.Unmarshal(v, &list) != nil && v != nil {
			list = []json.RawMessage{v}
		}
		flat = append(flat, list...)
	}
	if !many {
		return nil
	}
	flat = slices.DeleteFunc(flat, func(v json.RawMessage) bool { return string(v) == "null" })
	text, _ := json.Marshal(append([]json.RawMessage{}, flat...))
	return text
}

func (w *refWorld) aggregate(e *refEntity, a refAggregation) *big.Rat {
	var ends []*refEntity
	if !a.fromTarget {
		ends = w.walk(e, a.path)
	} else {
		for _, k := range w.order {
			if k.blueprint == a.target && slices.Contains(w.walk(w.entities[k], a.path), e) {
				ends = append(ends, w.entities[k])
			}
		}
	}
	n, sum := int64(0), new(big.Rat)
	var values []*big.Rat
	for _, end := range ends {
		if a.query != "" && !refQueries[a.query].holds(w, end) {
			continue
		}
		n++
		if r := ratOf(end.props["n"]); r != nil {
			values = append(values, r)
			sum.Add(sum, r)
		}
	}
	slices.SortFunc(values, func(a, b *big.Rat) int { return a.Cmp(b) })
	switch {
	case a.fn == "count":
		return new(big.Rat).SetInt64(n)
	case a.fn == "sum":
		return sum
	case len(values) == 0:
		return nil
	case a.fn == "min":
		return values[0]
	case a.fn == "max":
		return values[len(values)-1]
	case a.fn == "average":
		return sum.Quo(sum, new(big.Rat).SetInt64(int64(len(values))))
	}
	mid := len(values) / 2
	if len(values)%2 == 1 {
		return values[mid]
	}
	return new(big.Rat).Quo(new(big.Rat).Add(values[mid-1], values[mid]), big.NewRat(2, 1))
}

// newRefWorld makes a model of four blueprints with random derived properties. All names bear the prefix.
func newRefWorld(r *rand.Rand, prefix string) *refWorld {
	a, b, c, d := prefix+"a", prefix+"b", prefix+"c", prefix+"d"
	w := &refWorld{
		relations: map[string]map[string]refRelation{
			a: {"up": {target: b}, "cs": {target: c, many: true}, "ds": {target: d, many: true, inverseOf: "a"}},
			b: {"up": {target: b}, "c": {target: c}, "as": {target: a, many: true, inverseOf: "up"}, "kids": {target: b, many: true, inverseOf: "up"}},
			c: {"up": {target: c}, "ds": {target: d, many: true}, "bs": {target: b, many: true, inverseOf: "c"}, "as": {target: a, many: true, inverseOf: "cs"}},
			d: {"up": {target: c}, "a": {target: a}},
		},
		owned:   map[string]string{b: "c", a: "up"},
		mirrors: map[string]map[string]refMirror{}, aggregations: map[string]map[string]refAggregation{}, entities: map[refKey]*refEntity{},
	}
	path := func(from string) (path []string, end string) {
		for end = from; len(path) == 0 || len(path) < 3 && r.IntN(2) == 0; {
			names := sortedKeys(w.relations[end])
			relation := names[r.IntN(len(names))]
			path, end = append(path, relation), w.relations[end][relation].target
		}
		return path, end
	}
	blueprints := sortedKeys(w.relations)
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	for _, id := range blueprints {
		w.mirrors[id], w.aggregations[id] = map[string]refMirror{}, map[string]refAggregation{}
	}
	for i := range 24 {
		id := blueprints[i%len(blueprints)]
		way, _ := path(id)
		w.mirrors[id][fmt.Sprintf("m%d", i)] = refMirror{way, pick("n", "s", "l", "$identifier", "$title", "$team")}
		way, end := path(id)
		x := refAggregation{path: way, target: end, fn: pick("count", "sum", "min", "max", "median", "average"), query: pick("", "", "big", "notX", "core", "mine")}
		from, to := id, end
		if x.fromTarget = from != to && r.IntN(2) == 0; x.fromTarget { // the same path belongs to the other end then
			from = to
			x.target = id
		}
		w.aggregations[from][fmt.Sprintf("g%d", i)] = x
	}
	ids := []string{"e0", "e1", "e2", "e3", "e4", "e5", "gone"}
	numbers := []string{"1", "2.5", "-7", "0.1", "12345678901234567890", "1e3", "null", "3"}
	for _, blueprint := range blueprints {
		for _, id := range ids[:len(ids)-1] {
			e := &refEntity{refKey: refKey{blueprint, id}, props: map[string]json.RawMessage{}, rels: map[string][]string{}}
			if r.IntN(2) == 0 {
				e.title = "T " + id
			}
			if r.IntN(3) > 0 {
				e.props["n"] = json.RawMessage(numbers[r.IntN(len(numbers))])
			}
			e.props["s"] = json.RawMessage(pick(`"x"`, `"y"`, `null`))
			e.props["l"] = json.RawMessage(pick(`["p","q"]`, `[]`, `[null,"p"]`, `null`))
			if w.owned[blueprint] == "" && r.IntN(3) > 0 {
				e.team = [][]string{{"core"}, {"web", "core"}, {"ops"}}[r.IntN(3)]
			}
			for _, name := range sortedKeys(w.relations[blueprint]) {
				rel := w.relations[blueprint][name]
				for range r.IntN(4) {
					if to := ids[r.IntN(len(ids))]; rel.inverseOf == "" && (rel.many || len(e.rels[name]) == 0) && !slices.Contains(e.rels[name], to) {
						e.rels[name] = append(e.rels[name], to)
					}
				}
			}
			w.entities[e.refKey] = e
			w.order = append(w.order, e.refKey)
		}
	}
	return w
}

// document writes a blueprint of the world.
func (w *refWorld) document(blueprint string) string {
	doc := map[string]any{
		"identifier": blueprint, "title": "T", "schema": json.RawMessage(`{"properties":{"n":{"type":"number"},"s":{"type":"string"},"l":{"type":"array"}},"required":[]}`),
	}
	relations, mirrors, aggregations := map[string]any{}, map[string]any{}, map[string]any{}
	for name, rel := range w.relations[blueprint] {
		def := map[string]any{"target": rel.target, "many": rel.many}
		if rel.inverseOf != "" {
			def["inverseOf"] = rel.inverseOf
		}
		relations[name] = def
	}
	for name, m := range w.mirrors[blueprint] {
		mirrors[name] = map[string]any{"path": strings.Join(append(slices.Clone(m.path), m.last), ".")}
	}
	for name, a := range w.aggregations[blueprint] {
		spec := map[string]any{"func": a.fn, "calculationBy": "property", "property": "n"}
		if a.fn == "count" {
			spec = map[string]any{"func": "count", "calculationBy": "entities"}
		}
		way := map[string]any{"path": a.path}
		if a.fromTarget {
			way["fromBlueprint"] = a.target
		}
		def := map[string]any{"title": "T", "type": "number", "target": a.target, "calculationSpec": spec, "pathFilter": []any{way}}
		if a.query != "" {
			def["query"] = json.RawMessage(`{"combinator":"and","rules":[` + refQueries[a.query].rule + `]}`)
		}
		aggregations[name] = def
	}
	doc["relations"], doc["mirrorProperties"], doc["aggregationProperties"] = relations, mirrors, aggregations
	if relation := w.owned[blueprint]; relation != "" {
		doc["ownership"] = map[string]any{"type": "Inherited", "path": relation}
	}
	text, _ := json.Marshal(doc)
	return string(text)
}

// change writes an entity of the world: leniently, so that what it names need not be there.
func (w *refWorld) change(t testing.TB, e *refEntity, version int64) catalog.Change {
	props, _ := json.Marshal(e.props)
	c := record(t, e.blueprint, e.id, version, string(props))
	c.Op = catalog.OpReplace
	if e.title != "" {
		c.Title, _ = json.Marshal(e.title)
	}
	if e.team != nil {
		c.Team, _ = json.Marshal(e.team)
	}
	for _, name := range sortedKeys(e.rels) {
		var value []byte
		if value, _ = json.Marshal(e.rels[name]); !w.relations[e.blueprint][name].many {
			value, _ = json.Marshal(e.rels[name][0])
		}
		c.Relations = append(c.Relations, catalog.Field{Name: name, Value: value})
	}
	return c
}

func TestDerivedValuesAreThoseOfThePlainestWay(t *testing.T) {
	const worlds = 8
	b := newBench(t)
	compared := 0
	for round := range uint64(worlds) {
		r := rand.New(rand.NewPCG(round, 7))
		w := newRefWorld(r, fmt.Sprintf("w%d", round))
		for _, blueprint := range sortedKeys(w.relations) {
			if _, err := b.CreateBlueprint(t.Context(), json.RawMessage(w.document(blueprint)), catalog.Writer{Actor: "test", AllowPendingTargets: true}); err != nil {
				t.Fatalf("world %d: %v\n%s", round, err, w.document(blueprint))
			}
		}
		var changes []catalog.Change
		for _, k := range w.order {
			changes = append(changes, w.change(t, w.entities[k], 1))
		}
		b.apply(changes...)
		compared += b.holdsAgainst(w, round)
		// Some go, some change their relations: what is derived follows at once.
		var later []catalog.Change
		for _, k := range slices.Clone(w.order) {
			switch r.IntN(5) {
			case 0:
				delete(w.entities, k)
				w.order = slices.DeleteFunc(w.order, func(other refKey) bool { return other == k })
				c := record(t, k.blueprint, k.id, 2, `{}`)
				c.Op = catalog.OpDelete
				later = append(later, c)
			case 1:
				e := w.entities[k]
				e.rels, e.props["n"] = map[string][]string{}, json.RawMessage("4")
				later = append(later, w.change(t, e, 2))
			}
		}
		b.apply(later...)
		compared += b.holdsAgainst(w, round)
	}
	if compared < 1000 {
		t.Errorf("only %d values were compared", compared)
	}
}

// holdsAgainst compares every derived value of a world, page by page.
func (b *bench) holdsAgainst(w *refWorld, round uint64) (compared int) {
	b.t.Helper()
	for _, blueprint := range sortedKeys(w.relations) {
		page, err := b.Search(b.t.Context(), catalog.SearchRequest{Blueprint: blueprint})
		if err != nil {
			b.t.Fatalf("world %d: %v", round, err)
		}
		for _, e := range page.Entities {
			var derived map[string]json.RawMessage
			if err := json.Unmarshal(e.Derived, &derived); err != nil {
				b.t.Fatal(err)
			}
			have := w.entities[refKey{blueprint, e.Identifier}]
			if have == nil {
				b.t.Fatalf("world %d: %s %s is still there", round, blueprint, e.Identifier)
			}
			for name, m := range w.mirrors[blueprint] {
				if compared++; string(derived[name]) != string(w.mirror(have, m)) {
					b.t.Errorf("world %d: %s %s: mirror %s along %v of %s is %s, want %s", round, blueprint, e.Identifier, name, m.path, m.last, derived[name], w.mirror(have, m))
				}
			}
			for name, a := range w.aggregations[blueprint] {
				if compared++; !sameNumber(ratOf(derived[name]), w.aggregate(have, a)) {
					b.t.Errorf("world %d: %s %s: aggregation %s %+v is %s, want %v\nwithout value: %+v", round, blueprint, e.Identifier, name, a, derived[name], w.aggregate(have, a), e.Underived)
				}
			}
		}
	}
	return compared
}

// sameNumber compares to the precision of a double: what has no end is answered so.
func sameNumber(got, want *big.Rat) bool {
	if got == nil || want == nil {
		return got == nil && want == nil
	}
	diff := new(big.Rat).Sub(got, want)
	limit := new(big.Rat).Mul(new(big.Rat).Abs(want), big.NewRat(1, 1e15))
	return diff.Abs(diff).Cmp(limit) <= 0
}
