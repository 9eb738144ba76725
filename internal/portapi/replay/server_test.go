// Package replay plays what unmodified clients of Port send, call by call and over real connections: a whole run of the
// Ocean integration framework, and the sequences of the Terraform provider. The clients here are small, but decode and
// check the members that the real ones do, with their headers, escaped paths and odd parameters.
package replay_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"longshore/internal/access"
	"longshore/internal/auth"
	"longshore/internal/catalog"
	"longshore/internal/ingest"
	"longshore/internal/lake"
	"longshore/internal/org"
	"longshore/internal/portapi"
	"longshore/internal/server"
	"longshore/internal/store"
	"longshore/internal/store/storetest"
)

const (
	clientID     = "client_1"
	clientSecret = "s3cret"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// clock goes on by a millisecond with every look.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(time.Millisecond)
	return c.at
}

// serve starts a server on a port of its own.
func serve(t *testing.T) (origin string, c *clock) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c = &clock{at: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)}
	s := storetest.Open(t)
	seal, err := store.OpenSealer(filepath.Join(t.TempDir(), "keys.json"))
	must(err)
	folder, err := lake.OpenFolder(t.TempDir())
	must(err)
	log := slog.New(slog.DiscardHandler)
	objects := s.Objects(seal, c.now, func(context.Context, *sql.Tx, int64, int64) error { return nil })
	entities := catalog.New(s.Catalog(), c.now)
	about := org.New(s.Documents(seal, c.now), entities, c.now)
	guard := &access.Guard{Catalog: entities, Teams: about.TeamsOf, Reads: access.NewReads(entities, c.now)}
	keeper, err := auth.New(auth.Config{
		Credentials: []auth.Credential{{ClientID: clientID, ClientSecret: clientSecret}}, Key: bytes.Repeat([]byte{1}, 32), OrgID: "org_1", Now: c.now,
	})
	must(err)
	api := portapi.New(portapi.Config{
		Keeper: keeper, Catalog: guard, Permissions: guard, Webhooks: objects, Ledger: objects, Syncs: s.Syncs("lake", c.now, nil, nil),
		Receiver:     ingest.NewReceiver(objects, folder, lake.GuideLayout(), c.now, log),
		Organization: about, Teams: about, Integrations: about, Scorecards: entities, Now: c.now,
	})
	listener, err := server.Open(server.Config{Listen: "127.0.0.1:0", Doors: []server.Door{{Prefix: "/v1/", Handler: api, AnyOrigin: true}}})
	must(err)
	t.Cleanup(func() { listener.Close() })
	over := httptest.NewServer(listener.Handler())
	t.Cleanup(over.Close)
	return over.URL, c
}

// client is a client of some make.
type client struct {
	*testing.T
	origin string
	agent  string
	token  string
	http   http.Client
}

// answer is what a call gave.
type answer struct {
	*testing.T
	call   string
	status int
	body   []byte
}

// send makes a call. path is as it goes over the wire. Each header is "name: value".
func (c *client) send(method, path, body string, headers ...string) answer {
	c.Helper()
	address := path
	if !strings.HasPrefix(path, "http") {
		address = c.origin + path
	}
	r, err := http.NewRequestWithContext(c.Context(), method, address, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	r.Header.Set("User-Agent", c.agent)
	r.Header.Set("Accept", "application/json")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	got, err := c.http.Do(r)
	if err != nil {
		c.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		c.Fatal(err)
	}
	a := answer{c.T, method + " " + path, got.StatusCode, text}
	if kind := got.Header.Get("Content-Type"); kind != "application/json" {
		c.Fatalf("%s: content type %q: %s", a.call, kind, text)
	}
	if got.Header.Get("X-Trace-Id") == "" || got.Header.Get("x-ratelimit-limit") != "" {
		c.Errorf("%s: want a trace id and no rate limits, got %v", a.call, got.Header)
	}
	return a
}

// ok demands the status and "ok": true, and decodes the body.
func (a answer) ok(status int, into ...any) answer {
	a.Helper()
	var envelope struct{ OK bool }
	if err := json.Unmarshal(a.body, &envelope); err != nil || !envelope.OK || a.status != status {
		a.Fatalf("%s: %d, want %d and ok: %s", a.call, a.status, status, a.body)
	}
	for _, v := range into {
		if err := json.Unmarshal(a.body, v); err != nil {
			a.Fatalf("%s: %v in %s", a.call, err, a.body)
		}
	}
	return a
}

// failed demands the status, "ok": false and the error.
func (a answer) failed(status int, code string) answer {
	a.Helper()
	var envelope struct {
		OK             *bool
		Error, Message string
	}
	if err := json.Unmarshal(a.body, &envelope); err != nil || envelope.OK == nil || *envelope.OK || a.status != status || envelope.Error != code || envelope.Message == "" {
		a.Fatalf("%s: %d, want %d %s: %s", a.call, a.status, status, code, a.body)
	}
	return a
}

// signIn gets a token and decodes it as clients do, without verifying it.
func (c *client) signIn() {
	c.Helper()
	var got struct {
		AccessToken, TokenType string
		ExpiresIn              int64
	}
	c.token = ""
	c.send("POST", "/v1/auth/access_token", `{"clientId":"`+clientID+`","clientSecret":"`+clientSecret+`"}`).ok(200, &got)
	parts := strings.Split(got.AccessToken, ".")
	if len(parts) != 3 || got.TokenType != "Bearer" || got.ExpiresIn <= 0 || got.ExpiresIn > 10800 {
		c.Fatalf("token answer %+v", got)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		c.Fatal(err)
	}
	var claims struct {
		IsMachine bool  `json:"isMachine"`
		Exp       int64 `json:"exp"`
	}
	if err := json.Unmarshal(text, &claims); err != nil || !claims.IsMachine || claims.Exp == 0 {
		c.Fatalf("claims %s: %v", text, err)
	}
	c.token = got.AccessToken
}

func toJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}
