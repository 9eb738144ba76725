package okta

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longshore/internal/rawjson"
)

func TestLogBeginsNinetyDaysBackByTheServersClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := sampleOrg()
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Date", "Mon, 05 Jan 2026 10:00:00 GMT")
			return false
		}
		if _, err := readAll(t, open(t, org), "logs", nil); err != nil {
			t.Fatal(err)
		}
		if got := org.requests()[1]; got != "/api/v1/logs?since=2025-10-07T10%3A00%3A00.000Z&sortOrder=ASCENDING&limit=1000" {
			t.Errorf("the first log request is %s", got)
		}
		org.hits = nil
		s := open(t, org, func(c *Config) { c.LogHistory = 24 * time.Hour })
		if _, err := readAll(t, s, "logs", nil); err != nil || !strings.Contains(org.requests()[1], "since=2026-01-04T10") {
			t.Errorf("one day of history: %v, %s", err, org.requests()[1])
		}
	})
}

func TestLogGoesOnWhereItStopped(t *testing.T) {
	org := sampleOrg()
	s := open(t, org)
	first, err := readAll(t, s, "logs", nil)
	if err != nil {
		t.Fatal(err)
	}
	last := first[len(first)-1].State
	again, err := readAll(t, s, "logs", last)
	if err != nil || len(lines(again)) != 0 || len(again) != 1 {
		t.Errorf("a quiet log gave %q in %d pages, %v", lines(again), len(again), err)
	}
	org.events = append(org.events, "10000000-0000-4000-8000-000000000000")
	more, err := readAll(t, s, "logs", again[0].State)
	if err != nil || len(lines(more)) != 1 || !strings.Contains(lines(more)[0], "10000000") {
		t.Errorf("one new event gave %q, %v", lines(more), err)
	}
	if strings.Contains(string(more[0].State), "since") {
		t.Errorf("the state %s mixes since with a cursor", more[0].State)
	}
}

func TestLogEndsInAnOrgThatIsNeverQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(250 * time.Millisecond) // a new event with every request
			n++
			w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Link", fmt.Sprintf(`<http://acme.okta.com/api/v1/logs?after=%d_1&limit=1000>; rel="next"`, n))
			fmt.Fprintf(w, `[{"uuid":"00000000-0000-4000-8000-%012d","published":%q}]`, n, time.Now().UTC().Format(time.RFC3339Nano))
		})
		pages, err := readAll(t, open(t, handler), "logs", nil)
		if err != nil || len(pages) > 3 {
			t.Errorf("%d pages, %v, want an end once the present is reached", len(pages), err)
		}
	})
}

func TestLogGoesOnBehindAnEmptyPage(t *testing.T) {
	org := sampleOrg()
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != logsPath || r.FormValue("after") != "" {
			return false
		}
		w.Header().Set("Link", `<http://acme.okta.com/api/v1/logs?after=0_1&limit=1000>; rel="next"`)
		fmt.Fprint(w, `[]`)
		return true
	}
	pages, err := readAll(t, open(t, org), "logs", nil)
	if err != nil || len(lines(pages)) != 9 {
		t.Errorf("%d events, %v, want 9", len(lines(pages)), err)
	}
}

func TestReplayedLogPageRepeatsNoEvent(t *testing.T) {
	org := sampleOrg()
	org.clamp = 4
	whole, err := readAll(t, open(t, org), "logs", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, page := range whole[:2] {
		// Okta's cursor went back by two events, as after a change of its storage.
		var st state
		if err := json.Unmarshal(page.State, &st); err != nil {
			t.Fatal(err)
		}
		st.Link = fmt.Sprintf("/api/v1/logs?after=%d_1&limit=1000", 4*(i+1)-2)
		rest, err := readAll(t, open(t, org), "logs", st.encode())
		if got := append(lines(whole[:i+1]), lines(rest)...); err != nil || !reflect.DeepEqual(got, lines(whole)) {
			t.Errorf("replayed behind page %d: %q, %v", i, got, err)
		}
	}
}

func TestEventsWithoutUsualUUIDAreAllKept(t *testing.T) {
	org := &testOrg{events: []string{"a", "a", "", "00000000-0000-4000-8000-00000000000g", "00000000-0000-4000-8000-00000000000g"}}
	pages, err := readAll(t, open(t, org), "logs", nil)
	if err != nil || len(lines(pages)) != 5 {
		t.Errorf("%d events, %v, want 5", len(lines(pages)), err)
	}
}

func TestLogStateStaysSmall(t *testing.T) {
	org := &testOrg{}
	for i := range 2500 {
		org.events = append(org.events, fmt.Sprintf("%08x-0000-4000-8000-000000000000", i))
	}
	pages, err := readAll(t, open(t, org), "logs", nil) // readAll checks the size of each state
	if err != nil || len(lines(pages)) != 2500 || len(pages) != 4 {
		t.Errorf("%d events in %d pages, %v, want 2500 in 3 and an empty one", len(lines(pages)), len(pages), err)
	}
	var st state
	if err := json.Unmarshal(pages[3].State, &st); err != nil || len(newRecentUUIDs(st.Recent).order) != recentEvents {
		t.Errorf("state %s remembers %d events, want %d", pages[3].State, len(newRecentUUIDs(st.Recent).order), recentEvents)
	}
}

func TestRefusedLogCursorFallsBackToTime(t *testing.T) {
	org := sampleOrg()
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.FormValue("after") == "old" {
			refuse(w, 400, "E0000001", "Api validation failed: after")
			return true
		}
		return false
	}
	latest := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	pages, err := readAll(t, open(t, org), "logs", state{Link: "/api/v1/logs?after=old&limit=1000", Latest: latest.Format(time.RFC3339)}.encode())
	if err != nil || len(lines(pages)) != 9 || len(gaps(pages)) != 0 {
		t.Errorf("%d events, gaps %q, %v, want 9", len(lines(pages)), gaps(pages), err)
	}
	want := "since=" + url.QueryEscape(latest.Add(-logOverlap).Format("2006-01-02T15:04:05.000Z"))
	if !slices.ContainsFunc(org.requests(), func(hit string) bool { return strings.Contains(hit, want) }) {
		t.Errorf("requests %q, want one with %s", org.requests(), want)
	}
	// Without a stored cursor a 400 is a mistake of ours, and must show.
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		refuse(w, 400, "E0000001", "Api validation failed: since")
		return true
	}
	if _, err := readAll(t, open(t, org), "logs", nil); err == nil {
		t.Error("a refused first request passed as an empty log")
	}
}

func TestLogOlderThanRetentionIsAGap(t *testing.T) {
	old := time.Now().Add(-100 * 24 * time.Hour).UTC().Format(time.RFC3339)
	pages, err := readAll(t, open(t, sampleOrg()), "logs", state{Link: "/api/v1/logs?after=0_1&limit=1000", Latest: old}.encode())
	if err != nil || len(gaps(pages)) != 1 || !strings.Contains(gaps(pages)[0], "retention") {
		t.Errorf("gaps %q, %v, want one", gaps(pages), err)
	}
}

// A cursor that Okta refuses is mended by time. Whether nothing is lost is proven by meeting the newest events known.
func TestRefusedLogCursorIsAGapUnlessTheNewestEventsAreMetAgain(t *testing.T) {
	for name, c := range map[string]struct {
		forget bool // the log has lost what it had
		gap    bool
	}{"the log still has them": {false, false}, "the log has lost them": {true, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org := newMovingOrg()
				org.events = nil
				for range 5 {
					time.Sleep(time.Minute)
					org.happens("user.session.start", "User:00u1")
				}
				s := open(t, org)
				pages, err := readAll(t, s, "logs", nil)
				if err != nil || len(lines(pages)) != 5 {
					t.Fatalf("%d events, %v", len(lines(pages)), err)
				}
				state := pages[len(pages)-1].State
				time.Sleep(time.Hour)
				org.happens("user.session.end", "User:00u1")
				for i := range org.log[:5] {
					if c.forget {
						org.log[i].at = org.log[i].at.Add(-100 * 24 * time.Hour) // past any since
					}
				}
				refused := 0
				org.fault = func(w http.ResponseWriter, r *http.Request) bool {
					if r.URL.Path == logsPath && r.FormValue("after") == "5" {
						refused++
						refuse(w, 400, "E0000001", "Api validation failed: 'after'")
						return true
					}
					return org.answer(w, r)
				}
				pages, err = readAll(t, s, "logs", state)
				if got := lines(pages); err != nil || refused != 1 || len(got) != 1 || !strings.Contains(got[0], "user.session.end") {
					t.Errorf("refused %d times, %q, %v; want the one new event", refused, got, err)
				}
				if found := gaps(pages); (len(found) == 1) != c.gap || len(found) > 1 {
					t.Errorf("gaps %q, want one: %t", found, c.gap)
				}
			})
		})
	}
}

func TestLogStateTellsAirbyteOnlyOfWholeReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := newMovingOrg()
		begin := time.Now()
		for range 6 {
			time.Sleep(time.Minute)
			org.happens("user.session.start", "User:00u1")
		}
		s := open(t, org, func(c *Config) { c.PageLimit, c.LogsSince = 2, begin })
		pages, err := readAll(t, s, "logs", nil)
		if err != nil || len(lines(pages)) != 6 {
			t.Fatalf("%d events, %v", len(lines(pages)), err)
		}
		last := org.log[5].at.UTC().Format(wholeLayout)
		for i, page := range pages {
			want := begin.UTC().Format(wholeLayout)
			if i == len(pages)-1 {
				want = last
			}
			if got := rawjson.GetString(page.State, "published"); got != want {
				t.Errorf("page %d of %d: the state has published %q, want %q", i, len(pages), got, want)
			}
		}
	})
}

func TestLogThatWasLeftForTooLongHasAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := newMovingOrg()
		org.happens("user.session.start", "User:00u1")
		s := open(t, org)
		pages, err := readAll(t, s, "logs", nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, state := range map[string]string{
			"ours":      string(pages[len(pages)-1].State),
			"Airbyte's": `{"published":"` + time.Now().UTC().Format(wholeLayout) + `"}`,
		} {
			time.Sleep(100 * 24 * time.Hour)
			org.happens("user.session.end", "User:00u1")
			pages, err := readAll(t, s, "logs", json.RawMessage(state))
			if found := gaps(pages); err != nil || len(lines(pages)) == 0 || len(found) != 1 || !strings.Contains(found[0], "retention") {
				t.Errorf("%s: %d events, gaps %q, %v; want one gap", name, len(lines(pages)), found, err)
			}
		}
	})
}
