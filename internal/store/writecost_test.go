//go:build bench

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"longshore/internal/catalog"
	"longshore/internal/store/storetest/pgserver"
)

// TestWriteCost prints what writing through the catalog costs, as ratios to a bulk upsert of the same rows by the database's
// own means, in turns, on databases of their own. LONGSHORE_BENCH_ROWS sets how many rows, LONGSHORE_BENCH_ROUNDS how often.
func TestWriteCost(t *testing.T) {
	if onPostgres {
		t.Skip("both databases were in the first round")
	}
	rows, rounds := number(t, "LONGSHORE_BENCH_ROWS", 20_000), number(t, "LONGSHORE_BENCH_ROUNDS", 3)
	for _, kind := range []string{"sqlite", "postgres"} {
		t.Run(kind, func(t *testing.T) {
			figures := map[string][]float64{}
			var order []string
			note := func(name string, perSecond float64) {
				if figures[name] == nil {
					order = append(order, name)
				}
				figures[name] = append(figures[name], perSecond)
			}
			for range rounds {
				costOfRaw(t, kind, rows, note)
				for _, history := range []bool{true, false} {
					costOfApply(t, kind, rows, history, note)
				}
			}
			raw, fresh := median(figures[order[0]]), median(figures["catalog: new"])
			t.Logf("%d rows of about 1 kB, medians of %d rounds", rows, rounds)
			t.Logf("%-36s %9s %8s %8s", "", "rows/s", "to raw", "to new")
			for _, name := range order {
				n := median(figures[name])
				t.Logf("%-36s %9.0f %8.2f %8.2f", name, n, n/raw, n/fresh)
			}
		})
	}
}

func number(t *testing.T, name string, otherwise int) int {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}

func median(list []float64) float64 {
	list = slices.Sorted(slices.Values(list))
	return list[len(list)/2]
}

func emptyStore(t *testing.T, kind string) *Store {
	t.Helper()
	where := filepath.Join(t.TempDir(), "longshore.db")
	if kind == "postgres" {
		where = pgserver.Database(t, nil)
	}
	s, err := Open(t.Context(), where)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

const costBatch = 2000 // rows a transaction: those of an ingested chunk

var costText = strings.Repeat("lorem ipsum ", 75)

// costChange is the n-th row as a mapping gives it: four texts, one in two with a relation.
func costChange(n int, generation int64) catalog.Change {
	c := catalog.Change{
		Blueprint: "item", Identifier: fmt.Sprintf("00u%017d", n), Title: fmt.Appendf(nil, `"Item %d"`, n), Lenient: true, Lane: "webhook/w/0",
		Properties: []catalog.Field{
			{Name: "a", Value: []byte(`"` + costText + `"`)},
			{Name: "n", Value: fmt.Append(nil, n)},
			{Name: "at", Value: []byte(`"2024-01-02T03:04:05.000Z"`)},
			{Name: "status", Value: []byte(`"ACTIVE"`)},
		},
		Version: catalog.Version{Generation: generation, ExtractedAt: 1e12 + generation, ObjectKey: fmt.Sprintf("okta/items/%d.jsonl.gz", generation), Line: int64(n + 1)},
		Origin:  catalog.Origin{ObjectID: generation, Line: int64(n + 1), Stream: "items"}, Actor: "webhook/w", Source: "webhook/w",
	}
	if n%2 == 0 {
		c.Relations = []catalog.Field{{Name: "one", Value: fmt.Appendf(nil, `"00u%017d"`, n/2)}}
	}
	return c
}

// costOfApply writes rows through the catalog, says the same again, and then with one in a hundred changed.
func costOfApply(t *testing.T, kind string, rows int, history bool, note func(string, float64)) {
	s := emptyStore(t, kind)
	kept := s.Catalog()
	c := catalog.New(kept, time.Now)
	doc, name := `{"identifier":"item","title":"Item",`, "catalog"
	if !history {
		doc, name = doc+`"history":false,`, "catalog, no history"
	}
	_, err := c.CreateBlueprint(t.Context(), json.RawMessage(doc+`"schema":{"properties":{"a":{"type":"string"},"n":{"type":"number"},
		"at":{"type":"string","format":"date-time"},"status":{"type":"string"}}},"relations":{"one":{"target":"item"}}}`), catalog.Writer{Actor: "t"})
	must(t, err)
	pass := func(generation int64, changed func(n int) bool) float64 {
		var spent time.Duration
		changes := make([]catalog.Change, 0, costBatch)
		for from := 0; from < rows; from += costBatch {
			changes = changes[:0]
			for n := from; n < min(rows, from+costBatch); n++ {
				change := costChange(n, generation)
				if changed(n) {
					change.Properties[3].Value = fmt.Appendf(nil, `"CHANGED %d"`, generation)
				}
				changes = append(changes, change)
			}
			begun := time.Now()
			must(t, kept.InTx(context.Background(), func(tx catalog.Tx) error {
				_, err := c.Apply(context.Background(), tx, changes, nil)
				return err
			}))
			spent += time.Since(begun)
		}
		return float64(rows) / spent.Seconds()
	}
	none := func(int) bool { return false }
	note(name+": new", pass(1, none))
	note(name+": the same object again", pass(1, none))
	note(name+": unchanged, a newer object", pass(2, none))
	note(name+": 1 % changed", pass(3, func(n int) bool { return n%100 == 0 }))
}

// rawColumns are those of entities without the id, in the order of rawRow.
const rawColumns = "blueprint_id, identifier, title, icon, team, properties, relations, created_at, created_by, updated_at, updated_by, source"

func rawRow(n int) []any {
	relations := "{}"
	if n%2 == 0 {
		relations = fmt.Sprintf(`{"one":"00u%017d"}`, n/2)
	}
	return []any{
		int64(1), fmt.Sprintf("00u%017d", n), fmt.Sprintf("Item %d", n), "", nil,
		fmt.Sprintf(`{"a":%q,"at":"2024-01-02T03:04:05.000Z","n":%d,"status":"ACTIVE"}`, costText, n), relations,
		int64(1e12), "webhook/w", int64(1e12), "webhook/w", "webhook/w",
	}
}

// costOfRaw writes the rows of entities alone, into a table of the same columns and unique index without triggers: by COPY
// and by arrays, or, on SQLite, by statements of many rows.
func costOfRaw(t *testing.T, kind string, rows int, note func(string, float64)) {
	each := func(write func(tx *sql.Tx, batch [][]any) error) func(s *Store) float64 {
		return func(s *Store) float64 {
			var spent time.Duration
			for from := 0; from < rows; from += costBatch {
				batch := make([][]any, 0, costBatch)
				for n := from; n < min(rows, from+costBatch); n++ {
					batch = append(batch, rawRow(n))
				}
				begun := time.Now()
				must(t, s.InTx(t.Context(), func(tx *sql.Tx) error { return write(tx, batch) }))
				spent += time.Since(begun)
			}
			return float64(rows) / spent.Seconds()
		}
	}
	const width = 12
	upsert := ` ON CONFLICT (blueprint_id, identifier) DO UPDATE SET title = excluded.title, icon = excluded.icon, team = excluded.team, properties = excluded.properties,
		relations = excluded.relations, created_at = excluded.created_at, created_by = excluded.created_by, updated_at = excluded.updated_at,
		updated_by = excluded.updated_by, source = excluded.source`
	if kind == "sqlite" {
		s := emptyStore(t, kind)
		_, err := s.write.ExecContext(t.Context(), `CREATE TABLE raw (id INTEGER PRIMARY KEY, blueprint_id INTEGER NOT NULL, identifier TEXT NOT NULL, title TEXT NOT NULL,
			icon TEXT NOT NULL, team TEXT, properties TEXT NOT NULL, relations TEXT NOT NULL, created_at INTEGER NOT NULL, created_by TEXT NOT NULL,
			updated_at INTEGER NOT NULL, updated_by TEXT NOT NULL, source TEXT NOT NULL, UNIQUE (blueprint_id, identifier))`)
		must(t, err)
		note("raw: INSERT ... ON CONFLICT, 32 rows", each(func(tx *sql.Tx, batch [][]any) error {
			const many = 32
			statement, err := tx.PrepareContext(t.Context(), bare(`INSERT INTO raw (`+rawColumns+`) VALUES `+tuples(many, width)+upsert))
			if err != nil {
				return err
			}
			defer statement.Close()
			for ; len(batch) >= many; batch = batch[many:] {
				if _, err := statement.ExecContext(t.Context(), slices.Concat(batch[:many]...)...); err != nil {
					return err
				}
			}
			if len(batch) == 0 {
				return nil
			}
			_, err = tx.ExecContext(t.Context(), bare(`INSERT INTO raw (`+rawColumns+`) VALUES `+tuples(len(batch), width)+upsert), slices.Concat(batch...)...)
			return err
		})(s))
		return
	}
	made := func() *Store {
		s := emptyStore(t, kind)
		_, err := s.write.ExecContext(t.Context(), `CREATE TABLE raw (LIKE entities INCLUDING ALL)`)
		must(t, err)
		return s
	}
	s := made()
	note("raw: COPY", each(func(_ *sql.Tx, batch [][]any) error { return copyRows(t.Context(), s, "raw", batch) })(s))
	s = made()
	note("raw: arrays and ON CONFLICT", each(func(tx *sql.Tx, batch [][]any) error {
		v := &catalogTx{tx: tx, engine: s.engine, sql: s.engine.dialect}
		return v.inRows(t.Context(), `INSERT INTO raw (`+rawColumns+`) VALUES %s`+upsert, rowKinds, slices.Concat(batch...))
	})(s))
}

func copyRows(ctx context.Context, s *Store, table string, batch [][]any) error {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(driver any) error {
		_, err := driver.(textConn).Conn.Conn().CopyFrom(ctx, pgx.Identifier{table}, strings.Split(rawColumns, ", "), pgx.CopyFromRows(batch))
		return err
	})
}
