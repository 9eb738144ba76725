package catalog_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"longshore/internal/catalog"
	"longshore/internal/store/storetest"
)

// world is a random catalog, and what Match asks of it.
type world struct {
	*bench
	clock      *atomic.Int64 // Unix milliseconds; it stands still while searches are made
	blueprints map[string]*catalog.Blueprint
	order      []string // blueprints, as searches over all of them order them
	entities   map[catalog.Key]*catalog.Entity
	referrers  map[catalog.Key][]catalog.Referrer
}

func (w *world) Blueprint(id string) *catalog.Blueprint { return w.blueprints[id] }

func (w *world) Entity(k catalog.Key) *catalog.Entity { return w.entities[k] }

func (w *world) Referrers(k catalog.Key) []catalog.Referrer { return w.referrers[k] }

// nasty are property values that databases tend to read each in its own way.
var nasty = []string{
	`""`, `"a"`, `"A"`, `"ab"`, `"ba"`, `"a b"`, `"%"`, `"_"`, `"é"`, `"e\u0301"`, `"\u0000"`, `"a\u0000b"`, `"\ud800"`, `"\udc00x"`, `"😀"`, `"\ud83d\ude00"`, `"x'y"`, `"q\""`, `"\\"`,
	`"["`, `"[]"`, `"[\"a\"]"`, `"{}"`, `"null"`, `"true"`, `"1"`, `"1.0"`, `"$1"`, `"é😀"`, `"\uffff"`, `"zz"`, `"É"`, `"ß"`, `"SS"`, `"İ"`, `"ı"`, `"\ud7ff"`, `"\ud7ffa"`, `"\ue000"`, `"\udbff\udfff"`, `"\udbff\udfffa"`, `"9"`, `"[a"`, `"\u0001"`,
	`"` + strings.Repeat("a", 800) + `"`, `"` + strings.Repeat("a", 801) + `"`, `"` + strings.Repeat("a", 200) + `"`, `"` + strings.Repeat("a", 199) + `"`, `"` + strings.Repeat("a", 900) + `"`,
	`"` + strings.Repeat("é", 401) + `"`, `"aaa\u0000` + strings.Repeat("b", 900) + `"`, `["` + strings.Repeat("a", 801) + `"]`, `["2024-01-02T03:04:05Z","2024-01-02T04:04:05+01:00"]`, `[1e400,-0.0,true,1,1.0,0]`,
	`0`, `-0`, `-0.0`, `1`, `1.0`, `1.00`, `1e0`, `-1.5`, `2`, `10`, `1e3`, `1000`, `0.1`, `0.30000000000000004`, `9007199254740991`, `9007199254740992`, `9007199254740993`,
	`18446744073709551616`, `123456789012345678901234567890`, `1953413085328588136539259`, `1.7976931348623157e308`, `1e400`, `-1e400`, `1e99999999`, `1e-400`, `-1e-99999999`, `5e-324`, `2e-324`,
	`true`, `false`, `null`,
	`"2024-01-02T03:04:05Z"`, `"2024-01-02T03:04:05.250Z"`, `"2024-01-02T03:04:05.2509999Z"`, `"2024-01-02T04:04:05+01:00"`, `"2023-12-31T00:00:00.000Z"`, `"2024-02-30T00:00:00Z"`,
	`"2024-02-29T23:59:59-23:59"`, `"2023-02-29T00:00:00Z"`, `"2024-01-02T24:00:00Z"`, `"2024-01-02T03:04:60Z"`, `"2024-01-02T03:04Z"`, `"2024-01-02T03:04:05"`, `"2024-01-02t03:04:05z"`,
	`"2024-01-02T03:04:05+24:00"`, `"2024-01-02T03:04:05.Z"`, `"2024-01-02"`, `"0000-01-01T00:00:00Z"`, `"9999-12-31T23:59:59.999Z"`, `"1969-12-31T23:59:59.999Z"`, `"0099-03-01T00:00:00Z"`,
	`[]`, `["a"]`, `["a","b"]`, `["a",1]`, `[1,1.0,"1"]`, `[null]`, `[true,null]`, `[[]]`, `[["a"]]`, `[123456789012345678901234567890]`, `[1953413085328588136539259,1e400]`, `["\u0000","😀"]`, `[{"a":1}]`,
	`{}`, `{"a":1}`, `{"a":null,"b":[1.0]}`, `{"x":{"y":"z"}}`,
	`"` + strings.Repeat("é", 299) + `x"`, `"` + strings.Repeat("é", 299) + `xy"`, `"` + strings.Repeat("é", 299) + `xz"`,
}

var (
	nastyNumbers = pick(func(v string) bool { return v[0] == '-' || v[0] >= '0' && v[0] <= '9' })
	nastyTexts   = pick(func(v string) bool { return v[0] == '"' })
	nastyTimes   = pick(func(v string) bool {
		var s string
		if json.Unmarshal([]byte(v), &s) != nil {
			return false
		}
		_, ok := catalog.Instant(s)
		return ok
	})
	nastyScalars = pick(func(v string) bool { return v[0] != '[' && v[0] != '{' })
)

func pick(keep func(string) bool) (out []string) {
	for _, v := range nasty {
		if keep(v) {
			out = append(out, v)
		}
	}
	return out
}

const weird = `q"'$1\`

var (
	propertyNames = []string{"s", "n", "l", `a\b=`, "t"}
	relationNames = []string{"parent", "peers", "to", "all", weird, "back", "backs"}
	entityNames   = []string{"e0", "e1", "E1", "é/2", "ж=3", "e4", "e5"}
	metaNames     = []string{"$identifier", "$title", "$blueprint", "$icon", "$datasource", "$team", "$createdAt", "$updatedAt", "$createdBy", "$updatedBy"}
)

func drawWorld(t *rapid.T, b *bench, clock *atomic.Int64, number int) *world {
	w := &world{bench: b, clock: clock, blueprints: map[string]*catalog.Blueprint{}, entities: map[catalog.Key]*catalog.Entity{}, referrers: map[catalog.Key][]catalog.Referrer{}}
	for i := range rapid.IntRange(1, 3).Draw(t, "blueprints") {
		w.order = append(w.order, fmt.Sprintf("%c%d", 'c'-i, number)) // not in the order of their names
	}
	kinds := []string{
		`{"type":"string"}`, `{"type":"string","format":"date-time"}`, `{"type":"number"}`, `{"type":"array"}`, `{"type":"array","items":{"type":"string"}}`,
		`{"type":"array","items":{"type":"string","format":"url"}}`, `{"type":"object"}`, `{"type":"boolean"}`,
	}
	for _, id := range w.order {
		properties, relations := []string{}, []string{}
		for _, name := range propertyNames {
			if rapid.IntRange(0, 4).Draw(t, "has") > 0 {
				text, _ := json.Marshal(name)
				properties = append(properties, string(text)+":"+rapid.SampledFrom(kinds).Draw(t, "kind"))
			}
		}
		target := func() string { return rapid.SampledFrom(w.order).Draw(t, "target") }
		for _, name := range relationNames {
			if rapid.IntRange(0, 4).Draw(t, "has") == 0 {
				continue
			}
			def := map[string]any{"target": target(), "many": name == "peers" || name == "all" || name == "backs"}
			switch name {
			case "parent", "peers":
				def["target"] = id
			case "to":
				def["required"] = rapid.Bool().Draw(t, "required")
			case "back", "backs":
				def["inverseOf"] = rapid.SampledFrom([]string{"parent", "to", "all", "nope"}).Draw(t, "inverse of")
			}
			text, _ := json.Marshal(map[string]any{name: def})
			relations = append(relations, string(text[1:len(text)-1]))
		}
		apart := "" // some live in the tables of events
		if rapid.Bool().Draw(t, "apart") {
			apart = `"history":false,`
		}
		w.create(t, fmt.Sprintf(`{"identifier":%q,"title":"T",%s"schema":{"properties":{%s},"required":[]},"relations":{%s}}`,
			id, apart, strings.Join(properties, ","), strings.Join(relations, ",")))
	}
	w.index(t)
	var changes []catalog.Change
	for _, id := range w.order {
		for _, name := range entityNames[:rapid.IntRange(1, len(entityNames)).Draw(t, "entities")] {
			changes = append(changes, w.drawEntity(t, id, name))
		}
	}
	for part := range slices.Chunk(changes, 4) { // written at different times
		w.clock.Add(int64(7 * time.Hour / time.Millisecond))
		w.apply(part...)
	}
	for range rapid.IntRange(0, 3).Draw(t, "written again") {
		w.apply(w.drawEntity(t, rapid.SampledFrom(w.order).Draw(t, "of"), rapid.SampledFrom(entityNames).Draw(t, "again")))
	}
	if n := w.unkept(t); n != 0 {
		t.Fatalf("%d rows of the indexes of properties are not what the entities hold:\n%s", n, w.differing(t))
	}
	w.clock.Add(1)
	w.read(t)
	var found []string
	for _, k := range w.walk(t, catalog.SearchRequest{Limit: 1000}) {
		if !slices.Contains(found, k.Blueprint) {
			found = append(found, k.Blueprint)
		}
	}
	w.order = found
	return w
}

// index begins indexes of properties on SQLite, so that searches have to do with them; done, or left to be filled in.
func (w *world) index(t *rapid.T) {
	if storetest.OnPostgres() {
		return
	}
	for _, id := range w.order {
		for _, name := range propertyNames {
			if rapid.Bool().Draw(t, "indexed") {
				path, _ := json.Marshal(name)
				w.exec(t, `INSERT INTO property_indexes (blueprint_id, property, path, done) SELECT id, $1, '$.' || $2, 1 FROM blueprint_names WHERE name = $3`, name, string(path), id)
			}
		}
	}
}

// What the rows of indexes should be, and what they are.
const (
	rows = `SELECT index_id, kind, value, identifier, entity_id FROM entity_values UNION SELECT index_id, kind, value, identifier, entity_id FROM event_values`
	kept = `SELECT index_id, kind, value, identifier, entity_id FROM property_values`
)

// unkept counts the rows of indexes that are not what entities say, or are missing.
func (w *world) unkept(t *rapid.T) (n int) {
	if storetest.OnPostgres() {
		return 0
	}
	err := w.under.Writer().QueryRowContext(w.t.Context(), `SELECT (SELECT count(*) FROM (SELECT * FROM (`+rows+`) EXCEPT `+kept+`)) + (SELECT count(*) FROM (`+kept+` EXCEPT SELECT * FROM (`+rows+`)))`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// differing tells those rows.
func (w *world) differing(t *rapid.T) (out string) {
	list, err := w.under.Writer().QueryContext(w.t.Context(), `SELECT 'missing', * FROM (SELECT * FROM (`+rows+`) EXCEPT `+kept+`) UNION ALL SELECT 'stale', * FROM (`+kept+` EXCEPT SELECT * FROM (`+rows+`))`)
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	for list.Next() {
		var what, identifier string
		var index, kind, id int64
		var value any
		if err := list.Scan(&what, &index, &kind, &value, &identifier, &id); err != nil {
			t.Fatal(err)
		}
		out += fmt.Sprintf("%s: index %d kind %d value %.40q (%v) of %s %d\n", what, index, kind, fmt.Sprint(value), value == nil, identifier, id)
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func (w *world) exec(t *rapid.T, statement string, args ...any) {
	if _, err := w.under.Writer().ExecContext(w.t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

func (w *world) create(t *rapid.T, doc string) {
	b, err := w.CreateBlueprint(w.t.Context(), json.RawMessage(doc), catalog.Writer{AllowPendingTargets: true})
	if err != nil {
		t.Fatalf("create %s: %v", doc, err)
	}
	w.blueprints[b.Identifier] = &b
}

func (w *world) drawEntity(t *rapid.T, blueprint, name string) catalog.Change {
	b := w.blueprints[blueprint]
	c := catalog.Change{Blueprint: blueprint, Identifier: name, Lenient: true, Source: rapid.SampledFrom([]string{"", "a/1", "A"}).Draw(t, "source"), Actor: rapid.SampledFrom([]string{"", "me"}).Draw(t, "actor")}
	for _, p := range b.Properties {
		if rapid.IntRange(0, 3).Draw(t, "set") > 0 {
			c.Properties = append(c.Properties, catalog.Field{Name: p.Name, Value: []byte(rapid.SampledFrom(nasty).Draw(t, "value"))})
		}
	}
	for _, r := range b.Relations {
		if r.InverseOf != "" || rapid.IntRange(0, 2).Draw(t, "related") == 0 {
			continue
		}
		ids := rapid.SliceOfNDistinct(rapid.SampledFrom(entityNames), 1, 3, rapid.ID).Draw(t, "targets")
		text, _ := json.Marshal(ids)
		if !r.Many {
			text, _ = json.Marshal(ids[0])
		}
		c.Relations = append(c.Relations, catalog.Field{Name: r.Name, Value: text})
	}
	c.Team = []byte(rapid.SampledFrom([]string{"null", `["a","b"]`, `[]`, `"a"`}).Draw(t, "team"))
	c.Title = []byte(rapid.SampledFrom([]string{"null", `"a"`, `"é"`, `"\u0000"`, `"e1"`}).Draw(t, "title"))
	c.Icon = []byte(rapid.SampledFrom([]string{"null", `"a"`}).Draw(t, "icon"))
	return c
}

// read takes the entities from the catalog and links them, by their own relations alone.
func (w *world) read(t *rapid.T) {
	for _, id := range w.order {
		page, err := w.Search(w.t.Context(), catalog.SearchRequest{Blueprint: id, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Entities {
			w.entities[catalog.Key{Blueprint: id, Identifier: e.Identifier}] = &e
			var values map[string]any
			if err := json.Unmarshal(e.Relations, &values); err != nil {
				t.Fatal(err)
			}
			for _, r := range w.blueprints[id].Relations {
				if r.InverseOf != "" {
					continue
				}
				list, many := values[r.Name].([]any)
				if one, ok := values[r.Name].(string); ok && !many {
					list = []any{one}
				}
				for _, target := range list {
					k := catalog.Key{Blueprint: r.Target, Identifier: target.(string)}
					w.referrers[k] = append(w.referrers[k], catalog.Referrer{Key: catalog.Key{Blueprint: id, Identifier: e.Identifier}, Relation: r.Name})
				}
			}
		}
	}
}

// clear takes the world away again.
func (w *world) clear(t *rapid.T) {
	for _, id := range w.order {
		if _, err := w.ReplaceBlueprint(w.t.Context(), id, json.RawMessage(`{"title":"T","schema":{"properties":{},"required":[]}}`), catalog.Writer{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range w.order {
		if _, err := w.DeleteAllEntities(w.t.Context(), id, true, catalog.Writer{}); err != nil {
			t.Fatal(err)
		}
	}
}

// drawRule draws a query in Port's grammar.
func (w *world) drawRule(t *rapid.T, depth int) string {
	kind := rapid.IntRange(0, 9).Draw(t, "rule")
	if depth > 0 && kind < 3 {
		rules := make([]string, rapid.IntRange(0, 3).Draw(t, "rules"))
		for i := range rules {
			rules[i] = w.drawRule(t, depth-1)
		}
		return fmt.Sprintf(`{"combinator":%q,"rules":[%s]}`, rapid.SampledFrom([]string{"and", "or"}).Draw(t, "combinator"), strings.Join(rules, ","))
	}
	ids := func() string {
		text, _ := json.Marshal(rapid.SliceOfN(rapid.SampledFrom(append(entityNames, "nobody")), 0, 3).Draw(t, "identifiers"))
		return string(text)
	}
	switch kind {
	case 3:
		extra := rapid.SampledFrom([]string{``, `,"direction":"upstream"`, `,"direction":"downstream"`, `,"required":true`, `,"required":false,"direction":"downstream"`}).Draw(t, "how")
		return fmt.Sprintf(`{"operator":"relatedTo","blueprint":%q,"value":%s%s}`, rapid.SampledFrom(append(w.order, "nope")).Draw(t, "blueprint"), ids(), extra)
	case 4:
		return w.drawPath(t, ids())
	case 5:
		schema := rapid.SampledFrom([]string{
			`{"type":"string"}`, `{"type":"string","format":"date-time"}`, `{"type":"array","items":{"type":"string"}}`, `{"type":"number"}`,
			`{"type":"array","items":{"type":"string","format":"url"}}`,
		}).Draw(t, "schema")
		return fmt.Sprintf(`{"propertySchema":%s,"operator":%q,"value":%s}`, schema, rapid.SampledFrom([]string{"=", "!=", "contains"}).Draw(t, "operator"), rapid.SampledFrom(nastyTexts).Draw(t, "value"))
	case 6, 7:
		name, _ := json.Marshal(rapid.SampledFrom(append(relationNames, "nope")).Draw(t, "relation"))
		title := rapid.SampledFrom([]string{``, ``, `,"targetProperty":"$identifier"`, `,"targetProperty":"$title"`}).Draw(t, "of")
		return w.drawCondition(t, fmt.Sprintf(`"relation":%s%s`, name, title), title != "")
	}
	names := append(propertyNames, "nope", "; --")
	if rapid.Bool().Draw(t, "meta") {
		names = metaNames
	}
	name, _ := json.Marshal(rapid.SampledFrom(names).Draw(t, "property"))
	return w.drawCondition(t, fmt.Sprintf(`"property":%s`, name), false)
}

func (w *world) drawPath(t *rapid.T, ids string) string {
	steps := make([]string, rapid.IntRange(1, 3).Draw(t, "steps"))
	bounded := false
	for i := range steps {
		name, _ := json.Marshal(rapid.SampledFrom(append(relationNames, "nope")).Draw(t, "relation"))
		steps[i] = string(name)
		if !bounded && rapid.IntRange(0, 2).Draw(t, "bounded") == 0 {
			bounded = true
			steps[i] = fmt.Sprintf(`{"relation":%s,"maxHops":%d}`, name, rapid.IntRange(1, 4).Draw(t, "hops"))
		}
	}
	from := ""
	if rapid.Bool().Draw(t, "from") {
		from = fmt.Sprintf(`,"fromBlueprint":%q`, rapid.SampledFrom(w.order).Draw(t, "blueprint"))
	}
	return fmt.Sprintf(`{"operator":"matchAny","property":{"path":[%s]%s},"value":%s}`, strings.Join(steps, ","), from, ids)
}

// drawCondition draws an operator and a value for a subject.
func (w *world) drawCondition(t *rapid.T, subject string, scalar bool) string {
	operator := rapid.SampledFrom([]string{
		"=", "!=", ">", ">=", "<", "<=", "contains", "doesNotContains", "containsAny", "beginsWith", "doesNotBeginsWith", "endsWith", "doesNotEndsWith",
		"in", "notIn", "between", "notBetween", "isEmpty", "isNotEmpty", "isExpired", "isNotExpired",
	}).Draw(t, "operator")
	known := append([]string{`"e0"`, `"é/2"`, `"nobody"`, `"` + w.order[0] + `"`, `"me"`, `"a/"`}, nastyScalars...)
	value := rapid.SampledFrom(known).Draw(t, "value")
	switch operator {
	case "=", "!=":
		if !scalar && rapid.IntRange(0, 2).Draw(t, "any") == 0 {
			value = rapid.SampledFrom(append([]string{`["e0","e1"]`, `["e0"]`, `["a","b"]`}, pick(func(v string) bool { return v[0] != '{' })...)).Draw(t, "list")
		}
	case ">", ">=", "<", "<=":
		value = rapid.SampledFrom(append(nastyNumbers, nastyTimes...)).Draw(t, "value")
	case "contains", "doesNotContains":
		value = rapid.SampledFrom(append([]string{`"e"`, `"e0"`, `"é/2"`}, append(nastyTexts, nastyNumbers...)...)).Draw(t, "value")
	case "beginsWith", "doesNotBeginsWith", "endsWith", "doesNotEndsWith":
		value = rapid.SampledFrom(append([]string{`"e"`, `"0"`}, nastyTexts...)).Draw(t, "value")
	case "in", "notIn", "containsAny":
		value = "[" + strings.Join(rapid.SliceOfN(rapid.SampledFrom(known), 0, 4).Draw(t, "values"), ",") + "]"
	case "between", "notBetween":
		value = fmt.Sprintf(`{"from":%s,"to":%s}`, rapid.SampledFrom(nastyTimes).Draw(t, "from"), rapid.SampledFrom(nastyTimes).Draw(t, "to"))
		if rapid.IntRange(0, 5).Draw(t, "preset") == 0 {
			value = fmt.Sprintf(`{"preset":%q}`, rapid.SampledFrom([]string{"today", "tomorrow", "yesterday", "lastDay", "lastWeek", "last2Weeks", "lastMonth", "next3Months", "next6Months", "last12Months", "last2Years", "last3Years", "nextDay"}).Draw(t, "preset"))
		}
	}
	if rapid.IntRange(0, 30).Draw(t, "context") == 0 {
		value = `{"context":"user","property":"$identifier"}`
	}
	return fmt.Sprintf(`{%s,"operator":%q,"value":%s}`, subject, operator, value)
}

// wanted returns the keys of the entities that Match finds, in the order of the search.
func (w *world) wanted(rule *catalog.Rule, blueprint string, sort []catalog.Sort) (keys []catalog.Key) {
	for k, e := range w.entities {
		if (blueprint == "" || k.Blueprint == blueprint) && catalog.Match(rule, e, w) {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b catalog.Key) int {
		for _, s := range sort {
			x, y := catalog.KeyOf(*w.entities[a], s.Field), catalog.KeyOf(*w.entities[b], s.Field)
			if x.Rank != y.Rank {
				return x.Rank - y.Rank
			}
			c := cmp.Or(cmp.Compare(x.Number, y.Number), strings.Compare(x.Text, y.Text))
			if s.Desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return cmp.Or(slices.Index(w.order, a.Blueprint)-slices.Index(w.order, b.Blueprint), strings.Compare(a.Identifier, b.Identifier))
	})
	return keys
}

// walk reads all pages of a search.
func (w *world) walk(t *rapid.T, req catalog.SearchRequest) (keys []catalog.Key) {
	for {
		page, err := w.Search(w.t.Context(), req)
		if err != nil {
			t.Fatalf("search %s: %v", req.Query, err)
		}
		for _, e := range page.Entities {
			keys = append(keys, catalog.Key{Blueprint: e.Blueprint, Identifier: e.Identifier})
		}
		if req.From = page.Next; req.From == "" {
			return keys
		}
	}
}

// TestSearchIsWhatMatchSays holds the SQL of this round's database against Match: random blueprints, entities and rule
// trees, sorts and pages. In full it is 10,000 rule trees a database.
func TestSearchIsWhatMatchSays(t *testing.T) {
	trees, cases := 100, 0
	if testing.Short() {
		trees = 20
	}
	b, number := newBench(t), 0
	var clock atomic.Int64
	b.Catalog = catalog.New(b.store, func() time.Time { return time.UnixMilli(clock.Load()) })
	rapid.Check(t, func(rt *rapid.T) {
		number++
		clock.Store(1_704_000_000_000)
		w := drawWorld(rt, b, &clock, number)
		defer w.clear(rt)
		for range trees {
			cases++
			req := catalog.SearchRequest{Query: json.RawMessage(w.drawRule(rt, 3)), Limit: 1000}
			if rapid.Bool().Draw(rt, "scoped") {
				req.Blueprint = rapid.SampledFrom(w.order).Draw(rt, "scope")
			}
			if rapid.IntRange(0, 4).Draw(rt, "paged") == 0 {
				req.Limit = rapid.IntRange(1, 4).Draw(rt, "limit")
				for _, f := range rapid.SliceOfN(rapid.SampledFrom(append([]string{"$title", "$createdAt", "$icon", "$datasource", "nope"}, propertyNames...)), 0, 3).Draw(rt, "sort") {
					req.Sort = append(req.Sort, catalog.Sort{Field: f, Desc: rapid.Bool().Draw(rt, "desc")})
				}
			}
			rule, err := catalog.ParseQuery(req.Query, time.UnixMilli(clock.Load()))
			if err != nil {
				rt.Fatalf("query %s: %v", req.Query, err)
			}
			want, got := w.wanted(&rule, req.Blueprint, req.Sort), w.walk(rt, req)
			if !slices.Equal(want, got) {
				rt.Fatalf("%s", w.report(req, &rule, want, got))
			}
			if n, err := w.CountMatches(t.Context(), req); err != nil || n != int64(len(want)) {
				rt.Fatalf("count of %s is %d (%v), want %d", req.Query, n, err, len(want))
			}
		}
	})
	t.Logf("%d rule trees over %d catalogs", cases, number)
}

// report tells the first entity that search and Match do not agree about.
func (w *world) report(req catalog.SearchRequest, _ *catalog.Rule, want, got []catalog.Key) string {
	out := fmt.Sprintf("query %s\nin %q sort %v\n", req.Query, req.Blueprint, req.Sort)
	for _, k := range append(slices.Clone(want), got...) {
		if slices.Contains(want, k) != slices.Contains(got, k) {
			e := w.entities[k]
			return out + fmt.Sprintf("blueprint %s\nentity %s %s title %q team %s relations %s\n%s\nthe database says %v, Match %v", w.blueprints[k.Blueprint].Doc,
				e.Blueprint, e.Identifier, e.Title, e.Team, e.Relations, e.Properties, slices.Contains(got, k), slices.Contains(want, k))
		}
	}
	return out + fmt.Sprintf("the same entities in another order, or twice:\n%v\nwant\n%v", got, want)
}
