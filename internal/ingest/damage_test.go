package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"longshore/internal/ingest"
	"longshore/internal/lake"
	"longshore/internal/mapping"
	"longshore/internal/verdict"
)

// Each kind of trouble ends in its own state or verdict, and the object beside it is taken all the same.
func TestDamageEndsInItsStateAndStopsNothingElse(t *testing.T) {
	good := line(1, 1, `{"kind":"thing","id":"a"}`)
	var many []string
	for i := range 2000 {
		many = append(many, line(1, 1, fmt.Sprintf(`{"kind":"other","id":"%d %x"}`, i, i*7919)))
	}
	whole := zip(many...)
	for _, c := range []struct {
		name    string
		body    []byte
		state   ingest.State
		records int64 // -1: some, not all
		trouble string
		sums    string
	}{
		{"truncated gzip", whole[:len(whole)/2], ingest.Failed, -1, "cut short", ""},
		{"only the head of gzip", whole[:5], ingest.Failed, 0, "cut short", ""},
		{"junk after the gzip data", append(zip(good), strings.Repeat("junk", 9)...), ingest.Failed, 1, "followed by something else", "upserted 1"},
		{"malformed lines", zip(`{"id":`, good, `[1]`, "\xff", `"text"`), ingest.Done, 5, "", "upserted 1, malformed-line 4"},
		{"plain text", []byte(good + "\n" + "not json\n"), ingest.Done, 2, "", "upserted 1, malformed-line 1"},
		{"nothing but blank lines", zip("", " ", "\t"), ingest.Done, 0, "", ""},
		{"no line end at the end", []byte(good), ingest.Done, 1, "", "upserted 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, thing)
			b.webhook("okta", `[`+mapThing+`]`)
			b.put(key("a_bad", 0), c.body)
			b.put(key("good", 0), zip(line(1, 1, `{"kind":"thing","id":"beside"}`)))
			b.look()
			b.take()
			b.want(b.only("good"), ingest.Done, 1, "")
			o := b.only("a_bad")
			if c.records < 0 {
				if o.State != c.state || o.Records == 0 || o.Records >= 2000 || !strings.Contains(o.Error, c.trouble) {
					t.Errorf("%s, %d records, %q; want %s, some records, an error with %q", o.State, o.Records, o.Error, c.state, c.trouble)
				}
				if got := b.sums("a_bad"); got != fmt.Sprintf("no-mapping-matched %d", o.Records) {
					t.Errorf("%d records were read, with verdicts %s", o.Records, got)
				}
				return
			}
			b.want(o, c.state, c.records, c.trouble)
			if got := b.sums("a_bad"); got != c.sums {
				t.Errorf("verdicts %q, want %q", got, c.sums)
			}
		})
	}
}

func TestObjectThatIsGoneOrReplacedIsTold(t *testing.T) {
	b := newBench(t, thing)
	b.webhook("okta", `[`+mapThing+`]`)
	b.put(key("gone", 0), zip(line(1, 1, `{"kind":"thing","id":"a"}`)))
	b.put(key("replaced", 0), zip(line(1, 1, `{"kind":"thing","id":"b"}`)))
	b.look()
	must(t, b.bucket.Delete(t.Context(), key("gone", 0)))
	b.put(key("replaced", 0), zip(line(1, 1, `{"kind":"thing","id":"c"}`)))
	b.take()
	b.want(b.only("gone"), ingest.Gone, 0, "no longer")
	b.want(b.only("replaced"), ingest.Gone, 0, "replaced")
	if n := b.look(); n != 1 {
		t.Errorf("the listing found %d new objects, want the new version", n)
	}
	b.take()
	if lines, _ := b.export(); !strings.Contains(lines, `"c"`) || strings.Contains(lines, `"b"`) {
		t.Errorf("catalog:\n%s\nwant the new version's entity alone", lines)
	}
}

// What our own writer noted of an object is held against what is read: same length and line count are not enough.
func TestAlteredObjectIsTold(t *testing.T) {
	b := newBench(t, thing)
	b.webhook("okta", `[`+mapThing+`]`)
	body := []byte(line(1, 1, `{"kind":"thing","id":"a"}`) + "\n")
	_, err := b.bucket.Put(t.Context(), key("things", 0), bytes.NewReader(body), int64(len(body)), lake.PutOptions{Metadata: map[string]string{
		lake.CommitMetadata: `{"rows":1,"sha256":"0000"}`,
	}})
	must(t, err)
	b.look()
	b.take()
	b.want(b.only("things"), ingest.Failed, 1, "altered")
}

// An object that waits for a webhook again tells nothing of its earlier pass.
func TestPassThatEndsUnroutedTellsNothingOfTheEarlierOne(t *testing.T) {
	b := newBench(t, thing)
	b.webhook("okta", `[`+mapThing+`]`)
	b.put(key("things", 0), zip(line(1, 1, `{"kind":"thing","id":"a"}`)))
	b.look()
	b.take()
	must(t, b.objects.DeleteWebhook(t.Context(), "okta"))
	_, err := b.objects.Again(t.Context(), ingest.ObjectFilter{})
	must(t, err)
	b.take()
	b.want(b.only("things"), ingest.Unrouted, 0, "okta")
	if got := b.sums("things"); got != "" {
		t.Errorf("verdicts %q of an object with no record read, want none", got)
	}
}

// endless is gzip of a good line, one line of n bytes, and another good line, made as it is read.
func endless(n int64) io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
		_, _ = io.WriteString(z, line(1, 1, `{"kind":"thing","id":"before"}`)+"\n"+`{"kind":"thing","x":"`)
		block := bytes.Repeat([]byte("x"), 1<<20)
		for left := n; left > 0; left -= int64(len(block)) {
			if _, err := z.Write(block); err != nil {
				return
			}
		}
		_, _ = io.WriteString(z, "\"}\n"+line(1, 1, `{"kind":"thing","id":"after"}`)+"\n")
		_ = z.Close()
		_ = w.Close()
	}()
	return r
}

// made is a bucket whose one object is made as it is read; it notes the largest heap seen at a read.
type made struct {
	lake.Bucket
	body func() io.ReadCloser
	peak uint64
}

func (m *made) Get(ctx context.Context, key string) (io.ReadCloser, lake.Object, error) {
	return readCloser{&peakReader{m: m, r: m.body()}, io.NopCloser(nil)}, lake.Object{Key: key}, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

type peakReader struct {
	m *made
	r io.Reader
	n int
}

func (p *peakReader) Read(b []byte) (int, error) {
	if p.n++; p.n%8 == 0 {
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		p.m.peak = max(p.m.peak, s.HeapInuse)
	}
	return p.r.Read(b)
}

func TestLineOf100MegabytesIsOverLimitAndTakesLittleMemory(t *testing.T) {
	b := newBench(t, thing)
	b.webhook("okta", `[`+mapThing+`]`)
	b.put(key("things", 0), []byte("a place"))
	b.look()
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	m := &made{Bucket: b.bucket, body: func() io.ReadCloser { return endless(100 << 20) }}
	b.Bucket = m
	b.take()
	b.want(b.only("things"), ingest.Done, 3, "")
	if got := b.sums("things"); got != "upserted 2, over-limit 1" {
		t.Errorf("verdicts %s, want upserted 2, over-limit 1", got)
	}
	if m.peak == 0 {
		t.Fatal("the heap was never looked at")
	}
	// 16 MiB of line, twice while the buffer grows, and the garbage of smaller ones.
	if grown := int64(m.peak) - int64(before.HeapInuse); grown > 80<<20 {
		t.Errorf("the heap grew by %d MiB over a line of 100 MiB, want less than 80", grown>>20)
	}
}

// An endless expression costs its record a verdict and its object some time, no more; what is judged so far is
// committed before the job's time is over.
func TestEndlessExpressionEndsInAVerdict(t *testing.T) {
	b := newBench(t, thing)
	b.webhook("okta", `[{"blueprint":"thing","filter":"[range(1e12)] | length > 1","entity":{"identifier":".body.id"}},`+mapThing+`]`)
	b.put(key("things", 0), zip(line(1, 1, `{"kind":"thing","id":"a"}`), line(1, 1, `{"kind":"thing","id":"b"}`)))
	b.look()
	b.take()
	b.want(b.only("things"), ingest.Done, 2, "")
	if lines, _ := b.export(); strings.Count(lines, "\n") != 2 {
		t.Errorf("catalog:\n%s\nwant the other mapping's two entities", lines)
	}
	v, err := b.objects.RecordVerdict(t.Context(), b.only("things").ID, 2)
	must(t, err)
	if v.Verdict[0].Code != verdict.ExpressionError || v.Verdict[0].Detail.Rule != "limit" || v.Verdict[1].Code != verdict.Upserted {
		t.Errorf("verdicts %+v, want expression-error by a limit and upserted", v.Verdict)
	}
}

// Slow expressions close a chunk early: what is judged so far is committed long before the job's time is over.
func TestSlowChunkIsCommittedInParts(t *testing.T) {
	b := newBench(t, thing)
	b.webhook("okta", `[`+mapThing+`]`)
	var lines []string
	for i := range 10 {
		lines = append(lines, line(1, 1, fmt.Sprintf(`{"kind":"thing","id":"t%d"}`, i)))
	}
	b.put(key("things", 0), zip(lines...))
	b.look()
	at := time.UnixMilli(1_700_000_000_000)
	b.Now = func() time.Time { at = at.Add(5 * time.Second); return at }
	j := b.queued[0]
	done, err := b.Ingest(t.Context(), j.object, j.pass, time.Time{}, completed)
	must(t, err)
	if got := b.only("things").LinesDone; done || got == 0 || got >= 10 {
		t.Errorf("after a slow chunk %d lines are committed (done %t), want some of 10", got, done)
	}
	b.take()
	b.want(b.only("things"), ingest.Done, 10, "")
	if got := b.sums("things"); got != "upserted 10" {
		t.Errorf("verdicts %s, want upserted 10", got)
	}
}

func TestMappingOfAnUnknownBlueprintRejectsItsRecordsAlone(t *testing.T) {
	b := newBench(t, thing)
	b.webhook("okta", `[{"blueprint":"nowhere","entity":{"identifier":".body.id"}},`+mapThing+`]`)
	b.put(key("things", 0), zip(line(1, 1, `{"kind":"thing","id":"a"}`)))
	b.look()
	b.take()
	v, err := b.objects.RecordVerdict(t.Context(), b.only("things").ID, 1)
	must(t, err)
	if v.Verdict[0].Code != verdict.SchemaReject || !strings.Contains(v.Verdict[0].Detail.Message, `"nowhere"`) || v.Verdict[1].Code != verdict.Upserted {
		t.Errorf("verdicts %+v, want schema-reject naming nowhere, and upserted", v.Verdict)
	}
}

// Mappings that cannot be compiled leave the object unrouted, with the reason, until they are mended.
func TestMappingsThatAreNoListLeaveObjectsUntilMended(t *testing.T) {
	b := newBench(t, thing)
	b.webhook("okta", `[{"entity":{}}]`)
	b.put(key("things", 0), zip(line(1, 1, `{"kind":"thing","id":"a"}`)))
	b.look()
	b.take()
	b.want(b.only("things"), ingest.Unrouted, 0, "blueprint")
	b.webhook("okta", `[`+mapThing+`]`)
	b.take()
	b.want(b.only("things"), ingest.Done, 1, "")
}

// A trial judges as an ingest does, and tells an object's damage after all that came before it.
func TestTrialTellsEachRecordAndThenTheDamage(t *testing.T) {
	b := newBench(t, thing)
	set, err := mapping.Compile("okta", []byte(`[`+mapThing+`]`), mapping.Options{})
	must(t, err)
	body := zip(line(1, 1, `{"kind":"thing","id":"a","n":"x"}`), `{"bad`, line(1, 1, `{"kind":"other"}`))
	r, err := lake.OpenReader(bytes.NewReader(append(body, strings.Repeat("junk", 9)...)), lake.ReaderOptions{})
	must(t, err)
	var got []string
	entities := inTx{b.catalog, b.store.Catalog()}
	err = ingest.Trial(t.Context(), set, r, ingest.Object{ID: 1, Key: key("things", 0)}, entities.alone(b), func(tried ingest.Tried) error {
		got = append(got, fmt.Sprintf("%d %s %d", tried.Judged.Line, tried.Judged.RollUp.Code, len(tried.Changes)))
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "followed by something else") {
		t.Errorf("the trial ended with %v, want the damage", err)
	}
	if want := "[1 kept-with-flags 1 2 malformed-line 0 3 no-mapping-matched 0]"; fmt.Sprint(got) != want {
		t.Errorf("told %v, want %v", got, want)
	}
}

func TestReadLineTellsNoRecordFromDamage(t *testing.T) {
	b := newBench(t)
	b.put(key("things", 0), zip(line(3, 7, `{"id":"a"}`), "", line(1, 1, `{"id":"b"}`)))
	got, err := ingest.ReadLine(t.Context(), b.bucket, key("things", 0), 1)
	must(t, err)
	if string(got.Body) != `{"id":"a"}` || got.Generation != 3 || got.ExtractedAt != 7 {
		t.Errorf("line 1 is %+v", got)
	}
	for _, n := range []int64{0, 2, 4} {
		if _, err := ingest.ReadLine(t.Context(), b.bucket, key("things", 0), n); err == nil || !strings.Contains(err.Error(), "no record") {
			t.Errorf("line %d: %v, want no record", n, err)
		}
	}
	whole := zip(line(1, 1, `{"id":"a"}`))
	b.put(key("cut", 0), whole[:len(whole)/2])
	if _, err := ingest.ReadLine(t.Context(), b.bucket, key("cut", 0), 1); err == nil || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("a line of a cut object: %v, want the damage", err)
	}
}
