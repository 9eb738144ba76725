package oktasdk

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	okta "github.com/okta/okta-sdk-golang/v5/okta"
)

// client is the SDK as a user of it would set it up, apart from the port: the SDK drops it from the address.
func client(t *testing.T, base, token string, settings ...okta.ConfigSetter) *okta.APIClient {
	t.Helper()
	cfg, err := okta.NewConfiguration(append([]okta.ConfigSetter{okta.WithOrgUrl(base), okta.WithToken(token), okta.WithCache(false)}, settings...)...)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Host = host(t, base)
	return okta.NewAPIClient(cfg)
}

// all reads the pages after the first.
func all[T any](t *testing.T, items []T, response *okta.APIResponse, err error) []T {
	t.Helper()
	for {
		if err != nil {
			t.Fatalf("after %d items: %v", len(items), err)
		}
		if !response.HasNextPage() {
			return items
		}
		var page []T
		response, err = response.Next(&page)
		items = append(items, page...)
	}
}

func joined(items []json.RawMessage) []byte {
	b, _ := json.Marshal(items)
	return b
}

// said is the beginning of an answer: Next passes a 400 or 500 on as a page that does not decode.
func said(response *okta.APIResponse) string {
	if response == nil {
		return "no answer"
	}
	body, _ := io.ReadAll(response.Body)
	return fmt.Sprintf("%s %s: %.300s", response.Status, response.Request.URL, body)
}

func instant(s string) time.Time {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err) // written in this file
	}
	return at
}

func TestUsers(t *testing.T) {
	c := client(t, demo, token)
	users, response, err := c.UserAPI.ListUsers(t.Context()).Execute()
	if err != nil {
		t.Fatal(err)
	}
	if len(users) != 200 || !response.HasNextPage() {
		t.Fatalf("first page: %d users, next %v", len(users), response.HasNextPage())
	}
	users = all(t, users, response, nil)
	served := rawAll(t, demo, "/api/v1/users")
	same(t, "users", joined(served), users)
	if len(users) < 700 {
		t.Errorf("%d users", len(users))
	}
	for _, u := range users {
		if u.GetStatus() == "DEPROVISIONED" {
			t.Errorf("%s is listed", u.GetId())
		}
	}
	found, response, err := c.UserAPI.ListUsers(t.Context()).Search(`status pr`).SortBy("profile.lastName").Execute()
	if got := all(t, found, response, err); len(got) != 900 {
		t.Errorf("a search finds %d of 900", len(got))
	}
	gone, response, err := c.UserAPI.ListUsers(t.Context()).Filter(`status eq "DEPROVISIONED"`).Execute()
	if got := all(t, gone, response, err); len(got)+len(users) != 900 {
		t.Errorf("%d listed and %d DEPROVISIONED make not 900", len(users), len(got))
	}
	if q, response, err := c.UserAPI.ListUsers(t.Context()).Q("Ingrid").Execute(); err != nil || len(q) == 0 || response.HasNextPage() {
		t.Errorf("q: %d users, %v", len(q), err)
	}
	for _, name := range []string{users[0].GetId(), "ingrid.solheim@harborline.example", "me"} {
		u, _, err := c.UserAPI.GetUser(t.Context(), name).Execute()
		if err != nil {
			t.Fatalf("get %s: %v", name, err)
		}
		same(t, "user "+name, raw(t, demo, "/api/v1/users/"+name), u)
	}
	types, _, err := c.UserTypeAPI.ListUserTypes(t.Context()).Execute()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "user types", raw(t, demo, "/api/v1/meta/types/user"), types)
	for _, id := range []string{"default"} {
		schema, _, err := c.SchemaAPI.GetUserSchema(t.Context(), id).Execute()
		if err != nil {
			t.Fatal(err)
		}
		same(t, "schema "+id, raw(t, demo, "/api/v1/meta/schemas/user/"+id), schema)
	}
}

// Roles reach people directly, as custom ones and through groups; each kind must be met.
func TestUserRoles(t *testing.T) {
	c := client(t, demo, token)
	holders, _, err := c.RoleAssignmentAPI.ListUsersWithRoleAssignments(t.Context()).Execute()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "assignees", raw(t, demo, "/api/v1/iam/assignees/users"), holders)
	met := make(map[string]int)
	read := func(id string) {
		roles, _, err := c.RoleAssignmentAPI.ListAssignedRolesForUser(t.Context(), id).Execute()
		if err != nil {
			t.Fatalf("roles of %s: %v", id, err)
		}
		same(t, "roles of "+id, raw(t, demo, "/api/v1/users/"+id+"/roles"), roles)
		for _, r := range roles {
			met[r.GetAssignmentType()+" "+map[bool]string{true: "custom", false: "standard"}[r.AdditionalProperties["resource-set"] != nil]]++
		}
	}
	for _, h := range holders.GetValue() {
		read(h.GetId())
	}
	groups, response, err := c.GroupAPI.ListGroups(t.Context()).Execute()
	for _, g := range all(t, groups, response, err) {
		roles, _, err := c.RoleAssignmentAPI.ListGroupAssignedRoles(t.Context(), g.GetId()).Execute()
		if err != nil {
			t.Fatal(err)
		}
		same(t, "roles of "+g.GetId(), raw(t, demo, "/api/v1/groups/"+g.GetId()+"/roles"), roles)
		if len(roles) == 0 {
			continue
		}
		members, response, err := c.GroupAPI.ListGroupUsers(t.Context(), g.GetId()).Execute()
		for _, m := range all(t, members, response, err) {
			read(m.GetId())
		}
	}
	for _, kind := range []string{"USER standard", "USER custom", "GROUP standard", "GROUP custom"} {
		if met[kind] == 0 {
			t.Errorf("no %s role, met %v", kind, met)
		}
	}
}

func TestGroupsAndMembers(t *testing.T) {
	c := client(t, demo, token)
	groups, response, err := c.GroupAPI.ListGroups(t.Context()).Limit(9).Execute()
	groups = all(t, groups, response, err)
	same(t, "groups", joined(rawAll(t, demo, "/api/v1/groups")), groups)
	for _, g := range groups {
		one, _, err := c.GroupAPI.GetGroup(t.Context(), g.GetId()).Execute()
		if err != nil {
			t.Fatal(err)
		}
		same(t, "group "+g.GetId(), raw(t, demo, "/api/v1/groups/"+g.GetId()), one)
		profile := g.GetProfile()
		if profile.GetName() == "Okta Administrators" {
			continue
		}
		members, response, err := c.GroupAPI.ListGroupUsers(t.Context(), g.GetId()).Limit(150).Execute()
		same(t, "members of "+profile.GetName(), joined(rawAll(t, demo, "/api/v1/groups/"+g.GetId()+"/users")), all(t, members, response, err))
	}
	stats, response, err := c.GroupAPI.ListGroups(t.Context()).Expand("stats").Execute()
	same(t, "groups with statistics", joined(rawAll(t, demo, "/api/v1/groups?expand=stats")), all(t, stats, response, err))
	rules, response, err := c.GroupAPI.ListGroupRules(t.Context()).Limit(4).Execute()
	same(t, "rules", joined(rawAll(t, demo, "/api/v1/groups/rules")), all(t, rules, response, err))
}

func TestIAM(t *testing.T) {
	c := client(t, demo, token)
	roles, _, err := c.RoleAPI.ListRoles(t.Context()).Execute()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "roles", raw(t, demo, "/api/v1/iam/roles"), roles)
	conditions := 0
	for _, r := range roles.GetRoles() {
		permissions, _, err := c.RoleAPI.ListRolePermissions(t.Context(), r.GetId()).Execute()
		if err != nil {
			t.Fatalf("permissions of %s: %v", r.GetLabel(), err)
		}
		same(t, "permissions of "+r.GetLabel(), raw(t, demo, "/api/v1/iam/roles/"+r.GetId()+"/permissions"), permissions)
		for _, p := range permissions.GetPermissions() {
			if len(p.Conditions) > 0 {
				conditions++
			}
		}
	}
	if conditions == 0 {
		t.Error("no permission has conditions")
	}
	sets, _, err := c.ResourceSetAPI.ListResourceSets(t.Context()).Execute()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "resource sets", raw(t, demo, "/api/v1/iam/resource-sets"), sets)
	kinds := make(map[string]int)
	for _, s := range sets.GetResourceSets() {
		path := "/api/v1/iam/resource-sets/" + s.GetId()
		resources, _, err := c.ResourceSetAPI.ListResourceSetResources(t.Context(), s.GetId()).Execute()
		if err != nil {
			t.Fatal(err)
		}
		same(t, "resources of "+s.GetLabel(), raw(t, demo, path+"/resources"), resources)
		bindings, _, err := c.ResourceSetAPI.ListBindings(t.Context(), s.GetId()).Execute()
		if err != nil {
			t.Fatal(err)
		}
		same(t, "bindings of "+s.GetLabel(), raw(t, demo, path+"/bindings"), bindings)
		for _, b := range bindings.GetRoles() {
			members, _, err := c.ResourceSetAPI.ListMembersOfBinding(t.Context(), s.GetId(), b.GetId()).Execute()
			if err != nil {
				t.Fatal(err)
			}
			same(t, "members of "+b.GetId(), raw(t, demo, path+"/bindings/"+b.GetId()+"/members"), members)
			for _, m := range members.GetMembers() {
				links := m.GetLinks()
				for _, kind := range []string{"/users/", "/groups/", "/clients/"} {
					if self := links.GetSelf(); strings.Contains(self.GetHref(), kind) {
						kinds[kind]++
					}
				}
			}
		}
	}
	if len(kinds) != 3 {
		t.Errorf("members of bindings are %v", kinds)
	}
}

func TestRoleTargets(t *testing.T) {
	c := client(t, demo, token)
	targets := 0
	groups, response, err := c.GroupAPI.ListGroups(t.Context()).Execute()
	for _, g := range all(t, groups, response, err) {
		roles, _, err := c.RoleAssignmentAPI.ListGroupAssignedRoles(t.Context(), g.GetId()).Execute()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range roles {
			path := "/api/v1/groups/" + g.GetId() + "/roles/" + r.GetId() + "/targets/"
			switch r.GetType() {
			case "APP_ADMIN":
				list, response, err := c.RoleTargetAPI.ListApplicationTargetsForApplicationAdministratorRoleForGroup(t.Context(), g.GetId(), r.GetId()).Execute()
				list = all(t, list, response, err)
				same(t, path, joined(rawAll(t, demo, path+"catalog/apps")), list)
				targets += len(list)
			case "USER_ADMIN", "HELP_DESK_ADMIN", "GROUP_MEMBERSHIP_ADMIN":
				list, response, err := c.RoleTargetAPI.ListGroupTargetsForGroupRole(t.Context(), g.GetId(), r.GetId()).Limit(200).Execute()
				list = all(t, list, response, err)
				same(t, path, joined(rawAll(t, demo, path+"groups")), list)
				targets += len(list)
			}
		}
	}
	if targets <= 20 {
		t.Errorf("%d targets: no list is longer than a page", targets)
	}
	holders, _, err := c.RoleAssignmentAPI.ListUsersWithRoleAssignments(t.Context()).Execute()
	if err != nil {
		t.Fatal(err)
	}
	apps := 0
	for _, h := range holders.GetValue() {
		roles, _, err := c.RoleAssignmentAPI.ListAssignedRolesForUser(t.Context(), h.GetId()).Execute()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range roles {
			if r.GetType() != "APP_ADMIN" || r.GetAssignmentType() != "USER" {
				continue
			}
			list, response, err := c.RoleTargetAPI.ListApplicationTargetsForApplicationAdministratorRoleForUser(t.Context(), h.GetId(), r.GetId()).Execute()
			list = all(t, list, response, err)
			same(t, "targets of "+h.GetId(), joined(rawAll(t, demo, "/api/v1/users/"+h.GetId()+"/roles/"+r.GetId()+"/targets/catalog/apps")), list)
			apps += len(list)
		}
	}
	if apps == 0 {
		t.Error("no application is a target")
	}
}

func TestApps(t *testing.T) {
	c := client(t, demo, token)
	apps, response, err := c.ApplicationAPI.ListApplications(t.Context()).Limit(6).Execute()
	apps = all(t, apps, response, err)
	served := rawAll(t, demo, "/api/v1/apps?limit=200")
	same(t, "apps", joined(served), apps)
	people, groups := 0, 0
	for _, item := range served {
		id := idOf(t, item)
		app, _, err := c.ApplicationAPI.GetApplication(t.Context(), id).Execute()
		if err != nil {
			t.Fatal(err)
		}
		same(t, "app "+id, item, app)
		users, response, err := c.ApplicationUsersAPI.ListApplicationUsers(t.Context(), id).Execute()
		users = all(t, users, response, err)
		same(t, "users of app "+id, joined(rawAll(t, demo, "/api/v1/apps/"+id+"/users?limit=500")), users)
		assigned, response, err := c.ApplicationGroupsAPI.ListApplicationGroupAssignments(t.Context(), id).Execute()
		assigned = all(t, assigned, response, err)
		same(t, "groups of app "+id, joined(rawAll(t, demo, "/api/v1/apps/"+id+"/groups?limit=200")), assigned)
		people, groups = people+len(users), groups+len(assigned)
	}
	if people < 500 || groups < 20 {
		t.Errorf("%d app users, %d app groups", people, groups)
	}
}

func TestDevicesFactorsTokens(t *testing.T) {
	c := client(t, demo, token)
	devices, response, err := c.DeviceAPI.ListDevices(t.Context()).Limit(30).Expand("userSummary").Execute()
	devices = all(t, devices, response, err)
	same(t, "devices", joined(rawAll(t, demo, "/api/v1/devices?expand=userSummary")), devices)
	for _, d := range devices[:20] {
		one, _, err := c.DeviceAPI.GetDevice(t.Context(), d.GetId()).Execute()
		if err != nil {
			t.Fatal(err)
		}
		same(t, "device "+d.GetId(), raw(t, demo, "/api/v1/devices/"+d.GetId()), one)
		users, _, err := c.DeviceAPI.ListDeviceUsers(t.Context(), d.GetId()).Execute()
		if err != nil {
			t.Fatal(err)
		}
		same(t, "users of device "+d.GetId(), raw(t, demo, "/api/v1/devices/"+d.GetId()+"/users"), users)
	}
	factors := 0
	for _, u := range rawAll(t, demo, "/api/v1/users")[:200] {
		list, _, err := c.UserFactorAPI.ListFactors(t.Context(), idOf(t, u)).Execute()
		if err != nil {
			t.Fatal(err)
		}
		same(t, "factors of "+idOf(t, u), raw(t, demo, "/api/v1/users/"+idOf(t, u)+"/factors"), list)
		factors += len(list)
	}
	if factors < 100 {
		t.Errorf("%d factors", factors)
	}
	tokens, _, err := c.ApiTokenAPI.ListApiTokens(t.Context()).Execute()
	if err != nil {
		t.Fatal(err)
	}
	same(t, "tokens", raw(t, demo, "/api/v1/api-tokens"), tokens)
}

func TestLogs(t *testing.T) {
	c := client(t, demo, token)
	const bounded = "since=2026-10-26T00:00:00Z&until=2026-10-30T00:00:00Z&limit=1000"
	events, response, err := c.SystemLogAPI.ListLogEvents(t.Context()).Since(instant("2026-10-26T00:00:00Z")).Until(instant("2026-10-30T00:00:00Z")).Limit(700).Execute()
	events = all(t, events, response, err)
	same(t, "events", joined(rawAll(t, demo, "/api/v1/logs?"+bounded)), events)
	if len(events) < 1500 {
		t.Errorf("%d events in four days", len(events))
	}
	// Polling always has a next link: the reader must stop at an empty page.
	// It cannot begin with since: see TestLossesOfTheSDKItself.
	events, response, err = c.SystemLogAPI.ListLogEvents(t.Context()).Limit(500).Execute()
	pages := 1
	for ; err == nil && len(events) > 0 && pages < 50; pages++ {
		if !response.HasNextPage() {
			t.Fatal("a polling answer without next")
		}
		events = nil
		response, err = response.Next(&events)
	}
	if err != nil || pages < 3 || pages == 50 {
		t.Errorf("polling ended after %d pages: %v; %s", pages, err, said(response))
	}
}

func TestErrors(t *testing.T) {
	c := client(t, demo, token)
	_, response, err := c.UserAPI.GetUser(t.Context(), "00u404").Execute()
	if err == nil || response.StatusCode != http.StatusNotFound {
		t.Fatalf("a user who is not there: %v", err)
	}
	told := func(err error) okta.Error {
		var e *okta.GenericOpenAPIError
		if e, _ = err.(*okta.GenericOpenAPIError); e == nil {
			t.Fatalf("%T: %v", err, err)
		}
		m, _ := e.Model().(okta.Error)
		return m
	}
	if m := told(err); m.GetErrorCode() != "E0000007" || !strings.HasPrefix(m.GetErrorId(), "oae") {
		t.Errorf("404 decodes to %+v", m)
	}
	admins, _, err := c.GroupAPI.ListGroups(t.Context()).Search(`profile.name eq "Okta Administrators"`).Execute()
	if err != nil || len(admins) != 1 {
		t.Fatalf("%d groups of administrators, %v", len(admins), err)
	}
	_, response, err = c.GroupAPI.ListGroupUsers(t.Context(), admins[0].GetId()).Execute()
	if err == nil || response.StatusCode != http.StatusForbidden {
		t.Fatalf("members of the administrators: %v", err)
	}
	if m := told(err); m.GetErrorCode() != "E0000006" {
		t.Errorf("403 decodes to %+v", m)
	}
	_, response, err = client(t, demo, "wrong").UserAPI.ListUsers(t.Context()).Execute()
	if err == nil || response.StatusCode != http.StatusUnauthorized || !strings.Contains(string(err.(*okta.GenericOpenAPIError).Body()), "E0000011") {
		t.Errorf("a wrong token: %v", err)
	}
	_, response, err = c.UserAPI.ListUsers(t.Context()).Filter(`profile.title eq "x"`).Execute()
	if err == nil || response.StatusCode != http.StatusBadRequest {
		t.Errorf("a filter that is not supported: %v", err)
	}
}

// The SDK without settings gives up at the first 429; told to, it waits for the reset that the org names.
func TestRateLimits(t *testing.T) {
	c := client(t, demo, token)
	_, response, err := c.UserAPI.ListUsers(t.Context()).Limit(1).Execute()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range []string{"X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "X-Rate-Limit-Reset", "X-Okta-Request-Id", "Date"} {
		if response.Header.Get(h) == "" {
			t.Errorf("no %s", h)
		}
	}
	troubled := client(t, org(t, "--fault", "/api/v1/users=429")["base"], token)
	_, response, err = troubled.UserAPI.ListUsers(t.Context()).Execute()
	if err == nil || response == nil && !strings.Contains(err.Error(), "too many requests") {
		t.Errorf("429: %v, %v", response, err)
	}
	short := org(t, "--limit", "/users=2", "--window", "2s")["base"]
	patient := client(t, short, token, okta.WithRateLimitMaxRetries(3), okta.WithRateLimitMaxBackOff(30))
	for range 5 {
		if _, _, err := patient.UserAPI.ListUsers(t.Context()).Limit(1).Execute(); err != nil {
			t.Errorf("with retries: %v", err)
		}
	}
}

// What v5.0.6 gets wrong, whoever serves it: it expects one client where the API lists a client's roles, and it puts the
// parameters of the request back into every next link, so that polling the log repeats since, which the API refuses
// together with after; the refusal is then taken for a page.
func TestLossesOfTheSDKItself(t *testing.T) {
	c := client(t, demo, token)
	for _, item := range rawAll(t, demo, "/api/v1/apps?limit=200") {
		if !strings.Contains(string(item), `"application_type":"service"`) {
			continue
		}
		if roles := raw(t, demo, "/oauth2/v1/clients/"+idOf(t, item)+"/roles"); len(roles) <= 2 {
			continue
		}
		if _, _, err := c.RoleAssignmentAPI.ListRolesForClient(t.Context(), idOf(t, item)).Execute(); err == nil || !strings.Contains(err.Error(), "cannot unmarshal array") {
			t.Errorf("roles of a client now decode, or fail otherwise: %v", err)
		}
	}
	_, response, err := c.SystemLogAPI.ListLogEvents(t.Context()).Since(instant("2026-10-31T12:00:00Z")).Limit(100).Execute()
	if err != nil {
		t.Fatal(err)
	}
	var page []okta.LogEvent
	response, err = response.Next(&page)
	if err == nil || response.StatusCode != http.StatusBadRequest {
		t.Errorf("polling on from since now works: %v, %s", err, said(response))
	}
}
