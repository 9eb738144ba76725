package catalog_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/store"
	"longshore/internal/store/storetest"
)

// TestBatchesEndAsOneByOne makes the same random changes in batches and one a transaction: results and tables are the same
// afterwards, the audit log to its hashes. Row ids are left out: what lived within one batch alone never had one.
func TestBatchesEndAsOneByOne(t *testing.T) {
	const seeds, changes = 6, 50
	batched, single := openBulk(t), openBulk(t)
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, 7))
		list := randomChanges(rng, changes)
		var got, want []string
		for rest := list; len(rest) > 0; {
			n := min(len(rest), 1+rng.IntN(25))
			got = append(got, batched.write(t, rest[:n])...)
			rest = rest[n:]
		}
		for i := range list {
			want = append(want, single.write(t, list[i:i+1])...)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("seed %d, change %d %+v: in a batch %s, alone %s", seed, i, list[i], got[i], want[i])
			}
		}
		for _, q := range bulkTables {
			if a, b := batched.rows(t, q), single.rows(t, q); a != b {
				t.Fatalf("seed %d: %s\nin batches:\n%s\none by one:\n%s", seed, q, a, b)
			}
		}
	}
	for _, b := range []bulkBench{batched, single} {
		if report, err := b.store.VerifyAudit(t.Context(), nil); err != nil || !report.OK() || report.Rows == 0 {
			t.Errorf("audit log: %+v, %v", report, err)
		}
	}
}

// bulkTables read what a batch writes, with names in place of ids.
var bulkTables = []string{
	`SELECT BLUEPRINT(blueprint_id), identifier, title, icon, team, properties, relations, created_at, created_by, updated_at, updated_by, source FROM entities`,
	`SELECT BLUEPRINT(e.blueprint_id), e.identifier, h.writer_id, h.generation, h.extracted_at, h.key_id, h.line, h.object_id, h.origin_line, h.digest, h.flags, h.older
		FROM entity_heads h LEFT JOIN entities e ON e.id = h.entity_id`,
	`SELECT BLUEPRINT(r.target_blueprint_id), r.target_identifier, RELATION(r.relation_id), BLUEPRINT(e.blueprint_id), e.identifier FROM relations r LEFT JOIN entities e ON e.id = r.entity_id`,
	`SELECT BLUEPRINT(r.target_blueprint_id), r.target_identifier, RELATION(r.relation_id), BLUEPRINT(e.blueprint_id), e.identifier FROM pending_relations r LEFT JOIN entities e ON e.id = r.entity_id`,
	`SELECT BLUEPRINT(blueprint_id), identifier, writer_id, generation, extracted_at, key_id, line FROM tombstones`,
	`SELECT h.writer_id FROM entity_heads h WHERE NOT EXISTS (SELECT 1 FROM texts t WHERE t.id = h.writer_id)`,
	`SELECT BLUEPRINT(p.id), p.entities FROM blueprints p`,
	`SELECT BLUEPRINT(e.blueprint_id), e.identifier FROM words_queue w JOIN entities e ON e.id = w.entity_id`,
	`SELECT * FROM history`,
	`SELECT * FROM history_chain`,
}

type bulkBench struct {
	*catalog.Catalog
	store *store.Store
	kept  *store.Catalog
}

func openBulk(t *testing.T) bulkBench {
	s := storetest.Open(t)
	kept := s.Catalog()
	b := bulkBench{catalog.New(kept, func() time.Time { return time.UnixMilli(1_700_000_000_000) }), s, kept}
	for _, doc := range []string{
		`{"identifier":"a","title":"A","schema":{"properties":{"s":{"type":"string","enum":["x","y","z"]},"n":{"type":"number","default":7},"l":{"type":"array"}},"required":["s"]},
			"relations":{"one":{"target":"a"},"many":{"target":"b","many":true}}}`,
		`{"identifier":"b","title":"B","history":false,"schema":{"properties":{"s":{"type":"string"}}},"relations":{"needs":{"target":"a","required":true}}}`,
	} {
		if _, err := b.CreateBlueprint(t.Context(), json.RawMessage(doc), catalog.Writer{Actor: "t", AllowPendingTargets: true}); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func randomChanges(rng *rand.Rand, n int) []catalog.Change {
	pick := func(list ...string) []byte { return []byte(list[rng.IntN(len(list))]) }
	id := func() string { return fmt.Sprintf("e%d", rng.IntN(9)) }
	changes := make([]catalog.Change, n)
	for i := range changes {
		c := catalog.Change{
			Blueprint: string(pick("a", "a", "b")), Identifier: id(), Lenient: rng.IntN(3) > 0, Actor: string(pick("u", "v")), Source: string(pick("S", "T")),
			Op: []catalog.Op{catalog.OpMerge, catalog.OpMerge, catalog.OpReplace, catalog.OpDelete}[rng.IntN(4)],
		}
		if rng.IntN(5) > 0 {
			line := int64(1 + rng.IntN(5))
			c.Lane, c.Origin = catalog.Lane(pick("w/0", "w/1")), catalog.Origin{ObjectID: line, Line: line, Stream: "s"}
			c.Version = catalog.Version{Generation: int64(1 + rng.IntN(3)), ExtractedAt: 1e12, ObjectKey: string(pick("k1", "k2")), Line: line}
		}
		if c.Op == catalog.OpDelete {
			c.DeleteDependents = rng.IntN(2) == 0
			changes[i] = c
			continue
		}
		if rng.IntN(2) == 0 {
			c.Title = pick(`"T"`, `"U"`, `null`)
		}
		if rng.IntN(4) > 0 {
			c.Properties = append(c.Properties, catalog.Field{Name: "s", Value: pick(`"x"`, `"y"`, `5`, `null`)})
		}
		if rng.IntN(2) == 0 && c.Blueprint == "a" {
			c.Properties = append(c.Properties, catalog.Field{Name: "n", Value: pick(`1`, `1.0`, `"no"`, `null`)}, catalog.Field{Name: "l", Value: pick(`[1, 2]`, `[]`, `{"a":1}`)})
		}
		c.CreateMissingRelated = rng.IntN(8) == 0
		switch one := fmt.Appendf(nil, "%q", id()); {
		case c.Blueprint == "b":
			c.Relations = []catalog.Field{{Name: "needs", Value: one}}
		case rng.IntN(3) > 0:
			c.Relations = []catalog.Field{{Name: "one", Value: one}, {Name: "many", Value: fmt.Appendf(nil, `[%q,%q]`, id(), id())}}
		}
		if rng.IntN(12) == 0 {
			c.Rename = id()
		}
		changes[i] = c
	}
	return changes
}

// write makes the changes in one transaction and tells what became of each, but for what waits or has healed, which is told
// as of the batch's end.
func (b bulkBench) write(t *testing.T, changes []catalog.Change) []string {
	t.Helper()
	var told []string
	err := b.kept.InTx(context.Background(), func(tx catalog.Tx) error {
		results, err := b.Apply(context.Background(), tx, changes, nil)
		for _, r := range results {
			told = append(told, fmt.Sprintf("%v %s %v %v", r.Outcome, r.Identifier, r.Flags, r.Err))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return told
}

func (b bulkBench) rows(t *testing.T, query string) string {
	t.Helper()
	for macro, table := range map[string]string{"BLUEPRINT": "blueprint_names", "RELATION": "relation_names"} {
		query = regexp.MustCompile(macro+`\(([a-z_.]+)\)`).ReplaceAllString(query, `(SELECT n.name FROM `+table+` n WHERE n.id = $1)`)
	}
	rows, err := b.store.Reader().QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		values, into := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
		for i := range into {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%q", values))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
