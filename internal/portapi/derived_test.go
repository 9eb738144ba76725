package portapi_test

import (
	"context"
	"fmt"
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
	rule(t, "2.4-1", "2.4-2", "2.4-9", "3.7-2", "3.7-4")
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
	rule(t, "3.7-5")
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

func TestEveryAggregationSpecIsAnswered(t *testing.T) {
	rule(t, "2.4-3", "2.4-4", "2.4-5", "2.4-6", "2.4-7", "2.4-8")
	h := newHouse(t)
	h.call("POST", "/v1/blueprints", `{"identifier": "team", "title": "Team", "schema": {"properties": {}, "required": []}}`).want(201, "")
	h.call("POST", "/v1/blueprints", `{"identifier": "service", "title": "Service", "schema": {"properties": {}, "required": []}, "relations": {"team": {"target": "team"}, "backup": {"target": "team"}}}`).want(201, "")
	h.call("POST", "/v1/blueprints", `{"identifier": "deploy", "title": "Deploy", "schema": {"properties": {"cost": {"type": "number"}, "at": {"type": "string", "format": "date-time"}}, "required": []},
		"relations": {"service": {"target": "service"}}}`).want(201, "")
	specs := map[string]string{
		"count": `"func": "count", "calculationBy": "entities"`, "daily": `"func": "average", "calculationBy": "entities", "averageOf": "day", "measureTimeBy": "at"`,
		"sum": `"func": "sum", "calculationBy": "property", "property": "cost"`, "min": `"func": "min", "calculationBy": "property", "property": "cost"`,
		"max": `"func": "max", "calculationBy": "property", "property": "cost"`, "median": `"func": "median", "calculationBy": "property", "property": "cost"`,
		"mean": `"func": "average", "calculationBy": "property", "property": "cost", "averageOf": "total"`,
	}
	var list []string
	for name, spec := range specs {
		list = append(list, `"`+name+`": {"title": "T", "type": "number", "target": "deploy", "calculationSpec": {`+spec+`}}`)
	}
	list = append(list, `"pinned": {"title": "T", "target": "deploy", "calculationSpec": {"func": "count", "calculationBy": "entities"}, "pathFilter": [{"path": ["service", "backup"], "fromBlueprint": "deploy"}]}`)
	h.call("PATCH", "/v1/blueprints/team", `{"aggregationProperties": {`+strings.Join(list, ",")+`}, "calculationProperties": {"broken": {"type": "string", "calculation": "test-rel.$identifier"}}}`).want(200, "").
		is(`[{"property":"broken","rule":"jq","message":"it does not compile: line 1, column 10: unexpected token \"$identifier\""}]`, "warnings")
	h.call("POST", "/v1/blueprints/team/entities", `{"identifier": "t1"}`).want(201, "")
	h.call("POST", "/v1/blueprints/team/entities", `{"identifier": "t2"}`).want(201, "")
	h.call("POST", "/v1/blueprints/service/entities", `{"identifier": "s1", "relations": {"team": "t1", "backup": "t2"}}`).want(201, "")
	for i, cost := range []string{"1", "2", "6.5"} {
		h.call("POST", "/v1/blueprints/deploy/entities", fmt.Sprintf(`{"identifier": "d%d", "properties": {"cost": %s, "at": "2026-01-0%dT10:00:00Z"}, "relations": {"service": "s1"}}`, i, cost, i+1)).want(201, "")
	}
	got := h.call("GET", "/v1/blueprints/team/entities/t1", "").want(200, "")
	for name, want := range map[string]string{"count": "3", "daily": "0.75", "sum": "9.5", "min": "1", "max": "6.5", "median": "2", "mean": "3.1666666666666665", "pinned": "0", "broken": "null"} {
		got.is(want, "entity", "properties", name)
	}
	h.call("GET", "/v1/blueprints/team/entities/t2", "").want(200, "").is("3", "entity", "properties", "pinned")
}

func TestAggregateRoutes(t *testing.T) {
	rule(t, "4.9-1", "4.9-2", "4.9-3")
	h := newDerivedHouse(t)
	h.call("POST", "/v1/entities/aggregate", `{"func": "count", "query": {"combinator": "and", "rules": [{"property": "$blueprint", "operator": "=", "value": "okta_user"}]}}`).want(200, "").is("2", "result")
	h.call("POST", "/v1/entities/aggregate", `{"func": "countValues", "property": "text"}`).want(200, "").is(`{" of ":1,"ADMIN of Ann":1}`, "result")
	h.call("POST", "/v1/entities/aggregate", `{"func": "nonsense"}`).want(422, "invalid_request")
	h.call("POST", "/v1/entities/aggregate-over-time", `{"blueprint": "role", "timeRange": {"preset": "today", "timeZone": "UTC"}, "timeInterval": "day", "aggregationType": "countEntities", "func": "count"}`).
		want(200, "").is(`[{"date":"2026-01-05T00:00:00.000Z","count":2}]`, "result", "data")
	h.call("POST", "/v1/entities/aggregate-over-time", `{"blueprint": "nope", "timeRange": {"preset": "today"}, "timeInterval": "day", "aggregationType": "countEntities", "func": "count"}`).want(404, "not_found")
	h.call("POST", "/v1/entities/properties-history", `{"blueprintIdentifier": "role", "entityIdentifier": "r1", "propertyNames": ["kind"], "timeRange": {"preset": "today"}, "timeInterval": "day"}`).
		want(200, "").is(`[{"date":"2026-01-05T00:00:00.000Z","kind":"ADMIN"}]`, "result", "data")
}
