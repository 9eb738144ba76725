package catalog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

const (
	login = `{"identifier":"login","title":"Login","history":false%s,"schema":{"properties":{"at":{"type":"string","format":"date-time"},"status":{"type":"string"}},"required":[]},
		"relations":{"user":{"target":"user"},"after":{"target":"login"}}}`
	watcher = `{"identifier":"watcher","title":"Watcher","schema":{"properties":{},"required":[]},"relations":{"last":{"target":"login"}}}`
)

// signIn is a record of an event.
func signIn(t testing.TB, n int, at time.Time, user string) catalog.Change {
	c := record(t, "login", fmt.Sprintf("l%04d", n), int64(n+1), fmt.Sprintf(`{"at":%q,"status":"s%d"}`, at.Format(time.RFC3339), n%7))
	c.Version.Generation = 0
	c.Relations = fields(t, fmt.Sprintf(`{"user":%q,"after":"l%04d"}`, user, max(n-1, 0)))
	return c
}

// entityLines are the export's lines of entities.
func (b *bench) entityLines() string {
	lines, _ := b.export()
	var kept []string
	for line := range strings.Lines(lines) {
		if !strings.Contains(line, `"schema"`) {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func (b *bench) found(req catalog.SearchRequest) []string {
	b.t.Helper()
	page, err := b.Search(context.Background(), req)
	if err != nil {
		b.t.Fatalf("search %s: %v", req.Query, err)
	}
	ids := []string{}
	for _, e := range page.Entities {
		ids = append(ids, e.Blueprint+"/"+e.Identifier)
	}
	return ids
}

func (b *bench) replaceBlueprint(doc string) {
	b.t.Helper()
	var head struct{ Identifier string }
	if err := json.Unmarshal([]byte(doc), &head); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.ReplaceBlueprint(context.Background(), head.Identifier, json.RawMessage(doc), catalog.Writer{Actor: "test", AllowPendingTargets: true}); err != nil {
		b.t.Fatalf("replace blueprint %s: %v", doc, err)
	}
}

// TestEntitiesMoveWithoutLoss takes a filled blueprint's entities apart and back, with writes between the steps and another
// process going on with the move, and wants the catalog to read the same all the way.
func TestEntitiesMoveWithoutLoss(t *testing.T) {
	const many = 1300 // three steps
	kept := strings.Replace(fmt.Sprintf(login, ""), `"history":false`, `"history":true`, 1)
	b := newBench(t, user, group, kept, watcher)
	day := time.Date(2023, 11, 1, 0, 0, 0, 0, time.UTC)
	b.apply(record(t, "user", "ada", 1, `{"status":"ACTIVE"}`))
	changes := make([]catalog.Change, 0, many)
	for n := range many {
		changes = append(changes, signIn(t, n, day, []string{"ada", "nobody"}[n%2]))
	}
	b.apply(changes...)
	w := record(t, "watcher", "w", 1, `{}`)
	w.Relations = fields(t, `{"last":"l0003"}`)
	b.apply(w)
	check := func(when string, want string) {
		t.Helper()
		if got := b.entityLines(); got != want {
			t.Fatalf("%s the catalog reads otherwise: %d bytes, want %d", when, len(got), len(want))
		}
		if got := b.found(catalog.SearchRequest{Query: json.RawMessage(`{"operator":"relatedTo","blueprint":"watcher","value":"w"}`)}); fmt.Sprint(got) != "[user/ada login/l0000 login/l0001 login/l0002 login/l0003]" { // it walks on
			t.Fatalf("%s the watcher is related to %v", when, got)
		}
		if got := b.found(catalog.SearchRequest{Query: json.RawMessage(`{"property":"$identifier","operator":"in","value":["w","ada","l0003"]}`)}); len(got) != 3 {
			t.Fatalf("%s a search of all finds %v", when, got)
		}
		if got := b.found(catalog.SearchRequest{Blueprint: "login", Query: json.RawMessage(`{"property":"status","operator":"=","value":"s3"}`), Limit: 1000}); len(got) != (many+3)/7 {
			t.Fatalf("%s a search of one property finds %d, want %d", when, len(got), (many+3)/7)
		}
		p, err := b.Pending(t.Context(), 1)
		if err != nil || p.Count != many/2 || p.Resolvable != 0 {
			t.Fatalf("%s %d relations wait, of which %d have their target: want %d and none (%v)", when, p.Count, p.Resolvable, many/2, err)
		}
		counts, err := b.Counts(t.Context())
		if err != nil || counts["login"] != many {
			t.Fatalf("%s there are %d logins (%v)", when, counts["login"], err)
		}
	}
	for _, doc := range []string{fmt.Sprintf(login, ""), kept} {
		b.replaceBlueprint(doc)
		for step := 0; ; step++ {
			again := signIn(t, step*400, day.Add(time.Duration(step)*time.Minute), "ada") // one that may have moved, or not
			again.Version.Generation, again.Version.ExtractedAt = 0, 5_000_000+int64(step)+map[bool]int64{true: 100}[doc == kept]
			b.apply(again)
			if b.entity("login", again.Identifier).Blueprint != "login" {
				t.Fatal("an entity lost its blueprint")
			}
			lines := b.entityLines()
			b.Catalog = catalog.New(b.store, time.Now) // another process, that knows nothing of the steps before
			moved, err := b.store.MoveSome(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			check(fmt.Sprintf("after step %d", step), lines)
			if moved == 0 {
				break
			}
		}
		if moved, err := b.store.MoveSome(t.Context()); moved != 0 || err != nil {
			t.Fatalf("a move that has ended moves %d more (%v)", moved, err)
		}
	}
}

func TestEventsAreOrdinaryEntities(t *testing.T) {
	b := newBench(t, user, group, fmt.Sprintf(login, ""), watcher)
	at := time.Date(2023, 11, 1, 0, 0, 0, 0, time.UTC)
	w := record(t, "watcher", "w", 1, `{}`)
	w.Relations = fields(t, `{"last":"l0001"}`)
	b.apply(w)
	r := b.apply(signIn(t, 0, at, "ada"), signIn(t, 1, at, "ada"), record(t, "user", "ada", 1, `{"status":"ACTIVE"}`))
	if len(r[1].Healed) != 1 || len(r[2].Healed) != 0 && len(r[2].Healed) != 2 {
		t.Errorf("the event heals %v, want the watcher's relation", r[1].Healed)
	}
	if list := b.history("login", "l0001"); len(list) != 0 {
		t.Errorf("an event has %d audit entries, want none", len(list))
	}
	if got := b.found(catalog.SearchRequest{Query: json.RawMessage(`{"operator":"relatedTo","blueprint":"user","value":"ada"}`)}); fmt.Sprint(got) != "[login/l0000 login/l0001 watcher/w]" {
		t.Errorf("related to the user: %v, want both events and who watches one", got)
	}
	c := call(t, "login", "l0001", `{}`)
	c.Rename = "last"
	b.write(c)
	if got := string(b.entity("watcher", "w").Relations); got != `{"last":"last"}` {
		t.Errorf("after the event's rename the watcher points at %s", got)
	}
	c = call(t, "login", "last", `{}`)
	c.Op = catalog.OpDelete
	b.write(c)
	if got := string(b.entity("watcher", "w").Relations); got != `{}` {
		t.Errorf("after the event's deletion the watcher points at %s", got)
	}
	if n, err := b.DeleteAllEntities(t.Context(), "login", false, catalog.Writer{Actor: "test"}); err != nil || n.Done != 1 {
		t.Errorf("deleted %+v (%v), want 1", n, err)
	}
}

func TestRetentionLetsOldEventsGo(t *testing.T) {
	b := newBench(t, user, group, fmt.Sprintf(login, `,"retention":{"days":30,"by":"at"}`), watcher)
	now := time.UnixMilli(1_700_000_000_000).UTC()
	b.apply(record(t, "user", "ada", 1, `{"status":"ACTIVE"}`))
	var changes []catalog.Change
	const many, old = 1200, 700
	for n := range many {
		at := now
		if n < old {
			at = now.AddDate(0, 0, -30).Add(time.Minute * 40) // old once the clock has gone on
		}
		changes = append(changes, signIn(t, n, at, "ada"))
	}
	b.apply(changes...)
	w := record(t, "watcher", "w", 1, `{}`)
	w.Relations = fields(t, `{"last":"l0005"}`)
	b.apply(w)

	later := func() time.Time { return now.Add(time.Hour) }
	steps := 0
	for wait := time.Duration(0); wait == 0; steps++ { // each time as another process that goes on
		b.Catalog = catalog.New(b.store, later)
		var err error
		if wait, err = b.Retain(t.Context(), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if steps < 3 {
		t.Errorf("%d steps let go of %d entities, want some hundreds each", steps, old)
	}
	counts, err := b.Counts(t.Context())
	if err != nil || counts["login"] != many-old {
		t.Fatalf("%d events are left (%v), want %d", counts["login"], err, many-old)
	}
	if _, err := b.Entity(t.Context(), "login", "l0005"); !fault.Is(err, fault.NotFound) {
		t.Errorf("an old event is there still: %v", err)
	}
	// The watcher's relation waits, and that of the first event that was kept.
	if p, err := b.Pending(t.Context(), 5); err != nil || p.Count != 2 || p.Resolvable != 0 {
		t.Errorf("%d relations wait, %d of them with a target (%v), want 2 and none", p.Count, p.Resolvable, err)
	}
	log, err := b.History(t.Context(), catalog.HistoryFilter{Kind: "retention"})
	if err != nil || len(log) != 1 || !strings.Contains(string(log[0].Data), `"entities":700`) {
		t.Errorf("the audit log has %v of retention (%v), want one entry of 700", log, err)
	}
	if runs, err := b.RetentionRuns(t.Context(), "login", 5); err != nil || len(runs) != 1 || runs[0].Pruned != old || runs[0].Finished.IsZero() {
		t.Errorf("the walks are %+v (%v), want one that let %d go", runs, err, old)
	}

	lines := b.entityLines()
	results := b.apply(changes...)
	for n, r := range results {
		want := catalog.OutcomeUnchanged
		if n < old {
			want = catalog.OutcomePast
		}
		if r.Outcome != want {
			t.Fatalf("replayed event %d: %v, want %v", n, r.Outcome, want)
		}
	}
	if f := results[0].Flags; len(f) != 1 || f[0].Rule != "retention" || f[0].Property != "at" {
		t.Errorf("the replayed event says %v, want why", f)
	}
	if b.entityLines() != lines {
		t.Error("the replay changed the catalog")
	}
	_, err = b.Write(t.Context(), call(t, "login", "late", `{"at":"2020-01-01T00:00:00Z"}`))
	wantFault(t, err, fault.Invalid, "invalid_request")

	// A policy that changes counts at once, and one that goes leaves all in place.
	b.replaceBlueprint(fmt.Sprintf(login, `,"retention":{"days":3000,"by":"at"}`))
	if r := b.apply(changes[0]); r[0].Outcome != catalog.OutcomeCreated {
		t.Errorf("under a longer retention the event is %v, want created", r[0].Outcome)
	}
}

func TestRetentionIsChecked(t *testing.T) {
	b := newBench(t, user, group)
	for _, bad := range []string{
		`,"retention":5`, `,"retention":{"days":0}`, `,"retention":{"days":1.5}`, `,"retention":{"days":30,"by":"nope"}`, `,"retention":{"days":30,"hours":1}`,
	} {
		_, err := b.CreateBlueprint(t.Context(), json.RawMessage(fmt.Sprintf(login, bad)), catalog.Writer{Actor: "test", AllowPendingTargets: true})
		wantFault(t, err, fault.Invalid, "invalid_request")
	}
	kept := strings.Replace(fmt.Sprintf(login, `,"retention":{"days":30}`), `"history":false`, `"history":true`, 1)
	_, err := b.CreateBlueprint(t.Context(), json.RawMessage(kept), catalog.Writer{Actor: "test", AllowPendingTargets: true})
	wantFault(t, err, fault.Invalid, "invalid_request")
}
