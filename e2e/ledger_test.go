//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"longshore/internal/source/okta/emulator"
)

// grant is who holds which role over what.
type grant struct{ userOf, groupOf, clientOf, viaGroup, role, resourceSet string }

// Every role assignment in the demo org's own ledger is one entity with its principal, role and resource set, and there
// is no other; no relation waits for what is there.
func TestEveryAssignmentOfTheLedgerIsAnEntity(t *testing.T) {
	f := newFolder(t)
	r := f.receipts("--pack", "okta")[0]
	if !r.OK || r.Resolvable != 0 || r.Pending != 0 {
		t.Errorf("receipt: OK %t, %d relations wait, %d of them for what is there; want none", r.OK, r.Pending, r.Resolvable)
	}
	got := map[grant]int{}
	for line := range strings.Lines(f.export()) {
		var e struct {
			Blueprint, Identifier string
			Relations             struct {
				User, Group, Client, ViaGroup, Role string
				ResourceSet                         string `json:"resource_set"`
			}
		}
		must(t, json.Unmarshal([]byte(line), &e))
		if e.Blueprint != "okta_role_assignment" {
			continue
		}
		g := grant{e.Relations.User, e.Relations.Group, e.Relations.Client, e.Relations.ViaGroup, e.Relations.Role, e.Relations.ResourceSet}
		principals := slices.DeleteFunc([]string{g.userOf, g.groupOf, g.clientOf}, func(id string) bool { return id == "" })
		if len(principals) != 1 || g.role == "" {
			t.Errorf("%s has user %q, group %q, service app %q and role %q, want one principal and a role", e.Identifier, g.userOf, g.groupOf, g.clientOf, g.role)
		}
		got[g]++
	}
	want := ledger(t)
	if len(want) < 50 {
		t.Fatalf("the ledger has %d assignments, too few to tell anything", len(want))
	}
	for g, n := range want {
		if got[g] != n {
			t.Errorf("the ledger has %d of %+v, the catalog %d", n, g, got[g])
		}
	}
	for g, n := range got {
		if want[g] == 0 {
			t.Errorf("the catalog has %d of %+v, the ledger none", n, g)
		}
	}
}

func ledger(t *testing.T) map[grant]int {
	t.Helper()
	org := emulator.New(emulator.Options{BaseURL: emulator.DefaultBaseURL})
	all := map[grant]int{}
	for _, stream := range []string{"user_role_assignments", "group_role_assignments", "client_role_assignments"} {
		for text := range org.Truth(stream) {
			var a struct {
				Type, Role, UserID, GroupID, ClientID, PrincipalType, PrincipalID string
				ResourceSet                                                       string `json:"resource-set"`
			}
			must(t, json.Unmarshal(text, &a))
			g := grant{userOf: a.UserID, groupOf: a.GroupID, clientOf: a.ClientID, role: a.Type, resourceSet: a.ResourceSet}
			if a.Type == "CUSTOM" {
				g.role = a.Role
			}
			if a.PrincipalType == "GROUP" {
				g.viaGroup = a.PrincipalID
			}
			all[g]++
		}
	}
	return all
}
