package catalog_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"longshore/internal/catalog"
)

const item = `{"identifier":"item","title":"Item","schema":{"properties":{"a":{"type":"string"},"b":{"type":"number"},
	"c":{"type":"array"},"d":{"type":"string","default":"dflt"}},"required":["a"]},
	"relations":{"one":{"target":"item"},"many":{"target":"item","many":true}}}`

// drawChanges makes changes of few entities by few lanes, each lane's versions distinct.
func drawChanges(t *rapid.T, tb testing.TB) []catalog.Change {
	type seen struct {
		lane, id string
		n        int64
	}
	used := map[seen]bool{}
	values := map[string][]string{
		".a": {`"x"`, `"y"`, `null`, `5`}, ".b": {`1`, `1.0`, `null`, `"no"`}, ".c": {`[]`, `[1,{"z":1,"a":2}]`, `null`},
		".d": {`"e"`, `null`}, ">one": {`"i1"`, `"i2"`, `null`, `["i1","i3"]`}, ">many": {`["i1","i2"]`, `[]`, `"i3"`, `null`},
	}
	var changes []catalog.Change
	for range rapid.IntRange(1, 24).Draw(t, "changes") {
		c := catalog.Change{
			Blueprint: "item", Lenient: true, Actor: "t",
			Op:         rapid.SampledFrom([]catalog.Op{catalog.OpMerge, catalog.OpMerge, catalog.OpMerge, catalog.OpReplace, catalog.OpDelete}).Draw(t, "op"),
			Identifier: fmt.Sprintf("i%d", rapid.IntRange(1, 3).Draw(t, "id")),
			Lane:       catalog.Lane(rapid.SampledFrom([]string{"w/0", "w/1", "w/2"}).Draw(t, "lane")),
		}
		n := rapid.Int64Range(1, 12).Draw(t, "version")
		c.Version = catalog.Version{Generation: 1 + n/6, ExtractedAt: n % 6, ObjectKey: "k", Line: n}
		c.Origin = catalog.Origin{ObjectID: 1, Line: n, Stream: "s"}
		k := seen{string(c.Lane), c.Identifier, n}
		if used[k] {
			continue
		}
		used[k] = true
		if rapid.Bool().Draw(t, "titled") {
			c.Title = []byte(rapid.SampledFrom([]string{`"T1"`, `"T2"`, `null`}).Draw(t, "title"))
		}
		for _, name := range sortedKeys(values) {
			if !rapid.Bool().Draw(t, "has "+name) {
				continue
			}
			f := catalog.Field{Name: name[1:], Value: []byte(rapid.SampledFrom(values[name]).Draw(t, name))}
			if name[0] == '.' {
				c.Properties = append(c.Properties, f)
			} else {
				c.Relations = append(c.Relations, f)
			}
		}
		changes = append(changes, c)
	}
	return changes
}

func TestOrderOfArrivalDoesNotMatter(t *testing.T) {
	b := newBench(t, item)
	rapid.Check(t, func(rt *rapid.T) {
		changes := drawChanges(rt, t)
		var want, wantHash string
		for round := range 3 {
			if _, err := b.DeleteAllEntities(t.Context(), "item", false, catalog.Writer{}); err != nil {
				rt.Fatalf("empty: %v", err)
			}
			order := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), uint64(round))).Perm(len(changes))
			for i := 0; i < len(order); {
				n := min(len(order)-i, rapid.IntRange(1, 8).Draw(rt, "batch"))
				var batch []catalog.Change
				for _, at := range order[i : i+n] {
					batch = append(batch, changes[at])
				}
				b.apply(batch...)
				i += n
			}
			// Some arrive twice.
			for _, at := range order[:min(3, len(order))] {
				b.apply(changes[at])
			}
			lines, hash := b.export()
			if round == 0 {
				want, wantHash = lines, hash
			} else if hash != wantHash {
				rt.Fatalf("order %v ended in\n%s\nanother in\n%s", order, lines, want)
			}
			checkBooks(rt, b)
		}
	})
}

// checkBooks holds what is kept against what it stands for.
func checkBooks(t interface{ Fatalf(string, ...any) }, b *bench) {
	p, err := b.Pending(b.t.Context(), 5)
	if err != nil {
		t.Fatalf("pending: %v", err)
	}
	if p.Resolvable != 0 {
		t.Fatalf("%d pending relations have their target", p.Resolvable)
	}
	counts, err := b.Counts(b.t.Context())
	if err != nil {
		t.Fatalf("counts: %v", err)
	}
	waiting := int64(0)
	for blueprint, kept := range counts {
		page, err := b.Search(b.t.Context(), catalog.SearchRequest{Blueprint: blueprint, Limit: 1000})
		if err != nil {
			t.Fatalf("search: %v", err)
		}
		if int64(len(page.Entities)) != kept {
			t.Fatalf("%d entities of %s, the counter says %d", len(page.Entities), blueprint, kept)
		}
		there := map[string]bool{}
		for _, e := range page.Entities {
			there[e.Identifier] = true
		}
		if blueprint == "item" {
			for _, e := range page.Entities {
				for _, target := range relationTargets(e) {
					if !there[target] {
						waiting++
					}
				}
			}
		}
	}
	if waiting != p.Count {
		t.Fatalf("%d relations wait, the books say %d", waiting, p.Count)
	}
}

func relationTargets(e catalog.Entity) []string {
	var relations map[string]any
	if err := json.Unmarshal(e.Relations, &relations); err != nil {
		panic(err)
	}
	var out []string
	for _, v := range relations {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case []any:
			for _, id := range v {
				out = append(out, id.(string))
			}
		}
	}
	return out
}
