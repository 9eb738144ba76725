package portapi_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

const twoMappings = `{"identifier": "hook", "title": "T", "mappings": [
	{"blueprint": "okta_group", "filter": ".body.kind == \"group\"", "entity": {"identifier": ".body.id", "title": ".body.name", "properties": {"size": ".body.n"}}},
	{"blueprint": "okta_group", "itemsToParse": ".body.list", "filter": ".item.ok", "entity": {"identifier": ".item.id", "properties": {"size": ".item.n | tonumber"}}}]}`

func TestLatestEventIsTheLastCall(t *testing.T) {
	h := newHouse(t)
	door := h.door(`{"identifier": "hook", "title": "T"}`)
	h.call("GET", "/v1/webhooks/hook/latest-event", "").want(404, "not_found")
	h.call("GET", "/v1/webhooks/nosuch/latest-event", "").want(404, "not_found")
	h.call("POST", door+"?a=1&a=2", `{"n":1}`, "X-Sent: one").want(202, "")
	h.call("POST", door+"?a=3", `{"n": 12345678901234567890, "z": 1, "a": 2}`, "X-Sent: two").want(202, "")
	a := h.call("GET", "/v1/webhooks/hook/latest-event", "").want(200, "")
	a.is(`{"a":"3"}`, "event", "queryParams").is(`"two"`, "event", "headers", "x-sent").is(`"webhook_events"`, "event", "stream").is(`"2026-01-05T10:00:00.000Z"`, "event", "receivedAt")
	if body := strings.ReplaceAll(a.at("event", "body"), " ", ""); body != `{"n":12345678901234567890,"z":1,"a":2}` {
		t.Errorf("the body is %s, want it as it was sent, order and numbers kept", body)
	}
	h.call("GET", "/v1/webhooks/hook/latest-event?stream=users", "").want(404, "not_found")
}

func TestMappingIsTriedOnTheLatestEvent(t *testing.T) {
	rule(t, "6.3-7", "6.3-9", "6.3-1")
	h := newCatalogHouse(t)
	door := h.door(twoMappings)
	h.call("POST", "/v1/webhooks/hook/test-mapping", `{}`).want(404, "not_found")
	h.call("POST", door, `{"kind": "group", "id": "g1", "name": "Admins", "n": 3, "list": [{"id": "i1", "ok": true, "n": "x"}, {"id": "i2", "ok": 1}]}`).want(202, "")
	a := h.call("POST", "/v1/webhooks/hook/test-mapping", `{}`).want(200, "")
	a.is(`true`, "results", "0", "filter").is(`"g1"`, "results", "0", "entity", "identifier").is(`"okta_group"`, "results", "0", "entity", "blueprint").
		is(`{"size":3}`, "results", "0", "entity", "properties").is(`"upserted"`, "results", "0", "verdict").is(`"create"`, "results", "0", "operation").is("", "results", "0", "item")
	// The item's property fails: it is null, and the answer says so.
	a.is("0", "results", "1", "item").is(`{"size":null}`, "results", "1", "entity", "properties").is(`"kept-with-flags"`, "results", "1", "verdict")
	if detail := a.at("results", "1", "detail"); !strings.Contains(detail, "properties.size") || !strings.Contains(detail, "tonumber") {
		t.Errorf("the failed expression is not named: %s", detail)
	}
	a.is("1", "results", "2", "item").is("false", "results", "2", "filter").is("null", "results", "2", "entity").is(`"filtered"`, "results", "2", "verdict").is(`".item.ok"`, "results", "2", "detail", "clause")
	h.call("GET", "/v1/blueprints/okta_group/entities/g1", "").want(404, "not_found")
	if n := h.call("GET", "/v1/blueprints/okta_group/entities-count", "").at("count"); n != "0" {
		t.Errorf("a trial wrote %s entities", n)
	}
}

func TestMappingIsTriedOnAnEventOfTheCaller(t *testing.T) {
	h := newCatalogHouse(t)
	h.door(`{"identifier": "hook", "title": "T", "strict": true}`)
	try := func(body string) answer { return h.call("POST", "/v1/webhooks/hook/test-mapping", body) }
	a := try(`{"mappings": [{"blueprint": "okta_group", "entity": {"identifier": ".queryParams.id", "title": ".headers.\"x-t\"", "properties": {"size": ".body"}}}],
		"event": {"body": "text", "headers": {"x-t": "H"}, "queryParams": {"id": "q1"}}}`).want(200, "")
	a.is(`"q1"`, "results", "0", "entity", "identifier").is(`"H"`, "results", "0", "entity", "title").is(`"schema-reject"`, "results", "0", "verdict").is("true", "results", "0", "filter")
	if detail := a.at("results", "0", "detail"); !strings.Contains(detail, `"property":"size"`) {
		t.Errorf("the property is not named: %s", detail)
	}
	a = try(`{"mappings": [{"blueprint": "nosuch", "entity": {"identifier": "("}, "fliter": "x"}], "event": {"body": {}}}`).want(200, "")
	a.is(`"expression-error"`, "results", "0", "verdict")
	if w := a.at("warnings"); !strings.Contains(w, "fliter") || !strings.Contains(w, `"field":"identifier"`) {
		t.Errorf("warnings: %s", w)
	}
	a = try(`{"mappings": [{"blueprint": "okta_group", "operation": "delete", "entity": {"identifier": ".body"}}], "event": {"body": "gone"}}`).want(200, "")
	a.is(`"delete"`, "results", "0", "operation").is(`"unchanged"`, "results", "0", "verdict")
	for _, bad := range []string{`{"event": {}}`, `{"event": 5}`, `{"mappings": 5, "event": {"body": 1}}`, `{"mappings": [5], "event": {"body": 1}}`, `{"event": {"body": 1, "headers": []}}`, `{"config": [], "event": {"body": 1}}`} {
		try(bad).want(422, "invalid_request")
	}
	try(`[]`).want(422, "invalid_request")
	try(`{`).want(400, "bad_request")
	many := `{"mappings": [{"blueprint": "okta_group", "itemsToParse": "[range(600)]", "entity": {"identifier": ".item"}}], "event": {"body": 1}}`
	a = try(many).want(200, "")
	var results []struct {
		Verdict string
		Detail  struct{ Rule, Message string }
	}
	if err := json.Unmarshal([]byte(a.at("results")), &results); err != nil || len(results) != 501 || results[500].Verdict != "over-limit" || !strings.Contains(results[500].Detail.Message, "100 were left out") {
		t.Errorf("%d results, the last %+v, %v; want 500 and one that tells of the rest", len(results), results[len(results)-1], err)
	}
}

func TestSecretsAreRotatedWithoutAGap(t *testing.T) {
	h := newHouse(t)
	door := h.door(`{"identifier": "hook", "title": "T", "security": {"secret": "old", "signatureHeaderName": "X-Sum", "signatureAlgorithm": "sha256"}}`)
	before := h.call("GET", "/v1/webhooks/hook", "").at("integration", "security")
	send := func(secret string, want int) {
		t.Helper()
		if a := h.call("POST", door, `{}`, "X-Sum: "+sign(sha256.New, secret, `{}`)); a.status != want {
			t.Errorf("signed with %q: %d, want %d", secret, a.status, want)
		}
	}
	a := h.call("POST", "/v1/webhooks/hook/rotate-secret", `{"secret": "new"}`).want(200, "")
	a.is(`"2026-01-06T10:00:00.000Z"`, "previousValidUntil").is(strings.Replace(before, `"old"`, `"new"`, 1), "integration", "security")
	send("new", 202)
	send("old", 202)
	send("other", 401)
	// What writes the same document again leaves both; a PUT is what the Terraform provider sends.
	h.call("PATCH", "/v1/webhooks/hook", `{"title": "U"}`).want(200, "").is(`"new"`, "integration", "security", "secret")
	send("old", 202)
	h.call("PUT", "/v1/webhooks/hook", `{"title": "T", "security": {"secret": "new", "signatureHeaderName": "X-Sum", "signatureAlgorithm": "sha256"}}`).want(200, "")
	send("old", 202)
	if raw := h.webhookRow("hook"); strings.Contains(raw, "old") || strings.Contains(raw, "new") {
		t.Errorf("a secret lies in the open: %s", raw)
	}
	// Time goes by.
	h.at = theTime.Add(25 * time.Hour)
	send("old", 401)
	send("new", 202)
	h.at = theTime
	// Another secret by PUT ends both at once.
	h.call("PUT", "/v1/webhooks/hook", `{"title": "T", "security": {"secret": "third", "signatureHeaderName": "X-Sum", "signatureAlgorithm": "sha256"}}`).want(200, "")
	send("new", 401)
	send("old", 401)
	send("third", 202)
	made := strings.Trim(h.call("POST", "/v1/webhooks/hook/rotate-secret", `{"previousValidSeconds": 0}`).want(200, "").is("", "previousValidUntil").at("integration", "security", "secret"), `"`)
	if len(made) != 43 {
		t.Errorf("the secret that was made up is %q", made)
	}
	send("third", 401)
	send(made, 202)
	for _, bad := range []string{`{"secret": 5}`, `{"previousValidSeconds": -1}`, `{"previousValidSeconds": 99999999}`} {
		h.call("POST", "/v1/webhooks/hook/rotate-secret", bad).want(422, "invalid_request")
	}
	h.call("POST", "/v1/webhooks/nosuch/rotate-secret", `{}`).want(404, "not_found")
}

func TestASecretThatNobodyAsksForIsToldOf(t *testing.T) {
	h := newHouse(t)
	h.door(`{"identifier": "hook", "title": "T"}`)
	a := h.call("POST", "/v1/webhooks/hook/rotate-secret", `{}`).want(200, "")
	if got := a.at("warning"); !strings.Contains(got, "signatureAlgorithm") {
		t.Errorf("a secret without an algorithm is answered with the warning %s, want it to name what is missing", got)
	}
	door := h.door(`{"identifier": "signed", "title": "T", "security": {"secret": "s", "signatureHeaderName": "X-Sum", "signaturePrefix": "sha256=", "signatureAlgorithm": "sha256"}}`)
	h.call("POST", "/v1/webhooks/signed/rotate-secret", `{"secret": "s"}`).want(200, "").is("", "warning")
	for header, says := range map[string]string{"X-Other: 1": `header "X-Sum" is not there`, "X-Sum: 00": `begin with "sha256="`, "X-Sum: sha256=00": "not that of this body"} {
		if a := h.call("POST", door, `{}`, header).want(401, "unauthorized"); !strings.Contains(strings.ReplaceAll(a.at("message"), `\"`, `"`), says) {
			t.Errorf("a call with %q is refused with %s, want it to say %q", header, a.at("message"), says)
		}
	}
}

// webhookRow is all text that the database holds of a webhook.
func (h *house) webhookRow(identifier string) string {
	h.t.Helper()
	hook, err := h.objects.Webhook(h.t.Context(), identifier)
	if err != nil {
		h.t.Fatal(err)
	}
	var secret, previous []byte
	if err := h.store.Writer().QueryRowContext(h.t.Context(), `SELECT secret, previous_secret FROM webhooks WHERE identifier = $1`, identifier).Scan(&secret, &previous); err != nil {
		h.t.Fatal(err)
	}
	return string(hook.Doc) + string(secret) + string(previous)
}

func TestLimitsAreRaisedByTheWebhook(t *testing.T) {
	rule(t, "9-2", "9-3")
	h := newCatalogHouse(t)
	for _, bad := range []string{`"maxItems": 0`, `"maxItems": 1.5`, `"maxItems": 1000000`, `"maxPayloadBytes": "x"`, `"maxPayloadBytes": 99999999999`, `"strict": 1`, `"createMissingRelatedEntities": "yes"`, `"config": []`, `"config": {"resources": {}}`} {
		h.call("POST", "/v1/webhooks", `{"title": "T", `+bad+`}`).want(422, "invalid_request")
	}
	mappings := `"mappings": [{"blueprint": "okta_group", "itemsToParse": ".body.list", "entity": {"identifier": ".item"}}]`
	door := h.door(`{"identifier": "hook", "title": "T", "maxItems": 700, "maxPayloadBytes": 2000000, ` + mappings + `}`)
	plain := h.door(`{"identifier": "plain", "title": "T", ` + mappings + `}`)
	h.call("GET", "/v1/webhooks/hook", "").want(200, "").is("700", "integration", "maxItems")
	h.call("GET", "/v1/webhooks/plain", "").want(200, "").is("", "integration", "maxItems")
	long := `{"pad": "` + strings.Repeat("x", 1_500_000) + `", "list": ` + numbers("a", 800) + `}`
	h.call("POST", plain, long).want(413, "bad_request")
	h.call("POST", door, long).want(202, "")
	h.call("POST", door, `"`+strings.Repeat("x", 2_000_000)+`"`).want(413, "bad_request")
	h.call("POST", plain, `{"list": `+numbers("b", 800)+`}`).want(202, "")
	h.work()
	if n := h.call("GET", "/v1/blueprints/okta_group/entities-count", "").at("count"); n != "1200" {
		t.Errorf("%s entities, want 700 of the one webhook and 500 of the other", n)
	}
	h.call("GET", "/v1/longshore/verdicts?code=over-limit", "").want(200, "").is(`"items"`, "groups", "0", "detail", "rule").is("1", "groups", "1", "records")
	for object, want := range map[string]string{"1": "the first 700 were applied, 100 were left out", "2": "the first 500 were applied, 300 were left out"} {
		if a := h.call("GET", "/v1/longshore/objects/"+object+"/lines/1", "").want(200, ""); !strings.Contains(a.body, want) {
			t.Errorf("object %s: items that were left out are not recorded: %s", object, a.body)
		}
	}
	h.call("GET", "/v1/audit-log?status=FAILURE&webhookId=plain", "").want(200, "").is(`"over-limit"`, "audits", "0", "additionalData", "verdict")
}

// numbers is a JSON list of n identifiers.
func numbers(prefix string, n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(`"%s%d"`, prefix, i)
	}
	return "[" + strings.Join(all, ",") + "]"
}
