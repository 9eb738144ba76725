package catalog_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"longshore/internal/catalog"
)

const deploy = `{"identifier":"deploy","title":"Deploy","schema":{"properties":{"cost":{"type":"number"},"ok":{"type":"boolean"},"at":{"type":"string","format":"date-time"}},"required":[]},
	"relations":{"service":{"target":"service"}},"mirrorProperties":{"tier":{"path":"service.tier"}},
	"calculationProperties":{"double":{"type":"number","calculation":".properties.cost * 2"}}}`

// deployService returns a blueprint with these aggregations.
func deployService(aggregations string) string {
	return `{"identifier":"service","title":"Service","schema":{"properties":{"tier":{"type":"number"}},"required":[]},
		"relations":{"domain":{"target":"domain"},"parent":{"target":"service"},"uses":{"target":"service","many":true}},"aggregationProperties":{` + aggregations + `}}`
}

func deployDomain(aggregations string) string {
	return `{"identifier":"domain","title":"Domain","schema":{"properties":{},"required":[]},"relations":{"team":{"target":"squad"}},"aggregationProperties":{` + aggregations + `}}`
}

// deployBench is three services, s1 and s2 of domain d1, s3 of none, s2 and s3 under s1, with deploys.
func deployBench(t testing.TB, ofService, ofDomain string) *bench {
	b := newBench(t, `{"identifier":"squad","title":"Squad","schema":{"properties":{},"required":[]}}`, deployDomain(ofDomain), deployService(ofService), deploy)
	b.write(relate(t, "squad", "q1", `{}`, `{}`))
	b.write(relate(t, "domain", "d1", `{}`, `{"team":"q1"}`))
	b.write(relate(t, "domain", "d2", `{}`, `{}`))
	b.write(relate(t, "service", "s1", `{"tier":1}`, `{"domain":"d1"}`))
	b.write(relate(t, "service", "s2", `{"tier":2}`, `{"domain":"d1","parent":"s1","uses":["s1"]}`))
	b.write(relate(t, "service", "s3", `{"tier":3}`, `{"parent":"s2","uses":["s1","s2"]}`))
	for i, d := range []struct{ service, properties string }{
		{"s1", `{"cost":1,"ok":true,"at":"2023-11-10T00:00:00Z"}`},
		{"s1", `{"cost":2.5,"ok":false,"at":"2023-11-11T00:00:00Z"}`},
		{"s1", `{"cost":12345678901234567890,"ok":true,"at":"2023-11-12T00:00:00Z"}`},
		{"s1", `{"ok":true}`},
		{"s2", `{"cost":0.1,"ok":true}`},
		{"s2", `{"cost":0.2,"ok":true}`},
		{"s3", `{"cost":-7}`},
	} {
		b.write(relate(t, "deploy", fmt.Sprintf("x%d", i), d.properties, `{"service":"`+d.service+`"}`))
	}
	return b
}

func TestAggregationSpecs(t *testing.T) {
	cases := []struct{ name, definition, s1, s2, s3 string }{
		{"count", `"calculationSpec":{"func":"count","calculationBy":"entities"}`, "4", "2", "1"},
		{"count with a query", `"query":{"combinator":"and","rules":[{"property":"ok","operator":"=","value":true}]},"calculationSpec":{"func":"count","calculationBy":"entities"}`, "3", "2", "0"},
		{"sum", `"calculationSpec":{"func":"sum","calculationBy":"property","property":"cost"}`, "12345678901234567893.5", "0.3", "-7"},
		{"sum with a query", `"query":{"combinator":"and","rules":[{"property":"cost","operator":"<","value":100}]},"calculationSpec":{"func":"sum","calculationBy":"property","property":"cost"}`, "3.5", "0.3", "-7"},
		{"sum of nothing", `"query":{"combinator":"and","rules":[{"property":"cost","operator":">","value":1}]},"calculationSpec":{"func":"sum","calculationBy":"property","property":"cost"}`, "12345678901234567892.5", "0", "0"},
		{"min", `"calculationSpec":{"func":"min","calculationBy":"property","property":"cost"}`, "1", "0.1", "-7"},
		{"max", `"calculationSpec":{"func":"max","calculationBy":"property","property":"cost"}`, "12345678901234567890", "0.2", "-7"},
		{"max of nothing", `"query":{"combinator":"and","rules":[{"property":"cost","operator":">","value":1}]},"calculationSpec":{"func":"max","calculationBy":"property","property":"cost"}`, "12345678901234567890", "", ""},
		{"median", `"calculationSpec":{"func":"median","calculationBy":"property","property":"cost"}`, "2.5", "0.15", "-7"},
		{"average", `"calculationSpec":{"func":"average","calculationBy":"property","property":"cost","averageOf":"total"}`, "4115226300411522631", "0.15", "-7"},
		{"average of a day", `"query":{"combinator":"and","rules":[{"property":"cost","operator":"<","value":100}]},"calculationSpec":{"func":"average","calculationBy":"property","property":"cost","averageOf":"day","measureTimeBy":"at"}`, "0.7", "0.3", "-7"},
		{"entities a day", `"calculationSpec":{"func":"average","calculationBy":"entities","averageOf":"day","measureTimeBy":"at"}`, "0.8", "2", "1"},
		{"entities a week", `"calculationSpec":{"func":"average","calculationBy":"entities","averageOf":"week","measureTimeBy":"at"}`, "4", "2", "1"},
		{"entities a month", `"calculationSpec":{"func":"average","calculationBy":"entities","averageOf":"month"}`, "4", "2", "1"},
		{"entities an hour", `"calculationSpec":{"func":"average","calculationBy":"entities","averageOf":"hour"}`, "4", "2", "1"},
		{"entities in total", `"calculationSpec":{"func":"average","calculationBy":"entities","averageOf":"total"}`, "4", "2", "1"},
		{"sum of a calculation", `"calculationSpec":{"func":"sum","calculationBy":"property","property":"double"}`, "24691357802469135787", "0.6", "-14"},
		{"sum of a mirror", `"calculationSpec":{"func":"sum","calculationBy":"property","property":"tier"}`, "4", "4", "3"},
		{"with a path", `"pathFilter":[{"path":["service"],"fromBlueprint":"deploy"}],"calculationSpec":{"func":"count","calculationBy":"entities"}`, "4", "2", "1"},
		{"where a calculation is", `"query":{"combinator":"and","rules":[{"property":"double","operator":">","value":3}]},"calculationSpec":{"func":"count","calculationBy":"entities"}`, "2", "0", "0"},
		{"where a mirror is not", `"query":{"combinator":"and","rules":[{"property":"tier","operator":"!=","value":2}]},"calculationSpec":{"func":"sum","calculationBy":"property","property":"cost"}`, "12345678901234567893.5", "0", "-7"},
		{"where a relation is", `"query":{"combinator":"and","rules":[{"relation":"service","operator":"=","value":"s1"}]},"calculationSpec":{"func":"count","calculationBy":"entities"}`, "4", "0", "0"},
		{"where both are", `"query":{"combinator":"and","rules":[{"relation":"service","operator":"=","value":"s1"},{"property":"double","operator":"<","value":3}]},"calculationSpec":{"func":"count","calculationBy":"entities"}`, "1", "0", "0"},
		{"of no property", `"calculationSpec":{"func":"sum","calculationBy":"property","property":"nope"}`, "0", "0", "0"},
		{"bad query", `"query":{"combinator":"xor","rules":[]},"calculationSpec":{"func":"count","calculationBy":"entities"}`, "", "", ""},
		{"path that ends elsewhere", `"pathFilter":[{"path":["parent"]}],"calculationSpec":{"func":"count","calculationBy":"entities"}`, "", "", ""},
	}
	var definitions []string
	for i, c := range cases {
		definitions = append(definitions, fmt.Sprintf(`"agg%d":{"title":"A","target":"deploy",%s}`, i, c.definition))
	}
	b := deployBench(t, strings.Join(definitions, ","), "")
	s1, s2, s3 := b.entity("service", "s1"), b.entity("service", "s2"), b.entity("service", "s3")
	for i, c := range cases {
		name := fmt.Sprintf("agg%d", i)
		aggIs(t, c.name, s1, name, c.s1)
		aggIs(t, c.name, s2, name, c.s2)
		aggIs(t, c.name, s3, name, c.s3)
	}
}

// aggIs wants an aggregation of the entity to be that; "" for no value.
func aggIs(t *testing.T, name string, e catalog.Entity, property, want string) {
	t.Helper()
	var got map[string]json.RawMessage
	if err := json.Unmarshal(e.Derived, &got); err != nil {
		t.Fatal(err)
	}
	if string(got[property]) != want {
		t.Errorf("%s: %s of %q is %s, want %q (%+v)", name, property, e.Identifier, got[property], want, e.Underived)
	}
}

func TestAggregationPaths(t *testing.T) {
	const count = `"calculationSpec":{"func":"count","calculationBy":"entities"}`
	cases := []struct {
		name, blueprint, definition string
		want                        map[string]string
	}{
		{"through another blueprint", "domain", `"target":"deploy"`, map[string]string{"d1": "6", "d2": "0"}},
		{"through another, by a path", "domain", `"target":"deploy","pathFilter":[{"path":["service","domain"],"fromBlueprint":"deploy"}]`, map[string]string{"d1": "6", "d2": "0"}},
		{"up", "domain", `"target":"squad"`, map[string]string{"d1": "1", "d2": "0"}},
		{"up, by a path", "domain", `"target":"squad","pathFilter":[{"path":["team"]}]`, map[string]string{"d1": "1", "d2": "0"}},
		{"up two", "service", `"target":"squad","pathFilter":[{"path":["domain","team"],"fromBlueprint":"service"}]`, map[string]string{"s1": "1", "s3": "0"}},
		{"itself, both ways and all relations", "service", `"target":"service"`, map[string]string{"s1": "2", "s2": "2", "s3": "2"}},
		{"itself, up", "service", `"target":"service","pathFilter":[{"path":["parent"]}]`, map[string]string{"s1": "0", "s2": "1", "s3": "1"}},
		{"itself, down", "service", `"target":"service","pathFilter":[{"path":["parent"],"fromBlueprint":"service"}]`, map[string]string{"s1": "1", "s2": "1", "s3": "0"}},
		{"itself, down twice", "service", `"target":"service","pathFilter":[{"path":["parent","parent"],"fromBlueprint":"service"}]`, map[string]string{"s1": "1", "s2": "0", "s3": "0"}},
		{"hops", "service", `"target":"service","pathFilter":[{"path":[{"relation":"parent","maxHops":3}],"fromBlueprint":"service"}]`, map[string]string{"s1": "2", "s2": "1", "s3": "0"}},
		{"hops up", "service", `"target":"service","pathFilter":[{"path":[{"relation":"parent","maxHops":3}]}]`, map[string]string{"s1": "0", "s2": "1", "s3": "2"}},
		{"one hop", "service", `"target":"service","pathFilter":[{"path":[{"relation":"parent","maxHops":1}]}]`, map[string]string{"s1": "0", "s2": "1", "s3": "1"}},
		{"too many hops", "service", `"target":"service","pathFilter":[{"path":[{"relation":"parent","maxHops":16}]}]`, map[string]string{"s1": "", "s3": ""}},
		{"deploys of all under it", "service", `"target":"deploy","pathFilter":[{"path":["service",{"relation":"parent","maxHops":15}],"fromBlueprint":"deploy"}]`, map[string]string{"s1": "3", "s2": "1", "s3": "0"}},
		{"many", "service", `"target":"service","pathFilter":[{"path":["uses"]}]`, map[string]string{"s1": "0", "s2": "1", "s3": "2"}},
		{"many, from the other side", "service", `"target":"service","pathFilter":[{"path":["uses"],"fromBlueprint":"service"}]`, map[string]string{"s1": "2", "s2": "1", "s3": "0"}},
		{"other services of the domain's", "domain", `"target":"domain"`, map[string]string{"d1": "0", "d2": "0"}},
	}
	of := map[string][]string{}
	for i, c := range cases {
		of[c.blueprint] = append(of[c.blueprint], fmt.Sprintf(`"agg%d":{"title":"A",%s,%s}`, i, c.definition, count))
	}
	b := deployBench(t, strings.Join(of["service"], ","), strings.Join(of["domain"], ","))
	read := map[string]catalog.Entity{}
	for _, id := range []string{"s1", "s2", "s3"} {
		read[id] = b.entity("service", id)
	}
	for _, id := range []string{"d1", "d2"} {
		read[id] = b.entity("domain", id)
	}
	for i, c := range cases {
		for id, want := range c.want {
			aggIs(t, c.name, read[id], fmt.Sprintf("agg%d", i), want)
		}
	}
}

func TestAggregationOfUnknownTarget(t *testing.T) {
	b := newBench(t, `{"identifier":"x","title":"X","schema":{"properties":{},"required":[]},"aggregationProperties":{"agg":{"title":"A","target":"nope","calculationSpec":{"func":"count","calculationBy":"entities"}}}}`)
	b.write(call(t, "x", "a", `{}`))
	aggIs(t, "unknown target", b.entity("x", "a"), "agg", "")
	if got := b.entity("x", "a").Underived; len(got) != 1 || got[0].Rule != "target" {
		t.Errorf("reasons %+v, want the target", got)
	}
}

// An aggregation that would look at too many entities by a long way has no value for the entity, and has one for others
// of the page.
func TestAggregationLimits(t *testing.T) {
	b := newBench(t, deployDomain(`"agg":{"title":"A","target":"deploy","pathFilter":[{"path":["service","domain"],"fromBlueprint":"deploy"}],"calculationSpec":{"func":"count","calculationBy":"entities"}}`),
		`{"identifier":"squad","title":"Squad","schema":{"properties":{},"required":[]}}`, deployService(""), deploy)
	b.write(relate(t, "domain", "d1", `{}`, `{}`))
	b.write(relate(t, "domain", "d2", `{}`, `{}`))
	b.write(relate(t, "service", "s1", `{}`, `{"domain":"d1"}`))
	b.write(relate(t, "service", "s2", `{}`, `{"domain":"d2"}`))
	const many = 20_001
	changes := make([]catalog.Change, many)
	for i := range changes {
		changes[i] = record(t, "deploy", fmt.Sprintf("x%d", i), 1, `{}`)
		changes[i].Relations = []catalog.Field{{Name: "service", Value: []byte(`"s1"`)}}
	}
	changes[0].Relations[0].Value = []byte(`"s2"`)
	b.apply(changes...)
	page, err := b.Search(t.Context(), catalog.SearchRequest{Blueprint: "domain"})
	if err != nil {
		t.Fatal(err)
	}
	if got := page.Entities[0]; strings.Contains(string(got.Derived), "agg") || len(got.Underived) != 1 || got.Underived[0].Rule != "too-many" {
		t.Errorf("d1: %s %+v, want no value since there are too many", got.Derived, got.Underived)
	}
	if got := page.Entities[1]; string(got.Derived) != `{"agg":1}` {
		t.Errorf("d2: %s %+v, want 1", got.Derived, got.Underived)
	}
}
