package emulator

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestScopeOfEachEndpoint(t *testing.T) {
	for request, want := range map[string]string{
		"GET /api/v1/users":                               "okta.users.read",
		"GET /api/v1/users/00u1":                          "okta.users.read",
		"GET /api/v1/users/00u1/groups":                   "okta.users.read",
		"GET /api/v1/users/00u1/factors":                  "okta.users.read",
		"GET /api/v1/users/00u1/roles":                    "okta.roles.read",
		"GET /api/v1/users/00u1/roles/ra1/targets/groups": "okta.roles.read",
		"GET /api/v1/groups/00g1/users":                   "okta.groups.read",
		"GET /api/v1/groups/rules":                        "okta.groups.read",
		"GET /api/v1/groups/00g1/roles":                   "okta.roles.read",
		"GET /api/v1/iam/assignees/users":                 "okta.roles.read",
		"GET /oauth2/v1/clients/0oa1/roles":               "okta.roles.read",
		"GET /api/v1/apps/0oa1/users":                     "okta.apps.read",
		"GET /api/v1/logs":                                "okta.logs.read",
		"GET /api/v1/eventHooks":                          "okta.eventHooks.read",
		"POST /api/v1/eventHooks":                         "okta.eventHooks.manage",
		"PUT /api/v1/groups/00g1/users/00u1":              "okta.groups.manage",
		"POST /api/v1/users/00u1/roles":                   "okta.roles.manage",
		"GET /api/v1/org":                                 "okta.orgs.read",
		"GET /api/v1/meta/types/user":                     "okta.userTypes.read",
		"GET /api/v1/meta/schemas/user/default":           "okta.schemas.read",
		"GET /api/v1/devices":                             "okta.devices.read",
		"GET /api/v1/api-tokens":                          "okta.apiTokens.read",
		"GET /api/v1/principal-rate-limits":               "okta.principalRateLimits.read",
		"GET /api/v1/nothing":                             "",
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := neededScope(method, path); got != want {
			t.Errorf("%s needs %q, want %q", request, got, want)
		}
	}
}

func TestManagingIncludesReading(t *testing.T) {
	key := testKeys()["P-256"]
	v := newVisitor(t, New(Options{OAuth: OAuth{Apps: []App{appOf(key, "okta.users.manage")}}}), key, "ES256")
	a, _ := v.ask("okta.users.manage", nil)
	if r := v.get("/api/v1/users?limit=1", "Bearer", a.Token, nil); r.status != 200 {
		t.Errorf("users with okta.users.manage: %d", r.status)
	}
}

func TestAnAppWithoutARoleSeesNothing(t *testing.T) {
	key := testKeys()["P-256"]
	app := appOf(key, "okta.users.read", "okta.roles.read", "okta.groups.read")
	app.NoRole = true
	v := newVisitor(t, New(Options{OAuth: OAuth{Apps: []App{app}}}), key, "ES256")
	a, _ := v.ask("okta.users.read okta.roles.read", nil)
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/api/v1/users":               {200, "[]"},
		"/api/v1/users/me":            {403, ""},
		"/api/v1/users/me/roles":      {200, "[]"},
		"/api/v1/iam/roles":           {200, `{"roles":[]}`},
		"/api/v1/iam/assignees/users": {200, `{"value":[]}`},
		"/api/v1/groups":              {403, ""}, // no scope
		"/oauth2/v1/clients/" + DefaultClientID + "/roles": {200, "[]"},
	} {
		r := v.get(path, "Bearer", a.Token, nil)
		if r.status != want.status || want.body != "" && string(r.body) != want.body || r.links(t)["next"] != "" {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}

func TestWhatIsTakenAwayMidway(t *testing.T) {
	key := testKeys()["P-256"]
	statuses := func(t *testing.T, w Withdrawal, wait time.Duration) (got []int, v *visitor) {
		v = newVisitor(t, New(Options{OAuth: OAuth{Apps: []App{appOf(key, "okta.users.read", "okta.groups.read")}}}), key, "ES256")
		a, _ := v.ask("okta.users.read okta.groups.read", nil)
		v.o.Withdraw(w)
		for range 4 {
			r := v.get("/api/v1/users?limit=1", "Bearer", a.Token, nil)
			if string(r.body) == "[]" {
				r.status = 0
			}
			got = append(got, r.status)
			time.Sleep(wait)
		}
		return append(got, v.get("/api/v1/groups?limit=1", "Bearer", a.Token, nil).status), v
	}
	same := func(a []int, b ...int) bool {
		for i := range b {
			if a[i] != b[i] {
				return false
			}
		}
		return true
	}
	synctest.Test(t, func(t *testing.T) {
		if got, v := statuses(t, Withdrawal{Client: DefaultClientID, After: 2}, 0); !same(got, 200, 200, 401, 401, 401) {
			t.Errorf("the token after two requests: %v", got)
		} else if a, _ := v.ask("okta.users.read", nil); a.Token == "" {
			t.Error("no new token is given")
		}
		if got, v := statuses(t, Withdrawal{Refuse: true, After: 1}, 0); !same(got, 200, 401, 401, 401, 401) {
			t.Errorf("the app after a request: %v", got)
		} else if a, r := v.ask("okta.users.read", nil); a.Error != "invalid_client" {
			t.Errorf("a token for an app that is gone: %d %s", r.status, r.body)
		}
		if got, v := statuses(t, Withdrawal{Scope: "okta.users.read", At: 90 * time.Second}, time.Minute); !same(got, 200, 200, 403, 403, 200) {
			t.Errorf("the scope after 90 seconds: %v", got)
		} else if a, _ := v.ask("okta.users.read okta.groups.read", nil); a.Scope != "okta.groups.read" {
			t.Errorf("a new token has the scopes %q", a.Scope)
		}
		if got, _ := statuses(t, Withdrawal{Role: true, After: 3}, 0); !same(got, 200, 200, 200, 0, 200) {
			t.Errorf("the role after three requests: %v", got)
		}
		if got, _ := statuses(t, Withdrawal{Client: "0oaother"}, 0); !same(got, 200, 200, 200, 200, 200) {
			t.Errorf("another app's token: %v", got)
		}
	})
}

func TestTheAPITokenIsTakenAway(t *testing.T) {
	o := New(Options{})
	o.Withdraw(Withdrawal{Client: APIToken, Scope: "okta.groups.read"})
	if r := get(t, o, "/api/v1/groups"); r.status != 403 || !strings.Contains(string(r.body), "E0000006") {
		t.Errorf("what its owner may not read: %d %s", r.status, r.body)
	}
	o.Withdraw(Withdrawal{After: 1})
	first, second := get(t, o, "/api/v1/users?limit=1"), get(t, o, "/api/v1/users?limit=1")
	if first.status != 200 || second.status != 401 || !strings.Contains(string(second.body), "E0000011") {
		t.Errorf("%d, then %d %s", first.status, second.status, second.body)
	}
	o.Restore()
	if r := get(t, o, "/api/v1/groups?limit=1"); r.status != 200 {
		t.Errorf("restored: %d", r.status)
	}
}

func TestWithdrawalLines(t *testing.T) {
	for line, want := range map[string]Withdrawal{
		"token":                         {},
		"app,after:3":                   {Refuse: true, After: 3},
		"role,at:90s,client:0oa1":       {Role: true, At: 90 * time.Second, Client: "0oa1"},
		"okta.logs.read,after:40,at:2m": {Scope: "okta.logs.read", After: 40, At: 2 * time.Minute},
		"token,client:SSWS,after:1":     {Client: APIToken, After: 1},
	} {
		if got, err := ParseWithdrawal(line); err != nil || got != want {
			t.Errorf("%s: %+v, error %v, want %+v", line, got, err, want)
		}
	}
	for _, line := range []string{"", "users", "after:3", "token,after:0", "token,after:x", "token,at:soon", "token,at:-1s", "token,client:", "token,when:3"} {
		if got, err := ParseWithdrawal(line); err == nil {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

func TestAnAppWithoutARoleChangesNothing(t *testing.T) {
	key := testKeys()["P-256"]
	app := appOf(key, "okta.groups.manage")
	o := New(Options{OAuth: OAuth{Apps: []App{app}}, Withdrawals: []Withdrawal{{Client: DefaultClientID, Role: true}}})
	v := newVisitor(t, o, key, "ES256")
	a, _ := v.ask("okta.groups.manage", nil)
	before := len(pages(t, o, "/api/v1/groups", ""))
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, DefaultBaseURL+"/api/v1/groups", strings.NewReader(`{"profile":{"name":"made by nobody"}}`))
	r.Header.Set("Authorization", "Bearer "+a.Token)
	r.Header.Set("Content-Type", "application/json")
	if got := v.do(r); got.status != http.StatusForbidden {
		t.Errorf("making a group: %d %s", got.status, got.body)
	}
	o.Restore()
	if after := len(pages(t, o, "/api/v1/groups", "")); after != before {
		t.Errorf("%d groups, then %d", before, after)
	}
}

func TestAnAppSeesItsOwnRole(t *testing.T) {
	key := testKeys()["P-256"]
	v := newVisitor(t, New(Options{OAuth: OAuth{Apps: []App{appOf(key, "okta.roles.read")}}}), key, "ES256")
	a, _ := v.ask("okta.roles.read", nil)
	var roles []struct{ Type, AssignmentType string }
	own := "/oauth2/v1/clients/" + DefaultClientID + "/roles"
	v.get(own, "Bearer", a.Token, nil).into(t, &roles)
	if len(roles) != 1 || roles[0].Type != "SUPER_ADMIN" || roles[0].AssignmentType != "CLIENT" {
		t.Errorf("its roles: %+v", roles)
	}
	v.o.Withdraw(Withdrawal{Client: DefaultClientID, Role: true})
	if r := v.get(own, "Bearer", a.Token, nil); r.status != 200 || string(r.body) != "[]" {
		t.Errorf("without its role: %d %s", r.status, r.body)
	}
}
