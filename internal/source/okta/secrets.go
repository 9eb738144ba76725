package okta

// What stays out of the lake, by stream. A lake is read by many and kept for long, so what could help somebody to get
// in has no place in it, whether or not Okta sends it today. A dropped member is absent: that it was there can be seen
// from what is left (recovery_question as {}), as with password, which Okta itself empties.
var ( // read only
	// userSecrets: the question that recovers an account is half of the way to it. A password is never sent, but would
	// come as one of these members.
	userSecrets = trim{in: map[string]trim{"credentials": {in: map[string]trim{
		"recovery_question": {drop: []string{"question", "answer"}},
		"password":          {drop: []string{"value", "hash", "hook"}},
	}}}}

	// appSecrets: credentials and settings differ with every kind of app, so of credentials only what is known to be
	// harmless stays, settings.app (the app's own form, where administrators type keys of other systems) goes, and in
	// the rest whatever calls itself a secret goes.
	appSecrets = trim{deep: true, in: map[string]trim{
		"credentials": {only: []string{"scheme", "userNameTemplate"}, deep: true, in: map[string]trim{
			"signing":     {only: []string{"kid", "use", "rotationMode", "lastRotated", "nextRotation"}},
			"oauthClient": {only: []string{"client_id", "autoKeyRotation", "token_endpoint_auth_method", "pkce_required"}},
		}},
		"settings": {drop: []string{"app"}, deep: true, in: map[string]trim{
			"oauthClient": {drop: []string{"jwks"}, deep: true},
		}},
	}}

	appUserSecrets = trim{in: map[string]trim{"credentials": {in: map[string]trim{
		"password": {drop: []string{"value", "hash", "hook"}},
	}}}}

	// factorSecrets: a factor that is being enrolled carries its seed or a code to scan.
	factorSecrets = trim{drop: []string{"_embedded", "passCode", "sharedSecret", "verify"}, in: map[string]trim{
		"profile": {drop: []string{"question", "questionText", "answer", "sharedSecret"}},
	}}

	tokenSecrets = trim{drop: []string{"token"}}
)
