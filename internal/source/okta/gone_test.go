package okta

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// What was listed and is gone when its turn comes leaves nothing out; what is still listed does.
func TestWhatIsGoneIsNoGapAndWhatIsListedIs(t *testing.T) {
	for _, c := range []struct{ stream, path, list string }{
		{"permissions", "/api/v1/iam/roles/cr02/permissions", "/api/v1/iam/roles"},
		{"resource_set_resources", "/api/v1/iam/resource-sets/iam2/resources", "/api/v1/iam/resource-sets"},
		{"resource_set_bindings", "/api/v1/iam/resource-sets/iam2/bindings", "/api/v1/iam/resource-sets"},
	} {
		for _, gone := range []bool{true, false} {
			org, lost := sampleOrg(), false
			org.fault = func(w http.ResponseWriter, r *http.Request) bool {
				switch {
				case r.URL.Path == c.path:
					lost = true
					refuse(w, 404, "E0000007", "Not found")
				case r.URL.Path == c.list && lost && gone:
					key := c.list[strings.LastIndex(c.list, "/")+1:]
					fmt.Fprintf(w, `{%q:[{"id":"other"}]}`, key)
				default:
					return false
				}
				return true
			}
			pages, err := readAll(t, open(t, org), c.stream, nil)
			if got := len(gaps(pages)); err != nil || !lost || gone != (got == 0) {
				t.Errorf("%s, gone %t: gaps %q, %v", c.stream, gone, gaps(pages), err)
			}
		}
	}
}

// A group can lose its last member, and a user the last role, between the list that told of it and the turn of it.
func TestWhatHasEmptiedSinceItWasListedIsNoGap(t *testing.T) {
	for _, still := range []bool{false, true} {
		org := sampleOrg()
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			switch {
			case r.URL.Path == "/api/v1/groups/00g8/users":
				fmt.Fprint(w, "[]")
			case strings.HasPrefix(r.FormValue("filter"), "id eq"):
				count := 0
				if still {
					count = 3
				}
				fmt.Fprintf(w, `[{"id":"00g8","_embedded":{"stats":{"usersCount":%d,"hasAdminPrivlege":false}}}]`, count)
			case r.URL.Path == "/api/v1/users/00u8":
				fmt.Fprint(w, `{"id":"00u8","status":"ACTIVE"}`)
			case r.URL.Path == "/api/v1/users/00u8/roles":
				if !still {
					org.assignees = []string{"00u4", "00u0"}
				}
				fmt.Fprint(w, "[]")
			default:
				return false
			}
			return true
		}
		for stream, id := range map[string]string{"group_members": "00g8", "user_role_assignments": "00u8"} {
			pages, err := readAll(t, open(t, org), stream, nil)
			found := slices.ContainsFunc(gaps(pages), func(gap string) bool { return strings.Contains(gap, id) })
			if err != nil || found != still {
				t.Errorf("%s, still listed as filled %t: gaps %q, %v", stream, still, gaps(pages), err)
			}
		}
	}
}

func TestLinksMayNameTheUsualPort(t *testing.T) {
	org := sampleOrg()
	org.linkHost = "acme.okta.com:80"
	pages, err := readAll(t, open(t, org), "groups", nil)
	if err != nil || len(lines(pages)) != 9 {
		t.Errorf("%d groups, %v, want 9", len(lines(pages)), err)
	}
	for link, want := range map[string]string{
		"https://acme.okta.com:443/api/v1/users": "acme.okta.com", "https://acme.okta.com:80/api/v1/users": "acme.okta.com:80",
		"http://127.0.0.1:8080/api/v1/users": "127.0.0.1:8080", "/api/v1/users": "",
	} {
		if host, _, err := splitLink(link); err != nil || host != want {
			t.Errorf("%s leads to %q, %v, want %q", link, host, err, want)
		}
	}
}

// What is left out of an answer is as empty as what is null; a list under another name is not.
func TestAListThatIsAbsentIsEmpty(t *testing.T) {
	for body, bad := range map[string]bool{`{}`: false, `{"_links":{}}`: false, `{"permissions":null}`: false, `{"perms":[{"label":"x"}]}`: true} {
		org := sampleOrg()
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.HasSuffix(r.URL.Path, "/permissions") {
				fmt.Fprint(w, body)
				return true
			}
			return false
		}
		pages, err := readAll(t, open(t, org), "permissions", nil)
		if bad != (err != nil) || len(lines(pages)) > 0 {
			t.Errorf("%s: %d records, %v", body, len(lines(pages)), err)
		}
	}
}

// A gateway can take away what says that an answer is JSON. What is HTML, or no JSON, stays refused.
func TestJSONIsTakenUnderAnotherName(t *testing.T) {
	for kind, body := range map[string]string{"text/plain": `[{"id":"00u1"}]`, "": `[{"id":"00u1"}]`, "text/html": `[{"id":"00u1"}]`, "text/plain; x": `hello`} {
		s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", kind)
			if r.FormValue("filter") != "" {
				body = "[]"
			}
			fmt.Fprint(w, body)
		}))
		pages, err := readAll(t, s, "users", nil)
		if want := kind == "" || kind == "text/plain"; want != (err == nil && len(lines(pages)) == 1) {
			t.Errorf("%q as %q: %d records, %v", body, kind, len(lines(pages)), err)
		}
	}
}

// An answer that was under way across a window's end must not take the new window's count back.
func TestAnAnswerOfTheWindowBeforeIsOvertaken(t *testing.T) {
	b := newPacer(newShare(0.5, LimitOfOrg), open(t, sampleOrg()).client.log).named("users")
	answer := func(rest int, reset time.Time) {
		w := httptest.NewRecorder()
		w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
		window(w, 600, rest, reset)
		b.done(200, w.Header())
	}
	send := func() {
		if err := b.wait(t.Context(), "/api/v1/users"); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	send()
	answer(599, now.Add(30*time.Second))
	for range 5 {
		send()
	}
	answer(599, now.Add(90*time.Second)) // the new window's
	answer(598, now.Add(90*time.Second))
	used := b.state().Used
	answer(590, now.Add(30*time.Second)) // the old window's
	answer(597, now.Add(90*time.Second))
	if got := b.state(); got.Used < used || got.Remaining != 597 {
		t.Errorf("%d used and %d left, want no less than %d used and 597 left", got.Used, got.Remaining, used)
	}
}
