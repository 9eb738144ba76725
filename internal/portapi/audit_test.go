package portapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"longshore/internal/auth"
	"longshore/internal/catalog"
)

type auditLine struct {
	Identifier, Action, ResourceType, Status, Message string
	Trigger                                           struct {
		Origin string
		By     struct{ UserID string }
	}
	Context struct{ Blueprint, Entity, WebhookID, WebhookEventID, InstallationID, RunID string }
	Diff    struct{ Before, After json.RawMessage }
	Data    json.RawMessage `json:"additionalData"`
}

// audits asks the audit log.
func (h *house) audits(query string) []auditLine {
	h.t.Helper()
	var all struct{ Audits []auditLine }
	got := h.call("GET", "/v1/audit-log?"+query, "").want(200, "")
	if err := json.Unmarshal([]byte(got.body), &all); err != nil {
		h.t.Fatal(err)
	}
	return all.Audits
}

// told is what entries say in short, oldest first.
func told(list []auditLine) []string {
	var out []string
	for _, e := range slices.Backward(list) {
		name := e.Context.Entity
		if name == "" {
			name = e.Context.Blueprint
		}
		out = append(out, strings.Join([]string{e.Status[:1], e.Action, e.ResourceType, name}, " "))
	}
	return out
}

func TestEveryWriteLeavesAnEntry(t *testing.T) {
	h := newHouse(t)
	h.services()
	hook := `{"identifier":"hook","title":"Hook","enabled":true,"mappings":[],"security":{"secret":"hush"}}`
	for _, c := range []struct {
		method, path, body string
		want               string // the newest entry
		diff               string // a part of before or after
	}{
		{"POST", "/v1/webhooks", hook, "S CREATE webhook", `"secret":"********"`},
		{"PATCH", "/v1/webhooks/hook", `{"title":"Other"}`, "S UPDATE webhook", `"title":"Hook"`},
		{"PATCH", "/v1/webhooks/hook", `{"security":{"secret":"hush2"}}`, "S UPDATE webhook", ``},
		{"DELETE", "/v1/webhooks/hook", ``, "S DELETE webhook", `"title":"Other"`},
		{"PATCH", "/v1/blueprints/svc/permissions", `{"entities":{"read":{"users":["a@b.c"]}}}`, "S UPDATE permissions svc", `"users":["a@b.c"]`},
		{"POST", "/v1/teams", `{"name":"core"}`, "S CREATE team", `"name":"core"`},
		{"DELETE", "/v1/teams/core", ``, "S DELETE team", `"name":"core"`},
		{"POST", "/v1/organization/secrets", `{"secretName":"k","secretValue":"hush"}`, "S CREATE secret", `"secretName":"k"`},
		{"PATCH", "/v1/organization/secrets/k", `{"secretValue":"hush3"}`, "S UPDATE secret", ``},
		{"POST", "/v1/longshore/credentials", `{"role":"viewer","id":"client_v"}`, "S CREATE credential", `"role":"viewer"`},
		{"PATCH", "/v1/longshore/credentials/client_v", `{"disabled":true}`, "S UPDATE credential", `"disabled":true`},
		{"POST", "/v1/longshore/credentials/client_v/rotate", `{}`, "S CREATE credential", `"client_v"`},
		{"PATCH", "/v1/blueprints/svc", `{"title":"Services"}`, "S UPDATE blueprint svc", `"title":"Services"`},
		{"DELETE", "/v1/blueprints/host/all-entities", ``, "S DELETE entity host", ``},
		{"DELETE", "/v1/blueprints/svc/entities/mail", ``, "S DELETE entity mail", `"status":"up"`},
	} {
		before := len(h.audits("limit=1000"))
		h.call(c.method, c.path, c.body)
		list := h.audits("limit=1000")
		if len(list) != before+1 {
			t.Errorf("%s %s left %d entries, want one", c.method, c.path, len(list)-before)
			continue
		}
		e := list[0]
		if got := strings.TrimSpace(told(list[:1])[0]); got != c.want {
			t.Errorf("%s %s left %q, want %q", c.method, c.path, got, c.want)
		}
		if diff := string(e.Diff.Before) + string(e.Diff.After); !strings.Contains(diff, c.diff) || e.Trigger.By.UserID != "client_1" {
			t.Errorf("%s %s: diff %s by %q, want %s in it", c.method, c.path, diff, e.Trigger.By.UserID, c.diff)
		}
	}
	if all := h.call("GET", "/v1/audit-log?limit=1000", "").body; strings.Contains(all, "hush") {
		t.Error("the audit log tells a secret")
	}
	if r, err := h.store.VerifyAudit(t.Context(), nil); err != nil || !r.OK() {
		t.Errorf("the chain: %+v, %v", r, err)
	}
}

func TestWriteThatChangesNothingLeavesNoEntry(t *testing.T) {
	h := newHouse(t)
	h.services()
	h.call("POST", "/v1/teams", `{"name":"core","description":"d"}`)
	h.permit("svc", `{"read":{"users":["a@b.c"]}}`)
	before := len(h.audits("limit=1000"))
	h.call("PATCH", "/v1/teams/core", `{"description":"d"}`).want(200, "")
	h.permit("svc", `{"read":{"users":["a@b.c"]}}`)
	h.call("PATCH", "/v1/blueprints/svc/entities/mail", `{"properties":{"status":"up"}}`).want(200, "")
	h.call("POST", "/v1/blueprints/svc/entities?validation_only=true", `{"identifier":"x","properties":{"none":1}}`)
	if got := h.audits("limit=1000"); len(got) != before {
		t.Errorf("%q came, want nothing", told(got[:len(got)-before]))
	}
}

func TestRefusedWritesAreTold(t *testing.T) {
	h := newHouse(t)
	h.services()
	viewer := h.as(auth.Viewer, "")
	h.call("POST", "/v1/blueprints/svc/entities", `{"identifier":"pay"}`).want(409, "identifier_taken")
	h.call("POST", "/v1/blueprints/svc/entities", `{"identifier":"new","properties":{"cost":"much"}}`).want(422, "blueprint_schema_mismatch")
	h.call("DELETE", "/v1/blueprints/svc", "", viewer).want(403, "missing_permissions")
	h.call("POST", "/v1/blueprints/svc/entities/bulk", `{"entities":[{"identifier":"b1"},{"identifier":"b2","properties":{"none":1}}]}`).want(207, "")
	h.call("GET", "/v1/blueprints/none", "").want(404, "not_found") // a read
	got := h.audits("status=FAILURE&limit=1000")
	want := []string{"F CREATE entity svc", "F CREATE entity svc", "F DELETE blueprint svc", "F CREATE entity b2"}
	if !slices.Equal(told(got), want) {
		t.Errorf("%q, want %q", told(got), want)
	}
	if e := got[2]; !strings.Contains(e.Message, "cost") || !strings.Contains(string(e.Data), "blueprint_schema_mismatch") {
		t.Errorf("it does not say why: %+v %s", e, e.Data)
	}
	if got := h.audits("limit=1000&status=SUCCESS"); slices.ContainsFunc(got, func(e auditLine) bool { return e.Status != "SUCCESS" }) {
		t.Errorf("%q, want successes alone", told(got))
	}
}

func TestRefusedWritesDoNotFillTheDisk(t *testing.T) {
	h := newHouse(t)
	h.services()
	for range 100 {
		h.call("DELETE", "/v1/blueprints/svc/entities/nobody", "").want(404, "not_found")
	}
	first := h.audits("status=FAILURE&limit=1000")
	if len(first) != 20 {
		t.Fatalf("%d entries of 100 refusals in a minute, want 20", len(first))
	}
	h.at = h.at.Add(time.Minute)
	h.api.Flush(t.Context())
	list := h.audits("status=FAILURE&limit=1000")
	if len(list) != 21 || list[0].ResourceType != "refused" || string(list[0].Data) != `{"codes":{"not_found":80},"refused":80}` {
		t.Errorf("%d entries, the newest %+v %s; want one more that counts 80", len(list), list[0], list[0].Data)
	}
}

func TestAuditFilters(t *testing.T) {
	h := newHouse(t)
	h.services()
	ocean := "User-Agent: port-ocean/okta/1.2.3/my-okta/exporter"
	h.call("POST", "/v1/blueprints/svc/entities?upsert=true&run_id=run1", `{"identifier":"ocean"}`, ocean).want(201, "")
	h.call("POST", "/v1/webhooks", `{"identifier":"hook","title":"Hook","enabled":true,"mappings":[{"blueprint":"svc","entity":{"identifier":".body.id"}}]}`).want(201, "")
	h.call("DELETE", "/v1/blueprints/svc/entities/mail", "").want(200, "")
	key := strings.Trim(h.call("GET", "/v1/webhooks/hook", "").at("webhook", "webhookKey"), `"`)
	event := strings.Trim(h.call("POST", "/ingest/"+key, `{"id":"hooked"}`, "Authorization:").want(202, "").at("eventId"), `"`)
	h.work()
	all := len(h.audits("limit=1000"))
	now := url.QueryEscape(theTime.Format(time.RFC3339))
	for query, want := range map[string][]string{
		"entity=ocean":                          {"S CREATE entity ocean"},
		"blueprint=svc&entity=mail":             {"S CREATE entity mail", "S DELETE entity mail"},
		"run_id=run1":                           {"S CREATE entity ocean"},
		"InstallationId=my-okta":                {"S CREATE entity ocean"},
		"InstallationId=my":                     nil,
		"webhookId=hook":                        {"S CREATE entity hooked"},
		"webhookEventId=" + event:               {"S CREATE entity hooked"},
		"webhookEventId=other":                  nil,
		"origin=WEBHOOK":                        {"S CREATE entity hooked"},
		"origin[]=WEBHOOK&origin[]=UI":          {"S CREATE entity hooked"},
		"origin=UI":                             nil,
		"resources=webhook":                     {"S CREATE webhook "},
		"resources=webhook&resources=scorecard": {"S CREATE webhook "},
		"resources=webhook,blueprint":           {"S CREATE blueprint svc", "S CREATE blueprint host", "S CREATE webhook "},
		"resources[]=entity&action=DELETE":      {"S DELETE entity mail"},
		"resources=run":                         nil,
		"actionType=CREATE":                     nil,
		"blueprint=svc&resources=entity&include_deleted_entities=false":       {"S CREATE entity pay", "S CREATE entity ocean", "S CREATE entity hooked"},
		"blueprint=host&resources=entity&from=" + now:                         {"S CREATE entity h1"},
		"blueprint=host&to=2020-01-01T00:00:00Z":                              nil,
		"identifier=evt_1":                                                    {"S CREATE blueprint svc"},
		"identifier=nothing":                                                  nil,
		"run_id=&webhookId=&blueprint=host&entity=&status=&action=&resources": {"S CREATE blueprint host", "S CREATE entity h1"},
		"blueprint=host&unknown=1&limit=1":                                    {"S CREATE entity h1"},
	} {
		if got := told(h.audits(query)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	if got := h.audits("origin=WEBHOOK,API&limit=1000"); len(got) != all {
		t.Errorf("by every origin %d entries, want %d", len(got), all)
	}
	if got := h.audits("webhookEventId=" + event)[0].Context; got.WebhookID != "hook" || got.WebhookEventID != event {
		t.Errorf("context %+v, want the webhook and the event", got)
	}
	h.call("GET", "/v1/audit-log?entity=ocean&includes[]=action&includes[]=context", "").is(`"CREATE"`, "audits", "0", "action").is("", "audits", "0", "diff").is("", "audits", "0", "message")
	for _, wrong := range []string{"action=SOME", "status=MAYBE", "from=yesterday", "limit=0", "limit=5000"} {
		h.call("GET", "/v1/audit-log?"+wrong, "").want(422, "invalid_request")
	}
}

func TestPrivilegedReadsAreRecorded(t *testing.T) {
	h := newHouse(t)
	h.services()
	h.call("PATCH", "/v1/blueprints/svc", `{"privileged":true}`).want(200, "")
	h.at = h.at.Add(time.Minute)
	viewer := h.as(auth.Viewer, "")
	for range 3 {
		h.call("GET", "/v1/blueprints/svc/entities/pay", "", viewer).want(200, "")
	}
	h.call("POST", "/v1/entities/search", `{"combinator":"and","rules":[]}`, viewer).want(200, "")
	h.call("POST", "/v1/blueprints/svc/entities/search", `{"query":{"combinator":"and","rules":[{"property":"$identifier","operator":"=","value":"nobody"}]}}`, viewer).want(200, "")
	h.call("GET", "/v1/blueprints/host/entities", "", viewer).want(200, "")
	if err := h.guard.Reads.Flush(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := h.audits("action=READ"); len(got) != 0 {
		t.Errorf("%d entries before the minute is over", len(got))
	}
	h.at = h.at.Add(time.Minute)
	if err := h.guard.Reads.Flush(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range h.audits("action=READ") {
		var d struct {
			Route           string
			Calls, Entities int
			Queries         []string
		}
		if err := json.Unmarshal(e.Data, &d); err != nil || e.Trigger.By.UserID == "client_1" || e.Context.Blueprint != "svc" {
			t.Errorf("%v: %+v", err, e)
		}
		got = append(got, fmt.Sprintf("%s %d %d %d", d.Route, d.Calls, d.Entities, len(d.Queries)))
	}
	slices.Sort(got)
	want := []string{"GET /v1/blueprints/{blueprint}/entities/{entity} 3 3 1", "POST /v1/blueprints/{blueprint}/entities/search 1 0 1", "POST /v1/entities/search 1 2 1"}
	if !slices.Equal(got, want) {
		t.Errorf("reads %q, want %q", got, want)
	}
	if list, err := h.catalog.History(t.Context(), catalog.HistoryFilter{Action: "READ"}); err != nil || len(list) != 0 {
		t.Errorf("%d reads (%v) among the changes: who asks for those does not want them", len(list), err)
	}
}

func TestAnEntryNamesWhatItIsAbout(t *testing.T) {
	h := newHouse(t)
	h.call("POST", "/v1/integration", `{"installationId":"ocean"}`).want(200, "")
	h.call("POST", "/v1/organization/secrets", `{"secretName":"K","secretValue":"v"}`).want(200, "")
	for _, e := range h.audits("") {
		if strings.Contains(e.Message, `""`) {
			t.Errorf("an entry of a new %s says %q", e.ResourceType, e.Message)
		}
		if e.ResourceType == "integration" && (e.Message != `integration "ocean": create` || e.Context.InstallationID != "ocean") {
			t.Errorf("the integration's entry says %q and has the installation id %q", e.Message, e.Context.InstallationID)
		}
	}
}
