package emulator

import (
	"encoding/json"
	"net/url"
	"slices"
	"testing"
	"time"
)

type logged struct {
	UUID, EventType string
	Published       time.Time
	Outcome         *struct{ Result string }
	Actor           struct{ ID, Type string }
	Device          map[string]any
	Client          struct{ Zone *string }
	Target          []struct{ ID, Type, DisplayName string }
	DebugContext    struct{ DebugData map[string]any }
}

func decode(t *testing.T, items []json.RawMessage) (all []logged) {
	t.Helper()
	for _, item := range items {
		var e logged
		if err := json.Unmarshal(item, &e); err != nil {
			t.Fatalf("%s: %v", item, err)
		}
		all = append(all, e)
	}
	return all
}

func TestPollingAlwaysHasNextAndEndsWithTheSameCursor(t *testing.T) {
	o := New(Options{})
	path, pages, total := "/api/v1/logs?limit=1000&since=2026-10-01T00:00:00Z", 0, 0
	for {
		r := get(t, o, path)
		var page []json.RawMessage
		r.into(t, &page)
		next := r.links(t)["next"]
		if next == "" {
			t.Fatal("no next link")
		}
		if u, _ := url.Parse(next); u.Query().Get("since") != "" {
			t.Fatalf("next keeps since: %s", next)
		}
		pages, total = pages+1, total+len(page)
		if len(page) == 0 {
			if next != path {
				t.Errorf("nothing is new and next %s is not the request's %s", next, path)
			}
			break
		}
		path = next
	}
	if total != 30*400 || pages != 13 {
		t.Errorf("%d events in %d pages, want 12000 in 13", total, pages)
	}
}

func TestPublishedGoesBackwardsInPollingAndNotInBounded(t *testing.T) {
	o := New(Options{})
	backwards := func(all []logged) (n int) {
		for i := 1; i < len(all); i++ {
			if all[i].Published.Before(all[i-1].Published) {
				n++
			}
		}
		return n
	}
	polled := decode(t, events(t, o, "limit=1000&since=2026-10-25T00:00:00Z"))
	if n := backwards(polled); n == 0 || n > len(polled)/20 {
		t.Errorf("published goes backwards %d times in %d events, want sometimes", n, len(polled))
	}
	since, until := "2026-10-25T12:00:00Z", "2026-10-27T12:00:00Z"
	bounded := decode(t, pages(t, o, "/api/v1/logs?limit=70&since="+since+"&until="+until, ""))
	if n := backwards(bounded); n != 0 {
		t.Errorf("published goes backwards %d times in a bounded answer", n)
	}
	var want []string
	from, to := must(time.Parse(time.RFC3339, since)), must(time.Parse(time.RFC3339, until))
	for _, e := range polled {
		if !e.Published.Before(from) && e.Published.Before(to) {
			want = append(want, e.UUID)
		}
	}
	var got []string
	for _, e := range bounded {
		got = append(got, e.UUID)
	}
	descending := decode(t, pages(t, o, "/api/v1/logs?limit=70&sortOrder=DESCENDING&since="+since+"&until="+until, ""))
	slices.Reverse(descending)
	for i, e := range descending {
		if i >= len(got) || e.UUID != got[i] {
			t.Fatalf("descending is not ascending reversed at %d of %d and %d", i, len(descending), len(got))
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("bounded finds %d events, polling knows %d in its bounds", len(got), len(want))
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestEventsHaveTheNullsAndSizesOfRealOnes(t *testing.T) {
	o := New(Options{EventsPerDay: 150})
	items := events(t, o, "limit=1000&since=2026-10-01T00:00:00Z")
	all := decode(t, items)
	count := make(map[string]int)
	seen := make(map[string]bool)
	for i, e := range all {
		if seen[e.UUID] {
			t.Fatalf("uuid %s twice", e.UUID)
		}
		seen[e.UUID] = true
		if n := len(items[i]); n < 1000 || n > 2700 {
			t.Errorf("%s has %d bytes", e.EventType, n)
		}
		if e.Published.After(defaultNow) {
			t.Errorf("%s happens at %v, after now", e.UUID, e.Published)
		}
		count["actor "+e.Actor.Type]++
		count[e.EventType]++
		for name, is := range map[string]bool{
			"no outcome": e.Outcome == nil, "no target": e.Target == nil, "device": e.Device != nil,
			"word null": e.Client.Zone != nil && *e.Client.Zone == "null", "no zone": e.Client.Zone == nil, "millis": e.Published.Nanosecond() != 0,
		} {
			if is {
				count[name]++
			}
		}
		for k, v := range e.DebugContext.DebugData {
			if _, text := v.(string); !text {
				t.Fatalf("debugData.%s is %T", k, v)
			}
		}
		if e.EventType == "user.session.start" && e.Target != nil {
			t.Errorf("a sign-in has a target")
		}
	}
	for name, share := range map[string]int{
		"actor User": 850, "actor SystemPrincipal": 40, "actor PublicClientApp": 20, "no outcome": 2, "no target": 350, "device": 50,
		"word null": 850, "no zone": 40, "millis": 950, "user.session.start": 150, "user.authentication.sso": 200, "policy.evaluate_sign_on": 80,
	} {
		if count[name]*1000 < share*len(all) {
			t.Errorf("%s: %d of %d events, want at least %d in 1000", name, count[name], len(all), share)
		}
	}
}

func TestNobodySignsInAfterTheLastLogin(t *testing.T) {
	o := New(Options{EventsPerDay: 150})
	for _, e := range decode(t, events(t, o, "limit=1000&since=2026-10-01T00:00:00Z")) {
		if e.EventType != "user.session.start" || e.Outcome.Result != "SUCCESS" {
			continue
		}
		i, ok := o.indexOf(kindUser, e.Actor.ID, o.staff.count)
		if !ok {
			t.Fatalf("%s signs in and is nobody", e.Actor.ID)
		}
		u := o.user(i)
		if e.Published.Unix() > u.lastLogin || e.Published.Unix() < u.created {
			t.Errorf("%s signs in at %v, but was created at %s and signed in last at %s", u.login, e.Published, stamp(u.created), stamp(u.lastLogin))
		}
	}
}

func TestLogFilters(t *testing.T) {
	o := New(Options{EventsPerDay: 100})
	contractor := o.id(kindUser, o.staff.places[partContractor])
	for filter, least := range map[string]int{
		`eventType eq "group.privilege.grant"`:                                                  1,
		`target.id eq "` + contractor + `"`:                                                     2,
		`actor.id eq "` + contractor + `" and eventType sw "user.session"`:                      12,
		`outcome.result eq "FAILURE" and not (actor.type eq "SystemPrincipal")`:                 20,
		`eventType ne "user.authentication.sso" and client.geographicalContext.city co "allin"`: 20,
	} {
		if n := len(events(t, o, "limit=1000&since=2026-10-01T00:00:00Z&filter="+url.QueryEscape(filter))); n < least || n > 2000 {
			t.Errorf("%s finds %d events, want at least %d", filter, n, least)
		}
	}
	if n := len(events(t, o, "limit=1000&since=2026-10-01T00:00:00Z&q="+url.QueryEscape("tallinn ibarra"))); n < 12 {
		t.Errorf("q finds %d events", n)
	}
}
