package okta

import "testing"

func TestMembersOfOktaAdministratorsAreNotAskedFor(t *testing.T) {
	for group, want := range map[string]bool{
		`{"id":"00g1","type":"BUILT_IN","profile":{"name":"Okta Administrators"}}`:   false,
		`{"id":"00g2","type":"BUILT_IN","profile":{"name":"Everyone"}}`:              true,
		`{"id":"00g3","type":"OKTA_GROUP","profile":{"name":"Okta Administrators"}}`: true, // somebody's own group of that name
		`{"id":"00g4","type":"OKTA_GROUP","_embedded":{"stats":{"usersCount":0}}}`:   false,
	} {
		if got := hasMembers([]byte(group)); got != want {
			t.Errorf("members of %s asked for: %t, want %t", group, got, want)
		}
	}
}
