package portapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/portapi"
)

const roleBlueprint = `{"identifier": "role", "title": "Role", "schema": {"properties": {"kind": {"type": "string"}}, "required": []},
	"relations": {"holder": {"target": "okta_user"}, "also": {"target": "okta_user", "many": true}},
	"mirrorProperties": {"holderTitle": {"path": "holder.$title"}, "holderStatus": {"path": "holder.status"}, "alsoTitles": {"path": "also.$title"}},
	"calculationProperties": {"text": {"type": "string", "calculation": ".properties.kind + \" of \" + .properties.holderTitle"}}}`

func newDerivedHouse(t *testing.T) *house {
	t.Helper()
	h := newCatalogHouse(t)
	h.call("POST", "/v1/blueprints", roleBlueprint).want(201, "")
	h.call("PATCH", "/v1/blueprints/okta_user", `{"aggregationProperties": {"roles": {"title": "Roles", "type": "number", "target": "role",
		"calculationSpec": {"func": "count", "calculationBy": "entities"}, "pathFilter": [{"path": ["holder"], "fromBlueprint": "role"}]}}}`).want(200, "")
	h.call("POST", users, `{"identifier": "u1", "title": "Ann", "properties": {"status": "ACTIVE"}}`).want(201, "").is("0", "entity", "properties", "roles")
	h.call("POST", users, `{"identifier": "u2", "properties": {"status": "ACTIVE"}}`).want(201, "")
	h.call("POST", "/v1/blueprints/role/entities", `{"identifier": "r1", "properties": {"kind": "ADMIN"}, "relations": {"holder": "u1", "also": ["u1", "u2"]}}`).want(201, "").
		is(`{"kind":"ADMIN","holderTitle":"Ann","holderStatus":"ACTIVE","alsoTitles":["Ann","u2"],"text":"ADMIN of Ann"}`, "entity", "properties")
	h.call("POST", "/v1/blueprints/role/entities", `{"identifier": "r2"}`).want(201, "").
		is(`{"kind":null,"holderTitle":null,"holderStatus":null,"alsoTitles":[],"text":" of "}`, "entity", "properties")
	return h
}

func TestDerivedValuesStandBesideTheStored(t *testing.T) {
	h := newDerivedHouse(t)
	const roles = "/v1/blueprints/role/entities"
	h.call("GET", users+"/u1", "").want(200, "").is("1", "entity", "properties", "roles")
	h.call("GET", roles+"/r1?include=properties.text", "").want(200, "").is(`{"text":"ADMIN of Ann"}`, "entity", "properties")
	h.call("GET", roles+"/r1?include=text,kind", "").want(200, "").is(`{"kind":"ADMIN","text":"ADMIN of Ann"}`, "entity", "properties")
	h.call("GET", roles+"?include=properties&exclude=properties.holderTitle", "").want(200, "").
		is(`{"kind":"ADMIN","holderStatus":"ACTIVE","alsoTitles":["Ann","u2"],"text":"ADMIN of Ann"}`, "entities", "0", "properties")
	h.call("POST", roles+"/search?exclude_calculated_properties=true", `{}`).want(200, "").is(`{"kind":"ADMIN"}`, "entities", "0", "properties")
	h.call("POST", roles+"/search", `{"include": ["identifier", "properties.holderStatus"]}`).want(200, "").
		is(`{"identifier":"r1","blueprint":"role","properties":{"holderStatus":"ACTIVE"}}`, "entities", "0")
	h.call("GET", roles+"/r1?attach_identifier_to_title_mirror_properties=true&include=properties", "").want(200, "").
		is(`{"kind":"ADMIN","holderTitle":{"identifier":"u1","title":"Ann"},"holderStatus":"ACTIVE","alsoTitles":[{"identifier":"u1","title":"Ann"},{"identifier":"u2","title":"u2"}],"text":"ADMIN of Ann"}`, "entity", "properties")
	// A property that goes takes its values along, and what is derived from it has none.
	h.call("PUT", "/v1/blueprints/okta_user", strings.Replace(userBlueprint, `"lastLogin"`, `"lastSeen"`, 1)).want(200, "")
	h.call("GET", users+"/u1", "").want(200, "").is("", "entity", "properties", "lastLogin").is("null", "entity", "properties", "lastSeen").is("", "entity", "properties", "roles")
}

func TestPartialResultsNameWhatIsMissing(t *testing.T) {
	h := newDerivedHouse(t)
	h.call("POST", "/v1/entities/search?allow_partial_results=true", `{}`).want(200, "").is("[]", "failedBlueprints")
	h.call("POST", "/v1/entities/search", `{}`).want(200, "").is("", "failedBlueprints")
	api := portapi.New(portapi.Config{Keeper: everybody{}, Catalog: endless{}, Now: func() time.Time { return theTime }})
	w := httptest.NewRecorder()
	api.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/entities/search?allow_partial_results=true", strings.NewReader("{}")))
	if got := w.Body.String(); w.Code != 200 || !strings.HasSuffix(got, `"matchingBlueprints":["b"],"failedBlueprints":["b","c"]}`+"\n") {
		t.Errorf("answer %d %s, want b and c among the failed blueprints", w.Code, got)
	}
}

func (endless) Blueprints(context.Context) ([]catalog.Blueprint, error) {
	return []catalog.Blueprint{{Identifier: "b"}, {Identifier: "c"}, {Identifier: "d"}}, nil
}

func (endless) CountEntities(_ context.Context, blueprint string) (int64, error) {
	return map[string]int64{"b": 1, "c": 1}[blueprint], nil
}
