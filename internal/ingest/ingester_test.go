package ingest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"longshore/internal/ingest"
	"longshore/internal/verdict"
)

// Every code of the closed set is given exactly as often as the records ask for it; every record has one verdict a
// mapping and one roll-up.
//
// Two codes are no verdict of their own here. pending-relation lies over "upserted" for as long as the target is
// missing (WaitingByStream). quarantined-delete has no producer yet: nothing deletes by absence, so no deletion can wait
// for a person, and its count is 0.
func TestEveryVerdictIsGivenAsOftenAsItsRecordsAsk(t *testing.T) {
	b := newBench(t, thing)
	b.webhook("okta", `[`+mapThing+`,
		{"blueprint":"nowhere","filter":".body.kind == \"lost\"","entity":{"identifier":".body.id"}},
		{"blueprint":"thing","filter":".body.kind == \"broken\" and (.body.n | startswith(\"a\"))","entity":{"identifier":".body.id"}}]`)
	const mappings = 3
	var lines []string
	add := func(n int, generation int64, record func(i int) string) {
		for i := range n {
			lines = append(lines, line(generation, 1_700_000_000_000, record(i)))
		}
	}
	a := func(id, more string) string { return fmt.Sprintf(`{"kind":"thing","id":%q%s}`, id, more) }
	add(1, 2, func(i int) string { return a("first", `,"name":"one"`) })                                       // upserted
	add(2, 2, func(i int) string { return a("first", `,"name":"one"`) })                                       // unchanged
	add(3, 2, func(i int) string { return a(fmt.Sprint("flag", i), `,"n":"many"`) })                           // kept-with-flags
	add(4, 2, func(i int) string { return a(fmt.Sprint("child", i), `,"parent":"nobody"`) })                   // pending-relation, over upserted
	add(5, 1, func(i int) string { return a("first", fmt.Sprintf(`,"name":"old %d"`, i)) })                    // superseded-by-newer
	add(6, 2, func(i int) string { return fmt.Sprintf(`{"kind":"other","id":"o%d"}`, i) })                     // no-mapping-matched
	add(7, 2, func(i int) string { return fmt.Sprintf(`{"kind":"broken","id":"b%d","n":5}`, i) })              // expression-error
	add(8, 2, func(i int) string { return fmt.Sprintf(`{"kind":"lost","id":"l%d"}`, i) })                      // schema-reject
	add(9, 2, func(i int) string { return a("first", fmt.Sprintf(`,"name":"other %d"`, i)) })                  // identifier-conflict
	add(10, 2, func(i int) string { return a(fmt.Sprint("big", i), `,"x":"`+strings.Repeat("x", 1<<20)+`"`) }) // over-limit
	for i := range 11 {
		lines = append(lines, fmt.Sprintf(`{"id":"m%d",`, i)) // malformed-line
	}
	b.put(key("things", 0), zip(lines...))
	b.look()
	b.take()

	want := map[verdict.Code]int64{
		verdict.Upserted: 1 + 4, verdict.Unchanged: 2, verdict.KeptWithFlags: 3, verdict.SupersededByNewer: 5, verdict.NoMappingMatched: 6,
		verdict.ExpressionError: 7, verdict.SchemaReject: 8, verdict.IdentifierConflict: 9, verdict.OverLimit: 10, verdict.MalformedLine: 11,
	}
	if got := b.sums("things"); got != codes(want) {
		t.Errorf("roll-ups:\n%s\nwant\n%s", got, codes(want))
	}
	waiting, err := b.objects.WaitingByStream(t.Context(), 0)
	must(t, err)
	if waiting["things"] != 4 {
		t.Errorf("%d records wait for a relation's target, want 4", waiting["things"])
	}
	o := b.only("things")
	b.want(o, ingest.Done, int64(len(lines)), "")
	b.oneVerdictEach(o, len(lines), mappings)
	// Summed up by mapping: filtered is a mapping's verdict, never a roll-up.
	groups, err := b.objects.VerdictGroups(t.Context(), ingest.VerdictFilter{Code: verdict.Filtered}, 100)
	must(t, err)
	perMapping := map[int]int64{}
	for _, g := range groups {
		perMapping[g.Mapping] += g.N
		if g.Detail.Clause == "" {
			t.Errorf("a filtered group of mapping %d names no clause: %+v", g.Mapping, g)
		}
	}
	records := int64(len(lines) - 11 - 10) // what a filter was asked about
	for m, n := range map[int]int64{0: 6 + 7 + 8, 1: records - 8, 2: records - 7} {
		if perMapping[m] != n {
			t.Errorf("mapping %d filtered %d records, want %d", m, perMapping[m], n)
		}
	}
}

// oneVerdictEach looks every line up in the ledger.
func (b *bench) oneVerdictEach(o ingest.Object, lines, mappings int) {
	b.t.Helper()
	for n := 1; n <= lines; n++ {
		v, err := b.objects.RecordVerdict(context.Background(), o.ID, int64(n))
		if err != nil {
			b.t.Errorf("line %d: %v", n, err)
			continue
		}
		if v.RollUp.Code == verdict.None {
			b.t.Errorf("line %d has no roll-up", n)
		}
		if v.RollUp.Code == verdict.MalformedLine {
			if len(v.Verdict) != 0 {
				b.t.Errorf("line %d is no record but has %d verdicts", n, len(v.Verdict))
			}
			continue
		}
		if len(v.Verdict) != mappings {
			b.t.Errorf("line %d has %d verdicts, want one a mapping: %d", n, len(v.Verdict), mappings)
		}
		for m, one := range v.Verdict {
			if one.Code == verdict.None || one.Code == verdict.NoMappingMatched {
				b.t.Errorf("line %d, mapping %d: %s is no verdict of a mapping", n, m, one.Code)
			}
		}
	}
}

func TestExplanationsNameWhatDecided(t *testing.T) {
	b := newBench(t, thing)
	b.webhook("okta", `[`+mapThing+`]`)
	b.put(key("things", 0), zip(line(1, 1, `{"kind":"thing","id":"a","n":"many"}`), line(1, 1, `{"kind":"other"}`), line(1, 1, `{"kind":"thing","id":"not legal!"}`)))
	b.look()
	b.take()
	o := b.only("things")
	for n, want := range map[int64]verdict.Detail{
		1: {Property: "n", Rule: "type", Value: `"many"`},
		2: {Clause: `.body.kind == "thing"`},
		3: {Field: "identifier"},
	} {
		v, err := b.objects.RecordVerdict(t.Context(), o.ID, n)
		must(t, err)
		d := v.Verdict[0].Detail
		if want.Property != "" && d.Property != want.Property || want.Rule != "" && d.Rule != want.Rule || want.Clause != "" && d.Clause != want.Clause ||
			want.Value != "" && d.Value != want.Value || want.Field != "" && d.Field != want.Field {
			t.Errorf("line %d: %s %+v, want %+v", n, v.Verdict[0].Code, d, want)
		}
	}
}

func TestPendingRelationHealsWhenItsTargetLands(t *testing.T) {
	b := newBench(t, thing)
	b.webhook("okta", `[`+mapThing+`]`)
	b.put(key("children", 0), zip(line(1, 1, `{"kind":"thing","id":"child","parent":"mother"}`)))
	b.look()
	b.take()
	if waiting, err := b.objects.WaitingByStream(t.Context(), 0); err != nil || waiting["children"] != 1 {
		t.Fatalf("waiting %v, %v; want 1 of children", waiting, err)
	}
	b.put(key("mothers", 0), zip(line(1, 1, `{"kind":"thing","id":"mother"}`)))
	b.look()
	b.take()
	if waiting, err := b.objects.WaitingByStream(t.Context(), 0); err != nil || len(waiting) != 0 {
		t.Errorf("waiting %v, %v; want none once the target is there", waiting, err)
	}
}

func TestUnknownNamespaceWaitsForItsWebhook(t *testing.T) {
	b := newBench(t, thing)
	b.put(key("things", 0), zip(line(1, 1, `{"kind":"thing","id":"a"}`)))
	if n := b.look(); n != 1 {
		t.Fatalf("the listing found %d objects, want 1", n)
	}
	b.take()
	b.want(b.only("things"), ingest.Unrouted, 0, `"okta"`)
	if n := b.look(); n != 0 || len(b.queued) != 0 {
		t.Errorf("listed again, %d objects are new and %d queued; want the unrouted one told once", n, len(b.queued))
	}
	b.webhook("another", `[]`)
	b.take()
	b.want(b.only("things"), ingest.Unrouted, 0, `"okta"`)
	b.webhook("okta", `[`+mapThing+`]`)
	b.take()
	b.want(b.only("things"), ingest.Done, 1, "")
	if got := b.sums("things"); got != "upserted 1" {
		t.Errorf("verdicts %s, want upserted 1", got)
	}
}

// A webhook that is made between the look for it and the mark would never queue the object again.
func TestWebhookMadeMeanwhileIsNotMissed(t *testing.T) {
	b := newBench(t, thing)
	b.put(key("things", 0), zip(line(1, 1, `{"kind":"thing","id":"a"}`)))
	b.look()
	b.Store = &meddling{Store: b.objects, afterRoute: func() { b.webhook("okta", `[`+mapThing+`]`) }}
	b.take()
	b.want(b.only("things"), ingest.Done, 1, "")
}

// meddling lets something happen after the first look for a webhook.
type meddling struct {
	ingest.Store
	afterRoute func()
}

func (m *meddling) Route(ctx context.Context, namespace string) (ingest.Webhook, error) {
	w, err := m.Store.Route(ctx, namespace)
	if m.afterRoute != nil {
		meddle := m.afterRoute
		m.afterRoute = nil
		meddle()
	}
	return w, err
}

func TestDisabledWebhookLeavesObjectsUntilEnabled(t *testing.T) {
	b := newBench(t, thing)
	w, err := b.objects.PutWebhook(t.Context(), ingest.Webhook{Doc: []byte(`{"identifier":"okta","enabled":false,"mappings":[` + mapThing + `]}`)})
	must(t, err)
	b.put(key("things", 0), zip(line(1, 1, `{"kind":"thing","id":"a"}`)))
	b.look()
	b.take()
	b.want(b.only("things"), ingest.Unrouted, 0, "disabled")
	w.Doc = []byte(`{"identifier":"okta","mappings":[` + mapThing + `]}`)
	_, err = b.objects.PutWebhook(t.Context(), w)
	must(t, err)
	b.take()
	b.want(b.only("things"), ingest.Done, 1, "")
}

// The same lake and the same mappings give the same catalog, whatever the order in which objects are taken.
func TestCatalogDoesNotDependOnTheOrderOfObjects(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	bodies := map[string][]byte{}
	for o := range 5 {
		var lines []string
		for range 30 {
			lines = append(lines, line(int64(1+o%2), int64(1000+random.IntN(3)), fmt.Sprintf(`{"kind":"thing","id":"t%d","name":"n%d","n":%d,"parent":"t%d"}`,
				random.IntN(8), random.IntN(4), random.IntN(3), random.IntN(12))))
		}
		bodies[key([]string{"a", "b"}[o/3], o)] = zip(lines...)
	}
	want := ""
	for round := range 6 {
		b := newBench(t, thing)
		b.webhook("okta", `[`+mapThing+`]`)
		for k, body := range bodies {
			b.put(k, body)
		}
		b.look()
		if round > 0 {
			random.Shuffle(len(b.queued), func(i, j int) { b.queued[i], b.queued[j] = b.queued[j], b.queued[i] })
		}
		b.take()
		lines, hash := b.export()
		if round == 0 {
			want = hash
		} else if hash != want {
			t.Errorf("order %d gives catalog %s, the first order %s:\n%s", round, hash, want, lines)
		}
	}
}

// A replay judges anew and changes nothing.
func TestReplayJudgesAnewAndLeavesTheCatalog(t *testing.T) {
	b := newBench(t, thing)
	b.webhook("okta", `[`+mapThing+`]`)
	b.put(key("things", 0), zip(line(1, 1, `{"kind":"thing","id":"a"}`), line(1, 1, `{"kind":"thing","id":"b","n":"x"}`), line(1, 1, `{"kind":"other"}`)))
	b.look()
	b.take()
	_, before := b.export()
	first := b.only("things")
	n, err := b.objects.Again(t.Context(), ingest.ObjectFilter{})
	must(t, err)
	if n != 1 {
		t.Errorf("%d objects are read again, want 1", n)
	}
	b.take()
	again := b.only("things")
	b.want(again, ingest.Done, 3, "")
	if again.Pass != first.Pass+1 {
		t.Errorf("pass %d after pass %d, want one more", again.Pass, first.Pass)
	}
	if got := b.sums("things"); got != "unchanged 2, no-mapping-matched 1" {
		t.Errorf("verdicts of the replay: %s, want unchanged 2, no-mapping-matched 1", got)
	}
	if _, after := b.export(); after != before {
		t.Errorf("the replay changed the catalog from %s to %s", before, after)
	}
	b.webhook("okta", `[`+mapThing+`,{"blueprint":"thing","filter":".body.kind == \"other\"","entity":{"identifier":"\"o\""}}]`)
	_, err = b.objects.Again(t.Context(), ingest.ObjectFilter{Stream: "things"})
	must(t, err)
	b.take()
	if got := b.sums("things"); got != "upserted 1, unchanged 2" {
		t.Errorf("verdicts under other mappings: %s, want upserted 1, unchanged 2", got)
	}
	b.oneVerdictEach(b.only("things"), 3, 2)
}

func TestJobOfAnEarlierPassDoesNothing(t *testing.T) {
	b := newBench(t, thing)
	b.webhook("okta", `[`+mapThing+`]`)
	b.put(key("things", 0), zip(line(1, 1, `{"kind":"thing","id":"a"}`)))
	b.look()
	stale := b.queued[0]
	_, err := b.objects.Again(t.Context(), ingest.ObjectFilter{})
	must(t, err)
	b.finish(stale)
	b.want(b.only("things"), ingest.Queued, 0, "")
}
