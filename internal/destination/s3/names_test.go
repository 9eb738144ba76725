package s3

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"longshore/internal/fault"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
)

// keys are the keys in the bucket, in order.
func keys(t *testing.T, b lake.Bucket) []string {
	t.Helper()
	var all []string
	for o, err := range b.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o.Key)
	}
	return all
}

func putOther(t *testing.T, b lake.Bucket, key string, metadata map[string]string) {
	t.Helper()
	if _, err := b.Put(t.Context(), key, bytes.NewReader([]byte("{}\n")), 3, lake.PutOptions{Metadata: metadata}); err != nil {
		t.Fatal(err)
	}
}

// commit writes a part as a sync does: Existing says where the run is, then the batch is put.
func commit(t *testing.T, d *Destination, p pipeline.Part) string {
	t.Helper()
	if _, err := d.Existing(t.Context(), p); !fault.Is(err, fault.NotFound) {
		t.Fatalf("part %d of run %d is there before it is written: %v", p.Number, p.SyncID, err)
	}
	c, err := write(t, d, p, pipeline.Commit{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Key
}

func ofRun(run int64, number int) pipeline.Part {
	p := part(number)
	p.SyncID, p.Start = run, p.Start.Add(time.Duration(run)*time.Hour)
	return p
}

// In a folder that runs share, parts go on behind what is there, and a run that is taken up finds its own again.
func TestPartsGoOnBehindWhatIsThere(t *testing.T) {
	d := newDestination(t)
	d.Layout.PathFormat = "${NAMESPACE}/${STREAM_NAME}/"
	d.Now = func() time.Time { return time.UnixMilli(1_700_000_000_000) }
	putOther(t, d.Bucket, "data/okta/users/4.jsonl.gz", nil)
	putOther(t, d.Bucket, "data/okta/users/9.parquet-1", nil)
	putOther(t, d.Bucket, "data/okta/users/mine.jsonl.gz", nil)
	for run := range int64(2) {
		for number := range 2 {
			want := fmt.Sprintf("data/okta/users/%d.jsonl.gz", 10+2*int(run)+number)
			if got := commit(t, d, ofRun(run+1, number)); got != want {
				t.Errorf("part %d of run %d is %s, want %s", number, run+1, got, want)
			}
		}
	}
	before := keys(t, d.Bucket)
	again := &Destination{Bucket: d.Bucket, Layout: d.Layout, TempDir: d.TempDir}
	for number := range 2 {
		c, err := again.Existing(t.Context(), ofRun(2, number))
		if want := fmt.Sprintf("data/okta/users/%d.jsonl.gz", 12+number); err != nil || c.Key != want {
			t.Errorf("taken up: part %d is %q, %v; want %s", number, c.Key, err, want)
		}
	}
	if got := commit(t, again, ofRun(2, 2)); got != "data/okta/users/14.jsonl.gz" || len(keys(t, d.Bucket)) != len(before)+1 {
		t.Errorf("the next part is %s", got)
	}
}

// Names that do not differ by part get a number behind their extension; the object that was there stays as it was.
func TestTakenNamesGetASuffix(t *testing.T) {
	d := newDestination(t)
	d.Layout.PathFormat, d.Layout.FilePattern = "${STREAM_NAME}/", "all{format_extension}"
	d.Format.Plain = true
	putOther(t, d.Bucket, "data/users/all.jsonl", nil)
	for number := range 3 {
		want := fmt.Sprintf("data/users/all.jsonl-%d", number+1)
		if got := commit(t, d, ofRun(1, number)); got != want {
			t.Errorf("part %d is %s, want %s", number, got, want)
		}
	}
	if c, err := (&Destination{Bucket: d.Bucket, Layout: d.Layout, Format: d.Format}).Existing(t.Context(), ofRun(1, 1)); err != nil || c.Key != "data/users/all.jsonl-2" {
		t.Errorf("taken up: part 1 is %+v, %v", c, err)
	}
}

// jumpIn puts an object of somebody else under the name that the next put is about to take.
type jumpIn struct {
	lake.Bucket
	t    *testing.T
	note map[string]string
	left int
}

func (j *jumpIn) Put(ctx context.Context, key string, body io.ReadSeeker, n int64, o lake.PutOptions) (lake.Object, error) {
	if j.left > 0 {
		j.left--
		metadata := j.note
		if metadata == nil {
			metadata = o.Metadata
		}
		putOther(j.t, j.Bucket, key, metadata)
	}
	return j.Bucket.Put(ctx, key, body, n, o)
}

func TestQuickerWriterKeepsItsName(t *testing.T) {
	for _, c := range []struct {
		name string
		note map[string]string // nil: our own, of a try whose answer was lost
		want string
	}{
		{"another's", map[string]string{"x": "y"}, "-2"},
		{"our own", nil, ""},
	} {
		d := newDestination(t)
		d.Bucket = &jumpIn{d.Bucket, t, c.note, 2}
		got := commit(t, d, part(0))
		if !strings.HasSuffix(got, ".jsonl.gz"+c.want) {
			t.Errorf("%s: the object is %s, want the suffix %q", c.name, got, c.want)
		}
	}
}

func TestOverwriteDeletesOlderGenerationsAlone(t *testing.T) {
	d := newDestination(t)
	d.Layout = lake.Layout{BucketPath: "/data", PathFormat: "${NAMESPACE}/${STREAM_NAME}/${YEAR}.(x+/${DAY}_$${EPOCH}_"}
	generation := func(n int, by string) map[string]string {
		m := map[string]string{lake.GenerationMetadata: fmt.Sprint(n)}
		if by != "" {
			m[ownerMetadata] = by
		}
		return m
	}
	ours, anonymous := owner("c1", "okta", "users"), owner("", "okta", "users")
	gone := map[string]map[string]string{
		"/data/okta/users/2024.(x+/01_$1700000000000_0.jsonl.gz":   generation(6, ours),
		"/data/okta/users/2024.(x+/01_$1700000000000_1.jsonl.gz-3": generation(6, anonymous),
		"/data/okta/users/2024.(x+/01_$1700000000000_2.csv":        generation(3, ""),
		"/data/okta/users/2023.(x+/01_$1600000000000_12.jsonl":     nil,
	}
	kept := map[string]map[string]string{
		"/data/okta/users/2024.(x+/02_$1700000000001_0.jsonl.gz":    generation(7, ours),
		"/data/okta/users/2024.(x+/02_$1700000000001_1.jsonl.gz":    generation(8, ""),
		"/data/okta/users/2024.(x+/01_$1700000000002_0.jsonl.gz":    generation(6, owner("c2", "okta", "users")),
		"/data/okta/users/2024.(x+/01_$1700000000003_0.jsonl.gz":    {lake.GenerationMetadata: "old"},
		"/data/okta/users/2024.(x+/01_1700000000000_0.jsonl.gz":     generation(1, ""), // an older path format
		"/data/okta/users/2024xxxx/01_$1700000000000_0.jsonl.gz":    generation(1, ""),
		"/data/okta/users/2024.(x+/01_$1700000000000_mine.jsonl.gz": generation(1, ""),
		"/data/okta/users2/2024.(x+/01_$1700000000000_0.jsonl.gz":   generation(1, ""),
		"/data/other/users/2024.(x+/01_$1700000000000_0.jsonl.gz":   generation(1, ""),
		"/data/okta/users/notes.txt":                                nil,
	}
	var want []string
	for key, m := range gone {
		putOther(t, d.Bucket, key, m)
	}
	for key, m := range kept {
		putOther(t, d.Bucket, key, m)
		want = append(want, key)
	}
	slices.Sort(want)
	stale := Superseded{Connection: "c1", Namespace: "okta", Stream: "users"}
	if removed, err := d.Supersede(t.Context(), stale); err != nil || removed != (Removed{}) {
		t.Errorf("a stream that appends lost %+v, %v", removed, err)
	}
	stale.Before = 7
	removed, err := d.Supersede(t.Context(), stale)
	if want := (Removed{Objects: 4, Bytes: 12, Others: 2}); err != nil || removed != want {
		t.Errorf("removed %+v, %v; want %+v", removed, err, want)
	}
	if got := keys(t, d.Bucket); !slices.Equal(got, want) {
		t.Errorf("left are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if removed, err := d.Supersede(t.Context(), stale); err != nil || removed.Objects != 0 {
		t.Errorf("again: %+v, %v", removed, err)
	}
}

// Where names of two streams look alike, nothing is deleted that could be the other's.
func TestOverwriteLeavesWhatCouldBeAnothers(t *testing.T) {
	d := newDestination(t)
	d.Layout.PathFormat = "${STREAM_NAME}"
	putOther(t, d.Bucket, "data/users10.jsonl.gz", nil) // users, part 10; or users1, part 0
	putOther(t, d.Bucket, "data/users2.jsonl.gz", nil)
	stale := Superseded{Stream: "users", Before: 1, Beside: []lake.Names{d.Layout.Names("", "users1")}}
	if removed, err := d.Supersede(t.Context(), stale); err != nil || removed.Objects != 1 {
		t.Errorf("removed %+v, %v; want users2 alone", removed, err)
	}
	d.Layout.PathFormat = "${YEAR}/"
	if _, err := d.Supersede(t.Context(), stale); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
		t.Errorf("a path format without a stream: %v, want a refusal with a hint", err)
	}
}

// A sync of a stream that is overwritten, or cleared, deletes what was before once its manifest says that it is whole, and
// not sooner.
func TestManifestOfAnOverwriteDeletesWhatWasBefore(t *testing.T) {
	for _, c := range []struct {
		mode    string
		minimum int64
		status  pipeline.Status
		left    int
	}{
		{pipeline.FullRefresh, 2, pipeline.Partial, 2},
		{pipeline.FullRefresh, 2, pipeline.Failed, 2},
		{pipeline.FullRefresh, 0, pipeline.Complete, 2},
		{pipeline.FullRefresh, 2, pipeline.Complete, 1},
		{pipeline.Clear, 3, pipeline.Complete, 0},
	} {
		d := newDestination(t)
		connection := pipeline.Connection{Name: "okta", UUID: "c1", NamespaceFormat: "okta", Prefix: "p_"}
		var last string
		for generation := range int64(2) {
			p := ofRun(generation+1, 0)
			p.Connection, p.Generation, p.Prefix = "c1", generation+1, "p_"
			last = commit(t, d, p)
		}
		st := pipeline.StreamRun{Stream: "users", Generation: max(2, c.minimum), Minimum: c.minimum, Status: c.status, Mode: c.mode}
		if err := d.WriteManifest(t.Context(), pipeline.Run{ID: 2, Connection: connection}, st, nil); err != nil {
			t.Fatal(err)
		}
		left := slices.DeleteFunc(keys(t, d.Bucket), func(key string) bool { return strings.HasPrefix(key, lake.OwnPrefix) })
		if len(left) != c.left || c.left > 0 && left[len(left)-1] != last || !strings.HasPrefix(last, "data/okta/p_users/") {
			t.Errorf("%s, minimum %d, %s: left are %q, want %d with %s", c.mode, c.minimum, c.status, left, c.left, last)
		}
	}
}

// An object is put once its first record is old enough, and not before.
func TestObjectsArePutWhenTheyAreOld(t *testing.T) {
	d := newDestination(t)
	now := time.UnixMilli(1_700_000_000_000)
	d.Now = func() time.Time { return now }
	w := d.Begin([]Target{{Namespace: "okta", Stream: "users"}, {Namespace: "okta", Stream: "logs"}}, now, WritingOptions{})
	defer w.Close()
	put := func(stream int) {
		t.Helper()
		if stored, err := w.Write(t.Context(), stream, []byte(`{}`), nil, now); err != nil || stored {
			t.Fatalf("stored %t, %v", stored, err)
		}
	}
	put(0)
	for _, step := range []struct {
		after        time.Duration
		stored       bool
		users, logs  int64
		writesToLogs bool
	}{
		{10 * time.Minute, false, 0, 0, true},
		{4*time.Minute + 59*time.Second, false, 0, 0, false},
		{time.Second, true, 1, 0, false},
		{9 * time.Minute, false, 1, 0, false},
		{time.Minute, true, 1, 1, false},
		{time.Hour, false, 1, 1, false},
	} {
		now = now.Add(step.after)
		stored, err := w.Tick(t.Context())
		if err != nil || stored != step.stored || w.Stored(0) != step.users || w.Stored(1) != step.logs {
			t.Errorf("at %s: stored %t, %d users, %d logs, %v; want %+v", now.Format("04:05"), stored, w.Stored(0), w.Stored(1), err, step)
		}
		if step.writesToLogs {
			put(1)
		}
	}
	if got := keys(t, d.Bucket); len(got) != 2 {
		t.Errorf("the keys are %q", got)
	}
}
