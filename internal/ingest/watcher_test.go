package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/lake"
)

func TestListingTakesRecordsAlone(t *testing.T) {
	b := newBench(t, thing)
	record := zip(line(1, 1, `{"kind":"thing","id":"a"}`))
	b.put(key("things", 0), record)
	for _, k := range []string{
		"data/okta/things/_EXAMPLE", "data/okta/things/test_1700000000000", "data/okta/things/year=2023/month=11/14_1_0.parquet",
		"elsewhere/okta/things/year=2023/month=11/14_1_0.jsonl.gz", lake.ManifestKey("okta", "things", 1),
	} {
		b.put(k, record)
	}
	b.put("data/okta/things/year=2023/month=11/14_2_0.jsonl.gz", nil)
	if n := b.look(); n != 1 {
		list, _ := b.objects.List(t.Context(), ingest.ObjectFilter{}, 0)
		t.Errorf("%d objects were taken, want the one of records: %+v", n, list)
	}
	if o := b.only("things"); o.Namespace != "okta" || o.RowsWritten != -1 {
		t.Errorf("object %+v, want namespace okta and an unknown number of lines", o)
	}
}

func TestListingTakesManyObjectsInBatches(t *testing.T) {
	b := newBench(t, thing)
	const n = 502 // more than a batch
	for i := range n {
		b.put(key("things", i), []byte(line(1, 1, fmt.Sprintf(`{"id":"%d"}`, i))))
	}
	if got := b.look(); got != n {
		t.Errorf("%d of %d objects are new", got, n)
	}
	if got := b.look(); got != 0 {
		t.Errorf("%d objects are new at the second look", got)
	}
}

// shaky is a bucket that loses an object between its listing and the look at it, or does not answer.
type shaky struct {
	lake.Bucket
	head func(key string) error
	list error
}

func (s *shaky) Head(ctx context.Context, key string) (lake.Object, error) {
	if err := s.head(key); err != nil {
		return lake.Object{}, err
	}
	return s.Bucket.Head(ctx, key)
}

func (s *shaky) List(ctx context.Context, prefix, after string) iter.Seq2[lake.Object, error] {
	if s.list == nil {
		return s.Bucket.List(ctx, prefix, after)
	}
	return func(yield func(lake.Object, error) bool) { yield(lake.Object{}, s.list) }
}

func TestListingPassesByWhatIsGoneAndEndsWhenTheBucketFails(t *testing.T) {
	b := newBench(t, thing)
	b.put(key("gone", 0), []byte("{}"))
	b.put(key("here", 0), []byte("{}"))
	down := fault.Errorf(fault.Unavailable, "down")
	s := &shaky{Bucket: b.bucket}
	w := ingest.Watcher{Bucket: s, Layout: lake.GuideLayout(), Store: b.objects, Log: b.Log}
	s.head = func(string) error { return down }
	if looked, err := w.Look(t.Context()); looked.Fresh != 0 || !errors.Is(err, down) {
		t.Errorf("with the bucket down: %d, %v", looked.Fresh, err)
	}
	s.head = func(key string) error {
		if strings.Contains(key, "gone") {
			return fault.Errorf(fault.NotFound, "gone")
		}
		return nil
	}
	if looked, err := w.Look(t.Context()); looked.Fresh != 1 || err != nil {
		t.Errorf("with one object gone: %d, %v; want the other one", looked.Fresh, err)
	}
	s.list = down
	if _, err := w.Look(t.Context()); !errors.Is(err, down) {
		t.Errorf("a listing that fails: %v", err)
	}
}

func TestSearchYieldsLinesAndTellsTrouble(t *testing.T) {
	b := newBench(t)
	b.put("a", zip(`{"id":"x1"}`, `{"bad x1`, `{"id":"x2"}`))
	whole := zip(`{"id":"x1"}`, strings.Repeat(`{"id":"y"}`, 1))
	b.put("cut", whole[:len(whole)-9])
	var lines, trouble []string
	err := ingest.Search(t.Context(), b.bucket, []ingest.Object{{Key: "a"}, {Key: "none"}, {Key: "cut"}}, "x1", func(o ingest.Object, l ingest.RecordLine) bool {
		lines = append(lines, fmt.Sprintf("%s:%d", o.Key, l.Number))
		return true
	}, func(o ingest.Object, _ error) { trouble = append(trouble, o.Key) })
	must(t, err)
	if fmt.Sprint(lines) != "[a:1 cut:1]" || fmt.Sprint(trouble) != "[none cut]" {
		t.Errorf("found %v with trouble at %v, want a:1 and cut:1, trouble at none and cut", lines, trouble)
	}
}
