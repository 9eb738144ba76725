package portapi_test

import (
	"strings"
	"testing"
)

// Each is what somebody types wrong, and what the answer must say so that it can be mended without a look at our code.
func TestMistakesAreExplained(t *testing.T) {
	h := newHouse(t)
	h.services()
	h.door(`{"identifier": "hook", "title": "Hook"}`)
	h.call("POST", "/v1/integration", `{"installationId": "ocean"}`).want(200, "")
	const model = `{"identifier": "a", "title": "A", "schema": {"properties": {}}, `
	property := func(definition string) string {
		return `{"identifier": "a", "title": "A", "schema": {"properties": {"x": ` + definition + `}}}`
	}
	query := func(rule string) string { return `{"combinator": "and", "rules": [` + rule + `]}` }
	for _, c := range []struct {
		method, path, body string
		status             int
		says               []string
	}{
		{"POST", "/v1/blueprints", "", 400, []string{"it is empty", "curl --json"}},
		{"POST", "/v1/blueprints", "identifier: a\ntitle: A", 400, []string{"line 1, column 1", "curl --json"}},
		{"POST", "/v1/blueprints", "{\"identifier\": \"a\",\n \"title\": A}", 400, []string{"line 2, column 11"}},
		{"POST", "/v1/auth/access_token", `{"client_id": "a", "client_secret": "b"}`, 422, []string{"clientId and clientSecret", `"client_id", "client_secret"`}},
		{"GET", "/v1/blueprint", "", 404, []string{"is /v1/blueprints meant?", "openapi.json"}},
		{"GET", "/v1/blueprints/svc/entites/x", "", 404, []string{"is /v1/blueprints/svc/entities/x meant?"}},
		{"GET", "/v1/quotas", "", 404, []string{"there is no route GET /v1/quotas", "GET /v1/openapi.json lists all routes"}},
		{"PUT", "/v1/blueprints", "{}", 405, []string{"this path does not take PUT, only GET, POST"}},
		{"GET", "/v1/blueprints/svd", "", 404, []string{`is "svc" meant?`}},
		{"DELETE", "/v1/blueprints/_usr", "", 404, []string{`is "_user" meant?`}},

		{"POST", "/v1/blueprints", property(`{}`), 422, []string{`property "x": a type is required: one of string`}},
		{"POST", "/v1/blueprints", property(`{"type": 5}`), 422, []string{"want one of string, number, boolean, object, array, got 5"}},
		{"POST", "/v1/blueprints", property(`{"type": "string", "enum": "a"}`), 422, []string{"no JSON Schema: at '/enum': got string, want array"}},
		{"POST", "/v1/blueprints", property(`{"type": "array", "items": "string"}`), 422, []string{"at '/items': got string, want boolean or object"}},
		{"POST", "/v1/blueprints", model + `"relations": []}`, 422, []string{"relations: want an object"}},
		{"POST", "/v1/blueprints", model + `"relations": {"r": {}}}`, 422, []string{`relation "r": a target is required`}},
		{"POST", "/v1/blueprints", model + `"relations": {"r": "svc"}}`, 422, []string{`relation "r": want an object, got a string`}},
		{"POST", "/v1/blueprints", model + `"relations": {"r": {"target": "svc", "many": "yes"}}}`, 422, []string{"many: want true or false, got a string"}},
		{"POST", "/v1/blueprints", model + `"mirrorProperties": {"m": {}}}`, 422, []string{"a path is required"}},
		{"POST", "/v1/blueprints", model + `"ownership": {"type": "Inherited"}}`, 422, []string{"a path is required"}},
		{"POST", "/v1/blueprints", model + `"history": "no"}`, 422, []string{`history: want true or false, got "no"`}},

		{"POST", "/v1/entities/search", query(`{"property": "a", "operator": "containz", "value": 1}`), 422, []string{`is "contains" meant?`, "beginsWith", "relatedTo"}},
		{"POST", "/v1/entities/search", query(`{"property": "a", "operator": "~", "value": 1}`), 422, []string{`unknown operator "~"`, "the operators are !=, <"}},
		{"POST", "/v1/entities/search", query(`{"property": "$name", "operator": "=", "value": 1}`), 422, []string{"the meta-properties are $blueprint"}},
		{"POST", "/v1/entities/search", query(`{"property": "a", "operator": 5}`), 422, []string{"operator: want a string, got a number"}},
		{"POST", "/v1/entities/search", query(`"x"`), 422, []string{`query: want an object, got a string in "x"`}},
		{"POST", "/v1/entities/search", `{"combinator": "and", "rules": {}}`, 422, []string{"rules: want a list, got an object"}},
		{"POST", "/v1/entities/search", `{"query": {"combinator": "and", "rules": []}}`, 422, []string{"not as the member query"}},
		{"POST", "/v1/entities/search", query(`{"property": "a", "operator": "between", "value": {"preset": "lastYear"}}`), 422, []string{"want today, yesterday"}},
		{"POST", "/v1/entities/search", query(`{"property": "a", "operator": "between", "value": {"from": "x", "to": "y"}}`), 422, []string{"want a date-time such as 20"}},
		{"POST", "/v1/entities/aggregate", `{"func": "avg"}`, 422, []string{"func: want count, sum, min, max, median or average, got \"avg\""}},
		{"POST", "/v1/entities/properties-history", `{"blueprintIdentifier": "svc", "entityIdentifier": "pay", "propertyNames": "x"}`, 422, []string{"propertyNames: want a list, each a string, got a string"}},

		{"POST", "/v1/blueprints/svc/scorecards", `{"identifier": "s", "title": "S", "rules": {}}`, 422, []string{"rules: want a list, each an object, got an object"}},
		{"POST", "/v1/blueprints/svc/scorecards", `{"identifier": "s", "title": "S", "rules": [{"identifier": "r", "level": "Diamond"}]}`, 422, []string{`level "Diamond": want one of Basic, Bronze, Silver, Gold`}},
		{"PATCH", "/v1/blueprints/svc/permissions", `{"entities": {"read": {"roles": "Admin"}}}`, 422, []string{"roles: want a list, each a string, got a string"}},
		{"POST", "/v1/integration", `{"installationId": "ocean"}`, 409, []string{`the integration "ocean" already exists`}},

		{"POST", "/v1/longshore/credentials", `{}`, 422, []string{"a role is required", "admin, editor, viewer or ingest"}},
		{"PATCH", "/v1/longshore/credentials/x", `{}`, 422, []string{"disabled: want true or false"}},
		{"GET", "/v1/longshore/verdicts?code=x", "", 422, []string{"want one of upserted, unchanged"}},
		{"GET", "/v1/longshore/objects?state=x", "", 422, []string{"want one of queued, reading, done"}},
	} {
		a := h.call(c.method, c.path, c.body)
		text := strings.ReplaceAll(a.body, `\"`, `"`)
		if a.status != c.status {
			t.Errorf("%s with %s: %d, want %d: %s", a.call, c.body, a.status, c.status, a.body)
		}
		for _, says := range c.says {
			if !strings.Contains(text, says) {
				t.Errorf("%s with %s does not say %q: %s", a.call, c.body, says, a.body)
			}
		}
		for _, ours := range []string{"json:", "Go ", "<nil>", "catalog.", "urn:longshore"} {
			if strings.Contains(text, ours) {
				t.Errorf("%s with %s speaks of %q: %s", a.call, c.body, ours, a.body)
			}
		}
	}
}
