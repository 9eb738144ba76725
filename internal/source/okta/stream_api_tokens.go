package okta

func (s *Source) apiTokens() streamSpec {
	spec := streamSpec{
		Stream: stream("api_tokens", "What the org tells of its API tokens: name, owner, last use. Never a token itself.", "id"),
		read:   listings("", apiPrefix+"api-tokens"),
		hide:   tokenSecrets,
	}
	spec.Optional = true
	return spec
}
