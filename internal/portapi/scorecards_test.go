package portapi_test

import (
	"strings"
	"testing"
)

const readiness = `{"identifier":"ready","title":"Ready","rules":[
	{"identifier":"z_named","title":"Named","level":"Bronze","query":{"combinator":"and","conditions":[{"property":"$title","operator":"isNotEmpty"},{"property":"status","operator":"=","value":"ACTIVE"}]}},
	{"identifier":"a_owned","title":"Owned","level":"Gold","query":{"combinator":"or","conditions":[{"property":"$team","operator":"isNotEmpty"}]}},
	{"identifier":"m_up","title":"Up","level":"Silver","query":{"combinator":"and","conditions":[{"property":"up","operator":"=","value":true}]}}]}`

func scored(t *testing.T) *house {
	t.Helper()
	h := newHouse(t)
	h.call("POST", "/v1/blueprints", `{"identifier":"service","title":"Service","schema":{"properties":{"status":{"type":"string"},"tier":{"type":"number"}},"required":[]},
		"calculationProperties":{"up":{"type":"boolean","calculation":".properties.tier > 1"}}}`).want(201, "")
	for id, body := range map[string]string{
		"none":   `"properties":{}`,
		"bronze": `"properties":{"status":"ACTIVE"}`,
		"silver": `"properties":{"status":"ACTIVE","tier":2}`,
		"gold":   `"team":["core"],"properties":{"status":"ACTIVE","tier":2}`,
		"gap":    `"team":["core"],"properties":{"status":"ACTIVE"}`, // what a higher level asks for does not help
	} {
		h.call("POST", "/v1/blueprints/service/entities", `{"identifier":"`+id+`","title":"T",`+body+`}`).want(201, "")
	}
	return h
}

func TestScorecardIsKeptAsItWasSent(t *testing.T) {
	h := scored(t)
	const path = "/v1/blueprints/service/scorecards"
	made := h.call("POST", path, readiness).want(201, "")
	for i, id := range []string{"z_named", "a_owned", "m_up"} {
		made.is(`"`+id+`"`, "scorecard", "rules", string(rune('0'+i)), "identifier")
	}
	made.is(`{"title":"Basic","color":"paleBlue"}`, "scorecard", "levels", "0").is(`{"title":"Gold","color":"gold"}`, "scorecard", "levels", "3").
		is(`"service"`, "scorecard", "blueprint").is(`"2026-01-05T10:00:00.000Z"`, "scorecard", "createdAt")
	if filter := made.at("scorecard", "filter"); filter != "" {
		t.Errorf("the filter that was not sent is answered as %s", filter)
	}
	h.call("POST", path, readiness).want(409, "identifier_taken")
	h.call("POST", "/v1/blueprints/nope/scorecards", readiness).want(404, "not_found")
	h.call("GET", path+"/ready", "").want(200, "").is(`"Ready"`, "scorecard", "title")
	h.call("GET", path, "").want(200, "").is(`"ready"`, "scorecards", "0", "identifier")
	h.call("GET", "/v1/scorecards", "").want(200, "").is(`"service"`, "scorecards", "0", "blueprint")
	h.call("PATCH", path+"/ready", `{"title":"T2"}`).want(200, "").is(`"T2"`, "scorecard", "title").is(`"m_up"`, "scorecard", "rules", "2", "identifier")
	h.call("PUT", path+"/ready", strings.Replace(readiness, `"ready"`, `"renamed"`, 1)).want(200, "").is(`"renamed"`, "scorecard", "identifier")
	h.call("GET", path+"/ready", "").want(404, "not_found")
	h.call("PUT", path, `[`+readiness+`,`+strings.Replace(readiness, `"ready"`, `"second"`, 1)+`]`).want(200, "").is(`"second"`, "scorecards", "1", "identifier")
	h.call("GET", path, "").want(200, "").is(`"renamed"`, "scorecards", "1", "identifier")
	h.call("PUT", path+"/second", readiness).want(409, "identifier_taken")
	h.call("DELETE", path+"/second", "").want(200, "")
	h.call("DELETE", path+"/second", "").want(404, "not_found")
	h.call("GET", "/v1/audit-log?resources=scorecard&action=DELETE&status=SUCCESS", "").want(200, "").is(`"scorecard"`, "audits", "0", "resourceType").is(``, "audits", "1")
	if got := strings.Count(h.call("GET", "/v1/audit-log?resources=scorecard&status=SUCCESS", "").want(200, "").body, `"resourceType":"scorecard"`); got != 6 {
		t.Errorf("the audit log has %d entries of scorecards, want 6: two made, one patched, one replaced under another name, one by the list, one deleted", got)
	}
	for why, body := range map[string]string{
		"no title": `{"identifier":"x"}`, "a space": `{"identifier":"a b","title":"x"}`,
		"an unknown level":    `{"identifier":"x","title":"x","rules":[{"identifier":"r","level":"Platinum","query":{"combinator":"and","conditions":[]}}]}`,
		"an unknown operator": `{"identifier":"x","title":"x","rules":[{"identifier":"r","level":"Gold","query":{"combinator":"and","conditions":[{"property":"a","operator":"~"}]}}]}`,
		"a rule twice":        `{"identifier":"x","title":"x","rules":[{"identifier":"r","level":"Gold"},{"identifier":"r","level":"Gold"}]}`,
		"a scorecard in it":   `{"identifier":"x","title":"x","filter":{"combinator":"and","conditions":[{"scorecard":"ready","operator":"=","value":"Gold"}]}}`,
		"levels of one name":  `{"identifier":"x","title":"x","levels":[{"title":"A"},{"title":"A"}]}`,
	} {
		if got := h.call("POST", path, body); got.status != 422 {
			t.Errorf("a scorecard with %s: %d, want 422: %s", why, got.status, got.body)
		}
	}
}

func TestEntitiesStandInScorecards(t *testing.T) {
	h := scored(t)
	entity := func(id, query string) answer {
		t.Helper()
		return h.call("GET", "/v1/blueprints/service/entities/"+id+query, "").want(200, "")
	}
	if got := entity("gold", "").at("entity", "scorecards"); got != "" {
		t.Errorf("without scorecards an entity has %s", got)
	}
	h.call("POST", "/v1/blueprints/service/scorecards", readiness).want(201, "")
	for id, level := range map[string]string{"none": "Basic", "bronze": "Bronze", "silver": "Silver", "gold": "Gold", "gap": "Bronze"} {
		entity(id, "").is(`"`+level+`"`, "entity", "scorecards", "ready", "level")
	}
	entity("gap", "").is(`[{"identifier":"z_named","status":"SUCCESS","level":"Bronze"},{"identifier":"a_owned","status":"SUCCESS","level":"Gold"},`+
		`{"identifier":"m_up","status":"FAILURE","level":"Silver"}]`, "entity", "scorecards", "ready", "rules")
	entity("gold", "?exclude_calculated_properties=true").is(`"Gold"`, "entity", "scorecards", "ready", "level")
	for _, query := range []string{"?include=title", "?exclude=scorecards"} {
		if got := entity("gold", query).at("entity", "scorecards"); got != "" {
			t.Errorf("%s answers scorecards: %s", query, got)
		}
	}
	entity("gold", "?include=scorecards").is(`"Gold"`, "entity", "scorecards", "ready", "level")

	search := func(rule string, want ...string) {
		t.Helper()
		got := h.call("POST", "/v1/blueprints/service/entities/search", `{"query":{"combinator":"and","rules":[`+rule+`]},"include":["identifier"]}`).want(200, "")
		for i, id := range want {
			got.is(`"`+id+`"`, "entities", string(rune('0'+i)), "identifier")
		}
		if more := got.at("entities", string(rune('0'+len(want)))); more != "" {
			t.Errorf("%s also finds %s", rule, more)
		}
	}
	search(`{"scorecard":"ready","operator":"=","value":"Bronze"}`, "bronze", "gap")
	search(`{"scorecard":"ready","operator":"in","value":["Silver","Gold"]}`, "gold", "silver")
	search(`{"scorecard":"ready","scorecardRule":"m_up","operator":"=","value":"FAILURE"}`, "bronze", "gap", "none")

	filtered := strings.Replace(readiness, `"rules"`, `"filter":{"combinator":"and","conditions":[{"property":"tier","operator":">","value":1}]},"rules"`, 1)
	h.call("PUT", "/v1/blueprints/service/scorecards/ready", filtered).want(200, "")
	entity("silver", "").is(`"Silver"`, "entity", "scorecards", "ready", "level")
	entity("bronze", "").is(`{}`, "entity", "scorecards")
	search(`{"scorecard":"ready","operator":"isEmpty"}`, "bronze", "gap", "none")

	h.call("PUT", "/v1/blueprints/service", `{"identifier":"renamed","title":"Service","schema":{"properties":{"status":{"type":"string"},"tier":{"type":"number"}},"required":[]},
		"calculationProperties":{"up":{"type":"boolean","calculation":".properties.tier > 1"}}}`).want(200, "")
	h.call("GET", "/v1/blueprints/renamed/entities/silver", "").want(200, "").is(`"Silver"`, "entity", "scorecards", "ready", "level")
}
