package portapi_test

import (
	"fmt"
	"strings"
	"testing"

	"longshore/internal/auth"
)

// secretService is a blueprint of services, and one of teams' hosts that points at it.
func (h *house) services() {
	h.t.Helper()
	h.call("POST", "/v1/blueprints", `{"identifier":"svc","title":"Service","schema":{"properties":{"status":{"type":"string"},"cost":{"type":"number"}},"required":[]}}`).want(201, "")
	h.call("POST", "/v1/blueprints", `{"identifier":"host","title":"Host","schema":{"properties":{},"required":[]},"relations":{"runs":{"target":"svc","required":true}}}`).want(201, "")
	h.call("POST", "/v1/blueprints/svc/entities", `{"identifier":"pay","team":["core"],"properties":{"status":"up","cost":1}}`).want(201, "")
	h.call("POST", "/v1/blueprints/svc/entities", `{"identifier":"mail","team":["other"],"properties":{"status":"up"}}`).want(201, "")
	h.call("POST", "/v1/blueprints/host/entities", `{"identifier":"h1","relations":{"runs":"pay"}}`).want(201, "")
}

func (h *house) permit(blueprint, patch string) answer {
	h.t.Helper()
	return h.call("PATCH", "/v1/blueprints/"+blueprint+"/permissions", `{"entities":`+patch+`}`).want(200, "")
}

func TestPermissionsHaveAnEntryForEveryPropertyAndRelation(t *testing.T) {
	h := newHouse(t)
	h.services()
	h.call("GET", "/v1/blueprints/host/permissions", "").want(200, "").golden("permissions_first")
	got := h.permit("svc", `{"update":{"roles":["Admin"],"users":[],"teams":[]},"updateProperties":{"status":{"roles":["Member"],"ownedByTeam":true},"$title":{"users":["a@b.c"]}}}`)
	got.is(`["Member"]`, "permissions", "entities", "updateProperties", "status", "roles")
	h.call("GET", "/v1/blueprints/svc/permissions", "").want(200, "").golden("permissions_set")
	// Leaf by leaf, and member by member.
	got = h.permit("svc", `{"updateProperties":{"status":{"teams":["core"]}}}`)
	for _, m := range [][2]string{{"roles", `["Member"]`}, {"teams", `["core"]`}, {"ownedByTeam", "true"}} {
		got.is(m[1], "permissions", "entities", "updateProperties", "status", m[0])
	}
	got.is(`["Admin"]`, "permissions", "entities", "update", "roles")
}

func TestWrongPermissionsAreRefused(t *testing.T) {
	h := newHouse(t)
	h.services()
	for name, patch := range map[string]string{
		"no property": `{"updateProperties":{"nothing":{"roles":[]}}}`, "no relation": `{"updateRelations":{"runs":{}}}`, "unknown": `{"write":{}}`,
		"no list": `{"read":{"roles":"Admin"}}`, "policy": `{"read":{"policy":{"combinator":"and","rules":[{}]}}}`, "member": `{"read":{"groups":[]}}`,
	} {
		if got := h.call("PATCH", "/v1/blueprints/svc/permissions", `{"entities":`+patch+`}`); got.status != 422 {
			t.Errorf("%s: %d, want 422: %s", name, got.status, got.body)
		}
	}
	h.call("PATCH", "/v1/blueprints/none/permissions", `{"entities":{}}`).want(404, "not_found")
	h.call("GET", "/v1/blueprints/none/permissions", "").want(404, "not_found")
	h.call("PATCH", "/v1/blueprints/svc/permissions", `{"entities":{}}`, h.as(auth.Editor, "")).want(403, "missing_permissions")
}

func TestPermissionsFollowRenames(t *testing.T) {
	h := newHouse(t)
	h.services()
	h.permit("svc", `{"updateProperties":{"status":{"roles":["Admin"]}}}`)
	h.permit("host", `{"updateRelations":{"runs":{"roles":["Admin"]}}}`)
	h.call("PATCH", "/v1/blueprints/svc/properties/status/rename", `{"newPropertyName":"state"}`)
	h.call("PATCH", "/v1/blueprints/host/relations/runs/rename", `{"newRelationIdentifier":"serves"}`)
	h.call("PUT", "/v1/blueprints/svc", `{"identifier":"service","title":"Service","schema":{"properties":{"state":{"type":"string"},"cost":{"type":"number"}},"required":[]}}`).want(200, "")
	h.call("GET", "/v1/blueprints/service/permissions", "").want(200, "").is(`["Admin"]`, "permissions", "entities", "updateProperties", "state", "roles")
	h.call("GET", "/v1/blueprints/host/permissions", "").want(200, "").is(`["Admin"]`, "permissions", "entities", "updateRelations", "serves", "roles")
}

func TestHiddenBlueprintIsNotRead(t *testing.T) {
	h := newHouse(t)
	h.services()
	viewer := h.as(auth.Viewer, "")
	h.call("GET", "/v1/blueprints/svc/entities/pay", "", viewer).want(200, "")
	h.permit("svc", `{"read":{"roles":["Admin"]}}`)
	for _, c := range [][3]string{
		{"GET", "/v1/blueprints/svc/entities/pay", ""},
		{"GET", "/v1/blueprints/svc/entities", ""},
		{"GET", "/v1/blueprints/svc/entities-count", ""},
		{"POST", "/v1/blueprints/svc/entities/search", `{}`},
		{"POST", "/v1/blueprints/svc/entities/search/count", `{}`},
		{"GET", "/v1/audit-log?blueprint=svc", ""},
		{"GET", "/v1/longshore/verdicts", ""},
		{"GET", "/v1/longshore/objects", ""},
	} {
		h.call(c[0], c[1], c[2], viewer).want(403, "missing_permissions")
		h.call(c[0], c[1], c[2]).want(200, "")
	}
	for _, query := range []string{`{}`, `{"combinator":"and","rules":[]}`, `{"combinator":"or","rules":[{"property":"$blueprint","operator":"=","value":"svc"},{"property":"$identifier","operator":"=","value":"h1"}]}`} {
		got := h.call("POST", "/v1/entities/search", query, viewer).want(200, "")
		if strings.Contains(got.body, `"pay"`+`,"title`) || !strings.Contains(got.body, `"h1"`) || got.at("matchingBlueprints") != `["host"]` {
			t.Errorf("%s: %s", query, got.body)
		}
	}
	if _, err := h.store.Catalog().IndexWords(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := h.call("GET", "/v1/longshore/search?q=pay", "", viewer).want(200, ""); strings.Contains(got.body, `"pay"`) {
		t.Errorf("global search tells of what is hidden: %s", got.body)
	}
	if got := h.call("GET", "/v1/longshore/search?q=pay", "").want(200, ""); !strings.Contains(got.body, `"pay"`) {
		t.Errorf("global search does not find pay: %s", got.body)
	}
	if got := h.call("GET", "/v1/audit-log", "", viewer).want(200, ""); strings.Contains(got.body, `"blueprint":"svc"`) {
		t.Errorf("the audit log tells of what is hidden: %s", got.body)
	}
	count := `{"func":"count","query":{"combinator":"and","rules":[{"property":"$blueprint","operator":"in","value":["svc","host"]}]}}`
	h.call("POST", "/v1/entities/aggregate", count, viewer).want(200, "").is("1", "result")
	h.call("POST", "/v1/entities/aggregate", count).want(200, "").is("3", "result")
	h.call("POST", "/v1/entities/aggregate", strings.Replace(count, "query", "QUERY", 1), viewer).want(422, "invalid_request")
	h.call("POST", "/v1/entities/aggregate-over-time", `{"blueprint":"svc","aggregationType":"countEntities","func":"count","timeInterval":"day","timeRange":{"preset":"lastWeek"}}`, viewer).want(403, "missing_permissions")
	h.call("POST", "/v1/entities/properties-history", `{"entityIdentifier":"pay","blueprintIdentifier":"svc","propertyNames":["status"],"timeInterval":"day","timeRange":{"preset":"lastWeek"}}`, viewer).want(403, "missing_permissions")
	h.call("POST", "/v1/entities/search", `{"combinator":"and","rules":[{"wrong":1}]}`, viewer).want(422, "invalid_request")
}

func TestHiddenBlueprintIsNotToldOfByItsFormerNameNorAsUsers(t *testing.T) {
	h := newHouse(t)
	h.services()
	viewer := h.as(auth.Viewer, "")
	h.call("PUT", "/v1/blueprints/svc", `{"identifier":"service","title":"Service","schema":{"properties":{"status":{"type":"string"}},"required":[]}}`).want(200, "")
	h.permit("service", `{"read":{"roles":["Admin"]}}`)
	if got := h.call("GET", "/v1/audit-log", "", viewer).want(200, ""); strings.Contains(got.body, `"blueprint":"svc"`) || !strings.Contains(got.body, `"blueprint":"host"`) {
		t.Errorf("the audit log tells of what is hidden, under the name that it had: %s", got.body)
	}
	h.call("GET", "/v1/users", "", viewer).want(200, "")
	h.permit("_user", `{"read":{"roles":["Admin"]}}`)
	h.call("GET", "/v1/users", "", viewer).want(403, "missing_permissions")
	h.call("GET", "/v1/users/a@b.c", "", viewer).want(403, "missing_permissions")
	h.call("GET", "/v1/users", "").want(200, "")
}

func TestWritesNeedTheirPermission(t *testing.T) {
	h := newHouse(t)
	h.services()
	editor := h.as(auth.Editor, "")
	put := func(id, body string) answer {
		return h.call("POST", "/v1/blueprints/svc/entities?upsert=true&merge=true", fmt.Sprintf(`{"identifier":%q,%s}`, id, body), editor)
	}
	put("pay", `"properties":{"status":"down"}`).want(200, "")

	h.permit("svc", `{"update":{"roles":["Admin"]},"updateProperties":{"status":{"roles":["Admin"]}}}`)
	put("pay", `"properties":{"status":"up"}`).want(403, "missing_permissions").is(`"entities.updateProperties.status"`, "details", "missing")
	put("pay", `"properties":{"status":"down","cost":7}`).want(200, "")                                                                  // the status is what it was
	h.call("PUT", "/v1/blueprints/svc/entities/pay", `{"title":"Pay","properties":{"cost":7}}`, editor).want(403, "missing_permissions") // would clear it
	h.call("PATCH", "/v1/blueprints/svc/entities/pay", `{"title":"Pay"}`, editor).want(200, "")
	h.permit("svc", `{"updateProperties":{"$title":{"roles":["Admin"]},"$identifier":{"roles":["Admin"]}}}`)
	h.call("PATCH", "/v1/blueprints/svc/entities/pay", `{"title":"P"}`, editor).want(403, "missing_permissions").is(`"entities.updateProperties.$title"`, "details", "missing")
	h.call("PATCH", "/v1/blueprints/svc/entities/pay", `{"identifier":"paid"}`, editor).want(403, "missing_permissions")

	h.permit("svc", `{"register":{"roles":["Admin"]},"unregister":{"roles":["Admin"]}}`)
	put("new", `"properties":{}`).want(403, "missing_permissions").is(`"entities.register"`, "details", "missing")
	h.call("POST", "/v1/blueprints/host/entities?create_missing_related_entities=true", `{"identifier":"h2","relations":{"runs":"new"}}`, editor).want(403, "missing_permissions")
	h.call("DELETE", "/v1/blueprints/svc/entities/mail", "", editor).want(403, "missing_permissions")
	h.call("POST", "/v1/blueprints/svc/bulk/entities/delete", `{"entities":["mail"]}`, editor).want(403, "missing_permissions")
	bulk := h.call("POST", "/v1/blueprints/svc/entities/bulk?upsert=true&merge=true", `{"entities":[{"identifier":"new"},{"identifier":"pay","properties":{"cost":8}}]}`, editor).want(207, "")
	bulk.is("403", "errors", "0", "statusCode").is(`"pay"`, "entities", "0", "identifier")

	h.permit("host", `{"unregister":{"roles":["Admin"]}}`)
	h.permit("svc", `{"unregister":{"roles":["Member"]}}`)
	h.call("DELETE", "/v1/blueprints/svc/entities/pay?delete_dependents=true", "", editor).want(403, "missing_permissions").is(`"host"`, "details", "blueprint")
	h.call("DELETE", "/v1/blueprints/svc/entities/mail", "", editor).want(200, "")

	// An admin is not bound.
	h.call("DELETE", "/v1/blueprints/svc/entities/pay?delete_dependents=true", "").want(200, "")
}

func TestPermissionsOfUsersAndTeams(t *testing.T) {
	h := newHouse(t)
	h.services()
	h.call("POST", "/v1/teams", `{"name":"core","users":["ann@acme.example"]}`).want(200, "")
	ann, bob, machine := h.as(auth.Editor, "Ann@acme.example"), h.as(auth.Editor, "bob@acme.example"), h.as(auth.Editor, "")
	cost := 100
	patch := func(id string, who string) answer {
		cost++
		return h.call("PATCH", "/v1/blueprints/svc/entities/"+id, fmt.Sprintf(`{"properties":{"cost":%d}}`, cost), who)
	}
	closed := `{"update":{"roles":["Admin"],"users":[],"teams":[],"ownedByTeam":false},"updateProperties":{"cost":{"roles":["Admin"],"users":[],"teams":[],"ownedByTeam":false}}}`
	for name, c := range map[string]struct {
		patch         string
		ann, bob, not int // for pay, which is core's
		annMail       int // for mail, which is not
	}{
		"closed": {`{}`, 403, 403, 403, 403},
		"a user": {`{"update":{"users":["bob@acme.example"]}}`, 403, 200, 403, 403},
		"a team": {`{"update":{"teams":["core"]}}`, 200, 403, 403, 200},
		"owners": {`{"update":{"ownedByTeam":true}}`, 200, 403, 403, 403},
		"a leaf": {`{"updateProperties":{"cost":{"ownedByTeam":true}}}`, 200, 403, 403, 403},
	} {
		t.Run(name, func(t *testing.T) {
			h.permit("svc", closed)
			h.permit("svc", c.patch)
			for who, q := range map[string]struct {
				id, token string
				want      int
			}{"ann": {"pay", ann, c.ann}, "bob": {"pay", bob, c.bob}, "a machine": {"pay", machine, c.not}, "ann's neighbour": {"mail", ann, c.annMail}} {
				if got := patch(q.id, q.token); got.status != q.want {
					t.Errorf("%s: %d, want %d: %s", who, got.status, q.want, got.body)
				}
			}
		})
	}
	h.permit("svc", `{"read":{"roles":["Admin"],"ownedByTeam":true}}`)
	h.call("GET", "/v1/blueprints/svc/entities/pay", "", ann).want(200, "")
	h.call("GET", "/v1/blueprints/svc/entities/mail", "", ann).want(403, "missing_permissions")
	h.call("GET", "/v1/blueprints/svc/entities/pay", "", bob).want(403, "missing_permissions")
	if got := h.call("POST", "/v1/entities/search", `{}`, ann).want(200, ""); !strings.Contains(got.body, `"pay"`) || !strings.Contains(got.body, `"h1"`) || strings.Contains(got.body, `"mail"`) {
		t.Errorf("ann finds %s, want what is core's, and the hosts", got.body)
	}
	h.call("POST", "/v1/blueprints/svc/entities/search/count", `{}`, ann).want(200, "").is("1", "count")
}
