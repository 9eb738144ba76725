package receipt

import (
	"context"
	"strings"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/ingest"
	"longshore/internal/pipeline"
	"longshore/internal/verdict"
)

// books are a run's numbers, sound at first.
type books struct {
	run     pipeline.Run
	objects []ingest.Object
	sums    map[string]map[verdict.Code]int64
	waiting map[string]int64
	pending catalog.PendingReport
}

func sound() *books {
	return &books{
		run: pipeline.Run{ID: 7, Status: pipeline.Succeeded, Streams: []pipeline.StreamRun{
			{Stream: "users", Status: pipeline.Complete, Pages: 2, APIRows: 30, LakeRows: 30},
			{Stream: "groups", Status: pipeline.Complete, Pages: 1},
		}},
		objects: []ingest.Object{
			{Key: "users/0", Stream: "users", SyncID: 7, State: ingest.Done, RowsWritten: 20, Records: 20},
			{Key: "users/1", Stream: "users", SyncID: 7, State: ingest.Done, RowsWritten: 10, Records: 10},
		},
		sums: map[string]map[verdict.Code]int64{"users": {verdict.Upserted: 28, verdict.MalformedLine: 2}},
	}
}

func (b *books) Run(context.Context, int64) (pipeline.Run, error) { return b.run, nil }
func (b *books) List(context.Context, ingest.ObjectFilter, int) ([]ingest.Object, error) {
	return b.objects, nil
}

func (b *books) VerdictSums(context.Context, ingest.VerdictFilter) (map[string]map[verdict.Code]int64, error) {
	return b.sums, nil
}

func (b *books) WaitingByStream(context.Context, int64) (map[string]int64, error) {
	return b.waiting, nil
}

func (b *books) Recount(context.Context, int64) (map[string]map[verdict.Code]int64, error) {
	return b.sums, nil
}

func (b *books) EntityRows(context.Context) (map[string]int64, error) {
	return map[string]int64{"user": 28}, nil
}

func (b *books) LastWrites(context.Context, int64, int, func(LastWrite)) error { return nil }

func (b *books) Counts(context.Context) (map[string]int64, error) {
	return map[string]int64{"user": 28}, nil
}

func (b *books) Blueprints(context.Context) ([]catalog.Blueprint, error) {
	return []catalog.Blueprint{{Identifier: "user"}}, nil
}

func (b *books) Pending(context.Context, int) (catalog.PendingReport, error) { return b.pending, nil }

func (b *books) receipt(t *testing.T) Receipt {
	t.Helper()
	r, err := Make(t.Context(), b, b, b, 7)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSoundBooksAddUp(t *testing.T) {
	r := sound().receipt(t)
	if !r.OK || len(r.Differences) != 0 {
		t.Errorf("differences %v, want none", r.Differences)
	}
	if r.Verdicts["upserted"] != 28 || r.Verdicts["malformed-line"] != 2 || r.Streams[0].Judged != 30 || r.Blueprints[0].Entities != 28 {
		t.Errorf("receipt %+v", r)
	}
}

// One record lost anywhere on its way makes the receipt not OK, and the difference names the hop.
func TestLossOfOneRecordNamesItsHop(t *testing.T) {
	for _, c := range []struct {
		name   string
		lose   func(b *books)
		hop    string
		object string
		why    string
	}{
		{"a stream was refused", func(b *books) {
			b.run.Streams[1].Status, b.run.Streams[1].Error = pipeline.Failed, "403 on groups"
		}, HopSource, "", "403 on groups"},
		{"a stream broke off", func(b *books) {
			b.run.Streams[0].Status, b.run.Streams[0].Error = pipeline.Partial, "503 on page 3"
		}, HopSource, "", "503 on page 3"},
		{"a stream with gaps broke off", func(b *books) {
			b.run.Streams[0].Status, b.run.Streams[0].Error, b.run.Streams[0].Gaps = pipeline.Partial, "503 on page 3", []string{"404 on user x"}
		}, HopSource, "", "503 on page 3"},
		{"a row was not written", func(b *books) { b.run.Streams[0].APIRows = 31 }, HopLake, "", "31 rows, 30 lines"},
		{"a line was lost in the lake", func(b *books) { b.objects[1].Records = 9; b.sums["users"][verdict.Upserted]-- }, HopRead, "users/1", "10 lines were written, 9 were read"},
		{"an object was forgotten", func(b *books) { b.objects = b.objects[:1]; b.sums["users"][verdict.Upserted] -= 10 }, HopRead, "", "30 lines were written, the objects known hold 20"},
		{"an object was not read to its end", func(b *books) { b.objects[0].State = ingest.Reading }, HopRead, "users/0", "not read to its end"},
		{"an object was deleted", func(b *books) { b.objects[0].State, b.objects[0].Error = ingest.Gone, "away" }, HopRead, "users/0", "gone: away"},
		{"an object is damaged", func(b *books) { b.objects[0].State, b.objects[0].Error = ingest.Failed, "cut" }, HopRead, "users/0", "failed: cut"},
		{"an object has no webhook", func(b *books) { b.objects[0].State, b.objects[0].Error = ingest.Unrouted, "no door" }, HopRead, "users/0", "unrouted: no door"},
		{"a record has no verdict", func(b *books) { b.sums["users"][verdict.Upserted]-- }, HopVerdict, "", "30 lines were read, 29 have a verdict"},
		{"a record has two", func(b *books) { b.sums["users"][verdict.Unchanged]++ }, HopVerdict, "", "30 lines were read, 31 have a verdict"},
		{"a relation waits for what is there", func(b *books) { b.pending = catalog.PendingReport{Count: 2, Resolvable: 1} }, HopVerdict, "", "1 relations wait"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := sound()
			c.lose(b)
			r := b.receipt(t)
			if r.OK || len(r.Differences) != 1 {
				t.Fatalf("OK %t with differences %v, want one", r.OK, r.Differences)
			}
			d := r.Differences[0]
			if d.Hop != c.hop || d.Object != c.object || !strings.Contains(d.Why, c.why) {
				t.Errorf("difference %+v, want hop %q, object %q, why %q", d, c.hop, c.object, c.why)
			}
			var out strings.Builder
			if err := r.Print(&out); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), "Not everything adds up") || !strings.Contains(out.String(), d.String()) || strings.Contains(out.String(), "Every number") {
				t.Errorf("printed:\n%s\nwant the difference", out.String())
			}
		})
	}
}

// What the credential may not see is a note: what it can see adds up.
func TestGapsAreANoteAndNoDifference(t *testing.T) {
	b := sound()
	b.run.Streams[0].Status, b.run.Streams[0].Error, b.run.Streams[0].Gaps = pipeline.Partial, "404 on user x", []string{"404 on user x"}
	r := b.receipt(t)
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	if !r.OK || !strings.Contains(out.String(), "Note: stream users is partial: 404 on user x") {
		t.Errorf("OK %t, differences %v, printed:\n%s\nwant OK with a note", r.OK, r.Differences, out.String())
	}
}

func TestWaitingRecordsAreShownAsPending(t *testing.T) {
	b := sound()
	b.waiting = map[string]int64{"users": 3}
	r := b.receipt(t)
	if r.Verdicts["pending-relation"] != 3 || r.Verdicts["upserted"] != 25 || r.Streams[0].Judged != 30 || !r.OK {
		t.Errorf("verdicts %v, judged %d; want 3 pending of 28, still 30 in all", r.Verdicts, r.Streams[0].Judged)
	}
	// A head may stem from an earlier run's record: never more than were written.
	b.waiting["users"] = 100
	if r := b.receipt(t); r.Verdicts["pending-relation"] != 28 || r.Verdicts["upserted"] != 0 {
		t.Errorf("verdicts %v, want at most the 28 written", r.Verdicts)
	}
}

func TestAccountOfTheLakeTakesForeignObjectsAsRead(t *testing.T) {
	b := sound()
	b.objects[1].RowsWritten = -1
	r, err := OfLake(t.Context(), b, b)
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK || r.Streams[0].InLake != 30 || r.Streams[0].Read != 30 {
		t.Errorf("account %+v, want 30 lines that add up", r)
	}
	b.objects[0].Records--
	if r, err = OfLake(t.Context(), b, b); err != nil || r.OK {
		t.Errorf("a lost line: OK %t, %v; want not OK", r.OK, err)
	}
}

func TestCallsAreToldInALine(t *testing.T) {
	calls := Calls{
		Foreseen: 1043, Made: 1030, Throttled: 1, Failed: 2, Retried: 3,
		Buckets: []BucketCalls{{Bucket: "iam", Waited: time.Second}, {Bucket: "users", Waited: 130*time.Second + 300*time.Millisecond}},
	}
	want := "1030 made, 1043 foreseen; 1 answered 429, 2 failed, 3 sent again; waited 2m10s for the rate limit of users"
	if got := calls.String(); got != want {
		t.Errorf("told as %q, want %q", got, want)
	}
	if got, want := (Calls{Made: 7}).String(), "7 made; 0 answered 429, 0 failed, 0 sent again"; got != want {
		t.Errorf("told as %q, want %q", got, want)
	}
	r := Receipt{Calls: &calls, Streams: []Stream{{Calls: 1000}, {Calls: 200}}}
	if r.CountAnswers(); r.Calls.Made != 1200 {
		t.Errorf("%d calls made, the streams account for 1200", r.Calls.Made)
	}
}

// What is the same for many streams or blueprints is told once.
func TestPrintedReceiptTellsOnce(t *testing.T) {
	cure := "(The token is wrong or expired (30 days without use). Make a new one.)"
	r := Receipt{
		SyncID: 1, Calls: &Calls{Unsure: []string{"how many is not known", "how many is not known"}},
		Blueprints: []Blueprint{{"okta_user", 12}, {"okta_resource_set_binding", 7}, {"okta_device", 0}, {"okta_factor", 0}},
		Differences: []Difference{
			{Stream: "users", Hop: HopSource, Why: "401 " + cure},
			{Stream: "groups", Hop: HopSource, Why: "401 " + cure},
			{Stream: "logs", Hop: HopSource, Why: "404 (no such thing)"},
		},
	}
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	for want, times := range map[string]int{
		cure: 1, "groups: " + HopSource + ": 401 (as above)\n": 1, "404 (no such thing)\n": 1, "how many is not known": 1,
		"  okta_user                 12\n": 1, "  okta_resource_set_binding 7\n": 1, "  none of okta_device, okta_factor\n": 1,
	} {
		if got := strings.Count(out.String(), want); got != times {
			t.Errorf("%q is there %d times, want %d:\n%s", want, got, times, out.String())
		}
	}
}
