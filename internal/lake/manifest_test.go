package lake_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"longshore/internal/fault"
	"longshore/internal/lake"
)

func TestManifestRoundTrip(t *testing.T) {
	b := openFolder(t, t.TempDir())
	want := lake.Manifest{
		Version: lake.ManifestVersion, Connection: "c1", SyncID: 42, Namespace: "okta", Stream: "users", Mode: "full refresh",
		Generation: 7, StartedAt: time.Unix(1741338302, 0).UTC(), FinishedAt: time.Unix(1741338303, 0).UTC(), Pages: 2, Rows: 3,
		FirstCursor: "/api/v1/users?limit=200", LastCursor: "/api/v1/users?after=x", Statuses: map[int]int{200: 2, 429: 1},
		Objects:  []lake.ManifestObject{{Key: "data/okta/users/0.jsonl.gz", Rows: 3, Bytes: 100, SHA256: "ab", ETag: "cd"}},
		Complete: false, Reasons: []string{"role r1 answered 403"},
	}
	if _, err := lake.PutManifest(t.Context(), b, want); err != nil {
		t.Fatal(err)
	}
	got, err := lake.LoadManifest(t.Context(), b, "okta", "users", 42)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("loaded %+v, %v; want %+v", got, err, want)
	}
	if _, err := lake.LoadManifest(t.Context(), b, "okta", "users", 43); !fault.Is(err, fault.NotFound) {
		t.Errorf("a manifest that is not there: %v, want not found", err)
	}
}

func TestManifestsInOrderOfSyncs(t *testing.T) {
	b := openFolder(t, t.TempDir())
	for _, m := range []lake.Manifest{
		{Namespace: "okta", Stream: "users", SyncID: 100},
		{Namespace: "okta", Stream: "users", SyncID: 9},
		{Namespace: "okta", Stream: "users2", SyncID: 1},
		{Stream: "users", SyncID: 5},
		{Namespace: "okta", Stream: "users", SyncID: 10},
	} {
		if _, err := lake.PutManifest(t.Context(), b, m); err != nil {
			t.Fatal(err)
		}
	}
	var got []int64
	for m, err := range lake.Manifests(t.Context(), b, "okta", "users", 9) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.SyncID)
	}
	if !reflect.DeepEqual(got, []int64{10, 100}) {
		t.Errorf("manifests after sync 9 are of syncs %v, want 10 and 100", got)
	}
	n := 0
	for _, err := range lake.AllManifests(t.Context(), b) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 5 {
		t.Errorf("there are %d manifests, want 5", n)
	}
}

func TestManifestKey(t *testing.T) {
	for _, c := range []struct{ namespace, stream, want string }{
		{"okta", "users", "_longshore/manifests/okta/users/0000000042.json"},
		{"", "users", "_longshore/manifests/_/users/0000000042.json"},
		{"..", "a/../b é", "_longshore/manifests/_../a_.._b_e/0000000042.json"},
	} {
		if got := lake.ManifestKey(c.namespace, c.stream, 42); got != c.want {
			t.Errorf("ManifestKey(%q, %q) = %s, want %s", c.namespace, c.stream, got, c.want)
		}
	}
}

func TestLoadManifestRefusesWhatItDoesNotKnow(t *testing.T) {
	b := openFolder(t, t.TempDir())
	for _, text := range []string{"{", `{"version":2}`, `{}`} {
		if _, err := b.Put(t.Context(), lake.ManifestKey("n", "s", 1), strings.NewReader(text), int64(len(text)), lake.PutOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := lake.LoadManifest(t.Context(), b, "n", "s", 1); !fault.Is(err, fault.Invalid) {
			t.Errorf("manifest %q: %v, want invalid", text, err)
		}
	}
}
