package conform_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"longshore/internal/portapi/rules"
)

// find is the identifiers that a search finds, sorted.
func (h *house) find(rule string) []string {
	h.Helper()
	a := h.call("POST", "/v1/entities/search?include=identifier", `{"combinator": "and", "rules": [`+rule+`]}`).want(200, "")
	ids := a.list("identifier", "entities")
	slices.Sort(ids)
	return ids
}

// finds fails the test unless a rule finds these, of users alone.
func (h *house) finds(rule string, want ...string) {
	h.Helper()
	if got := h.find(`{"property": "$blueprint", "operator": "=", "value": "okta_user"}, ` + rule); fmt.Sprint(got) != fmt.Sprint(want) {
		h.Errorf("%s finds %v, want %v", rule, got, want)
	}
}

// people are users that differ in what searches ask for.
func (h *house) people() {
	h.Helper()
	h.okta()
	h.call("POST", groups, `{"identifier": "g1", "title": "Staff"}`).want(201, "")
	h.call("POST", groups, `{"identifier": "g2", "title": "Guests"}`).want(201, "")
	for _, body := range []string{
		`{"identifier": "ann", "title": "Ann", "team": ["core", "ops"], "properties": {"status": "ACTIVE", "logins": 5, "lastLogin": "2026-01-05T08:00:00Z", "tags": ["a", "b"], "admin": true}, "relations": {"groups": ["g1", "g2"]}}`,
		`{"identifier": "bob", "title": "Bob", "team": ["core"], "properties": {"status": "STAGED", "logins": 10, "lastLogin": "2025-12-30T08:00:00Z", "tags": []}, "relations": {"manager": "ann", "groups": ["g1"]}}`,
		`{"identifier": "cyd", "properties": {"status": "ACTIVE", "logins": 7.5}, "relations": {"manager": "bob"}}`,
	} {
		h.call("POST", users, body).want(201, "")
	}
}

func TestSearchCombinesRules(t *testing.T) {
	check(t, rules.IDs("4.1-1", "4.4-2"), func(h *house) {
		h.people()
		h.finds(`{"combinator": "or", "rules": [{"property": "logins", "operator": "=", "value": 5}, {"combinator": "and", "rules": [{"property": "status", "operator": "=", "value": "STAGED"}, {"property": "logins", "operator": ">", "value": 9}]}]}`, "ann", "bob")
		h.finds(`{"combinator": "and", "rules": []}`, "ann", "bob", "cyd")
		h.finds(`{"property": "none", "operator": "=", "value": null}`, "ann", "bob", "cyd")
		h.finds(`{"property": "none", "operator": "=", "value": "x"}`)
		deep := `{"property": "logins", "operator": "=", "value": 5}`
		for range 28 { // nesting is bounded here: docs/compat/port.md
			deep = `{"combinator": "and", "rules": [` + deep + `]}`
		}
		h.finds(deep, "ann")
	})
}

func TestSearchOperators(t *testing.T) {
	check(t, rules.IDs("4.1-2", "4.1-3", "4.1-4", "4.1-5", "4.1-6", "4.1-7", "4.1-8", "4.1-10", "4.1-12"), func(h *house) {
		h.people()
		for _, c := range []struct{ rule, want string }{
			{`"status", "operator": "=", "value": "ACTIVE"`, "ann cyd"},
			{`"status", "operator": "=", "value": "active"`, ""},
			{`"status", "operator": "!=", "value": "ACTIVE"`, "bob"},
			{`"lastLogin", "operator": "!=", "value": "2026-01-05T08:00:00Z"`, "bob cyd"},
			{`"lastLogin", "operator": "=", "value": null`, "cyd"},
			{`"lastLogin", "operator": "!=", "value": null`, "ann bob"},
			{`"admin", "operator": "=", "value": true`, "ann"},
			{`"admin", "operator": "!=", "value": true`, "bob cyd"},
			{`"tags", "operator": "=", "value": ["a", "b"]`, "ann"},
			{`"logins", "operator": ">", "value": 5`, "bob cyd"},
			{`"logins", "operator": "<=", "value": 7.5`, "ann cyd"},
			{`"lastLogin", "operator": "<", "value": "2026-01-01T00:00:00Z"`, "bob"},
			{`"$title", "operator": "contains", "value": "n"`, "ann"},
			{`"$title", "operator": "doesNotContains", "value": "n"`, "bob cyd"},
			{`"tags", "operator": "contains", "value": "a"`, "ann"},
			{`"tags", "operator": "containsAny", "value": ["b", "z"]`, "ann"},
			{`"$identifier", "operator": "beginsWith", "value": "b"`, "bob"},
			{`"$identifier", "operator": "doesNotBeginsWith", "value": "b"`, "ann cyd"},
			{`"$identifier", "operator": "endsWith", "value": "d"`, "cyd"},
			{`"$identifier", "operator": "doesNotEndsWith", "value": "d"`, "ann bob"},
			{`"status", "operator": "in", "value": ["ACTIVE", "x"]`, "ann cyd"},
			{`"status", "operator": "notIn", "value": ["ACTIVE"]`, "bob"},
			{`"$team", "operator": "in", "value": ["ops", "none"]`, "ann"},
			{`"$team", "operator": "notIn", "value": ["ops"]`, "bob cyd"},
			{`"lastLogin", "operator": "between", "value": {"from": "2025-12-01T00:00:00Z", "to": "2025-12-31T23:59:59Z"}`, "bob"},
			{`"lastLogin", "operator": "notBetween", "value": {"from": "2025-12-01T00:00:00Z", "to": "2025-12-31T23:59:59Z"}`, "ann cyd"},
			{`"lastLogin", "operator": "isEmpty"`, "cyd"},
			{`"lastLogin", "operator": "isNotEmpty"`, "ann bob"},
			{`"tags", "operator": "isEmpty"`, "bob cyd"},
		} {
			h.finds(`{"property": `+c.rule+`}`, strings.Fields(c.want)...)
		}
	})
}

func TestSearchPresets(t *testing.T) {
	check(t, rules.IDs("4.1-8", "4.1-9"), func(h *house) {
		h.people() // the clock stands at 2026-01-05T10:00
		for preset, want := range map[string]string{"today": "ann", "lastDay": "ann", "lastWeek": "ann bob", "lastMonth": "ann bob", "yesterday": "", "tomorrow": "", "last2Weeks": "ann bob", "last3Months": "ann bob", "last6Months": "ann bob", "last12Months": "ann bob"} {
			h.finds(`{"property": "lastLogin", "operator": "between", "value": {"preset": "`+preset+`"}}`, strings.Fields(want)...)
		}
		h.finds(`{"property": "lastLogin", "operator": "=", "value": {"preset": "today"}}`, "ann")
		h.call("POST", "/v1/entities/search", `{"combinator": "and", "rules": [{"property": "lastLogin", "operator": "between", "value": {"preset": "someday"}}]}`).want(422, "invalid_request").says("someday")
	})
}

func TestSearchOfTimers(t *testing.T) {
	check(t, rules.IDs("4.1-11", "2.3-8"), func(h *house) {
		h.blueprint(`{"identifier": "key", "title": "Key", "schema": {"properties": {"ends": {"type": "string", "format": "timer"}}, "required": []}}`)
		for id, ends := range map[string]string{"old": `"2026-01-05T09:00:00Z"`, "new": `"2026-01-06T09:00:00Z"`, "none": "null"} {
			h.call("POST", "/v1/blueprints/key/entities", `{"identifier": "`+id+`", "properties": {"ends": `+ends+`}}`).want(201, "")
		}
		h.call("POST", "/v1/blueprints/key/entities", `{"identifier": "x", "properties": {"ends": "soon"}}`).want(422, "blueprint_schema_mismatch")
		for operator, want := range map[string]string{"isExpired": "[old]", "isNotExpired": "[new]"} {
			if got := fmt.Sprint(h.find(`{"property": "ends", "operator": "` + operator + `"}`)); got != want {
				h.Errorf("%s finds %s, want %s", operator, got, want)
			}
		}
		h.clock.move(24 * time.Hour)
		h.signIn()
		if got := fmt.Sprint(h.find(`{"property": "ends", "operator": "isExpired"}`)); got != "[new old]" {
			h.Errorf("a day later isExpired finds %s", got)
		}
	})
}

func TestSearchByKindOfProperty(t *testing.T) {
	check(t, rules.IDs("4.1-13"), func(h *house) {
		h.people()
		h.finds(`{"propertySchema": {"type": "string"}, "operator": "=", "value": "STAGED"}`, "bob")
		h.finds(`{"propertySchema": {"type": "string"}, "operator": "contains", "value": "TAG"}`, "bob")
		h.finds(`{"propertySchema": {"type": "number"}, "operator": "=", "value": 5}`, "ann")
		h.finds(`{"propertySchema": {"type": "string", "format": "date-time"}, "operator": "=", "value": "2025-12-30T08:00:00Z"}`, "bob")
	})
}

// A machine has no user: what is asked of the caller's user or teams is empty.
func TestSearchInContext(t *testing.T) {
	check(t, rules.IDs("4.1-14", "4.1-15"), func(h *house) {
		h.people()
		h.finds(`{"property": "$identifier", "operator": "=", "value": {"context": "user", "property": "$identifier"}}`)
		h.finds(`{"property": "$team", "operator": "containsAny", "value": {"context": "userTeams", "property": "$identifier"}}`)
		h.finds(`{"property": "$team", "operator": "in", "value": ["My Teams"]}`)
	})
}

// A credential that stands for a person asks as that person: by the entity of _user that has its address, by the teams
// that have it, and by the entities of _team that bear their names.
func TestSearchInContextOfAPerson(t *testing.T) {
	check(t, rules.IDs("4.1-14", "4.1-15"), func(h *house) {
		h.people()
		h.call("POST", "/v1/blueprints/_user/entities", `{"identifier": "Pat@example.com", "team": ["web"], "properties": {"status": "Active", "moderated_blueprints": ["okta_user", "okta_group"]}}`).want(201, "")
		h.call("POST", "/v1/blueprints/_team/entities", `{"identifier": "core", "title": "The core", "properties": {"description": "bob", "size": 5}}`).want(201, "")
		h.call("POST", "/v1/teams", `{"name": "core", "users": ["pat@example.com"]}`).want(200, "")
		h.call("POST", "/v1/teams", `{"name": "others", "users": ["sam@example.com"]}`).want(200, "")
		for id, team := range map[string]string{"ann": `"core"`, "bob": `["web", "others"]`} {
			h.call("PATCH", users+"/"+id, `{"team": `+team+`}`).want(200, "")
		}
		queries := map[string]struct{ pat, sam string }{ // what either finds
			`{"property": "$team", "operator": "containsAny", "value": {"context": "userTeams", "property": "$identifier"}}`: {"[Pat@example.com ann bob]", "[bob]"},
			`{"property": "$team", "operator": "in", "value": ["My Teams"]}`:                                                 {"[Pat@example.com ann bob]", "[bob]"},
			`{"property": "$team", "operator": "in", "value": {"context": "user", "property": "$team"}}`:                     {"[Pat@example.com ann bob]", "[bob]"},
			`{"property": "$team", "operator": "in", "value": {"context": "userTeams", "property": "$title"}}`:               {"[Pat@example.com bob]", "[bob]"},
			`{"property": "$identifier", "operator": "in", "value": {"context": "userTeams", "property": "description"}}`:    {"[bob]", "[]"},
			`{"property": "$blueprint", "operator": "in", "value": {"context": "user", "property": "moderated_blueprints"}}`: {"[ann bob cyd g1 g2]", "[]"},
			`{"property": {"context": "user", "property": "status"}, "operator": "=", "value": "Active"}`:                    {"everything", "[]"},
			`{"property": {"context": "user", "property": "$identifier"}, "operator": "=", "value": "sam@example.com"}`:      {"[]", "everything"},
		}
		for who, wants := range map[string]func(c struct{ pat, sam string }) string{
			"pat@example.com": func(c struct{ pat, sam string }) string { return c.pat },
			"sam@example.com": func(c struct{ pat, sam string }) string { return c.sam },
		} {
			h.signIn()
			everything := fmt.Sprint(h.find(`{"property": "$identifier", "operator": "isNotEmpty"}`))
			h.signInAs(who)
			for rule, c := range queries {
				want := strings.ReplaceAll(wants(c), "everything", everything)
				if got := fmt.Sprint(h.find(rule)); got != want {
					h.Errorf("%s: %s finds %s, want %s", who, rule, got, want)
				}
				n := len(strings.Fields(strings.Trim(want, "[]")))
				count := h.call("POST", "/v1/entities/aggregate", `{"func": "count", "query": {"combinator": "and", "rules": [`+rule+`]}}`).want(200, "").at("result")
				if count != fmt.Sprint(n) {
					h.Errorf("%s: %s counts %s, want %d", who, rule, count, n)
				}
			}
		}
	})
}

func TestSearchOfABlueprintByRelation(t *testing.T) {
	check(t, rules.IDs("4.1-16"), func(h *house) {
		h.people()
		for rule, want := range map[string]string{
			`"relation": "manager", "operator": "=", "value": "ann"`:                                      "[bob]",
			`"relation": "manager", "targetProperty": "$title", "operator": "=", "value": "Ann"`:          "[bob]",
			`"relation": "groups", "targetProperty": "$title", "operator": "contains", "value": "Guests"`: "[ann]",
			`"relation": "manager", "operator": "isEmpty"`:                                                "[ann]",
		} {
			a := h.call("POST", users+"/search", `{"query": {"combinator": "and", "rules": [{`+rule+`}]}}`).want(200, "")
			if got := fmt.Sprint(a.list("identifier", "entities")); got != want {
				h.Errorf("%s finds %s, want %s", rule, got, want)
			}
		}
	})
}

func TestRelatedTo(t *testing.T) {
	check(t, rules.IDs("4.2-1"), func(h *house) {
		h.people()
		related := func(id, more string) []string {
			return h.find(`{"operator": "relatedTo", "blueprint": "okta_user", "value": ` + id + more + `}`)
		}
		for _, c := range []struct{ id, more, want string }{
			{`"bob"`, `, "direction": "upstream"`, "[ann g1 g2]"},
			{`"bob"`, `, "direction": "downstream"`, "[cyd]"},
			{`"bob"`, ``, "[ann cyd g1 g2]"},
			{`["ann", "bob"]`, `, "direction": "downstream"`, "[cyd]"},
			{`"bob"`, `, "required": true`, "[]"},
			{`"nobody"`, ``, "[]"},
		} {
			if got := fmt.Sprint(related(c.id, c.more)); got != c.want {
				h.Errorf("relatedTo %s%s finds %s, want %s", c.id, c.more, got, c.want)
			}
		}
	})
}

func TestMatchAny(t *testing.T) {
	check(t, rules.IDs("4.3-1", "9-9"), func(h *house) {
		h.people()
		h.finds(`{"operator": "matchAny", "property": {"path": ["manager"]}, "value": "ann"}`, "bob")
		h.finds(`{"operator": "matchAny", "property": {"path": ["manager", "groups"]}, "value": ["g1", "x"]}`, "bob", "cyd")
		h.finds(`{"operator": "matchAny", "property": {"path": [{"relation": "manager", "maxHops": 3}]}, "value": "ann"}`, "bob", "cyd")
		h.finds(`{"operator": "matchAny", "property": {"path": ["manager"], "fromBlueprint": "okta_user"}, "value": "cyd"}`, "bob")
		for _, path := range []string{`[{"relation": "manager", "maxHops": 16}]`, `[{"relation": "manager", "maxHops": 0}]`, `[{"relation": "manager", "maxHops": 2}, {"relation": "manager", "maxHops": 2}]`} {
			h.call("POST", "/v1/entities/search", `{"combinator": "and", "rules": [{"operator": "matchAny", "property": {"path": `+path+`}, "value": "ann"}]}`).want(422, "invalid_request")
		}
	})
}

func TestSearchNamesTheBlueprintsItFound(t *testing.T) {
	check(t, rules.IDs("4.4-1", "4.4-2"), func(h *house) {
		h.people()
		a := h.call("POST", "/v1/entities/search?exclude_calculated_properties=0xc000&include=identifier", `{"combinator": "and", "rules": []}`).want(200, "")
		matching := a.at("matchingBlueprints")
		if !same(matching, `["okta_group","okta_user"]`) {
			h.Errorf("matchingBlueprints %s", matching)
		}
		for i, id := range a.list("blueprint", "entities") {
			if id == "" {
				h.Errorf("entity %d has no blueprint: %s", i, a.body)
			}
		}
		h.call("POST", "/v1/entities/search", `{"combinator": "and", "rules": [{"property": "$identifier", "operator": "=", "value": "none"}]}`).want(200, "").is("[]", "matchingBlueprints").is("[]", "entities")
		h.call("POST", "/v1/entities/search", `{"combinator": "and", "rules": [{"property": "$identifier", "operator": "sounds like", "value": "none"}]}`).want(422, "invalid_request").says("sounds like")
	})
}

func TestBlueprintSearchPages(t *testing.T) {
	check(t, rules.IDs("4.5-1", "9-5"), func(h *house) {
		h.okta()
		for start := 0; start < 220; start += 20 {
			var list []string
			for i := range 20 {
				list = append(list, fmt.Sprintf(`{"identifier": "g%03d"}`, start+i))
			}
			h.call("POST", groups+"/bulk", `{"entities": [`+strings.Join(list, ",")+`]}`).want(200, "")
		}
		first := h.call("POST", groups+"/search", `{}`).want(200, "")
		if n := len(first.list("identifier", "entities")); n != 200 || first.text("next") == "" {
			h.Errorf("the first page has %d entities, next %q; want 200 and a cursor", n, first.text("next"))
		}
		seen := map[string]bool{}
		body := `{"limit": 50, "include": ["identifier"]}`
		for page := 0; ; page++ {
			a := h.call("POST", groups+"/search", body).want(200, "")
			for _, id := range a.list("identifier", "entities") {
				if seen[id] {
					h.Errorf("%s comes twice", id)
				}
				seen[id] = true
			}
			// What is written meanwhile shifts nothing.
			h.call("POST", groups, fmt.Sprintf(`{"identifier": "a-new-%d"}`, page)).want(201, "")
			h.call("DELETE", fmt.Sprintf("%s/g%03d", groups, page), "").want(200, "")
			if page > 20 {
				h.Fatal("the pages do not end")
			}
			if a.at("next") == "" {
				break
			}
			body = `{"limit": 50, "include": ["identifier"], "from": ` + a.at("next") + `}`
		}
		for i := range 220 {
			if id := fmt.Sprintf("g%03d", i); !seen[id] && i > 5 {
				h.Errorf("%s is on no page", id)
			}
		}
		for _, limit := range []string{"0", "1001", "-1", "1.5"} {
			h.call("POST", groups+"/search", `{"limit": `+limit+`}`).want(422, "invalid_request")
		}
		h.call("POST", groups+"/search", `{"limit": 1000}`).want(200, "").is("", "next")
		h.call("POST", "/v1/blueprints/none/entities/search", `{}`).want(404, "not_found")
		h.call("POST", groups+"/search/count", `{"query": {"combinator": "and", "rules": [{"property": "$identifier", "operator": "=", "value": "g100"}]}}`).want(200, "").is("1", "count")
	})
}

func TestSearchesOfOcean(t *testing.T) {
	check(t, rules.IDs("4.6-1", "4.6-2", "3.8-1"), func(h *house) {
		h.okta()
		const exporter = "User-Agent: port-ocean/okta/1.2.3/my-okta/exporter"
		for _, id := range []string{"u1", "u2"} {
			h.call("POST", users, `{"identifier": "`+id+`", "properties": {"status": "ACTIVE", "logins": 1}}`, exporter).want(201, "")
		}
		h.user("mine", "")
		a := h.call("POST", "/v1/entities/search?include=blueprint&include=identifier&include=properties.status&exclude_calculated_properties=true",
			`{"combinator": "and", "rules": [{"property": "$identifier", "operator": "in", "value": ["u1", "u2", "u3"]}, {"property": "$blueprint", "operator": "=", "value": "okta_user"}]}`).want(200, "")
		a.is(`[{"identifier":"u1","blueprint":"okta_user","properties":{"status":"ACTIVE"}},{"identifier":"u2","blueprint":"okta_user","properties":{"status":"ACTIVE"}}]`, "entities")
		a = h.call("POST", "/v1/entities/search?include=blueprint&include=identifier", `{"combinator": "and", "rules": [
			{"property": "$datasource", "operator": "contains", "value": "port-ocean/okta/"}, {"property": "$datasource", "operator": "contains", "value": "/my-okta/exporter"}]}`).want(200, "")
		a.is(`[{"identifier":"u1","blueprint":"okta_user"},{"identifier":"u2","blueprint":"okta_user"}]`, "entities")
	})
}

func TestEntitiesOfADatasource(t *testing.T) {
	check(t, rules.IDs("4.7-1", "3.1-9", "3.8-1"), func(h *house) {
		h.okta()
		h.blueprint(`{"identifier": "entities", "title": "A blueprint of that name", "schema": {"properties": {}, "required": []}}`)
		const path = "/v1/blueprints/entities/datasource-entities"
		write := func(id, agent string) {
			h.Helper()
			h.call("POST", groups+"?upsert=true", `{"identifier": "`+id+`"}`, "User-Agent: "+agent)
		}
		write("g1", "port-ocean/okta/1.2.3/my-okta/exporter")
		write("g2", "port-ocean/okta/1.2.3/my-okta/exporter")
		write("g3", "port-ocean/okta/1.2.3/other/exporter")
		write("k1", "port-k8s-exporter/0.1 (statekey/abc)")
		h.clock.move(time.Hour)
		write("g4", "port-ocean/okta/1.2.3/my-okta/exporter")
		ids := func(body string) (string, answer) {
			h.Helper()
			a := h.call("POST", path, body).want(200, "")
			return fmt.Sprint(a.list("identifier", "entities")), a
		}
		got, a := ids(`{"datasource_prefix": "port-ocean/okta/", "datasource_suffix": "/my-okta/exporter"}`)
		if got != "[g1 g2 g4]" {
			h.Errorf("found %s", got)
		}
		a.is("null", "next").is(`{"identifier":"g1","blueprint":"okta_group"}`, "entities", "0")
		if got, _ := ids(`{"datasource_prefix": "port-ocean/okta/", "datasource_suffix": "/my-okta/exporter", "before": "2026-01-05T10:30:00.000Z"}`); got != "[g1 g2]" {
			h.Errorf("before: found %s", got)
		}
		if got, _ := ids(`{"datasource_prefix": "port-k8s-exporter", "datasource_suffix": "(statekey/abc)"}`); got != "[k1]" {
			h.Errorf("k8s: found %s", got)
		}
		if got, _ := ids(`{"datasource_prefix": "", "datasource_suffix": ""}`); got != "[]" {
			h.Errorf("empty prefix and suffix: found %s, want nothing", got)
		}
		page, a := ids(`{"datasource_prefix": "port-ocean/okta/", "limit": 2}`)
		rest, last := ids(`{"datasource_prefix": "port-ocean/okta/", "limit": 2, "from": ` + a.at("next") + `}`)
		if page != "[g1 g2]" || rest != "[g3 g4]" {
			h.Errorf("pages %s and %s", page, rest)
		}
		if next := last.at("next"); next != "null" {
			if empty, _ := ids(`{"datasource_prefix": "port-ocean/okta/", "limit": 2, "from": ` + next + `}`); empty != "[]" {
				h.Errorf("after the last page: %s", empty)
			}
		}
	})
}

func TestSearchExtras(t *testing.T) {
	check(t, rules.IDs("4.8-1", "4.8-2"), func(h *house) {
		h.people()
		a := h.call("POST", users+"/top-search", `{"query": {"combinator": "and", "rules": []}, "limit": 2, "sort": [{"property": "logins", "order": "desc"}], "include": ["identifier", "properties.logins"]}`).want(200, "")
		if got := fmt.Sprint(a.list("identifier", "entities")); got != "[bob cyd]" {
			h.Errorf("sorted by logins: %s, want [bob cyd]", got)
		}
		h.call("POST", users+"/top-search", `{"identifiers": ["ann", "none"], "query": {"combinator": "and", "rules": []}}`).want(200, "").is(`"ann"`, "entities", "0", "identifier")
		h.call("POST", users+"/top-search", `{"countOnly": true, "query": {"combinator": "and", "rules": []}}`).want(200, "")
		h.call("POST", users+"/search/count", `{"query": {"combinator": "and", "rules": [{"property": "status", "operator": "=", "value": "ACTIVE"}]}}`).want(200, "").is("2", "count")
		h.call("POST", "/v1/blueprints/none/entities/search/count", `{}`).want(404, "not_found")
	})
}

func TestMetaPropertiesAreSearched(t *testing.T) {
	check(t, rules.IDs("3.7-1"), func(h *house) {
		h.people()
		for rule, want := range map[string]string{
			`"$identifier", "operator": "=", "value": "ann"`: "ann", `"$title", "operator": "=", "value": "Bob"`: "bob", `"$icon", "operator": "isEmpty"`: "ann bob cyd",
			`"$team", "operator": "contains", "value": "ops"`: "ann", `"$createdAt", "operator": ">", "value": "2026-01-05T00:00:00Z"`: "ann bob cyd",
			`"$updatedAt", "operator": "<", "value": "2026-01-05T00:00:00Z"`: "", `"$createdBy", "operator": "=", "value": "client_1"`: "ann bob cyd",
			`"$updatedBy", "operator": "!=", "value": "client_1"`: "", `"$datasource", "operator": "beginsWith", "value": "conform/"`: "ann bob cyd",
		} {
			h.finds(`{"property": `+rule+`}`, strings.Fields(want)...)
		}
	})
}

func TestIncludeAndExclude(t *testing.T) {
	check(t, rules.IDs("3.7-2"), func(h *house) {
		h.people()
		h.call("GET", users+"/ann?include=title", "").want(200, "").is(`"ann"`, "entity", "identifier").is("", "entity", "properties").is("", "entity", "createdAt")
		h.call("GET", users+"/ann?include=properties.status,relations.groups", "").want(200, "").is(`{"status":"ACTIVE"}`, "entity", "properties").is(`{"groups":["g1","g2"]}`, "entity", "relations")
		h.call("GET", users+"/ann?exclude=properties", "").want(200, "").is("", "entity", "properties").is(`"Ann"`, "entity", "title")
		h.call("GET", users+"/ann?exclude=properties.status&exclude=identifier", "").want(200, "").is("", "entity", "properties", "status").is("5", "entity", "properties", "logins").is(`"ann"`, "entity", "identifier")
		h.call("POST", users+"/search", `{"include": ["properties.status"], "limit": 1}`).want(200, "").is(`{"status":"ACTIVE"}`, "entities", "0", "properties")
		h.call("POST", users+"/search", `{"exclude": ["properties.status"], "limit": 1}`).want(200, "").is("", "entities", "0", "properties", "status")
	})
}

func TestTitlesAreAttached(t *testing.T) {
	check(t, rules.IDs("3.7-3"), func(h *house) {
		h.people()
		h.call("GET", users+"/bob?attach_title_to_relation=true", "").want(200, "").is(`{"identifier":"ann","title":"Ann"}`, "entity", "relations", "manager").is(`[{"identifier":"g1","title":"Staff"}]`, "entity", "relations", "groups")
		h.call("GET", users+"/ann?attach_title_to_relation=true", "").want(200, "").is(`null`, "entity", "relations", "manager")
		h.call("POST", "/v1/entities/search?attach_title_to_relation=true", `{"combinator": "and", "rules": [{"property": "$identifier", "operator": "=", "value": "cyd"}]}`).want(200, "").
			is(`{"identifier":"bob","title":"Bob"}`, "entities", "0", "relations", "manager")
	})
}

func TestTitleMirrorsGetIdentifiers(t *testing.T) {
	check(t, rules.IDs("3.7-4", "2.4-1", "2.4-9"), func(h *house) {
		h.people()
		h.call("PATCH", "/v1/blueprints/okta_user", `{"mirrorProperties": {"boss": {"title": "Boss", "path": "manager.$title"}, "groupTitles": {"path": "groups.$title"}}}`).want(200, "")
		h.call("GET", users+"/bob", "").want(200, "").is(`"Ann"`, "entity", "properties", "boss").is(`["Staff"]`, "entity", "properties", "groupTitles").is(`"ACTIVE"`, "entity", "properties", "managerStatus")
		h.call("GET", users+"/bob?attach_identifier_to_title_mirror_properties=true", "").want(200, "").is(`{"identifier":"ann","title":"Ann"}`, "entity", "properties", "boss")
		h.call("GET", users+"/bob?exclude_calculated_properties=true", "").want(200, "").is("", "entity", "properties", "boss").is("", "entity", "properties", "isActive").is(`"STAGED"`, "entity", "properties", "status")
	})
}

// Nothing fails in part here: what a search found is answered, and no blueprint is listed as failed.
func TestPartialResultsAreAllowed(t *testing.T) {
	check(t, rules.IDs("3.7-5"), func(h *house) {
		h.people()
		a := h.call("POST", "/v1/entities/search?allow_partial_results=true", `{"combinator": "and", "rules": []}`).want(200, "")
		if failed := a.at("failedBlueprints"); failed != "" && failed != "[]" {
			h.Errorf("failedBlueprints %s, want none", failed)
		}
	})
}
