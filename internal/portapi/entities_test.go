package portapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

const userBlueprint = `{"identifier": "okta_user", "title": "Okta User", "icon": "Okta", "description": "",
	"schema": {"properties": {"status": {"type": "string", "enum": ["ACTIVE", "STAGED"], "enumColors": {"ACTIVE": "green"}, "x-mine": 1},
		"lastLogin": {"type": "string", "format": "date-time"}, "logins": {"type": "number"}, "profile": {"type": "object"}}, "required": ["status"]},
	"relations": {"manager": {"title": "Manager", "target": "okta_user", "required": false, "many": false},
		"groups": {"target": "okta_group", "many": true}},
	"mirrorProperties": {"managerStatus": {"title": "Manager status", "path": "manager.status"}},
	"calculationProperties": {"isActive": {"type": "boolean", "calculation": ".properties.status == \"ACTIVE\""}}}`

const groupBlueprint = `{"identifier": "okta_group", "title": "Group", "schema": {"properties": {"size": {"type": "number", "default": 0}}, "required": []}}`

func newCatalogHouse(t *testing.T) *house {
	t.Helper()
	h := newHouse(t)
	h.call("POST", "/v1/blueprints", groupBlueprint).want(201, "")
	h.call("POST", "/v1/blueprints?create_catalog_page=true", userBlueprint).want(201, "")
	return h
}

const users = "/v1/blueprints/okta_user/entities"

func TestEntityAnswersEveryPropertyAndRelation(t *testing.T) {
	h := newCatalogHouse(t)
	h.call("POST", users, `{"identifier": "00u0", "properties": {"status": "ACTIVE"}}`).want(201, "")
	h.call("POST", users, `{"identifier": "00u1", "title": "Ann", "icon": "User", "team": "core", "blueprint": "other",
		"properties": {"status": "ACTIVE", "logins": 9007199254740993}, "relations": {"manager": "00u0"}}`).want(201, "").golden("entity")
	h.call("GET", users+"/00u1", "").want(200, "").golden("entity")
	h.call("GET", users+"/00u0", "").want(200, "").golden("entity-bare")
}

func TestNumbersComeBackAsTheyWereSent(t *testing.T) {
	h := newCatalogHouse(t)
	for i, number := range []string{"1", "123.456", "9007199254740993", "1000000", "-0.10"} {
		id := fmt.Sprintf("n%d", i)
		h.call("POST", users, `{"identifier": "`+id+`", "properties": {"status": "ACTIVE", "logins": `+number+`}}`).want(201, "").is(number, "entity", "properties", "logins")
		h.call("GET", users+"/"+id, "").is(number, "entity", "properties", "logins")
	}
}

func TestEmptyTitleIsTheIdentifier(t *testing.T) {
	h := newCatalogHouse(t)
	h.call("POST", users, `{"identifier": "00u1", "title": "", "properties": {"status": "ACTIVE"}}`).want(201, "").is(`"00u1"`, "entity", "title")
	h.call("PUT", users+"/00u1", `{"identifier": "00u2", "title": "", "properties": {"status": "ACTIVE"}}`).want(200, "").is(`"00u2"`, "entity", "title")
	h.call("GET", users+"/00u1", "").want(404, "not_found")
}

func TestMissingRelatedEntityIsNotFound(t *testing.T) {
	h := newCatalogHouse(t)
	body := `{"identifier": "00u1", "properties": {"status": "ACTIVE"}, "relations": {"manager": "nobody"}}`
	h.call("POST", users+"?upsert=true&merge=true", body).want(404, "not_found").is(`"nobody"`, "details", "withValue")
	h.call("GET", users+"/00u1", "").want(404, "not_found")
	h.call("POST", users+"?upsert=true&create_missing_related_entities=true", body).want(201, "")
	h.call("GET", users+"/nobody", "").want(200, "").is("null", "entity", "properties", "status")
}

func TestCreateUpsertMergeReplace(t *testing.T) {
	h := newCatalogHouse(t)
	body := `{"identifier": "00u1", "title": "Ann", "properties": {"status": "ACTIVE", "logins": 1}}`
	h.call("POST", users, body).want(201, "")
	h.call("POST", users, body).want(409, "identifier_taken")
	h.call("POST", users+"?merge=true", body).want(409, "identifier_taken")
	h.call("POST", users+"?upsert=true&merge=true", `{"identifier": "00u1", "properties": {"logins": 2}}`).want(200, "").
		is("2", "entity", "properties", "logins").is(`"ACTIVE"`, "entity", "properties", "status").is(`"Ann"`, "entity", "title")
	h.call("POST", users+"?upsert=true&run_id=", `{"identifier": "00u1", "properties": {"status": "STAGED"}}`).want(200, "").
		is("null", "entity", "properties", "logins").is(`"00u1"`, "entity", "title").is(`"2026-01-05T10:00:00.000Z"`, "entity", "createdAt")
	h.call("PATCH", users+"/00u1", `{"properties": {"logins": 3}}`).want(200, "").is(`"STAGED"`, "entity", "properties", "status")
	h.call("PUT", users+"/00u1", `{"properties": {"status": "ACTIVE"}}`).want(200, "").is("null", "entity", "properties", "logins")
	h.call("PUT", users+"/nobody", `{"properties": {"status": "ACTIVE"}}`).want(404, "not_found")
	h.call("PATCH", users+"/nobody", `{}`).want(404, "not_found")
	h.call("POST", users+"?upsert=true", `{"properties": {"status": "ACTIVE"}, "identifier": {"combinator": "and", "rules": [{"property": "status", "operator": "=", "value": "ACTIVE"}]}}`).
		want(200, "").is(`"00u1"`, "entity", "identifier")
	h.call("POST", users, `{"properties": {"status": "ACTIVE"}}`).want(201, "")
}

func TestIdentifierIsMadeUp(t *testing.T) {
	h := newCatalogHouse(t)
	a := h.call("POST", "/v1/blueprints/okta_group/entities", `{}`).want(201, "").is("0", "entity", "properties", "size")
	if id := a.at("entity", "identifier"); len(id) != len(`"e_"`)+16 || !strings.HasPrefix(id, `"e_`) {
		t.Errorf("identifier %s, want e_ and 16 letters or digits", id)
	}
}

func TestRefusals(t *testing.T) {
	h := newCatalogHouse(t)
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		code                     string
	}{
		{"not JSON", "POST", users, `{`, 400, "bad_request"},
		{"not an object", "POST", users, `[]`, 422, "invalid_request"},
		{"properties are no object", "POST", users, `{"properties": []}`, 422, "invalid_request"},
		{"identifier is a number", "POST", users, `{"identifier": 1}`, 422, "invalid_request"},
		{"identifier with a space", "POST", users, `{"identifier": "a b", "properties": {"status": "ACTIVE"}}`, 422, "invalid_request"},
		{"required is missing", "POST", users, `{"identifier": "a"}`, 422, "blueprint_schema_mismatch"},
		{"required is null", "POST", users, `{"identifier": "a", "properties": {"status": null}}`, 422, "blueprint_schema_mismatch"},
		{"wrong type", "POST", users, `{"identifier": "a", "properties": {"status": "ACTIVE", "logins": "x"}}`, 422, "blueprint_schema_mismatch"},
		{"unknown property", "POST", users, `{"identifier": "a", "properties": {"status": "ACTIVE", "nope": 1}}`, 422, "blueprint_schema_mismatch"},
		{"calculated property", "POST", users, `{"identifier": "a", "properties": {"status": "ACTIVE", "isActive": true}}`, 422, "blueprint_schema_mismatch"},
		{"two for a single relation", "POST", users, `{"identifier": "a", "properties": {"status": "ACTIVE"}, "relations": {"manager": ["x", "y"]}}`, 422, "relation_many_violation"},
		{"unknown blueprint", "POST", "/v1/blueprints/nope/entities", `{}`, 404, "not_found"},
		{"unknown blueprint's list", "GET", "/v1/blueprints/nope/entities", ``, 404, "not_found"},
		{"unknown route", "GET", "/v1/kafka-credentials", ``, 404, "not_found"},
		{"method", "PATCH", "/v1/audit-log", `{}`, 405, "method_not_allowed"},
		{"too large", "POST", users, `{"x": "` + strings.Repeat("a", 1<<20) + `"}`, 413, "bad_request"},
		{"bulk of 21", "POST", users + "/bulk", `{"entities": [` + strings.Repeat("{},", 20) + `{}]}`, 422, "invalid_request"},
		{"bulk of nothing", "POST", users + "/bulk", `{}`, 422, "invalid_request"},
		{"bad query", "POST", "/v1/entities/search", `{"combinator": "xor", "rules": []}`, 422, "invalid_request"},
		{"bad cursor", "POST", users + "/search", `{"from": "x"}`, 422, "invalid_request"},
		{"bad limit", "POST", users + "/search", `{"limit": 1001}`, 422, "invalid_request"},
		{"bad escape", "GET", "/v1/blueprints/%zz", ``, 0, ""},
	} {
		if c.status == 0 {
			continue // such a path never reaches a handler
		}
		t.Run(c.name, func(t *testing.T) {
			h.t = t
			h.call(c.method, c.path, c.body).want(c.status, c.code)
		})
	}
}

func TestErrorShape(t *testing.T) {
	h := newCatalogHouse(t)
	h.call("GET", "/v1/blueprints/team_x", "").want(404, "not_found").golden("error-not-found")
	h.call("GET", "/v1/orders", "").want(404, "not_found").golden("error-route")
}

func TestEscapedIdentifiers(t *testing.T) {
	h := newCatalogHouse(t)
	for id, path := range map[string]string{
		"https://acme.okta.com/api/v1/iam/roles/cr0/permissions/okta.users.read": "https:%2F%2Facme.okta.com%2Fapi%2Fv1%2Fiam%2Froles%2Fcr0%2Fpermissions%2Fokta.users.read",
		"a+b": "a+b", `back\slash`: "back%5Cslash", "größe": "gr%C3%B6%C3%9Fe", "a:b=c@d": "a%3Ab%3Dc%40d", "..x": "..x",
	} {
		text, _ := json.Marshal(id)
		h.call("POST", users, `{"identifier": `+string(text)+`, "properties": {"status": "ACTIVE"}}`).want(201, "")
		a := h.call("GET", users+"/"+path, "").want(200, "")
		var got string
		if err := json.Unmarshal([]byte(a.at("entity", "identifier")), &got); err != nil || got != id {
			t.Errorf("GET %s: identifier %q, want %q", path, got, id)
		}
		h.call("GET", "/"+users+"/"+path, "").want(200, "") // a base URL that ends in a slash
		h.call("DELETE", users+"/"+path, "").want(200, "")
	}
	h.call("GET", "/v1//blueprints", "").want(404, "not_found")
}

func TestIncludeAndExcludeInBothSpellings(t *testing.T) {
	h := newCatalogHouse(t)
	h.call("POST", users, `{"identifier": "00u1", "title": "Ann", "properties": {"status": "ACTIVE", "logins": 1}}`).want(201, "")
	for _, query := range []string{"include=title,properties.logins", "include=title&include=properties.logins"} {
		h.call("GET", users+"/00u1?"+query, "").want(200, "").is(`{"identifier":"00u1","title":"Ann","blueprint":"okta_user","properties":{"logins":1}}`, "entity")
	}
	h.call("GET", users+"?include=identifier", "").want(200, "").is(`{"identifier":"00u1","blueprint":"okta_user"}`, "entities", "0")
	h.call("GET", users+"/00u1?exclude=properties&exclude=relations,team,createdAt,createdBy,updatedAt,updatedBy", "").want(200, "").
		is(`{"identifier":"00u1","title":"Ann","blueprint":"okta_user"}`, "entity")
	h.call("GET", users+"/00u1?exclude=properties.logins", "").want(200, "").is("", "entity", "properties", "logins").is(`"ACTIVE"`, "entity", "properties", "status")
}

func TestBooleansThatAreNoneAreTheDefault(t *testing.T) {
	h := newCatalogHouse(t)
	h.call("POST", users+"?validation_only=0xc0004a2b18&upsert=", `{"identifier": "00u1", "properties": {"status": "ACTIVE"}}`).want(201, "")
	h.call("GET", users+"/00u1?exclude_calculated_properties=0xc0004a2b18", "").want(200, "").is("true", "entity", "properties", "isActive").is("null", "entity", "properties", "managerStatus")
	h.call("GET", users+"/00u1?exclude_calculated_properties=true", "").want(200, "").is("", "entity", "properties", "isActive").is("", "entity", "properties", "managerStatus")
}

func TestValidationOnlyWritesNothing(t *testing.T) {
	h := newCatalogHouse(t)
	h.call("POST", users+"?validation_only=true", `{"identifier": "00u1", "properties": {"status": "ACTIVE"}}`).want(201, "").is(`"00u1"`, "entity", "identifier")
	h.call("POST", users+"?validation_only=true", `{"identifier": "00u1"}`).want(422, "blueprint_schema_mismatch")
	h.call("GET", users+"/00u1", "").want(404, "not_found")
}

func TestTitlesOfRelationsOnRequest(t *testing.T) {
	h := newCatalogHouse(t)
	h.call("POST", "/v1/blueprints/okta_group/entities", `{"identifier": "g1", "title": "Admins"}`).want(201, "")
	h.call("POST", users, `{"identifier": "00u0", "title": "Boss", "properties": {"status": "ACTIVE"}}`).want(201, "")
	h.call("POST", users, `{"identifier": "00u1", "properties": {"status": "ACTIVE"}, "relations": {"manager": "00u0", "groups": ["g1"]}}`).want(201, "")
	h.call("GET", users+"/00u1?attach_title_to_relation=true", "").want(200, "").
		is(`{"manager":{"identifier":"00u0","title":"Boss"},"groups":[{"identifier":"g1","title":"Admins"}]}`, "entity", "relations")
}

func TestManyRelationTakesABareString(t *testing.T) {
	h := newCatalogHouse(t)
	h.call("POST", "/v1/blueprints/okta_group/entities", `{"identifier": "g1"}`).want(201, "")
	h.call("POST", users, `{"identifier": "00u1", "properties": {"status": "ACTIVE"}, "relations": {"groups": "g1"}}`).want(201, "").is(`["g1"]`, "entity", "relations", "groups")
}

func TestBulkReportsByIndexAndEachStandsAlone(t *testing.T) {
	h := newCatalogHouse(t)
	h.call("POST", users+"/bulk?upsert=true&merge=true", `{"entities": [
		{"identifier": "a", "properties": {"status": "ACTIVE"}, "relations": {"manager": "c"}},
		{"identifier": "b", "properties": {"status": "nonsense"}},
		{"identifier": "c", "properties": {"status": "ACTIVE"}},
		{"identifier": "d", "properties": {"status": "ACTIVE"}, "relations": {"manager": "nobody"}},
		{"identifier": {"combinator": "and", "rules": [{"property": "status", "operator": "=", "value": "STAGED"}]}, "properties": {}},
		7]}`).want(207, "").golden("bulk")
	h.call("POST", users+"/bulk?upsert=true", `{"entities": [{"identifier": "a", "properties": {"status": "STAGED"}}]}`).want(200, "").
		is(`[{"index":0,"identifier":"a","created":false}]`, "entities").is("[]", "errors")
	h.call("POST", users+"/bulk", `{"entities": [{"identifier": "a", "properties": {"status": "STAGED"}}]}`).want(207, "").is("409", "errors", "0", "statusCode")
}

func TestDeleteHonoursRequiredRelations(t *testing.T) {
	h := newCatalogHouse(t)
	h.call("POST", "/v1/blueprints", `{"identifier": "badge", "title": "Badge", "schema": {"properties": {}}, "relations": {"owner": {"target": "okta_user", "required": true}}}`).want(201, "")
	h.call("POST", users, `{"identifier": "00u0", "properties": {"status": "ACTIVE"}}`).want(201, "")
	h.call("POST", users, `{"identifier": "00u1", "properties": {"status": "ACTIVE"}, "relations": {"manager": "00u0"}}`).want(201, "")
	h.call("POST", "/v1/blueprints/badge/entities", `{"identifier": "b1", "relations": {"owner": "00u0"}}`).want(201, "")
	h.call("DELETE", users+"/00u0", "").want(403, "has_dependents")
	h.call("POST", "/v1/blueprints/okta_user/bulk/entities/delete", `{"entities": ["00u1", "00u0"]}`).want(403, "has_dependents")
	h.call("GET", users+"/00u1", "").want(200, "")
	h.call("DELETE", users+"/00u0?delete_dependents=true", "").want(200, "")
	h.call("GET", "/v1/blueprints/badge/entities/b1", "").want(404, "not_found")
	h.call("GET", users+"/00u1", "").want(200, "").is("null", "entity", "relations", "manager")
	h.call("DELETE", users+"/00u0", "").want(404, "not_found")
	h.call("DELETE", "/v1/blueprints/okta_user/bulk/entities", `{"entities": ["00u1", "gone"]}`).want(200, "").is(`["00u1"]`, "deletedEntities")
}

func TestSearch(t *testing.T) {
	h := newCatalogHouse(t)
	for i := range 3 {
		h.call("POST", users, fmt.Sprintf(`{"identifier": "u%d", "properties": {"status": "ACTIVE"}}`, i), "User-Agent: port-ocean/okta/1.0/my-okta/exporter").want(201, "")
	}
	h.call("POST", "/v1/blueprints/okta_group/entities", `{"identifier": "g1"}`).want(201, "")
	h.call("POST", "/v1/entities/search?include=identifier&exclude_calculated_properties=0xc0004a2b18", `{"combinator": "and", "rules": [{"property": "$identifier", "operator": "in", "value": ["u1", "g1"]}]}`).
		want(200, "").golden("search")
	h.call("POST", "/v1/entities/search", `{"combinator": "and", "rules": []}`).want(200, "").is(`["okta_group","okta_user"]`, "matchingBlueprints")
	h.call("POST", "/v1/entities/search", `{"combinator": "and", "rules": [{"property": "$identifier", "operator": "=", "value": "none"}]}`).want(200, "").is(`[]`, "matchingBlueprints").is("[]", "entities")

	var pages []string
	next := ""
	for n := 0; n < 5; n++ {
		a := h.call("POST", users+"/search", `{"limit": 2, "include": ["identifier"], "from": "`+next+`"}`).want(200, "")
		pages = append(pages, a.at("entities"))
		if next = strings.Trim(a.at("next"), `"`); next == "" {
			break
		}
	}
	want := []string{`[{"identifier":"u0","blueprint":"okta_user"},{"identifier":"u1","blueprint":"okta_user"}]`, `[{"identifier":"u2","blueprint":"okta_user"}]`}
	if strings.Join(pages, " ") != strings.Join(want, " ") {
		t.Errorf("pages %s, want %s", pages, want)
	}
	h.call("POST", users+"/search/count", `{"query": {"combinator": "and", "rules": [{"property": "$identifier", "operator": "!=", "value": "u1"}]}}`).want(200, "").is("2", "count")
	h.call("GET", "/v1/blueprints/okta_user/entities-count", "").want(200, "").is("3", "count")
	h.call("GET", "/v1/blueprints/nope/entities-count", "").want(404, "not_found")

	source := "/v1/blueprints/entities/datasource-entities"
	h.call("POST", source, `{"datasource_prefix": "port-ocean/okta/", "datasource_suffix": "/my-okta/exporter"}`).want(200, "").
		is(`[{"identifier":"u0","blueprint":"okta_user"},{"identifier":"u1","blueprint":"okta_user"},{"identifier":"u2","blueprint":"okta_user"}]`, "entities").is("null", "next")
	h.call("POST", source, `{"datasource_prefix": "", "datasource_suffix": ""}`).want(200, "").is("[]", "entities")
	h.call("POST", source, `{"datasource_prefix": "port-ocean/okta/", "before": "2026-01-05T09:00:00Z"}`).want(200, "").is("[]", "entities")
	a := h.call("POST", source, `{"datasource_prefix": "port-ocean/okta/", "limit": 2}`).want(200, "")
	h.call("POST", source, `{"datasource_prefix": "port-ocean/okta/", "limit": 2, "from": `+a.at("next")+`}`).want(200, "").is(`[{"identifier":"u2","blueprint":"okta_user"}]`, "entities")
}

func TestListIsWholeBeyondOnePage(t *testing.T) {
	h := newCatalogHouse(t)
	const n = 520 // more than the listing holds at a time
	for start := 0; start < n; start += 20 {
		var list []string
		for i := range 20 {
			list = append(list, fmt.Sprintf(`{"identifier": "g%04d"}`, start+i))
		}
		h.call("POST", "/v1/blueprints/okta_group/entities/bulk", `{"entities": [`+strings.Join(list, ",")+`]}`).want(200, "")
	}
	var got struct {
		Entities []struct{ Identifier string }
	}
	a := h.call("GET", "/v1/blueprints/okta_group/entities", "").want(200, "")
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || len(got.Entities) != n {
		t.Fatalf("got %d entities, %v; want %d", len(got.Entities), err, n)
	}
	for i, e := range got.Entities {
		if want := fmt.Sprintf("g%04d", i); e.Identifier != want {
			t.Fatalf("entity %d is %s, want %s", i, e.Identifier, want)
		}
	}
}
