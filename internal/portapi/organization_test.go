package portapi_test

import (
	"strings"
	"testing"

	"longshore/internal/portapi/rules"
)

func TestOrganizationIsRenamed(t *testing.T) {
	h := newHouse(t)
	h.call("GET", "/v1/organization", "").want(200, "").is(`"Longshore"`, "organization", "name").is(`"org_1"`, "organization", "id")
	put := h.call("PUT", "/v1/organization", `{"name":"Acme","settings":{"portalTitle":"P"},"featureFlags":["USE_PROVISIONED_DEFAULTS"]}`).want(200, "")
	if put.body != "{\"ok\":true}\n" {
		t.Errorf("PUT answers %s, want ok alone", put.body)
	}
	h.call("PATCH", "/v1/organization", `{"name":"Acme 2"}`).want(200, "")
	h.call("GET", "/v1/organization", "").want(200, "").is(`"Acme 2"`, "organization", "name").
		is(`{"portalTitle":"P"}`, "organization", "settings").is(`[]`, "organization", "featureFlags").is(`"org_1"`, "organization", "id")
	h.call("PUT", "/v1/organization", `{}`).want(422, "invalid_request")
	h.call("PATCH", "/v1/organization", `{"name":7}`).want(422, "invalid_request")
}

func TestSecretsKeepTheirValues(t *testing.T) {
	h := newHouse(t)
	const value = "open-sesame"
	for _, call := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"POST", "", `{"secretName":"key","secretValue":"` + value + `","description":"d"}`, 200, ""},
		{"POST", "", `{"secretName":"key","secretValue":"` + value + `"}`, 409, "identifier_taken"},
		{"POST", "", `{"secretName":"other"}`, 422, "invalid_request"},
		{"POST", "", `{"secretName":["` + value + `"],"secretValue":"` + value + `"}`, 422, "invalid_request"},
		{"GET", "", "", 200, ""},
		{"GET", "/key", "", 200, ""},
		{"PATCH", "/key", `{"secretValue":"` + value + `2"}`, 200, ""},
		{"PATCH", "/key", `{"secretName":"` + value + `"}`, 422, "invalid_request"},
		{"PATCH", "/nope", `{"description":"x"}`, 404, "not_found"},
		{"GET", "/v1/audit-log", "", 200, ""},
	} {
		path := "/v1/organization/secrets" + call.path
		if strings.HasPrefix(call.path, "/v1") {
			path = call.path
		}
		if got := h.call(call.method, path, call.body).want(call.status, call.code); strings.Contains(got.body, value) {
			t.Errorf("%s %s tells the secret: %s", call.method, path, got.body)
		}
	}
	h.call("GET", "/v1/organization/secrets/key", "").is(`{"secretName":"key","description":"d"}`, "secret")
	h.call("PATCH", "/v1/organization/secrets/key", `{"description":null}`).want(200, "").is(`null`, "secret", "description")
	h.call("DELETE", "/v1/organization/secrets/key", "").want(200, "")
	h.call("GET", "/v1/organization/secrets/key", "").want(404, "not_found")
}

func TestTeamsShowUsersToReadersAsObjects(t *testing.T) {
	h := newHouse(t)
	body := `{"name":"Team A/B","description":"d","users":["a@b.example","c@b.example"]}`
	h.call("POST", "/v1/teams", body).want(200, "").is(`["a@b.example","c@b.example"]`, "team", "users").is(`"port"`, "team", "provider")
	h.call("POST", "/v1/teams", body).want(409, "identifier_taken")
	fields := "?fields=name&fields=provider&fields=description&fields=createdAt&fields=updatedAt&fields=users.firstName&fields=users.status&fields=users.email"
	read := h.call("GET", "/v1/teams/Team%20A%2FB"+fields, "").want(200, "").is(`"Team A/B"`, "team", "name").
		is(`[{"email":"a@b.example","status":"ACTIVE"},{"email":"c@b.example","status":"ACTIVE"}]`, "team", "users").
		is(`"2026-01-05T10:00:00.000Z"`, "team", "createdAt")
	if read.at("team", "id") != "" {
		t.Errorf("fields left out the id, the answer has it: %s", read.body)
	}
	h.call("PATCH", "/v1/teams/Team%20A%2FB", `{"users":["c@b.example"]}`).want(200, "").is(`["c@b.example"]`, "team", "users").is(`"d"`, "team", "description")
	h.call("PUT", "/v1/teams/Team%20A%2FB", `{"name":"B"}`).want(200, "").is(`"B"`, "team", "name").is(`null`, "team", "description").is(`[]`, "team", "users")
	h.call("GET", "/v1/teams/Team%20A%2FB", "").want(404, "not_found")
	h.call("GET", "/v1/teams", "").want(200, "").is(`"B"`, "teams", "0", "name").is(`[]`, "teams", "0", "users")
	for _, bad := range []string{`{}`, `{"name":""}`, `{"name":"x","users":"a@b"}`, `{"name":"x","users":[1]}`, `{"name":"a\u0000b"}`} {
		h.call("POST", "/v1/teams", bad).want(422, "invalid_request")
	}
	h.call("DELETE", "/v1/teams/B", "").want(200, "")
	h.call("DELETE", "/v1/teams/B", "").want(404, "not_found")
}

func TestExportersFindTheirLists(t *testing.T) {
	rules.Of(t, "1.7-5")
	h := newHouse(t)
	for path, name := range map[string]string{"/v1/users": "users", "/v1/teams": "teams", "/v1/actions": "actions", "/v1/integration": "integrations", "/v1/integration/provision-enabled": "integrations"} {
		h.call("GET", path, "").want(200, "").is(`[]`, name)
	}
	h.call("POST", "/v1/longshore/credentials", `{"role":"viewer","title":"robot"}`)
	h.call("GET", "/v1/apps", "").want(200, "").is(`"robot"`, "apps", "0", "name").is(`true`, "apps", "0", "enabled")
	h.call("GET", "/v1/sidebars/catalog", "").want(200, "").is(`[]`, "sidebar", "items")
	h.call("GET", "/v1/users/a%40b.example", "").want(404, "not_found")
	h.call("GET", "/v1/kafka-credentials", "").want(404, "not_found")
}

func TestUsersAreTheEntitiesOfUser(t *testing.T) {
	rules.Of(t, "1.7-4")
	h := newHouse(t)
	if h.call("GET", "/v1/blueprints/_user", "").status == 404 {
		h.call("POST", "/v1/blueprints", `{"identifier":"_user","title":"User","schema":{"properties":{"status":{"type":"string"},"port_role":{"type":"string"}},"required":[]}}`).want(201, "")
	}
	h.call("POST", "/v1/blueprints/_user/entities", `{"identifier":"ann@b.example","title":"Ann Lee","team":["core"],"properties":{"status":"Active","port_role":"Member"}}`).want(201, "")
	h.call("POST", "/v1/teams", `{"name":"ops","users":["ann@b.example"]}`).want(200, "")
	h.call("GET", "/v1/users", "").want(200, "").is(`"ann@b.example"`, "users", "0", "email")
	h.call("GET", "/v1/users/ann%40b.example", "").want(200, "").is(`"Ann"`, "user", "firstName").is(`"Lee"`, "user", "lastName").
		is(`["core","ops"]`, "user", "teams").is(`[{"name":"Member"}]`, "user", "roles").is(`"Active"`, "user", "status")
}
