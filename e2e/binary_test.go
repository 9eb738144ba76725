//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"longshore/internal/receipt"
)

// binary is the program under test, built once by TestMain.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "longshore-e2e-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "longshore")
		build := exec.Command("go", "build", "-o", binary, "../cmd/longshore")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

// folder is one data folder with ports of its own.
type folder struct {
	t    *testing.T
	data string
	s3   string
}

func newFolder(t *testing.T) folder {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return folder{t, filepath.Join(t.TempDir(), "data"), l.Addr().String()}
}

func (f folder) command(ctx context.Context, args ...string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
	cmd := exec.CommandContext(ctx, binary, append(args, "--data", f.data, "--s3-listen", f.s3)...)
	cmd.Env = append(os.Environ(), "OKTA_CLIENT_ORGURL=", "OKTA_CLIENT_TOKEN=", "LONGSHORE_DATA=")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	return cmd, &out, &errs
}

// run runs the command to its end and returns what it printed and its exit code.
func (f folder) run(args ...string) (stdout, stderr string, code int) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd, out, errs := f.command(ctx, args...)
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		f.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must runs the command and ends the test when it fails.
func (f folder) must(args ...string) string {
	f.t.Helper()
	out, errs, code := f.run(args...)
	if code != 0 {
		f.t.Fatalf("longshore %s: exit %d\n%s\n%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// receipts runs up --once --json and returns the receipts that it printed.
func (f folder) receipts(args ...string) []receipt.Receipt {
	f.t.Helper()
	var all []receipt.Receipt
	d := json.NewDecoder(strings.NewReader(f.must(append([]string{"up", "--once", "--json"}, args...)...)))
	for d.More() {
		var r receipt.Receipt
		if err := d.Decode(&r); err != nil {
			f.t.Fatal(err)
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		f.t.Fatal("up --once --json printed no receipt")
	}
	return all
}

// export returns the catalog's lines.
func (f folder) export() string {
	f.t.Helper()
	return f.must("export")
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}

// comparable is a receipt without what differs between two runs of the same org: times, and the calls, which a run that
// was interrupted makes more of, and which streams that run side by side share in another way each time.
func comparable(r receipt.Receipt) string {
	r.StartedAt, r.FinishedAt, r.Calls = time.Time{}, time.Time{}, nil
	r.Streams = slices.Clone(r.Streams)
	for i := range r.Streams {
		r.Streams[i].Calls = 0
	}
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return string(text)
}
