package okta

func (s *Source) resourceSetResources() streamSpec {
	return streamSpec{
		Stream: stream("resource_set_resources", "What each resource set holds, with the set's id.", "resourceSetId", "id"),
		read: children(childSpec{
			parents: s.resourceSetsRequest(), parentsKey: "resource-sets", key: "resources", member: "resourceSetId",
			path: func(id string) string { return s.resourceSetRequest(id, "/resources") },
		}),
	}
}
