package okta

func (s *Source) groupRules() streamSpec {
	spec := streamSpec{
		Stream: stream("group_rules", "The rules that put users into groups.", "id"),
		read:   listings("", s.listRequest(listLimit, "groups/rules")),
	}
	spec.Optional = true
	return spec
}
