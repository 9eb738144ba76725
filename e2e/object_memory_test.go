//go:build bench

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"longshore/internal/receipt"
)

// objectGB is how large the large object is once it is unpacked; LONGSHORE_BENCH_OBJECT_GB sets another size.
const objectGB = 5

// TestLargeObjectsAreSmallInMemory takes objects that somebody put into the lake, each with a process of its own, and prints
// the most memory that it ever held: an object of 5 GB, one with a line of 64 MiB, one with a record of 4 MiB,
// and one that unpacks to far more than it is.
func TestLargeObjectsAreSmallInMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the peak is read from /proc, which Linux alone has")
	}
	size := int64(objectGB)
	if text := os.Getenv("LONGSHORE_BENCH_OBJECT_GB"); text != "" {
		var err error
		if size, err = strconv.ParseInt(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	program, data := filepath.Join(dir, "longshore"), filepath.Join(dir, "data")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../cmd/longshore").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	longshore := func(args ...string) (out []byte, errs string, peak, code int) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, append(args, "--data", data, "--s3-listen", "127.0.0.1:0")...)
		cmd.Env = append(os.Environ(), "OKTA_CLIENT_ORGURL=", "OKTA_CLIENT_TOKEN=", "LONGSHORE_DATA=")
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		for look := time.NewTicker(50 * time.Millisecond); ; {
			select {
			case <-ended:
				return stdout.Bytes(), stderr.String(), peak, cmd.ProcessState.ExitCode()
			case <-look.C:
				peak = max(peak, peakMiB(cmd.Process.Pid))
			}
		}
	}
	if out, errs, _, code := longshore("up", "--once", "--listen", "127.0.0.1:0"); code != 0 {
		t.Fatalf("up --once: exit %d\n%s%s", code, out, errs)
	}

	noise := rand.NewChaCha8([32]byte{1})
	record := func(w io.Writer, id int64, bytes int) error {
		text := make([]byte, bytes/2)
		_, _ = noise.Read(text)
		_, err := fmt.Fprintf(w, `{"id":"00uhuge%d","profile":{"bio":"%x"}}`+"\n", id, text)
		return err
	}
	for _, c := range []struct {
		name, stream string
		content      func(w io.Writer) (lines int64, err error)
		verdict      string // that the object's records have, or what is said of the object
		code         int
	}{
		{fmt.Sprintf("%d GB", size), "unknown_things", func(w io.Writer) (lines int64, err error) {
			for written := int64(0); written < size<<30 && err == nil; written += 20 << 10 {
				lines++
				err = record(w, lines, 20<<10)
			}
			return lines, err
		}, "no-mapping-matched", 0},
		{"a line of 64 MiB", "unknown_things", func(w io.Writer) (int64, error) { return 1, record(w, 1, 64<<20) }, "over-limit", 0},
		{"a record of 4 MiB", "unknown_things", func(w io.Writer) (int64, error) { return 1, record(w, 1, 4<<20) }, "no-mapping-matched", 0},
		{"a bomb of 3 GB", "unknown_things", func(w io.Writer) (int64, error) {
			_, err := io.CopyN(w, letters{}, 3<<30)
			return 0, err
		}, "refused", 1},
	} {
		key := filepath.Join(data, "lake", "org-demo", "data", "okta", c.stream, "year=2026", "month=11", fmt.Sprintf("24_%d_0.jsonl.gz", time.Now().UnixMilli()))
		lines := pack(t, key, c.content)
		info, err := os.Stat(key)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		out, errs, peak, code := longshore("ingest", "--json")
		fmt.Printf("%-20s %12d bytes stored %10s %8d MiB at its peak\n", c.name, info.Size(), time.Since(began).Round(time.Second), peak)
		if peak == 0 || peak > maxPeakMiB {
			t.Errorf("%s: ingest held %d MiB at its peak, want at most %d", c.name, peak, maxPeakMiB)
		}
		if code != c.code {
			t.Errorf("%s: exit %d\n%.2000s%.2000s", c.name, code, out, errs)
		}
		var account receipt.Receipt
		if err := json.Unmarshal(out, &account); err != nil {
			t.Fatalf("%s: %v\n%.2000s", c.name, err, out)
		}
		if c.code != 0 {
			if !strings.Contains(string(out)+errs, c.verdict) {
				t.Errorf("%s: nothing says that it was %s\n%.3000s", c.name, c.verdict, out)
			}
		} else if got := verdictsOf(account, c.stream)[c.verdict]; got < lines {
			t.Errorf("%s: %d records are %s, want %d at least: %v", c.name, got, c.verdict, lines, verdictsOf(account, c.stream))
		}
	}
}

// letters is the same letter for ever.
type letters struct{}

func (letters) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'a'
	}
	return len(b), nil
}

// pack writes a gzip object and gives it its name once it is whole.
func pack(t *testing.T, path string, content func(w io.Writer) (int64, error)) (lines int64) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "object"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriterSize(z, 1<<20)
	if lines, err = content(w); err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = z.Close()
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func verdictsOf(r receipt.Receipt, stream string) map[string]int64 {
	for _, s := range r.Streams {
		if s.Name == stream {
			return s.Verdicts
		}
	}
	return nil
}
