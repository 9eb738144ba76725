//go:build clients

package clients

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// binary is the program under test, built once by TestMain.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "longshore-clients-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "longshore")
		build := exec.Command("go", "build", "-o", binary, "../../cmd/longshore")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			panic(err)
		}
		return m.Run()
	}())
}

// running is a longshore up over the demo org.
type running struct {
	*testing.T
	origin, id, secret, token string
}

var (
	credentialLine = regexp.MustCompile(`API\s+client id (\S+)\s+client secret (\S+)`)
	originLine     = regexp.MustCompile(`UI and APIs: (http://\S+)`)
)

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// up starts longshore and waits until its API answers.
func up(t *testing.T) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, "up", "--listen", "127.0.0.1:0", "--s3-listen", "127.0.0.1:"+freePort(t), "--data", filepath.Join(t.TempDir(), "data"))
	cmd.Env = append(os.Environ(), "OKTA_CLIENT_ORGURL=", "OKTA_CLIENT_TOKEN=", "LONGSHORE_DATA=")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-read
		if err := cmd.Wait(); err != nil {
			t.Errorf("longshore up, interrupted, ended with %v\n%s", err, errs.String())
		}
		cancel()
	})
	found := make(chan running, 1)
	go func() {
		defer close(read)
		var r running
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if m := credentialLine.FindStringSubmatch(lines.Text()); m != nil {
				r.id, r.secret = m[1], m[2]
			}
			if m := originLine.FindStringSubmatch(lines.Text()); m != nil {
				r.origin = m[1]
				found <- r
			}
		}
	}()
	select {
	case r := <-found:
		r.T = t
		r.signIn()
		return &r
	case <-read:
		t.Fatalf("longshore up ended before its API was there\n%s", errs.String())
	case <-time.After(2 * time.Minute):
		t.Fatal("longshore up printed no address")
	}
	return nil
}

func (r *running) signIn() {
	r.Helper()
	var got struct{ AccessToken string }
	r.call("POST", "/v1/auth/access_token", `{"clientId":"`+r.id+`","clientSecret":"`+r.secret+`"}`, &got)
	r.token = got.AccessToken
}

// call makes a call and decodes its answer, which must be a success.
func (r *running) call(method, path, body string, into any) {
	r.Helper()
	req, err := http.NewRequestWithContext(r.Context(), method, r.origin+path, bytes.NewReader([]byte(body)))
	if err != nil {
		r.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if r.token != "" {
		req.Header.Set("Authorization", "Bearer "+r.token)
	}
	got, err := http.DefaultClient.Do(req)
	if err != nil {
		r.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil || got.StatusCode >= 300 {
		r.Fatalf("%s %s: %d %s %v", method, path, got.StatusCode, text, err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		r.Fatalf("%s %s: %v in %s", method, path, err, text)
	}
}
