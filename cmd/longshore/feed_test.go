package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"longshore/internal/rawjson"
	"longshore/internal/server"
	"longshore/internal/source/okta"
	"longshore/internal/source/okta/emulator"
	"longshore/packs"
)

// What changes in the org is in the catalog soon after, by hooks that drop, double and shuffle and the log behind them;
// what is gone is gone there too.
func TestCatalogFollowsTheOrg(t *testing.T) {
	var out bytes.Buffer
	cmd := &cobra.Command{}
	cmd.SetOut(&out)
	dir := filepath.Join(t.TempDir(), "data")
	a, err := openApp(t.Context(), config{data: dir, listen: "127.0.0.1:0", s3Listen: "127.0.0.1:0", s3Prefix: "data/"}, slog.New(slog.DiscardHandler))
	must(t, err)
	defer func() { must(t, a.Close()) }()
	a.org = emulator.New(emulator.Options{
		BaseURL: demoOrg, Users: 60, Days: 2, EventsPerDay: 20, Now: time.Now(), LogLag: 100 * time.Millisecond,
		Hooks: emulator.HookOptions{Dropped: 300, Duplicated: 200, Shuffled: 1000, Late: time.Second},
	})
	a.source, err = okta.Open(okta.Config{OrgURL: demoOrg, Token: emulator.DefaultToken, HTTPClient: a.org.Client()})
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
		return a.until(ctx, t, w)
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if s := a.org.HookStats(); s.Dropped == 0 || s.Duplicated == 0 || s.Delivered == 0 {
		t.Errorf("hooks: %+v, want some dropped, doubled and delivered", s)
	}
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
	for _, stream := range []string{"user_role_assignments", "group_role_assignments"} {
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
