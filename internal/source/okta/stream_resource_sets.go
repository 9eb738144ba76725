package okta

import "net/url"

func (s *Source) resourceSets() streamSpec {
	return streamSpec{
		Stream: stream("resource_sets", "The sets of resources that custom roles are limited to.", "id"),
		read:   listings("resource-sets", s.resourceSetsRequest()),
	}
}

func (s *Source) resourceSetsRequest() string { return s.listRequest(iamLimit, "iam/resource-sets") }

// resourceSetRequest is the request for a listing below a set.
func (s *Source) resourceSetRequest(id, below string) string {
	return s.listRequest(iamLimit, "iam/resource-sets/"+url.PathEscape(id)+below)
}
