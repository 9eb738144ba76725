package okta

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longshore/internal/fault"
	"longshore/internal/rawjson"
	"longshore/internal/source/okta/emulator"
)

// A read that passed something over must not leave a state from which the next read calls itself complete.
func TestAStateBehindAGapIsNoBound(t *testing.T) {
	org := newMovingOrg()
	forbidden := true
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if forbidden && r.URL.Path == "/api/v1/groups/00g4/users" {
			refuse(w, 403, "E0000006", "no")
			return true
		}
		return org.answer(w, r)
	}
	s := open(t, org)
	pages, err := readAll(t, s, "group_members", nil)
	if err != nil || len(gaps(pages)) != 1 {
		t.Fatalf("gaps %q, %v, want one", gaps(pages), err)
	}
	for i, page := range pages {
		if from, done := ResumeFull(page.State); len(gaps(pages[:i+1])) > 0 && (done || from != nil) {
			t.Errorf("page %d: a full refresh goes on from %s (done %t), want it to begin again", i, from, done)
		}
	}
	last := pages[len(pages)-1].State
	again, err := readAll(t, s, "group_members", last)
	if err != nil || len(gaps(again)) != 1 || len(lines(again)) != len(lines(pages)) {
		t.Errorf("read on from %s: %d records, gaps %q, %v; want all %d and the gap again", last, len(lines(again)), gaps(again), err, len(lines(pages)))
	}
	forbidden = false
	whole, state := readOn(t, s, "group_members", again[len(again)-1].State, "groupId")
	if from, done := ResumeFull(state); !done || from == nil || len(whole) != 6 {
		t.Errorf("once all may be read: groups %q and the state %s, want 6 groups and it done", whole, state)
	}
	if changed, _ := readOn(t, s, "group_members", state, "groupId"); len(changed) != 0 {
		t.Errorf("then %q changed, want nothing", changed)
	}
}

// What passed something over inside of an incremental read keeps the bound that it began at.
func TestAGapInsideOfAnIncrementalReadKeepsItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := newMovingOrg()
		s := open(t, org)
		_, before := readOn(t, s, "group_members", nil, "id")
		time.Sleep(time.Hour)
		org.moved["00g4"], org.moved["00g5"] = time.Now(), time.Now()
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/api/v1/groups/00g4/users" {
				refuse(w, 403, "E0000006", "no")
				return true
			}
			return org.answer(w, r)
		}
		pages, err := readAll(t, s, "group_members", before)
		if err != nil || len(gaps(pages)) != 1 {
			t.Fatalf("gaps %q, %v, want one", gaps(pages), err)
		}
		for _, page := range pages[:len(pages)-1] {
			if from := ResumeChanges(page.State); rawjson.GetString(page.State, "s") != rawjson.GetString(before, "s") ||
				len(page.Gaps) > 0 && rawjson.GetString(from, "l") != "" {
				t.Errorf("an incremental read goes on from %s, want it to begin again at the bound of %s", from, before)
			}
		}
		time.Sleep(time.Hour)
		org.fault = org.answer
		if groups, _ := readOn(t, s, "group_members", pages[len(pages)-1].State, "groupId"); len(groups) != 2 {
			t.Errorf("the next read told of the groups %q, want 00g4 and 00g5", groups)
		}
	})
}

// A user who is deactivated between the estimate and the read is in none but the listing of the deactivated ones.
func TestAUserDeactivatedBehindTheEstimateIsRead(t *testing.T) {
	org := emulator.New(emulator.Options{Users: 60, Days: 1, EventsPerDay: 5})
	s, err := Open(Config{OrgURL: emulator.DefaultBaseURL, Token: emulator.DefaultToken, HTTPClient: org.Client(), Share: 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Estimate(t.Context(), []Planned{{Stream: "users"}}); err != nil {
		t.Fatal(err)
	}
	s.BeginRun(1)
	gone := ""
	for user := range org.Truth("users") {
		if rawjson.GetString(user, "status") == "ACTIVE" {
			gone = rawjson.GetString(user, "id")
		}
	}
	if err := org.Deactivate(gone); err != nil {
		t.Fatal(err)
	}
	org.Advance(time.Minute)
	if got, _ := readOn(t, s, "users", nil, "id"); !strings.Contains(strings.Join(got, " "), gone) {
		t.Errorf("%d users were read, without %s", len(got), gone)
	}
}

// A list that was read earlier in the run tells of the org as it was then, and so does the stream that it serves.
func TestABoundIsNoLaterThanWhatItsReadWasGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := newMovingOrg()
		s := open(t, org)
		s.BeginRun(1)
		readOn(t, s, "group_role_assignments", nil, "groupId")
		time.Sleep(4 * time.Minute)
		org.members["00g0"], org.moved["00g0"] = []string{"00u1"}, time.Now() // it was empty
		time.Sleep(5 * time.Minute)
		groups, state := readOn(t, s, "group_members", nil, "groupId")
		s.EndRun()
		s.BeginRun(2)
		time.Sleep(time.Minute)
		changed, _ := readOn(t, s, "group_members", state, "groupId")
		if all := strings.Join(append(groups, changed...), " "); !strings.Contains(all, "00g0") {
			t.Errorf("the read told of %q, the one behind it of %q: neither of 00g0 (state %s)", groups, changed, state)
		}
	})
}

// An org that stands still and a credential that has lost its role are answered with the same lists.
func TestAnIncrementalReadThatSeesNothingIsDenied(t *testing.T) {
	for _, stream := range []string{"users", "groups", "group_members", "user_role_assignments"} {
		synctest.Test(t, func(t *testing.T) {
			org := newMovingOrg()
			s := open(t, org)
			_, state := readOn(t, s, stream, nil, "id")
			time.Sleep(time.Hour)
			if _, err := readAll(t, s, stream, state); err != nil {
				t.Errorf("%s of an org that stands still: %v", stream, err)
			}
			org.happens("user.account.privilege.grant", "User:00u8")
			time.Sleep(time.Minute)
			org.fault = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasPrefix(r.URL.Path, logsPath) {
					return org.answer(w, r)
				}
				fmt.Fprint(w, "[]")
				return r.URL.Path != wellKnownPath
			}
			if pages, err := readAll(t, s, stream, state); !fault.Is(err, fault.Denied) {
				t.Errorf("%s of an org that is not seen: %d records, %v, want it denied", stream, len(lines(pages)), err)
			}
		})
	}
}

// A last page that is empty is asked for again, which can lead to an empty page with a next link and so round and round.
func TestAnEmptyEndIsAnEnd(t *testing.T) {
	org, n := sampleOrg(), 0
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		after := url.QueryEscape(r.FormValue("after"))
		if r.URL.Path != "/api/v1/iam/resource-sets" || after == "" {
			return false
		}
		if n++; n%2 == 0 {
			fmt.Fprintf(w, `{"resource-sets":[],"_links":{"next":{"href":"http://%s%s?after=%s~&limit=100"}}}`, r.Host, r.URL.Path, after)
		} else {
			fmt.Fprint(w, `{"resource-sets":[]}`)
		}
		return true
	}
	pages, err := readAll(t, open(t, org), "resource_sets", nil)
	if err != nil || len(lines(pages)) != 2 || n > 20 {
		t.Errorf("%d records after %d requests, %v; want the 2 of the first page, soon", len(lines(pages)), n, err)
	}
}

// A log in which nothing has happened for longer than Okta keeps it has lost nothing when it was read in between.
func TestAQuietLogHasNoGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := newMovingOrg()
		org.happens("user.session.start", "User:00u1")
		s := open(t, org)
		_, state := readOn(t, s, "logs", nil, "uuid")
		for range 4 {
			time.Sleep(60 * 24 * time.Hour)
			_, state = readOn(t, s, "logs", state, "uuid") // fails for a gap
		}
		time.Sleep(91 * 24 * time.Hour)
		pages, err := readAll(t, s, "logs", state)
		if err != nil || len(gaps(pages)) != 1 {
			t.Errorf("left for 91 days: gaps %q, %v, want one", gaps(pages), err)
		}
	})
}
