package portapi_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAccessToken(t *testing.T) {
	h := newHouse(t)
	const path = "/v1/auth/access_token"
	a := h.call("POST", path, `{"clientId": "client_1", "clientSecret": "s3cret"}`, "Authorization:").want(200, "").is("10800", "expiresIn").is(`"Bearer"`, "tokenType")
	if token := strings.Trim(a.at("accessToken"), `"`); strings.Count(token, ".") != 2 || token != h.token {
		t.Errorf("accessToken %q, want the active JWT", token)
	}
	h.call("POST", path, `{"clientId": "client_1", "clientSecret": "wrong"}`, "Authorization:").want(401, "invalid_credentials")
	h.call("POST", path, `{"clientId": "client_1"}`, "Authorization:").want(422, "invalid_request")
	h.call("POST", path, `{"clientId": "client_1", "clientSecret": "s3cret", "more": 1}`, "Authorization:").want(422, "invalid_request")
	for _, header := range []string{"Authorization:", "Authorization: Bearer x.y.z", "Authorization: Basic YTpi"} {
		h.call("GET", "/v1/blueprints", "", header).want(401, "unauthorized")
	}
}

func TestOrganizationHasNoFeatureFlags(t *testing.T) {
	newHouse(t).call("GET", "/v1/organization", "").want(200, "").golden("organization")
}

func TestBlueprintIsEchoedWithWhatClientsCountOn(t *testing.T) {
	h := newCatalogHouse(t)
	h.call("GET", "/v1/blueprints/okta_user?exclude_calculated_properties=true", "").want(200, "").golden("blueprint")
	h.call("GET", "/v1/blueprints/okta_group", "").want(200, "").golden("blueprint-bare")
	h.call("POST", "/v1/blueprints", groupBlueprint).want(409, "identifier_taken")
	if a := h.call("GET", "/v1/blueprints", "").want(200, ""); a.at("blueprints", "6", "identifier") != `"okta_user"` {
		t.Errorf("list: %s", a.body)
	}
}

func TestSystemBlueprints(t *testing.T) {
	h := newHouse(t)
	h.call("GET", "/v1/blueprints/_user", "").want(200, "").is(`"_user"`, "blueprint", "identifier").is("{}", "blueprint", "relations")
	h.call("PATCH", "/v1/blueprints/_team", `{"schema": {"properties": {"slack": {"type": "string"}}}}`).want(200, "")
	h.call("GET", "/v1/blueprints/system/_team/structure", "").want(200, "").is(`{"title":"Size","type":"number"}`, "blueprint", "schema", "properties", "size").
		is("", "blueprint", "schema", "properties", "slack")
	h.call("PUT", "/v1/blueprints/_team", `{"identifier": "_team", "title": "Team", "schema": {"properties": {"slack": {"type": "string"}}, "required": []}}`).
		want(422, "protected_blueprint_violation")
	h.call("DELETE", "/v1/blueprints/_team", "").want(422, "protected_blueprint_violation")
	h.call("GET", "/v1/blueprints/system/okta_user/structure", "").want(404, "not_found")
}

func TestPutReplacesAndPatchMerges(t *testing.T) {
	h := newCatalogHouse(t)
	path := "/v1/blueprints/okta_group"
	h.call("PATCH", path, `{"schema": {"properties": {"name": {"type": "string"}}}, "aggregationProperties": {"members": {"title": "Members", "target": "okta_user",
		"calculationSpec": {"func": "count", "calculationBy": "entities"}}}}`).want(200, "").is(`{"type":"string"}`, "blueprint", "schema", "properties", "name").
		is(`{"type":"number","default":0}`, "blueprint", "schema", "properties", "size")
	h.call("PUT", path, groupBlueprint).want(200, "").is("{}", "blueprint", "aggregationProperties").is("", "blueprint", "schema", "properties", "name")
	h.call("PATCH", path, `{"schema": {"properties": {"size": {"type": "string"}}}}`).want(422, "forbidden_type_change")
	h.call("PUT", "/v1/blueprints/nope", groupBlueprint).want(404, "not_found")
	answer := h.call("GET", path, "")
	h.call("PUT", path, answer.at("blueprint")).want(200, "") // clients send back what they were given
}

func TestPendingTargetsAreTakenWhenAskedFor(t *testing.T) {
	h := newHouse(t)
	body := `{"identifier": "a", "title": "A", "schema": {"properties": {}}, "relations": {"b": {"target": "b"}}}`
	h.call("POST", "/v1/blueprints", body).want(404, "not_found").is(`"b"`, "details", "withValue")
	h.call("POST", "/v1/blueprints?pending_targets=true", body).want(201, "")
	h.call("POST", "/v1/blueprints/a/entities", `{"identifier": "1", "relations": {"b": "x"}}`).want(404, "not_found")
}

func TestGuidesDocumentsInTheGuidesOrder(t *testing.T) {
	h := newHouse(t)
	dir := filepath.Join("..", "..", "packs", "guide")
	for _, name := range []string{"okta_user", "okta_role_assignment", "okta_event", "okta_role", "okta_permission"} {
		doc, err := os.ReadFile(filepath.Join(dir, "blueprint-"+name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		h.call("POST", "/v1/blueprints?pending_targets=true", string(doc)).want(201, "").is(`"`+name+`"`, "blueprint", "identifier")
	}
}

func TestMigrations(t *testing.T) {
	h := newCatalogHouse(t)
	h.call("POST", users, `{"identifier": "00u0", "properties": {"status": "ACTIVE", "logins": 3}}`).want(201, "")
	a := h.call("POST", "/v1/migrations", `{"sourceBlueprint": "okta_user", "mapping": {"blueprint": "okta_group", "entity": {"identifier": "'of-' + .identifier",
		"properties": {"size": ".properties.logins"}}}}`).want(201, "").is(`"COMPLETED"`, "migration", "status").is(`"okta_user"`, "migration", "sourceBlueprint").
		is(`"okta_group"`, "migration", "mapping", "blueprint").is(`"client_1"`, "migration", "actor").is("1", "migration", "entities")
	id := strings.Trim(a.at("migration", "id"), `"`)
	h.call("GET", "/v1/blueprints/okta_group/entities/of-00u0", "").want(200, "").is("3", "entity", "properties", "size")
	h.call("GET", "/v1/migrations", "").want(200, "").is(`"`+id+`"`, "migrations", "0", "id")
	h.call("POST", "/v1/migrations/"+id+"/cancel", "").want(200, "").is(`"COMPLETED"`, "migration", "status")
	h.call("POST", "/v1/migrations/nope/cancel", "").want(404, "not_found")
	h.call("POST", "/v1/migrations", `{}`).want(422, "invalid_request")
}

func TestPagesFollowTheirBlueprint(t *testing.T) {
	h := newHouse(t)
	const body = `{"identifier": "service", "title": "Service", "schema": {"properties": {}, "required": []}}`
	h.call("POST", "/v1/blueprints", body).want(201, "")
	h.call("GET", "/v1/pages/services", "").want(200, "").is(`"services"`, "page", "identifier").is(`"service"`, "page", "blueprint")
	h.call("PATCH", "/v1/blueprints/service", `{"identifier": "app"}`).want(200, "")
	h.call("GET", "/v1/pages", "").want(200, "").is(`"app"`, "pages", "0", "blueprint")
	h.call("DELETE", "/v1/blueprints/app", "").want(200, "")
	h.call("GET", "/v1/pages/services", "").want(404, "not_found")
}

func TestDeleteBlueprint(t *testing.T) {
	h := newCatalogHouse(t)
	h.call("POST", users, `{"identifier": "00u0", "properties": {"status": "ACTIVE"}}`).want(201, "")
	h.call("DELETE", "/v1/blueprints/okta_user", "").want(403, "has_dependents")
	h.call("DELETE", "/v1/blueprints/okta_group", "").want(403, "has_dependents") // a relation points at it
	a := h.call("DELETE", "/v1/blueprints/okta_user/all-entities?delete_blueprint=true&run_id=", "").want(200, "")
	id := strings.Trim(a.at("migrationId"), `"`)
	h.call("GET", "/v1/migrations/"+id, "").want(200, "").is(`"COMPLETED"`, "migration", "status").is(`"okta_user"`, "migration", "sourceBlueprint").
		is(`"client_1"`, "migration", "actor").is("{}", "migration", "mapping")
	h.call("GET", "/v1/migrations/m_nope", "").want(404, "not_found")
	h.call("GET", "/v1/blueprints/okta_user", "").want(404, "not_found")
	h.call("DELETE", "/v1/blueprints/okta_group", "").want(200, "")
	h.call("DELETE", "/v1/blueprints/okta_group/all-entities", "").want(404, "not_found")
}

func TestAuditLogTellsChangesAndNothingForNone(t *testing.T) {
	h := newCatalogHouse(t)
	body := `{"identifier": "00u1", "properties": {"status": "ACTIVE"}}`
	h.call("POST", users+"?upsert=true&merge=true", body).want(201, "")
	h.call("POST", users+"?upsert=true&merge=true", body).want(200, "")
	h.call("GET", "/v1/audit-log?blueprint=okta_user&entity=00u1&resources=entity", "").want(200, "").golden("audit-log")
	h.call("GET", "/v1/audit-log?action=DELETE", "").want(200, "").is("[]", "audits")
	h.call("GET", "/v1/audit-log?status=FAILURE", "").want(200, "").is("[]", "audits")
	h.call("GET", "/v1/audit-log?limit=0", "").want(422, "invalid_request")
}
