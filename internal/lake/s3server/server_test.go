package s3server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/s3err"

	"longshore/internal/fault"
	"longshore/internal/lake"
	"longshore/internal/lake/laketest"
	"longshore/internal/lake/s3"
)

// The tests share one server, for a process can have no more.
var (
	server    *Server
	serverDir string
	printed   *os.File // what was written to standard output since the start
)

func TestMain(m *testing.M) {
	os.Exit(runWithServer(m))
}

func runWithServer(m *testing.M) int {
	dir, err := os.MkdirTemp("", "s3server-test-*")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if printed, err = os.Create(filepath.Join(dir, "stdout")); err != nil {
		panic(err)
	}
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = printed, printed
	serverDir = filepath.Join(dir, "lake")
	server, err = Start(context.Background(), Config{Dir: serverDir, Listen: "127.0.0.1:0", AccessKey: "longshore", SecretKey: "test-secret", Bucket: "longshore"})
	if err != nil {
		panic(err)
	}
	os.Stdout, os.Stderr = stdout, stderr
	code := m.Run()
	if err := server.Stop(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "stop:", err)
		code = 1
	}
	return code
}

var buckets atomic.Int32

func newBucket(t *testing.T) *s3.Bucket {
	t.Helper()
	b, err := server.Open(t.Context(), fmt.Sprintf("bucket-%d", buckets.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.EnsureBucket(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestServerIsABucket(t *testing.T) {
	laketest.Bucket(t, func(t *testing.T) lake.Bucket { return newBucket(t) })
}

func TestServerPrintsNothing(t *testing.T) {
	if text, err := os.ReadFile(printed.Name()); err != nil || len(text) != 0 {
		t.Errorf("the start printed %q (%v)", text, err)
	}
}

// A request that ends because the server does is nobody's failure: the gateway would print what is no S3 error.
func TestCancelledRequestIsToldToNobody(t *testing.T) {
	var log bytes.Buffer
	d := &durable{log: slog.New(slog.NewTextHandler(&log, nil))}
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		err := d.answer("list", "longshore", "", fmt.Errorf("walk longshore: %w", cause))
		if _, known := err.(s3err.S3Error); !known || log.Len() > 0 { //nolint:errorlint // the gateway looks at the error itself
			t.Errorf("%v gives %v and the log %q, want an S3 error and no log", cause, err, log.String())
		}
	}
}

func TestStartMadeTheBucket(t *testing.T) {
	b, err := server.Open(t.Context(), "longshore")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(t.Context(), "data/okta/users/0.jsonl", strings.NewReader("{}\n"), 3, lake.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(serverDir, "longshore/data/okta/users/0.jsonl")); err != nil || string(text) != "{}\n" {
		t.Errorf("on disk lies %q (%v), want the object as a plain file", text, err)
	}
}

func TestASecondServerIsRefused(t *testing.T) {
	_, err := Start(t.Context(), Config{Dir: t.TempDir(), Listen: "127.0.0.1:0", AccessKey: "a", SecretKey: "b"})
	if !fault.Is(err, fault.Conflict) {
		t.Errorf("a second start answered %v, want a conflict", err)
	}
}

func TestAddressInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = freeAddress(t.Context(), l.Addr().String())
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), l.Addr().String()) || fault.HintOf(err) == "" {
		t.Errorf("an address in use: %v (hint %q), want a conflict that names it", err, fault.HintOf(err))
	}
	if _, err := freeAddress(t.Context(), "no-such-host.invalid:1"); !fault.Is(err, fault.Invalid) {
		t.Errorf("an address of no machine: %v, want invalid", err)
	}
}

func TestCheck(t *testing.T) {
	b := newBucket(t)
	for _, r := range b.Check(t.Context(), "data") {
		if r.Err != nil {
			t.Errorf("right %s: %v", r.Name, r.Err)
		}
	}
	for o, err := range b.List(t.Context(), "", "") {
		t.Errorf("the check left %+v, %v", o, err)
	}
}

func TestFaultsOfTheStore(t *testing.T) {
	good := s3.Config{Endpoint: server.URL(), Region: "us-east-1", Bucket: "longshore", AccessKey: "longshore", SecretKey: "test-secret", PathStyle: true}
	for _, c := range []struct {
		name   string
		change func(*s3.Config)
		kind   fault.Kind
		says   string
	}{
		{"no such bucket", func(c *s3.Config) { c.Bucket = "nothing-here" }, fault.NotFound, "the bucket does not exist"},
		{"an unknown key", func(c *s3.Config) { c.AccessKey = "stranger" }, fault.Denied, "access key is unknown"},
		{"a wrong secret", func(c *s3.Config) { c.SecretKey = "wrong" }, fault.Denied, "signature does not match"},
		{"nobody there", func(c *s3.Config) { c.Endpoint = "http://" + closedAddress(t) }, fault.Unavailable, "no answer"},
	} {
		config := good
		c.change(&config)
		b, err := s3.Open(t.Context(), config)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Put(t.Context(), "k", strings.NewReader("x"), 1, lake.PutOptions{})
		if !fault.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v (%v, hint %q), want %v saying %q with a hint", c.name, err, fault.KindOf(err), fault.HintOf(err), c.kind, c.says)
		}
		if c.kind == fault.Unavailable {
			continue // each call waits between its tries
		}
		for _, r := range b.Check(t.Context(), "")[:4] {
			if !fault.Is(r.Err, c.kind) {
				t.Errorf("%s: right %s is reported as %v, want %v", c.name, r.Name, r.Err, c.kind)
			}
		}
	}
}

func closedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestAnonymousIsRefused(t *testing.T) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL()+"/longshore?list-type=2", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a list without signature answered %d, want 403", resp.StatusCode)
	}
}

func TestLeadingSlashIsDropped(t *testing.T) {
	b := newBucket(t)
	if _, err := b.Put(t.Context(), "/data/n/s/0.jsonl", strings.NewReader("x"), 1, lake.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	for o, err := range b.List(t.Context(), "", "") {
		if err != nil || o.Key != "data/n/s/0.jsonl" {
			t.Errorf("listed %q, %v", o.Key, err)
		}
	}
	if _, err := b.Put(t.Context(), "/data/n/s/0.jsonl", strings.NewReader("x"), 1, lake.PutOptions{IfAbsent: true}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a conditional put of the same key answered %v, want a conflict", err)
	}
	body, _, err := b.Get(t.Context(), "/data/n/s/0.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	body.Close()
}

func TestForeignClients(t *testing.T) {
	if testing.Short() {
		t.Skip("the clients take seconds to start")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "20MB")
	if err := os.WriteFile(file, bytes.Repeat([]byte("0123456789abcdef"), 20<<16), 0o644); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "HOME="+dir, "AWS_ACCESS_KEY_ID=longshore", "AWS_SECRET_ACCESS_KEY=test-secret", "AWS_DEFAULT_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true")
	host := strings.TrimPrefix(server.URL(), "http://")
	for tool, c := range map[string]struct{ base, put, get, list []string }{
		"aws": {
			[]string{"--endpoint-url", server.URL(), "s3"},
			[]string{"cp", file, "s3://bucket-aws/data/a b/é$.bin"},
			[]string{"cp", "s3://bucket-aws/data/a b/é$.bin", file + "-aws"},
			[]string{"ls", "--recursive", "s3://bucket-aws/"},
		},
		"s3cmd": {
			[]string{"--no-ssl", "--host=" + host, "--host-bucket=" + host, "--access_key=longshore", "--secret_key=test-secret", "--region=us-east-1"},
			[]string{"put", file, "s3://bucket-s3cmd/data/a b/é$.bin"},
			[]string{"get", "s3://bucket-s3cmd/data/a b/é$.bin", file + "-s3cmd"},
			[]string{"ls", "--recursive", "s3://bucket-s3cmd/"},
		},
	} {
		t.Run(tool, func(t *testing.T) {
			if _, err := exec.LookPath(tool); err != nil {
				t.Skipf("%s is not installed", tool)
			}
			run := func(args ...string) string {
				cmd := exec.CommandContext(t.Context(), tool, append(c.base[:len(c.base):len(c.base)], args...)...)
				cmd.Env, cmd.Dir = env, dir
				out, err := cmd.CombinedOutput()
				if err != nil {
					t.Fatalf("%s %q: %v\n%s", tool, args, err, out)
				}
				return string(out)
			}
			run("mb", "s3://bucket-"+tool)
			run(c.put...)
			if out := run(c.list...); !strings.Contains(out, "data/a b/é$.bin") {
				t.Errorf("the listing is %q", out)
			}
			run(c.get...)
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(file + "-" + tool); err != nil || !bytes.Equal(got, want) {
				t.Errorf("20 MB came back as %d bytes, %v", len(got), err)
			}
			b, err := server.Open(t.Context(), "bucket-"+tool)
			if err != nil {
				t.Fatal(err)
			}
			body, _, err := b.Get(t.Context(), "data/a b/é$.bin")
			if err != nil {
				t.Fatal(err)
			}
			defer body.Close()
			if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, want) {
				t.Errorf("through our client came %d bytes, %v", len(got), err)
			}
			run("rm", "s3://bucket-"+tool+"/data/a b/é$.bin")
			run("rb", "s3://bucket-"+tool)
		})
	}
}

// A process killed between the side files of an object and its name leaves an ETag of nothing.
func TestSideFilesWithoutTheirObjectAreNoObject(t *testing.T) {
	objects, side := t.TempDir(), t.TempDir()
	files, err := newSideFiles(side, objects)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(objects, "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := files.StoreAttribute(nil, "b", "k", "etag", []byte("left over")); err != nil {
		t.Fatal(err)
	}
	if etag, err := files.RetrieveAttribute(nil, "b", "k", "etag"); !errors.Is(err, meta.ErrNoSuchKey) {
		t.Errorf("ETag of an object that is not there: %q, %v; want ErrNoSuchKey", etag, err)
	}
	if err := os.WriteFile(filepath.Join(objects, "b", "k"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if etag, err := files.RetrieveAttribute(nil, "b", "k", "etag"); err != nil || string(etag) != "left over" {
		t.Errorf("ETag of an object that is there: %q, %v; want what was stored", etag, err)
	}
}
