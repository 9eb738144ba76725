package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
	"longshore/internal/server"
	"longshore/internal/source/okta"
	"longshore/internal/source/okta/emulator"
	"longshore/packs"
)

// What changes in the org is in the catalog soon after, by hooks that drop, double and shuffle and the log behind them;
// what is gone is gone there too.
func TestCatalogFollowsTheOrg(t *testing.T) {
	t.Chdir(".") // back again at the end: the S3 endpoint goes elsewhere, and may take long to stop
	var out bytes.Buffer
	cmd := &cobra.Command{}
	cmd.SetOut(&out)
	dir := filepath.Join(t.TempDir(), "data")
	a, err := openApp(t.Context(), config{data: dir, listen: "127.0.0.1:0", s3Listen: "127.0.0.1:0", s3Prefix: "data/"}, slog.New(slog.DiscardHandler))
	must(t, err)
	defer func() { must(t, a.Close()) }()
	hushed := &hush{}
	a.org = emulator.New(emulator.Options{
		BaseURL: demoOrg, Users: 60, Days: 2, EventsPerDay: 20, Now: time.Now(), LogLag: 100 * time.Millisecond,
		Hooks: emulator.HookOptions{Dropped: 300, Duplicated: 200, Shuffled: 1000, Late: time.Second, Client: &http.Client{Transport: hushedHooks{hushed}}},
	})
	client := a.org.Client()
	client.Transport = hushedLog{hushed, client.Transport}
	a.source, err = okta.Open(okta.Config{OrgURL: demoOrg, Token: emulator.DefaultToken, HTTPClient: client})
	must(t, err)
	pack, err := packs.Open(packs.Default)
	must(t, err)
	must(t, a.applyPack(t.Context(), pack))
	conn, err := a.connection(t.Context())
	must(t, err)
	w := &worker{app: a, say: newSayer(cmd, false), follower: a.newFeed(pack)}
	var listener *server.Server
	listener, _, err = a.doors(t.Context(), w)
	must(t, err)
	w.also = listener.Run
	err = w.run(t.Context(), func(ctx context.Context) error {
		if _, err := w.syncAndIngest(ctx, conn, false, "test"); err != nil {
			return err
		}
		if differ := a.besideTruth(t); differ != "" {
			t.Errorf("after the first sync: %s", differ)
		}
		if err := a.hookDemo(ctx, listener.URL(), conn); err != nil {
			return err
		}
		if err := a.queue.EnsureFeed(ctx, conn.ID); err != nil {
			return err
		}
		if status := forged(t, listener.URL()+hookPath(conn)); status != http.StatusUnauthorized {
			t.Errorf("a forged delivery is answered %d, want 401", status)
		}
		work := a.org.Workload(3)
		for range 60 {
			if _, err := work.Step(); err != nil {
				return err
			}
		}
		if err := a.until(ctx, t, w); err != nil || t.Failed() {
			return err
		}
		return a.countMissed(ctx, t, w, conn, hushed)
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if s := a.org.HookStats(); s.Dropped == 0 || s.Duplicated == 0 || s.Delivered == 0 {
		t.Errorf("hooks: %+v, want some dropped, doubled and delivered", s)
	}
}

// countMissed makes changes of which the log and the hooks say nothing, and holds what a full run tells of them against
// their number.
func (a *app) countMissed(ctx context.Context, t *testing.T, w *worker, conn pipeline.Connection, hushed *hush) error {
	t.Helper()
	touched := map[string]bool{}
	for _, c := range a.org.Changes() {
		touched[c.User] = true
	}
	var quiet []string
	for r := range a.org.Truth("users") {
		if id := rawjson.GetString(r, "id"); !touched[id] && rawjson.GetString(r, "status") == "ACTIVE" {
			quiet = append(quiet, id)
		}
	}
	quiet = quiet[len(quiet)-5:]
	hushed.add(quiet...)
	for i, id := range quiet {
		var err error
		if i < 3 {
			err = a.org.UpdateProfile(id, map[string]any{"title": "Somebody else"})
		} else {
			_, err = a.org.Grant(id, "API_ACCESS_MANAGEMENT_ADMIN", "")
		}
		must(t, err)
	}
	work := a.org.Workload(4) // and others that are told of
	for range 10 {
		if _, err := work.Step(); err != nil {
			return err
		}
	}
	ids, err := w.syncAndIngest(ctx, conn, false, "test")
	if err != nil {
		return err
	}
	run := ids[len(ids)-1]
	if err := w.until(ctx, func() (bool, error) {
		behind, err := a.feedBehind(ctx, run)
		return !behind, err
	}); err != nil {
		return err
	}
	missed, err := a.missed(ctx, run)
	if want := map[string]int64{"users": 3, "user_role_assignments": 2}; !maps.Equal(missed, want) {
		t.Errorf("missed by the feed: %v, want %v", missed, want)
	}
	if differ := a.besideTruth(t); differ != "" {
		t.Errorf("after the full run: %s", differ)
	}
	return err
}

// hush knows of whom nothing is told.
type hush struct {
	mu  sync.Mutex
	ids []string
}

func (h *hush) add(ids ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ids = append(h.ids, ids...)
}

func (h *hush) tells(text []byte) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !slices.ContainsFunc(h.ids, func(id string) bool { return bytes.Contains(text, []byte(id)) })
}

// hushedLog takes their events out of the log.
type hushedLog struct {
	*hush
	next http.RoundTripper
}

func (h hushedLog) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := h.next.RoundTrip(r)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/logs") || response.StatusCode != http.StatusOK {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	var told [][]byte
	for event, err := range rawjson.Elements(body) {
		if err != nil {
			return nil, err
		}
		if h.tells(event) {
			told = append(told, event)
		}
	}
	response.Body = io.NopCloser(strings.NewReader("[" + string(bytes.Join(told, []byte(","))) + "]"))
	return response, nil
}

// hushedHooks swallows deliveries that tell of them.
type hushedHooks struct{ *hush }

func (h hushedHooks) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		if !h.tells(body) {
			return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return http.DefaultTransport.RoundTrip(r)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// until waits until the catalog says what the org's ledger says.
func (a *app) until(ctx context.Context, t *testing.T, w *worker) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	differ := ""
	err := w.until(ctx, func() (bool, error) {
		differ = a.besideTruth(t)
		return differ == "", nil
	})
	if differ != "" {
		t.Errorf("a minute later: %s", differ)
		return nil
	}
	return err
}

// forged sends what somebody without the secret would.
func forged(t *testing.T, uri string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, uri, strings.NewReader(`{"eventId":"x","data":{"events":[]}}`))
	must(t, err)
	r.Header.Set("Authorization", "guessed")
	response, err := http.DefaultClient.Do(r)
	must(t, err)
	_, _ = io.Copy(io.Discard, response.Body)
	must(t, response.Body.Close())
	return response.StatusCode
}

// besideTruth holds the catalog against the org's ledger and says what differs, or "".
func (a *app) besideTruth(t *testing.T) string {
	t.Helper()
	want := map[string]bool{}
	text := rawjson.GetString
	for r := range a.org.Truth("users") {
		want[fmt.Sprint("okta_user ", text(r, "id"), " ", text(r, "status"))] = true
	}
	for r := range a.org.Truth("groups") {
		want[fmt.Sprint("okta_group ", text(r, "id"), " ", text(r, "profile", "name"))] = true
	}
	for r := range a.org.Truth("group_members") {
		want[fmt.Sprint("okta_group_membership ", text(r, "groupId"), "/", text(r, "id"))] = true
	}
	for _, stream := range []string{"user_role_assignments", "group_role_assignments", "client_role_assignments"} {
		for r := range a.org.Truth(stream) {
			want["okta_role_assignment "+assignmentIdentifier(r)] = true
		}
	}
	var export bytes.Buffer
	_, _, err := a.catalog.Export(t.Context(), &export)
	must(t, err)
	var wrong []string
	for line := range strings.Lines(export.String()) {
		var e struct {
			Blueprint, Identifier, Title string
			Properties                   struct{ Status, Name string }
		}
		must(t, json.Unmarshal([]byte(line), &e))
		key := e.Blueprint + " " + e.Identifier
		switch e.Blueprint {
		case "okta_user":
			key += " " + e.Properties.Status
		case "okta_group":
			key += " " + e.Properties.Name
		case "okta_group_membership", "okta_role_assignment":
		default:
			continue
		}
		if !want[key] {
			wrong = append(wrong, key+" is in the catalog alone")
		}
		delete(want, key)
	}
	for key := range want {
		wrong = append(wrong, key+" is in the org alone")
	}
	slices.Sort(wrong)
	return strings.Join(wrong[:min(len(wrong), 8)], "; ")
}

// assignmentIdentifier is what the pack makes of an assignment.
func assignmentIdentifier(r []byte) string {
	text := rawjson.GetString
	parts := []string{"group", text(r, "groupId")}
	if client := text(r, "clientId"); client != "" {
		parts = []string{"client", client}
	}
	if user := text(r, "userId"); user != "" {
		parts = []string{"user", user}
		if text(r, "assignmentType") == "GROUP" {
			href := text(r, "_links", "assignee", "href")
			parts = append(parts, "via", href[strings.LastIndexByte(href, '/')+1:])
		}
	}
	role := text(r, "type")
	if role == "CUSTOM" {
		role = text(r, "role")
	}
	parts = append(parts, role)
	if set := text(r, "resource-set"); set != "" {
		parts = append(parts, set)
	}
	return strings.Join(parts, "/")
}

func TestTheSameIsSaidOnce(t *testing.T) {
	var said told
	denied := errors.New("403 at 12:00")
	for i, c := range []struct {
		connection int64
		err        error
		want       bool
	}{{1, denied, true}, {1, errors.New("403 at 12:10"), false}, {2, denied, true}, {1, errors.New("400"), true}} {
		if got := said.says(c.connection, c.err); got != c.want {
			t.Errorf("case %d: said %t, want %t", i, got, c.want)
		}
	}
	said.forget(2)
	if !said.says(2, denied) {
		t.Error("after it has worked again, nothing is said of the same error")
	}
}
