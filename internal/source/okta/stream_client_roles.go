package okta

// clientRoles finds clients among the org's apps: those that are OAuth service apps, the kind that admin roles can be
// given to. What Okta lists nowhere with apps is not found: clients of API service integrations from Okta's catalog
// (they have scopes and no roles). Members of bindings that are clients are told by resource_set_bindings, whatever
// kind of app they are.
func (s *Source) clientRoles() streamSpec {
	return streamSpec{
		Stream: stream("client_role_assignments", "The admin roles given to each OAuth service app, with the client's id. Clients of API service integrations are not among the org's apps and are not asked.",
			"clientId", "id"),
		read: children(childSpec{
			parents: s.appsRequest(), wanted: isServiceApp, member: "clientId",
			path: func(id string) string { return principalPath(principalClient, id) + "/roles" },
		}),
	}
}
