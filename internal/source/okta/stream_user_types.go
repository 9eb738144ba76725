package okta

func (s *Source) userTypes() streamSpec {
	spec := streamSpec{
		Stream: stream("user_types", "The org's user types.", "id"),
		read:   listings("", apiPrefix+"meta/types/user"),
	}
	spec.Optional = true
	return spec
}
