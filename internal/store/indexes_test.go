package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/store"
	"longshore/internal/store/storetest"
)

const server = `{"identifier":"server","title":"Server","schema":{"properties":{"status":{"type":"string"},"a\\b=":{"type":"string"},"n":{"type":"number"},"at":{"type":"string","format":"date-time"}},"required":[]},
	"relations":{"parent":{"target":"server"},"in":{"target":"server","many":true},"parts":{"target":"server","many":true,"inverseOf":"parent"}}}`

// fill makes n servers, each the child of the one with a tenth of its number.
func fill(t *testing.T, s *store.Store, n int) (*catalog.Catalog, *store.Catalog) {
	t.Helper()
	below := s.Catalog()
	c := catalog.New(below, time.Now)
	if _, err := c.CreateBlueprint(t.Context(), json.RawMessage(server), catalog.Writer{}); err != nil {
		t.Fatal(err)
	}
	changes := make([]catalog.Change, 0, n)
	for i := range n {
		changes = append(changes, catalog.Change{
			Blueprint: "server", Identifier: fmt.Sprintf("s%05d", i), Lenient: true,
			Properties: []catalog.Field{
				{Name: "status", Value: fmt.Appendf(nil, `"v%d"`, i%500)},
				{Name: `a\b=`, Value: fmt.Appendf(nil, `["v%d"]`, i%500)},
				{Name: "n", Value: fmt.Appendf(nil, "%d", i)},
				{Name: "at", Value: fmt.Appendf(nil, `"2024-01-02T%02d:%02d:%02dZ"`, i/3600, i/60%60, i%60)},
			},
			Relations: []catalog.Field{{Name: "parent", Value: fmt.Appendf(nil, `"s%05d"`, i/10)}, {Name: "in", Value: []byte(`["s00000"]`)}},
		})
	}
	err := below.InTx(t.Context(), func(tx catalog.Tx) error {
		_, err := c.Apply(t.Context(), tx, changes, nil)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(t.Name(), "/postgres") {
		if _, err := s.Writer().ExecContext(t.Context(), `ANALYZE entities; ANALYZE relations`); err != nil {
			t.Fatal(err)
		}
	}
	return c, below
}

// each is storetest.Each in the first round: it has both databases.
func each(t *testing.T, fn func(t *testing.T, s *store.Store)) {
	t.Helper()
	if store.OnPostgres() {
		t.Skip("it has both in its first round")
	}
	storetest.Each(t, fn)
}

func TestSearchesThatRepeatGetAnIndex(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store) {
		c, below := fill(t, s, 3000)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- below.Follow(ctx, func(err error) { t.Error(err) }) }()
		defer func() {
			stop()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}()
		for _, query := range []string{
			`{"property":"status","operator":"=","value":"v7"}`,
			`{"combinator":"and","rules":[{"property":"status","operator":"in","value":["v7","v8"]}]}`,
			`{"property":"a\\b=","operator":"containsAny","value":["v7"]}`,
			`{"property":"status","operator":"beginsWith","value":"v49"}`,
			`{"property":"n","operator":"=","value":7}`,
			`{"property":"n","operator":">","value":2990}`,
			`{"combinator":"and","rules":[{"property":"n","operator":"<=","value":9},{"property":"$title","operator":"!=","value":"x"}]}`,
			`{"property":"n","operator":"in","value":[7,8]}`,
			`{"property":"at","operator":"=","value":"2024-01-02T00:00:07Z"}`,
			`{"property":"at","operator":"<","value":"2024-01-02T00:00:07Z"}`,
			`{"property":"at","operator":"between","value":{"from":"2024-01-02T00:00:07Z","to":"2024-01-02T01:00:08+01:00"}}`,
			`{"combinator":"or","rules":[{"property":"status","operator":"=","value":"v7"},{"property":"n","operator":"<","value":9}]}`,
		} {
			req := catalog.SearchRequest{Query: json.RawMessage(query), Blueprint: "server"}
			plan := explain(t, s, c, req)
			for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline) && !served(plan); {
				page, err := c.Search(t.Context(), req)
				if err != nil || len(page.Entities) == 0 {
					t.Fatalf("%s finds %d: %v", query, len(page.Entities), err)
				}
				plan = explain(t, s, c, req)
			}
			if !served(plan) {
				t.Errorf("%s: searched again and again, no index serves it:\n%s", query, plan)
			}
		}
	})
}

// served says whether an index of a property serves, and nothing reads the table.
func served(plan string) bool {
	return (strings.Contains(plan, "search_") || strings.Contains(plan, "SEARCH v USING PRIMARY KEY")) && !scans(plan)
}

// scans says whether a plan goes through a blueprint or the table.
func scans(plan string) bool {
	for line := range strings.Lines(plan) {
		line = strings.TrimSpace(line)
		if strings.HasSuffix(line, "(blueprint_id=?)") || strings.HasPrefix(line, "SCAN e") && !strings.Contains(line, "VIRTUAL") || strings.HasPrefix(line, "SCAN r") ||
			strings.Contains(line, "Seq Scan on entities") || strings.Contains(line, "Seq Scan on relations") {
			return true
		}
	}
	return false
}

// explain returns how the database would run a search.
func explain(t *testing.T, s *store.Store, c *catalog.Catalog, req catalog.SearchRequest) string {
	t.Helper()
	plan, err := store.Explained(t.Context(), s, c, req)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// TestNoSearchByAnIndexScansTheTable holds what is promised: conditions on identifiers and relations look at few rows.
func TestNoSearchByAnIndexScansTheTable(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store) {
		c, _ := fill(t, s, 3000)
		for _, query := range []string{
			`{"property":"$identifier","operator":"=","value":"s00007"}`,
			`{"property":"$identifier","operator":"in","value":["s00007","s00008"]}`,
			`{"relation":"parent","operator":"=","value":"s00007"}`,
			`{"relation":"parent","operator":"in","value":["s00007","s00008"]}`,
			`{"relation":"in","operator":"contains","value":"s00007"}`,
			`{"operator":"relatedTo","blueprint":"server","value":"s00299","direction":"upstream"}`,
			`{"operator":"relatedTo","blueprint":"server","value":"s00299","direction":"downstream"}`,
			`{"operator":"matchAny","property":{"path":["parent","parent"]},"value":"s00002"}`,
			`{"operator":"matchAny","property":{"path":["parts"],"fromBlueprint":"server"},"value":"s00002"}`,
			`{"operator":"matchAny","property":{"path":[{"relation":"parent","maxHops":3}],"fromBlueprint":"server"},"value":"s02999"}`,
		} {
			for _, blueprint := range []string{"server", ""} {
				plan := explain(t, s, c, catalog.SearchRequest{Query: json.RawMessage(query), Blueprint: blueprint})
				if scans(plan) {
					t.Errorf("%s in %q looks at the whole table:\n%s", query, blueprint, plan)
				}
			}
		}
	})
}

// TestADeepPageBeginsWhereItStands holds that no page reads those before it.
func TestADeepPageBeginsWhereItStands(t *testing.T) {
	each(t, func(t *testing.T, s *store.Store) {
		c, _ := fill(t, s, 3000)
		page, err := c.Search(t.Context(), catalog.SearchRequest{Blueprint: "server", Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		plan := explain(t, s, c, catalog.SearchRequest{Blueprint: "server", Limit: 20, From: page.Next})
		if !strings.Contains(plan, "(blueprint_id=? AND identifier>?)") && !strings.Contains(plan, "(identifier > ") || strings.Contains(strings.ToUpper(plan), "SORT") || strings.Contains(plan, "TEMP B-TREE") {
			t.Errorf("a page further on does not begin in the index:\n%s", plan)
		}
	})
}
