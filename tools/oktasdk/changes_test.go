package oktasdk

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	okta "github.com/okta/okta-sdk-golang/v5/okta"
)

// from is a request of the SDK, written as the JSON that it sends.
func from[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// A user comes, joins, is given roles of both kinds, loses them and goes: by the SDK's own requests, and the log and a hook
// tell of it.
func TestChanges(t *testing.T) {
	base := org(t, "--users", "100")["base"]
	c := client(t, base, token)
	must := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	hook := listen(t, c)

	user, _, err := c.UserAPI.CreateUser(t.Context()).Body(from[okta.CreateUserRequest](t, `{"profile":{"firstName":"Odile","lastName":"Marchand","email":"odile@harborline.example","login":"odile@harborline.example"}}`)).Execute()
	must("create a user", err)
	id := user.GetId()
	_, _, err = c.UserAPI.UpdateUser(t.Context(), id).User(from[okta.UpdateUserRequest](t, `{"profile":{"title":"Tug Master"}}`)).Execute()
	must("change her profile", err)
	group, _, err := c.GroupAPI.CreateGroup(t.Context()).Group(from[okta.Group](t, `{"profile":{"name":"Tug Crew","description":"Tugs"}}`)).Execute()
	must("create a group", err)
	_, err = c.GroupAPI.AssignUserToGroup(t.Context(), group.GetId(), id).Execute()
	must("join it", err)
	role, _, err := c.RoleAssignmentAPI.AssignRoleToUser(t.Context(), id).AssignRoleRequest(from[okta.AssignRoleRequest](t, `{"type":"READ_ONLY_ADMIN"}`)).Execute()
	must("give her a role", err)
	custom, _, err := c.RoleAPI.CreateRole(t.Context()).Instance(from[okta.CreateIamRoleRequest](t, `{"label":"Tug desk","description":"Tugs","permissions":["okta.users.read"]}`)).Execute()
	must("create a role", err)
	set, _, err := c.ResourceSetAPI.CreateResourceSet(t.Context()).Instance(from[okta.CreateResourceSetRequest](t, `{"label":"Tugs","description":"Tugs","resources":["`+base+`/api/v1/groups/`+group.GetId()+`"]}`)).Execute()
	must("create a resource set", err)
	_, _, err = c.ResourceSetAPI.CreateResourceSetBinding(t.Context(), set.GetId()).Instance(from[okta.ResourceSetBindingCreateRequest](t, `{"role":"`+custom.GetId()+`","members":["`+base+`/api/v1/users/`+id+`"]}`)).Execute()
	must("bind it", err)

	held, _, err := c.RoleAssignmentAPI.ListAssignedRolesForUser(t.Context(), id).Execute()
	must("her roles", err)
	if len(held) != 2 {
		t.Errorf("%d roles, want 2", len(held))
	}
	now, _, err := c.UserAPI.GetUser(t.Context(), id).Execute()
	must("read her", err)
	if profile := now.GetProfile(); profile.GetTitle() != "Tug Master" || now.GetStatus() == "" {
		t.Errorf("she is %q, %s", profile.GetTitle(), now.GetStatus())
	}
	_, err = c.RoleAssignmentAPI.UnassignRoleFromUser(t.Context(), id, role.GetId()).Execute()
	must("take the role", err)
	_, err = c.GroupAPI.UnassignUserFromGroup(t.Context(), group.GetId(), id).Execute()
	must("leave the group", err)
	_, err = c.UserAPI.DeactivateUser(t.Context(), id).Execute()
	must("deactivate her", err)
	_, err = c.UserAPI.DeleteUser(t.Context(), id).Execute()
	must("delete her", err)
	if _, response, err := c.UserAPI.GetUser(t.Context(), id).Execute(); err == nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("she is still there: %v", err)
	}

	events, response, err := c.SystemLogAPI.ListLogEvents(t.Context()).Filter(`target.id eq "` + id + `"`).Execute()
	must("the log", err)
	for err == nil && len(events) > 0 && response.HasNextPage() {
		var page []okta.LogEvent
		if response, err = response.Next(&page); len(page) == 0 {
			break
		}
		events = append(events, page...)
	}
	told := make(map[string]bool)
	for _, e := range events {
		told[e.GetEventType()] = true
	}
	for _, want := range []string{"user.lifecycle.create", "user.account.update_profile", "group.user_membership.add", "user.account.privilege.grant", "user.lifecycle.deactivate", "user.lifecycle.delete.initiated"} {
		if !told[want] {
			t.Errorf("the log does not tell of %s: %v", want, told)
		}
	}
	select {
	case <-hook:
	case <-time.After(time.Minute):
		t.Error("the hook heard nothing of her role")
	}
}

// listen registers an event hook for grants over the SDK, verifies it and returns the types of what it is told.
func listen(t *testing.T, c *okta.APIClient) <-chan string {
	t.Helper()
	told := make(chan string, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if challenge := r.Header.Get("X-Okta-Verification-Challenge"); challenge != "" {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(map[string]string{"verification": challenge})
			return
		}
		var delivery struct {
			Data struct{ Events []struct{ EventType string } }
		}
		if r.Header.Get("Authorization") != "tug secret" || json.NewDecoder(r.Body).Decode(&delivery) != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		for _, e := range delivery.Data.Events {
			select {
			case told <- e.EventType:
			default: // the test has heard enough
			}
		}
	}))
	t.Cleanup(server.Close)
	hook, _, err := c.EventHookAPI.CreateEventHook(t.Context()).EventHook(from[okta.EventHook](t, `{"name":"tugs","events":{"type":"EVENT_TYPE","items":["user.account.privilege.grant"]},`+
		`"channel":{"type":"HTTP","version":"1.0.0","config":{"uri":"`+server.URL+`/hook","authScheme":{"type":"HEADER","key":"Authorization","value":"tug secret"}}}}`)).Execute()
	if err != nil {
		t.Fatalf("create a hook: %v", err)
	}
	if _, _, err = c.EventHookAPI.VerifyEventHook(t.Context(), hook.GetId()).Execute(); err != nil {
		t.Fatalf("verify it: %v", err)
	}
	hooks, _, err := c.EventHookAPI.ListEventHooks(t.Context()).Execute()
	if err != nil || !slices.ContainsFunc(hooks, func(h okta.EventHook) bool {
		return h.GetId() == hook.GetId() && h.GetVerificationStatus() == "VERIFIED"
	}) {
		t.Errorf("the hook is not listed as verified: %v", err)
	}
	return told
}
