package emulator

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

func TestTheOrgIsChangedThroughOktasEndpoints(t *testing.T) {
	o := New(Options{Users: 100, EventsPerDay: -1})
	u := somebody(t, o, 0)
	var made struct{ ID string }
	r := post(t, o, "POST", "/api/v1/users?activate=false", `{"profile":{"firstName":"Ada","lastName":"Byron","email":"ada@x.example","login":"ada@x.example","skills":["math","verse"],"age":36}}`)
	r.into(t, &made)
	ada := "/api/v1/users/" + made.ID
	if !strings.Contains(string(r.body), `"status":"STAGED"`) || !strings.Contains(string(r.body), `"skills":["math","verse"]`) || !strings.Contains(string(r.body), `"secondEmail":null`) {
		t.Errorf("created %s", r.body)
	}
	var group, role, set struct{ ID string }
	post(t, o, "POST", "/api/v1/groups", `{"profile":{"name":"Engines","description":"analytical"}}`).into(t, &group)
	post(t, o, "POST", "/api/v1/iam/roles", `{"label":"Engine keeper","description":"","permissions":["okta.users.read"]}`).into(t, &role)
	post(t, o, "POST", "/api/v1/iam/resource-sets", `{"label":"Engines","description":"","resources":["orn:okta:directory:`+o.orgID+`:groups:`+group.ID+`"]}`).into(t, &set)
	resources := "/api/v1/iam/resource-sets/" + set.ID
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string // of the error, or a part of the body
	}{
		{"POST", "/api/v1/users", `{"profile":{"firstName":"Ada","lastName":"B","email":"a@x.example","login":"ADA@x.example"}}`, 400, "E0000001"},
		{"POST", "/api/v1/users", `{"profile":{"firstName":"Ada"}}`, 400, "E0000001"},
		{"POST", "/api/v1/users", `{"profile":{"firstName":7,"lastName":"B","email":"a","login":"b"}}`, 400, "E0000001"},
		{"POST", "/api/v1/users", `{"profile`, 400, "E0000003"},
		{"POST", "/api/v1/users", strings.Repeat(" ", maxRequestBytes+1), 400, "E0000003"},
		{"POST", ada + "/lifecycle/activate", "", 200, "{}"},
		{"POST", ada + "/lifecycle/activate", "", 403, "E0000016"},
		{"POST", ada + "/lifecycle/suspend", "", 400, "E0000001"},
		{"POST", ada + "/lifecycle/fly", "", 404, "E0000008"},
		{"POST", ada, `{"profile":{"title":"Countess","skills":null}}`, 200, `"title":"Countess"`},
		{"PUT", ada, `{"profile":{"firstName":"Augusta","lastName":"King","email":"k@x.example","login":"king@x.example"}}`, 200, `"login":"king@x.example"`},
		{"GET", "/api/v1/users/king@x.example", "", 200, `"firstName":"Augusta"`},
		{"GET", "/api/v1/users/ada@x.example", "", 404, "E0000007"},
		{"PUT", "/api/v1/groups/" + group.ID + "/users/" + made.ID, "", 204, ""},
		{"PUT", "/api/v1/groups/" + group.ID + "/users/" + made.ID, "", 204, ""},
		{"PUT", "/api/v1/groups/" + group.ID + "/users/00u404", "", 404, "E0000007"},
		{"PUT", "/api/v1/groups/" + o.groups[everyone].id + "/users/" + made.ID, "", 403, "E0000006"},
		{"POST", "/api/v1/users/" + u + "/roles", `{"type":"SUPER_ADMIN"}`, 201, `"type":"SUPER_ADMIN"`},
		{"POST", "/api/v1/users/" + u + "/roles", `{"type":"SUPER_ADMIN"}`, 409, "E0000090"},
		{"POST", "/api/v1/users/" + u + "/roles", `{"type":"KING"}`, 400, "E0000001"},
		{"POST", "/api/v1/users/" + u + "/roles", `{"type":"CUSTOM","role":"` + role.ID + `","resource-set":"` + set.ID + `"}`, 201, role.ID},
		{"POST", "/api/v1/groups/" + group.ID + "/roles", `{"type":"HELP_DESK_ADMIN"}`, 201, targetable[helpDeskAdmin]},
		{"GET", ada + "/roles", "", 200, `"assignmentType":"GROUP"`},
		{"DELETE", "/api/v1/groups/" + group.ID + "/roles/" + targetable[helpDeskAdmin], "", 204, ""},
		{"DELETE", "/api/v1/groups/" + group.ID + "/roles/" + targetable[helpDeskAdmin], "", 404, "E0000007"},
		{"PUT", "/api/v1/groups/" + group.ID, `{"profile":{"name":"Difference Engines"}}`, 200, "Difference Engines"},
		{"POST", "/api/v1/iam/roles/" + role.ID + "/permissions/okta.groups.read", "", 204, ""},
		{"GET", "/api/v1/iam/roles/" + role.ID + "/permissions", "", 200, "okta.groups.read"},
		{"DELETE", "/api/v1/iam/roles/" + role.ID + "/permissions/okta.groups.read", "", 204, ""},
		{"POST", "/api/v1/iam/roles/" + role.ID + "/permissions/fly", "", 400, "E0000001"},
		{"PUT", "/api/v1/iam/roles/" + role.ID, `{"label":"Engine driver","description":"new"}`, 200, "Engine driver"},
		{"PUT", "/api/v1/iam/roles/" + workflowsAdmin, `{"label":"x"}`, 403, "E0000006"},
		{"PATCH", resources + "/resources", `{"additions":["https://x.okta.example/api/v1/groups/` + group.ID + `/users"]}`, 200, set.ID},
		{"GET", resources + "/resources", "", 200, ":contained_resources"},
		{"PATCH", resources + "/resources", `{"additions":["orn:okta:directory:x:groups:00g404"]}`, 400, "E0000001"},
		{"POST", resources + "/bindings", `{"role":"` + role.ID + `","members":["https://x.okta.example/api/v1/groups/` + group.ID + `"]}`, 200, role.ID},
		{"GET", resources + "/bindings/" + role.ID + "/members", "", 200, group.ID},
		{"DELETE", resources + "/bindings/" + role.ID, "", 204, ""},
		{"GET", resources + "/bindings/" + role.ID + "/members", "", 404, "E0000007"},
		{"DELETE", resources, "", 204, ""},
		{"GET", resources, "", 404, "E0000007"},
		{"DELETE", "/api/v1/iam/roles/" + role.ID, "", 204, ""},
		{"DELETE", "/api/v1/groups/" + group.ID, "", 204, ""},
		{"GET", "/api/v1/groups/" + group.ID, "", 404, "E0000007"},
		{"DELETE", ada, "", 204, ""},
		{"GET", ada, "", 200, deprovisioned},
		{"DELETE", ada, "", 204, ""},
		{"GET", ada, "", 404, "E0000007"},
	} {
		if r := post(t, o, c.method, c.path, c.body); r.status != c.status || !strings.Contains(string(r.body), c.code) {
			t.Errorf("%s %s %.80s: %d %s, want %d and %s", c.method, c.path, c.body, r.status, r.body, c.status, c.code)
		}
	}
	for _, raw := range events(t, o, "limit=1000") {
		var e struct {
			Transaction struct {
				Detail struct{ RequestAPITokenID string }
			}
		}
		if err := json.Unmarshal(raw, &e); err != nil || e.Transaction.Detail.RequestAPITokenID != o.id(kindToken, 0) {
			t.Fatalf("an event does not name the token that asked: %s", raw)
		}
	}
	checkCounts(t, o)
}

func TestAPersonsWayThroughTheStatuses(t *testing.T) {
	o := New(Options{Users: minUsers, EventsPerDay: -1})
	id := sure[string](t)(o.CreateUser(map[string]any{"firstName": "Ada", "lastName": "Byron", "login": "ada@x.example", "email": "ada@x.example"}, false))
	for _, c := range []struct {
		do         func(string) error
		want       string
		event      string
		accessible bool // lastLogin is set
	}{
		{o.Activate, provisioned, "user.lifecycle.activate", false},
		{o.Reactivate, provisioned, "user.lifecycle.reactivate", false},
		{o.SignIn, active, "user.session.start", true},
		{o.Suspend, suspended, "user.lifecycle.suspend", true},
		{o.Unsuspend, active, "user.lifecycle.unsuspend", true},
		{o.Lock, lockedOut, "user.account.lock", true},
		{o.Unlock, active, "user.account.unlock_by_admin", true},
		{o.ExpirePassword, passwordExpired, "user.account.expire_password", true},
		{o.SignIn, active, "user.session.start", true},
		{o.ResetPassword, recovery, "user.account.reset_password", true},
		{o.Deactivate, deprovisioned, "user.lifecycle.deactivate", true},
		{o.Activate, provisioned, "user.lifecycle.activate", true},
	} {
		ok(t, c.do(id))
		var u struct {
			Status                   string
			LastLogin, StatusChanged *string
		}
		get(t, o, "/api/v1/users/"+id).into(t, &u)
		changes := o.Changes()
		if u.Status != c.want || (u.LastLogin != nil) != c.accessible || u.StatusChanged == nil || !strings.Contains(strings.Join(changes[len(changes)-1].Events, " "), c.event) {
			t.Errorf("status %s, lastLogin %v, events %v; want %s and %s", u.Status, u.LastLogin, changes[len(changes)-1].Events, c.want, c.event)
		}
	}
}

// FuzzWrites sends what anybody may send: the org must answer with a status that Okta gives, and stay whole.
func FuzzWrites(f *testing.F) {
	methods := []string{"POST", "PUT", "PATCH", "DELETE"}
	for _, seed := range []struct{ path, body string }{
		{"/api/v1/users", `{"profile":{"firstName":"A","lastName":"B","login":"c","email":"d"},"groupIds":["x"]}`},
		{"/api/v1/users/me", `{"profile":{"title":["x",1,null]}}`},
		{"/api/v1/users/me/roles", `{"type":"CUSTOM","role":"Group keeper","resource-set":"Contractors"}`},
		{"/api/v1/groups", `{"profile":{"name":"x"}}`},
		{"/api/v1/iam/roles", `{"label":"x","permissions":["okta.users.read"]}`},
		{"/api/v1/iam/resource-sets/Contractors/resources", `{"additions":["orn:okta:idp:x:apps"]}`},
		{"/api/v1/iam/resource-sets/Contractors/bindings", `{"role":"Group keeper","members":["/users/me"]}`},
		{"/api/v1/eventHooks", registration},
	} {
		f.Add(uint8(0), seed.path, seed.body)
	}
	o := New(Options{Users: minUsers, EventsPerDay: -1, RateLimits: RateLimits{Buckets: map[string]int{bucketUsers: 1 << 40, bucketUser: 1 << 40, bucketGroups: 1 << 40, bucketGroup: 1 << 40, bucketIAM: 1 << 40, bucketRest: 1 << 40}}})
	f.Cleanup(o.Close)
	f.Fuzz(func(t *testing.T, method uint8, path, body string) {
		r, err := http.NewRequestWithContext(t.Context(), methods[int(method)%len(methods)], DefaultBaseURL+"/"+strings.TrimLeft(path, "/"), strings.NewReader(body))
		if err != nil || r.URL.Host != "harborline.okta.example" {
			t.Skip("no request")
		}
		r.Header.Set("Authorization", "SSWS "+DefaultToken)
		response, err := o.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode >= 500 {
			t.Fatalf("%s %s %s: %d", r.Method, path, body, response.StatusCode)
		}
		for range o.Truth("users") {
			break
		}
	})
}

func TestNobodyDeliversWithoutHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // a goroutine left behind would end the bubble in a panic
		o := New(Options{Users: minUsers})
		ok(t, o.SignIn("me"))
		o.Advance(1)
	})
}
