package conform_test

// The model that most cases use: users with a manager, groups.
const (
	userBlueprint = `{"identifier": "okta_user", "title": "Okta User", "icon": "Okta", "description": "",
		"schema": {"properties": {"status": {"type": "string", "enum": ["ACTIVE", "STAGED"], "enumColors": {"ACTIVE": "green"}, "x-mine": 1},
			"lastLogin": {"type": "string", "format": "date-time"}, "logins": {"type": "number"}, "profile": {"type": "object"},
			"tags": {"type": "array", "items": {"type": "string"}}, "admin": {"type": "boolean"}, "level": {"type": "number", "default": 3}}, "required": ["status"]},
		"relations": {"manager": {"title": "Manager", "target": "okta_user", "required": false, "many": false},
			"groups": {"target": "okta_group", "many": true}},
		"mirrorProperties": {"managerStatus": {"title": "Manager status", "path": "manager.status"}},
		"calculationProperties": {"isActive": {"type": "boolean", "calculation": ".properties.status == \"ACTIVE\""}}}`
	groupBlueprint = `{"identifier": "okta_group", "title": "Group", "schema": {"properties": {"size": {"type": "number"}}, "required": []}}`
	// badgeBlueprint cannot be without a user.
	badgeBlueprint = `{"identifier": "badge", "title": "Badge", "schema": {"properties": {}, "required": []},
		"relations": {"owner": {"target": "okta_user", "required": true, "many": false}, "seenBy": {"target": "okta_user", "many": true}}}`

	users  = "/v1/blueprints/okta_user/entities"
	groups = "/v1/blueprints/okta_group/entities"
	badges = "/v1/blueprints/badge/entities"
)

// blueprint creates one.
func (h *house) blueprint(doc string) answer {
	h.Helper()
	return h.call("POST", "/v1/blueprints", doc).want(201, "")
}

// okta creates the model.
func (h *house) okta() {
	h.Helper()
	for _, doc := range []string{groupBlueprint, userBlueprint, badgeBlueprint} {
		h.blueprint(doc)
	}
}

// user creates one.
func (h *house) user(id, more string) answer {
	h.Helper()
	if more != "" {
		more = ", " + more
	}
	return h.call("POST", users, `{"identifier": `+quoted(id)+`, "properties": {"status": "ACTIVE"}`+more+`}`).want(201, "")
}
