package okta

import "net/url"

// factors costs a call for every user, because Okta has no bulk form. Deactivated users are not asked: Okta takes
// their factors away.
func (s *Source) factors() streamSpec {
	spec := streamSpec{
		Stream: stream("factors", "The enrolled factors of each user, with the user's id: one call a user. Questions and seeds are left out.", "userId", "id"),
		read: children(childSpec{
			parents: s.listRequest(listLimit, "users"), member: "userId",
			path: func(id string) string { return everyUserPath + "/" + url.PathEscape(id) + "/factors" },
		}),
		hide: factorSecrets,
	}
	spec.Optional = true
	return spec
}
