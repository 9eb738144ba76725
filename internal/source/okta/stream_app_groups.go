package okta

import "net/url"

func (s *Source) appGroups() streamSpec {
	spec := streamSpec{
		Stream: stream("app_groups", "The groups that each application is assigned to, with the application's id. The id is the group's.", "appId", "id"),
		read: children(childSpec{
			parents: s.appsRequest(), member: "appId",
			path: func(id string) string { return s.listRequest(listLimit, "apps/"+url.PathEscape(id)+"/groups") },
		}),
	}
	spec.Optional = true
	return spec
}
