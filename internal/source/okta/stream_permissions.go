package okta

import "net/url"

// permissions adds the role's id, although Airbyte's records do not have it: the same label occurs in many roles.
func (s *Source) permissions() streamSpec {
	return streamSpec{
		Stream: stream("permissions", "The permissions of each custom role, with the role's id.", "roleId", "label"),
		read: children(childSpec{
			parents: s.customRolesRequest(), parentsKey: "roles", key: "permissions", member: "roleId",
			path: func(id string) string { return apiPrefix + "iam/roles/" + url.PathEscape(id) + "/permissions" },
		}),
	}
}
