package okta

import "longshore/internal/rawjson"

// apps leaves out what an app's settings may hold of secrets (see appSecrets); of everything else the record is what
// Okta sent.
func (s *Source) apps() streamSpec {
	spec := streamSpec{
		Stream: stream("apps", "Every application, without credentials and without the free form of its settings.", "id"),
		read:   listings("", s.appsRequest()),
		hide:   appSecrets,
	}
	spec.Optional = true
	return spec
}

func (s *Source) appsRequest() string { return s.listRequest(listLimit, "apps") }

// isServiceApp reports whether an app is an OAuth client that acts for itself, the only kind that can hold admin roles.
// An app that does not tell what kind of OAuth client it is counts as one.
func isServiceApp(app []byte) bool {
	client, ok := rawjson.Get(app, "settings", "oauthClient")
	if !ok {
		return rawjson.GetString(app, "signOnMode") == "OPENID_CONNECT"
	}
	kind := rawjson.GetString(client, "application_type")
	return kind == "service" || kind == ""
}
