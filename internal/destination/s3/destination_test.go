package s3

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"longshore/internal/fault"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
)

func part(n int) pipeline.Part {
	return pipeline.Part{SyncID: 3, Connection: "okta", Namespace: "okta", Stream: "users", Generation: 9, Start: time.UnixMilli(1_700_000_000_000), Number: n}
}

func newDestination(t *testing.T) *Destination {
	t.Helper()
	bucket, err := lake.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return &Destination{Bucket: bucket, Layout: lake.GuideLayout(), TempDir: t.TempDir()}
}

func write(t *testing.T, d *Destination, p pipeline.Part, c pipeline.Commit) (pipeline.Commit, error) {
	t.Helper()
	b, err := d.Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Discard()
	if err := b.Append([]byte(`{"id":"00u1"}`), time.UnixMilli(5)); err != nil {
		t.Fatal(err)
	}
	return b.Commit(t.Context(), c)
}

func TestKeysAreThoseOfTheGuide(t *testing.T) {
	d := newDestination(t)
	if got, want := d.Key(part(4)), "data/okta/users/year=2023/month=11/14_1700000000000_4.jsonl.gz"; got != want {
		t.Errorf("key %s, want %s", got, want)
	}
}

// What an object says of itself is what its writer was told: a run can be taken up by it.
func TestExistingReturnsWhatWasCommitted(t *testing.T) {
	d := newDestination(t)
	if _, err := d.Existing(t.Context(), part(0)); !fault.Is(err, fault.NotFound) {
		t.Errorf("a part that is not there: %v, want not found", err)
	}
	want, err := write(t, d, part(0), pipeline.Commit{
		APIRows: 1, Pages: 1, State: json.RawMessage(`{"l":"/users?after=x&limit=200"}`), FirstCursor: "/users?a=1&b=2",
		LastCursor: "/users", Statuses: map[int]int{200: 1, 429: 2}, Gaps: []string{"404 on “Zoë” 🙂"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := d.Existing(t.Context(), part(0))
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("existing commit\n%+v\nwant\n%+v", got, want)
	}
	if want.LakeRows != 1 || want.ETag == "" || want.SHA256 == "" || want.Bytes == 0 {
		t.Errorf("commit %+v is not complete", want)
	}
}

func TestTakenKeyIsAConflict(t *testing.T) {
	d := newDestination(t)
	for n, kind := range []fault.Kind{-1, fault.Conflict} {
		if _, err := write(t, d, part(0), pipeline.Commit{}); n == 0 && err != nil || n == 1 && !fault.Is(err, kind) {
			t.Errorf("write %d: %v", n+1, err)
		}
	}
}

// S3 takes 2 KB of ASCII beside an object, key names included. The state and the counts always stand in it whole.
func TestCommitAlwaysFitsItsMetadata(t *testing.T) {
	state := json.RawMessage(`{"l":"` + strings.Repeat("&", 1490) + `"}`) // 1,500 bytes with braces: the pipeline's bound
	for _, c := range []pipeline.Commit{
		{},
		{State: json.RawMessage(`{}`), Gaps: []string{strings.Repeat("é", 500), "\x00\xff", strings.Repeat("🙂", 90), "four"}},
		{
			State: state, FirstCursor: "/logs?" + strings.Repeat("&", 600), LastCursor: "/logs?" + strings.Repeat("x", 600), APIRows: 1 << 40, Pages: 1 << 30,
			SHA256: strings.Repeat("a", 64), Statuses: map[int]int{200: 123456, 404: 1, 429: 1234, 500: 12, 503: 12}, Gaps: []string{strings.Repeat("é", 500), strings.Repeat("g", 500)},
		},
	} {
		text, err := noteText(note{Commit: c})
		if err != nil {
			t.Errorf("%.80v: %v", c, err)
			continue
		}
		if len(text) > maxMetadataBytes {
			t.Errorf("%d bytes, more than %d", len(text), maxMetadataBytes)
		}
		for i := range len(text) {
			if text[i] < 0x20 || text[i] >= 0x7f {
				t.Fatalf("byte %d is %#x, want ASCII: %s", i, text[i], text)
			}
		}
		var back pipeline.Commit
		if err := json.Unmarshal([]byte(text), &back); err != nil {
			t.Fatal(err)
		}
		if string(back.State) != string(c.State) || back.APIRows != c.APIRows || back.Pages != c.Pages || back.SHA256 != c.SHA256 || (len(back.Gaps) > 0) != (len(c.Gaps) > 0) {
			t.Errorf("read back %+v of %+v", back, c)
		}
	}
}

func TestManifestSaysWhyItIsNotComplete(t *testing.T) {
	d := newDestination(t)
	run := pipeline.Run{ID: 3, Connection: pipeline.Connection{Name: "okta", NamespaceFormat: "okta"}}
	for _, c := range []struct {
		st       pipeline.StreamRun
		complete bool
		reasons  string
	}{
		{pipeline.StreamRun{Stream: "users", Status: pipeline.Complete}, true, "[]"},
		{pipeline.StreamRun{Stream: "users", Status: pipeline.Partial, Error: "a", Gaps: []string{"a", "b"}}, false, "[a b]"},
		{pipeline.StreamRun{Stream: "users", Status: pipeline.Partial, Error: "503", Gaps: []string{"a", "b"}}, false, "[503 a b]"},
		{pipeline.StreamRun{Stream: "users", Status: pipeline.Failed, Error: "403"}, false, "[403]"},
	} {
		if err := d.WriteManifest(t.Context(), run, c.st, nil); err != nil {
			t.Fatal(err)
		}
		m, err := lake.LoadManifest(t.Context(), d.Bucket, "okta", "users", 3)
		if err != nil {
			t.Fatal(err)
		}
		if m.Complete != c.complete || fmt.Sprint(m.Reasons) != c.reasons {
			t.Errorf("%s: complete %t, reasons %v; want %t, %s", c.st.Status, m.Complete, m.Reasons, c.complete, c.reasons)
		}
	}
}
