package emulator

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func control(t testing.TB, o *Org, method, path, body string) (int, string) {
	t.Helper()
	mux := http.NewServeMux()
	for pattern, h := range o.changeRoutes() {
		mux.HandleFunc(pattern, h)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
	return w.Code, w.Body.String()
}

func TestTheOrgIsChangedThroughTheControlAPI(t *testing.T) {
	o := New(Options{Users: 100})
	u := somebody(t, o, 0)
	status, body := control(t, o, "POST", "/_emu/mutate", `[{"what":"grant","user":"`+u+`","role":"SUPER_ADMIN"},{"what":"suspend","user":"`+u+`"}]`)
	var made struct {
		Changes []Change
		Error   string
	}
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != 200 || len(made.Changes) != 2 {
		t.Fatalf("mutate: %d %s", status, body)
	}
	if c := made.Changes[0]; c.Number != 1 || c.What != "grant" || c.User != u || c.Role != superAdmin || !strings.HasPrefix(c.Assignment, "ra1") || !slices.Equal(c.Events, []string{"user.account.privilege.grant"}) || c.At.Before(o.options.Now) {
		t.Errorf("the ledger says %+v", c)
	}
	if status, body = control(t, o, "POST", "/_emu/mutate", `{"what":"suspend","user":"`+u+`"}`); status != 409 || !strings.Contains(body, "not active") {
		t.Errorf("a refused step: %d %s", status, body)
	}
	if status, body = control(t, o, "POST", "/_emu/mutate", `{"workload":{"seed":4,"changes":50}}`); status != 200 || strings.Count(body, `"number"`) != 50 {
		t.Errorf("a workload: %d %s", status, body)
	}
	for _, bad := range []string{``, `{"what":"fly"}`, `{"workload":{"changes":0}}`, `7`} {
		if status, _ = control(t, o, "POST", "/_emu/mutate", bad); status != 400 && status != 409 {
			t.Errorf("mutate %q: %d", bad, status)
		}
	}
	if _, body = control(t, o, "GET", "/_emu/changes?after=50", ""); strings.Count(body, "\n") != 2 || len(o.Changes()) != 52 {
		t.Errorf("the ledger after 50: %s", body)
	}
	var exported []string
	_, body = control(t, o, "GET", "/_emu/truth/user_role_assignments", "")
	for lines := bufio.NewScanner(strings.NewReader(body)); lines.Scan(); {
		exported = append(exported, lines.Text())
	}
	if !slices.Equal(exported, ledgerOf(o, "user_role_assignments")) {
		t.Errorf("%d lines of truth differ from the ledger", len(exported))
	}
	if status, _ = control(t, o, "GET", "/_emu/truth/unicorns", ""); status != 404 {
		t.Errorf("an unknown kind: %d", status)
	}
	before := o.Now()
	if status, _ = control(t, o, "POST", "/_emu/clock", `{"advance":"48h"}`); status != 200 || o.Now().Sub(before) < 48*time.Hour {
		t.Errorf("the clock went from %v to %v", before, o.Now())
	}
	if status, _ = control(t, o, "POST", "/_emu/clock", `{"advance":"-1h"}`); status != 400 {
		t.Errorf("the clock was set back: %d", status)
	}
}

func TestAnOrgLivesByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Options{Users: 100, EventsPerDay: -1})
		if status, body := control(t, o, "POST", "/_emu/workload", `{"seed":1,"perSecond":4}`); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		time.Sleep(10*time.Second + time.Millisecond)
		if n := len(o.Changes()); n != 40 {
			t.Errorf("%d changes in 10 s, want 40", n)
		}
		if status, body := control(t, o, "POST", "/_emu/workload", `{"perSecond":0}`); status != 200 || !strings.Contains(body, `"perSecond":0`) {
			t.Errorf("%d %s", status, body)
		}
		time.Sleep(10 * time.Second)
		if n := len(o.Changes()); n != 40 {
			t.Errorf("%d changes after it was stopped", n)
		}
		if status, _ := control(t, o, "POST", "/_emu/workload", `{"perSecond":1e9}`); status != 400 {
			t.Errorf("a rate of 1e9: %d", status)
		}
		ok(t, o.Live(2, 1))
		o.Close()
	})
}

func TestResetUndoesAllChanges(t *testing.T) {
	for _, options := range []Options{{Users: 100}, {Users: 100, EventsPerDay: -1, IndexLag: time.Hour, LogLag: time.Hour}} {
		o := New(options)
		w := o.Workload(1)
		for range 300 {
			if _, err := w.Step(); err != nil {
				t.Fatal(err)
			}
		}
		o.Reset()
		fresh := New(options)
		for _, kind := range kinds {
			if !slices.Equal(ledgerOf(o, kind), ledgerOf(fresh, kind)) {
				t.Errorf("%+v: %s differ from a new org's", options, kind)
			}
		}
		if len(o.Changes()) != 0 {
			t.Error("the ledger still tells of changes")
		}
		checkCounts(t, o)
	}
}

func TestAfterThreeMonthsTheLogForgets(t *testing.T) {
	o := New(Options{Users: minUsers, EventsPerDay: 10, Days: 30})
	all := len(ledgerOf(o, "logs"))
	o.Advance(75 * 24 * time.Hour)
	ok(t, o.SignIn("me"))
	told := ledgerOf(o, "logs")
	if len(told) <= all/3 || len(told) >= all*2/3 {
		t.Errorf("%d of %d events are left of 30 days, of which 15 were to be forgotten", len(told), all)
	}
	if polled := events(t, o, "limit=1000&since="+o.Now().Add(-179*24*time.Hour).Format(time.RFC3339)); len(polled) != len(told) || string(polled[0]) != told[0] {
		t.Errorf("%d are polled, the ledger has %d", len(polled), len(told))
	}
}
