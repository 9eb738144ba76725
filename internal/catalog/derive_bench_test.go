package catalog_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"longshore/internal/catalog"
)

// crew has 3 mirrors, 2 calculations and 2 aggregations.
const crew = `{"identifier":"crew","title":"Crew","schema":{"properties":{"name":{"type":"string"},"level":{"type":"number"}},"required":[]},
	"relations":{"boss":{"target":"crew"},"ship":{"target":"ship"},"tasks":{"target":"task","many":true,"inverseOf":"owner"}},
	"mirrorProperties":{"bossTitle":{"path":"boss.$title"},"port":{"path":"ship.port.name"},"taskKinds":{"path":"tasks.kind"}},
	"calculationProperties":{"label":{"type":"string","calculation":".properties.name + \" of \" + (.properties.port // \"nowhere\")"},
		"busy":{"type":"boolean","calculation":".properties.open > 2 and any(.properties.taskKinds[]; . == \"bug\")"}},
	"aggregationProperties":{
		"open":{"title":"Open","type":"number","target":"task","calculationSpec":{"func":"count","calculationBy":"entities"},
			"query":{"combinator":"and","rules":[{"property":"done","operator":"=","value":false}]},"pathFilter":[{"path":["owner"],"fromBlueprint":"task"}]},
		"hours":{"title":"Hours","type":"number","target":"task","calculationSpec":{"func":"sum","calculationBy":"property","property":"hours"}}}}`

// crewBench has n people on ships in ports, each with 10 tasks.
func crewBench(tb testing.TB, n int) *bench {
	b := newBench(tb, crew,
		`{"identifier":"ship","title":"Ship","schema":{"properties":{},"required":[]},"relations":{"port":{"target":"port"}}}`,
		`{"identifier":"port","title":"Port","schema":{"properties":{"name":{"type":"string"}},"required":[]}}`,
		`{"identifier":"task","title":"Task","schema":{"properties":{"kind":{"type":"string"},"done":{"type":"boolean"},"hours":{"type":"number"}},"required":[]},"relations":{"owner":{"target":"crew"}}}`)
	var changes []catalog.Change
	add := func(blueprint, id, properties, relations string) {
		c := record(tb, blueprint, id, 1, properties)
		c.Relations = fields(tb, relations)
		if changes = append(changes, c); len(changes) == 1000 {
			b.apply(changes...)
			changes = changes[:0]
		}
	}
	for i := range 10 {
		add("port", fmt.Sprintf("p%d", i), fmt.Sprintf(`{"name":"Port %d"}`, i), `{}`)
	}
	for i := range 100 {
		add("ship", fmt.Sprintf("s%d", i), `{}`, fmt.Sprintf(`{"port":"p%d"}`, i%10))
	}
	for i := range n {
		add("crew", fmt.Sprintf("c%05d", i), fmt.Sprintf(`{"name":"Person %d","level":%d}`, i, i%7), fmt.Sprintf(`{"boss":"c%05d","ship":"s%d"}`, i/10, i%100))
		for j := range 10 {
			add("task", fmt.Sprintf("t%05d-%d", i, j), fmt.Sprintf(`{"kind":"%s","done":%t,"hours":%d.5}`, []string{"bug", "feature"}[j%2], j%3 == 0, j), fmt.Sprintf(`{"owner":"c%05d"}`, i))
		}
	}
	if len(changes) > 0 {
		b.apply(changes...)
	}
	return b
}

// counted is a store that counts what is asked of it.
type counted struct {
	catalog.Store
	asked map[string]int
}

func (c *counted) InView(ctx context.Context, fn func(catalog.View) error) error {
	return c.Store.InView(ctx, func(v catalog.View) error { return fn(&countedView{v, c}) })
}

type countedView struct {
	catalog.View
	of *counted
}

func (v *countedView) Entities(ctx context.Context, blueprint string, ids []string, rule catalog.Rule) ([]catalog.Entity, error) {
	v.of.asked["entities"] += (len(ids) + 255) / 256
	return v.View.Entities(ctx, blueprint, ids, rule)
}

func (v *countedView) Linked(ctx context.Context, l catalog.Link, fn func(string, catalog.Entity) error) error {
	v.of.asked["linked"] += (len(l.Identifiers) + 255) / 256
	return v.View.Linked(ctx, l, fn)
}

func (v *countedView) LinkCounts(ctx context.Context, l catalog.Link) (map[string]int64, error) {
	v.of.asked["counts"] += (len(l.Identifiers) + 255) / 256
	return v.View.LinkCounts(ctx, l)
}

func (v *countedView) Inverse(ctx context.Context, blueprint, relation, target string, ids []string) (map[string][]string, error) {
	v.of.asked["inverse"] += (len(ids) + 255) / 256
	return v.View.Inverse(ctx, blueprint, relation, target, ids)
}

func TestAPageIsDerivedByAHandfulOfQueries(t *testing.T) {
	b := crewBench(t, 220)
	counting := &counted{Store: b.store, asked: map[string]int{}}
	c := catalog.New(counting, time.Now)
	page, err := c.Search(t.Context(), catalog.SearchRequest{Blueprint: "crew", Limit: 200})
	if err != nil || len(page.Entities) != 200 {
		t.Fatalf("%d entities, %v", len(page.Entities), err)
	}
	if got, want := string(page.Entities[13].Derived), `{"bossTitle":"c00001","busy":true,"hours":50,"label":"Person 13 of Port 3","open":6,"port":"Port 3","taskKinds":["bug","feature","bug","feature","bug","feature","bug","feature","bug","feature"]}`; got != want {
		t.Errorf("derived %s, want %s", got, want)
	}
	total := 0
	for _, n := range counting.asked {
		total += n
	}
	if total > 8 {
		t.Errorf("%d queries beside the search: %v", total, counting.asked)
	}
}

func BenchmarkPageOf200(b *testing.B) {
	c := crewBench(b, 10_000)
	for name, how := range map[string]catalog.Reading{
		"stored": {Stored: true}, "derived": {}, "mirrors": {Only: []string{"bossTitle", "port", "taskKinds"}},
		"aggregations": {Only: []string{"open", "hours"}}, "calculations": {Only: []string{"label", "busy"}},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				page, err := c.Search(b.Context(), catalog.SearchRequest{Blueprint: "crew", Limit: 200, Reading: how})
				if err != nil || len(page.Entities) != 200 {
					b.Fatal(err)
				}
			}
		})
	}
}
