package catalog_test

import (
	"encoding/json"
	"testing"

	"longshore/internal/catalog"
)

// teamBench is areas with teams of their own, services that inherit theirs, and parts that look at services from both
// sides of a relation.
func teamBench(t testing.TB) *bench {
	b := newBench(t, string(simple("area", `{}`, `{}`)),
		`{"identifier":"service","title":"S","schema":{"properties":{},"required":[]},"ownership":{"type":"Inherited","path":"area"},
			"relations":{"area":{"target":"area"},"parts":{"target":"part","many":true,"inverseOf":"service"}},
			"calculationProperties":{"owners":{"type":"string","calculation":".team | join(\"+\")"},"size":{"type":"number","calculation":".relations.parts | length"}}}`,
		`{"identifier":"part","title":"P","schema":{"properties":{},"required":[]},"relations":{"service":{"target":"service"},"uses":{"target":"service","many":true}},
			"mirrorProperties":{"team":{"path":"service.$team"},"teams":{"path":"uses.$team"},"owners":{"path":"service.owners"},"sizes":{"path":"uses.size"}}}`,
		`{"identifier":"desk","title":"D","schema":{"properties":{},"required":[]},"relations":{"services":{"target":"service","many":true}},
			"aggregationProperties":{
				"core":{"title":"C","target":"service","type":"number","calculationSpec":{"func":"count","calculationBy":"entities"},
					"query":{"combinator":"and","rules":[{"property":"$team","operator":"containsAny","value":["core"]}]}},
				"parts":{"title":"P","target":"service","type":"number","calculationSpec":{"func":"sum","calculationBy":"property","property":"size"}},
				"scored":{"title":"X","target":"service","type":"number","calculationSpec":{"func":"count","calculationBy":"entities"},
					"query":{"combinator":"and","rules":[{"scorecard":"card","operator":"=","value":"Gold"}]}}}}`)
	for id, team := range map[string]string{"a1": `["core"]`, "a2": `["web","core"]`} {
		c := call(t, "area", id, `{}`)
		c.Team = []byte(team)
		b.write(c)
	}
	for _, e := range [][3]string{
		{"service", "s1", `{"area":"a1"}`},
		{"service", "s2", `{"area":"a2"}`},
		{"service", "s3", `{}`},
		{"part", "p1", `{"service":"s1","uses":["s2","s1"]}`},
		{"part", "p2", `{"service":"s2"}`},
		{"part", "p3", `{"service":"s3"}`},
		{"desk", "d", `{"services":["s1","s2","s3"]}`},
	} {
		b.write(relate(t, e[0], e[1], `{}`, e[2]))
	}
	return b
}

func TestDerivedValuesReadTheInheritedTeam(t *testing.T) {
	b := teamBench(t)
	b.derivedIs("part", "p1", `{"owners":"core","sizes":[1,1],"team":["core"],"teams":["web","core","core"]}`)
	b.derivedIs("part", "p2", `{"owners":"web+core","sizes":[],"team":["web","core"],"teams":[]}`)
	b.derivedIs("part", "p3", `{"owners":"","sizes":[],"teams":[]}`)
	b.derivedIs("desk", "d", `{"core":2,"parts":3}`)

	c := call(t, "area", "a1", `{}`)
	c.Team = []byte(`["data"]`)
	b.write(c)
	b.derivedIs("part", "p1", `{"owners":"data","sizes":[1,1],"team":["data"],"teams":["web","core","data"]}`)
	b.derivedIs("desk", "d", `{"core":1,"parts":3}`)

	for rule, want := range map[string]int64{
		`{"property":"team","operator":"containsAny","value":["data"]}`:  1,
		`{"property":"teams","operator":"contains","value":"web"}`:       1,
		`{"property":"team","operator":"isEmpty"}`:                       1,
		`{"property":"owners","operator":"=","value":"web+core"}`:        1,
		`{"property":"team","operator":"=","value":["web","core"]}`:      1,
		`{"property":"team","operator":"doesNotContains","value":"web"}`: 2,
	} {
		n, err := b.CountMatches(t.Context(), catalog.SearchRequest{Blueprint: "part", Query: json.RawMessage(`{"combinator":"and","rules":[` + rule + `]}`)})
		if err != nil || n != want {
			t.Errorf("%s: %d entities, want %d: %v", rule, n, want, err)
		}
	}
}

func TestAnAggregationThatLooksAtScorecardsSaysSo(t *testing.T) {
	b := teamBench(t)
	e := b.entity("desk", "d")
	if len(e.Underived) != 1 || e.Underived[0].Property != "scored" || e.Underived[0].Rule != "query" {
		t.Errorf("without value: %+v, want scored", e.Underived)
	}
}
