package okta

import "net/url"

// appUsers takes pages as large as Okta gives them: apps have the smallest of the rate-limit buckets.
func (s *Source) appUsers() streamSpec {
	spec := streamSpec{
		Stream: stream("app_users", "The users of each application, directly or through a group, with the application's id. The id is the user's.", "appId", "id"),
		read: children(childSpec{
			parents: s.appsRequest(), member: "appId",
			path: func(id string) string { return s.listRequest(appUserLimit, "apps/"+url.PathEscape(id)+"/users") },
		}),
		hide: appUserSecrets,
	}
	spec.Optional = true
	return spec
}
