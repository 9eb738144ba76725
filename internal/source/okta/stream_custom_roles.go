package okta

func (s *Source) customRoles() streamSpec {
	return streamSpec{
		Stream: stream("custom_roles", "The org's custom admin roles, and the standard roles built on the same system.", "id"),
		read:   listings("roles", s.customRolesRequest()),
	}
}

func (s *Source) customRolesRequest() string { return s.listRequest(iamLimit, "iam/roles") }
