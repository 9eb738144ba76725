package ingest_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/ingest"
	"longshore/internal/lake"
	"longshore/internal/store"
	"longshore/internal/store/storetest"
	"longshore/internal/verdict"
)

// bench is a lake in a folder, a catalog and a ledger in a new SQLite database, and an ingester between them.
type bench struct {
	*ingest.Ingester
	t       testing.TB
	store   *store.Store
	objects *store.Objects
	catalog *catalog.Catalog
	bucket  *lake.Folder
	queued  []job
}

// job is an object's pass that waits to be taken.
type job struct{ object, pass int64 }

func newBench(t testing.TB, blueprints ...string) *bench {
	t.Helper()
	return newBenchAt(t, filepath.Join(t.TempDir(), "longshore.db"), blueprints...)
}

// newBenchAt is newBench on a database of either kind.
func newBenchAt(t testing.TB, database string, blueprints ...string) *bench {
	t.Helper()
	dir := t.TempDir()
	s, err := store.Open(context.Background(), database)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	seal, err := store.OpenSealer(filepath.Join(dir, "keys.json"))
	must(t, err)
	bucket, err := lake.OpenFolder(filepath.Join(dir, "lake"))
	must(t, err)
	var ticks atomic.Int64
	now := func() time.Time { return time.UnixMilli(1_700_000_000_000 + ticks.Add(1)) }
	b := &bench{t: t, store: s, bucket: bucket}
	b.objects = s.Objects(seal, now, func(_ context.Context, _ *sql.Tx, objectID, pass int64) error {
		b.queued = append(b.queued, job{objectID, pass})
		return nil
	})
	entities := s.Catalog()
	b.catalog = catalog.New(entities, now)
	b.Ingester = &ingest.Ingester{Store: b.objects, Catalog: inTx{b.catalog, entities}, Bucket: bucket, Now: now, Log: slog.New(slog.DiscardHandler)}
	for _, doc := range blueprints {
		_, err := b.catalog.CreateBlueprint(context.Background(), json.RawMessage(doc), catalog.Writer{Actor: "test", AllowPendingTargets: true})
		must(t, err)
	}
	return b
}

type inTx struct {
	catalog  *catalog.Catalog
	entities *store.Catalog
}

func (c inTx) Apply(ctx context.Context, tx *sql.Tx, changes []catalog.Change, results []catalog.Result) ([]catalog.Result, error) {
	return c.catalog.Apply(ctx, c.entities.Tx(tx), changes, results)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// never is a time that no quantum reaches.
func never() time.Time { return time.UnixMilli(1 << 52) }

func completed(context.Context, *sql.Tx) error { return nil }

// webhook makes the webhook, or changes it.
func (b *bench) webhook(identifier, mappings string) {
	b.t.Helper()
	w, err := b.objects.Webhook(context.Background(), identifier)
	if err != nil {
		w = ingest.Webhook{}
	}
	w.Doc = json.RawMessage(fmt.Sprintf(`{"identifier":%q,"mappings":%s}`, identifier, mappings))
	_, err = b.objects.PutWebhook(context.Background(), w)
	must(b.t, err)
}

// key is the key of an object of the stream.
func key(stream string, part int) string {
	return lake.GuideLayout().Key(lake.KeyInput{Namespace: "okta", Stream: stream, Start: time.UnixMilli(1_700_000_000_000), Part: part, Extension: ".jsonl.gz"})
}

// line is a record in Airbyte's envelope.
func line(generation, extractedAt int64, record string) string {
	return fmt.Sprintf(`{"_airbyte_raw_id":"x","_airbyte_extracted_at":%d,"_airbyte_generation_id":%d,"_airbyte_meta":{},"_airbyte_data":%s}`, extractedAt, generation, record)
}

func zip(lines ...string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, strings.Join(lines, "\n")+"\n")
	_ = z.Close()
	return b.Bytes()
}

// put puts an object of those bytes.
func (b *bench) put(key string, body []byte) {
	b.t.Helper()
	_, err := b.bucket.Put(context.Background(), key, bytes.NewReader(body), int64(len(body)), lake.PutOptions{})
	must(b.t, err)
}

// look lists the bucket and queues what is new.
func (b *bench) look() int {
	b.t.Helper()
	w := ingest.Watcher{Bucket: b.bucket, Layout: lake.GuideLayout(), Store: b.objects, Log: b.Log}
	looked, err := w.Look(context.Background())
	must(b.t, err)
	return looked.Fresh
}

// take works until no job waits.
func (b *bench) take() {
	b.t.Helper()
	for len(b.queued) > 0 {
		j := b.queued[0]
		b.queued = b.queued[1:]
		b.finish(j)
	}
}

func (b *bench) finish(j job) {
	b.t.Helper()
	for range 100 {
		done, err := b.Ingest(context.Background(), j.object, j.pass, never(), completed)
		must(b.t, err)
		if done {
			return
		}
	}
	b.t.Fatalf("object %d is not done after 100 calls", j.object)
}

// only returns the one object of the stream.
func (b *bench) only(stream string) ingest.Object {
	b.t.Helper()
	list, err := b.objects.List(context.Background(), ingest.ObjectFilter{Stream: stream}, 0)
	must(b.t, err)
	if len(list) != 1 {
		b.t.Fatalf("stream %s has %d objects, want 1", stream, len(list))
	}
	return list[0]
}

func (b *bench) want(o ingest.Object, state ingest.State, records int64, errorHas string) {
	b.t.Helper()
	if o.State != state || o.Records != records || !strings.Contains(o.Error, errorHas) || errorHas == "" && o.Error != "" {
		b.t.Errorf("object %s is %s with %d records and error %q, want %s with %d and an error with %q", o.Key, o.State, o.Records, o.Error, state, records, errorHas)
	}
}

// sums are the roll-ups of a stream by name.
func (b *bench) sums(stream string) string {
	b.t.Helper()
	all, err := b.objects.VerdictSums(context.Background(), ingest.VerdictFilter{Stream: stream})
	must(b.t, err)
	return codes(all[stream])
}

func codes(counts map[verdict.Code]int64) string {
	var parts []string
	for _, c := range verdict.All() {
		if counts[c] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", c, counts[c]))
		}
	}
	return strings.Join(parts, ", ")
}

// export returns the catalog's lines and their hash.
func (b *bench) export() (lines, hash string) {
	b.t.Helper()
	var out strings.Builder
	hash, _, err := b.catalog.Export(context.Background(), &out)
	must(b.t, err)
	return out.String(), hash
}

const (
	thing = `{"identifier":"thing","title":"Thing","schema":{"properties":{"name":{"type":"string"},"n":{"type":"number"}},"required":[]},
		"relations":{"parent":{"title":"Parent","target":"thing","required":false,"many":false}}}`
	mapThing = `{"blueprint":"thing","filter":".body.kind == \"thing\"","entity":{"identifier":".body.id","title":".body.name",
		"properties":{"name":".body.name","n":".body.n"},"relations":{"parent":".body.parent"}}}`
)

// alone applies changes in a transaction of their own.
func (c inTx) alone(b *bench) func([]catalog.Change) ([]catalog.Result, error) {
	return func(changes []catalog.Change) (results []catalog.Result, err error) {
		err = b.store.InTx(context.Background(), func(tx *sql.Tx) error {
			results, err = c.Apply(context.Background(), tx, changes, nil)
			return err
		})
		return results, err
	}
}

// onEach runs a test on both databases; where makes an empty one.
func onEach(t *testing.T, fn func(t *testing.T, where func() string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		fn(t, func() string { return filepath.Join(t.TempDir(), "longshore.db") })
	})
	t.Run("postgres", func(t *testing.T) { fn(t, func() string { return storetest.Postgres(t) }) })
}
