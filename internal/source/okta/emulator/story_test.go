package emulator

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

type account struct {
	ID, Status           string
	Activated, LastLogin *string
	Profile              map[string]any
}

func meet(t *testing.T, o *Org, login string) (account, []string) {
	t.Helper()
	var a account
	get(t, o, "/api/v1/users/"+login).into(t, &a)
	var roles []struct {
		Type, AssignmentType string
	}
	get(t, o, "/api/v1/users/"+login+"/roles").into(t, &roles)
	var held []string
	for _, r := range roles {
		held = append(held, r.Type+" "+r.AssignmentType)
	}
	return a, held
}

func TestTheStoryHolds(t *testing.T) {
	for _, options := range []Options{{}, {Users: 5000, Seed: 3}, {Users: minUsers}} {
		o := New(options)
		for login, want := range map[string]struct {
			status string
			roles  []string
		}{
			"ingrid.solheim@harborline.example":     {active, []string{"SUPER_ADMIN USER"}},
			"mateo.ibarra@brightquay.example":       {active, []string{"SUPER_ADMIN GROUP"}},
			"rurik.valdemarsson@harborline.example": {suspended, []string{"APP_ADMIN USER", "ORG_ADMIN USER"}},
			"celia.marchetti@harborline.example":    {deprovisioned, nil},
			"svc-freight-sync@harborline.example":   {active, []string{"ORG_ADMIN USER"}},
			"svc-workflows@harborline.example":      {active, []string{"WORKFLOWS_ADMIN USER"}},
			"nadia.okonkwo-bell@harborline.example": {active, []string{"HELP_DESK_ADMIN USER", "HELP_DESK_ADMIN GROUP", "CUSTOM GROUP"}},
			"yusuf.demirtas@harborline.example":     {active, []string{"CUSTOM USER", "CUSTOM USER"}},
			"tomasz.wilk@harborline.example":        {lockedOut, []string{"USER_ADMIN USER"}},
			"desmond.achterberg@harborline.example": {active, nil},
			"break-glass@harborline.example":        {active, []string{"SUPER_ADMIN USER"}},
			"aleksandra.nowicka@harborline.example": {active, []string{"READ_ONLY_ADMIN USER", "ACCESS_CERTIFICATIONS_ADMIN USER", "READ_ONLY_ADMIN GROUP", "ACCESS_CERTIFICATIONS_ADMIN GROUP"}},
			"priya.raghunathan@harborline.example":  {active, []string{"SUPER_ADMIN USER"}},
		} {
			a, roles := meet(t, o, login)
			if a.Status != want.status || !slices.Equal(roles, want.roles) {
				t.Errorf("%d users: %s is %s with %v, want %s with %v", o.options.Users, login, a.Status, roles, want.status, want.roles)
			}
		}
		first, _ := meet(t, o, "ingrid.solheim@harborline.example")
		if first.Activated != nil || first.ID != o.id(kindUser, 0) {
			t.Errorf("the first admin was activated at %v", first.Activated)
		}
		service, _ := meet(t, o, "svc-freight-sync@harborline.example")
		if service.LastLogin != nil {
			t.Errorf("the service account signed in at %s", *service.LastLogin)
		}
		contractor, _ := meet(t, o, "mateo.ibarra@brightquay.example")
		if contractor.Profile["userType"] != "Contractor" || contractor.Profile["contractEndDate"] != "2026-10-15" {
			t.Errorf("the contractor's profile is %v", contractor.Profile)
		}
		leaver, _ := meet(t, o, "rurik.valdemarsson@harborline.example")
		if leaver.Profile["terminationDate"] != "2026-09-30" {
			t.Errorf("the leaver's profile is %v", leaver.Profile)
		}
	}
}

func TestTheLogTellsTheStoryInOrder(t *testing.T) {
	o := New(Options{})
	contractor, group := o.id(kindUser, o.staff.places[partContractor]), o.groups[grantedFirst+1]
	var told []string
	for _, e := range decode(t, events(t, o, "limit=1000&since=2026-10-01T00:00:00Z")) {
		names := ""
		for _, of := range e.Target {
			if of.ID == group.id || of.ID == contractor {
				names += " " + of.DisplayName
			}
		}
		if names != "" && e.EventType != "app.user_management" || e.Actor.ID == contractor && e.EventType == "user.session.access_admin_app" {
			told = append(told, e.EventType+names)
		}
		if e.EventType == "group.privilege.grant" {
			var roles []struct{ Created string }
			get(t, o, "/api/v1/groups/"+group.id+"/roles").into(t, &roles)
			if stamp(e.Published.Unix()) != roles[0].Created {
				t.Errorf("granted at %v, the assignment says %s", e.Published, roles[0].Created)
			}
		}
	}
	want := []string{"group.privilege.grant " + storyGroup, "group.user_membership.add Mateo Ibarra " + storyGroup, "user.account.privilege.grant Mateo Ibarra", "user.session.access_admin_app"}
	if len(told) < 10 || !slices.Equal(told[:4], want) {
		t.Errorf("the log tells %q, want first %q", told, want)
	}
}

func TestPeopleAreBelievable(t *testing.T) {
	o := New(Options{})
	managers, titles := 0, make(map[string]bool)
	ids := make(map[string]bool)
	for item := range o.Truth("users") {
		var a account
		if err := json.Unmarshal(item, &a); err != nil {
			t.Fatal(err)
		}
		ids[a.ID] = true
		login, _ := a.Profile["login"].(string)
		if !strings.HasSuffix(login, "@"+companyDomain) && a.Profile["userType"] != "Contractor" {
			t.Errorf("%s is of another domain and no contractor", login)
		}
		if title, ok := a.Profile["title"].(string); ok {
			titles[title] = true
		}
		if boss, ok := a.Profile["managerId"].(string); ok {
			managers++
			if !ids[boss] && boss != o.id(kindUser, o.staff.places[partIdentityEngineer]) && boss != o.id(kindUser, 1) {
				joined, ok := o.indexOf(kindUser, boss, headPlace+len(departments))
				if !ok {
					t.Errorf("%s reports to %s, who joined later and heads nothing (%d)", login, boss, joined)
				}
			}
		}
	}
	if managers < 450 || len(titles) < 40 {
		t.Errorf("%d people report to somebody, there are %d titles", managers, len(titles))
	}
}
