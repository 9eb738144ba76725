package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"longshore/internal/auth"
	"longshore/internal/catalog"
	"longshore/internal/store"
)

// folder makes a data folder with an empty catalog.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if _, err := openKeys(config{data: dir}); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), databasePath(dir))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// longshoreIn runs a command on a data folder.
func longshoreIn(t *testing.T, dir string, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(t.Context(), append(args, "--data", dir), strings.NewReader(""), &out, &errs); got != want {
		t.Fatalf("longshore %s: exit %d, want %d\n%s%s", strings.Join(args, " "), got, want, &out, &errs)
	}
	return out.String(), errs.String()
}

func TestCredentialsBesideARunningServer(t *testing.T) {
	dir := folder(t)
	cfg := config{data: dir}
	serving, err := openDatabase(t.Context(), cfg, newLog(&bytes.Buffer{}))
	if err != nil {
		t.Fatal(err)
	}
	defer serving.Close()
	keeper, err := serving.keeper(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	decode := func(text string) (c wireCredential) {
		t.Helper()
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return c
	}
	out, _ := longshoreIn(t, dir, exitOK, "credential", "add", "--role", "viewer", "--title", "dashboards", "--expires", "90d", "--json")
	made := decode(out)
	keeper.Refresh()
	token, _, err := keeper.Token(made.ID, made.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := keeper.Verify(token.Text); err != nil || p.Role != auth.Viewer {
		t.Fatalf("%+v, %v", p, err)
	}

	out, _ = longshoreIn(t, dir, exitOK, "credential", "list", "--json")
	var all struct{ Credentials []wireCredential }
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all.Credentials) != 2 || strings.Contains(out, made.Secret) {
		t.Fatalf("want the one of first start and the one added, without secrets: %v, %s", err, out)
	}
	if out, _ = longshoreIn(t, dir, exitOK, "credential", "list"); !strings.Contains(out, "viewer") || !strings.Contains(out, firstCredential) {
		t.Errorf("the list: %s", out)
	}

	out, _ = longshoreIn(t, dir, exitOK, "credential", "rotate", made.ID, "--json")
	keeper.Refresh()
	if _, err := keeper.Verify(token.Text); err == nil {
		t.Error("a token outlives its secret")
	}
	if token, _, err = keeper.Token(made.ID, decode(out).Secret); err != nil {
		t.Fatal(err)
	}
	longshoreIn(t, dir, exitOK, "credential", "disable", made.ID)
	keeper.Refresh()
	if _, err := keeper.Verify(token.Text); err == nil {
		t.Error("a token outlives its credential")
	}

	longshoreIn(t, dir, exitOK, "credential", "enable", made.ID)
	entries, err := serving.catalog.History(t.Context(), catalog.HistoryFilter{Kind: "credential", OldestFirst: true})
	if err != nil {
		t.Fatal(err)
	}
	told := ""
	for _, e := range entries {
		told += " " + e.Action + " " + map[bool]string{true: "it", false: "another"}[e.Identifier == made.ID]
		if strings.Contains(string(e.Before)+string(e.After), made.Secret) {
			t.Errorf("the audit log tells a secret: %s", e.After)
		}
	}
	if told != " CREATE another CREATE it UPDATE it UPDATE it UPDATE it" {
		t.Errorf("the audit log tells of%s", told)
	}
	if out, _ := longshoreIn(t, dir, exitOK, "audit", "verify"); out == "" {
		t.Error("the chain is not verified")
	}

	_, wrong := longshoreIn(t, dir, exitUsage, "credential", "add", "--role", "owner")
	if !strings.Contains(wrong, "admin, editor, viewer or ingest") {
		t.Errorf("no word of the roles that there are: %s", wrong)
	}
	longshoreIn(t, dir, exitFailed, "credential", "rotate", "nobody")
	longshoreIn(t, dir, exitUsage, "credential", "rotate")
}

func TestRotatedFirstCredentialIsTheOneShown(t *testing.T) {
	dir := folder(t)
	longshoreIn(t, dir, exitOK, "credential", "list")
	a, err := openDatabase(t.Context(), config{data: dir}, newLog(&bytes.Buffer{}))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	id, before, err := a.apiCredentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, _ := longshoreIn(t, dir, exitOK, "credential", "rotate", id)
	_, after, err := a.apiCredentials(t.Context())
	if err != nil || after == before || !strings.Contains(out, after) {
		t.Errorf("printed %q, kept %q, before %q (%v)", out, after, before, err)
	}
	keeper, err := a.keeper(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := keeper.Token(id, after); err != nil {
		t.Errorf("the new secret: %v", err)
	}
}

func TestAuditIsVerified(t *testing.T) {
	dir := folder(t)
	a, err := openDatabase(t.Context(), config{data: dir}, newLog(&bytes.Buffer{}))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if err := a.catalog.Record(t.Context(), []catalog.AuditEntry{{Kind: "team", Action: "CREATE", Identifier: "core"}, {Kind: "team", Action: "DELETE", Identifier: "core"}}); err != nil {
		t.Fatal(err)
	}
	head, _ := longshoreIn(t, dir, exitOK, "audit", "head")
	file := filepath.Join(t.TempDir(), "head.json")
	if err := os.WriteFile(file, []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, _ := longshoreIn(t, dir, exitOK, "audit", "verify", "--head", file); !strings.Contains(out, "ok: 2 entries fit, the kept entry 2 among them") {
		t.Errorf("%s", out)
	}
	for _, q := range []string{`DROP TRIGGER history_stays`, `UPDATE history SET identifier = 'other' WHERE id = 1`} {
		if _, err := a.store.Writer().Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if out, _ := longshoreIn(t, dir, exitFailed, "audit", "verify"); !strings.Contains(out, "BROKEN at entry 1") {
		t.Errorf("%s", out)
	}
}
