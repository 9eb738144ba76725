package portapi_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
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

var update = flag.Bool("update", false, "write the golden files anew")

// house is the API over a real database and a folder as bucket, behind the real listener's chain.
type house struct {
	t       *testing.T
	handler http.Handler
	api     *portapi.API
	token   string
	keeper  *auth.Keeper
	clients *auth.Clients
	store   *store.Store
	objects *store.Objects
	bucket  *faulty
	catalog *catalog.Catalog
	guard   *access.Guard
	queued  [][2]int64
	at      time.Time // now
}

// theTime is when everything in these tests happens.
var theTime = time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)

// faulty is a bucket that can be told not to answer.
type faulty struct {
	lake.Bucket
	down error
}

func (f *faulty) Put(ctx context.Context, key string, body io.ReadSeeker, n int64, o lake.PutOptions) (lake.Object, error) {
	if f.down != nil {
		return lake.Object{}, f.down
	}
	return f.Bucket.Put(ctx, key, body, n, o)
}

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, at: theTime}
	now := func() time.Time { return h.at }
	s := storetest.Open(t)
	seal, err := store.OpenSealer(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	folder, err := lake.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	h.store, h.bucket = s, &faulty{Bucket: folder}
	h.objects = s.Objects(seal, now, func(_ context.Context, _ *sql.Tx, object, pass int64) error {
		h.queued = append(h.queued, [2]int64{object, pass})
		return nil
	})
	h.catalog = catalog.New(s.Catalog(), now)
	key := bytes.Repeat([]byte{1}, 32)
	h.clients = auth.NewClients(s.Clients(now), key, now)
	h.keeper, err = auth.New(auth.Config{Credentials: []auth.Credential{{ClientID: "client_1", ClientSecret: "s3cret"}}, Clients: h.clients, Key: key, OrgID: "org_1", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	things := org.New(s.Documents(seal, now), h.catalog, now)
	h.guard = &access.Guard{
		Catalog: h.catalog, Teams: things.TeamsOf, Reads: access.NewReads(h.catalog, now),
	}
	api := portapi.New(portapi.Config{
		Organization: things, Teams: things, Integrations: things, Scorecards: h.catalog,
		Keeper: h.keeper, Catalog: h.guard, Permissions: h.guard, Credentials: h.clients, Webhooks: h.objects, Ledger: h.objects,
		Receiver: ingest.NewReceiver(h.objects, h.bucket, lake.GuideLayout(), now, log), Syncs: s.Syncs("lake", now, nil, nil),
		PublicURL: "http://longshore.example", Now: now,
	})
	h.api = api
	listener, err := server.Open(server.Config{Listen: "127.0.0.1:0", Doors: []server.Door{{Prefix: "/v1/", Handler: api, AnyOrigin: true}, // the door protects itself

		{Prefix: "/ingest/", Handler: api, AnyOrigin: true}, {Prefix: auth.LoginPath, Handler: h.keeper.Login()}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	h.handler = listener.Handler()
	token, _, err := h.keeper.Token("client_1", "s3cret")
	if err != nil {
		t.Fatal(err)
	}
	h.token = token.Text
	return h
}

// answer is what a call gave.
type answer struct {
	t      *testing.T
	call   string
	status int
	header http.Header
	body   string
}

// call sends a request with the machine's token. Each header is "name: value"; "authorization:" sends none.
func (h *house) call(method, path, body string, headers ...string) answer {
	h.t.Helper()
	r := httptest.NewRequest(method, "http://longshore.example/", strings.NewReader(body))
	u, err := url.ParseRequestURI(path)
	if err != nil {
		h.t.Fatal(err)
	}
	r.URL = u
	r.Header.Set("Authorization", "Bearer "+h.token)
	r.Header.Set("User-Agent", "test/1.0")
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ":")
		r.Header.Set(name, strings.TrimSpace(value))
		if strings.TrimSpace(value) == "" {
			r.Header.Del(name)
		}
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return answer{h.t, method + " " + path, w.Code, w.Header(), w.Body.String()}
}

// want fails the test unless the status and error code ("" for success) are these.
func (a answer) want(status int, code string) answer {
	a.t.Helper()
	var body struct {
		OK      *bool  `json:"ok"`
		Error   string `json:"error"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		a.t.Fatalf("%s: status %d, body is no JSON: %s", a.call, a.status, a.body)
	}
	if a.status != status || body.Error != code || body.OK == nil || *body.OK != (code == "") || code != "" && body.Message == "" {
		a.t.Fatalf("%s: %d %q, want %d %q: %s", a.call, a.status, body.Error, status, code, a.body)
	}
	if got := a.header.Get("Content-Type"); got != "application/json" {
		a.t.Errorf("%s: content type %q, want application/json", a.call, got)
	}
	if a.header.Get("X-Trace-Id") == "" {
		a.t.Errorf("%s: no X-Trace-Id", a.call)
	}
	return a
}

// at returns the JSON text at a path of member names and list indexes, or "" when there is nothing.
func (a answer) at(path ...string) string {
	a.t.Helper()
	text := json.RawMessage(a.body)
	for _, name := range path {
		var list []json.RawMessage
		if json.Unmarshal(text, &list) == nil {
			i := int(name[0] - '0')
			if i >= len(list) {
				return ""
			}
			text = list[i]
			continue
		}
		var object map[string]json.RawMessage
		if err := json.Unmarshal(text, &object); err != nil {
			return ""
		}
		text = object[name]
	}
	return string(text)
}

// is fails the test unless the JSON text at the path is this.
func (a answer) is(want string, path ...string) answer {
	a.t.Helper()
	if got := a.at(path...); got != want {
		a.t.Errorf("%s: %s is %s, want %s", a.call, strings.Join(path, "."), got, want)
	}
	return a
}

// golden compares the body with a file.
func (a answer) golden(name string) {
	a.t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(strings.TrimSpace(a.body)), "", "  "); err != nil {
		a.t.Fatal(err)
	}
	pretty.WriteByte('\n')
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(path, pretty.Bytes(), 0o644); err != nil {
			a.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		a.t.Fatal(err)
	}
	if !bytes.Equal(want, pretty.Bytes()) {
		a.t.Errorf("%s answers\n%s\nwant (%s)\n%s", a.call, pretty.Bytes(), path, want)
	}
}

// inTx gives the catalog the transaction that ingest has begun.
type inTx struct {
	catalog *catalog.Catalog
	store   *store.Catalog
}

func (c inTx) Apply(ctx context.Context, tx *sql.Tx, changes []catalog.Change, results []catalog.Result) ([]catalog.Result, error) {
	return c.catalog.Apply(ctx, c.store.Tx(tx), changes, results)
}

// work ingests everything that was queued.
func (h *house) work() {
	h.t.Helper()
	g := &ingest.Ingester{Store: h.objects, Catalog: inTx{h.catalog, h.store.Catalog()}, Bucket: h.bucket, Now: func() time.Time { return theTime }}
	for _, o := range h.queued {
		done, err := g.Ingest(h.t.Context(), o[0], o[1], theTime.Add(time.Hour), func(context.Context, *sql.Tx) error { return nil })
		if err != nil || !done {
			h.t.Fatalf("ingest object %d: done %t, %v", o[0], done, err)
		}
	}
	h.queued = nil
}

func gunzip(t *testing.T, r io.Reader) string {
	t.Helper()
	z, err := gzip.NewReader(r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func noJob(context.Context, *sql.Tx, int64) error { return nil }
