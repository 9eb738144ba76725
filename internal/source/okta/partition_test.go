package okta

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
	"longshore/internal/source/okta/emulator"
)

func TestUsersListedWithSeveralCursorsAreTheSame(t *testing.T) {
	synctest.Test(t, usersListedWithSeveralCursors)
}

func usersListedWithSeveralCursors(t *testing.T) {
	org := emulator.New(emulator.Options{
		Users: 1600, EventsPerDay: -1, BaseURL: emulator.DefaultBaseURL, RateLimits: emulator.RateLimits{Profile: "workforce"},
		Faults: emulator.Faults{{Latency: time.Second}},
	})
	read := func(partitions int) (s *Source, pages []pipeline.Page, took time.Duration) {
		s = openEmulator(t, org, func(c *Config) { c.Partitions, c.PageLimit = partitions, 25 })
		began := time.Now()
		pages, err := readAll(t, s, "users", nil)
		if err != nil || len(gaps(pages)) > 0 {
			t.Fatalf("%d partitions: %v, gaps %q", partitions, err, gaps(pages))
		}
		return s, pages, time.Since(began)
	}
	_, plain, slow := read(0)
	s, pages, quick := read(4)
	want := ledger(t, s, org, "users")
	sameRecords(t, "users with several cursors", held(t, s, "users", pages), want)
	t.Logf("%d pages in %s with one cursor, %d pages in %s with four", len(plain), slow, len(pages), quick)
	if quick > slow/2 {
		t.Errorf("four cursors took %s, one took %s: want less than half", quick, slow)
	}
	if most := len(plain) + len(plain)/5; len(pages) > most {
		t.Errorf("%d pages with four cursors, want at most %d: one cursor reads %d", len(pages), most, len(plain))
	}
	for i := 0; i < len(pages); i += 12 {
		again := openEmulator(t, org, func(c *Config) { c.Partitions, c.PageLimit = 4, 25 })
		rest, err := readAll(t, again, "users", slices.Clone(pages[i].State))
		if err != nil {
			t.Fatalf("resumed at %s: %v", pages[i].State, err)
		}
		got := held(t, s, "users", append(slices.Clone(pages[:i+1]), rest...))
		sameRecords(t, fmt.Sprintf("users resumed behind page %d at %s", i, pages[i].State), got, want)
		if repeated := len(lines(pages[:i+1])) + len(lines(rest)) - len(lines(pages)); repeated > 5*25 {
			t.Errorf("resumed behind page %d at %s: %d records twice, want a page a cursor at most", i, pages[i].State, repeated)
		}
	}
}

func TestUsersOfANearOrgAreListedPlainly(t *testing.T) { synctest.Test(t, usersOfANearOrg) }

func usersOfANearOrg(t *testing.T) {
	org := emulator.New(emulator.Options{Users: 500, EventsPerDay: -1, BaseURL: emulator.DefaultBaseURL, RateLimits: emulator.RateLimits{Profile: "workforce"}})
	s := openEmulator(t, org, func(c *Config) { c.Partitions, c.PageLimit = 4, 25 })
	pages, err := readAll(t, s, "users", nil)
	if err != nil {
		t.Fatal(err)
	}
	sameRecords(t, "users", held(t, s, "users", pages), ledger(t, s, org, "users"))
	for _, page := range pages {
		if strings.Contains(page.Cursor, "search=") {
			t.Fatalf("searched with %s although one cursor is as quick", page.Cursor)
		}
	}
}

// An org that ignores the order, or the range, or refuses the search is listed plainly.
func TestUsersOfAnOrgThatCannotBeDividedAreListedPlainly(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"refused": func(w http.ResponseWriter, _ *http.Request) bool {
			refuse(w, 400, "E0000031", "Invalid search criteria.")
			return true
		},
		"out of order": func(w http.ResponseWriter, _ *http.Request) bool {
			fmt.Fprint(w, `[{"id":"00u1","created":"2026-01-02T00:00:00.000Z"},{"id":"00u0","created":"2026-01-01T00:00:00.000Z"}]`)
			return true
		},
		"without times": func(http.ResponseWriter, *http.Request) bool { return false },
	} {
		org := sampleOrg()
		org.fault = func(w http.ResponseWriter, r *http.Request) bool { return r.FormValue("search") != "" && answer(w, r) }
		pages, err := readAll(t, open(t, org, func(c *Config) { c.Partitions = 4 }), "users", nil)
		var ids []string
		for _, line := range lines(pages) {
			ids = append(ids, strings.SplitN(line, `"`, 5)[3])
		}
		slices.Sort(ids)
		if ids = slices.Compact(ids); err != nil || len(ids) != 9 {
			t.Errorf("%s: %d users, %v, want 9", name, len(ids), err)
		}
	}
}

func TestRangesAreHalfOpenAndFitIntoAState(t *testing.T) {
	at := time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	var ranges []span
	for i := range maxPartitions {
		ranges = append(ranges, span{at.Add(time.Duration(i) * time.Hour), at.Add(time.Duration(i+1) * time.Hour)})
	}
	ranges[maxPartitions-1].to = time.Time{}
	text := formatRanges(ranges)
	got, err := parseRanges(text)
	if err != nil || !slices.Equal(got, ranges) || len(state{Phase: phasePartitioned, Ranges: text}.encode()) > 300 {
		t.Errorf("%q reads as %v, %v, want %v", text, got, err, ranges)
	}
	for _, bad := range []string{"", "x", "1-2-3", "2-1", "1-1", "1-,zz,", text + "," + text, "-5"} {
		if got, err := parseRanges(bad); !fault.Is(err, fault.Invalid) {
			t.Errorf("ranges %q read as %v, %v, want fault.Invalid", bad, got, err)
		}
	}
}
