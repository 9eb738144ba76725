package conform_test

import (
	"fmt"
	"strings"
	"testing"

	"longshore/internal/portapi/rules"
)

func TestBulkWritesEachOnItsOwn(t *testing.T) {
	check(t, rules.IDs("3.6-1", "3.6-2", "3.6-4", "3.1-7"), func(h *house) {
		h.okta()
		h.user("u0", "")
		a := h.call("POST", users+"/bulk?upsert=true&merge=true&create_missing_related_entities=false&ocean_info_event_type=resync&ocean_info_resync_id=1", `{"entities": [
			{"identifier": "u0", "properties": {"logins": 1}},
			{"identifier": "u1", "properties": {"status": "ACTIVE"}, "relations": {"manager": "nobody"}},
			{"identifier": "u2", "properties": {"status": "GONE"}},
			{"identifier": "u3", "properties": {"status": "ACTIVE"}, "relations": {"manager": "u4"}},
			{"identifier": "u4", "properties": {"status": "ACTIVE"}},
			"no entity", {"identifier": "a b"}, {"properties": {"status": "ACTIVE"}}]}`).want(207, "")
		if got := fmt.Sprint(a.list("index", "entities"), a.list("created", "entities")); got != "[0 3 4 7] [false true true true]" {
			h.Errorf("done %s", got)
		}
		if got := fmt.Sprint(a.list("index", "errors"), a.list("statusCode", "errors"), a.list("error", "errors")); got != "[1 2 5 6] [404 422 422 422] [not_found blueprint_schema_mismatch invalid_request invalid_request]" {
			h.Errorf("failed %s", got)
		}
		for i, id := range []string{`"u1"`, `"u2"`} {
			a.is(id, "errors", fmt.Sprint(i), "identifier")
			if a.text("errors", fmt.Sprint(i), "message") == "" {
				h.Errorf("error %d has no message", i)
			}
		}
		h.call("GET", users+"/u3", "").want(200, "").is(`"u4"`, "entity", "relations", "manager")
		all := h.call("POST", groups+"/bulk", `{"entities": [{"identifier": "g1"}]}`).want(200, "").is("[]", "errors")
		all.is(`[{"index":0,"identifier":"g1","created":true}]`, "entities")
		h.call("POST", groups+"/bulk", `{"entities": [{"identifier": "g1"}]}`).want(207, "").is("[]", "entities").is("409", "errors", "0", "statusCode").is(`"identifier_taken"`, "errors", "0", "error")
	})
}

func TestBulkIsBounded(t *testing.T) {
	check(t, rules.IDs("3.6-1", "9-4", "9-1", "1.4-14"), func(h *house) {
		h.okta()
		list := func(n int) string {
			var all []string
			for i := range n {
				all = append(all, fmt.Sprintf(`{"identifier": "g%d"}`, i))
			}
			return `{"entities": [` + strings.Join(all, ",") + `]}`
		}
		h.call("POST", groups+"/bulk", list(0)).want(422, "invalid_request")
		h.call("POST", groups+"/bulk", list(21)).want(422, "invalid_request").says("20")
		h.call("POST", groups+"/bulk", list(20)).want(200, "")
		h.call("POST", groups+"/bulk", `{}`).want(422, "invalid_request")
		h.call("POST", groups+"/bulk", `{"entities": {}}`).want(422, "invalid_request")
		h.call("POST", groups+"/bulk", `{"entities": [{"identifier": "`+strings.Repeat("x", 1<<20)+`"}]}`).want(413, "bad_request")
	})
}

func TestBulkErrorOfAnUnresolvedQueryIsUnknown(t *testing.T) {
	check(t, rules.IDs("3.6-3"), func(h *house) {
		h.okta()
		a := h.call("POST", groups+"/bulk?upsert=true", `{"entities": [{"identifier": {"combinator": "and", "rules": [{"property": "$title", "operator": "=", "value": "none"}]}}]}`).want(207, "")
		a.is(`"unknown"`, "errors", "0", "identifier").is("0", "errors", "0", "index")
	})
}

func TestBulkDelete(t *testing.T) {
	check(t, rules.IDs("3.6-5", "3.1-8", "9-4"), func(h *house) {
		h.okta()
		for _, id := range []string{"u0", "u1", "u2", "u3"} {
			h.user(id, "")
		}
		h.call("POST", badges, `{"identifier": "b1", "relations": {"owner": "u0"}}`).want(201, "")
		const path = "/v1/blueprints/okta_user/bulk/entities/delete"
		h.call("POST", path, `{"entities": ["u1", "u0"]}`).want(403, "has_dependents")
		h.call("GET", users+"/u1", "").want(200, "")
		h.call("POST", path, `{"entities": ["u1", "nobody"]}`).want(200, "").is(`["u1"]`, "deletedEntities")
		h.call("DELETE", "/v1/blueprints/okta_user/bulk/entities", `{"entities": ["u2"]}`).want(200, "").is(`["u2"]`, "deletedEntities")
		h.call("POST", path+"?delete_dependents=true", `{"entities": ["u0"]}`).want(200, "")
		h.call("GET", badges+"/b1", "").want(404, "not_found")
		many := `"u3"` + strings.Repeat(`,"x"`, 100)
		h.call("POST", path, `{"entities": [`+many+`]}`).want(422, "invalid_request").says("100")
		h.call("POST", path, `{"entities": []}`).want(422, "invalid_request")
		h.call("POST", path, `{"entities": [1]}`).want(422, "invalid_request")
		h.call("POST", path, `{"entities": [`+many[:len(many)-4]+`]}`).want(200, "").is(`["u3"]`, "deletedEntities")
	})
}
