package connector

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"longshore/internal/airbyte"
	"longshore/internal/destination/s3"
	"longshore/internal/fault"
	"longshore/internal/lake"
)

// start is the time of the contract's vectors.
var start = time.Date(2025, 3, 7, 9, 5, 2, 34_000_000, time.UTC)

type bench struct {
	t       *testing.T
	bucket  lake.Bucket
	options Options
	config  map[string]any
	streams []string // of the configured catalog
	output  bytes.Buffer
}

func newBench(t *testing.T) *bench {
	t.Helper()
	bucket, err := lake.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, bucket: bucket, config: map[string]any{
		"s3_bucket_name": "b", "s3_bucket_path": "data/", "s3_bucket_region": "", "s3_path_format": lake.GuideFormat,
		"format": map[string]any{"format_type": "JSONL"},
	}}
	b.options = Options{
		OpenBucket: func(context.Context, s3.Settings) (lake.Bucket, error) { return b.bucket, nil },
		TempDir:    t.TempDir(), Now: func() time.Time { return start },
	}
	b.stream("okta", "users", 7, 7)
	return b
}

func (b *bench) stream(namespace, name string, generation, minimum int) {
	b.streams = append(b.streams, fmt.Sprintf(
		`{"stream":{"name":%q,"namespace":%q},"destination_sync_mode":"append","generation_id":%d,"minimum_generation_id":%d,"sync_id":42}`, name, namespace, generation, minimum))
}

func (b *bench) run(name string, messages ...string) bool {
	b.t.Helper()
	dir := b.t.TempDir()
	config, err := json.Marshal(b.config)
	if err != nil {
		b.t.Fatal(err)
	}
	files := airbyte.Files{Config: filepath.Join(dir, "config"), Catalog: filepath.Join(dir, "catalog")}
	for path, text := range map[string]string{files.Config: string(config), files.Catalog: `{"streams":[` + strings.Join(b.streams, ",") + `]}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	b.output.Reset()
	ok, err := New(b.options).Run(b.t.Context(), name, files, false, strings.NewReader(strings.Join(messages, "\n")), &b.output)
	if err != nil {
		b.t.Fatal(err)
	}
	return ok
}

func (b *bench) keys() []string {
	b.t.Helper()
	var all []string
	for o, err := range b.bucket.List(b.t.Context(), "", "") {
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, o.Key)
	}
	return all
}

// text is an object's content, unpacked when its name says so.
func (b *bench) text(key string) string {
	b.t.Helper()
	body, _, err := b.bucket.Get(b.t.Context(), key)
	if err != nil {
		b.t.Fatal(err)
	}
	defer body.Close()
	var from io.Reader = body
	if strings.Contains(key, ".gz") {
		if from, err = gzip.NewReader(body); err != nil {
			b.t.Fatal(err)
		}
	}
	text, err := io.ReadAll(from)
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

func record(stream, data string) string {
	return fmt.Sprintf(`{"type":"RECORD","record":{"stream":%q,"namespace":"okta","data":%s,"emitted_at":1741338302034,"meta":{"changes":[{"field":"bio","change":"NULLED","reason":"SOURCE_FIELD_SIZE_LIMITATION"}]}}}`, stream, data)
}

func state(stream string) string {
	return fmt.Sprintf(`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":%q,"namespace":"okta"},"stream_state":{}}}}`, stream)
}

func complete(stream string) string {
	return fmt.Sprintf(`{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1.0,"stream_status":{"stream_descriptor":{"name":%q,"namespace":"okta"},"status":"COMPLETE"}}}`, stream)
}

func TestWriteMakesAirbytesObjects(t *testing.T) {
	const data = `{"id":"00u1","name":"Zoë ` + "\u2028" + ` <>&","n":12345678901234567890,"f":1.0}`
	for _, c := range []struct {
		name, path, format, pattern string
		write                       map[string]any
		key, line                   string
	}{
		{"the guide's Terraform tab", "data/", lake.GuideFormat, "", nil, "data/okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz", `,"_airbyte_data":` + data + `}`},
		{"the guide's form tab", "/data", strings.Replace(lake.GuideFormat, "${EPOCH}", "$${EPOCH}", 1), "", nil, "/data/okta/users/year=2025/month=03/07_$1741338302034_0.jsonl.gz", `,"_airbyte_data":` + data + `}`},
		{
			"flattened and plain", "data", "${NAMESPACE}/${STREAM_NAME}/", "{sync_id}/{part_number}{format_extension}",
			map[string]any{"flattening": "Root level flattening", "compression": map[string]any{"compression_type": "No Compression"}},
			"data/okta/users/42/0.jsonl", "," + data[1:],
		},
		{"a pattern without an extension", "data/", "${NAMESPACE}/${STREAM_NAME}/", "part-{part_number}", map[string]any{"compression": nil}, "data/okta/users/part-0", `,"_airbyte_data":` + data + `}`},
	} {
		b := newBench(t)
		b.config["s3_bucket_path"], b.config["s3_path_format"], b.config["file_name_pattern"] = c.path, c.format, c.pattern
		format := map[string]any{"format_type": "JSONL"}
		for name, value := range c.write {
			format[name] = value
		}
		b.config["format"] = format
		if !b.run("write", record("users", data), state("users"), complete("users")) {
			t.Errorf("%s: %s", c.name, b.output.String())
			continue
		}
		if got := b.keys(); !slices.Equal(got, []string{c.key}) {
			t.Errorf("%s: the keys are %q, want %q", c.name, got, c.key)
			continue
		}
		const before = `{"_airbyte_raw_id":"`
		want := `","_airbyte_extracted_at":1741338302034,"_airbyte_meta":{"sync_id":42,"changes":[{"field":"bio","change":"NULLED","reason":"SOURCE_FIELD_SIZE_LIMITATION"}]},"_airbyte_generation_id":7` + c.line + "\n"
		if got := b.text(c.key); len(got) < len(before)+36 || got[:len(before)] != before || got[len(before)+36:] != want {
			t.Errorf("%s: wrote\n%swant\n%s<uuid>%s", c.name, got, before, want)
		}
		o, err := b.bucket.Head(t.Context(), c.key)
		if err != nil || o.Metadata[lake.GenerationMetadata] != "7" {
			t.Errorf("%s: the metadata is %v, %v", c.name, o.Metadata, err)
		}
		if strings.Count(b.output.String(), `"destinationStats":{"recordCount":1.0}`) != 1 {
			t.Errorf("%s: told %s", c.name, b.output.String())
		}
	}
}

// Objects are closed by size, parts are numbered, and a state comes back with the object that its records are in.
func TestObjectsRotate(t *testing.T) {
	b := newBench(t)
	b.config["format"] = map[string]any{"format_type": "JSONL", "compression": nil}
	b.options.Writing.MaxBytes = 2000
	var messages []string
	for i := range 30 {
		messages = append(messages, record("users", fmt.Sprintf(`{"n":%d}`, i)), state("users"))
	}
	if !b.run("write", append(messages, complete("users"))...) {
		t.Fatal(b.output.String())
	}
	keys, n := b.keys(), 0
	for i, key := range keys {
		if !strings.HasSuffix(key, fmt.Sprintf("_%d.jsonl", i)) {
			t.Errorf("part %d is %s", i, key)
		}
		for line := range strings.Lines(b.text(key)) {
			if !strings.Contains(line, fmt.Sprintf(`{"n":%d}}`, n)) {
				t.Fatalf("record %d is %s", n, line)
			}
			n++
		}
	}
	if len(keys) < 3 || len(keys) > 9 || n != 30 || strings.Count(b.output.String(), `"STATE"`) != 30 {
		t.Errorf("%d objects with %d records, told %s", len(keys), n, b.output.String())
	}
}

// However many streams are written at one time, few objects are open.
func TestOpenObjectsAreBounded(t *testing.T) {
	b := newBench(t)
	b.options.Writing.MaxOpen = 3
	var messages, ends []string
	for i := range 9 {
		name := fmt.Sprintf("s%d", i)
		b.stream("okta", name, 0, 0)
		ends = append(ends, complete(name))
	}
	for range 2 {
		for i := range 9 {
			messages = append(messages, record(fmt.Sprintf("s%d", i), `{}`))
		}
	}
	messages = append(append(messages, ends...), complete("users"))
	if !b.run("write", messages...) {
		t.Fatal(b.output.String())
	}
	lines := 0
	for _, key := range b.keys() {
		lines += strings.Count(b.text(key), "\n")
	}
	if n := len(b.keys()); n != 18 || lines != 18 {
		t.Errorf("%d objects with %d records, want 18 of one: three at most are open, and the oldest has to go", n, lines)
	}
	if left, err := os.ReadDir(b.options.TempDir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Nothing is written over, whatever the pattern: numbers go on, and names without a number get a suffix.
func TestNothingIsWrittenOver(t *testing.T) {
	for _, c := range []struct {
		pattern, version string
		there            []string
		want             string
	}{
		{"", "1.5", []string{"0.jsonl.gz", "7.jsonl.gz"}, "8.jsonl.gz"},
		{"", "1.5", []string{"3.jsonl.gz-2"}, "4.jsonl.gz"},
		{"", "1.4", []string{"0.jsonl.gz", "2.jsonl.gz"}, "3.jsonl.gz"}, // the count is 2, which is used
		{"", "1.4", []string{"5.jsonl.gz"}, "1.jsonl.gz"},
		{"all{format_extension}", "1.5", []string{"all.jsonl.gz", "all.jsonl.gz-1"}, "all.jsonl.gz-2"},
	} {
		b := newBench(t)
		b.streams = nil
		b.stream("okta", "users", 1, 0)
		b.config["s3_path_format"], b.config["file_name_pattern"], b.config["key_version"] = "${STREAM_NAME}/", c.pattern, c.version
		for _, key := range c.there {
			if _, err := b.bucket.Put(t.Context(), "data/users/"+key, strings.NewReader("there"), 5, lake.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if !b.run("write", record("users", `{}`), complete("users")) {
			t.Fatal(b.output.String())
		}
		for _, key := range c.there {
			body, _, err := b.bucket.Get(t.Context(), "data/users/"+key)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(body)
			body.Close()
			if string(text) != "there" {
				t.Errorf("%q %s: %s was written over", c.pattern, c.version, key)
			}
		}
		if !slices.Contains(b.keys(), "data/users/"+c.want) || len(b.keys()) != len(c.there)+1 {
			t.Errorf("%q %s: the keys are %q, want %s added", c.pattern, c.version, b.keys(), c.want)
		}
	}
}

// An overwrite, and a run that clears, delete older generations once every stream has ended; a run that breaks off
// deletes nothing.
func TestOverwriteAndClear(t *testing.T) {
	b := newBench(t)
	b.options.Connection = "c1"
	run := func(generation, minimum int, at time.Time, messages ...string) bool {
		b.streams = nil
		b.stream("okta", "users", generation, minimum)
		b.options.Now = func() time.Time { return at }
		return b.run("write", messages...)
	}
	expect := func(what string, n int) {
		t.Helper()
		if got := b.keys(); len(got) != n {
			t.Errorf("%s: the keys are %q, want %d", what, got, n)
		}
	}
	users := record("users", `{"id":1}`)
	run(1, 0, start, users, complete("users"))
	run(1, 0, start.Add(time.Hour), users, complete("users"))
	expect("appended", 2)
	if run(2, 2, start.Add(2*time.Hour), users) {
		t.Error("a run without an end succeeded")
	}
	expect("broken off", 3)
	run(2, 2, start.Add(3*time.Hour), users, complete("users"))
	expect("overwritten", 2) // the part that the broken attempt stored is of the same generation
	run(3, 0, start.Add(4*time.Hour), users, complete("users"))
	expect("full refresh that appends", 3)
	run(4, 4, start.Add(5*time.Hour), complete("users"))
	expect("cleared", 0)
}

func TestCheckLeavesNothing(t *testing.T) {
	for version, want := range map[string]string{
		"1.5": "data/testing/test/year=2025/month=03/07_1741338302034_/_EXAMPLE", "1.4": "data/test_1741338302034",
	} {
		b := newBench(t)
		b.config["key_version"] = version
		seen := &spy{Bucket: b.bucket}
		b.bucket = seen
		if !b.run("check") || !strings.Contains(b.output.String(), "SUCCEEDED") {
			t.Errorf("%s: %s", version, b.output.String())
		}
		if len(b.keys()) != 0 || !slices.Equal(seen.put, []string{want}) {
			t.Errorf("%s: wrote %q and left %q, want %s written and removed", version, seen.put, b.keys(), want)
		}
		if _, ignored := lake.Ignore(want); !ignored {
			t.Errorf("%s would be read as records", want)
		}
		for _, right := range []string{"put", "get", "list", "delete"} {
			seen.refuses = right
			if !b.run("check") || !strings.Contains(b.output.String(), `"FAILED"`) || !strings.Contains(b.output.String(), "may not "+right) {
				t.Errorf("%s without the right to %s: %s", version, right, b.output.String())
			}
		}
	}
}

// spy tells what is put, and refuses one right.
type spy struct {
	lake.Bucket
	put     []string
	refuses string
}

func (s *spy) refuse(right string) error {
	if s.refuses == right {
		return fault.Errorf(fault.Denied, "may not %s", right)
	}
	return nil
}

func (s *spy) Put(ctx context.Context, key string, body io.ReadSeeker, n int64, o lake.PutOptions) (lake.Object, error) {
	if err := s.refuse("put"); err != nil {
		return lake.Object{}, err
	}
	s.put = append(s.put, key)
	return s.Bucket.Put(ctx, key, body, n, o)
}

func (s *spy) Get(ctx context.Context, key string) (io.ReadCloser, lake.Object, error) {
	if err := s.refuse("get"); err != nil {
		return nil, lake.Object{}, err
	}
	return s.Bucket.Get(ctx, key)
}

func (s *spy) Delete(ctx context.Context, key string) error {
	if err := s.refuse("delete"); err != nil {
		return err
	}
	return s.Bucket.Delete(ctx, key)
}

func (s *spy) List(ctx context.Context, prefix, after string) iter.Seq2[lake.Object, error] {
	if err := s.refuse("list"); err != nil {
		return func(yield func(lake.Object, error) bool) { yield(lake.Object{}, err) }
	}
	return s.Bucket.List(ctx, prefix, after)
}
