package lake_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"longshore/internal/fault"
	"longshore/internal/lake"
)

func packZstd(t *testing.T, text string, opts ...zstd.EOption) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, opts...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReaderOfZstd(t *testing.T) {
	frames := append(packZstd(t, "{\"id\":1}\n"), packZstd(t, "\r\n{\"id\":2}")...)
	lines, err := readAll(t, bytes.NewReader(frames), lake.ReaderOptions{})
	if err != nil || len(lines) != 2 || lines[1].body != `{"id":2}` || lines[1].number != 3 {
		t.Errorf("two frames: %+v, %v; want records in lines 1 and 3", lines, err)
	}
	whole := packZstd(t, strings.Repeat("{\"id\":1}\n", 1000))
	_, err = readAll(t, bytes.NewReader(whole[:len(whole)-3]), lake.ReaderOptions{})
	var short *lake.TruncatedError
	if !errors.As(err, &short) || short.Packing != "zstd" || !fault.Is(err, fault.Invalid) {
		t.Errorf("zstd without its end: %v, want a TruncatedError of zstd", err)
	}
}

func TestReaderRefusesWhatUnpacksToTooMuch(t *testing.T) {
	text := strings.Repeat("{\"id\":1}\n", 1000)
	for name, packed := range map[string][]byte{"gzip": pack(text), "zstd": packZstd(t, text)} {
		var over *lake.ExpansionError
		_, err := readAll(t, bytes.NewReader(packed), lake.ReaderOptions{MaxBytes: int64(len(text)) - 1})
		if !errors.As(err, &over) || !fault.Is(err, fault.Invalid) {
			t.Errorf("%s over the limit of bytes: %v, want an ExpansionError", name, err)
		}
		if lines, err := readAll(t, bytes.NewReader(packed), lake.ReaderOptions{MaxBytes: int64(len(text))}); err != nil || len(lines) != 1000 {
			t.Errorf("%s at the limit of bytes: %d lines, %v", name, len(lines), err)
		}
	}
}

func TestReaderRefusesABomb(t *testing.T) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<20)
	for range 300 { // MiB, past what is free of the ratio
		if _, err := z.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	var over *lake.ExpansionError
	if _, err := readAll(t, &b, lake.ReaderOptions{}); !errors.As(err, &over) || !strings.Contains(over.Reason, "500 times") {
		t.Errorf("a bomb of gzip: %v, want it refused for its ratio", err)
	}
}
