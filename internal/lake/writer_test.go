package lake_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"longshore/internal/fault"
	"longshore/internal/lake"
)

var extracted = time.UnixMilli(1741338302034)

func newWriter(t testing.TB, opts lake.WriterOptions) *lake.Writer {
	t.Helper()
	if opts.Seed == "" {
		opts.Seed = lake.Seed(4211, "okta", "users", 0)
	}
	opts.TempDir = t.TempDir()
	w, err := lake.NewWriter(opts)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func finish(t testing.TB, w *lake.Writer) (*lake.Written, []byte) {
	t.Helper()
	o, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	text, err := io.ReadAll(o.File)
	if err != nil {
		t.Fatal(err)
	}
	return o, text
}

func TestWriterWritesAirbytesEnvelope(t *testing.T) {
	w := newWriter(t, lake.WriterOptions{SyncID: 4211, Generation: 7, Plain: true})
	for _, r := range []string{`{"id":"00u1","n":1.0}`, "  {\"a\":\n \"b < \u2028\"}  "} {
		if err := w.Append([]byte(r), extracted); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.AppendEvent([]byte(`[1,2]`), []byte(`{"X-Okta":"1"}`), nil, extracted); err != nil {
		t.Fatal(err)
	}
	_, text := finish(t, w)
	ids := regexp.MustCompile(`"_airbyte_raw_id":"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"`)
	got := ids.ReplaceAllString(string(text), `"_airbyte_raw_id":"ID"`)
	want := `{"_airbyte_raw_id":"ID","_airbyte_extracted_at":1741338302034,"_airbyte_meta":{"sync_id":4211,"changes":[]},"_airbyte_generation_id":7,"_airbyte_data":{"id":"00u1","n":1.0}}
{"_airbyte_raw_id":"ID","_airbyte_extracted_at":1741338302034,"_airbyte_meta":{"sync_id":4211,"changes":[]},"_airbyte_generation_id":7,"_airbyte_data":{"a":"b < ` + "\u2028" + `"}}
{"_airbyte_raw_id":"ID","_airbyte_extracted_at":1741338302034,"_airbyte_meta":{"sync_id":0,"changes":[]},"_airbyte_generation_id":7,"_longshore_event":{"headers":{"X-Okta":"1"},"queryParams":{}},"_airbyte_data":[1,2]}
`
	if got != want {
		t.Errorf("wrote\n%s\nwant\n%s", got, want)
	}
	if found := ids.FindAllString(string(text), -1); len(found) != 3 || found[0] == found[1] {
		t.Errorf("raw ids are %q, want three different ones", found)
	}
}

func TestWriterRepeatsItself(t *testing.T) {
	write := func(seed string) string {
		w := newWriter(t, lake.WriterOptions{Seed: seed, SyncID: 1, Generation: 1})
		for i := range 1000 {
			if err := w.Append(fmt.Appendf(nil, `{"id":%d}`, i), extracted); err != nil {
				t.Fatal(err)
			}
		}
		o, text := finish(t, w)
		sum := sha256.Sum256(text)
		if o.SHA256 != hex.EncodeToString(sum[:]) || o.Bytes != int64(len(text)) || o.Rows != 1000 {
			t.Errorf("the writer says %+v of an object with %d bytes and sum %x", o, len(text), sum)
		}
		return string(text)
	}
	a, b, c := write("x"), write("x"), write("y")
	if a != b {
		t.Error("the same records with the same seed gave other bytes")
	}
	if a == c {
		t.Error("another seed gave the same bytes")
	}
	z, err := gzip.NewReader(strings.NewReader(a))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(z); err != nil || bytes.Count(text, []byte("\n")) != 1000 {
		t.Errorf("unpacked: %d lines, %v; want 1000", bytes.Count(text, []byte("\n")), err)
	}
}

func TestWriterRefusesWhatIsNoRecord(t *testing.T) {
	w := newWriter(t, lake.WriterOptions{Plain: true})
	for _, r := range []string{"", "[1]", `"x"`, `{"a":1}{`, `{"a":}`, "{\"a\":\"\xff\"}"} {
		if err := w.Append([]byte(r), extracted); !fault.Is(err, fault.Invalid) {
			t.Errorf("append of %q: %v, want invalid", r, err)
		}
	}
	for _, e := range [][3]string{{"", "{}", "{}"}, {"1", "[]", "{}"}, {"1", "{}", "2"}, {"1 2", "{}", "{}"}} {
		if err := w.AppendEvent([]byte(e[0]), []byte(e[1]), []byte(e[2]), extracted); !fault.Is(err, fault.Invalid) {
			t.Errorf("append of event %q: %v, want invalid", e, err)
		}
	}
	if o, text := finish(t, w); o.Rows != 0 || len(text) != 0 {
		t.Errorf("refused records left %d rows, %q", o.Rows, text)
	}
}

func TestWriterLeavesNoFileBehind(t *testing.T) {
	dir := t.TempDir()
	for _, end := range []func(*lake.Writer) error{
		func(w *lake.Writer) error { w.Discard(); return nil },
		func(w *lake.Writer) error {
			o, err := w.Close()
			return errors.Join(err, o.Close())
		},
	} {
		w, err := lake.NewWriter(lake.WriterOptions{Seed: "s", TempDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Append([]byte("{}"), extracted), end(w)); err != nil {
			t.Fatal(err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func TestWrittenPut(t *testing.T) {
	b := openFolder(t, t.TempDir())
	w := newWriter(t, lake.WriterOptions{Generation: 7})
	if err := w.Append([]byte(`{"id":1}`), extracted); err != nil {
		t.Fatal(err)
	}
	o, _ := finish(t, w)
	put, err := o.Put(t.Context(), b, "data/n/s/0.jsonl.gz", true)
	if err != nil || put.Bytes != o.Bytes {
		t.Fatalf("put answered %+v, %v; want %d bytes", put, err, o.Bytes)
	}
	if head, err := b.Head(t.Context(), "data/n/s/0.jsonl.gz"); err != nil || head.Metadata[lake.GenerationMetadata] != "7" {
		t.Errorf("metadata is %v (%v), want generation 7", head.Metadata, err)
	}
	if _, err := o.Put(t.Context(), b, "data/n/s/0.jsonl.gz", true); !fault.Is(err, fault.Conflict) {
		t.Errorf("the second conditional put answered %v, want a conflict", err)
	}
}

// user is a record of usual size and shape.
func user(i int) []byte {
	return fmt.Appendf(nil, `{"id":"00u%017d","status":"ACTIVE","created":"2024-01-%02dT10:11:12.000Z","activated":null,"lastLogin":"2025-03-%02dT01:02:03.000Z","lastUpdated":"2025-02-01T00:00:00.000Z","passwordChanged":null,"type":{"id":"otyfnjfba4ye7pgjB0g4"},"profile":{"firstName":"Ana %d","lastName":"Müller-%d","mobilePhone":null,"secondEmail":"","login":"ana.%d@example.com","email":"ana.%d@example.com","department":"R&D","costCenter":"%d"},"credentials":{"provider":{"type":"OKTA","name":"OKTA"}},"_links":{"self":{"href":"https://example.okta.com/api/v1/users/00u%017d"}}}`,
		i*7919, i%28+1, i%28+1, i, i, i, i, i%97, i*7919)
}

func BenchmarkWriter(b *testing.B) {
	for _, level := range []int{1, 3, 6} {
		b.Run(fmt.Sprintf("level%d", level), func(b *testing.B) {
			records := make([][]byte, 4096)
			var size int64
			for i := range records {
				records[i] = user(i)
				size += int64(len(records[i]))
			}
			w := newWriter(b, lake.WriterOptions{Level: level})
			b.SetBytes(size / int64(len(records)))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := w.Append(records[i%len(records)], extracted); err != nil {
					b.Fatal(err)
				}
			}
			o, err := w.Close()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(o.RawBytes)/float64(o.Bytes), "ratio")
			o.Close()
		})
	}
}

// The line of Airbyte's S3 destination 1.5 and later, byte for byte but for the raw id.
func TestLineIsAirbytesByteForByte(t *testing.T) {
	ids := regexp.MustCompile(`"_airbyte_raw_id":"[0-9a-f-]{36}"`)
	record := `{"id": "00u1", "name":"Zo\u00eb ` + "\u2028" + ` <>& \/", "n":12345678901234567890, "f":1.0, "c":"\u001f\u0009", "nested":{ "login" : "a@b" }}`
	const members = `"id":"00u1","name":"Zoë ` + "\u2028" + ` <>& /","n":12345678901234567890,"f":1.0,"c":"\u001F\t","nested":{"login":"a@b"}`
	for _, c := range []struct {
		name            string
		flatten         bool
		record, changes string
		want            string
	}{
		{"plain", false, record, "", `"_airbyte_meta":{"sync_id":4211,"changes":[]},"_airbyte_generation_id":7,"_airbyte_data":{` + members + "}}\n"},
		{"flattened", true, record, "", `"_airbyte_meta":{"sync_id":4211,"changes":[]},"_airbyte_generation_id":7,` + members + "}\n"},
		{"empty", false, `{ }`, "", `"_airbyte_meta":{"sync_id":4211,"changes":[]},"_airbyte_generation_id":7,"_airbyte_data":{}}` + "\n"},
		{"empty, flattened", true, ` { } `, "", `"_airbyte_meta":{"sync_id":4211,"changes":[]},"_airbyte_generation_id":7}` + "\n"},
		{
			"changed", false, `{"a":1}`, `[{"change":"NULLED","field":"a","reason":"SOURCE_RETRIEVAL_ERROR"}]`,
			`"_airbyte_meta":{"sync_id":4211,"changes":[{"field":"a","change":"NULLED","reason":"SOURCE_RETRIEVAL_ERROR"}]},"_airbyte_generation_id":7,"_airbyte_data":{"a":1}}` + "\n",
		},
	} {
		w := newWriter(t, lake.WriterOptions{SyncID: 4211, Generation: 7, Plain: true, Flatten: c.flatten})
		if err := w.AppendChanged([]byte(c.record), []byte(c.changes), extracted); err != nil {
			t.Fatal(err)
		}
		raw := w.RawBytes()
		_, text := finish(t, w)
		if got, want := ids.ReplaceAllString(string(text), `ID`), `{ID,"_airbyte_extracted_at":1741338302034,`+c.want; got != want || raw != int64(len(text)) {
			t.Errorf("%s: wrote\n%swant\n%s(%d raw bytes counted)", c.name, got, want, raw)
		}
	}
}

// A record of any length is one line, and stands in the writer's memory in pieces.
func TestLongRecordIsOneLine(t *testing.T) {
	w := newWriter(t, lake.WriterOptions{Plain: true})
	long := `{"a":[` + strings.Repeat(`"some text", `, 1<<17) + `1],"b":"` + strings.Repeat(`\u0041`, 1<<18) + `"}`
	if err := w.Append([]byte(long), extracted); err != nil {
		t.Fatal(err)
	}
	o, text := finish(t, w)
	want := `{"a":[` + strings.Repeat(`"some text",`, 1<<17) + `1],"b":"` + strings.Repeat(`A`, 1<<18) + `"}}` + "\n"
	if !strings.HasSuffix(string(text), `"_airbyte_data":`+want) || o.Rows != 1 || o.RawBytes != int64(len(text)) {
		t.Errorf("%d bytes in %d rows, %d counted, want one line that ends with %d bytes", len(text), o.Rows, o.RawBytes, len(want))
	}
}

// A record does not stand in the writer's memory a second time, however long it is.
func TestLongRecordTakesNoMemory(t *testing.T) {
	w := newWriter(t, lake.WriterOptions{Level: 1})
	record := []byte(`{"a":"` + strings.Repeat("abcdefgh", 4<<20) + `"}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := w.Append(record, extracted); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if got, limit := after.TotalAlloc-before.TotalAlloc, uint64(8<<20); got > limit {
		t.Errorf("a record of %d bytes took %d bytes of memory, want %d at most", len(record), got, limit)
	}
	finish(t, w)
}
