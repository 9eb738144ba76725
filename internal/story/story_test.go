package story

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
	"longshore/internal/verdict"
)

// shelf is a small lake with what is known of it.
type shelf struct {
	objects  []ingest.Object
	entities map[string]catalog.Entity // by blueprint/identifier

	retention []catalog.RetentionRun
}

func (s *shelf) List(context.Context, ingest.ObjectFilter, int) ([]ingest.Object, error) {
	return s.objects, nil
}

func (s *shelf) RecordVerdict(_ context.Context, id, line int64) (ingest.RecordVerdict, error) {
	if id == 2 {
		return ingest.RecordVerdict{}, fault.Errorf(fault.NotFound, "not judged")
	}
	return ingest.RecordVerdict{
		Object: ingest.Object{Webhook: "okta"}, Line: line, RollUp: ingest.Verdict{Code: verdict.Upserted},
		Verdict: []ingest.Verdict{{Code: verdict.Upserted}, {Code: verdict.Filtered, Detail: verdict.Detail{Clause: ".no"}}},
	}, nil
}

func (s *shelf) Webhook(context.Context, string) (ingest.Webhook, error) {
	return ingest.Webhook{Mappings: []byte(`[{"blueprint":"user","entity":{"identifier":".body.id"}},{"blueprint":"role","filter":".no","entity":{"identifier":".body.id"}}]`)}, nil
}

func (s *shelf) Run(context.Context, int64) (pipeline.Run, error) {
	return pipeline.Run{ID: 7, Streams: []pipeline.StreamRun{{Stream: "users", FirstCursor: "/api/v1/users?limit=200", Pages: 3}}}, nil
}

func (s *shelf) Blueprints(context.Context) ([]catalog.Blueprint, error) {
	return []catalog.Blueprint{{Identifier: "user"}, {Identifier: "grant"}}, nil
}

func (s *shelf) Entity(_ context.Context, blueprint, id string) (catalog.Entity, error) {
	if e, ok := s.entities[blueprint+"/"+id]; ok {
		return e, nil
	}
	return catalog.Entity{}, fault.Errorf(fault.NotFound, "no entity")
}

func (s *shelf) RetentionRuns(context.Context, string, int) ([]catalog.RetentionRun, error) {
	return s.retention, nil
}

func (s *shelf) History(context.Context, catalog.HistoryFilter) ([]catalog.AuditEntry, error) {
	return []catalog.AuditEntry{{At: time.UnixMilli(0).UTC(), Action: "CREATE", Actor: "longshore"}}, nil
}

func newTeller(t *testing.T) *Teller {
	t.Helper()
	bucket, err := lake.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for key, text := range map[string]string{
		"users/0": `{"id":"00u1","manager":"00u9"}` + "\n" + `{"id":"00u2","manager":"00u1"}` + "\n" + `{"id":"00u3","manager":"00u1"}` + "\n",
		"logs/0":  `{"uuid":"e1","target":"00u1"}` + "\n",
	} {
		if _, err := bucket.Put(t.Context(), key, bytes.NewReader([]byte(text)), int64(len(text)), lake.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	s := &shelf{
		objects: []ingest.Object{{ID: 1, Key: "users/0", Stream: "users", SyncID: 7}, {ID: 2, Key: "logs/0", Stream: "logs"}, {ID: 3, Key: "gone/0"}},
		entities: map[string]catalog.Entity{"user/00u1": {Identifier: "00u1", Title: "Ada"}, "grant/user/00u1/ADMIN": {
			Identifier: "user/00u1/ADMIN",
			Origin:     catalog.Origin{ObjectID: 1, Line: 2}, Version: catalog.Version{ObjectKey: "users/0", Line: 2},
		}},
	}
	return &Teller{Objects: s, Runs: s, Catalog: s, Bucket: bucket}
}

func TestStoryTellsOwnRecordsBeforeMentions(t *testing.T) {
	s, err := newTeller(t).Tell(t.Context(), "00u1", 3)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Entities) != 1 || len(s.Records) != 3 || s.More != 1 {
		t.Fatalf("%d entities, %d records and %d more, want 1, 3 and 1", len(s.Entities), len(s.Records), s.More)
	}
	if !s.Records[0].Own || s.Records[0].Object != "users/0" || s.Records[0].Line != 1 || s.Records[1].Own {
		t.Errorf("records %+v, want the id's own first", s.Records)
	}
	if len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "gone/0") {
		t.Errorf("notes %q, want the object that cannot be read", s.Notes)
	}
	var out strings.Builder
	if err := s.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Entity user 00u1 (Ada)", "Record users/0:1", "sync 7, stream users, 3 pages from /api/v1/users?limit=200", "mapping 1 → user: upserted",
		"1 other mapping filtered it", "Mentioned in logs/0:1", "not judged yet", "1 more records hold 00u1", "CREATE by longshore",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the story does not say %q:\n%s", want, out.String())
		}
	}
}

func TestStoryOfACompositeIdentifierIsThatOfItsOrigin(t *testing.T) {
	s, err := newTeller(t).Tell(t.Context(), "user/00u1/ADMIN", 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Records) != 1 || s.Records[0].Object != "users/0" || s.Records[0].Line != 2 || s.Entities[0].WrittenBy != "users/0:2" {
		t.Errorf("story %+v, want line 2 of users/0", s)
	}
}

func TestStoryKeepsToItsLimits(t *testing.T) {
	teller := newTeller(t)
	for _, limit := range []int{-1, 0} {
		if s, err := teller.Tell(t.Context(), "00u1", limit); err != nil || len(s.Records) != 0 || s.More != 4 {
			t.Errorf("limit %d: %d records, %d more, %v; want none and 4 more", limit, len(s.Records), s.More, err)
		}
	}
	for _, id := range []string{"", strings.Repeat("x", 1001)} {
		if _, err := teller.Tell(t.Context(), id, 1); !fault.Is(err, fault.Invalid) {
			t.Errorf("an id of %d bytes: %v, want fault.Invalid", len(id), err)
		}
	}
	if s, err := teller.Tell(t.Context(), "nobody", 1); err != nil || len(s.Entities)+len(s.Records)+s.More != 0 {
		t.Errorf("nobody's story: %+v, %v", s, err)
	}
}
