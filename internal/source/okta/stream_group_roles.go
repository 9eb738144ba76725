package okta

import (
	"net/url"

	"longshore/internal/rawjson"
)

func (s *Source) groupRoles() streamSpec {
	return streamSpec{
		Stream:  withCursor("published", stream("group_role_assignments", "The admin roles given to each group.", "groupId", "id")),
		read:    children(s.groupRoleSpec()),
		changed: changedGroupRoles,
	}
}

func (s *Source) groupRoleSpec() childSpec {
	return childSpec{parents: s.groupsWithStats(), wanted: mayHoldRoles, filled: surelyHoldsRoles, mayBeEmpty: hasNoRole, member: "groupId", path: groupRolesPath}
}

func groupRolesPath(id string) string { return apiPrefix + "groups/" + url.PathEscape(id) + "/roles" }

// mayHoldRoles skips the groups that are known to hold no role.
func mayHoldRoles(group []byte) bool {
	held, ok := holdsRoles(group)
	return held || !ok
}

func surelyHoldsRoles(group []byte) bool {
	held, _ := holdsRoles(group)
	return held
}

// holdsRoles reads the flag that Okta spells hasAdminPrivlege; ok is false when the group came without.
func holdsRoles(group []byte) (held, ok bool) {
	for _, name := range []string{"hasAdminPrivlege", "hasAdminPrivilege"} {
		if value, found := rawjson.Get(group, "_embedded", "stats", name); found && !rawjson.IsNull(value) {
			return string(value) == "true", true
		}
	}
	return false, false
}
