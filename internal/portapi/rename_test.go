package portapi_test

import "testing"

func TestRenameRoutes(t *testing.T) {
	h := newCatalogHouse(t)
	h.call("POST", users, `{"identifier": "00u0", "properties": {"status": "ACTIVE"}}`).want(201, "")
	h.call("POST", users, `{"identifier": "00u1", "properties": {"status": "ACTIVE"}, "relations": {"manager": "00u0"}}`).want(201, "")
	const path = "/v1/blueprints/okta_user"
	h.call("PATCH", path+"/properties/status/rename", `{"newPropertyName": "state"}`).want(200, "").
		is(`{"type":"string","enum":["ACTIVE","STAGED"],"enumColors":{"ACTIVE":"green"},"x-mine":1}`, "blueprint", "schema", "properties", "state").
		is(`{"title":"Manager status","path":"manager.state"}`, "blueprint", "mirrorProperties", "managerStatus").
		is(`{"type":"boolean","calculation":".properties.state == \"ACTIVE\""}`, "blueprint", "calculationProperties", "isActive")
	h.call("PATCH", path+"/mirror/managerStatus/rename", `{"newMirrorName": "bossState"}`).want(200, "").
		is(`{"title":"Manager status","path":"manager.state"}`, "blueprint", "mirrorProperties", "bossState")
	h.call("PATCH", path+"/relations/manager/rename", `{"newRelationIdentifier": "boss"}`).want(200, "").
		is(`{"title":"Manager status","path":"boss.state"}`, "blueprint", "mirrorProperties", "bossState")
	h.call("GET", users+"/00u1", "").want(200, "").is(`"00u0"`, "entity", "relations", "boss").is(`"ACTIVE"`, "entity", "properties", "state").
		is("", "entity", "relations", "manager")
	h.call("PATCH", path+"/properties/nope/rename", `{"newPropertyName": "x"}`).want(404, "not_found")
	h.call("PATCH", path+"/properties/state/rename", `{}`).want(422, "invalid_request")
	h.call("PATCH", path+"/properties/state/rename", `{"newPropertyName": "logins"}`).want(409, "identifier_taken")
}

func TestRenamedBlueprintIsFollowedByWebhooks(t *testing.T) {
	h := newCatalogHouse(t)
	const mapping = `{"blueprint":"okta_group","filter":"true","entity":{"identifier":".body.id"}}`
	h.call("POST", "/v1/webhooks", `{"identifier": "w", "title": "W", "enabled": true, "mappings": [`+mapping+`, {"blueprint": "okta_user", "entity": {"identifier": ".body.id"}}]}`).want(201, "")
	h.call("PATCH", "/v1/blueprints/okta_group", `{"identifier": "group"}`).want(200, "")
	h.call("GET", "/v1/webhooks/w", "").want(200, "").is(`"group"`, "integration", "mappings", "0", "blueprint").
		is(`"okta_user"`, "integration", "mappings", "1", "blueprint").is(`"true"`, "integration", "mappings", "0", "filter")
	h.call("GET", "/v1/blueprints/okta_user", "").want(200, "").is(`"group"`, "blueprint", "relations", "groups", "target")
}
