package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"longshore/internal/catalog"
)

// marks are where values go, as SQLite is told of them.
var marks = regexp.MustCompile(`\?\d*`)

// TestReadingByAnIndexReadsNoTableWhole holds the plans of what is promised an index beside searches (docs/perf.md): an
// entity by its identifier, counts, global search, and the audit log by entity, run, failure, kind and identifier of entry.
func TestReadingByAnIndexReadsNoTableWhole(t *testing.T) {
	s, seen := openRecorded(t)
	below := s.Catalog()
	c := catalog.New(below, time.Now)
	for _, history := range []string{"true", "false"} {
		doc := `{"identifier":"thing_` + history + `","title":"Thing","history":` + history + `,"schema":{"properties":{"status":{"type":"string"}},"required":[]},"relations":{"of":{"target":"thing_` + history + `"}}}`
		if _, err := c.CreateBlueprint(t.Context(), json.RawMessage(doc), catalog.Writer{}); err != nil {
			t.Fatal(err)
		}
		changes := make([]catalog.Change, 0, 2000)
		for i := range cap(changes) {
			changes = append(changes, catalog.Change{
				Blueprint: "thing_" + history, Identifier: fmt.Sprintf("t%05d", i), Lenient: true, RunID: fmt.Sprintf("run-%d", i/10),
				Properties: []catalog.Field{{Name: "status", Value: fmt.Appendf(nil, `"word%d"`, i%500)}},
				Relations:  []catalog.Field{{Name: "of", Value: fmt.Appendf(nil, `"t%05d"`, i/10)}},
			})
		}
		if err := below.InTx(t.Context(), func(tx catalog.Tx) error {
			_, err := c.Apply(t.Context(), tx, changes, nil)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	if s.engine == &postgresEngine {
		if _, err := s.write.ExecContext(t.Context(), `ANALYZE`); err != nil {
			t.Fatal(err)
		}
	}
	for _, blueprint := range []string{"thing_true", "thing_false"} {
		for name, read := range map[string]func(context.Context) error{
			"get": func(ctx context.Context) error { _, err := c.Entity(ctx, blueprint, "t00007"); return err },
			"count by relation": func(ctx context.Context) error {
				n, err := c.CountMatches(ctx, catalog.SearchRequest{Blueprint: blueprint, Query: json.RawMessage(`{"relation":"of","operator":"=","value":"t00007"}`)})
				return wantSome(n, err)
			},
			"count by identifier": func(ctx context.Context) error {
				n, err := c.CountMatches(ctx, catalog.SearchRequest{Blueprint: blueprint, Query: json.RawMessage(`{"property":"$identifier","operator":"in","value":["t00007","t00008"]}`)})
				return wantSome(n, err)
			},
			"global search": func(ctx context.Context) error { _, err := c.FindWords(ctx, "word7", 20); return err },
			"history of an entity": func(ctx context.Context) error {
				_, err := c.History(ctx, catalog.HistoryFilter{Kind: "entity", Blueprint: blueprint, Identifier: "t00007"})
				return err
			},
			"history of a run": func(ctx context.Context) error {
				_, err := c.History(ctx, catalog.HistoryFilter{RunID: "run-7"})
				return err
			},
			"failures": func(ctx context.Context) error {
				_, err := c.History(ctx, catalog.HistoryFilter{Status: "FAILURE"})
				return err
			},
			"history of blueprints": func(ctx context.Context) error {
				_, err := c.History(ctx, catalog.HistoryFilter{Kind: "blueprint"})
				return err
			},
			"an entry": func(ctx context.Context) error {
				_, err := c.History(ctx, catalog.HistoryFilter{ID: 7})
				return err
			},
		} {
			asked := seen.during(func() {
				if err := read(t.Context()); err != nil {
					t.Errorf("%s of %s: %v", name, blueprint, err)
				}
			})
			looked := 0
			for _, q := range asked {
				if plan := planOf(t, s, q); plan != "" {
					looked++
					if line := readsWhole(plan); line != "" {
						t.Errorf("%s of %s reads a table whole (%s):\n%s\n%s", name, blueprint, line, q.text, plan)
					}
				}
			}
			if looked == 0 {
				t.Errorf("%s of %s: no statement was seen", name, blueprint)
			}
		}
	}
}

func wantSome(n int64, err error) error {
	if err == nil && n == 0 {
		return fmt.Errorf("nothing is counted")
	}
	return err
}

// readsWhole returns the line of a plan that goes through a table which grows with the catalog, or "".
func readsWhole(plan string) string {
	for line := range strings.Lines(plan) {
		line = strings.TrimSpace(line)
		for _, table := range []string{"entities", "event_entities", "relations", "event_relations", "history"} {
			if strings.Contains(line, "Seq Scan on "+table+" ") || line == "SCAN "+table {
				return line
			}
		}
		if slices.Contains([]string{"SCAN e", "SCAN r", "SCAN h"}, line) || strings.HasSuffix(line, "(blueprint_id=?)") {
			return line
		}
	}
	return ""
}

// planOf returns the database's plan of a statement, and "" for those that read no such table.
func planOf(t *testing.T, s *Store, q asked) string {
	t.Helper()
	if text := strings.ToUpper(strings.TrimSpace(q.text)); !strings.HasPrefix(text, "SELECT") && !strings.HasPrefix(text, "WITH") {
		return ""
	}
	if !strings.Contains(q.text, "entities") && !strings.Contains(q.text, "relations") && !strings.Contains(q.text, "history") && !strings.Contains(q.text, "words") {
		return ""
	}
	tx, err := s.write.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	explain, args := "EXPLAIN QUERY PLAN ", q.args
	if s.engine == &postgresEngine {
		explain = "EXPLAIN "
		// Some thousand rows are read whole in any case: what counts is whether an index could serve.
		if _, err := tx.ExecContext(t.Context(), `SET LOCAL enable_seqscan = off`); err != nil {
			t.Fatal(err)
		}
	} else {
		args = nil // SQLite plans without values
		named := map[string]bool{}
		for _, mark := range marks.FindAllString(q.text, -1) {
			if mark == "?" || !named[mark] {
				args = append(args, nil)
			}
			named[mark] = true
		}
	}
	rows, err := tx.QueryContext(t.Context(), explain+q.text, args...)
	if err != nil {
		t.Fatalf("%s: %v", q.text, err)
	}
	defer rows.Close()
	var plan strings.Builder
	for rows.Next() {
		columns, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		into := make([]any, len(columns))
		for i := range into {
			into[i] = new(any)
		}
		var line sql.NullString
		into[len(into)-1] = &line
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		plan.WriteString(line.String + "\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan.String()
}
