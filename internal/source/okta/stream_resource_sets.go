package okta

func (s *Source) resourceSets() streamSpec {
	return streamSpec{
		Stream: stream("resource_sets", "The sets of resources that custom roles are limited to.", "id"),
		read:   listings("resource-sets", s.listRequest(iamLimit, "iam/resource-sets")),
	}
}
