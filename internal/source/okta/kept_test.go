package okta

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"longshore/internal/rawjson"
)

// repeats returns the requests that were sent more than once.
func (o *testOrg) repeats() (twice []string) {
	seen := map[string]int{}
	for _, hit := range o.requests() {
		again := strings.Contains(hit, "/logs") || strings.Contains(hit, "limit=1") && !strings.Contains(hit, "limit=10") ||
			strings.Contains(hit, "users/00u0") || strings.Contains(hit, "users/00u2") // empty against what other lists say
		if seen[hit]++; seen[hit] == 2 && !again {
			twice = append(twice, hit)
		}
	}
	return twice
}

func TestNoCallOfARunIsMadeTwice(t *testing.T) {
	org := sampleOrg()
	s := open(t, org)
	s.BeginRun(1)
	for _, stream := range s.Streams() {
		if stream.Name == "factors" {
			continue // walks all users, who are too many to keep
		}
		alone, err := readAll(t, open(t, sampleOrg()), stream.Name, nil)
		if err != nil {
			t.Fatal(err)
		}
		pages, err := readAll(t, s, stream.Name, nil)
		if got, want := lines(pages), lines(alone); err != nil || !slices.Equal(got, want) || len(gaps(pages)) > 0 {
			t.Errorf("%s: %d records, %v, want %d as without a run", stream.Name, len(got), err, len(want))
		}
	}
	if twice := org.repeats(); len(twice) > 0 {
		t.Errorf("asked more than once: %q", twice)
	}
	before := len(org.requests())
	s.BeginRun(2)
	if _, err := readAll(t, s, "permissions", nil); err != nil || len(org.requests()) == before || org.count("/iam/roles") != 10 {
		t.Errorf("the next run asked %d times more, %d times for roles, %v; want it to begin anew", len(org.requests())-before, org.count("/iam/roles"), err)
	}
}

func TestNoCallIsMadeTwiceWhenARunStopsAfterEveryPage(t *testing.T) {
	org := sampleOrg()
	s := open(t, org)
	s.BeginRun(1)
	statuses := 0
	for _, stream := range s.Streams() {
		if stream.Name == "factors" {
			continue // walks all users, who are too many to keep
		}
		alone, err := readAll(t, open(t, sampleOrg()), stream.Name, nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		var from json.RawMessage
		for more := true; more; {
			more = false
			for page, err := range s.Read(t.Context(), stream.Name, from) {
				if err != nil {
					t.Fatal(err)
				}
				for _, record := range page.Records {
					got = append(got, string(record))
				}
				statuses += page.Statuses[200] + page.Statuses[404]
				from, more = slices.Clone(page.State), !page.Last && (stream.Name != "logs" || len(page.Records) > 0)
				break
			}
		}
		if want := lines(alone); !slices.Equal(got, want) {
			t.Errorf("%s: %d records, want %d as in one read", stream.Name, len(got), len(want))
		}
	}
	if twice := org.repeats(); len(twice) > 0 {
		t.Errorf("asked more than once: %q", twice)
	}
	if other := org.count(wellKnownPath); statuses != len(org.requests())-other {
		t.Errorf("the pages account for %d answers, want each of %d once", statuses, len(org.requests())-other)
	}
}

func TestStreamsSideBySideShareAListing(t *testing.T) {
	org := sampleOrg()
	s := open(t, org)
	s.BeginRun(1)
	var wait sync.WaitGroup
	for _, stream := range []string{"group_members", "group_role_assignments", "user_role_assignments"} {
		wait.Go(func() {
			for _, err := range s.Read(t.Context(), stream, nil) {
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	if got := org.count("/api/v1/groups"); got != 5 {
		t.Errorf("the 5 pages of groups were asked for %d times", got)
	}
}

func TestAFailedListingIsAskedForByEach(t *testing.T) {
	org := sampleOrg()
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/api/v1/groups" {
			return false
		}
		refuse(w, 403, "E0000006", "no permission")
		return true
	}
	s := open(t, org)
	s.BeginRun(1)
	for range 2 {
		if _, err := readAll(t, s, "group_members", nil); asAPIError(err) == nil {
			t.Errorf("%v, want the refusal", err)
		}
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	k := &kept{}
	k.begin(1)
	big := []byte(`{"id":"00g1","profile":{"name":"` + strings.Repeat("x", 1<<20) + `"}}`)
	for i := range 40 {
		a := &answer{path: fmt.Sprintf("/api/v1/groups/00g%d/users?limit=1", i), body: big, at: time.Now()}
		page := listPage{answer: a, records: [][]byte{big}}
		k.ruling[fmt.Sprintf("00g%d", i)] = true
		k.asked(a.path, k.generation, page, "", nil)
	}
	if k.bytes.lists > maxKeptBytes || k.bytes.pages > maxKeptBytes || len(k.lists) > 16 || len(k.pages) > 16 || len(k.lists) == 0 || len(k.pages) == 0 {
		t.Errorf("%d listings of %d bytes, %d pages of %d bytes are kept", len(k.lists), k.bytes.lists, len(k.pages), k.bytes.pages)
	}
}

func TestOutlinesDecideAsTheirObjectsDo(t *testing.T) {
	for _, group := range []string{
		`{"id":"00g1","type":"BUILT_IN","profile":{"name":"Okta Administrators","description":null}}`,
		`{"id":"00g2","created":"x","type":"OKTA_GROUP","profile":{"name":"a\"b"},"_embedded":{"stats":{"usersCount":0,"hasAdminPrivlege":false}}}`,
		`{"id":"00g3","type":"APP_GROUP","_embedded":{"stats":{"usersCount":12,"hasAdminPrivlege":true}},"_links":{"users":{"href":"x"}}}`,
		`{"id":"0oa1","signOnMode":"OPENID_CONNECT","settings":{"app":{},"oauthClient":{"client_uri":null,"application_type":"web"}}}`,
		`{"id":"0oa2","signOnMode":"OPENID_CONNECT","settings":{"oauthClient":{"application_type":"service"}}}`,
		`{"id":"0oa3","signOnMode":"SAML_2_0","settings":{"oauthClient":{}}}`, `{"id":"0oa4","signOnMode":"OPENID_CONNECT"}`,
		`{}`,
	} {
		outline := appendOutline([]byte("before"), []byte(group))[len("before"):]
		if !rawjson.Valid(outline) || isServiceApp(outline) != isServiceApp([]byte(group)) {
			t.Errorf("the outline of %s is %s", group, outline)
		}
		same := hasMembers(outline) == hasMembers([]byte(group)) && mayHoldRoles(outline) == mayHoldRoles([]byte(group))
		if !same || rawjson.GetString(outline, "id") != rawjson.GetString([]byte(group), "id") || rawjson.GetString(outline, "profile", "name") != rawjson.GetString([]byte(group), "profile", "name") {
			t.Errorf("%s is not what decides about %s", outline, group)
		}
	}
}

func TestOnlyReadsOfTheRunSeeWhatItHasRead(t *testing.T) {
	org := sampleOrg()
	s := open(t, org)
	s.BeginRun(1)
	if _, err := readAll(t, s, "group_role_assignments", nil); err != nil {
		t.Fatal(err)
	}
	path := "/api/v1/groups/00g4/roles"
	for range 2 { // such as the feed's, after an event that tells of a change
		if _, _, err := s.client.page(t.Context(), path, ""); err != nil {
			t.Fatal(err)
		}
	}
	if got := org.count(path); got != 3 {
		t.Errorf("%s was asked for %d times, want once by the run and twice by others", path, got)
	}
	s.EndRun()
	if _, err := readAll(t, s, "group_role_assignments", nil); err != nil || org.count(path) != 4 {
		t.Errorf("after the run %d times, %v, want 4", org.count(path), err)
	}
}
