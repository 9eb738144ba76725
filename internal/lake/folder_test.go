package lake_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"longshore/internal/lake"
	"longshore/internal/lake/laketest"
)

func TestFolderIsABucket(t *testing.T) {
	laketest.Bucket(t, func(t *testing.T) lake.Bucket { return openFolder(t, t.TempDir()) })
}

func openFolder(t testing.TB, dir string) *lake.Folder {
	t.Helper()
	f, err := lake.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFolderTakesFilesPutThereByHand(t *testing.T) {
	dir := t.TempDir()
	b := openFolder(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "users.jsonl"), []byte(`{"id":"1"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	o, err := b.Head(t.Context(), "users.jsonl")
	if err != nil || o.Bytes != 10 || o.ETag == "" {
		t.Errorf("head answered %+v, %v; want 10 bytes and an ETag", o, err)
	}
}

func TestFolderPassesOverASideFileOfAnotherContent(t *testing.T) {
	dir := t.TempDir()
	b := openFolder(t, dir)
	put, err := b.Put(t.Context(), "k", strings.NewReader("one"), 3, lake.PutOptions{Metadata: map[string]string{"a": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	// As a crash between side file and object leaves it: the file is not the one that the side file describes.
	if err := os.WriteFile(filepath.Join(dir, "k"), []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	o, err := b.Head(t.Context(), "k")
	if err != nil || o.ETag == put.ETag || o.Metadata != nil || o.Bytes != 5 {
		t.Errorf("head answered %+v, %v; want another ETag than %q, no metadata, 5 bytes", o, err, put.ETag)
	}
}

func TestFolderKeepsKeysInside(t *testing.T) {
	dir := t.TempDir()
	b := openFolder(t, filepath.Join(dir, "lake"))
	for _, key := range []string{"../out", "a/../../out", "/etc/out", ".meta/x", "b/..", "a//b", "./c"} {
		if _, err := b.Put(t.Context(), key, strings.NewReader("x"), 1, lake.PutOptions{}); err != nil {
			t.Errorf("put %q: %v", key, err)
		}
		if _, err := b.Head(t.Context(), key); err != nil {
			t.Errorf("head %q: %v", key, err)
		}
	}
	n := 0
	for _, err := range b.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 7 {
		t.Errorf("listed %d objects, want 7", n)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("beside the folder lie %v (%v), want nothing", entries, err)
	}
}

func TestPrefixIsABucket(t *testing.T) {
	laketest.Bucket(t, func(t *testing.T) lake.Bucket {
		whole := openFolder(t, t.TempDir())
		for _, key := range []string{"a", "shared/ours0", "z"} { // what others put beside must not be seen
			if _, err := whole.Put(t.Context(), key, strings.NewReader("x"), 1, lake.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		return lake.WithPrefix(whole, "shared/ours")
	})
}
