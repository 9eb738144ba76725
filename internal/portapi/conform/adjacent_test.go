package conform_test

import (
	"strings"
	"testing"

	"longshore/internal/portapi/rules"
)

func TestOrganizationAndSecrets(t *testing.T) {
	check(t, rules.IDs("1.7-2", "1.7-3", "1.7-4"), func(h *house) {
		h.call("PUT", "/v1/organization", `{"name": "Acme"}`).want(200, "").is(`{"ok": true}`)
		h.call("PATCH", "/v1/organization", `{"name": "Acme 2"}`).want(200, "").is(`{"ok": true}`)
		h.call("GET", "/v1/organization", "").want(200, "").is(`"Acme 2"`, "organization", "name").is("[]", "organization", "featureFlags")
		const secrets = "/v1/organization/secrets"
		for _, a := range []answer{
			h.call("POST", secrets, `{"secretName": "K", "secretValue": "hunter2", "description": "d"}`).want(200, ""), h.call("GET", secrets+"/K", "").want(200, ""),
			h.call("PATCH", secrets+"/K", `{"secretValue": "hunter2"}`).want(200, ""),
		} {
			if a.is(`"K"`, "secret", "secretName").is(`"d"`, "secret", "description"); strings.Contains(a.body, "hunter2") {
				h.Errorf("%s answers the value: %s", a.call, a.body)
			}
		}
		h.call("DELETE", secrets+"/K", "").want(200, "")
		h.call("GET", secrets+"/K", "").want(404, "not_found")
		h.call("GET", "/v1/users", "").want(200, "").is("[]", "users")
		h.call("GET", "/v1/users/a@b.example", "").want(404, "not_found")
	})
}

func TestTeams(t *testing.T) {
	check(t, rules.IDs("5-1"), func(h *house) {
		a := h.call("POST", "/v1/teams", `{"name": "core", "description": "d", "users": ["a@b.example"]}`).want(200, "")
		if users := a.at("team", "users"); users != "" && !same(users, `["a@b.example"]`) {
			h.Errorf("POST answers users %s, want strings", users)
		}
		h.call("GET", "/v1/teams/core?fields=name&fields=users.email&fields=users.status", "").want(200, "").is(`"a@b.example"`, "team", "users", "0", "email").is(`"ACTIVE"`, "team", "users", "0", "status")
		h.call("GET", "/v1/teams", "").want(200, "").is(`"core"`, "teams", "0", "name").is(`"port"`, "teams", "0", "provider")
		h.call("PUT", "/v1/teams/core", `{"name": "ops", "users": []}`).want(200, "").is(`"ops"`, "team", "name")
		h.call("GET", "/v1/teams/core", "").want(404, "not_found")
		h.call("DELETE", "/v1/teams/ops", "").want(200, "")
	})
}

func TestScorecards(t *testing.T) {
	check(t, rules.IDs("5-2"), func(h *house) {
		h.okta()
		const path = "/v1/blueprints/okta_user/scorecards"
		const cards = `"rules": [{"identifier": "z", "title": "Z", "level": "Gold", "query": {"combinator": "and", "conditions": [{"property": "status", "operator": "=", "value": "ACTIVE"}]}},
			{"identifier": "a", "title": "A", "level": "Bronze", "query": {"combinator": "and", "conditions": [{"property": "logins", "operator": "isNotEmpty"}]}}]`
		a := h.call("POST", path, `{"identifier": "s", "title": "S", `+cards+`}`).want(201, "").is(`"z"`, "scorecard", "rules", "0", "identifier").is(`"a"`, "scorecard", "rules", "1", "identifier")
		a.is(`[{"title":"Basic","color":"paleBlue"},{"title":"Bronze","color":"bronze"},{"title":"Silver","color":"silver"},{"title":"Gold","color":"gold"}]`, "scorecard", "levels")
		h.call("GET", path+"/s", "").want(200, "").is(`"S"`, "scorecard", "title")
		h.call("PUT", path+"/s", `{"identifier": "s", "title": "T", `+cards+`}`).want(200, "").is(`"T"`, "scorecard", "title").is(`"z"`, "scorecard", "rules", "0", "identifier")
		for _, list := range []string{path, "/v1/scorecards"} {
			h.call("GET", list, "").want(200, "").is(`"s"`, "scorecards", "0", "identifier")
		}
		h.call("DELETE", path+"/s", "").want(200, "")
		h.call("GET", path+"/s", "").want(404, "not_found")
	})
}

func TestPermissions(t *testing.T) {
	check(t, rules.IDs("5-3", "1.4-9"), func(h *house) {
		h.okta()
		const path = "/v1/blueprints/okta_user/permissions"
		a := h.call("GET", path, "").want(200, "")
		for _, leaf := range [][]string{{"read"}, {"register"}, {"unregister"}, {"update"}, {"updateProperties", "status"}, {"updateProperties", "$title"}, {"updateProperties", "$identifier"}, {"updateRelations", "manager"}} {
			for _, key := range []string{"users", "roles", "teams", "ownedByTeam"} {
				if a.at(append(append([]string{"permissions", "entities"}, leaf...), key)...) == "" {
					h.Errorf("%s has no %s: %s", strings.Join(leaf, "."), key, excerpt(a.body))
				}
			}
		}
		h.call("PATCH", path, `{"entities": {"update": {"teams": ["core"]}}}`).want(200, "").is(`["core"]`, "permissions", "entities", "update", "teams").is(a.at("permissions", "entities", "read"), "permissions", "entities", "read")
		made := h.call("POST", "/v1/longshore/credentials", `{"role": "viewer", "title": "looks"}`).want(201, "")
		token := h.call("POST", "/v1/auth/access_token", `{"clientId": `+made.at("credential", "id")+`, "clientSecret": `+made.at("credential", "clientSecret")+`}`, "Authorization:").want(200, "").text("accessToken")
		h.call("GET", "/v1/blueprints", "", "Authorization: Bearer "+token).want(200, "")
		h.call("POST", groups, `{"identifier": "g"}`, "Authorization: Bearer "+token).want(403, "missing_permissions")
	})
}

func TestIntegrations(t *testing.T) {
	check(t, rules.IDs("10.1-1", "10.1-2", "10.1-3", "10.1-4", "10.1-5", "10.1-6", "10.2-1", "10.2-2", "10.2-3", "10.2-4", "10.4-1", "9-12"), func(h *house) {
		const path = "/v1/integration"
		h.call("GET", path+"/my-okta?byField=installationId", "").want(404, "not_found")
		h.call("GET", path+"/provision-enabled", "").want(200, "").is("[]", "integrations")
		a := h.call("POST", path, `{"installationId": "-my-okta", "installationAppType": "okta", "version": "1.2.3", "title": "T", "changelogDestination": {"type": "x"}, "config": {"resources": []}, "actionsProcessingEnabled": false, "incrementalSyncEnabled": false, "processingMode": "p"}`).want(200, "")
		for _, a := range []answer{a, h.call("GET", path+"/-my-okta?byField=installationId", "").want(200, "")} {
			a.is(`"OnPrem"`, "integration", "installationType").is(`{"type": "x"}`, "integration", "changelogDestination").is(`"1.2.3"`, "integration", "version").is(`"p"`, "integration", "processingMode").is("false", "integration", "incrementalSyncEnabled")
		}
		h.call("GET", path, "").want(200, "").is(`"-my-okta"`, "integrations", "0", "installationId")
		asked := func() string { return h.call("GET", path+"/-my-okta/resync-request", "").want(200, "").at("request") }
		last := asked()
		if last == "null" || last == "" {
			h.Fatal("creation asks for no resync")
		}
		for i, patch := range []string{`{}`, `{"config": {"resources": [{"kind": "u"}]}}`} {
			h.clock.move(1e9)
			h.call("PATCH", path+"/-my-okta", patch, "x-skip-resync: true").want(200, "")
			if got := asked(); got != last {
				h.Errorf("patch %d with x-skip-resync asks for a resync", i)
			}
		}
		for _, patch := range []string{`{}`, `{"config": {"resources": [{"kind": "v"}]}}`} {
			h.clock.move(1e9)
			h.call("PATCH", path+"/-my-okta", patch).want(200, "")
			if got := asked(); got == last {
				h.Errorf("the patch %s asks for no resync", patch)
			} else {
				last = got
			}
		}
		h.call("PATCH", path+"/-my-okta", `{"title": null}`).want(200, "").is("null", "integration", "title")
		h.call("PATCH", path+"/-my-okta/resync-state", `{"status": "running"}`).want(200, "")
		h.call("POST", path+"/-my-okta/kinds/u/examples", `{"examples": [{"a": 1}]}`).want(200, "")
		h.call("PUT", path+"/-my-okta/cursor", `{"cursor": "c"}`).want(200, "")
		h.call("GET", path+"/-my-okta/cursor", "").want(200, "").is(`"c"`, "cursor")
		for _, name := range []string{"logAttributes", "metricAttributes", "ingestAttributes"} {
			sink := strings.TrimPrefix(h.call("GET", path+"/-my-okta", "").text("integration", name, "ingestUrl"), origin)
			if name == "metricAttributes" {
				sink += "/syncMetrics"
			}
			h.call("POST", sink, `{"logs": [{"message": "m", "level": "INFO"}], "syncKindsMetrics": []}`).want(200, "")
		}
		h.call("GET", path+"/-my-okta/logs?limit=300", "").want(200, "").is(`"m"`, "logs", "0", "message")
		h.call("GET", path+"/-my-okta/logs?limit=301", "").want(422, "invalid_request")
		for _, list := range []string{"syncsMetadata", "syncMetrics"} {
			h.call("GET", path+"/-my-okta/"+list, "").want(200, "")
		}
		h.call("DELETE", path+"/-my-okta", "").want(200, "")
	})
}

func TestCalculationsAndAggregations(t *testing.T) {
	check(t, rules.IDs("2.4-2", "2.4-3", "2.4-5", "2.4-6", "2.4-7", "2.4-8", "9-10"), func(h *house) {
		h.people() // ann 5 logins, bob 10, cyd 7.5; ann and bob are of g1, ann of g2
		spec := func(title, spec, more string) string {
			return `{"title": "` + title + `", "target": "okta_user", "calculationSpec": ` + spec + more + `}`
		}
		h.call("PATCH", "/v1/blueprints/okta_group", `{"aggregationProperties": {
			"n": `+spec("n", `{"calculationBy": "entities", "func": "count"}`, `, "pathFilter": [{"path": ["groups"], "fromBlueprint": "okta_user"}]`)+`,
			"active": `+spec("active", `{"calculationBy": "entities", "func": "count"}`, `, "pathFilter": [{"path": ["groups"], "fromBlueprint": "okta_user"}], "query": {"combinator": "and", "rules": [{"property": "status", "operator": "=", "value": "ACTIVE"}]}`)+`,
			"sum": `+spec("sum", `{"calculationBy": "property", "func": "sum", "property": "logins"}`, `, "pathFilter": [{"path": ["groups"], "fromBlueprint": "okta_user"}]`)+`,
			"max": `+spec("max", `{"calculationBy": "property", "func": "max", "property": "logins"}`, `, "pathFilter": [{"path": ["groups"], "fromBlueprint": "okta_user"}]`)+`,
			"mean": `+spec("mean", `{"calculationBy": "property", "func": "average", "averageOf": "total", "property": "logins"}`, `, "pathFilter": [{"path": ["groups"], "fromBlueprint": "okta_user"}]`)+`},
			"calculationProperties": {"twice": {"type": "number", "calculation": ".properties.size * 2"}, "bad": {"type": "string", "calculation": "test-rel.$identifier"}, "fails": {"type": "string", "calculation": ".title | tonumber"}}}`).want(200, "")
		h.call("PATCH", groups+"/g1", `{"properties": {"size": 4}}`).want(200, "")
		a := h.call("GET", groups+"/g1", "").want(200, "")
		for name, want := range map[string]string{"n": "2", "active": "1", "sum": "15", "max": "10", "mean": "7.5", "twice": "8", "bad": "null", "fails": "null"} {
			a.is(want, "entity", "properties", name)
		}
		h.call("POST", users, `{"identifier": "dan", "properties": {"status": "ACTIVE"}, "relations": {"groups": ["g1"]}}`).want(201, "")
		h.call("GET", groups+"/g1", "").want(200, "").is("3", "entity", "properties", "n").is("2", "entity", "properties", "active")
	})
}

func TestAuditLog(t *testing.T) {
	check(t, rules.IDs("4.10-1", "4.10-2"), func(h *house) {
		h.okta()
		h.user("u1", "")
		h.call("PATCH", users+"/u1", `{"properties": {"logins": 1}}`).want(200, "")
		h.call("PATCH", users+"/u1", `{"properties": {"logins": 1}}`).want(200, "") // changes nothing
		a := h.call("GET", "/v1/audit-log?blueprint=okta_user&entity=u1&resources=entity&action=UPDATE&status=SUCCESS&limit=10&run_id=&include_deleted_entities=true", "").want(200, "")
		if n := len(a.list("identifier", "audits")); n != 1 {
			h.Errorf("%d entries of updates, want 1: %s", n, excerpt(a.body))
		}
		a.is(`"UPDATE"`, "audits", "0", "action").is(`"entity"`, "audits", "0", "resourceType").is(`"SUCCESS"`, "audits", "0", "status").is(`"u1"`, "audits", "0", "context", "entity").is(`"okta_user"`, "audits", "0", "context", "blueprint")
		if a.at("audits", "0", "diff", "before") == "null" || a.at("audits", "0", "diff", "after") == "null" {
			h.Errorf("diff %s", a.at("audits", "0", "diff"))
		}
		h.call("GET", "/v1/audit-log?resources=blueprint&action=CREATE&limit=1", "").want(200, "").is(`"blueprint"`, "audits", "0", "resourceType")
		h.call("GET", "/v1/audit-log?from=2027-01-01T00:00:00Z&entity=u1", "").want(200, "").is("[]", "audits")
		h.call("GET", "/v1/audit-log?from=soon", "").want(422, "invalid_request")
	})
}
