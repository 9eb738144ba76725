// Package conform is the conformance suite: what Port's contract says, asked over HTTP of the real handlers behind the
// real listener's chain, on every database that is served. Each test names the rules that it shows (testdata/rules.txt);
// a case that is known to fail stands in testdata/gaps.txt with its owner, and must leave it once it passes.
package conform_test

import (
	"bytes"
	"context"
	"database/sql"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"longshore/internal/access"
	"longshore/internal/auth"
	"longshore/internal/catalog"
	"longshore/internal/changelog"
	"longshore/internal/ingest"
	"longshore/internal/lake"
	"longshore/internal/org"
	"longshore/internal/portapi"
	"longshore/internal/server"
	"longshore/internal/store"
)

const (
	origin       = "http://longshore.example"
	clientID     = "client_1"
	clientSecret = "s3cret"
)

// house is a server as clients meet it: the API over a real database, behind the real listener's chain.
type house struct {
	testing.TB
	handler http.Handler
	token   string
	clock   *clock
	work    func()                 // ingests what webhook calls have queued
	tell    func(blueprint string) // tells the changelog destination of a blueprint what has changed
}

// clock stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// newHouse builds everything as cmd does, and signs in.
func newHouse(t testing.TB, s *store.Store) *house {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c := &clock{at: time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)}
	log := slog.New(slog.DiscardHandler)
	seal, err := store.OpenSealer(filepath.Join(t.TempDir(), "keys.json"))
	must(err)
	folder, err := lake.OpenFolder(t.TempDir())
	must(err)
	var queued [][2]int64
	objects := s.Objects(seal, c.now, func(_ context.Context, _ *sql.Tx, object, pass int64) error {
		queued = append(queued, [2]int64{object, pass})
		return nil
	})
	things := catalog.New(s.Catalog(), c.now)
	key := bytes.Repeat([]byte{1}, 32)
	clients := auth.NewClients(s.Clients(c.now), key, c.now)
	keeper, err := auth.New(auth.Config{
		Credentials: []auth.Credential{{ClientID: clientID, ClientSecret: clientSecret}}, Clients: clients, Key: key, OrgID: "org_1", Now: c.now,
	})
	must(err)
	own := org.New(s.Documents(seal, c.now), things, c.now)
	guard := &access.Guard{Catalog: things, Teams: own.TeamsOf, Reads: access.NewReads(things, c.now)}
	api := portapi.New(portapi.Config{
		Organization: own, Teams: own, Integrations: own, Scorecards: things,
		Keeper: keeper, Catalog: guard, Permissions: guard, Credentials: clients, Webhooks: objects, Ledger: objects,
		Receiver: ingest.NewReceiver(objects, folder, lake.GuideLayout(), c.now, log), Syncs: s.Syncs("lake", c.now, nil, nil),
		PublicURL: origin, Now: c.now,
	})
	listener, err := server.Open(server.Config{Listen: "127.0.0.1:0", Doors: []server.Door{
		{Prefix: "/v1/", Handler: api, AnyOrigin: true}, {Prefix: "/ingest/", Handler: api, AnyOrigin: true},
	}})
	must(err)
	t.Cleanup(func() { listener.Close() })
	h := &house{TB: t, handler: listener.Handler(), clock: c}
	h.work = func() {
		g := &ingest.Ingester{Store: objects, Catalog: inTx{things, s.Catalog()}, Bucket: folder, Now: c.now}
		for _, o := range queued {
			if _, err := g.Ingest(h.Context(), o[0], o[1], c.now().Add(time.Hour), func(context.Context, *sql.Tx) error { return nil }); err != nil {
				h.Fatalf("ingest object %d: %v", o[0], err)
			}
		}
		queued = nil
	}
	h.tell = func(blueprint string) {
		sender := &changelog.Sender{
			Catalog: things, Documents: s.Documents(nil, c.now), Now: c.now, Client: changelog.NewClient(true), Local: true,
			Render: func(e catalog.AuditEntry) ([]byte, error) { return portapi.Audit("org_1", e) },
			Secret: func(context.Context) (string, error) { return clientSecret, nil },
			Sleep:  func(context.Context, time.Duration) { c.move(time.Minute) }, // the turn ends when there is nothing to tell
		}
		if _, _, err := sender.Deliver(h.Context(), blueprint, c.now().Add(time.Minute)); err != nil {
			h.Fatalf("tell what changed in %q: %v", blueprint, err)
		}
	}
	h.signIn()
	return h
}

// signIn gets a token as clients do.
func (h *house) signIn() {
	h.Helper()
	a := h.call("POST", "/v1/auth/access_token", `{"clientId":"`+clientID+`","clientSecret":"`+clientSecret+`"}`, "Authorization:").want(200, "")
	h.token = strings.Trim(a.at("accessToken"), `"`)
}

// signInAs gets a token of an editor's credential that stands for a person. It takes the admin's to make one.
func (h *house) signInAs(user string) {
	h.Helper()
	made := h.call("POST", "/v1/longshore/credentials", `{"role":"editor","user":"`+user+`"}`).want(201, "")
	a := h.call("POST", "/v1/auth/access_token", `{"clientId":`+made.at("credential", "id")+`,"clientSecret":`+made.at("credential", "clientSecret")+`}`, "Authorization:").want(200, "")
	h.token = strings.Trim(a.at("accessToken"), `"`)
}

// inTx gives the catalog the transaction that ingest has begun.
type inTx struct {
	catalog *catalog.Catalog
	store   *store.Catalog
}

func (c inTx) Apply(ctx context.Context, tx *sql.Tx, changes []catalog.Change, results []catalog.Result) ([]catalog.Result, error) {
	return c.catalog.Apply(ctx, c.store.Tx(tx), changes, results)
}
