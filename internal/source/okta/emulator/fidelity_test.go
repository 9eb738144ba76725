package emulator

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestDefaultListingHidesDeprovisioned(t *testing.T) {
	o := New(Options{})
	listed := briefs(t, pages(t, o, "/api/v1/users", ""))
	for _, u := range listed {
		if u.Status == deprovisioned {
			t.Fatalf("%s is DEPROVISIONED and listed", u.ID)
		}
	}
	left := briefs(t, pages(t, o, "/api/v1/users?filter="+url.QueryEscape(`status eq "DEPROVISIONED"`), ""))
	if len(left) == 0 || len(listed)+len(left) != o.options.Users {
		t.Errorf("%d listed and %d DEPROVISIONED, want %d together", len(listed), len(left), o.options.Users)
	}
	for _, u := range left {
		if r := get(t, o, "/api/v1/users/"+u.ID); r.status != http.StatusOK {
			t.Errorf("a DEPROVISIONED user is still readable by id, got %d", r.status)
		}
		if r := get(t, o, "/api/v1/users/"+u.ID+"/roles"); string(r.body) != "[]" {
			t.Errorf("roles of a DEPROVISIONED user: %s, want []", r.body)
		}
	}
}

func TestEveryStatusIsThere(t *testing.T) {
	for _, options := range []Options{{}, {Users: minUsers}, {Users: 1000, Seed: 9}} {
		o := New(options)
		count := make(map[string]int)
		for _, u := range briefs(t, pages(t, o, "/api/v1/users?search=status+pr", "")) {
			count[u.Status]++
		}
		for _, s := range statuses {
			if count[s] == 0 {
				t.Errorf("%+v: nobody is %s", options, s)
			}
		}
	}
}

func TestLinkHeaderIsTwoLinesSelfFirstAbsoluteReemitted(t *testing.T) {
	o := New(Options{})
	r := get(t, o, `/api/v1/users?search=status+eq+%22ACTIVE%22&sortOrder=asc&limit=1000&made=up`)
	lines := r.header.Values("Link")
	if len(lines) != 2 {
		t.Fatalf("%d Link lines, want 2: %q", len(lines), lines)
	}
	want := `<` + DefaultBaseURL + `/api/v1/users?limit=200&search=status+eq+%22ACTIVE%22>; rel="self"`
	if lines[0] != want {
		t.Errorf("first Link line %s, want %s", lines[0], want)
	}
	if !strings.HasPrefix(lines[1], `<`+DefaultBaseURL+`/api/v1/users?after=00u`) || !strings.HasSuffix(lines[1], `&limit=200&search=status+eq+%22ACTIVE%22>; rel="next"`) {
		t.Errorf("second Link line %s", lines[1])
	}
	if got := get(t, o, "/api/v1/users?q=a").header.Values("Link"); got != nil {
		t.Errorf("q has Link %q, want none", got)
	}
	if got := get(t, o, "/api/v1/groups?q=A").header.Values("Link"); got != nil {
		t.Errorf("q of groups has Link %q, want none", got)
	}
}

func TestLimitIsClampedInSilence(t *testing.T) {
	o := New(Options{Users: 2000})
	group := o.groups[everyone].id
	for _, c := range []struct {
		path, key string
		want      int
	}{
		{"/api/v1/users?limit=1000", "", 200},
		{"/api/v1/users", "", 200},
		{"/api/v1/users?limit=-1", "", 200},
		{"/api/v1/users?limit=3", "", 3},
		{"/api/v1/groups/" + group + "/users?limit=5000", "", 1000},
		{"/api/v1/groups?limit=9", "", 9},
		{"/api/v1/iam/roles?limit=5", "roles", 5},
		{"/api/v1/logs", "", 100},
		{"/api/v1/logs?limit=1000", "", 1000},
		{"/api/v1/logs?limit=0", "", 0},
	} {
		r := get(t, o, c.path)
		var page []json.RawMessage
		if c.key == "" {
			r.into(t, &page)
		} else {
			var body map[string]json.RawMessage
			r.into(t, &body)
			_ = json.Unmarshal(body[c.key], &page)
		}
		if r.status != http.StatusOK || len(page) != c.want {
			t.Errorf("%s: status %d, %d items, want %d", c.path, r.status, len(page), c.want)
		}
	}
}

func TestIAMPagesInTheBodyWithLinksOfTheConfiguredHost(t *testing.T) {
	o := New(Options{BaseURL: "https://acme.okta.example:8443"})
	r := get(t, o, "/api/v1/iam/roles?limit=1")
	var body struct {
		Roles []struct {
			Links struct{ Self struct{ Href string } } `json:"_links"`
		}
		Links struct{ Next struct{ Href string } } `json:"_links"`
	}
	r.into(t, &body)
	if got := body.Links.Next.Href; !strings.HasPrefix(got, "https://acme.okta.example:8443/api/v1/iam/roles?after=cr0") {
		t.Errorf("next is %q", got)
	}
	if got := body.Roles[0].Links.Self.Href; !strings.HasPrefix(got, "https://acme-admin.okta.example:8443/api/v1/iam/roles/cr0") {
		t.Errorf("self is %q, want the admin host", got)
	}
	if len(r.header.Values("Link")) != 0 {
		t.Errorf("a body-paged list has Link %q", r.header.Values("Link"))
	}
	single := get(t, o, strings.Replace(body.Roles[0].Links.Self.Href, "acme-admin.okta.example:8443", "acme.okta.example", 1))
	if got := single.links(t)["self"]; got != body.Roles[0].Links.Self.Href {
		t.Errorf("Link of a single role is %q", got)
	}
}

func TestAdminHostOnlyForNames(t *testing.T) {
	for base, want := range map[string]string{
		"https://acme.okta.com": "https://acme-admin.okta.com", "http://acme.okta.test:81": "http://acme-admin.okta.test:81",
		"http://127.0.0.1:8090": "http://127.0.0.1:8090", "http://localhost:8090": "http://localhost:8090", "http://[::1]:80": "http://[::1]:80",
	} {
		if got := adminBase(base); got != want {
			t.Errorf("admin host of %s is %s, want %s", base, got, want)
		}
	}
}

func TestErrorsAreOktas(t *testing.T) {
	o := New(Options{})
	good := "SSWS " + DefaultToken
	for _, c := range []struct {
		method, path, credential string
		status                   int
		code                     string
	}{
		{"GET", "/api/v1/users", "", 403, "E0000005"},
		{"GET", "/api/v1/users", "SSWS wrong", 401, "E0000011"},
		{"GET", "/api/v1/users", "Bearer " + DefaultToken, 401, "E0000011"},
		{"GET", "/api/v1/users/00u404", good, 404, "E0000007"},
		{"GET", "/api/v1/groups/00g404", good, 404, "E0000007"},
		{"GET", "/api/v1/iam/roles/cr0404/permissions", good, 404, "E0000007"},
		{"GET", "/api/v1/nothing", good, 404, "E0000008"},
		{"PATCH", "/api/v1/users", good, 405, "E0000022"},
		{"DELETE", "/api/v1/iam/roles", good, 405, "E0000022"},
		{"POST", "/api/v1/users", good, 400, "E0000001"},
		{"DELETE", "/api/v1/users/00u1", good, 404, "E0000007"},
		{"GET", "/api/v1/users?limit=many", good, 400, "E0000001"},
		{"GET", "/api/v1/users?after=nonsense", good, 400, "E0000029"},
		{"GET", "/api/v1/iam/roles?after=nonsense", good, 400, "E0000029"},
		{"GET", "/api/v1/users?filter=" + url.QueryEscape(`status ne "ACTIVE"`), good, 400, "E0000053"},
		{"GET", "/api/v1/users?filter=" + url.QueryEscape(`profile.title eq "x"`), good, 400, "E0000053"},
		{"GET", "/api/v1/users?search=" + url.QueryEscape(`status ne "ACTIVE"`), good, 400, "E0000031"},
		{"GET", "/api/v1/users?search=" + url.QueryEscape(`profile.title co "x"`), good, 400, "E0000031"},
		{"GET", "/api/v1/users?search=status+pr&filter=" + url.QueryEscape(`status eq "ACTIVE"`), good, 400, "E0000033"},
		{"GET", "/api/v1/logs?limit=1001", good, 400, "E0000001"},
		{"GET", "/api/v1/logs?since=yesterday", good, 400, "E0000001"},
		{"GET", "/api/v1/logs?since=2020-01-01T00:00:00Z", good, 400, "E0000053"},
		{"GET", "/api/v1/logs?since=2026-10-30T00:00:00Z&after=1_1", good, 400, "E0000001"},
	} {
		r := send(t, o, c.method, c.path, c.credential)
		var body map[string]any
		r.into(t, &body)
		if r.status != c.status || body["errorCode"] != c.code {
			t.Errorf("%s %s: status %d, code %v, want %d, %s", c.method, c.path, r.status, body["errorCode"], c.status, c.code)
		}
		logs := strings.HasPrefix(c.path, "/api/v1/logs")
		if _, has := body["errorCauses"].([]any); has == logs {
			t.Errorf("%s: errorCauses present %v", c.path, has)
		}
		if id, _ := body["errorId"].(string); !logs && !strings.HasPrefix(id, "oae") {
			t.Errorf("%s: errorId %q", c.path, id)
		}
		if r.header.Get("X-Okta-Request-Id") == "" || r.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: headers %v", c.path, r.header)
		}
	}
}

func TestHeadersOfEveryAnswer(t *testing.T) {
	o := New(Options{})
	r := get(t, o, "/api/v1/org")
	for _, h := range []string{"X-Okta-Request-Id", "X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset", "Date"} {
		if r.header.Get(h) == "" {
			t.Errorf("no %s", h)
		}
	}
	date, err := http.ParseTime(r.header.Get("Date"))
	if err != nil || date.Before(defaultNow) || date.After(defaultNow.Add(time.Hour)) {
		t.Errorf("Date is %v (%v), want the org's clock, %v", date, err, defaultNow)
	}
	if get(t, o, "/api/v1/users/me").header.Get("ETag") == "" {
		t.Error("a single user has no ETag")
	}
	if r := send(t, o, "GET", "/.well-known/okta-organization", ""); r.status != 200 || !strings.Contains(string(r.body), `"pipeline":"idx"`) {
		t.Errorf("the probe needs no credential, got %d %s", r.status, r.body)
	}
}

func TestCredentialsCanBeOmitted(t *testing.T) {
	o := New(Options{})
	for contentType, want := range map[string]bool{
		"": true, `application/json; okta-response="omitCredentialsLinks"`: true,
		`application/json; okta-response="omitCredentials,omitCredentialsLinks,omitTransitioningToStatus"`: false,
	} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, DefaultBaseURL+"/api/v1/users?limit=1", nil)
		r.Header.Set("Authorization", "SSWS "+DefaultToken)
		r.Header.Set("Content-Type", contentType)
		response, err := o.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if got := strings.Contains(string(body), `"credentials"`); got != want {
			t.Errorf("Content-Type %q: credentials present %v, want %v", contentType, got, want)
		}
	}
}

func TestNullsOfEachStatus(t *testing.T) {
	o := New(Options{Users: 3000})
	var untouched, imported, straight, neverIn int
	for _, item := range pages(t, o, "/api/v1/users?search=status+pr", "") {
		var u struct {
			ID, Status                                                    string
			Activated, StatusChanged, LastLogin, PasswordChanged, Created *string
			Credentials                                                   map[string]json.RawMessage
		}
		if err := json.Unmarshal(item, &u); err != nil {
			t.Fatal(err)
		}
		_, password := u.Credentials["password"]
		switch u.Status {
		case staged:
			if u.Activated != nil || u.LastLogin != nil {
				t.Errorf("STAGED %s is activated or was signed in", u.ID)
			}
			if u.StatusChanged == nil {
				untouched++
			} else if password && u.PasswordChanged != nil && strings.Contains(string(u.Credentials["provider"]), "IMPORT") {
				imported++
			}
		case provisioned:
			if u.Activated == nil || u.StatusChanged == nil || u.PasswordChanged != nil || u.LastLogin != nil || password {
				t.Errorf("PROVISIONED %s: %s", u.ID, item)
			}
		case deprovisioned:
			if u.Activated == nil {
				straight++
			}
			if u.StatusChanged == nil {
				t.Errorf("DEPROVISIONED %s never changed", u.ID)
			}
		default:
			if u.Activated == nil && u.ID != o.id(kindUser, 0) {
				t.Errorf("%s %s is not activated", u.Status, u.ID)
			}
			if u.LastLogin == nil {
				neverIn++
			}
		}
		for _, at := range []*string{u.Activated, u.StatusChanged, u.LastLogin, u.PasswordChanged, u.Created} {
			if at == nil {
				continue
			}
			if when, err := time.Parse(secondsLayout, *at); err != nil || when.After(defaultNow) || !strings.HasSuffix(*at, ".000Z") {
				t.Errorf("%s: time %s (%v) is after now, or misspelt", u.ID, *at, err)
			}
		}
	}
	if untouched == 0 || imported == 0 || straight == 0 || neverIn == 0 {
		t.Errorf("staged untouched %d, imported %d; deactivated straight from staged %d; never signed in %d: want some of each", untouched, imported, straight, neverIn)
	}
}

func TestFilterAndSearchAgreeWithEachOther(t *testing.T) {
	o := New(Options{})
	for _, c := range []struct{ filter, search string }{
		{`status eq "STAGED" or status eq "PROVISIONED"`, `status eq "staged" or status eq "provisioned"`},
		{`lastUpdated gt "2026-06-01T00:00:00Z" and status eq "ACTIVE"`, `(status eq "ACTIVE") and lastUpdated gt "2026-06-01T00:00:00.000Z"`},
		{`profile.login eq "mateo.ibarra@brightquay.example"`, `profile.email sw "MATEO.IBARRA"`},
	} {
		a := briefs(t, pages(t, o, "/api/v1/users?limit=5&filter="+url.QueryEscape(c.filter), ""))
		b := briefs(t, pages(t, o, "/api/v1/users?search="+url.QueryEscape(c.search), ""))
		if len(a) == 0 || len(a) != len(b) || a[0] != b[0] {
			t.Errorf("filter %s finds %d, search %s finds %d", c.filter, len(a), c.search, len(b))
		}
	}
	early := pages(t, o, "/api/v1/users?search="+url.QueryEscape(`created lt "2024-01-01T00:00:00.000Z"`), "")
	late := pages(t, o, "/api/v1/users?search="+url.QueryEscape(`created ge "2024-01-01T00:00:00.000Z"`), "")
	if len(early)+len(late) != 500 || len(early) == 0 || len(late) == 0 {
		t.Errorf("halves of created have %d and %d users, want 500 together", len(early), len(late))
	}
	sorted := pages(t, o, "/api/v1/users?limit=90&sortBy=profile.lastName&sortOrder=desc&search=status+pr", "")
	if len(sorted) != 500 {
		t.Errorf("a sorted search finds %d, want 500", len(sorted))
	}
	before := "~"
	for _, item := range sorted {
		var u struct{ Profile struct{ LastName string } }
		_ = json.Unmarshal(item, &u)
		if name := strings.ToLower(u.Profile.LastName); name > before {
			t.Fatalf("%s comes after %s", name, before)
		} else {
			before = name
		}
	}
}

func TestRoleIDClasses(t *testing.T) {
	o := New(Options{})
	classes, perMember := make(map[string]int), make(map[string]map[string]bool)
	for item := range o.Truth("user_role_assignments") {
		var a struct{ ID, Type, AssignmentType, UserID, ResourceSet, Role string }
		if err := json.Unmarshal([]byte(strings.Replace(string(item), `"resource-set":"`, `"resourceSet":"`, 1)), &a); err != nil {
			t.Fatal(err)
		}
		want := "ra1"
		switch {
		case targetable[a.Type] != "":
			want = targetable[a.Type]
		case a.Type == customType || iamPolicies[a.Type] != "":
			want = "irb"
			if a.ResourceSet == "" || a.Role == "" {
				t.Errorf("%s has no resource set or role", item)
			}
		case a.AssignmentType == "GROUP":
			want = "gra"
		}
		if !strings.HasPrefix(a.ID, want) {
			t.Errorf("%s of %s through %s has id %s, want %s", a.Type, a.UserID, a.AssignmentType, a.ID, want)
		}
		classes[want+a.AssignmentType]++
		if perMember[a.ID] == nil {
			perMember[a.ID] = make(map[string]bool)
		}
		perMember[a.ID][a.UserID] = true
	}
	for _, class := range []string{"ra1USER", "graGROUP", "irbUSER", "irbGROUP", "IFIFAX2BIRGUSTQUSER", "KVJUKUS7IFCE2SKOGROUP", "JBCUYUC7IRCVGS27IFCE2SKOUSER"} {
		if classes[class] == 0 {
			t.Errorf("no assignment of class %s in %v", class, classes)
		}
	}
	for id, users := range perMember {
		if strings.HasPrefix(id, "ra1") && len(users) != 1 {
			t.Errorf("direct assignment %s belongs to %d users", id, len(users))
		}
		if strings.HasPrefix(id, "gra") && len(users) < 2 {
			t.Errorf("group assignment %s reaches %d users, want several", id, len(users))
		}
	}
	if r := get(t, o, "/api/v1/users/desmond.achterberg@"+companyDomain+"/roles"); string(r.body) != "[]" {
		t.Errorf("roles of somebody without any: %s, want []", r.body)
	}
}

func TestGroupsTellTheirPowerAndAdministratorsCannotBeListed(t *testing.T) {
	o := New(Options{})
	powerful := 0
	for _, item := range pages(t, o, "/api/v1/groups?expand=stats", "") {
		var g struct {
			ID       string
			Embedded struct {
				Stats struct {
					UsersCount        int  `json:"usersCount"`
					HasAdminPrivilege bool `json:"hasAdminPrivlege"`
				} `json:"stats"`
			} `json:"_embedded"`
		}
		if err := json.Unmarshal(item, &g); err != nil {
			t.Fatal(err)
		}
		if g.Embedded.Stats.HasAdminPrivilege {
			powerful++
		}
		if g.ID == o.groups[administrators].id {
			continue
		}
		if n := len(pages(t, o, "/api/v1/groups/"+g.ID+"/users", "")); n != g.Embedded.Stats.UsersCount {
			t.Errorf("group %s says %d users and lists %d", g.ID, g.Embedded.Stats.UsersCount, n)
		}
	}
	if powerful != len(grantedGroups) || len(o.groups) != usualGroups {
		t.Errorf("%d groups of %d hold roles, want %d of %d", powerful, len(o.groups), len(grantedGroups), usualGroups)
	}
	if r := get(t, o, "/api/v1/groups/"+o.groups[administrators].id+"/users"); r.status != http.StatusForbidden {
		t.Errorf("members of Okta Administrators: status %d, want 403", r.status)
	}
}

func TestAssigneesAreTheDirectHoldersUnlessToldOtherwise(t *testing.T) {
	o, all := New(Options{}), New(Options{InheritedAssignees: true})
	direct := briefs(t, pages(t, o, "/api/v1/iam/assignees/users?limit=10", "value"))
	union := briefs(t, pages(t, all, "/api/v1/iam/assignees/users?limit=10", "value"))
	contractor := o.id(kindUser, o.staff.places[partContractor])
	has := func(list []brief) bool {
		for _, u := range list {
			if u.ID == contractor {
				return true
			}
		}
		return false
	}
	if has(direct) || !has(union) || len(union) <= len(direct) {
		t.Errorf("direct %d (contractor %v), with groups %d (contractor %v)", len(direct), has(direct), len(union), has(union))
	}
}

func TestBindingsAgreeWithAssignments(t *testing.T) {
	o := New(Options{})
	found := 0
	for _, set := range briefs(t, pages(t, o, "/api/v1/iam/resource-sets", "resource-sets")) {
		path := "/api/v1/iam/resource-sets/" + set.ID
		if n := len(pages(t, o, path+"/resources?limit=2", "resources")); n == 0 || n > 20 {
			t.Errorf("resource set %s has %d resources", set.Label, n)
		}
		for _, r := range briefs(t, pages(t, o, path+"/bindings?limit=1", "roles")) {
			found += len(pages(t, o, path+"/bindings/"+r.ID+"/members?limit=1", "members"))
		}
	}
	want := 0
	for _, a := range o.bindings {
		if a.standard == "" {
			want++
		}
	}
	if found != want || want == 0 {
		t.Errorf("bindings name %d members, assignments of custom roles are %d", found, want)
	}
}

func TestPermissionsWithAndWithoutConditions(t *testing.T) {
	o := New(Options{})
	plain, bound := 0, 0
	for item := range o.Truth("permissions") {
		var p struct {
			Conditions map[string]map[string][]string
		}
		if err := json.Unmarshal(item, &p); err != nil {
			t.Fatalf("%s: %v", item, err)
		}
		if p.Conditions == nil {
			plain++
		} else {
			bound++
		}
	}
	if bound < 2 || plain < 10*bound {
		t.Errorf("%d permissions with conditions, %d without", bound, plain)
	}
}
