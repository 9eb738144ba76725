package okta

// devices asks for the summary of each device's users, which is the only bulk way to learn whose it is. Identity Engine
// alone has devices: a Classic org answers that it lacks the feature, and the stream fails with that reason.
func (s *Source) devices() streamSpec {
	spec := streamSpec{
		Stream: stream("devices", "Every registered device, with a summary of its users. Identity Engine orgs alone have them.", "id"),
		read:   listings("", s.listRequest(listLimit, "devices", "expand=userSummary")),
	}
	spec.Optional = true
	return spec
}
