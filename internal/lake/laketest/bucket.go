package laketest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"longshore/internal/fault"
	"longshore/internal/lake"
)

// Bucket runs the suite. open returns an empty bucket, a new one at each call.
func Bucket(t *testing.T, open func(t *testing.T) lake.Bucket) {
	for _, c := range []struct {
		name string
		test func(*testing.T, lake.Bucket)
	}{
		{"PutThenGet", putThenGet},
		{"PutOverwrites", putOverwrites},
		{"PutIsWholeOrNothing", putIsWholeOrNothing},
		{"IfAbsentHasOneWinner", ifAbsentHasOneWinner},
		{"ListIsInKeyOrder", listIsInKeyOrder},
		{"ListOfManyStartsAfter", listOfManyStartsAfter},
		{"ListStopsEarly", listStopsEarly},
		{"OddKeys", oddKeys},
		{"Metadata", metadata},
		{"MissingKeys", missingKeys},
		{"EmptyObject", emptyObject},
		{"LargeObject", largeObject},
		{"DeleteAgain", deleteAgain},
		{"ReadWhileOverwritten", readWhileOverwritten},
		{"Cancelled", cancelled},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func putThenGet(t *testing.T, b lake.Bucket) {
	put := mustPut(t, b, "data/okta/users/1.jsonl", "hello", lake.PutOptions{})
	if put.Key != "data/okta/users/1.jsonl" || put.Bytes != 5 || put.ETag == "" {
		t.Errorf("put answered %+v, want the key, 5 bytes and an ETag", put)
	}
	if got := read(t, b, "data/okta/users/1.jsonl"); got != "hello" {
		t.Errorf("got %q, want %q", got, "hello")
	}
	head, err := b.Head(t.Context(), "data/okta/users/1.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if head.Key != put.Key || head.Bytes != 5 || head.ETag != put.ETag || head.Modified.IsZero() {
		t.Errorf("head answered %+v, want what put answered: %+v", head, put)
	}
	listed := list(t, b, "data/", "")
	if len(listed) != 1 || listed[0].ETag != put.ETag || listed[0].Bytes != 5 || listed[0].Modified.IsZero() {
		t.Errorf("listed %+v, want one object with ETag %q and 5 bytes", listed, put.ETag)
	}
	if b.Name() == "" {
		t.Error("the bucket has no name")
	}
}

func putOverwrites(t *testing.T, b lake.Bucket) {
	first := mustPut(t, b, "k", "one", lake.PutOptions{Metadata: map[string]string{"a": "1"}})
	second := mustPut(t, b, "k", "other", lake.PutOptions{Metadata: map[string]string{"b": "2"}})
	if first.ETag == second.ETag {
		t.Errorf("both contents have ETag %q", first.ETag)
	}
	if got := read(t, b, "k"); got != "other" {
		t.Errorf("got %q, want %q", got, "other")
	}
	head, err := b.Head(t.Context(), "k")
	if err != nil || head.ETag != second.ETag || head.Metadata["a"] != "" || head.Metadata["b"] != "2" {
		t.Errorf("head answered %+v, %v; want the second object's ETag and metadata", head, err)
	}
}

var errBody = errors.New("the body broke")

// brokenBody fails after its first half.
type brokenBody struct {
	*bytes.Reader
	left int
}

func (b *brokenBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errBody
	}
	n, err := b.Reader.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func putIsWholeOrNothing(t *testing.T, b lake.Bucket) {
	text := bytes.Repeat([]byte("x"), 1<<20)
	for _, key := range []string{"new", "old"} {
		if key == "old" {
			mustPut(t, b, key, "before", lake.PutOptions{})
		}
		body := &brokenBody{bytes.NewReader(text), len(text) / 2}
		if _, err := b.Put(t.Context(), key, body, int64(len(text)), lake.PutOptions{}); err == nil {
			t.Errorf("put of %q with a body that breaks succeeded", key)
		}
	}
	if _, err := b.Head(t.Context(), "new"); !fault.Is(err, fault.NotFound) {
		t.Errorf("after a broken put head answered %v, want not found", err)
	}
	if got := read(t, b, "old"); got != "before" {
		t.Errorf("after a broken overwrite the object has %d bytes, want it as it was", len(got))
	}
	if n := len(list(t, b, "", "")); n != 1 {
		t.Errorf("after broken puts %d objects are listed, want 1", n)
	}
}

func ifAbsentHasOneWinner(t *testing.T, b lake.Bucket) {
	const writers = 16
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		wg.Go(func() {
			body := fmt.Sprintf("writer %02d", i)
			_, errs[i] = b.Put(t.Context(), "race/one", bytes.NewReader([]byte(body)), int64(len(body)),
				lake.PutOptions{IfAbsent: true, Metadata: map[string]string{"writer": fmt.Sprint(i)}})
		})
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Errorf("writers %d and %d both won", winner, i)
		case err == nil:
			winner = i
		case !fault.Is(err, fault.Conflict):
			t.Errorf("writer %d lost with %v (%v), want a conflict", i, err, fault.KindOf(err))
		}
	}
	if winner < 0 {
		t.Fatal("nobody won")
	}
	if got, want := read(t, b, "race/one"), fmt.Sprintf("writer %02d", winner); got != want {
		t.Errorf("the object says %q, want the winner's %q", got, want)
	}
	if head, err := b.Head(t.Context(), "race/one"); err != nil || head.Metadata["writer"] != fmt.Sprint(winner) {
		t.Errorf("the metadata is %v (%v), want the winner's, %d", head.Metadata, err, winner)
	}
}

func listIsInKeyOrder(t *testing.T, b lake.Bucket) {
	// "a-b" sorts before "a/b", which a walk over folders gets wrong.
	keys := []string{"a-b", "a.txt", "a/b", "a/c/d", "a0", "b/1", "b/10", "b/2", "c"}
	for _, k := range shuffled(keys) {
		mustPut(t, b, k, k, lake.PutOptions{})
	}
	for _, c := range []struct {
		prefix, after string
		want          []string
	}{
		{"", "", keys},
		{"a", "", keys[:5]},
		{"a/", "", keys[2:4]},
		{"a/c", "", keys[3:4]},
		{"", "a/b", keys[3:]},
		{"", "a/bb", keys[3:]},
		{"b/", "b/1", keys[6:8]},
		{"b/1", "", keys[5:7]},
		{"a", "b", nil},
		{"b/", "a", keys[5:8]},
		{"x", "", nil},
		{"", "c", nil},
	} {
		var got []string
		for _, o := range list(t, b, c.prefix, c.after) {
			got = append(got, o.Key)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("list of prefix %q after %q is %q, want %q", c.prefix, c.after, got, c.want)
		}
	}
}

func listOfManyStartsAfter(t *testing.T, b lake.Bucket) {
	const n = 1100 // more than one page of S3
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < n; i += 8 {
				key := fmt.Sprintf("many/%02d/%04d", i%7, i)
				if _, err := b.Put(t.Context(), key, bytes.NewReader(nil), 0, lake.PutOptions{}); err != nil {
					t.Errorf("put %s: %v", key, err)
				}
			}
		})
	}
	wg.Wait()
	all := list(t, b, "many/", "")
	if len(all) != n {
		t.Fatalf("listed %d objects, want %d", len(all), n)
	}
	if !slices.IsSortedFunc(all, func(x, y lake.Object) int { return bytes.Compare([]byte(x.Key), []byte(y.Key)) }) {
		t.Error("the list is not in key order")
	}
	if rest := list(t, b, "many/", all[1049].Key); len(rest) != n-1050 || rest[0].Key != all[1050].Key {
		t.Errorf("after the 1050th key came %d objects, want %d", len(rest), n-1050)
	}
}

func listStopsEarly(t *testing.T, b lake.Bucket) {
	for i := range 5 {
		mustPut(t, b, fmt.Sprint(i), "x", lake.PutOptions{})
	}
	seen := 0
	for _, err := range b.List(t.Context(), "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 2 {
			break
		}
	}
	if seen != 2 {
		t.Errorf("saw %d objects before stopping, want 2", seen)
	}
}

func oddKeys(t *testing.T, b lake.Bucket) {
	keys := []string{
		"data/okta/users/year=2025/month=03/07_$1741338302034_0.jsonl.gz",
		"data/with space/x y.jsonl", "data/plus+sign", "data/percent%41", "data/ünïcødé/日本語.jsonl",
		"data/09:05:02.0034_3.jsonl.gz", "data/a&b=c;d@e,f?g#h'(i)!*", "data/users.jsonl.gz-1", "data/users0.jsonl.gz",
		"data/${FOO}/x", "data/back\\slash", "data/quote\"quote", "data/<angle>|pipe", "data/UPPER", "data/tilde~",
	}
	slices.Sort(keys)
	for _, k := range shuffled(keys) {
		mustPut(t, b, k, "in "+k, lake.PutOptions{})
	}
	var got []string
	for _, o := range list(t, b, "data/", "") {
		got = append(got, o.Key)
	}
	if !slices.Equal(got, keys) {
		t.Errorf("listed\n%q, want\n%q", got, keys)
	}
	for i, k := range keys {
		if got := read(t, b, k); got != "in "+k {
			t.Errorf("object %q says %q", k, got)
		}
		if next := list(t, b, "data/", k); i+1 < len(keys) && (len(next) == 0 || next[0].Key != keys[i+1]) {
			t.Errorf("after %q comes %+v, want %q", k, next, keys[i+1])
		}
		if err := b.Delete(t.Context(), k); err != nil {
			t.Errorf("delete %q: %v", k, err)
		}
	}
	if left := list(t, b, "", ""); len(left) != 0 {
		t.Errorf("%d objects are left: %+v", len(left), left)
	}
}

func metadata(t *testing.T, b lake.Bucket) {
	mustPut(t, b, "m", "x", lake.PutOptions{
		ContentType: "application/gzip",
		Metadata:    map[string]string{"AB-Generation-Id": "7", "note": "two words; and = signs"},
	})
	want := map[string]string{"ab-generation-id": "7", "note": "two words; and = signs"}
	head, err := b.Head(t.Context(), "m")
	if err != nil {
		t.Fatal(err)
	}
	body, got, err := b.Get(t.Context(), "m")
	if err != nil {
		t.Fatal(err)
	}
	body.Close()
	for call, o := range map[string]lake.Object{"head": head, "get": got} {
		if !maps.Equal(o.Metadata, want) {
			t.Errorf("%s gave metadata %v, want %v", call, o.Metadata, want)
		}
	}
}

func missingKeys(t *testing.T, b lake.Bucket) {
	mustPut(t, b, "folder/file", "x", lake.PutOptions{})
	for _, key := range []string{"nothing", "folder", "folder/other", "no/such/folder", "folder/file/below"} {
		if _, err := b.Head(t.Context(), key); !fault.Is(err, fault.NotFound) {
			t.Errorf("head of %q answered %v (%v), want not found", key, err, fault.KindOf(err))
		}
		if body, _, err := b.Get(t.Context(), key); !fault.Is(err, fault.NotFound) {
			t.Errorf("get of %q answered %v (%v), want not found", key, err, fault.KindOf(err))
			if err == nil {
				body.Close()
			}
		}
	}
}

func emptyObject(t *testing.T, b lake.Bucket) {
	put := mustPut(t, b, "empty", "", lake.PutOptions{})
	if got := read(t, b, "empty"); got != "" || put.Bytes != 0 {
		t.Errorf("an empty object reads %q, put answered %+v", got, put)
	}
	if listed := list(t, b, "empty", ""); len(listed) != 1 || listed[0].Bytes != 0 {
		t.Errorf("listed %+v, want one object of 0 bytes", listed)
	}
}

func largeObject(t *testing.T, b lake.Bucket) {
	random := rand.NewChaCha8([32]byte{1})
	text := make([]byte, 20<<20)
	random.Read(text)
	if _, err := b.Put(t.Context(), "large", bytes.NewReader(text), int64(len(text)), lake.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, b, "large"); got != string(text) {
		t.Errorf("20 MiB came back as %d other bytes", len(got))
	}
}

func deleteAgain(t *testing.T, b lake.Bucket) {
	mustPut(t, b, "d/e/f", "x", lake.PutOptions{Metadata: map[string]string{"old": "1"}})
	for range 2 {
		if err := b.Delete(t.Context(), "d/e/f"); err != nil {
			t.Fatalf("delete: %v", err)
		}
	}
	if err := b.Delete(t.Context(), "never/was"); err != nil {
		t.Errorf("delete of a key that never was: %v", err)
	}
	if _, err := b.Head(t.Context(), "d/e/f"); !fault.Is(err, fault.NotFound) {
		t.Errorf("after the delete head answered %v, want not found", err)
	}
	mustPut(t, b, "d/e/f", "again", lake.PutOptions{IfAbsent: true})
	head, err := b.Head(t.Context(), "d/e/f")
	if err != nil || len(head.Metadata) != 0 {
		t.Errorf("the new object has the deleted one's metadata: %v (%v)", head.Metadata, err)
	}
}

func readWhileOverwritten(t *testing.T, b lake.Bucket) {
	mustPut(t, b, "k", "the first content", lake.PutOptions{})
	body, _, err := b.Get(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	mustPut(t, b, "k", "the second", lake.PutOptions{})
	got, err := io.ReadAll(body)
	if err != nil || string(got) != "the first content" {
		t.Errorf("the reader got %q, %v; want the first content whole", got, err)
	}
}

func cancelled(t *testing.T, b lake.Bucket) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Put(ctx, "k", bytes.NewReader([]byte("x")), 1, lake.PutOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("put with a cancelled context answered %v, want context.Canceled", err)
	}
	if n := len(list(t, b, "", "")); n != 0 {
		t.Errorf("a cancelled put left %d objects", n)
	}
	for _, err := range b.List(ctx, "", "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("list with a cancelled context yielded %v, want context.Canceled", err)
		}
	}
}

func mustPut(t *testing.T, b lake.Bucket, key, text string, opts lake.PutOptions) lake.Object {
	t.Helper()
	o, err := b.Put(t.Context(), key, bytes.NewReader([]byte(text)), int64(len(text)), opts)
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
	return o
}

func read(t *testing.T, b lake.Bucket, key string) string {
	t.Helper()
	body, _, err := b.Get(t.Context(), key)
	if err != nil {
		t.Errorf("get %q: %v", key, err)
		return ""
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err != nil {
		t.Errorf("read %q: %v", key, err)
	}
	return string(text)
}

func list(t *testing.T, b lake.Bucket, prefix, after string) []lake.Object {
	t.Helper()
	var all []lake.Object
	for o, err := range b.List(t.Context(), prefix, after) {
		if err != nil {
			t.Fatalf("list %q after %q: %v", prefix, after, err)
		}
		all = append(all, o)
	}
	return all
}

func shuffled(keys []string) []string {
	mixed := slices.Clone(keys)
	r := rand.New(rand.NewPCG(1, 2))
	r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	return mixed
}
