package okta

import "net/url"

// users reads the org's listing, which hides deactivated users, and then those. A user deactivated between the two
// listings is in both, the second time as it is now; asking in the other order would miss it. Ids are not remembered,
// so such a user is two records of one key.
func (s *Source) users() streamSpec {
	return streamSpec{
		hide:    userSecrets,
		watch:   s.sample.add,
		Stream:  withCursor("lastUpdated", stream("users", "Every user, in any status: the org's listing, then its deactivated users.", "id")),
		read:    listUsers,
		changed: changesOf("users", "search", func(since string) string { return `lastUpdated ge "` + since + `"` }),
	}
}

// deactivatedUsers is the request for the users that the plain listing hides.
func (s *Source) deactivatedUsers() string {
	return s.listRequest(listLimit, "users", "filter="+url.QueryEscape(`status eq "DEPROVISIONED"`))
}
