package emulator

import (
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// sure ends the test when a change was refused.
func sure[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused ends the test when a change was not refused with the status and code.
func refused(t testing.TB, err error, status int, code string) {
	t.Helper()
	var r *Refused
	if !errors.As(err, &r) || r.Status != status || r.Code != code {
		t.Errorf("got %v, want %d %s", err, status, code)
	}
}

// newEvents are the events of changes: type, target ids and privilegeGranted, as the log serves them.
func newEvents(t testing.TB, o *Org) (all []string) {
	t.Helper()
	for _, raw := range events(t, o, "limit=1000&since="+url.QueryEscape(o.options.Now.Add(time.Nanosecond).Format(time.RFC3339Nano))) {
		var e struct {
			EventType    string
			Target       []struct{ ID, Type string }
			DebugContext struct{ DebugData map[string]string }
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		line := e.EventType
		for _, target := range e.Target {
			if target.Type == "User" || target.Type == "UserGroup" {
				line += " " + target.ID
			}
		}
		if p := e.DebugContext.DebugData["privilegeGranted"]; p != "" {
			line += " [" + p + "]"
		}
		all = append(all, line)
	}
	return all
}

func wantEvents(t testing.TB, o *Org, want ...string) {
	t.Helper()
	if got := newEvents(t, o); !slices.Equal(got, want) {
		t.Errorf("events:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// somebody is an ACTIVE person with neither story, roles nor groups that hold roles.
func somebody(t testing.TB, o *Org, nth int) string {
	t.Helper()
	for i := range o.staff.count {
		if o.statusOf(i) == active && o.staff.story[i] == nil && !o.holdsAny(i) {
			if nth--; nth < 0 {
				return o.id(kindUser, i)
			}
		}
	}
	t.Fatal("nobody is left")
	return ""
}

func rolesRead(t testing.TB, o *Org, path string) (all []string) {
	t.Helper()
	var list []struct{ ID, Type, AssignmentType string }
	get(t, o, path+"/roles").into(t, &list)
	for _, a := range list {
		all = append(all, a.Type+"/"+a.AssignmentType)
	}
	return all
}

func TestAGrantIsReadAtOnceAndTold(t *testing.T) {
	o := New(Options{})
	u := somebody(t, o, 0)
	before := string(get(t, o, "/api/v1/users/"+u).body)
	id := sure[string](t)(o.Grant(u, superAdmin, ""))
	if !strings.HasPrefix(id, "ra1") {
		t.Errorf("the id of a standard role without targets is %s", id)
	}
	if got := rolesRead(t, o, "/api/v1/users/"+u); !slices.Equal(got, []string{"SUPER_ADMIN/USER"}) {
		t.Errorf("roles %v", got)
	}
	if after := string(get(t, o, "/api/v1/users/"+u).body); after != before {
		t.Error("a grant changed the user object")
	}
	sure[string](t)(o.Grant(u, "Group keeper", "Contractors"))
	_, err := o.Grant(u, superAdmin, "")
	refused(t, err, 409, "E0000090")
	ok(t, o.Revoke(u, id))
	ok(t, o.Revoke(u, rolesID(t, o, u, customType)))
	wantEvents(t, o,
		"user.account.privilege.grant "+u+" [Super administrator]",
		"iam.resourceset.bindings.add "+u,
		"user.account.privilege.grant "+u+" [Super administrator, Group keeper]",
		"user.account.privilege.grant "+u+" [Group keeper]",
		"iam.resourceset.bindings.delete "+u,
		"user.account.privilege.revoke "+u)
	if got := rolesRead(t, o, "/api/v1/users/"+u); got != nil {
		t.Errorf("roles after all was revoked: %v", got)
	}
}

func rolesID(t testing.TB, o *Org, user, typ string) string {
	t.Helper()
	var list []struct{ ID, Type string }
	get(t, o, "/api/v1/users/"+user+"/roles").into(t, &list)
	for _, a := range list {
		if a.Type == typ {
			return a.ID
		}
	}
	t.Fatalf("%s has no %s", user, typ)
	return ""
}

func TestOneMoreTargetableRoleRewritesTheTimesOfTheOthers(t *testing.T) {
	o := New(Options{})
	u := somebody(t, o, 0)
	sure[string](t)(o.Grant(u, appAdmin, ""))
	o.Advance(time.Hour)
	if id := sure[string](t)(o.Grant(u, helpDeskAdmin, "")); id != targetable[helpDeskAdmin] {
		t.Errorf("id %s, want the one all such assignments have", id)
	}
	var list []struct{ Type, Created string }
	get(t, o, "/api/v1/users/"+u+"/roles").into(t, &list)
	if len(list) != 2 || list[0].Created != list[1].Created || list[0].Created < stamp(o.now+3600) {
		t.Errorf("assignments %+v, want two of the time of the second grant", list)
	}
}

func TestARoleOfAGroupReachesItsMembersAfterTheGroup(t *testing.T) {
	o := New(Options{})
	a, b := somebody(t, o, 0), somebody(t, o, 1)
	g := sure[string](t)(o.CreateGroup("Night Shift", "who works at night"))
	ok(t, o.Join(a, g))
	sure[string](t)(o.GrantGroup(g, orgAdmin, ""))
	ok(t, o.Join(b, g))
	ok(t, o.Leave(a, g))
	if got := rolesRead(t, o, "/api/v1/users/"+b); !slices.Equal(got, []string{"ORG_ADMIN/GROUP"}) {
		t.Errorf("roles of the member %v", got)
	}
	ok(t, o.RevokeGroup(g, orgAdmin))
	wantEvents(t, o,
		"group.lifecycle.create "+g,
		"group.user_membership.add "+a+" "+g,
		"group.privilege.grant "+g+" [Organization administrator]",
		"user.account.privilege.grant "+a+" [Organization administrator]",
		"group.user_membership.add "+b+" "+g,
		"user.account.privilege.grant "+b+" [Organization administrator]",
		"group.user_membership.remove "+a+" "+g,
		"user.account.privilege.revoke "+a,
		"group.privilege.revoke "+g,
		"user.account.privilege.revoke "+b)
}

func TestAMembershipMovesTheGroupsTimeAlone(t *testing.T) {
	o := New(Options{})
	u, g := somebody(t, o, 0), o.groups[len(o.groups)-1].id
	user, group := string(get(t, o, "/api/v1/users/"+u).body), briefGroup(t, o, g)
	change, err := o.Join, error(nil)
	if slices.Contains(memberIDs(t, o, g), u) {
		change = o.Leave
	}
	if err = change(u, g); err != nil {
		t.Fatal(err)
	}
	if got := string(get(t, o, "/api/v1/users/"+u).body); got != user {
		t.Error("a membership changed the user object")
	}
	now := briefGroup(t, o, g)
	if now.LastUpdated != group.LastUpdated || now.LastMembershipUpdated <= group.LastMembershipUpdated {
		t.Errorf("group was %+v and is %+v: lastMembershipUpdated alone must move", group, now)
	}
}

type groupTimes struct{ LastUpdated, LastMembershipUpdated string }

func briefGroup(t testing.TB, o *Org, id string) (g groupTimes) {
	t.Helper()
	get(t, o, "/api/v1/groups/"+id).into(t, &g)
	return g
}

func memberIDs(t testing.TB, o *Org, group string) (ids []string) {
	t.Helper()
	for _, u := range briefs(t, pages(t, o, "/api/v1/groups/"+group+"/users", "")) {
		ids = append(ids, u.ID)
	}
	return ids
}

func TestDeleteDeactivatesFirstAndThenErases(t *testing.T) {
	o := New(Options{})
	u := somebody(t, o, 0)
	login := o.user(mustFind(t, o, u)).login
	sure[string](t)(o.Grant(u, readOnlyAdmin, ""))
	listed := len(pages(t, o, "/api/v1/users", ""))
	ok(t, o.Delete(u))
	if got := briefs(t, []json.RawMessage{get(t, o, "/api/v1/users/"+u).body})[0].Status; got != deprovisioned {
		t.Errorf("status after the first DELETE is %s", got)
	}
	if got := len(pages(t, o, "/api/v1/users", "")); got != listed-1 {
		t.Errorf("%d listed, want %d", got, listed-1)
	}
	if got := string(get(t, o, "/api/v1/users/"+u+"/groups").body) + string(get(t, o, "/api/v1/users/"+u+"/roles").body); got != "[][]" {
		t.Errorf("groups and roles of the deactivated: %s", got)
	}
	ok(t, o.Delete(u))
	for _, path := range []string{"/api/v1/users/" + u, "/api/v1/users/" + login, "/api/v1/users/" + u + "/roles"} {
		if r := get(t, o, path); r.status != 404 || !strings.Contains(string(r.body), "E0000007") {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
	for _, query := range []string{"search=status+pr", "filter=" + url.QueryEscape(`id eq "`+u+`"`), "q=" + url.QueryEscape(login)} {
		if strings.Contains(string(slices.Concat(pages(t, o, "/api/v1/users?"+query, "")...)), u) {
			t.Errorf("%s still lists the deleted", query)
		}
	}
	refused(t, o.Delete(u), 404, "E0000007")
	got := newEvents(t, o)
	if n := len(got); n < 5 || got[1] != "user.lifecycle.deactivate "+u || got[n-3] != "user.account.privilege.revoke "+u ||
		got[n-2] != "user.lifecycle.delete.initiated "+u || got[n-1] != "user.lifecycle.delete.completed "+u {
		t.Errorf("events %q", got)
	}
}

func mustFind(t testing.TB, o *Org, name string) int {
	t.Helper()
	i, found := o.findUser(name)
	if !found {
		t.Fatalf("no user %s", name)
	}
	return i
}

func TestImportsAreSilent(t *testing.T) {
	o := New(Options{Users: 100, EventsPerDay: -1})
	u, g := somebody(t, o, 0), o.groups[departmentHome+len(departments)]
	before := briefGroup(t, o, g.id)
	in := slices.Contains(memberIDs(t, o, g.id), u)
	ok(t, o.ImportMembership(u, g.id, !in))
	ok(t, o.ImportProfile(u, map[string]any{"title": "Imported"}))
	if slices.Contains(memberIDs(t, o, g.id), u) == in || briefGroup(t, o, g.id).LastMembershipUpdated <= before.LastMembershipUpdated {
		t.Error("the membership did not change, or the group's time did not move")
	}
	if r := get(t, o, "/api/v1/users/"+u); !strings.Contains(string(r.body), `"title":"Imported"`) {
		t.Errorf("the profile did not change: %s", r.body)
	}
	refused(t, o.Join(u, g.id), 403, "E0000101")
	wantEvents(t, o)
	if changes := o.Changes(); len(changes) != 2 || changes[0].Events != nil {
		t.Errorf("the ledger says %+v", changes)
	}
}

func TestOrgsThatDifferFromTheUsual(t *testing.T) {
	o := New(Options{Users: 100, EventsPerDay: -1, RolesTouchUsers: true, SilentMembers: true})
	u := somebody(t, o, 0)
	updated := func() string {
		var u2 struct{ LastUpdated string }
		get(t, o, "/api/v1/users/"+u).into(t, &u2)
		return u2.LastUpdated
	}
	before := updated()
	sure[string](t)(o.Grant(u, readOnlyAdmin, ""))
	if updated() <= before {
		t.Error("a role did not move lastUpdated though it should here")
	}
	g := grantedGroups[0].name
	ok(t, o.Join(u, g))
	sure[string](t)(o.GrantGroup(g, orgAdmin, ""))
	id := o.groups[grantedFirst].id
	wantEvents(t, o, "user.account.privilege.grant "+u+" [Read-only administrator]", "group.user_membership.add "+u+" "+id,
		"group.privilege.grant "+id+" [Help Desk administrator, Password resetter, Organization administrator]")
}
