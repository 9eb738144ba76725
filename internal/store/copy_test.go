package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/pipeline"
	"longshore/internal/store/storetest/pgserver"
	"longshore/internal/verdict"
)

// fill puts rows into every part of a database, and returns the catalog's lines.
func fill(t *testing.T, b *bench) {
	t.Helper()
	ctx := t.Context()
	c := catalog.New(b.Store.Catalog(), time.Now)
	_, err := c.CreateBlueprint(ctx, json.RawMessage(`{"identifier":"item","title":"Item","schema":{"properties":{"a":{"type":"string"}}},
		"relations":{"one":{"target":"item"}}}`), catalog.Writer{Actor: "t"})
	must(t, err)
	changes := make([]catalog.Change, 1200)
	for i := range changes {
		changes[i] = catalog.Change{
			Blueprint: "item", Identifier: fmt.Sprintf("i%d", i), Actor: "t", Lenient: true, Title: []byte(`"Zoë"`),
			Properties: []catalog.Field{{Name: "a", Value: []byte(`"x"`)}}, Relations: []catalog.Field{{Name: "one", Value: fmt.Appendf(nil, `"i%d"`, i+7)}},
		}
	}
	_, err = c.WriteAll(ctx, changes)
	must(t, err)
	_, err = c.Write(ctx, catalog.Change{Blueprint: "item", Identifier: "i3", Op: catalog.OpDelete, Actor: "t"})
	must(t, err)
	_, err = c.CreateBlueprint(ctx, json.RawMessage(`{"identifier":"event","title":"Event","history":false,"includeInGlobalSearch":true,"schema":{"properties":{"a":{"type":"string"}}},
		"relations":{"one":{"target":"item"}}}`), catalog.Writer{Actor: "t"})
	must(t, err)
	for i := range changes {
		changes[i] = catalog.Change{
			Blueprint: "event", Identifier: fmt.Sprintf("e%d", i), Actor: "t", Lenient: true, Title: []byte(`"Sign-in"`),
			Relations: []catalog.Field{{Name: "one", Value: fmt.Appendf(nil, `"i%d"`, 2*i)}},
		}
	}
	_, err = c.WriteAll(ctx, changes)
	must(t, err)
	conn, err := b.syncs.PutConnection(ctx, pipeline.Connection{Name: "c"})
	must(t, err)
	must(t, b.syncs.Recall(ctx, conn.ID, []Seen{{Stream: "users", SyncID: 41, Generation: 2}}))
	run, _, err := b.syncs.StartRun(ctx, conn, []pipeline.Stream{{Name: "users"}}, false, "test")
	must(t, err)
	must(t, b.syncs.SaveCommit(ctx, pipeline.Part{SyncID: run, Namespace: "okta", Stream: "users"}, pipeline.Commit{Key: "k", ETag: "e", LakeRows: 4}))
	must(t, b.syncs.SaveStream(ctx, run, pipeline.StreamRun{Stream: "users", Status: "failed", Error: "it said \x00 and \xff"}))
	must(t, b.syncs.FinishRun(ctx, run, pipeline.Status("failed"), ""))
	_, err = b.objects.PutWebhook(ctx, ingest.Webhook{Doc: []byte(`{"identifier":"uno"}`), Secret: "sesame"})
	must(t, err)
	documents := b.Store.Documents(nil, time.Now)
	_, err = documents.Put(ctx, catalog.Document{DocumentKey: catalog.DocumentKey{Kind: "team", Identifier: "sre"}, Doc: json.RawMessage(`{"name":"SRE"}`), CreatedBy: "t"})
	must(t, err)
	must(t, b.Store.Catalog().InTx(ctx, func(tx catalog.Tx) error {
		if err := tx.Rename(ctx, catalog.Key{Blueprint: "item", Identifier: "i5"}, "five"); err != nil {
			return err
		}
		return tx.AddHistory(ctx, []catalog.AuditEntry{{Kind: "entity", Action: "CREATE", Status: catalog.Failure, Identifier: "a\x00b", Message: "it said \x00 and \xff"}})
	}))
	b.judge(b.object(1), 0, ingest.Judged{Line: 1, RollUp: ingest.Verdict{Code: verdict.Upserted}, Verdict: []ingest.Verdict{{Code: verdict.Filtered, Detail: verdict.Detail{Message: "no"}}}})
}

func lines(t *testing.T, s *Store) string {
	t.Helper()
	var out strings.Builder
	_, _, err := catalog.New(s.Catalog(), time.Now).Export(t.Context(), &out)
	must(t, err)
	return out.String()
}

// A database is copied whole, to the other kind and back.
func TestCopyThereAndBack(t *testing.T) {
	if onPostgres {
		t.Skip("it has both in its first round")
	}
	b := newBench(t)
	fill(t, b)
	server, err := OpenBare(t.Context(), pgserver.Database(t, nil))
	must(t, err)
	defer server.Close()
	there, err := Copy(t.Context(), b.Store, server, func(string, int64) {})
	must(t, err)
	back, err := OpenBare(t.Context(), filepath.Join(t.TempDir(), "back.db"))
	must(t, err)
	defer back.Close()
	again, err := Copy(t.Context(), server, back, func(string, int64) {})
	must(t, err)
	rows, mended := map[string]int64{}, int64(0)
	for i, c := range there {
		rows[c.Table] = c.Rows
		mended += c.Mended
		for _, d := range again {
			if d.Table == c.Table && (d.Rows != c.Rows || d.Digest != c.Digest) {
				t.Errorf("table %s: %d rows with %s there, %d with %s back", c.Table, c.Rows, there[i].Digest, d.Rows, d.Digest)
			}
		}
	}
	for _, name := range []string{"entities", "entity_heads", "relations", "pending_relations", "tombstones", "history", "texts", "webhooks", "objects", "verdict_chunks", "syncs", "sync_streams", "documents", "history_names", "settings"} {
		if name != "settings" && rows[name] == 0 {
			t.Errorf("no rows of %s were copied: the test shows nothing about it", name)
		}
	}
	if rows["entities"] != 1199 || mended != 1 {
		t.Errorf("%d entities and %d mended texts, want 1199 and the one error text", rows["entities"], mended)
	}
	want := lines(t, b.Store)
	for _, s := range []*Store{server, back} {
		if got := lines(t, s); got != want {
			t.Errorf("the catalog of %s reads otherwise", s.Name())
		}
		y := s.Syncs("lake", time.Now, func(context.Context, *sql.Tx, int64) error { return nil }, nil)
		conns, err := y.Connections(t.Context())
		must(t, err)
		id, _, err := y.StartRun(t.Context(), conns[0], nil, false, "test")
		must(t, err)
		if id != 43 {
			t.Errorf("the next run of %s is %d, want 43: the one after the last", s.Name(), id)
		}
		copied(t, b.Store, s)
		c := catalog.New(s.Catalog(), time.Now)
		_, err = c.Write(t.Context(), catalog.Change{Blueprint: "item", Identifier: "new", Actor: "t"})
		must(t, err)
	}
	if _, err := Copy(t.Context(), b.Store, back, func(string, int64) {}); !fault.Is(err, fault.Conflict) {
		t.Errorf("copying into a database with rows gave %v, want a conflict", err)
	}
}

// copied demands that what follows the data follows it in the copy: words are found, the audit log's chain holds.
func copied(t *testing.T, from, to *Store) {
	t.Helper()
	c := catalog.New(to.Catalog(), time.Now)
	found, err := c.FindWords(t.Context(), "zoë i77", 10)
	must(t, err)
	if len(found) == 0 || found[0].Identifier != "i77" {
		t.Errorf("%s: global search for i77 found %d entities", to.Name(), len(found))
	}
	head, err := from.AuditHead(t.Context())
	must(t, err)
	report, err := to.VerifyAudit(t.Context(), &head)
	must(t, err)
	if !report.OK() || !report.Held || report.Head.ID != head.ID {
		t.Errorf("%s: the audit log holds up to row %d of %d: %s (row %d)", to.Name(), report.Head.ID, head.ID, report.Problem, report.Broken)
	}
	key := catalog.DocumentKey{Kind: "team", Identifier: "sre"}
	want, err := from.Documents(nil, time.Now).Get(t.Context(), key)
	must(t, err)
	got, err := to.Documents(nil, time.Now).Get(t.Context(), key)
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: the document is %+v, want %+v", to.Name(), got, want)
	}
}

// What the target holds is read back and compared.
func TestCopyThatDiffersIsNoticed(t *testing.T) {
	if onPostgres {
		t.Skip("it is the same code")
	}
	b := newBench(t)
	fill(t, b)
	other, err := OpenBare(t.Context(), filepath.Join(t.TempDir(), "other.db"))
	must(t, err)
	defer other.Close()
	done, err := Copy(t.Context(), b.Store, other, func(string, int64) {})
	must(t, err)
	_, err = other.write.Exec(`UPDATE entities SET title = 'Zoe' WHERE identifier = 'i7'`)
	must(t, err)
	tables, err := sameTables(t.Context(), b.Store, other)
	must(t, err)
	if err := other.mustHold(t.Context(), tables, done); err == nil || !strings.Contains(err.Error(), "entities") {
		t.Errorf("a changed title gave %v, want it noticed", err)
	}
}
