package okta

import (
	"net/url"

	"longshore/internal/rawjson"
)

func (s *Source) groupMembers() streamSpec {
	return streamSpec{
		hide:    userSecrets,
		Stream:  withCursor("lastMembershipUpdated", stream("group_members", "The members of every group (but the built-in Okta Administrators, which Okta lists for nobody), as users with the group's id.", "groupId", "id")),
		read:    children(s.memberSpec()),
		changed: changedMembers,
	}
}

func (s *Source) memberSpec() childSpec {
	return childSpec{
		parents: s.groupsWithStats(), wanted: hasMembers, filled: countsMembers, mayBeEmpty: hasEmptied, member: "groupId",
		path: func(id string) string { return s.listRequest(memberLimit, "groups/"+url.PathEscape(id)+"/users") },
	}
}

// administrators is the built-in group whose members Okta lists for nobody. Who is in it is no secret: those who hold
// an admin role, in user_role_assignments. So it is no gap that is passed over here.
const administrators = "Okta Administrators"

// hasMembers skips the groups that are known to be empty, and the one that cannot be listed.
func hasMembers(group []byte) bool {
	if rawjson.GetString(group, "profile", "name") == administrators && rawjson.GetString(group, "type") == "BUILT_IN" {
		return false
	}
	count, ok := rawjson.Get(group, "_embedded", "stats", "usersCount")
	return !ok || string(count) != "0"
}

// countsMembers reports whether a group tells of members that can be listed.
func countsMembers(group []byte) bool {
	count, ok := rawjson.Get(group, "_embedded", "stats", "usersCount")
	return ok && !rawjson.IsNull(count) && hasMembers(group)
}
