package okta

func (s *Source) groups() streamSpec {
	return streamSpec{
		Stream: withCursor("lastUpdated", stream("groups", "Every group: the org's own, built-in and imported ones.", "id")),
		read:   listings("", s.listRequest(listLimit, "groups")),
		changed: changesOf("groups", "filter", func(since string) string {
			return `lastUpdated ge "` + since + `" or lastMembershipUpdated ge "` + since + `"`
		}),
	}
}

// groupsWithStats is the request for groups as parents, which tells how many members each has and whether it holds a
// role.
func (s *Source) groupsWithStats() string {
	return s.listRequest(listLimit, "groups", "expand=stats")
}
