package catalog_test

import (
	"encoding/json"
	"slices"
	"testing"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

func TestTeamIsInheritedAlongThePath(t *testing.T) {
	b := newBench(t, string(simple("area", `{}`, `{}`)),
		`{"identifier":"system","title":"S","schema":{"properties":{},"required":[]},"relations":{"areas":{"target":"area","many":true}},"teamInheritance":{"path":"areas"}}`,
		`{"identifier":"service","title":"S","schema":{"properties":{},"required":[]},"relations":{"system":{"target":"system"}},"ownership":{"type":"Inherited","path":"system.areas"}}`,
		`{"identifier":"part","title":"P","schema":{"properties":{},"required":[]},"relations":{"service":{"target":"service"}},"ownership":{"type":"Inherited","path":"service"}}`)
	for id, team := range map[string]string{"a": `"core"`, "b": `["web","core"]`, "c": `null`} {
		c := call(t, "area", id, `{}`)
		c.Team = []byte(team)
		b.write(c)
	}
	for _, e := range [][3]string{{"system", "s", `{"areas":["a","b"]}`}, {"service", "x", `{"system":"s"}`}, {"service", "y", `{}`}, {"part", "p", `{"service":"x"}`}} {
		c := call(t, e[0], e[1], `{}`)
		c.Relations, c.Team = fields(t, e[2]), []byte(`[]`)
		b.write(c)
	}
	for _, want := range [][3]string{{"system", "s", `["core","web"]`}, {"service", "x", `["core","web"]`}, {"service", "y", ``}, {"part", "p", `["core","web"]`}} {
		if got := string(b.entity(want[0], want[1]).Team); got != want[2] {
			t.Errorf("team of %s %s is %s, want %s", want[0], want[1], got, want[2])
		}
	}
	page, err := b.Search(t.Context(), catalog.SearchRequest{Blueprint: "service"})
	if err != nil || string(page.Entities[0].Team) != `["core","web"]` {
		t.Errorf("in a search: %+v %v", page.Entities, err)
	}
	for _, c := range [][3]string{{"service", "containsAny", `["web"]`}, {"", "containsAny", `["web"]`}, {"service", "isNotEmpty", ``}} {
		rule := `{"property":"$team","operator":"` + c[1] + `"}`
		if c[2] != "" {
			rule = `{"property":"$team","operator":"` + c[1] + `","value":` + c[2] + `}`
		}
		query := json.RawMessage(`{"combinator":"and","rules":[` + rule + `,{"property":"$identifier","operator":"in","value":["x","y","b"]}]}`)
		want := []string{"x"}
		if c[0] == "" {
			want = []string{"b", "x"}
		}
		page, err := b.Search(t.Context(), catalog.SearchRequest{Blueprint: c[0], Query: query})
		var got []string
		for _, e := range page.Entities {
			got = append(got, e.Identifier)
		}
		if n, counted := b.CountMatches(t.Context(), catalog.SearchRequest{Blueprint: c[0], Query: query}); err != nil || counted != nil || !slices.Equal(got, want) || int(n) != len(want) {
			t.Errorf("%s in %q: %q (%d), want %q: %v %v", rule, c[0], got, n, want, err, counted)
		}
	}
	for blueprint, code := range map[string]string{"service": "inherited_ownership_enabled", "system": "team_inheritance_enabled"} {
		c := call(t, blueprint, "z", `{}`)
		c.Team = []byte(`["mine"]`)
		_, err := b.Write(t.Context(), c)
		wantFault(t, err, fault.Invalid, code)
	}
	// PUT without ownership: teams are the entities' own again.
	if _, err := b.ReplaceBlueprint(t.Context(), "service", json.RawMessage(simple("service", `{}`, `{"system":{"target":"system"}}`)), catalog.Writer{}); err != nil {
		t.Fatal(err)
	}
	c := call(t, "service", "x", `{}`)
	c.Team = []byte(`["mine"]`)
	b.write(c)
	if got := string(b.entity("service", "x").Team); got != `["mine"]` {
		t.Errorf("team %s, want its own", got)
	}
}

func TestInheritanceInACircleEnds(t *testing.T) {
	b := newBench(t, `{"identifier":"a","title":"A","schema":{"properties":{},"required":[]},"relations":{"up":{"target":"a"}},"ownership":{"type":"Inherited","path":"up"}}`)
	b.write(call(t, "a", "x", `{}`))
	c := call(t, "a", "x", `{}`)
	c.Relations = fields(t, `{"up":"x"}`)
	b.write(c)
	if e := b.entity("a", "x"); e.Team != nil {
		t.Errorf("team %s of one that inherits from itself", e.Team)
	}
}
