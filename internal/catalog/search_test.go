package catalog_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

const thing = `{"identifier":"thing","title":"Thing","schema":{"properties":{"s":{"type":"string"},"n":{"type":"number"},"b":{"type":"boolean"},
	"l":{"type":"array"},"o":{"type":"object"},"t":{"type":"string","format":"date-time"},"a\\b=":{"type":"string"}},"required":[]},
	"relations":{"one":{"target":"thing"},"many":{"target":"thing","many":true}}}`

const other = `{"identifier":"other","title":"Other","schema":{"properties":{"s":{"type":"string"}},"required":[]}}`

// judge says whether an entity matches a query, by the letter of Port's grammar on decoded JSON: the meaning that the
// store's SQL must have.
type judge struct {
	now   time.Time
	dated bool // the subject is a property: its date-times are equal when they are the same instant
}

func (j judge) holds(query map[string]any, e catalog.Entity) bool {
	if combinator, ok := query["combinator"]; ok {
		rules, _ := query["rules"].([]any)
		for _, r := range rules {
			if j.holds(r.(map[string]any), e) != (combinator == "and") {
				return combinator == "or"
			}
		}
		return combinator == "and" || len(rules) == 0
	}
	operator := query["operator"].(string)
	v := j.subject(query, e)
	name, _ := query["property"].(string)
	j.dated = name != "" && name[0] != '$'
	want := query["value"]
	switch operator {
	case "!=":
		return !j.equal(v, want)
	case "doesNotContains":
		return !j.contains(v, want)
	case "doesNotBeginsWith":
		return !strings.HasPrefix(str(v), str(want)) || !isStr(v)
	case "doesNotEndsWith":
		return !strings.HasSuffix(str(v), str(want)) || !isStr(v)
	case "notIn":
		return !j.in(v, want)
	case "notBetween":
		return !j.between(v, want)
	case "isNotEmpty":
		return !empty(v)
	case "=":
		return j.equal(v, want)
	case "in", "containsAny":
		return j.in(v, want)
	case "contains":
		return j.contains(v, want)
	case "beginsWith":
		return isStr(v) && strings.HasPrefix(str(v), str(want))
	case "endsWith":
		return isStr(v) && strings.HasSuffix(str(v), str(want))
	case "between":
		return j.between(v, want)
	case "isEmpty":
		return empty(v)
	case "isExpired":
		t, ok := instant(v)
		return ok && t.Before(j.now)
	case "isNotExpired":
		t, ok := instant(v)
		return ok && !t.Before(j.now)
	}
	return j.ordered(operator, v, want)
}

func (j judge) subject(query map[string]any, e catalog.Entity) any {
	if r, ok := query["relation"].(string); ok {
		return decode(e.Relations).(map[string]any)[r]
	}
	none := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	switch name := query["property"].(string); name {
	case "$identifier":
		return e.Identifier
	case "$blueprint":
		return e.Blueprint
	case "$title":
		if e.Title == "" {
			return e.Identifier
		}
		return e.Title
	case "$icon":
		return none(e.Icon)
	case "$datasource":
		return none(e.Source)
	case "$createdAt":
		return e.CreatedAt
	case "$team":
		return decode(e.Team)
	default:
		return decode(e.Properties).(map[string]any)[name]
	}
}

func decode(raw []byte) any {
	if raw == nil {
		return nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		panic(err)
	}
	return v
}

func isStr(v any) bool { _, ok := v.(string); return ok }

func str(v any) string { s, _ := v.(string); return s }

func empty(v any) bool {
	list, ok := v.([]any)
	return v == nil || ok && len(list) == 0
}

func instant(v any) (time.Time, bool) {
	if t, ok := v.(time.Time); ok {
		return t, true
	}
	t, err := time.Parse(time.RFC3339Nano, str(v))
	return t, err == nil
}

func (j judge) equal(v, want any) bool {
	if r, ok := want.(map[string]any); ok {
		return j.between(v, r)
	}
	if t, ok := v.(time.Time); ok {
		w, ok := instant(want)
		return ok && t.Equal(w)
	}
	if list, ok := want.([]any); ok {
		have, ok := v.([]any)
		return ok && reflect.DeepEqual(list, have)
	}
	switch v.(type) {
	case []any, map[string]any:
		return false
	}
	if a, ok := instant(v); ok && isStr(v) && j.dated {
		if b, ok := instant(want); ok && a.Equal(b) {
			return true
		}
	}
	return v == want
}

func (j judge) in(v, want any) bool {
	list, ok := want.([]any)
	if !ok {
		list = []any{want}
	}
	for _, w := range list {
		if j.equal(v, w) {
			return true
		}
		if have, ok := v.([]any); ok && w != nil && slices.ContainsFunc(have, func(h any) bool { return j.equal(h, w) }) {
			return true
		}
	}
	return false
}

func (j judge) contains(v, want any) bool {
	if have, ok := v.([]any); ok {
		return slices.ContainsFunc(have, func(h any) bool { return j.equal(h, want) })
	}
	return isStr(v) && isStr(want) && strings.Contains(str(v), str(want))
}

func (j judge) between(v, want any) bool {
	r := want.(map[string]any)
	t, ok := instant(v)
	if !ok {
		return false
	}
	from, _ := instant(r["from"])
	to, _ := instant(r["to"])
	return !t.Before(from) && !t.After(to)
}

func (j judge) ordered(operator string, v, want any) bool {
	c := 0
	if w, ok := want.(float64); ok {
		n, ok := v.(float64)
		if !ok {
			return false
		}
		c = map[bool]int{true: -1, false: 1}[n < w]
		if n == w {
			c = 0
		}
	} else {
		t, ok := instant(v)
		w, _ := instant(want)
		if !ok {
			return false
		}
		c = t.Compare(w)
	}
	return operator == ">" && c > 0 || operator == ">=" && c >= 0 || operator == "<" && c < 0 || operator == "<=" && c <= 0
}

var (
	someTexts = []any{"", "a", "A", "ab", "b%", "_", "é", "x'y", `q"`, "2024-01-02T03:04:05Z"}
	someTimes = []any{"2024-01-02T03:04:05Z", "2024-01-02T03:04:05.250Z", "2024-01-02T04:04:05+01:00", "2023-12-31T00:00:00.000Z", "2024-06-01T00:00:00Z"}
	someNums  = []any{0.0, 1.0, -1.5, 2.0, 1e3}
)

func drawValue(t *rapid.T, label string) any {
	switch rapid.IntRange(0, 6).Draw(t, label+" kind") {
	case 0:
		return rapid.SampledFrom(someNums).Draw(t, label)
	case 1:
		return rapid.Bool().Draw(t, label)
	case 2:
		return nil
	case 3:
		return rapid.SampledFrom(someTimes).Draw(t, label)
	case 4:
		return rapid.SliceOfN(rapid.SampledFrom(slices.Concat(someTexts, someNums, []any{true, nil})), 0, 3).Draw(t, label)
	}
	return rapid.SampledFrom(someTexts).Draw(t, label)
}

func drawQuery(t *rapid.T, depth int) map[string]any {
	if depth > 0 && rapid.IntRange(0, 2).Draw(t, "nest") == 0 {
		rules := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "rules") {
			rules = append(rules, drawQuery(t, depth-1))
		}
		return map[string]any{"combinator": rapid.SampledFrom([]string{"and", "or"}).Draw(t, "combinator"), "rules": rules}
	}
	q := map[string]any{"operator": rapid.SampledFrom([]string{
		"=", "!=", ">", ">=", "<", "<=", "contains", "doesNotContains", "containsAny", "beginsWith",
		"doesNotBeginsWith", "endsWith", "doesNotEndsWith", "in", "notIn", "between", "notBetween", "isEmpty", "isNotEmpty", "isExpired", "isNotExpired",
	}).Draw(t, "operator")}
	subject := rapid.SampledFrom([]string{"s", "n", "b", "l", "o", "t", `a\b=`, "nope", "$identifier", "$title", "$blueprint", "$icon", "$datasource", "$team", "$createdAt", ">one", ">many"}).Draw(t, "subject")
	if subject[0] == '>' {
		q["relation"] = subject[1:]
	} else {
		q["property"] = subject
	}
	switch q["operator"] {
	case ">", ">=", "<", "<=":
		q["value"] = rapid.SampledFrom(slices.Concat(someNums, someTimes)).Draw(t, "value")
	case "contains", "doesNotContains", "beginsWith", "doesNotBeginsWith", "endsWith", "doesNotEndsWith":
		q["value"] = rapid.SampledFrom(someTexts).Draw(t, "value")
	case "in", "notIn", "containsAny":
		q["value"] = rapid.SliceOfN(rapid.SampledFrom(slices.Concat(someTexts, someNums, []any{true, false, nil, "e1", "thing"})), 0, 4).Draw(t, "value")
	case "between", "notBetween":
		q["value"] = map[string]any{"from": rapid.SampledFrom(someTimes).Draw(t, "from"), "to": rapid.SampledFrom(someTimes).Draw(t, "to")}
	default:
		q["value"] = drawValue(t, "value")
	}
	return q
}

func TestSearchMeansWhatTheGrammarSays(t *testing.T) {
	b := newBench(t, thing, other)
	rapid.Check(t, func(rt *rapid.T) {
		for _, blueprint := range []string{"thing", "other"} {
			if _, err := b.DeleteAllEntities(t.Context(), blueprint, false, catalog.Writer{}); err != nil {
				rt.Fatal(err)
			}
		}
		var changes []catalog.Change
		for i := range rapid.IntRange(1, 6).Draw(rt, "entities") {
			c := catalog.Change{Blueprint: "thing", Identifier: fmt.Sprintf("e%d", i), Lenient: true, Source: rapid.SampledFrom([]string{"", "a/1"}).Draw(rt, "source")}
			for _, name := range []string{"s", "n", "b", "l", "o", "t", `a\b=`} {
				if text, _ := json.Marshal(drawValue(rt, name)); rapid.Bool().Draw(rt, "has "+name) {
					c.Properties = append(c.Properties, catalog.Field{Name: name, Value: text})
				}
			}
			if rapid.Bool().Draw(rt, "related") {
				c.Relations = []catalog.Field{{Name: "one", Value: []byte(`"e1"`)}, {Name: "many", Value: []byte(`["e1","a"]`)}}
			}
			c.Team = []byte(rapid.SampledFrom([]string{"null", `["a","b"]`, `[]`, `"a"`}).Draw(rt, "team"))
			c.Title = []byte(rapid.SampledFrom([]string{"null", `"a"`, `"é"`}).Draw(rt, "title"))
			changes = append(changes, c, catalog.Change{Blueprint: "other", Identifier: c.Identifier, Lenient: true})
		}
		b.apply(changes...)
		all, err := b.Search(t.Context(), catalog.SearchRequest{})
		if err != nil {
			rt.Fatal(err)
		}
		now := time.UnixMilli(1_700_000_000_000).Add(24 * time.Hour) // after every entity's times, before every drawn one
		for range 5 {
			query := drawQuery(rt, 3)
			text, _ := json.Marshal(query)
			page, err := b.Search(t.Context(), catalog.SearchRequest{Query: text})
			if err != nil {
				rt.Fatalf("search %s: %v", text, err)
			}
			found := map[catalog.Key]bool{}
			for _, e := range page.Entities {
				found[catalog.Key{Blueprint: e.Blueprint, Identifier: e.Identifier}] = true
			}
			for _, e := range all.Entities {
				if want := (judge{now: now}).holds(query, e); want != found[catalog.Key{Blueprint: e.Blueprint, Identifier: e.Identifier}] {
					rt.Fatalf("query %s\nentity %s %s title %q team %s relations %s\n%s: SQL says %v, the grammar %v", text, e.Blueprint, e.Identifier, e.Title, e.Team, e.Relations, e.Properties, !want, want)
				}
			}
			n, err := b.CountMatches(t.Context(), catalog.SearchRequest{Query: text})
			if err != nil || n != int64(len(page.Entities)) {
				rt.Fatalf("count of %s is %d (%v), want %d", text, n, err, len(page.Entities))
			}
		}
	})
}

func TestSearchPagesCoverEverythingOnceInOrder(t *testing.T) {
	b := newBench(t, thing)
	var changes []catalog.Change
	for i := range 57 {
		c := catalog.Change{Blueprint: "thing", Identifier: fmt.Sprintf("e%02d", (i*37)%57), Lenient: true}
		switch i % 5 {
		case 0:
			c.Properties = fields(t, fmt.Sprintf(`{"s":"v%d","n":%d}`, i%3, i%4))
		case 1:
			c.Properties = fields(t, fmt.Sprintf(`{"s":%d,"n":%d.5}`, i%2, i%3))
		case 2:
			c.Properties = fields(t, `{"s":["x"],"n":null}`)
			c.Title = []byte(`"Zed"`)
		}
		changes = append(changes, c)
	}
	b.apply(changes...)
	for _, sort := range [][]catalog.Sort{
		nil,
		{{Field: "s"}},
		{{Field: "s", Desc: true}},
		{{Field: "n", Desc: true}, {Field: "s"}},
		{{Field: "$title"}},
		{{Field: "$createdAt", Desc: true}},
		{{Field: "$identifier", Desc: true}},
		{{Field: "nope"}},
	} {
		whole, err := b.Search(t.Context(), catalog.SearchRequest{Blueprint: "thing", Sort: sort, Limit: 1000})
		if err != nil || len(whole.Entities) != 57 || whole.Next != "" {
			t.Fatalf("sort %v: %d entities, next %q, %v", sort, len(whole.Entities), whole.Next, err)
		}
		for i := 1; i < len(whole.Entities); i++ {
			if compareBy(sort, whole.Entities[i-1], whole.Entities[i]) >= 0 {
				t.Fatalf("sort %v: %s stands before %s", sort, whole.Entities[i-1].Identifier, whole.Entities[i].Identifier)
			}
		}
		var pages []catalog.Entity
		from := ""
		for {
			page, err := b.Search(t.Context(), catalog.SearchRequest{Blueprint: "thing", Sort: sort, Limit: 10, From: from})
			if err != nil {
				t.Fatalf("sort %v: %v", sort, err)
			}
			pages = append(pages, page.Entities...)
			if from = page.Next; from == "" {
				break
			}
		}
		same := slices.EqualFunc(pages, whole.Entities, func(a, b catalog.Entity) bool { return a.Identifier == b.Identifier })
		if !same {
			t.Errorf("sort %v: %d entities in pages, not those of the whole in their order", sort, len(pages))
		}
	}
}

func compareBy(sort []catalog.Sort, a, b catalog.Entity) int {
	for _, s := range sort {
		x, y := catalog.KeyOf(a, s.Field), catalog.KeyOf(b, s.Field)
		if x.Rank != y.Rank {
			return x.Rank - y.Rank
		}
		c := strings.Compare(x.Text, y.Text)
		if x.Number != y.Number {
			c = map[bool]int{true: -1, false: 1}[x.Number < y.Number]
		}
		if s.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return strings.Compare(a.Identifier, b.Identifier)
}

func TestSearchTextLooksAtIdentifierAndTitle(t *testing.T) {
	b := newBench(t, thing)
	titled := func(id, title string) catalog.Change {
		c := call(t, "thing", id, `{"s":"needle"}`)
		c.Title = []byte(title)
		return c
	}
	b.apply(titled("Needle-1", `null`), titled("x2", `"a NEEDLE%"`), titled("x3", `"hay"`))
	for text, want := range map[string]string{"needle": "Needle-1 x2", "LE%": "x2", "_": "", "x3": "x3", "": "Needle-1 x2 x3"} {
		page, err := b.Search(t.Context(), catalog.SearchRequest{Blueprint: "thing", Text: text})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range page.Entities {
			got = append(got, e.Identifier)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("text %q finds %q, want %q", text, got, want)
		}
	}
}

func TestSearchTakesQueriesUpToItsLimits(t *testing.T) {
	b := newBench(t, thing)
	b.write(call(t, "thing", "a", `{"s":"v990"}`))
	for _, combinator := range []string{"or", "and"} {
		rules := make([]string, 999)
		for i := range rules {
			rules[i] = fmt.Sprintf(`{"property":"s","operator":"%s","value":"v%d"}`, map[string]string{"or": "=", "and": "!="}[combinator], i)
		}
		n, err := b.CountMatches(t.Context(), catalog.SearchRequest{Query: json.RawMessage(`{"combinator":"` + combinator + `","rules":[` + strings.Join(rules, ",") + `]}`)})
		if want := map[string]int64{"or": 1, "and": 0}[combinator]; err != nil || n != want {
			t.Errorf("999 rules joined by %s: %d %v, want %d", combinator, n, err, want)
		}
	}
	values := `"v990"` + strings.Repeat(`,"x"`, 9_999)
	n, err := b.CountMatches(t.Context(), catalog.SearchRequest{Query: json.RawMessage(`{"property":"s","operator":"in","value":[` + values + `]}`)})
	if err != nil || n != 1 {
		t.Errorf("a list of 10000 values: %d %v, want 1", n, err)
	}
	deep := strings.Repeat(`{"combinator":"and","rules":[`, 32) + `{"property":"s","operator":"isNotEmpty"}` + strings.Repeat(`]}`, 32)
	if n, err := b.CountMatches(t.Context(), catalog.SearchRequest{Query: json.RawMessage(deep)}); err != nil || n != 1 {
		t.Errorf("32 deep: %d %v, want 1", n, err)
	}
}

func TestSearchRefusesWhatItCannotRead(t *testing.T) {
	b := newBench(t, thing)
	for _, query := range []string{
		`{"operator":"relatedTo","value":"a"}`, `{"property":"s","operator":"like","value":"a"}`, `{"combinator":"nor","rules":[]}`,
		`{"property":"$nope","operator":"=","value":1}`, `{"property":"s","operator":">","value":"abc"}`, `[]`, `{"property":"s","operator":"between","value":{"preset":"soon"}}`,
		strings.Repeat(`{"combinator":"and","rules":[`, 40) + strings.Repeat(`]}`, 40),
	} {
		_, err := b.Search(t.Context(), catalog.SearchRequest{Query: json.RawMessage(query)})
		wantFault(t, err, fault.Invalid, "invalid_request")
	}
	_, err := b.Search(t.Context(), catalog.SearchRequest{From: "garbage"})
	wantFault(t, err, fault.Invalid, "invalid_request")
	_, err = b.Search(t.Context(), catalog.SearchRequest{Blueprint: "nope"})
	wantFault(t, err, fault.NotFound, "not_found")
}
