package pipeline_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	dest "longshore/internal/destination/s3"
	"longshore/internal/fault"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
	"longshore/internal/store"
)

// numbers is a source of numbered records, two a page.
type numbers struct {
	rows  map[string]int              // stream → records
	gaps  map[string]map[int][]string // stream → page → gaps
	fails map[string]map[int]error    // stream → page → the error instead of it
	polls bool                        // a look beyond the end of logs is an empty page, as with an API that is polled
	reads []string                    // every page given: "stream/page"
}

func (n *numbers) Streams() []pipeline.Stream {
	return []pipeline.Stream{{Name: "a"}, {Name: "b"}, {Name: "logs", Incremental: true}}
}

func (n *numbers) Read(_ context.Context, stream string, state json.RawMessage) iter.Seq2[pipeline.Page, error] {
	return func(yield func(pipeline.Page, error) bool) {
		at := 0
		if state != nil {
			if err := json.Unmarshal(state, &at); err != nil {
				yield(pipeline.Page{}, err)
				return
			}
		}
		if at > 0 && at*2 >= n.rows[stream] && stream == "logs" && n.polls {
			n.reads = append(n.reads, "logs/end")
			yield(pipeline.Page{EmittedAt: time.UnixMilli(1000), State: state, Cursor: "/logs?end", Statuses: map[int]int{200: 1}}, nil)
			return
		}
		for ; at*2 < n.rows[stream]; at++ {
			if err := n.fails[stream][at]; err != nil {
				yield(pipeline.Page{}, err)
				return
			}
			n.reads = append(n.reads, fmt.Sprintf("%s/%d", stream, at))
			page := pipeline.Page{
				EmittedAt: time.UnixMilli(1000), State: fmt.Append(nil, at+1), Cursor: fmt.Sprintf("/%s?page=%d&limit=2", stream, at),
				Statuses: map[int]int{200: 1}, Gaps: n.gaps[stream][at],
			}
			for i := at * 2; i < min(at*2+2, n.rows[stream]); i++ {
				page.Records = append(page.Records, fmt.Appendf(nil, `{"id":"%s%d"}`, stream, i))
			}
			if !yield(page, nil) {
				return
			}
		}
	}
}

// bench is a run over real SQLite and a folder as lake.
type bench struct {
	t      *testing.T
	syncs  *store.Syncs
	store  *store.Store
	bucket lake.Bucket
	dest   *dest.Destination
	source *numbers
	run    int64
	queued int
	keys   []string // of the objects, in the order in which they were queued
}

func newBench(t *testing.T, source *numbers) *bench {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(t.Context(), filepath.Join(dir, "longshore.db"))
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	bucket, err := lake.OpenFolder(filepath.Join(dir, "lake"))
	must(t, err)
	b := &bench{t: t, store: s, bucket: bucket, dest: &dest.Destination{Bucket: bucket, Layout: lake.GuideLayout(), TempDir: dir}, source: source}
	b.syncs = s.Syncs("lake", clock(), func(context.Context, *sql.Tx, int64) error { return nil }, func(ctx context.Context, tx *sql.Tx, objectID, _ int64) error {
		b.queued++
		var key string
		err := tx.QueryRowContext(ctx, `SELECT object_key FROM objects WHERE id = $1`, objectID).Scan(&key)
		b.keys = append(b.keys, key)
		return err
	})
	b.start()
	return b
}

// start begins a run of all streams.
func (b *bench) start() {
	b.t.Helper()
	conn, err := b.syncs.PutConnection(b.t.Context(), pipeline.Connection{UUID: "c", Name: "c", NamespaceFormat: "okta"})
	must(b.t, err)
	b.run, _, err = b.syncs.StartRun(b.t.Context(), conn, b.source.Streams(), false, "test")
	must(b.t, err)
}

func (b *bench) sync() *pipeline.Sync {
	return &pipeline.Sync{Source: b.source, Destination: b.dest, Store: b.syncs, Now: clock()}
}

func clock() func() time.Time {
	at := int64(1_700_000_000_000)
	return func() time.Time { at++; return time.UnixMilli(at) }
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func never() time.Time { return time.UnixMilli(1 << 52) }

func (b *bench) state() pipeline.Run {
	b.t.Helper()
	r, err := b.syncs.Run(b.t.Context(), b.run)
	must(b.t, err)
	return r
}

// ids are the records of the lake by stream, in order of keys and lines.
func (b *bench) ids() map[string][]string {
	b.t.Helper()
	all := map[string][]string{}
	locator := lake.GuideLayout().Locator()
	for o, err := range b.bucket.List(b.t.Context(), "data/", "") {
		must(b.t, err)
		at, ok := locator.Locate(o.Key)
		if !ok {
			b.t.Fatalf("object %s is not of the layout", o.Key)
		}
		body, _, err := b.bucket.Get(b.t.Context(), o.Key)
		must(b.t, err)
		r, err := lake.OpenReader(body, lake.ReaderOptions{})
		must(b.t, err)
		for {
			line, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			must(b.t, err)
			var record struct{ ID string }
			must(b.t, json.Unmarshal(line.Body, &record))
			all[at.Stream] = append(all[at.Stream], record.ID)
		}
		must(b.t, body.Close())
	}
	return all
}

func wanted(stream string, n int) []string {
	var ids []string
	for i := range n {
		ids = append(ids, fmt.Sprint(stream, i))
	}
	return ids
}

// numbersOf is what is counted of a run, without times.
func numbersOf(r pipeline.Run) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q\n", r.Status, r.Error)
	for _, st := range r.Streams {
		fmt.Fprintf(&b, "%s %s %q rows %d lake %d state %s pages %d %s-%s %v gaps %q\n", st.Stream, st.Status, st.Error, st.APIRows, st.LakeRows, st.State, st.Pages,
			st.FirstCursor, st.LastCursor, st.Statuses, st.Gaps)
	}
	return b.String()
}

func TestRunReadsEveryStreamIntoTheLake(t *testing.T) {
	b := newBench(t, &numbers{rows: map[string]int{"a": 5, "logs": 3}})
	done, err := b.sync().Work(t.Context(), b.run, never())
	must(t, err)
	run := b.state()
	if !done || run.Status != pipeline.Succeeded || run.FinishedAt.IsZero() {
		t.Fatalf("done %t, run %+v; want it succeeded", done, run)
	}
	if got := b.ids(); !reflect.DeepEqual(got, map[string][]string{"a": wanted("a", 5), "logs": wanted("logs", 3)}) {
		t.Errorf("the lake holds %v", got)
	}
	if b.queued != 2 {
		t.Errorf("%d objects were queued for ingest, want 2: a stream without records leaves none", b.queued)
	}
	m, err := lake.LoadManifest(t.Context(), b.bucket, "okta", "a", b.run)
	must(t, err)
	if !m.Complete || m.Rows != 5 || m.Pages != 3 || len(m.Objects) != 1 || m.Objects[0].Rows != 5 || m.Objects[0].SHA256 == "" {
		t.Errorf("manifest %+v, want 5 rows of 3 pages in one object, complete", m)
	}
	if m, err = lake.LoadManifest(t.Context(), b.bucket, "okta", "b", b.run); err != nil || !m.Complete || len(m.Objects) != 0 {
		t.Errorf("manifest of the empty stream: %+v, %v; want it complete and without objects", m, err)
	}
	if done, err := b.sync().Work(t.Context(), b.run, never()); !done || err != nil {
		t.Errorf("a finished run worked on again: %t, %v", done, err)
	}
}

// Quanta cut a stream into parts; nothing is read twice and nothing is missing.
func TestQuantaReadEachPageOnce(t *testing.T) {
	b := newBench(t, &numbers{rows: map[string]int{"a": 7, "b": 2, "logs": 3}})
	for quantum := 1; ; quantum++ {
		done, err := b.sync().Work(t.Context(), b.run, time.Time{}) // over after the first page
		must(t, err)
		if done {
			break
		}
		if quantum > 30 {
			t.Fatal("the run does not end")
		}
	}
	if got := strings.Join(b.source.reads, " "); got != "a/0 a/1 a/2 a/3 b/0 logs/0 logs/1" {
		t.Errorf("pages read: %s, want each once", got)
	}
	if got := b.ids(); !reflect.DeepEqual(got["a"], wanted("a", 7)) {
		t.Errorf("the lake holds %v of a", got["a"])
	}
	if st := b.state().Streams[0]; st.NextPart != 4 || st.APIRows != 7 || st.LakeRows != 7 {
		t.Errorf("stream a: %+v, want 4 parts of 7 rows", st)
	}
}

func TestIncrementalStreamGoesOnWhereTheLastRunEnded(t *testing.T) {
	b := newBench(t, &numbers{rows: map[string]int{"a": 2, "logs": 4}})
	_, err := b.sync().Work(t.Context(), b.run, never())
	must(t, err)
	b.source.rows["logs"], b.source.reads = 6, nil
	b.start()
	_, err = b.sync().Work(t.Context(), b.run, never())
	must(t, err)
	if got := strings.Join(b.source.reads, " "); got != "a/0 logs/2" {
		t.Errorf("the second run read %s, want a from its start and logs from where it stood", got)
	}
	if g := b.state().Streams; g[0].Generation != 2 || g[2].Generation != 0 {
		t.Errorf("generations %d and %d, want a second one of a and still the first of logs", g[0].Generation, g[2].Generation)
	}
}

// A stream that the source refuses lets the next one start.
func TestRefusedStreamLetsTheOthersGoOn(t *testing.T) {
	denied := fault.Errorf(fault.Denied, "403 on %s", "a").WithHint("grant it")
	for _, c := range []struct {
		name   string
		fails  map[string]map[int]error
		status pipeline.Status
		a      pipeline.Status
		rows   int
		error  string
	}{
		{"at once", map[string]map[int]error{"a": {0: denied}}, pipeline.Partial, pipeline.Failed, 0, "403 on a (grant it)"},
		{"half way", map[string]map[int]error{"a": {2: denied}}, pipeline.Partial, pipeline.Partial, 4, "403 on a (grant it)"},
		{"all of them", map[string]map[int]error{"a": {0: denied}, "b": {0: denied}, "logs": {0: denied}}, pipeline.Failed, pipeline.Failed, 0, "403 on a (grant it)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, &numbers{rows: map[string]int{"a": 6, "b": 2, "logs": 2}, fails: c.fails})
			done, err := b.sync().Work(t.Context(), b.run, never())
			must(t, err)
			run := b.state()
			if !done || run.Status != c.status || run.Streams[0].Status != c.a || run.Streams[0].Error != c.error || int(run.Streams[0].LakeRows) != c.rows {
				t.Errorf("done %t\n%s\nwant %s, stream a %s with %d rows and %q", done, numbersOf(run), c.status, c.a, c.rows, c.error)
			}
			if c.status == pipeline.Partial && run.Streams[1].Status != pipeline.Complete {
				t.Errorf("stream b is %s, want complete", run.Streams[1].Status)
			}
			m, err := lake.LoadManifest(t.Context(), b.bucket, "okta", "a", b.run)
			must(t, err)
			if m.Complete || len(m.Reasons) != 1 {
				t.Errorf("manifest of the refused stream: complete %t, reasons %q; want one reason", m.Complete, m.Reasons)
			}
		})
	}
}

func TestGapsMakeAStreamPartialAndAreFew(t *testing.T) {
	gaps := map[int][]string{}
	for page := range 20 {
		for i := range 10 {
			gaps[page] = append(gaps[page], fmt.Sprintf("gap %d on page %d — “naïve” 🙂", i, page))
		}
	}
	b := newBench(t, &numbers{rows: map[string]int{"a": 40}, gaps: map[string]map[int][]string{"a": gaps}})
	for {
		done, err := b.sync().Work(t.Context(), b.run, time.Time{})
		must(t, err)
		if done {
			break
		}
	}
	st := b.state().Streams[0]
	if st.Status != pipeline.Partial || st.Error != gaps[0][0] || st.LakeRows != 40 {
		t.Errorf("stream is %s with %q and %d rows, want partial with the first gap and all 40", st.Status, st.Error, st.LakeRows)
	}
	if len(st.Gaps) != 50 {
		t.Errorf("%d gaps are kept, want the first 50", len(st.Gaps))
	}
}

// stops fails at the n-th step of destination and store, before it or after it: the process was killed there.
type stops struct {
	at, n int
	hit   string
}

var errStop = errors.New("stopped here by the test")

func (s *stops) step(name string) error {
	if s.n++; s.n == s.at {
		s.hit = name
		return errStop
	}
	return nil
}

type stoppingBucket struct {
	lake.Bucket
	*stops
}

func (b stoppingBucket) Put(ctx context.Context, key string, body io.ReadSeeker, n int64, opts lake.PutOptions) (lake.Object, error) {
	if err := b.step("before the put"); err != nil {
		return lake.Object{}, err
	}
	o, err := b.Bucket.Put(ctx, key, body, n, opts)
	if err == nil {
		err = b.step("after the put")
	}
	return o, err
}

func (b stoppingBucket) Head(ctx context.Context, key string) (lake.Object, error) {
	if err := b.step("head"); err != nil {
		return lake.Object{}, err
	}
	return b.Bucket.Head(ctx, key)
}

type stoppingStore struct {
	pipeline.Store
	*stops
}

func (s stoppingStore) Run(ctx context.Context, id int64) (pipeline.Run, error) {
	if err := s.step("run"); err != nil {
		return pipeline.Run{}, err
	}
	return s.Store.Run(ctx, id)
}

func (s stoppingStore) around(name string, do func() error) error {
	if err := s.step("before " + name); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return s.step("after " + name)
}

func (s stoppingStore) SaveCommit(ctx context.Context, part pipeline.Part, c pipeline.Commit) error {
	return s.around("the commit", func() error { return s.Store.SaveCommit(ctx, part, c) })
}

func (s stoppingStore) SaveStream(ctx context.Context, id int64, st pipeline.StreamRun) error {
	return s.around("the stream", func() error { return s.Store.SaveStream(ctx, id, st) })
}

func (s stoppingStore) FinishRun(ctx context.Context, id int64, status pipeline.Status, message string) error {
	return s.around("the finish", func() error { return s.Store.FinishRun(ctx, id, status, message) })
}

// A run that is stopped at any step and taken up again ends with the numbers and the lake of an undisturbed one, and
// with no page read twice but those whose object was not durable yet.
func TestStoppedAnywhereEndsLikeAnUndisturbedRun(t *testing.T) {
	for name, polls := range map[string]bool{"in short quanta": false, "in one, of a source that is polled": true} {
		t.Run(name, func(t *testing.T) { stopEverywhere(t, polls) })
	}
}

func stopEverywhere(t *testing.T, polls bool) {
	source := func() *numbers {
		return &numbers{
			rows: map[string]int{"a": 5, "b": 6, "logs": 3}, gaps: map[string]map[int][]string{"b": {1: {"404 on x"}}},
			fails: map[string]map[int]error{"b": {2: fault.Errorf(fault.Denied, "no more")}}, polls: polls,
		}
	}
	run := func(at int) (*stops, string, map[string][]string) {
		b := newBench(t, source())
		s := &stops{at: at}
		bucket := b.bucket
		b.dest.Bucket = stoppingBucket{bucket, s}
		work := b.sync()
		work.Store = stoppingStore{b.syncs, s}
		for quantum := range 40 {
			until := time.Time{}
			if quantum%2 == 1 || polls {
				until = never()
			}
			done, err := work.Work(t.Context(), b.run, until)
			if err != nil && !errors.Is(err, errStop) {
				t.Fatalf("stopped at step %d (%s): %v", at, s.hit, err)
			}
			if done && err == nil {
				return s, numbersOf(b.state()), b.ids()
			}
		}
		t.Fatalf("stopped at step %d (%s), the run does not end", at, s.hit)
		return nil, "", nil
	}
	_, want, wantIDs := run(0)
	if !reflect.DeepEqual(wantIDs["a"], wanted("a", 5)) || !strings.Contains(want, "partial") {
		t.Fatalf("undisturbed:\n%s%v", want, wantIDs)
	}
	step := 1
	if testing.Short() {
		step = 4
	}
	for at := 1; ; at += step {
		s, got, ids := run(at)
		if s.hit == "" {
			if at < 15 {
				t.Errorf("only %d steps were tried", at-1)
			}
			return
		}
		if got != want {
			t.Errorf("stopped at step %d (%s):\n%swant\n%s", at, s.hit, got, want)
		}
		if !reflect.DeepEqual(ids, wantIDs) {
			t.Errorf("stopped at step %d (%s), the lake holds %v, want %v", at, s.hit, ids, wantIDs)
		}
	}
}

func TestKeyOfAStrangerIsLeftToIt(t *testing.T) {
	b := newBench(t, &numbers{rows: map[string]int{"a": 2}})
	run := b.state()
	key := b.dest.Key(pipeline.Part{SyncID: run.ID, Namespace: "okta", Stream: "a", Start: run.StartedAt})
	strange, err := b.bucket.Put(t.Context(), key, bytes.NewReader([]byte("{}\n")), 3, lake.PutOptions{})
	must(t, err)
	if done, err := b.sync().Work(t.Context(), b.run, never()); err != nil || !done {
		t.Fatalf("done %t, %v", done, err)
	}
	for name, want := range map[string]bool{key: true, key + "-1": false} {
		o, err := b.bucket.Head(t.Context(), name)
		if err != nil || (o.ETag == strange.ETag) != want {
			t.Errorf("%s is %+v, %v; want the stranger's: %t", name, o, err, want)
		}
	}
}

func TestCancelledRunIsLeftAsItIs(t *testing.T) {
	b := newBench(t, &numbers{rows: map[string]int{"a": 4}})
	ctx, cancel := context.WithCancel(t.Context())
	work := b.sync()
	work.Progress = func(string, int64, int64) { cancel() }
	b.source.fails = map[string]map[int]error{"a": {1: context.Canceled}}
	if done, err := work.Work(ctx, b.run, never()); done || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %t, %v; want not done and the cancellation", done, err)
	}
	if run := b.state(); run.Status != pipeline.Running || run.Streams[0].Status == pipeline.Failed {
		t.Errorf("after the cancellation:\n%s\nwant the run to wait for its next quantum", numbersOf(run))
	}
}
