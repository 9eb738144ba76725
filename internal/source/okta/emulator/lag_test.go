package emulator

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestSearchLagsBehindReadsById(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Options{IndexLag: time.Minute})
		u := somebody(t, o, 0)
		found := func(query string) int {
			return len(pages(t, o, "/api/v1/users?search="+url.QueryEscape(query), ""))
		}
		all := found("status pr")
		created := sure[string](t)(o.CreateUser(map[string]any{"firstName": "Ada", "lastName": "Byron", "login": "ada@x.example", "email": "ada@x.example", "title": "Countess"}, true))
		ok(t, o.UpdateProfile(u, map[string]any{"title": "Harbor Pilot"}))
		ok(t, o.Deactivate(u))
		group := sure[string](t)(o.CreateGroup("Pilots", ""))
		if got := found("status pr"); got != all {
			t.Errorf("search finds %d at once, want still %d", got, all)
		}
		if found(`profile.title eq "Harbor Pilot"`) != 0 || found(`id eq "`+u+`" and status eq "ACTIVE"`) != 1 {
			t.Error("search shows what just changed")
		}
		if r := get(t, o, "/api/v1/users/"+u); !strings.Contains(string(r.body), "Harbor Pilot") || !strings.Contains(string(r.body), deprovisioned) {
			t.Errorf("by id: %s", r.body)
		}
		groups := func() int {
			return len(pages(t, o, "/api/v1/groups?search="+url.QueryEscape(`profile.name eq "Pilots"`), ""))
		}
		if get(t, o, "/api/v1/groups/"+group).status != 200 || groups() != 0 {
			t.Error("the new group is to be read by id and not to be found")
		}
		time.Sleep(30 * time.Second)
		ok(t, o.UpdateProfile(u[:0]+created, map[string]any{"title": "Mathematician"}))
		time.Sleep(31 * time.Second)
		if found(`profile.title eq "Harbor Pilot"`) != 1 || found("status pr") != all+1 || groups() != 1 {
			t.Error("a minute later search does not show the change")
		}
		if found(`profile.title eq "Countess"`) != 1 || found(`profile.title eq "Mathematician"`) != 0 {
			t.Error("search shows a later state than that of a minute ago")
		}
		ok(t, o.Delete(u))
		if found(`id eq "`+u+`"`) != 1 || get(t, o, "/api/v1/users/"+u).status != 404 {
			t.Error("a deleted user is gone by id, and found a while longer")
		}
		o.Advance(time.Minute)
		if found(`id eq "`+u+`"`) != 0 || found(`profile.title eq "Mathematician"`) != 1 {
			t.Error("a minute after the deletion search still shows it")
		}
	})
}

func TestTheLogIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Options{Users: minUsers, EventsPerDay: -1, LogLag: time.Second})
		const n = 1000
		for range n {
			ok(t, o.SignIn("me"))
			time.Sleep(time.Millisecond)
		}
		since := "limit=1000&since=" + o.options.Now.Add(-time.Hour).Format(time.RFC3339)
		first := events(t, o, since)
		if len(first) < n/5 || len(first) > n*4/5 {
			t.Errorf("after a second %d of %d are in the log, want about half", len(first), n)
		}
		time.Sleep(time.Minute)
		all := events(t, o, since)
		if len(all) != n {
			t.Errorf("after a minute %d of %d are in the log", len(all), n)
		}
		for i := range first {
			if string(first[i]) != string(all[i]) {
				t.Fatalf("event %d of the polling order changed", i)
			}
		}
		backwards := 0
		for i := 1; i < len(o.world.log.stored); i++ {
			if o.world.log.stored[i].published < o.world.log.stored[i-1].published {
				backwards++
			}
		}
		if backwards == 0 {
			t.Error("published never goes backwards in polling order")
		}
		until := o.Now().Format(time.RFC3339)
		if got := pages(t, o, "/api/v1/logs?limit=300&since="+o.options.Now.Format(time.RFC3339)+"&until="+until, ""); len(got) != n {
			t.Errorf("a bounded query finds %d of %d", len(got), n)
		}
	})
}

func TestLagIsDrawnAsTheContractSays(t *testing.T) {
	o := New(Options{Users: minUsers, LogLag: time.Second})
	const n = 200_000
	under1, under30, late := 0, 0, 0
	for i := range n {
		switch lag := o.logLag(i); {
		case lag <= 1000:
			under1++
			under30++
		case lag <= 30_000:
			under30++
		case lag >= 5*60_000:
			late++
		}
	}
	if under1 < n*49/100 || under1 > n*51/100 || under30 < n*985/1000 || under30 > n*995/1000 || late < 1 || late > 8 {
		t.Errorf("of %d: %d within 1 s, %d within 30 s, %d late by minutes", n, under1, under30, late)
	}
}
