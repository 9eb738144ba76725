package okta

func (s *Source) neededScopes() []string { return []string{"okta.users.read"} }
