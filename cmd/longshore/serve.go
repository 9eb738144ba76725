package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"longshore/internal/access"
	"longshore/internal/auth"
	"longshore/internal/fault"
	"longshore/internal/ingest"
	organization "longshore/internal/org"
	"longshore/internal/pipeline"
	"longshore/internal/portapi"
	"longshore/internal/server"
	"longshore/internal/source/okta"
	"longshore/internal/store"
	"longshore/internal/verdict"
	"longshore/internal/web"
)

// doors opens the listener with everything that answers on it: the screens, Port's API, the webhook door, health and
// metrics. signIn is a one-time link for the browser.
func (a *app) doors(ctx context.Context, w *worker) (s *server.Server, signIn string, err error) {
	keeper, err := a.keeper(ctx)
	if err != nil {
		return nil, "", err
	}
	things := organization.New(a.store.Documents(a.seal, time.Now), a.catalog, time.Now)
	guard := &access.Guard{
		Catalog: a.catalog, Teams: things.TeamsOf, Reads: access.NewReads(a.catalog, time.Now),
	}
	screens, err := web.New(web.Config{
		Catalog: guard, Ledger: a.objects, Syncs: a.syncs, Bucket: a.bucket, Search: lakeSearch{a},
		SignedIn:  func(r *http.Request) bool { _, err := keeper.Session(r); return err == nil },
		StartSync: w.startSync, Version: version(), OrgURL: a.orgURL(), Log: a.log,
	})
	if err != nil {
		return nil, "", err
	}
	clients, err := a.clients(ctx)
	if err != nil {
		return nil, "", err
	}
	api := portapi.New(portapi.Config{
		Organization: things, Teams: things, Integrations: things, Scorecards: a.catalog,
		Keeper: keeper, Catalog: guard, Permissions: guard, Credentials: clients, Webhooks: a.objects, Ledger: a.objects, Syncs: a.syncs, Log: a.log,
		Receiver: ingest.NewReceiver(a.objects, a.bucket, a.layout, time.Now, a.log),
	})
	hook, err := a.hook(ctx)
	if err != nil {
		return nil, "", err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(server.NewCollector(a.figures()))
	s, err = server.Open(server.Config{
		Listen: a.cfg.listen,
		Doors: []server.Door{
			{Prefix: "/v1/", Handler: api, AnyOrigin: true},
			{Prefix: "/ingest/", Handler: api, AnyOrigin: true},
			{Prefix: okta.HookPath, Handler: hook},
			{Prefix: auth.LoginPath, Handler: keeper.Login()},
			{Prefix: "/", Handler: named(keeper, screens)},
		},
		Ready:    a.store.Ping,
		Registry: registry,
		Log:      a.log,
	})
	if err != nil {
		return nil, "", err
	}
	w.tidy = func(ctx context.Context, age time.Duration) error {
		api.Flush(ctx)
		return errors.Join(guard.Reads.Flush(ctx, age), keeper.KeepUses(ctx))
	}
	return s, s.URL() + keeper.SignInPath(), nil
}

// named says to the screens' catalog who looks.
func named(keeper *auth.Keeper, screens http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p, err := keeper.Session(r); err == nil {
			ctx := access.WithCall(auth.With(r.Context(), p), access.Call{Route: "the screens"})
			r = r.WithContext(ctx)
		}
		screens.ServeHTTP(w, r)
	})
}

// The audit log and the credentials gather what is written down together.
const (
	tidyEvery = 10 * time.Second
	readsAge  = time.Minute
)

// keepTidy writes down what has gathered (privileged reads, refused writes, uses of credentials) until ctx ends, and then
// what is left.
func (w *worker) keepTidy(ctx context.Context) error {
	tick := time.NewTicker(tidyEvery)
	defer tick.Stop()
	for {
		if err := w.ensureChangelogs(ctx); err != nil && ctx.Err() == nil {
			w.app.log.Warn("changelogs wait", "error", err)
		}
		if err := w.app.queue.EnsureRetention(ctx); err != nil && ctx.Err() == nil {
			w.app.log.Warn("retention waits", "error", err)
		}
		select {
		case <-tick.C:
			if err := w.tidy(ctx, readsAge); err != nil && ctx.Err() == nil {
				w.app.log.Warn("the audit log of reads waits", "error", err)
			}
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyEvery)
			defer cancel()
			return w.tidy(last, 0)
		}
	}
}

// keeper knows who may come in: credentials, those of the settings and those that are stored, and browsers with a session.
func (a *app) keeper(ctx context.Context) (*auth.Keeper, error) {
	key, err := a.signingKey(ctx)
	if err != nil {
		return nil, err
	}
	org, err := a.made(ctx, "org-id", func() string { return "org_" + randomBase32(16) })
	if err != nil {
		return nil, err
	}
	a.orgID = org
	clients, err := a.clients(ctx)
	if err != nil {
		return nil, err
	}
	cfg := auth.Config{Clients: clients, Key: key, OrgID: org}
	if a.cfg.clientID != "" && a.cfg.clientSecret != "" {
		cfg.Credentials = []auth.Credential{{ClientID: a.cfg.clientID, ClientSecret: a.cfg.clientSecret}}
	}
	return auth.New(cfg)
}

// signingKey is what tokens are signed with, made on first start.
func (a *app) signingKey(ctx context.Context) ([]byte, error) {
	text, err := a.made(ctx, "signing-key", randomSecret)
	if err != nil {
		return nil, err
	}
	key, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	return key, nil
}

// clients are the stored credentials. The one that is made on first start is the first of them.
func (a *app) clients(ctx context.Context) (*auth.Clients, error) {
	key, err := a.signingKey(ctx)
	if err != nil {
		return nil, err
	}
	clients := auth.NewClients(a.store.Clients(time.Now), key, nil)
	if a.cfg.clientID != "" && a.cfg.clientSecret != "" {
		return clients, nil
	}
	id, secret, err := a.apiCredentials(ctx)
	if err != nil {
		return nil, err
	}
	err = a.changeClient(ctx, "CREATE", "longshore", func(clients *auth.Clients) (auth.Client, error) {
		c, _, err := clients.Add(ctx, auth.NewClient{ID: id, Secret: secret, Role: auth.Admin, Title: firstCredential}, "longshore")
		return c, err
	})
	if err != nil && !fault.Is(err, fault.Conflict) { // it is there from the start before this one
		return nil, err
	}
	return clients, nil
}

// startSync begins a run of the connection of that name, or joins the one under way.
func (w *worker) startSync(ctx context.Context, name string) error {
	all, err := w.app.syncs.Connections(ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.Name == name || c.UUID == name {
			_, err := w.start(ctx, store.Start{Connection: c, Cause: causeManual})
			return err
		}
	}
	return fault.Errorf(fault.NotFound, "no connection is called %q", name)
}

// figures feeds /metrics.
func (a *app) figures() server.Figures {
	return server.Figures{
		Source: a.sourceUse,
		ObjectsWaiting: func(ctx context.Context) (int64, error) {
			waiting, err := a.objects.Waiting(ctx)
			return waiting.Objects, err
		},
		RecordsByVerdict: func(ctx context.Context) (map[string]int64, error) {
			sums, err := a.objects.VerdictSums(ctx, ingest.VerdictFilter{})
			all := map[string]int64{}
			for _, code := range verdict.All() {
				for _, byCode := range sums {
					all[code.String()] += byCode[code]
				}
			}
			return all, err
		},
		EntitiesByBlueprint: a.catalog.Counts,
		LastSyncs: func(ctx context.Context) ([]server.LastSync, error) {
			runs, err := a.syncs.Own(ctx, 50)
			seen := map[string]bool{}
			var last []server.LastSync
			for _, r := range runs {
				if !seen[r.Connection.Name] && r.Cause != pipeline.CauseFeed {
					seen[r.Connection.Name] = true
					last = append(last, server.LastSync{Connection: r.Connection.Name, Status: string(r.Status), Started: r.StartedAt, Finished: r.FinishedAt})
				}
			}
			return last, err
		},
	}
}

// lakeSearch finds lines of the lake for the screens.
type lakeSearch struct{ app *app }

// searchTime bounds a search that a page waits for.
const searchTime = 10 * time.Second

func (l lakeSearch) Lines(ctx context.Context, text string, limit int) (found []ingest.Place, whole bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	objects, err := l.app.objects.List(ctx, ingest.ObjectFilter{}, 1000)
	if err != nil {
		return nil, false, err
	}
	whole = true
	err = ingest.Search(ctx, l.app.bucket, objects, text, func(o ingest.Object, line ingest.RecordLine) bool {
		if len(found) == limit {
			whole = false
			return false
		}
		found = append(found, ingest.Place{ObjectID: o.ID, ObjectKey: o.Key, Line: line.Number})
		return true
	}, func(ingest.Object, error) { whole = false })
	if ctx.Err() != nil {
		return found, false, nil
	}
	return found, whole, err
}
