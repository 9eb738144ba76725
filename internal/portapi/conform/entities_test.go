package conform_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"longshore/internal/portapi/rules"
)

func TestIdentifiersOfEntities(t *testing.T) {
	check(t, rules.IDs("3.2-1", "9-7"), func(h *house) {
		h.okta()
		for _, id := range []string{".", "..", "a b", "a?b", "a&b", "a%b", "a#b", "a,b", "a\tb", "a\u0000b", "a\"b", "a<b", strings.Repeat("x", 1001)} {
			h.call("POST", groups, `{"identifier": `+quoted(id)+`}`).want(422, "invalid_request")
		}
		for _, id := range []string{"...", "a.", "A-z_9@.+:\\/=-", "ñandú", strings.Repeat("x", 1000), strings.Repeat("ü", 1000)} {
			h.call("POST", groups, `{"identifier": `+quoted(id)+`}`).want(201, "")
		}
	})
}

func TestIdentifierIsMadeUp(t *testing.T) {
	check(t, rules.IDs("3.2-2"), func(h *house) {
		h.okta()
		form := regexp.MustCompile(`^e_[A-Za-z0-9]{16}$`)
		for _, body := range []string{`{}`, `{"identifier": null}`} {
			if id := h.call("POST", groups, body).want(201, "").text("entity", "identifier"); !form.MatchString(id) {
				h.Errorf("made-up identifier %q, want e_ and 16 letters or digits", id)
			}
		}
	})
}

func TestEmptyTitleIsTheIdentifier(t *testing.T) {
	check(t, rules.IDs("3.2-3", "3.2-4"), func(h *house) {
		h.okta()
		h.call("POST", groups, `{"identifier": "g1", "title": ""}`).want(201, "").is(`"g1"`, "entity", "title")
		h.call("POST", groups, `{"identifier": "g2"}`).want(201, "").is(`"g2"`, "entity", "title")
		h.call("PUT", groups+"/g1", `{"identifier": "g3", "title": ""}`).want(200, "").is(`"g3"`, "entity", "title")
		if icon := h.call("GET", groups+"/g2", "").at("entity", "icon"); icon != "" && icon != "null" {
			h.Errorf("icon that is not set is %s, want absent or null", icon)
		}
	})
}

func TestTeamIsAList(t *testing.T) {
	check(t, rules.IDs("3.2-5"), func(h *house) {
		h.okta()
		for sent, want := range map[string]string{`"core"`: `["core"]`, `["core", "ops"]`: `["core","ops"]`, `null`: `[]`, `[]`: `[]`} {
			h.call("POST", groups+"?upsert=true", `{"identifier": "g1", "team": `+sent+`}`).is(want, "entity", "team")
			h.call("GET", groups+"/g1", "").want(200, "").is(want, "entity", "team")
		}
		h.call("POST", groups, `{"identifier": "g2"}`).want(201, "").is(`[]`, "entity", "team")
	})
}

func TestExtraKeysOfAnEntityAreAllowed(t *testing.T) {
	check(t, rules.IDs("3.2-6"), func(h *house) {
		h.okta()
		const more = `"blueprint": "okta_user", "createdAt": "1999-01-01T00:00:00.000Z", "createdBy": "x", "updatedAt": null, "scorecards": {}, "_mine": 1`
		h.call("POST", groups, `{"identifier": "g1", `+more+`}`).want(201, "").is(`"okta_group"`, "entity", "blueprint").is(`"2026-01-05T10:00:00.000Z"`, "entity", "createdAt")
		h.call("PUT", groups+"/g1", `{"identifier": "g1", `+more+`}`).want(200, "").is(`"okta_group"`, "entity", "blueprint")
		h.call("PATCH", groups+"/g1", `{`+more+`}`).want(200, "")
		h.call("GET", users+"/g1", "").want(404, "not_found")
	})
}

func TestEveryPropertyAndRelationIsAnswered(t *testing.T) {
	check(t, rules.IDs("3.2-7", "3.2-8", "3.1-3", "3.1-2"), func(h *house) {
		h.okta()
		a := h.user("u1", "")
		for _, a := range []answer{a, h.call("GET", users+"/u1", "").want(200, "")} {
			for _, name := range []string{"lastLogin", "logins", "profile", "tags", "admin"} {
				a.is("null", "entity", "properties", name)
			}
			a.is("null", "entity", "relations", "manager").is("[]", "entity", "relations", "groups").is(`"ACTIVE"`, "entity", "properties", "status")
		}
		list := h.call("GET", users, "").want(200, "")
		if list.at("entities", "0") != h.call("GET", users+"/u1", "").at("entity") {
			h.Errorf("the list shows the entity otherwise: %s", list.body)
		}
		h.call("PATCH", users+"/u1", `{"properties": {"logins": 7}}`).want(200, "")
		h.call("PUT", "/v1/blueprints/okta_user", strings.Replace(userBlueprint, `"logins": {"type": "number"}, `, "", 1)).want(200, "")
		h.call("GET", users+"/u1", "").want(200, "").is("", "entity", "properties", "logins")
	})
}

func TestTimesAndNumbersComeBackAsContracted(t *testing.T) {
	check(t, rules.IDs("3.2-9", "3.2-10"), func(h *house) {
		h.okta()
		form := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
		a := h.user("u1", "")
		for _, name := range []string{"createdAt", "updatedAt"} {
			if at := a.text("entity", name); !form.MatchString(at) {
				h.Errorf("%s is %q, want RFC 3339 in UTC with milliseconds", name, at)
			}
		}
		for _, number := range []string{"1", "1.0", "123.456", "9007199254740993", "123456789012345678901234567890", "1000000", "-0.5", "0.1", "1e5", "1E-7"} {
			h.call("PATCH", users+"/u1", `{"properties": {"logins": `+number+`}}`).want(200, "")
			if got := h.call("GET", users+"/u1", "").at("entity", "properties", "logins"); got != number {
				h.Errorf("%s came back as %s", number, got)
			}
		}
	})
}

func TestCreateAndUpsert(t *testing.T) {
	check(t, rules.IDs("3.3-1", "3.3-2", "3.3-3", "3.3-7", "3.3-8", "1.4-3"), func(h *house) {
		h.okta()
		h.call("POST", groups, `{"identifier": "g1"}`).want(201, "")
		h.call("POST", groups, `{"identifier": "g2"}`).want(201, "")
		const full = `{"identifier": "u1", "title": "Ann", "icon": "User", "team": ["core"],
			"properties": {"status": "ACTIVE", "logins": 1, "profile": {"a": 1, "b": 2}, "level": 9}, "relations": {"groups": ["g1", "g2"]}}`
		h.call("POST", users, full).want(201, "")
		h.call("POST", users, full).want(409, "identifier_taken")
		h.call("POST", users+"?merge=true", full).want(409, "identifier_taken")
		h.clock.move(time.Minute)
		merged := h.call("POST", users+"?upsert=true&merge=true", `{"identifier": "u1", "properties": {"profile": {"c": 3}}, "relations": {"groups": ["g2"]}}`).want(200, "")
		merged.is(`{"c":3}`, "entity", "properties", "profile").is("1", "entity", "properties", "logins").is("9", "entity", "properties", "level").is(`"Ann"`, "entity", "title").is(`["g2"]`, "entity", "relations", "groups").
			is(`["core"]`, "entity", "team").is(`"User"`, "entity", "icon").is(`"2026-01-05T10:00:00.000Z"`, "entity", "createdAt").is(`"2026-01-05T10:01:00.000Z"`, "entity", "updatedAt")
		h.clock.move(time.Minute)
		over := h.call("POST", users+"?upsert=true", `{"identifier": "u1", "properties": {"status": "STAGED"}}`).want(200, "")
		over.is("null", "entity", "properties", "profile").is("null", "entity", "properties", "logins").is("3", "entity", "properties", "level").is(`"u1"`, "entity", "title").
			is("[]", "entity", "relations", "groups").is("[]", "entity", "team").is(`"2026-01-05T10:00:00.000Z"`, "entity", "createdAt")
		if icon := over.at("entity", "icon"); icon != "" && icon != "null" {
			h.Errorf("an override keeps the icon %s", icon)
		}
		h.call("POST", users+"?upsert=true&merge=true", `{"identifier": "u2", "properties": {"status": "ACTIVE"}}`).want(201, "").is("3", "entity", "properties", "level")
	})
}

func TestValidationOnlyWritesNothing(t *testing.T) {
	check(t, rules.IDs("3.3-4"), func(h *house) {
		h.okta()
		const only = "?upsert=true&validation_only=true"
		if a := h.call("POST", users+only, `{"identifier": "u1", "properties": {"status": "ACTIVE"}}`); a.status > 201 {
			h.Errorf("a valid entity: %d %s", a.status, a.body)
		}
		h.call("GET", users+"/u1", "").want(404, "not_found")
		h.call("POST", users+only, `{"identifier": "u1", "properties": {"status": "GONE"}}`).want(422, "blueprint_schema_mismatch")
		h.call("POST", users+only, `{"identifier": "u1", "properties": {"status": "ACTIVE"}, "relations": {"manager": "nobody"}}`).want(404, "not_found")
		h.user("u1", "")
		h.call("POST", users+"?validation_only=true", `{"identifier": "u1", "properties": {"status": "ACTIVE"}}`).want(409, "identifier_taken")
		h.call("POST", users+only, `{"identifier": "u1", "properties": {"status": "STAGED"}}`).want(200, "")
		h.call("GET", users+"/u1", "").want(200, "").is(`"ACTIVE"`, "entity", "properties", "status")
	})
}

func TestPutOverridesAndRenames(t *testing.T) {
	check(t, rules.IDs("3.3-5", "3.1-4"), func(h *house) {
		h.okta()
		h.call("PUT", users+"/u1", `{"identifier": "u1", "properties": {"status": "ACTIVE"}}`).want(404, "not_found")
		h.user("u1", `"title": "Ann"`)
		h.user("u2", `"relations": {"manager": "u1"}`)
		h.call("POST", badges, `{"identifier": "b1", "relations": {"owner": "u1", "seenBy": ["u2", "u1"]}}`).want(201, "")
		h.call("PUT", users+"/u1", `{"identifier": "u9", "properties": {"status": "STAGED"}}`).want(200, "").is(`"u9"`, "entity", "identifier").is(`"u9"`, "entity", "title")
		h.call("GET", users+"/u1", "").want(404, "not_found")
		h.call("GET", users+"/u2", "").want(200, "").is(`"u9"`, "entity", "relations", "manager")
		h.call("GET", badges+"/b1", "").want(200, "").is(`"u9"`, "entity", "relations", "owner").is(`["u2","u9"]`, "entity", "relations", "seenBy")
		h.call("PUT", users+"/u9", `{"properties": {}}`).want(422, "blueprint_schema_mismatch")
	})
}

func TestPatchMergesAndClears(t *testing.T) {
	check(t, rules.IDs("3.3-6", "3.1-5", "3.3-9"), func(h *house) {
		h.okta()
		h.call("PATCH", users+"/u1", `{}`).want(404, "not_found")
		h.user("u1", `"title": "Ann", "icon": "User", "team": "core"`)
		h.call("PATCH", users+"/u1", `{"properties": {"logins": 1}}`).want(200, "").is(`"Ann"`, "entity", "title").is(`["core"]`, "entity", "team").is(`"ACTIVE"`, "entity", "properties", "status")
		a := h.call("PATCH", users+"/u1", `{"title": null, "icon": null, "team": null, "properties": {"logins": null, "level": null}}`).want(200, "")
		a.is(`"u1"`, "entity", "title").is("[]", "entity", "team").is("null", "entity", "properties", "logins").is("null", "entity", "properties", "level")
		h.call("PATCH", users+"/u1", `{"properties": {"status": null}}`).want(422, "blueprint_schema_mismatch").says("status")
		h.call("PATCH", users+"/u1", `{"identifier": "u2"}`).want(200, "").is(`"u2"`, "entity", "identifier")
		h.call("POST", users, `{"identifier": "u3", "properties": {"status": null}}`).want(422, "blueprint_schema_mismatch")
	})
}

func TestRelationValues(t *testing.T) {
	check(t, rules.IDs("3.4-1", "3.4-2", "3.4-3", "3.4-4", "3.4-5", "1.4-17", "1.4-18"), func(h *house) {
		h.okta()
		for _, id := range []string{"g1", "g2"} {
			h.call("POST", groups, `{"identifier": "`+id+`"}`).want(201, "")
		}
		h.user("u0", "")
		h.user("u1", `"relations": {"manager": "u0", "groups": ["g1", "g2"]}`).is(`"u0"`, "entity", "relations", "manager")
		h.call("PATCH", users+"/u1", `{"relations": {"manager": null, "groups": []}}`).want(200, "").is("null", "entity", "relations", "manager").is("[]", "entity", "relations", "groups")
		h.call("PATCH", users+"/u1", `{"relations": {"manager": ["u0"], "groups": "g1"}}`).want(200, "").is(`"u0"`, "entity", "relations", "manager").is(`["g1"]`, "entity", "relations", "groups")
		h.call("PATCH", users+"/u1", `{"relations": {"groups": null}}`).want(200, "").is("[]", "entity", "relations", "groups")
		h.call("PATCH", users+"/u1", `{"relations": {"manager": ["u0", "u1"]}}`).want(422, "relation_many_violation").says("manager")
		h.call("POST", badges, `{"identifier": "b1"}`).want(422, "required_relation").says("owner")
		h.call("POST", badges, `{"identifier": "b1", "relations": {"owner": null}}`).want(422, "required_relation").says("owner")
		h.call("PATCH", users+"/u1", `{"relations": {"manager": "u1"}}`).want(200, "") // to itself
	})
}

// A required relation that has a value cannot be emptied: the code is told, and the entity stays.
func TestRequiredRelationIsNotTakenAway(t *testing.T) {
	check(t, rules.IDs("1.4-10"), func(h *house) {
		h.okta()
		h.user("u0", "")
		h.call("POST", badges, `{"identifier": "b1", "relations": {"owner": "u0"}}`).want(201, "")
		for _, call := range [][2]string{{"PATCH", `{"relations": {"owner": null}}`}, {"PUT", `{"relations": {}}`}, {"PATCH", `{"relations": {"owner": []}}`}} {
			if a := h.call(call[0], badges+"/b1", call[1]); a.text("error") != "required_relation" || a.status != 403 && a.status != 422 {
				h.Errorf("%s %s: %d %s, want required_relation", call[0], call[1], a.status, a.body)
			}
		}
		h.call("GET", badges+"/b1", "").want(200, "").is(`"u0"`, "entity", "relations", "owner")
	})
}

func TestMissingRelatedEntity(t *testing.T) {
	check(t, rules.IDs("3.4-8", "3.4-9", "1.4-24", "1.4-12"), func(h *house) {
		h.okta()
		const body = `{"identifier": "u1", "properties": {"status": "ACTIVE"}, "relations": {"manager": "nobody", "groups": ["g1"]}}`
		for _, query := range []string{"", "?upsert=true&merge=true", "?upsert=true&create_missing_related_entities=false"} {
			h.call("POST", users+query, body).want(404, "not_found")
		}
		h.call("GET", users+"/u1", "").want(404, "not_found")
		h.call("GET", groups+"/g1", "").want(404, "not_found")
		h.call("POST", users+"?upsert=true&merge=true&create_missing_related_entities=true", body).want(201, "")
		h.call("GET", users+"/nobody", "").want(200, "").is("null", "entity", "properties", "status")
		h.call("GET", groups+"/g1", "").want(200, "")
	})
}

func TestRelationsByQuery(t *testing.T) {
	check(t, rules.IDs("3.4-6", "3.4-7"), func(h *house) {
		h.okta()
		for i, size := range []string{"1", "2", "2"} {
			h.call("POST", groups, fmt.Sprintf(`{"identifier": "g%d", "title": "Group %d", "properties": {"size": %s}}`, i, i, size)).want(201, "")
		}
		h.user("u0", "")
		query := func(rule string) string { return `{"combinator": "and", "rules": [` + rule + `]}` }
		patch := func(relations string) answer { return h.call("PATCH", users+"/u0", `{"relations": {`+relations+`}}`) }
		patch(`"groups": `+query(`{"property": "size", "operator": "=", "value": 2}`)).want(200, "").is(`["g1","g2"]`, "entity", "relations", "groups")
		patch(`"groups": `+query(`{"property": "$title", "operator": "contains", "value": "Group"}`)).want(200, "").is(`["g0","g1","g2"]`, "entity", "relations", "groups")
		patch(`"groups": `+query(`{"property": "$identifier", "operator": "in", "value": ["g0", "none"]}`)).want(200, "").is(`["g0"]`, "entity", "relations", "groups")
		patch(`"groups": `+query(`{"property": "size", "operator": "=", "value": 99}`)).want(200, "").is(`[]`, "entity", "relations", "groups")
		patch(`"manager": `+query(`{"property": "$identifier", "operator": "=", "value": "u0"}`)).want(200, "").is(`"u0"`, "entity", "relations", "manager")
		patch(`"manager": `+query(`{"property": "$identifier", "operator": "=", "value": "u7"}`)).want(200, "").is(`null`, "entity", "relations", "manager")
		h.user("u1", "")
		patch(`"manager": `+query(`{"property": "status", "operator": "=", "value": "ACTIVE"}`)).want(422, "relation_many_violation")
		h.call("POST", users+"?create_missing_related_entities=true", `{"identifier": "u2", "properties": {"status": "ACTIVE"}, "relations": {"groups": `+query(`{"property": "$identifier", "operator": "=", "value": "new"}`)+`}}`).
			want(201, "").is("[]", "entity", "relations", "groups")
		h.call("GET", groups+"/new", "").want(404, "not_found")
		h.call("POST", badges, `{"identifier": "b1", "relations": {"owner": `+query(`{"property": "$identifier", "operator": "=", "value": "none"}`)+`}}`).want(422, "required_relation")
	})
}

func TestRelationQueryKnowsNoCalculations(t *testing.T) {
	check(t, rules.IDs("3.4-6"), func(h *house) {
		h.okta()
		h.user("u0", "")
		a := h.call("PATCH", users+"/u0", `{"relations": {"manager": {"combinator": "and", "rules": [{"property": "isActive", "operator": "=", "value": true}]}}}`)
		if a.status != 422 {
			h.Errorf("a calculation in a relation's query: %d %s, want 422", a.status, a.body)
		}
	})
}

func TestRelationQueryFindsAtMostAHundred(t *testing.T) {
	check(t, rules.IDs("3.4-6", "9-6"), func(h *house) {
		h.okta()
		for page := range 6 {
			var list []string
			for i := range 20 {
				list = append(list, fmt.Sprintf(`{"identifier": "g%03d"}`, page*20+i))
			}
			h.call("POST", groups+"/bulk", `{"entities": [`+strings.Join(list, ",")+`]}`).want(200, "")
		}
		all := `{"combinator": "and", "rules": [{"property": "$identifier", "operator": "contains", "value": "g"}]}`
		a := h.call("POST", users, `{"identifier": "u1", "properties": {"status": "ACTIVE"}, "relations": {"groups": `+all+`}}`)
		switch n := strings.Count(a.at("entity", "relations", "groups"), `"g`); {
		case a.status == 201 && n > 100:
			h.Errorf("%d related entities of one query, want at most 100", n)
		case a.status != 201 && a.status != 422:
			h.Errorf("more than 100: %d %s", a.status, a.body)
		}
	})
}

func TestIdentifierByQuery(t *testing.T) {
	check(t, rules.IDs("3.4-10"), func(h *house) {
		h.okta()
		h.user("u0", `"title": "Ann"`)
		h.user("u1", `"title": "Ann"`)
		query := func(property, value string) string {
			return `{"combinator": "and", "rules": [{"property": "` + property + `", "operator": "=", "value": "` + value + `"}]}`
		}
		body := func(q string) string {
			return `{"identifier": ` + q + `, "properties": {"status": "STAGED"}}`
		}
		h.call("POST", users+"?upsert=true&merge=true", body(query("$identifier", "u1"))).want(200, "").is(`"u1"`, "entity", "identifier").is(`"STAGED"`, "entity", "properties", "status")
		for _, q := range []string{query("$identifier", "none"), query("$title", "Ann")} {
			if a := h.call("POST", users+"?upsert=true&merge=true", body(q)); a.status != 404 && a.status != 422 {
				h.Errorf("%s: %d %s, want 404 or 422", q, a.status, a.body)
			}
		}
		h.call("GET", "/v1/blueprints/okta_user/entities-count", "").want(200, "").is("2", "count")
		a := h.call("POST", users+"/bulk?upsert=true&merge=true", `{"entities": [`+body(query("$identifier", "u0"))+`, `+body(query("$identifier", "none"))+`]}`).want(207, "")
		a.is(`"u0"`, "entities", "0", "identifier").is(`"unknown"`, "errors", "0", "identifier").is("1", "errors", "0", "index")
	})
}

func TestDeleteOfWhatOthersNeed(t *testing.T) {
	check(t, rules.IDs("3.5-1", "3.5-2", "3.5-3", "3.1-6", "1.4-11"), func(h *house) {
		h.okta()
		h.user("u0", "")
		h.user("u1", `"relations": {"manager": "u0"}`)
		h.call("POST", badges, `{"identifier": "b1", "relations": {"owner": "u0", "seenBy": ["u0", "u1"]}}`).want(201, "")
		h.call("DELETE", users+"/u0", "").want(403, "has_dependents")
		h.call("GET", users+"/u0", "").want(200, "")
		h.call("DELETE", users+"/u0?delete_dependents=false", "").want(403, "has_dependents")
		h.call("DELETE", users+"/u1", "").want(200, "")
		h.call("GET", badges+"/b1", "").want(200, "").is(`["u0"]`, "entity", "relations", "seenBy")
		h.user("u2", `"relations": {"manager": "u0"}`)
		h.call("DELETE", users+"/u0?delete_dependents=true", "").want(200, "")
		h.call("GET", badges+"/b1", "").want(404, "not_found")
		h.call("GET", users+"/u2", "").want(200, "").is("null", "entity", "relations", "manager")
		h.call("DELETE", users+"/u0", "").want(404, "not_found")
		h.call("DELETE", "/v1/blueprints/none/entities/u0", "").want(404, "not_found")
	})
}

func TestDependantsGoRecursively(t *testing.T) {
	check(t, rules.IDs("3.5-2"), func(h *house) {
		h.okta()
		h.blueprint(`{"identifier": "pin", "title": "Pin", "schema": {"properties": {}, "required": []}, "relations": {"on": {"target": "badge", "required": true}}}`)
		h.user("u0", "")
		h.call("POST", badges, `{"identifier": "b1", "relations": {"owner": "u0"}}`).want(201, "")
		h.call("POST", "/v1/blueprints/pin/entities", `{"identifier": "p1", "relations": {"on": "b1"}}`).want(201, "")
		h.call("DELETE", users+"/u0?delete_dependents=true", "").want(200, "")
		h.call("GET", "/v1/blueprints/pin/entities/p1", "").want(404, "not_found")
	})
}
