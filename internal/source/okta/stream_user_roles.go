package okta

// userRoles has a longer key than Airbyte's stream, since Okta's ids of assignments are not unique: a role with targets
// has the same id for all users, and for all groups through which one user has it.
func (s *Source) userRoles() streamSpec {
	return streamSpec{
		Stream: withCursor("published", stream("user_role_assignments", "The admin roles that reach each user, given directly or through a group.",
			"userId", "assignmentType", "id", "_links.assignee.href")),
		read:    readUserRoles,
		changed: changedUserRoles,
	}
}
