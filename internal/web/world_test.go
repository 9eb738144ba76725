package web_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/ingest"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
	"longshore/internal/store"
	"longshore/internal/web"
)

// now is the instant of every test.
var now = time.Date(2026, 3, 4, 10, 11, 12, 0, time.UTC)

// world is a small org in a real store and a real lake: a sync whose records meet every kind of verdict that matters.
type world struct {
	store   *store.Store
	objects *store.Objects
	syncs   *store.Syncs
	catalog *catalog.Catalog
	bucket  *lake.Folder
	ingest  *ingest.Ingester
	queue   []queued
	started []string // connections that a page started
}

// inTx lets the ingester apply changes in its own transaction.
type inTx struct {
	catalog  *catalog.Catalog
	entities *store.Catalog
}

func (c inTx) Apply(ctx context.Context, tx *sql.Tx, changes []catalog.Change, results []catalog.Result) ([]catalog.Result, error) {
	return c.catalog.Apply(ctx, c.entities.Tx(tx), changes, results)
}

type queued struct{ object, pass int64 }

const blueprints = `[
{"identifier": "okta_user", "title": "Okta User", "description": "A person.", "schema": {"properties": {
  "status": {"type": "string", "title": "Status"}, "created": {"type": "string", "format": "date-time"}, "logins": {"type": "number"},
  "admin": {"type": "boolean"}, "profile": {"type": "object"}, "note": {"type": "string"}}, "required": ["status"]}, "relations": {},
  "calculationProperties": {"greeting": {"title": "Greeting", "type": "string", "calculation": "\"Hello \" + .title"}, "next": {"title": "Next login", "type": "number", "calculation": ".properties.logins + 1"}},
  "aggregationProperties": {"roles": {"title": "Roles held", "target": "okta_role_assignment", "type": "number", "calculationSpec": {"func": "count", "calculationBy": "entities"}}}},
{"identifier": "okta_role_assignment", "title": "Okta Role Assignment", "schema": {"properties": {"type": {"type": "string"}}, "required": []},
  "relations": {"user": {"title": "User", "target": "okta_user", "required": false, "many": false}}},
{"identifier": "empty_thing", "title": "Empty thing", "schema": {"properties": {"a": {"type": "string"}}, "required": []}, "relations": {}}
]`

const webhook = `{"identifier": "okta", "title": "Okta", "enabled": true, "mappings": [
{"blueprint": "okta_user", "filter": ".body.kind == \"user\"", "entity": {"identifier": ".body.id", "title": ".body.name", "properties": {
  "status": ".body.status", "created": ".body.created", "logins": ".body.logins", "admin": ".body.admin", "profile": ".body.profile", "note": ".body.note"}}},
{"blueprint": "okta_role_assignment", "filter": ".body.kind == \"assignment\"", "entity": {"identifier": ".body.principal + \"/\" + .body.type",
  "title": ".body.type + \" of \" + .body.principal", "properties": {"type": ".body.type"}, "relations": {"user": ".body.principal"}}}
]}`

var records = map[string][]string{
	"users": {
		`{"kind":"user","id":"00u1","name":"Ada Lovelace","status":"ACTIVE","created":"2026-03-01T08:00:00.000Z","logins":12,"admin":true,"profile":{"city":"London","team":"Engines"}}`,
		`{"kind":"user","id":"00u2","name":"<script>alert(1)</script>","status":"ACTIVE","note":"\"><img src=x onerror=alert(2)>"}`,
		`{"kind":"user","id":"00u3","name":"No Status","logins":"many"}`,
		`{"kind":"user","id":"a//b/../c","name":"Odd identifier","status":"ACTIVE"}`,
		`{"kind":"user","name":"No identifier","status":"ACTIVE"}`,
		`not json at all`,
	},
	"assignments": {
		`{"kind":"assignment","principal":"00u1","type":"SUPER_ADMIN"}`,
		`{"kind":"assignment","principal":"00u2","type":"HELP_DESK"}`,
		`{"kind":"assignment","principal":"00u-not-read","type":"SUPER_ADMIN"}`,
		`{"kind":"something else"}`,
	},
}

// newWorld makes the world; full also runs its sync.
func newWorld(t *testing.T, full bool) *world {
	t.Helper()
	ctx := t.Context()
	dir := t.TempDir()
	w := &world{}
	var err error
	if w.store, err = store.Open(ctx, filepath.Join(dir, "test.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	seal, err := store.OpenSealer(filepath.Join(dir, "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	queueObject := func(_ context.Context, _ *sql.Tx, object, pass int64) error {
		w.queue = append(w.queue, queued{object, pass})
		return nil
	}
	clock := func() time.Time { return now }
	w.objects = w.store.Objects(seal, clock, queueObject)
	w.syncs = w.store.Syncs("lake", clock, func(context.Context, *sql.Tx, int64) error { return nil }, queueObject)
	w.catalog = catalog.New(w.store.Catalog(), clock)
	if w.bucket, err = lake.OpenFolder(filepath.Join(dir, "lake")); err != nil {
		t.Fatal(err)
	}
	w.ingest = &ingest.Ingester{Store: w.objects, Catalog: inTx{w.catalog, w.store.Catalog()}, Bucket: w.bucket, Now: clock, Log: slog.New(slog.DiscardHandler)}
	if full {
		w.fill(t)
	}
	return w
}

func (w *world) fill(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	var docs []json.RawMessage
	if err := json.Unmarshal([]byte(blueprints), &docs); err != nil {
		t.Fatal(err)
	}
	for _, doc := range docs {
		if _, err := w.catalog.CreateBlueprint(ctx, doc, catalog.Writer{Actor: "test", AllowPendingTargets: true}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.objects.PutWebhook(ctx, ingest.Webhook{Doc: json.RawMessage(webhook), UpdatedBy: "test"}); err != nil {
		t.Fatal(err)
	}
	run := w.startRun(t)
	for _, stream := range []string{"users", "assignments"} {
		w.write(t, run, stream, records[stream])
		status, why := pipeline.Complete, ""
		if stream == "assignments" {
			status, why = pipeline.Partial, "GET /api/v1/users/x/roles: 403"
		}
		n := int64(len(records[stream]))
		err := w.syncs.SaveStream(ctx, run, pipeline.StreamRun{Stream: stream, Status: status, Error: why, APIRows: n, StartedAt: now.Add(-time.Minute), FinishedAt: now})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.syncs.FinishRun(ctx, run, pipeline.Partial, "assignments: partial"); err != nil {
		t.Fatal(err)
	}
	w.ingestAll(t)
	// An object of another writer that no webhook wants.
	key := "data/elsewhere/things/1.jsonl.gz"
	put := w.put(t, key, []string{`{"a":1}`})
	if _, err := w.objects.Found(ctx, []ingest.Object{{Bucket: "lake", Key: key, ETag: put.ETag, Namespace: "elsewhere", Stream: "things", Bytes: put.Bytes, RowsWritten: -1}}); err != nil {
		t.Fatal(err)
	}
	w.ingestAll(t)
	// A later change, for the history.
	_, err := w.catalog.Write(ctx, catalog.Change{
		Blueprint: "okta_user", Op: catalog.OpMerge, Identifier: "00u1", Actor: "someone", Source: "test",
		Properties: []catalog.Field{{Name: "note", Value: []byte(`"changed by hand"`)}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) startRun(t *testing.T) int64 {
	t.Helper()
	conn, err := w.syncs.PutConnection(t.Context(), pipeline.Connection{Name: "okta", Source: "https://acme.okta.example", NamespaceFormat: "okta"})
	if err != nil {
		t.Fatal(err)
	}
	run, _, err := w.syncs.StartRun(t.Context(), conn, []pipeline.Stream{{Name: "users"}, {Name: "assignments"}}, false, "test")
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func (w *world) put(t *testing.T, key string, lines []string) lake.Object {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := io.WriteString(z, strings.Join(lines, "\n")+"\n"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	put, err := w.bucket.Put(t.Context(), key, bytes.NewReader(packed.Bytes()), int64(packed.Len()), lake.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return put
}

func (w *world) write(t *testing.T, run int64, stream string, lines []string) {
	t.Helper()
	key := "data/okta/" + stream + "/year=2026/month=03/4_1_0.jsonl.gz"
	put := w.put(t, key, lines)
	n := int64(len(lines))
	err := w.syncs.SaveCommit(t.Context(), pipeline.Part{SyncID: run, Connection: "okta", Namespace: "okta", Stream: stream, Start: now},
		pipeline.Commit{Key: key, ETag: put.ETag, Bytes: put.Bytes, APIRows: n, LakeRows: n, Pages: 1})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) ingestAll(t *testing.T) {
	t.Helper()
	for _, q := range w.queue {
		done, err := w.ingest.Ingest(t.Context(), q.object, q.pass, now.Add(time.Hour), func(context.Context, *sql.Tx) error { return nil })
		if err != nil || !done {
			t.Fatalf("ingest object %d: done %t, %v", q.object, done, err)
		}
	}
	w.queue = nil
}

// Lines implements web.Search over the lake's few objects.
func (w *world) Lines(ctx context.Context, text string, limit int) ([]ingest.Place, bool, error) {
	list, err := w.objects.List(ctx, ingest.ObjectFilter{}, 0)
	if err != nil {
		return nil, false, err
	}
	var found []ingest.Place
	for _, o := range list {
		for i, line := range records[o.Stream] {
			if strings.Contains(line, text) && len(found) < limit {
				found = append(found, ingest.Place{ObjectID: o.ID, ObjectKey: o.Key, Line: int64(i + 1)})
			}
		}
	}
	return found, true, nil
}

func (w *world) handler(t *testing.T) http.Handler {
	t.Helper()
	h, err := web.New(web.Config{
		Catalog: w.catalog, Ledger: w.objects, Syncs: w.syncs, Bucket: w.bucket, Search: w, Version: "test",
		OrgURL: "https://acme.okta.example", Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler),
		StartSync: func(_ context.Context, connection string) error {
			w.started = append(w.started, connection)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}
