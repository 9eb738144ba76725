package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"longshore/internal/catalog"
)

func openHistory(t *testing.T) (*Store, *catalog.Catalog) {
	t.Helper()
	s, err := Open(t.Context(), newDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, catalog.New(s.Catalog(), func() time.Time { return time.UnixMilli(1_767_000_000_123) })
}

func record(t *testing.T, c *catalog.Catalog, n int) {
	t.Helper()
	var entries []catalog.AuditEntry
	for i := range n {
		entries = append(entries, catalog.AuditEntry{
			Kind: "entity", Action: "UPDATE", Blueprint: "b", Identifier: fmt.Sprint(i, n), Actor: "me", Source: "test",
			Before: []byte(`{"a":1}`), After: []byte(`{"a":2}`), Origin: catalog.Origin{ObjectID: 3, Line: int64(i)},
		})
	}
	if err := c.Record(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
}

func verify(t *testing.T, s *Store, kept *AuditHead) AuditReport {
	t.Helper()
	r, err := s.VerifyAudit(t.Context(), kept)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestAuditLogIsAppendOnly(t *testing.T) {
	s, c := openHistory(t)
	record(t, c, 3)
	for _, q := range []string{`UPDATE history SET actor = 'nobody' WHERE id = 2`, `DELETE FROM history WHERE id = 2`, `DELETE FROM history`} {
		if _, err := s.write.Exec(q); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v, want a refusal", q, err)
		}
	}
	if r := verify(t, s, nil); !r.OK() || r.Rows != 3 || r.Head.ID != 3 {
		t.Errorf("%+v, want three rows in order", r)
	}
}

// tamper runs statements as somebody would who may change the database and knows of the triggers.
func tamper(t *testing.T, s *Store, statements ...string) {
	t.Helper()
	before := []string{`DROP TRIGGER history_stays`, `DROP TRIGGER history_is_kept`}
	if onPostgres {
		before = []string{`ALTER TABLE history DISABLE TRIGGER USER`}
	}
	for _, q := range append(before, statements...) {
		if _, err := s.write.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

func TestVerifyNamesTheFirstBrokenRow(t *testing.T) {
	for name, c := range map[string]struct {
		tamper string
		broken int64
		word   string
	}{
		"content":  {`UPDATE history SET actor = 'nobody' WHERE id = 40`, 40, "content"},
		"a diff":   {`UPDATE history SET before = NULL WHERE id = 41`, 41, "content"},
		"cut out":  {`DELETE FROM history WHERE id = 50`, 50, "missing"},
		"cut off":  {`DELETE FROM history WHERE id > 60`, 61, "ends at row 60"},
		"status":   {`UPDATE history SET status = 'FAILURE' WHERE id = 1`, 1, "content"},
		"rehashed": {`UPDATE history SET actor = 'x', hash = (SELECT h.hash FROM history h WHERE h.id = 5) WHERE id = 6`, 6, "content"},
	} {
		t.Run(name, func(t *testing.T) {
			s, cat := openHistory(t)
			record(t, cat, 70)
			record(t, cat, 30)
			if r := verify(t, s, nil); !r.OK() || r.Rows != 100 {
				t.Fatalf("before: %+v", r)
			}
			tamper(t, s, c.tamper)
			if r := verify(t, s, nil); r.OK() || r.Broken != c.broken || !strings.Contains(r.Problem, c.word) {
				t.Errorf("%+v, want row %d broken (%s)", r, c.broken, c.word)
			}
		})
	}
}

// A clock that is set back breaks no chain: the log's order is that of writing.
func TestChainHoldsThoughTheClockIsSetBack(t *testing.T) {
	s, _ := openHistory(t)
	at := time.UnixMilli(1_767_000_000_000)
	c := catalog.New(s.Catalog(), func() time.Time { return at })
	record(t, c, 2)
	at = at.Add(-time.Hour)
	record(t, c, 3)
	if r := verify(t, s, nil); !r.OK() || r.Rows != 5 {
		t.Errorf("%+v, want five rows in order", r)
	}
	var falls int
	err := s.read.QueryRow(`SELECT count(*) FROM history a JOIN history b ON b.id = a.id + 1 WHERE b.at < a.at`).Scan(&falls)
	if err != nil || falls != 1 {
		t.Errorf("time falls %d times in the log (%v), want once: entries bear the clock's time", falls, err)
	}
}

func TestKeptHeadTellsOfARewrittenLog(t *testing.T) {
	s, c := openHistory(t)
	record(t, c, 10)
	kept, err := s.AuditHead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	record(t, c, 10)
	if r := verify(t, s, &kept); !r.OK() || !r.Held {
		t.Fatalf("%+v, want the kept head in the chain", r)
	}
	// All of it anew, with hashes that fit: only the head that lies elsewhere tells.
	tamper(t, s, `DELETE FROM history`, `UPDATE history_chain SET last_id = 0, last_hash = floor_hash`)
	record(t, catalog.New(s.Catalog(), func() time.Time { return time.UnixMilli(1) }), 1)
	record(t, c, 11)
	if r := verify(t, s, nil); !r.OK() {
		t.Fatalf("%+v, want a whole chain", r)
	}
	if r := verify(t, s, &kept); r.OK() || r.Broken != 10 {
		t.Errorf("%+v, want the kept head missed", r)
	}
}

func TestWhatIsOlderThanTheChainIsCounted(t *testing.T) {
	s, c := openHistory(t)
	if _, err := s.write.Exec(`INSERT INTO history (id, at, kind, action, blueprint, identifier) VALUES (1, 0, 'entity', 'CREATE', 'b', 'old')`); err != nil {
		t.Fatal(err)
	}
	// As the migration leaves a database with history.
	if _, err := s.write.Exec(`UPDATE history_chain SET first_id = 1, last_id = 1`); err != nil {
		t.Fatal(err)
	}
	record(t, c, 2)
	if r := verify(t, s, nil); !r.OK() || r.Older != 1 || r.Rows != 2 || r.Head.ID != 3 {
		t.Errorf("%+v, want one older row and two of the chain", r)
	}
}

func TestChainHoldsWithManyWriters(t *testing.T) {
	s, _ := openHistory(t)
	const writers, batches = 4, 10
	errs := make(chan error, writers)
	for w := range writers {
		go func() {
			c := catalog.New(s.Catalog(), time.Now)
			for i := range batches {
				if err := c.Record(context.Background(), []catalog.AuditEntry{
					{Kind: "team", Action: "CREATE", Identifier: fmt.Sprint(w, i)}, {Kind: "team", Action: "DELETE", Identifier: fmt.Sprint(w, i)},
				}); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range writers {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	if r := verify(t, s, nil); !r.OK() || r.Rows != 2*writers*batches {
		t.Errorf("%+v, want %d rows in one chain", r, 2*writers*batches)
	}
}

func TestRowOfAnUndoneTransactionLeavesNoGap(t *testing.T) {
	s, c := openHistory(t)
	record(t, c, 1)
	store := s.Catalog()
	undo := fmt.Errorf("undo")
	_ = s.InTx(t.Context(), func(tx *sql.Tx) error {
		if err := store.Tx(tx).AddHistory(t.Context(), []catalog.AuditEntry{{Kind: "entity", Action: "CREATE"}}); err != nil {
			t.Error(err)
		}
		return undo
	})
	record(t, c, 1)
	if r := verify(t, s, nil); !r.OK() || r.Rows != 2 || r.Head.ID != 2 {
		t.Errorf("%+v, want two rows", r)
	}
}

func TestHistoryFollowsNames(t *testing.T) {
	s, c := openHistory(t)
	store := s.Catalog()
	add := func(blueprint, id, source string) {
		t.Helper()
		if err := c.Record(t.Context(), []catalog.AuditEntry{{Kind: "entity", Action: "UPDATE", Blueprint: blueprint, Identifier: id, Source: source}}); err != nil {
			t.Fatal(err)
		}
	}
	renamed := func(now, before name) {
		t.Helper()
		if err := s.InTx(t.Context(), func(tx *sql.Tx) error { return store.view(tx).renamedInHistory(t.Context(), now, before) }); err != nil {
			t.Fatal(err)
		}
	}
	add("b", "x", "1")
	renamed(name{blueprint: "b", identifier: "y"}, name{blueprint: "b", identifier: "x"})
	add("b", "y", "2")
	add("b", "x", "other") // another entity by the old name
	renamed(name{blueprint: "c"}, name{blueprint: "b"})
	add("c", "y", "3")
	add("b", "y", "another blueprint's")
	for _, q := range []struct {
		blueprint, id string
		want          string
	}{{"c", "y", "3 2 1"}, {"c", "x", "other"}, {"b", "y", "another blueprint's"}, {"c", "", "3 other 2 1"}} {
		list, err := c.History(t.Context(), catalog.HistoryFilter{Blueprint: q.blueprint, Identifier: q.id})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range list {
			got = append(got, e.Source)
		}
		if strings.Join(got, " ") != q.want {
			t.Errorf("history of %s %s is %q, want %q", q.blueprint, q.id, got, q.want)
		}
	}
}

func TestHistoryFilters(t *testing.T) {
	s, c := openHistory(t)
	_ = s
	at := time.UnixMilli(1_767_000_000_123).UTC()
	entries := []catalog.AuditEntry{
		{Kind: "entity", Action: "CREATE", Blueprint: "b", Identifier: "1", Actor: "local", Source: "Mozilla"},
		{Kind: "entity", Action: "UPDATE", Blueprint: "b", Identifier: "1", Actor: "c1", Source: "port-ocean/okta/1.0/my_okta/exporter", RunID: "r1"},
		{Kind: "entity", Action: "READ", Blueprint: "b", Actor: "c1", Data: []byte(`{"entities":3}`)},
		{Kind: "webhook", Action: "CREATE", Identifier: "w", Actor: "c1", Source: "curl"},
		{Kind: "entity", Action: "CREATE", Status: catalog.Failure, Blueprint: "b", Identifier: "2", Actor: "c2", Message: "no"},
		{Kind: "entity", Action: "CREATE", Blueprint: "d", Identifier: "3", Actor: "longshore", Source: "webhook/w", At: at.Add(time.Hour)},
	}
	if err := c.Record(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	for name, q := range map[string]struct {
		f    catalog.HistoryFilter
		want string
	}{
		"all":       {catalog.HistoryFilter{}, "6 4 2 1"},
		"any":       {catalog.HistoryFilter{Status: catalog.AnyStatus}, "6 5 4 2 1"},
		"failures":  {catalog.HistoryFilter{Status: catalog.Failure}, "5"},
		"reads":     {catalog.HistoryFilter{Reads: true}, "3"},
		"kinds":     {catalog.HistoryFilter{Kinds: []string{"webhook", "scorecard"}}, "4"},
		"run":       {catalog.HistoryFilter{RunID: "r1"}, "2"},
		"webhook":   {catalog.HistoryFilter{Sources: []catalog.SourceMatch{{Prefix: "webhook/"}}}, "6"},
		"not":       {catalog.HistoryFilter{Sources: []catalog.SourceMatch{{Prefix: "webhook/", Not: true}}}, "4 2 1"},
		"ocean":     {catalog.HistoryFilter{Sources: []catalog.SourceMatch{{Prefix: "port-ocean/", Part: "/my_okta/"}}}, "2"},
		"wildcards": {catalog.HistoryFilter{Sources: []catalog.SourceMatch{{Prefix: "port_ocean/"}}}, ""},
		"actor":     {catalog.HistoryFilter{Actors: []string{"local"}}, "1"},
		"others":    {catalog.HistoryFilter{ExceptActors: []string{"local", "longshore"}}, "4 2"},
		"hidden":    {catalog.HistoryFilter{ExceptBlueprints: []string{"b"}}, "6 4"},
		"id":        {catalog.HistoryFilter{ID: 4}, "4"},
		"after":     {catalog.HistoryFilter{After: 2, OldestFirst: true}, "4 6"},
		"present":   {catalog.HistoryFilter{PresentEntities: true}, "4"},
		"from":      {catalog.HistoryFilter{From: at.Add(time.Minute)}, "6"},
	} {
		list, err := c.History(t.Context(), q.f)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []string
		for _, e := range list {
			got = append(got, fmt.Sprint(e.ID))
		}
		if strings.Join(got, " ") != q.want {
			t.Errorf("%s: %v, want %q", name, got, q.want)
		}
	}
}
