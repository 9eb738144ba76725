package okta

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

func TestReadYieldsEveryRecordAsItStands(t *testing.T) {
	org := sampleOrg()
	s := open(t, org)
	for stream, want := range map[string]struct {
		count       int
		first, last string
	}{
		"users": {
			9, `{"id":"00u0","status":"ACTIVE","activated":null,"profile":{"n":1.50,"login":"00u0@acme.test"}}`,
			`{"id":"00u7x","status":"DEPROVISIONED","activated":null,"profile":{"n":1.50,"login":"00u7x@acme.test"}}`,
		},
		"groups":                 {9, `{"id":"00g0","type":"OKTA_GROUP"}`, `{"id":"00g8","type":"OKTA_GROUP"}`},
		"group_members":          {16, `{"id":"00u0","status":"ACTIVE","activated":null,"profile":{"n":1.50,"login":"00u0@acme.test"},"groupId":"00g1"}`, ``},
		"user_role_assignments":  {5, assignments("users", "00u1", []string{"gra1"})[0], assignments("users", "00u8", []string{"JBCUYUC7IRCVGS27IFCE2SKO"})[0]},
		"group_role_assignments": {4, ``, ``},
		"custom_roles":           {9, `{"id":"cr00","label":"Help desk EU","description":""}`, ``},
		"permissions":            {9, `{"label":"okta.users.read","conditions":null,"roleId":"cr01"}`, `{"label":"okta.groups.read","conditions":null,"roleId":"cr08"}`},
		"resource_sets":          {9, `{"id":"iam0","label":"EU"}`, ``},
		"logs":                   {9, `{"uuid":"00000000-0000-4000-8000-000000000000","published":"2026-01-05T10:00:00.123Z","target":null}`, ``},
	} {
		pages, err := readAll(t, s, stream, nil)
		got := lines(pages)
		if err != nil || len(got) != want.count || len(gaps(pages)) > 0 {
			t.Errorf("%s: %d records, gaps %q, %v, want %d: %q", stream, len(got), gaps(pages), err, want.count, got)
			continue
		}
		if stream == "user_role_assignments" {
			want.first = strings.TrimSuffix(want.first, "}") + `,"userId":"00u1"}`
			want.last = strings.TrimSuffix(want.last, "}") + `,"userId":"00u8"}`
		}
		if want.first != "" && got[0] != want.first {
			t.Errorf("%s begins with %s, want %s", stream, got[0], want.first)
		}
		if want.last != "" && got[len(got)-1] != want.last {
			t.Errorf("%s ends with %s, want %s", stream, got[len(got)-1], want.last)
		}
		for i, page := range pages {
			if page.EmittedAt.IsZero() || !strings.HasPrefix(page.Cursor, apiPrefix) || page.Statuses[200] == 0 {
				t.Errorf("%s page %d: at %v, cursor %q, statuses %v", stream, i, page.EmittedAt, page.Cursor, page.Statuses)
			}
		}
	}
}

func TestReadResumedAtAnyPageGivesTheRest(t *testing.T) {
	for _, noStats := range []bool{false, true} {
		org := sampleOrg()
		org.noStats = noStats
		for _, spec := range open(t, org).Streams() {
			whole, err := readAll(t, open(t, org), spec.Name, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := lines(whole)
			for i := range whole {
				if isDone(t, whole[i].State) { // reading on from there is an incremental read
					continue
				}
				rest, err := readAll(t, open(t, org), spec.Name, slices.Clone(whole[i].State))
				if got := append(lines(whole[:i+1]), lines(rest)...); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s resumed behind page %d at %s: %d records, %v, want %d:\n%s", spec.Name, i, whole[i].State, len(got), err, len(want), strings.Join(got, "\n"))
				}
			}
		}
	}
}

func isDone(t *testing.T, encoded json.RawMessage) bool {
	t.Helper()
	st, err := parseState(encoded)
	if err != nil {
		t.Fatalf("state %s: %v", encoded, err)
	}
	return st.Done
}

func TestReadResumedPastAVanishedParentMissesNothing(t *testing.T) {
	org := sampleOrg()
	whole, _ := readAll(t, open(t, org), "group_members", nil)
	for i := range whole {
		changed := sampleOrg()
		var st state
		if err := json.Unmarshal(whole[i].State, &st); err != nil {
			t.Fatal(err)
		}
		changed.members[st.Parent] = nil // now empty, so skipped
		rest, err := readAll(t, open(t, changed), "group_members", whole[i].State)
		if err != nil {
			t.Fatal(err)
		}
		got := append(lines(whole[:i+1]), lines(rest)...)
		for _, line := range lines(whole) {
			if !slices.Contains(got, line) && !strings.Contains(line, `"groupId":"`+st.Parent) {
				t.Errorf("resumed at %s without %q: %s is missing", whole[i].State, st.Parent, line)
			}
		}
	}
}

func TestReadSkipsParentsKnownToBeEmpty(t *testing.T) {
	org := sampleOrg()
	s := open(t, org)
	if _, err := readAll(t, s, "group_members", nil); err != nil {
		t.Fatal(err)
	}
	if got := org.count("00g3/users"); got != 0 {
		t.Errorf("the empty group was asked for members %d times", got)
	}
	if _, err := readAll(t, s, "group_role_assignments", nil); err != nil {
		t.Fatal(err)
	}
	if got := org.count("/roles"); got != 2 {
		t.Errorf("%d groups were asked for roles, want the 2 that hold some", got)
	}
	org.noStats, org.hits = true, nil
	pages, err := readAll(t, s, "group_role_assignments", nil)
	if err != nil || len(lines(pages)) != 4 || org.count("/roles") != len(org.groups) {
		t.Errorf("without stats: %d records, %d groups asked, %v; want 4 of all %d", len(lines(pages)), org.count("/roles"), err, len(org.groups))
	}
}

func TestUserRolesAsksHoldersAlone(t *testing.T) {
	org := sampleOrg() // 00u1 holds its role through group 00g4 or 00g7 alone, 00u2 is a member without
	pages, err := readAll(t, open(t, org), "user_role_assignments", nil)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	for _, hit := range org.requests() {
		if rest, ok := strings.CutPrefix(hit, "/api/v1/users/"); ok {
			if id, ok := strings.CutSuffix(rest, "/roles"); ok {
				asked = append(asked, id)
			}
		}
	}
	slices.Sort(asked)
	if want := []string{"00u0", "00u0", "00u1", "00u2", "00u2", "00u4", "00u8"}; !reflect.DeepEqual(asked, want) {
		t.Errorf("asked %v for roles, want each holder once, and those twice that show none: %v", asked, want)
	}
	if last := pages[len(pages)-1].State; !isDone(t, last) {
		t.Errorf("the last state is %s", last)
	}
}

func TestUserRolesAsksEveryoneWhereHoldersCannotBeListed(t *testing.T) {
	for name, refusal := range map[string]func(http.ResponseWriter){
		"403":     func(w http.ResponseWriter) { refuse(w, 403, "E0000006", "no permission") },
		"404":     func(w http.ResponseWriter) { refuse(w, 404, "E0000022", "no endpoint") },
		"feature": func(w http.ResponseWriter) { refuse(w, 401, "E0000015", "no feature") },
	} {
		org := sampleOrg()
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/iam/assignees") {
				refusal(w)
				return true
			}
			return false
		}
		pages, err := readAll(t, open(t, org), "user_role_assignments", nil)
		if err != nil || len(lines(pages)) != 5 || len(gaps(pages)) != 0 {
			t.Errorf("%s: %d records, gaps %q, %v, want 5 without gaps", name, len(lines(pages)), gaps(pages), err)
		}
		if got := org.count("/roles"); got != 9 {
			t.Errorf("%s: %d users asked, want all 9, also the deactivated ones", name, got)
		}
		for i := range pages[:len(pages)-1] { // and resumes in this mode
			rest, err := readAll(t, open(t, org), "user_role_assignments", pages[i].State)
			if got := len(lines(pages[:i+1])) + len(lines(rest)); err != nil || got != 5 {
				t.Errorf("%s resumed at %s: %d records, %v", name, pages[i].State, got, err)
			}
		}
	}
}

func TestUserRolesNotesGroupsThatItMayNotRead(t *testing.T) {
	org := sampleOrg()
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "00g4/users") {
			refuse(w, 403, "E0000006", "no permission")
			return true
		}
		return false
	}
	pages, err := readAll(t, open(t, org), "user_role_assignments", nil)
	if err != nil || len(gaps(pages)) != 1 || !strings.Contains(gaps(pages)[0], "00g4") {
		t.Errorf("gaps %q, %v, want one that names 00g4", gaps(pages), err)
	}
}

func TestParentsThatAreRefusedAreGapsAndThoseThatAreGoneAreNot(t *testing.T) {
	org := sampleOrg()
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.Contains(r.URL.Path, "/00g1/users"), strings.HasSuffix(r.URL.Path, "/00g1"), strings.HasSuffix(r.URL.Path, "00g2/users"):
			refuse(w, 404, "E0000007", "Not found: Resource not found: 00g2 (UserGroup)")
		case strings.HasSuffix(r.URL.Path, "/00g2"): // which is there all the same
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"id":"00g2"}`)
		case strings.HasSuffix(r.URL.Path, "00g8/users"): // the last parent
			refuse(w, 403, "E0000006", "You do not have permission to perform the requested action")
		default:
			return false
		}
		return true
	}
	pages, err := readAll(t, open(t, org), "group_members", nil)
	found := gaps(pages)
	if err != nil || len(lines(pages)) != 9 || len(found) != 2 || !strings.Contains(found[0], "00g2") || !strings.Contains(found[1], "00g8") {
		t.Errorf("%d records, gaps %q, %v, want 9, and the gaps 00g2, 00g8 but not 00g1, which is gone", len(lines(pages)), found, err)
	}
	if last := pages[len(pages)-1]; last.Statuses[403] != 1 || !isDone(t, last.State) {
		t.Errorf("the last page has statuses %v and state %s", last.Statuses, last.State)
	}
}

func TestStreamIsDeniedWhenEveryParentIs(t *testing.T) {
	org := &testOrg{members: map[string][]string{}}
	for i := range 100 {
		id := fmt.Sprintf("00g%02d", i)
		org.groups = append(org.groups, id)
		org.members[id] = []string{"00u1"}
	}
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/users") {
			w.WriteHeader(403) // and no body, as with OAuth
			return true
		}
		return false
	}
	_, err := readAll(t, open(t, org), "group_members", nil)
	if !fault.Is(err, fault.Denied) || !strings.Contains(fault.HintOf(err), "okta.groups.read") || org.count("/users") > maxDenied+maxInFlight+spareAhead {
		t.Errorf("%v after %d requests, hint %q", err, org.count("/users"), fault.HintOf(err))
	}
}

func TestUnknownStreamIsAnsweredWithTheRealOnes(t *testing.T) {
	s := open(t, sampleOrg())
	for name, nearest := range map[string]string{"user": `"users"`, "group_member": `"group_members"`, "Log": `"logs"`, "userRoleAssignments": `"user_role_assignments"`} {
		_, err := readAll(t, s, name, nil)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "resource_sets") || !strings.Contains(fault.HintOf(err), nearest) {
			t.Errorf("%q: %v, hint %q, want one with %s", name, err, fault.HintOf(err), nearest)
		}
	}
	if _, err := readAll(t, s, "zzzzzzzz", nil); !fault.Is(err, fault.Invalid) || fault.HintOf(err) != "" {
		t.Errorf("zzzzzzzz: %v, hint %q, want none", err, fault.HintOf(err))
	}
	if _, err := Open(Config{OrgURL: "acme", Token: "t", Streams: []string{"users", "nope"}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("Open with an unknown stream: %v", err)
	}
}

func TestOpenOffersTheChosenStreamsInOrder(t *testing.T) {
	s := open(t, sampleOrg(), func(c *Config) { c.Streams = []string{"logs", "users"} })
	var names []string
	for _, stream := range s.Streams() {
		names = append(names, stream.Name)
	}
	if want := []string{"users", "logs"}; !reflect.DeepEqual(names, want) {
		t.Errorf("streams %v, want %v", names, want)
	}
	if _, err := readAll(t, s, "groups", nil); !fault.Is(err, fault.Invalid) {
		t.Errorf("a stream that is not offered was read: %v", err)
	}
}

func TestPrimaryKeysAreMembersOfTheRecords(t *testing.T) {
	s := open(t, sampleOrg())
	for _, stream := range s.Streams() {
		pages, err := readAll(t, s, stream.Name, nil)
		if err != nil || stream.Doc == "" || len(stream.PrimaryKey) == 0 {
			t.Fatalf("%+v: %v", stream, err)
		}
		for _, line := range lines(pages) {
			for _, path := range stream.PrimaryKey {
				if rawjson.GetString([]byte(line), path...) == "" {
					t.Errorf("%s: key %v is not in %s", stream.Name, path, line)
				}
			}
		}
	}
}

func TestForeignStatesAreRefused(t *testing.T) {
	s := open(t, sampleOrg())
	for _, bad := range []string{
		`[]`, `{"v":2}`, `{"v":1,"l":"https://evil.test/api/v1/users"}`, `{"v":1,"l":"//evil.test/api/v1/users"}`, `{"v":1,"l":"/login"}`,
		`{"v":1,"l":"/api/v1/apps?after=1"}`, `{"v":1,"n":7}`, `{"v":1,"n":-1}`, `{"v":1,"l":"/api/v1/users/../apps"}`, `{"v":1,"l":"` + strings.Repeat("a", 2000) + `"}`,
	} {
		if _, err := readAll(t, s, "users", json.RawMessage(bad)); !fault.Is(err, fault.Invalid) {
			t.Errorf("state %.60s: %v, want fault.Invalid", bad, err)
		}
	}
	if _, err := readAll(t, s, "group_members", json.RawMessage(`{"v":1,"p":"00g1","c":"/api/v1/groups/00g2/users?after=1"}`)); !fault.Is(err, fault.Invalid) {
		t.Errorf("a child of another parent was read: %v", err)
	}
}

func TestRefusedCursorStartsTheListingAgainOnce(t *testing.T) {
	org := sampleOrg()
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.FormValue("after") == "expired" {
			refuse(w, 400, "E0000029", "Invalid paging request")
			return true
		}
		return false
	}
	pages, err := readAll(t, open(t, org), "groups", json.RawMessage(`{"v":1,"l":"/api/v1/groups?after=expired&limit=2"}`))
	if err != nil || len(lines(pages)) != 9 {
		t.Errorf("%d groups, %v, want all 9 from the start", len(lines(pages)), err)
	}
}

func TestRecordsWithLineBreaksBecomeOneLine(t *testing.T) {
	org := sampleOrg()
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/api/v1/groups" {
			return false
		}
		fmt.Fprint(w, "[\n {\n  \"id\": \"00g1\",\r\n  \"n\": 1.0e5, \"t\": \"a  b\\n\"\n }, {\"id\" : \"00g2\"}\n]\n")
		return true
	}
	pages, err := readAll(t, open(t, org), "groups", nil)
	if want := []string{`{"id":"00g1","n":1.0e5,"t":"a  b\n"}`, `{"id" : "00g2"}`}; err != nil || !reflect.DeepEqual(lines(pages), want) {
		t.Errorf("records %q, %v, want %q", lines(pages), err, want)
	}
}

func TestMemberIsSplicedIntoOddObjects(t *testing.T) {
	records := [][]byte{[]byte(`{}`), []byte("{\n}"), []byte(`{"a":{"userId":"x"}}`), []byte(`{"userId":"00u1"}`), []byte(`{"userId":null}`)}
	want := []string{`{"userId":"00u1"}`, `{"userId":"00u1"}`, `{"a":{"userId":"x"},"userId":"00u1"}`, `{"userId":"00u1"}`, `{"userId":null,"userId":"00u1"}`}
	for i, got := range withMember(records, "userId", []byte(`"00u1"`)) {
		if string(got) != want[i] {
			t.Errorf("record %d: %s, want %s", i, got, want[i])
		}
	}
}

func TestReadStopsWhenTheCallerDoes(t *testing.T) {
	org := sampleOrg()
	for range open(t, org).Read(t.Context(), "users", nil) {
		break
	}
	if got := len(org.requests()); got != 1 {
		t.Errorf("%d requests after stopping at the first page", got)
	}
}

func TestReadOverARealConnection(t *testing.T) {
	server := httptest.NewServer(sampleOrg())
	defer server.Close()
	s, err := Open(Config{OrgURL: server.URL + "/", Token: " SSWS secret-token\n"})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := readAll(t, s, "users", nil)
	if err != nil || len(lines(pages)) != 9 {
		t.Errorf("%d users, %v, want 9", len(lines(pages)), err)
	}
}
