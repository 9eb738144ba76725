package emulator

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// crawlMore reads what crawl leaves out, in the ledger's terms.
func crawlMore(t testing.TB, o *Org) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	add := func(kind string, items []json.RawMessage, members string) []json.RawMessage {
		for _, item := range items {
			if members == "" {
				found[kind] = append(found[kind], string(item))
			} else {
				found[kind] = append(found[kind], with(item, members))
			}
		}
		return items
	}
	targets := func(path, kind, id string, roles []json.RawMessage) {
		for _, raw := range roles {
			var a struct{ ID, Type, AssignmentType string }
			if err := json.Unmarshal(raw, &a); err != nil {
				t.Fatal(err)
			}
			if targetable[a.Type] == "" || a.AssignmentType != kind {
				continue
			}
			whose := fmt.Sprintf(`"principalType":%q,"principalId":%q,"assignmentId":%q,"roleType":%q,"targetType":`, kind, id, a.ID, a.Type)
			add("role_targets", pages(t, o, path+"/"+a.ID+"/targets/groups", ""), whose+`"GROUP"`)
			add("role_targets", pages(t, o, path+"/"+a.ID+"/targets/catalog/apps", ""), whose+`"APP"`)
		}
	}
	for i := range o.people() {
		id := o.id(kindUser, i)
		if o.holdsAny(i) && !o.gone(i) {
			targets("/api/v1/users/"+id+"/roles", "USER", id, pages(t, o, "/api/v1/users/"+id+"/roles", ""))
		}
	}
	for _, g := range briefs(t, pages(t, o, "/api/v1/groups", "")) {
		targets("/api/v1/groups/"+g.ID+"/roles", "GROUP", g.ID, pages(t, o, "/api/v1/groups/"+g.ID+"/roles", ""))
	}
	for _, raw := range add("apps", pages(t, o, "/api/v1/apps?limit=7", ""), "") {
		var a struct {
			ID       string
			Settings struct{ OAuthClient *struct{} }
		}
		if err := json.Unmarshal(raw, &a); err != nil {
			t.Fatal(err)
		}
		whose := fmt.Sprintf(`"appId":%q`, a.ID)
		add("app_users", pages(t, o, "/api/v1/apps/"+a.ID+"/users", ""), whose)
		add("app_groups", pages(t, o, "/api/v1/apps/"+a.ID+"/groups", ""), whose)
		if a.Settings.OAuthClient != nil {
			roles := pages(t, o, "/oauth2/v1/clients/"+a.ID+"/roles", "")
			add("client_role_assignments", roles, fmt.Sprintf(`"clientId":%q`, a.ID))
			targets("/oauth2/v1/clients/"+a.ID+"/roles", "CLIENT", a.ID, roles)
		}
	}
	for _, s := range briefs(t, pages(t, o, "/api/v1/iam/resource-sets", "resource-sets")) {
		path := "/api/v1/iam/resource-sets/" + s.ID
		add("resource_set_resources", pages(t, o, path+"/resources?limit=2", "resources"), fmt.Sprintf(`"resourceSetId":%q`, s.ID))
		for _, r := range briefs(t, pages(t, o, path+"/bindings?limit=1", "roles")) {
			add("resource_set_bindings", pages(t, o, path+"/bindings/"+r.ID+"/members?limit=1", "members"), fmt.Sprintf(`"resourceSetId":%q,"roleId":%q`, s.ID, r.ID))
		}
	}
	for kind, path := range map[string]string{
		"group_rules": "/api/v1/groups/rules?limit=3", "devices": "/api/v1/devices?expand=userSummary&limit=13",
		"user_types": "/api/v1/meta/types/user", "api_tokens": "/api/v1/api-tokens",
	} {
		add(kind, pages(t, o, path, ""), "")
	}
	for _, u := range briefs(t, pages(t, o, "/api/v1/users?search=status+pr", "")) {
		add("factors", pages(t, o, "/api/v1/users/"+u.ID+"/factors", ""), fmt.Sprintf(`"userId":%q`, u.ID))
	}
	return found
}

func TestTheRestOfTheLedgerIsWhatACrawlFinds(t *testing.T) {
	for _, options := range []Options{{EventsPerDay: -1}, {Users: 1, EventsPerDay: -1}, {Users: 2600, Seed: 7, EventsPerDay: -1}} {
		compareMore(t, New(options))
	}
}

func TestTheRestOfTheLedgerFollowsChanges(t *testing.T) {
	o := New(Options{Users: 120, EventsPerDay: -1})
	life := o.Workload(3)
	for range 400 {
		sure[Step](t)(life.Step())
	}
	compareMore(t, o)
	o.Reset()
	fresh := New(Options{Users: 120, EventsPerDay: -1})
	for kind := range o.tellMore() {
		if !slices.Equal(ledger(o, kind), ledger(fresh, kind)) {
			t.Errorf("%s are not those of a new org after Reset", kind)
		}
	}
}

func ledger(o *Org, kind string) (all []string) {
	for item := range o.Truth(kind) {
		all = append(all, string(item))
	}
	return all
}

// compareMore fails where the ledger and a crawl differ.
func compareMore(t *testing.T, o *Org) {
	t.Helper()
	found := crawlMore(t, o)
	for kind := range o.tellMore() {
		truth := ledger(o, kind)
		if len(truth) == 0 {
			t.Errorf("%+v: no %s", o.options, kind)
		}
		if slices.Equal(truth, found[kind]) {
			continue
		}
		t.Errorf("%+v: %s: the ledger has %d, a crawl finds %d, or they differ", o.options, kind, len(truth), len(found[kind]))
		for i := range min(len(truth), len(found[kind])) {
			if truth[i] != found[kind][i] {
				t.Fatalf("first difference:\n%s\n%s", truth[i], found[kind][i])
			}
		}
	}
}

func TestLimitsOfApplicationsAndTargets(t *testing.T) {
	o := New(Options{Users: 3000, EventsPerDay: -1})
	app := o.id(kindApp, appServiceNow)
	badge := "/oauth2/v1/clients/" + o.id(kindApp, appBadgeOffice) + "/roles/" + targetable[groupMembershipAdmin] + "/targets/groups"
	for _, c := range []struct {
		path string
		want int
		self string
	}{
		{"/api/v1/apps", 20, "/api/v1/apps?limit=20"},
		{"/api/v1/apps?limit=1000", 30, "/api/v1/apps?limit=200"},
		{"/api/v1/apps/" + app + "/users", 50, "/api/v1/apps/" + app + "/users?limit=50"},
		{"/api/v1/apps/" + app + "/users?limit=9000", 500, "/api/v1/apps/" + app + "/users?limit=500"},
		{"/api/v1/apps/" + app + "/groups?limit=1", -1, "/api/v1/apps/" + app + "/groups?limit=20"},
		{badge + "?limit=200", 20, badge + "?after=" + o.targetCursor(badge, 0) + "&limit=20"},
	} {
		r := get(t, o, c.path)
		var page []json.RawMessage
		r.into(t, &page)
		if len(page) != c.want && c.want >= 0 {
			t.Errorf("%s: %d items, want %d", c.path, len(page), c.want)
		}
		if got := r.links(t)["self"]; got != DefaultBaseURL+c.self {
			t.Errorf("%s: self is %s, want %s", c.path, got, c.self)
		}
	}
	if got := len(pages(t, o, badge+"?limit=200", "")); got != targetsPage+5 {
		t.Errorf("%d targets in all, want %d", got, targetsPage+5)
	}
	for _, path := range []string{"/api/v1/apps?after=0oa404", "/api/v1/apps/" + app + "/users?after=x", badge + "?after=PGE-1"} {
		if r := get(t, o, path); r.status != 400 || !strings.Contains(string(r.body), "E0000029") {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	for _, path := range []string{"/api/v1/apps/0oa404", "/api/v1/apps/0oa404/users", "/oauth2/v1/clients/0oa404/roles", "/oauth2/v1/clients/" + app + "/roles", "/oauth2/v1/clients/" + o.id(kindApp, appTelemetry) + "/roles/x/targets/groups"} {
		if r := get(t, o, path); r.status != 404 || !strings.Contains(string(r.body), "E0000007") {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}

func TestServiceAppsHoldRoles(t *testing.T) {
	o := New(Options{EventsPerDay: -1})
	if got := string(get(t, o, "/oauth2/v1/clients/"+o.id(kindApp, appTelemetry)+"/roles").body); got != "[]" {
		t.Errorf("the service app without roles has %s", got)
	}
	var a []struct {
		ID, Type, AssignmentType string
		Links                    struct{ Assignee struct{ Href string } } `json:"_links"`
	}
	get(t, o, "/oauth2/v1/clients/"+o.id(kindApp, appBadgeOffice)+"/roles").into(t, &a)
	if len(a) != 2 || a[0].Type != groupMembershipAdmin || a[1].Type != customType || a[0].AssignmentType != "CLIENT" || !strings.HasSuffix(a[0].Links.Assignee.Href, "/oauth2/v1/clients/"+o.id(kindApp, appBadgeOffice)) {
		t.Errorf("roles of the badge office: %+v", a)
	}
	path := "/api/v1/iam/resource-sets/" + o.id(kindResourceSet, setTerminals) + "/bindings/" + o.id(kindRole, customGroupKeeper) + "/members"
	if body := string(get(t, o, path).body); !strings.Contains(body, a[1].ID) || !strings.Contains(body, "/oauth2/v1/clients/"+o.id(kindApp, appBadgeOffice)) {
		t.Errorf("the service app is no member of its binding: %s", body)
	}
}

// An id that all assignments of a type share leads to the user's own assignment, and to that of her group when she has
// none; expand shows each assignment's targets.
func TestTargetsOfAnIDThatIsNoIdentifier(t *testing.T) {
	o := New(Options{EventsPerDay: -1})
	coordinators := slices.IndexFunc(o.groups, func(g group) bool { return g.name == "Regional Coordinators EMEA" })
	person := int(o.groups[coordinators].members[0])
	path := "/api/v1/users/" + o.id(kindUser, person) + "/roles"
	inherited := pages(t, o, path+"/"+targetable[groupMembershipAdmin]+"/targets/groups", "")
	if len(inherited) != targetsPage+5 {
		t.Errorf("%d targets through the group, want %d", len(inherited), targetsPage+5)
	}
	var roles []struct {
		Type     string
		Embedded *struct {
			Targets struct {
				Groups  []json.RawMessage
				Catalog struct{ Apps []json.RawMessage }
			}
		} `json:"_embedded"`
	}
	get(t, o, path+"?expand=targets/groups").into(t, &roles)
	for _, r := range roles {
		if (r.Embedded != nil) != (targetable[r.Type] != "") {
			t.Errorf("%s: embedded %v", r.Type, r.Embedded)
		}
		if r.Type == groupMembershipAdmin && len(r.Embedded.Targets.Groups) != len(inherited) {
			t.Errorf("%d targets embedded, %d listed", len(r.Embedded.Targets.Groups), len(inherited))
		}
	}
	o.direct[person] = append(o.direct[person], assignment{role: role{standard: groupMembershipAdmin}, id: targetable[groupMembershipAdmin], group: -1, person: person})
	if own := pages(t, o, path+"/"+targetable[groupMembershipAdmin]+"/targets/groups", ""); len(own) != 0 {
		t.Errorf("her own assignment has no targets, got %d", len(own))
	}
}

func TestAppUsersAreThoseOfTheirGroupsAndTheirOwn(t *testing.T) {
	o := New(Options{Users: 900, EventsPerDay: -1})
	scopes := make(map[string]int)
	for i := range o.appCount() {
		a := o.appAt(i)
		through := make(map[int]bool)
		for _, g := range o.assignedGroups(a) {
			if g == administrators {
				continue
			}
			for _, m := range o.groups[g].members {
				through[int(m)] = true
			}
		}
		before := -1
		for _, h := range o.appHolders(a, 0, o.staff.count) {
			if h.user <= before || o.gone(h.user) {
				t.Fatalf("%s: person %d after %d, gone %v", a.label, h.user, before, o.gone(h.user))
			}
			before = h.user
			delete(through, h.user)
			scopes[map[bool]string{true: "GROUP", false: "USER"}[h.group >= 0]]++
		}
		for m := range through {
			if !o.gone(m) {
				t.Errorf("%s is given to a group of person %d, who has it not", a.label, m)
			}
		}
	}
	if scopes["USER"] < 100 || scopes["GROUP"] < 100 {
		t.Errorf("scopes %v", scopes)
	}
	for g := range o.groups {
		if got := len(o.appsOf(g)); g != administrators && got != g%4 {
			t.Errorf("group %d has %d applications, its statistics say %d", g, got, g%4)
		}
	}
}

func TestAnOptimizedApplicationHoldsNoSecret(t *testing.T) {
	o := New(Options{EventsPerDay: -1})
	secret := o.appAt(7).secret
	if secret == "" || !strings.Contains(string(get(t, o, "/api/v1/apps?limit=200").body), `"client_secret":"`+secret) {
		t.Errorf("no secret is served: a reader could not be caught keeping one")
	}
	if body := string(get(t, o, "/api/v1/apps?limit=200&useOptimization=true").body); strings.Contains(body, secret) || strings.Contains(body, `"settings"`) {
		t.Errorf("the subset holds more than it should: %.300s", body)
	}
}

func TestFieldsProjectUsers(t *testing.T) {
	o := New(Options{EventsPerDay: -1})
	for query, want := range map[string]string{
		"id,status,profile:(login,email)": `[{"id":"` + o.id(kindUser, 0) + `","status":"ACTIVE","profile":{"login":"ingrid.solheim@harborline.example","email":"ingrid.solheim@harborline.example"}}]`,
		"profile:(firstName),unknown":     `[{"id":"` + o.id(kindUser, 0) + `","profile":{"firstName":"Ingrid"}}]`,
		"type":                            `[{"id":"` + o.id(kindUser, 0) + `","type":{"id":"` + o.userTypeID + `"}}]`,
	} {
		r := get(t, o, "/api/v1/users?limit=1&fields="+url.QueryEscape(query))
		if string(r.body) != want {
			t.Errorf("fields=%s: %s, want %s", query, r.body, want)
		}
		if next := r.links(t)["next"]; !strings.Contains(next, "&fields="+url.QueryEscape(query)) {
			t.Errorf("fields=%s is not in the next link %s", query, next)
		}
	}
}

func TestGzipForThoseWhoTakeIt(t *testing.T) {
	o := New(Options{EventsPerDay: -1})
	plain := get(t, o, "/api/v1/users")
	if plain.header.Get("Content-Encoding") != "" {
		t.Errorf("encoded %q without being asked", plain.header.Get("Content-Encoding"))
	}
	for accept, want := range map[string]string{"gzip": "gzip", "deflate, GZIP;q=0.5": "gzip", "gzip;q=0": "", "identity": ""} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, DefaultBaseURL+"/api/v1/users", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "SSWS "+DefaultToken)
		r.Header.Set("Accept-Encoding", accept)
		response, err := o.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body := io.Reader(response.Body)
		if got := response.Header.Get("Content-Encoding"); got != want {
			t.Errorf("%s: encoded %q, want %q", accept, got, want)
		} else if want != "" {
			if body, err = gzip.NewReader(body); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := io.ReadAll(body); err != nil || string(got) != string(plain.body) {
			t.Errorf("%s: another body (%d bytes, %v)", accept, len(got), err)
		}
		response.Body.Close()
	}
}

func TestDevicesAreThoseOfTheLogAndLeadToTheirPeople(t *testing.T) {
	o := New(Options{Users: 1300})
	known := make(map[string]bool)
	for i := range o.people() {
		for _, phone := range []bool{false, true} {
			v, ok := o.deviceOf(i, phone)
			if !ok {
				continue
			}
			if known[v.id] {
				t.Fatalf("id %s twice", v.id)
			}
			known[v.id] = true
			if found, ok := o.findDevice(v.id); !ok || found != v {
				t.Fatalf("id %s leads to %+v, want %+v", v.id, found, v)
			}
		}
	}
	if _, ok := o.findDevice(o.realmID); ok {
		t.Errorf("the realm is no device")
	}
	small := New(Options{})
	logged := 0
	for item := range small.Truth("logs") {
		var e struct {
			Device *struct{ ID, Name string }
			Actor  struct{ ID string }
		}
		if err := json.Unmarshal(item, &e); err != nil {
			t.Fatal(err)
		}
		if e.Device == nil || logged > 50 {
			continue
		}
		logged++
		v, ok := small.findDevice(e.Device.ID)
		if !ok || v.name != e.Device.Name || small.id(kindUser, v.owner) != e.Actor.ID {
			t.Errorf("the log says %+v of %s, the org %+v, %v", e.Device, e.Actor.ID, v, ok)
		}
		if list := get(t, small, "/api/v1/users/"+e.Actor.ID+"/devices"); !strings.Contains(string(list.body), v.id) {
			t.Errorf("%s is not among the devices of %s", v.id, e.Actor.ID)
		}
	}
	if logged == 0 {
		t.Error("the log names no device")
	}
}

func TestRulesFillGroupsThatHoldNoRole(t *testing.T) {
	for _, users := range []int{minUsers, 500, 5000} {
		o := New(Options{Users: users, EventsPerDay: -1})
		statuses := make(map[string]int)
		for i := range o.ruleCount() {
			r := o.ruleAt(i)
			if g := o.groups[r.group]; len(o.granted[r.group]) > 0 || g.typ != oktaGroup || r.created < g.created && r.created < o.now-40*day {
				t.Errorf("%d users: rule %s fills %s, a %s with %d roles", users, r.name, g.name, g.typ, len(o.granted[r.group]))
			}
			statuses[r.status]++
		}
		if len(statuses) != 3 {
			t.Errorf("%d users: statuses %v", users, statuses)
		}
	}
	o := New(Options{EventsPerDay: -1})
	if got := len(pages(t, o, "/api/v1/groups/rules?search=user.department&limit=4", "")); got != len(departments) {
		t.Errorf("a search finds %d rules, want %d", got, len(departments))
	}
	r := get(t, o, "/api/v1/groups/rules/"+o.ruleAt(0).id+"?expand=groupIdToGroupNameMap")
	if !strings.Contains(string(r.body), `"groupIdToGroupNameMap":{"`+o.groups[departmentHome].id+`":"Terminal Operations"}`) {
		t.Errorf("the rule by id: %s", r.body)
	}
	for path, status := range map[string]int{"/api/v1/groups/rules/0pr404": 404, "/api/v1/groups/rules?after=x": 400, "/api/v1/groups/" + o.groups[2].id + "/nothing": 404, "/api/v1/groups/rules/" + o.id(kindRule, 0): 404} {
		if r := get(t, o, path); r.status != status {
			t.Errorf("%s: %d, want %d", path, r.status, status)
		}
	}
}

// A reader must be caught when it keeps what it should not: a client's secret, the seed of a factor, a question.
func TestSecretsAreThereToBeDropped(t *testing.T) {
	o := New(Options{EventsPerDay: -1})
	for kind, words := range map[string][]string{"apps": {`"client_secret":"`}, "factors": {`"sharedSecret":"`, `"questionText":"`, `"phoneNumber":"`}} {
		for _, word := range words {
			found := false
			for item := range o.Truth(kind) {
				found = found || strings.Contains(string(item), word)
			}
			if !found {
				t.Errorf("no %s in %s", word, kind)
			}
		}
	}
	for _, path := range []string{"/api/v1/users/00u404/factors", "/api/v1/users/00u404/devices", "/api/v1/devices/guo404", "/api/v1/api-tokens/00T404", "/api/v1/meta/types/user/oty404", "/api/v1/meta/schemas/user/osc404"} {
		if r := get(t, o, path); r.status != 404 {
			t.Errorf("%s: %d", path, r.status)
		}
	}
}

// A service app is a member of its binding, and loses its role with it: with the event that says so.
func TestARoleOfAServiceAppEnds(t *testing.T) {
	o := New(Options{EventsPerDay: -1})
	ok(t, o.DeleteRole("Group keeper"))
	var left []brief
	get(t, o, "/oauth2/v1/clients/"+o.id(kindApp, appBadgeOffice)+"/roles").into(t, &left)
	if len(left) != 1 || left[0].ID != targetable[groupMembershipAdmin] {
		t.Errorf("roles of the badge office: %+v", left)
	}
	told := false
	for _, line := range newEvents(t, o) {
		told = told || strings.HasPrefix(line, "app.oauth2.client.privilege.grant")
	}
	if !told {
		t.Errorf("no event tells of the service app: %v", newEvents(t, o))
	}
}

// Targets end with the assignment: who is given the role again is not limited as before.
func TestTargetsEndWithTheirAssignment(t *testing.T) {
	o := New(Options{EventsPerDay: -1})
	const coordinators = "Regional Coordinators EMEA"
	id := o.groups[slices.IndexFunc(o.groups, func(g group) bool { return g.name == coordinators })].id
	path := "/api/v1/groups/" + id + "/roles/" + targetable[groupMembershipAdmin] + "/targets/groups"
	if n := len(pages(t, o, path, "")); n != targetsPage+5 {
		t.Fatalf("%d targets", n)
	}
	ok(t, o.RevokeGroup(coordinators, groupMembershipAdmin))
	if r := get(t, o, path); r.status != 404 {
		t.Errorf("targets of a role that was revoked: %d", r.status)
	}
	sure[string](t)(o.GrantGroup(coordinators, groupMembershipAdmin, ""))
	if n := len(pages(t, o, path, "")); n != 0 {
		t.Errorf("%d targets of a role that was given again", n)
	}
}
