package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/pipeline"
	"longshore/internal/verdict"
)

// bench is a new database with all its parts.
type bench struct {
	*Store
	t       *testing.T
	dir     string
	objects *Objects
	syncs   *Syncs
	queued  [][2]int64
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	where := newDatabase(t)
	if !onPostgres {
		dir = filepath.Dir(where)
	}
	s, err := Open(t.Context(), where)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	seal, err := OpenSealer(filepath.Join(dir, "keys.json"))
	must(t, err)
	b := &bench{Store: s, t: t, dir: dir}
	at := int64(1_700_000_000_000)
	now := func() time.Time { at++; return time.UnixMilli(at) }
	queue := func(_ context.Context, _ *sql.Tx, id, pass int64) error {
		b.queued = append(b.queued, [2]int64{id, pass})
		return nil
	}
	b.objects = s.Objects(seal, now, queue)
	b.syncs = s.Syncs("lake", now, func(context.Context, *sql.Tx, int64) error { return nil }, queue)
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) found(key, etag, stream string) int {
	b.t.Helper()
	n, err := b.objects.Found(b.t.Context(), []ingest.Object{{Bucket: "lake", Key: key, ETag: etag, Namespace: "okta", Stream: stream, RowsWritten: -1}})
	must(b.t, err)
	return n
}

// raw is all that the database holds of webhooks.
func (b *bench) raw() string {
	b.t.Helper()
	if onPostgres {
		var text string
		must(b.t, b.read.QueryRow(`SELECT string_agg(CAST(w AS TEXT) || encode(w.secret, 'escape'), ' ') FROM webhooks w`).Scan(&text))
		return text
	}
	wal, err := os.ReadFile(filepath.Join(b.dir, "longshore.db-wal"))
	must(b.t, err)
	main, err := os.ReadFile(filepath.Join(b.dir, "longshore.db"))
	must(b.t, err)
	return string(wal) + string(main)
}

func (b *bench) object(id int64) ingest.Object {
	b.t.Helper()
	o, err := b.objects.Object(b.t.Context(), id)
	must(b.t, err)
	return o
}

func (b *bench) judge(o ingest.Object, from int64, judged ...ingest.Judged) {
	b.t.Helper()
	must(b.t, b.InTx(b.t.Context(), func(tx *sql.Tx) error { return b.objects.SaveVerdicts(b.t.Context(), tx, o, from, judged) }))
}

func TestVersionOfAnObjectIsFoundOnce(t *testing.T) {
	b := newBench(t)
	if n := b.found("k", "1", "users") + b.found("k", "1", "users"); n != 1 {
		t.Errorf("one version was new %d times", n)
	}
	if n := b.found("k", "2", "users"); n != 1 {
		t.Errorf("another version was new %d times, want 1", n)
	}
	if len(b.queued) != 2 {
		t.Errorf("%d jobs for two versions", len(b.queued))
	}
}

// An object that the listing saw before its writer could record it learns whose it is.
func TestObjectFoundBeforeItsCommitLearnsItsRun(t *testing.T) {
	b := newBench(t)
	conn, err := b.syncs.PutConnection(t.Context(), pipeline.Connection{Name: "c"})
	must(t, err)
	run, _, err := b.syncs.StartRun(t.Context(), conn, []pipeline.Stream{{Name: "users"}}, false, "test")
	must(t, err)
	b.found("k", "e", "users")
	must(t, b.syncs.SaveCommit(t.Context(), pipeline.Part{SyncID: run, Namespace: "okta", Stream: "users"}, pipeline.Commit{Key: "k", ETag: "e", LakeRows: 4, SHA256: "s"}))
	list, err := b.objects.List(t.Context(), ingest.ObjectFilter{SyncID: run}, 0)
	must(t, err)
	if len(list) != 1 || list[0].RowsWritten != 4 || list[0].SHA256 != "s" {
		t.Errorf("objects of the run: %+v, want the one found, with 4 rows", list)
	}
}

func TestProgressIsAFence(t *testing.T) {
	b := newBench(t)
	b.found("k", "e", "users")
	o := b.object(1)
	step := func(o ingest.Object, from int64) (ok bool) {
		must(t, b.InTx(t.Context(), func(tx *sql.Tx) (err error) {
			ok, err = b.objects.Progress(t.Context(), tx, o, from)
			return err
		}))
		return ok
	}
	o.LinesDone, o.State = 10, ingest.Reading
	for _, c := range []struct {
		name string
		o    ingest.Object
		from int64
		want bool
	}{
		{"first", o, 0, true},
		{"the same again", o, 0, false},
		{"of another pass", func() ingest.Object { x := o; x.Pass++; return x }(), 10, false},
		{"the end", func() ingest.Object { x := o; x.State, x.LinesDone = ingest.Done, 20; return x }(), 10, true},
		{"after the end", func() ingest.Object { x := o; x.LinesDone = 30; return x }(), 20, false},
	} {
		if got := step(c.o, c.from); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}

// The sample of a group is a line of an object, not of two.
func TestSampleOfAGroupIsOfOneObject(t *testing.T) {
	b := newBench(t)
	b.found("z-key", "e", "users") // 1: the greatest key, not the newest object
	b.found("a-key", "e", "users") // 2
	filtered := func(line int64) ingest.Judged {
		return ingest.Judged{Line: line, RollUp: ingest.Verdict{Code: verdict.NoMappingMatched}, Verdict: []ingest.Verdict{{Code: verdict.Filtered, Detail: verdict.Detail{Clause: "no"}}}}
	}
	b.judge(b.object(1), 0, filtered(11), filtered(12))
	b.judge(b.object(2), 0, filtered(22))
	groups, err := b.objects.VerdictGroups(t.Context(), ingest.VerdictFilter{}, 10)
	must(t, err)
	if len(groups) != 1 || groups[0].N != 3 || groups[0].ObjectID != 2 || groups[0].ObjectKey != "a-key" || groups[0].Line != 22 {
		t.Errorf("groups %+v, want one of 3 with line 22 of a-key as sample", groups)
	}
}

func TestVerdictPlacesAreTheLinesOfTheGroup(t *testing.T) {
	b := newBench(t)
	b.found("k", "e", "users")
	one := func(line int64, code verdict.Code, value string) ingest.Judged {
		v := ingest.Verdict{Code: code, Detail: verdict.Detail{Property: "p", Rule: "type", Value: value}}
		return ingest.Judged{Line: line, RollUp: ingest.Verdict{Code: code}, Verdict: []ingest.Verdict{v, {Code: verdict.Filtered}}}
	}
	b.judge(b.object(1), 0, one(1, verdict.KeptWithFlags, "a"), one(2, verdict.KeptWithFlags, "b"), one(3, verdict.Upserted, "c"))
	b.judge(b.object(1), 3, one(4, verdict.KeptWithFlags, "d"))
	first := 0
	groups, err := b.objects.VerdictGroups(t.Context(), ingest.VerdictFilter{Code: verdict.KeptWithFlags, Mapping: &first}, 10)
	must(t, err)
	if len(groups) != 1 || groups[0].N != 3 || groups[0].Detail.Value != "" {
		t.Fatalf("groups %+v, want one of 3 without a value", groups)
	}
	places, err := b.objects.VerdictPlaces(t.Context(), ingest.VerdictFilter{Code: verdict.KeptWithFlags, Mapping: &first, DetailID: &groups[0].DetailID}, 10)
	must(t, err)
	var lines []int64
	for _, p := range places {
		lines = append(lines, p.Line)
	}
	if len(lines) != 3 || lines[0] != 1 || lines[1] != 2 || lines[2] != 4 {
		t.Errorf("lines %v, want 1, 2 and 4", lines)
	}
	v, err := b.objects.RecordVerdict(t.Context(), 1, 4)
	must(t, err)
	if v.Verdict[0].Detail.Value != "d" {
		t.Errorf("line 4 is explained by %+v, want its own value", v.Verdict[0].Detail)
	}
	if _, err := b.objects.RecordVerdict(t.Context(), 1, 5); !fault.Is(err, fault.NotFound) {
		t.Errorf("a line that was not judged: %v, want not found", err)
	}
}

func TestRouteTakesTheKeyBeforeTheIdentifier(t *testing.T) {
	b := newBench(t)
	first, err := b.objects.PutWebhook(t.Context(), ingest.Webhook{Doc: []byte(`{"identifier":"one"}`)})
	must(t, err)
	_, err = b.objects.PutWebhook(t.Context(), ingest.Webhook{Doc: []byte(`{"identifier":"` + first.Key + `"}`)})
	must(t, err)
	for _, namespace := range []string{first.Key, "one"} {
		if got, err := b.objects.Route(t.Context(), namespace); err != nil || got.ID != first.ID {
			t.Errorf("route of %q is %q, %v; want one", namespace, got.Identifier, err)
		}
	}
	if _, err := b.objects.Route(t.Context(), "two"); !fault.Is(err, fault.NotFound) {
		t.Errorf("route of nobody: %v, want not found", err)
	}
}

func TestWebhookKeepsItsKeyAndItsSecret(t *testing.T) {
	b := newBench(t)
	w, err := b.objects.PutWebhook(t.Context(), ingest.Webhook{Doc: []byte(`{"identifier":"one"}`), Secret: "sesame"})
	must(t, err)
	// A caller that built the webhook anew, without the key.
	_, err = b.objects.PutWebhook(t.Context(), ingest.Webhook{ID: w.ID, Doc: []byte(`{"identifier":"uno"}`), Secret: "tahini-42"})
	must(t, err)
	got, err := b.objects.Webhook(t.Context(), "uno")
	must(t, err)
	if got.Key != w.Key || got.Secret != "tahini-42" {
		t.Errorf("key %q and secret %q, want %q and the new secret", got.Key, got.Secret, w.Key)
	}
	if _, err := b.objects.PutWebhook(t.Context(), ingest.Webhook{ID: 99, Doc: []byte(`{"identifier":"x"}`)}); !fault.Is(err, fault.NotFound) {
		t.Errorf("changing a webhook that is not there: %v, want not found", err)
	}
	if _, err := b.objects.PutWebhook(t.Context(), ingest.Webhook{Doc: []byte(`{"identifier":"uno"}`)}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second webhook of the name: %v, want a conflict", err)
	}
	if text := b.raw(); strings.Contains(text, "sesame") || strings.Contains(text, "tahini-42") {
		t.Error("a webhook's secret stands in the database in clear")
	}
}

func TestRunIsStartedOnceAConnection(t *testing.T) {
	b := newBench(t)
	conn, err := b.syncs.PutConnection(t.Context(), pipeline.Connection{Name: "c"})
	must(t, err)
	streams := []pipeline.Stream{{Name: "users"}, {Name: "logs", Incremental: true}}
	first, started, err := b.syncs.StartRun(t.Context(), conn, streams, false, "test")
	if err != nil || !started {
		t.Fatalf("first run: %t, %v", started, err)
	}
	if again, started, err := b.syncs.StartRun(t.Context(), conn, streams, false, "test"); err != nil || started || again != first {
		t.Errorf("while run %d is under way: run %d, started %t, %v; want the same, not started", first, again, started, err)
	}
	must(t, b.syncs.SaveCommit(t.Context(), pipeline.Part{SyncID: first, Stream: "logs"}, pipeline.Commit{State: json.RawMessage(`7`)}))
	must(t, b.syncs.FinishRun(t.Context(), first, pipeline.Succeeded, ""))
	for _, c := range []struct {
		full                    bool
		usersGen, logsGen       int64
		logsState, wantLogsMode string
	}{{false, 2, 0, "7", pipeline.Incremental}, {true, 3, 1, "", pipeline.FullRefresh}} {
		id, started, err := b.syncs.StartRun(t.Context(), conn, streams, c.full, "test")
		must(t, err)
		run, err := b.syncs.Run(t.Context(), id)
		must(t, err)
		u, l := run.Streams[0], run.Streams[1]
		if !started || u.Generation != c.usersGen || l.Generation != c.logsGen || string(l.State) != c.logsState || l.Mode != c.wantLogsMode {
			t.Errorf("full %t: users %+v, logs %+v; want %+v", c.full, u, l, c)
		}
		must(t, b.syncs.FinishRun(t.Context(), id, pipeline.Succeeded, ""))
	}
	if ids, err := b.syncs.WithoutReceipt(t.Context()); err != nil || len(ids) != 3 {
		t.Errorf("runs without a receipt: %v, %v; want 3", ids, err)
	}
}

// An incremental run goes on from the state left, in the same generation; a stream that was never read, or that can only
// be read in full, begins a new one.
func TestRunReadsStreamsInTheModesOfTheConnection(t *testing.T) {
	b := newBench(t)
	conn, err := b.syncs.PutConnection(t.Context(), pipeline.Connection{Name: "c"})
	must(t, err)
	streams := []pipeline.Stream{
		{Name: "users", CursorField: "lastUpdated"},
		{Name: "groups", CursorField: "lastUpdated"},
		{Name: "roles"},
		{Name: "logs", CursorField: "published", Incremental: true},
	}
	first, _, err := b.syncs.StartRun(t.Context(), conn, streams, false, "test")
	must(t, err)
	for _, name := range []string{"users", "roles", "logs"} { // groups broke off before the first page
		must(t, b.syncs.SaveCommit(t.Context(), pipeline.Part{SyncID: first, Stream: name}, pipeline.Commit{State: json.RawMessage(`7`)}))
	}
	must(t, b.syncs.FinishRun(t.Context(), first, pipeline.Partial, ""))
	conn.Streams = []pipeline.StreamChoice{
		{Name: "users", SyncMode: pipeline.IncrementalAppend},
		{Name: "groups", SyncMode: pipeline.IncrementalAppend},
		{Name: "roles", SyncMode: pipeline.IncrementalAppend},
		{Name: "logs", SyncMode: pipeline.FullRefreshAppend},
	}
	if conn, err = b.syncs.PutConnection(t.Context(), conn); err != nil {
		t.Fatal(err)
	}
	all, err := b.syncs.Connections(t.Context())
	must(t, err)
	id, _, err := b.syncs.StartRun(t.Context(), all[0], streams, false, "test")
	must(t, err)
	run, err := b.syncs.Run(t.Context(), id)
	must(t, err)
	for i, want := range []pipeline.StreamRun{
		{Stream: "users", Mode: pipeline.Incremental, Generation: 1, State: json.RawMessage(`7`)},
		{Stream: "groups", Mode: pipeline.FullRefresh, Generation: 2},
		{Stream: "roles", Mode: pipeline.FullRefresh, Generation: 2},
		{Stream: "logs", Mode: pipeline.FullRefresh, Generation: 1},
	} {
		if got := run.Streams[i]; got.Stream != want.Stream || got.Mode != want.Mode || got.Generation != want.Generation || string(got.State) != string(want.State) {
			t.Errorf("%s: mode %s, generation %d, state %s; want %+v", got.Stream, got.Mode, got.Generation, got.State, want)
		}
	}
}

// An earlier step of the transaction that fails starts no run.
func TestRunIsNotStartedWhenItsTransactionFails(t *testing.T) {
	b := newBench(t)
	conn, err := b.syncs.PutConnection(t.Context(), pipeline.Connection{Name: "c"})
	must(t, err)
	no := fault.Errorf(fault.Unavailable, "no")
	if _, _, err := b.syncs.StartRun(t.Context(), conn, nil, false, "test", func(context.Context, *sql.Tx) error { return no }); !fault.Is(err, fault.Unavailable) {
		t.Errorf("the step's error came out as %v", err)
	}
	if ids, err := b.syncs.WithoutReceipt(t.Context()); err != nil || len(ids) != 0 {
		t.Errorf("runs %v, %v; want none", ids, err)
	}
}

func TestSealedSecretOpensInItsPlaceAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	s, err := OpenSealer(path)
	must(t, err)
	sealed, err := s.Seal([]byte("sesame"), "setting/a")
	must(t, err)
	again, err := OpenSealer(path) // another start
	must(t, err)
	if got, err := again.Open(sealed, "setting/a"); err != nil || string(got) != "sesame" {
		t.Errorf("opened %q, %v; want sesame", got, err)
	}
	if _, err := again.Open(sealed, "setting/b"); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" || !strings.Contains(err.Error(), path) {
		t.Errorf("opened in another place: %v, want fault.Invalid that names %s, with a hint", err, path)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the keys' file has mode %v, %v; want 0600", info.Mode(), err)
	}
	must(t, os.WriteFile(path, []byte("{"), 0o600))
	if _, err := OpenSealer(path); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
		t.Errorf("damaged keys: %v, want fault.Invalid with a hint", err)
	}
}

func TestSettingIsWhatWasSetLast(t *testing.T) {
	b := newBench(t)
	for _, value := range []string{"", "one", "two"} {
		if value != "" {
			must(t, b.SetSetting(t.Context(), "a", value))
		}
		if got, err := b.Setting(t.Context(), "a"); err != nil || got != value {
			t.Errorf("setting is %q, %v; want %q", got, err, value)
		}
	}
}
