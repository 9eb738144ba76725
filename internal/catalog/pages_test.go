package catalog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"longshore/internal/catalog"
)

// TestPagesStandStillWhileOthersWrite walks through pages while entities around come, change and go: whatever is there all
// the time is met once, and nothing twice.
func TestPagesStandStillWhileOthersWrite(t *testing.T) {
	const steady, limit = 120, 7
	b := newBench(t, `{"identifier":"thing","title":"Thing","schema":{"properties":{"n":{"type":"number"},"s":{"type":"string"},"u":{"type":"string"}},"required":[]},"relations":{}}`)
	change := func(id, n, s, u string) catalog.Change {
		return catalog.Change{Blueprint: "thing", Identifier: id, Lenient: true, Properties: []catalog.Field{
			{Name: "n", Value: []byte(n)}, {Name: "s", Value: []byte(s)}, {Name: "u", Value: []byte(u)},
		}}
	}
	for i := range steady {
		b.apply(change(fmt.Sprintf("e%03d-steady", i), fmt.Sprint(i%10), `"a"`, `"x"`))
	}
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	writing.Go(func() {
		random := rand.New(rand.NewPCG(1, 2))
		for ctx.Err() == nil {
			c := change(fmt.Sprintf("e%03d-fleeting", random.IntN(steady)), fmt.Sprint(random.IntN(10)), `"a"`, `"y"`)
			switch random.IntN(3) {
			case 0:
				c.Op = catalog.OpDelete
			case 1: // one that stays changes where no search looks
				c = change(fmt.Sprintf("e%03d-steady", random.IntN(steady)), "null", `"a"`, fmt.Sprintf(`"z%d"`, random.IntN(1000)))
				c.Properties = c.Properties[1:]
			}
			err := b.store.InTx(ctx, func(tx catalog.Tx) error {
				_, err := b.Apply(ctx, tx, []catalog.Change{c}, nil)
				return err
			})
			if err != nil && ctx.Err() == nil {
				t.Error(err)
				return
			}
		}
	})
	defer func() { stop(); writing.Wait() }()
	for name, req := range map[string]catalog.SearchRequest{
		"all":                 {Blueprint: "thing"},
		"every blueprint":     {Query: json.RawMessage(`{"property":"s","operator":"=","value":"a"}`)},
		"by a property":       {Blueprint: "thing", Query: json.RawMessage(`{"property":"s","operator":"beginsWith","value":"a"}`)},
		"in an order":         {Blueprint: "thing", Sort: []catalog.Sort{{Field: "$identifier", Desc: true}}},
		"in two orders":       {Blueprint: "thing", Sort: []catalog.Sort{{Field: "s"}, {Field: "$createdAt", Desc: true}}},
		"in an order of none": {Blueprint: "thing", Sort: []catalog.Sort{{Field: "$icon"}}},
	} {
		for range 3 {
			req.Limit, req.From = limit, ""
			seen := map[string]int{}
			for {
				page, err := b.Search(t.Context(), req)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range page.Entities {
					seen[e.Identifier]++
				}
				if req.From = page.Next; req.From == "" {
					break
				}
			}
			for i := range steady {
				if id := fmt.Sprintf("e%03d-steady", i); seen[id] != 1 {
					t.Errorf("%s: %q is met %d times, want once", name, id, seen[id])
				}
			}
			for id, n := range seen {
				if n > 1 && name != "in two orders" { // created anew, it is another
					t.Errorf("%s: %q is met %d times", name, id, n)
				}
			}
		}
	}
}
