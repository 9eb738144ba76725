package portapi_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"longshore/internal/pipeline"
)

const oktaHook = `{"identifier": "okta", "title": "Okta", "description": "", "icon": "Okta", "enabled": true,
	"security": {"secret": "s3cr3t!", "signatureHeaderName": "X-Signature", "signatureAlgorithm": "sha256", "signaturePrefix": "sha256=",
		"requestIdentifierPath": ".headers.\"x-request-id\""},
	"mappings": [{"blueprint": "okta_group", "entity": {"identifier": ".body.id", "title": "", "properties": {"size": ".body.n"}}}]}`

func TestWebhookAnswersBothEnvelopesAndSecurityAlways(t *testing.T) {
	h := newHouse(t)
	a := h.call("POST", "/v1/webhooks", `{"title": "Plain"}`).want(201, "").is("{}", "integration", "security").is("[]", "webhook", "mappings").is("true", "integration", "enabled")
	key := strings.Trim(a.at("integration", "webhookKey"), `"`)
	if len(key) != 16 || strings.Trim(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		t.Errorf("webhookKey %q, want 16 URL-safe characters", key)
	}
	a.is(`"http://longshore.example/ingest/`+key+`"`, "integration", "url")
	if a.at("integration") != a.at("webhook") || a.at("integration", "identifier") == "" {
		t.Errorf("the envelopes differ, or no identifier was made up: %s", a.body)
	}
	list := h.call("GET", "/v1/webhooks", "").want(200, "")
	if list.at("integrations") != list.at("webhooks") || list.at("webhooks", "0", "webhookKey") != `"`+key+`"` {
		t.Errorf("list: %s", list.body)
	}
	h.call("GET", "/v1/webhooks/metadata", "").want(200, "").is("", "integrations", "0", "security")
}

func TestWebhookIsEchoedAsItWasSent(t *testing.T) {
	h := newHouse(t)
	a := h.call("POST", "/v1/webhooks", oktaHook).want(201, "")
	a.is(`[{"blueprint":"okta_group","entity":{"identifier":".body.id","title":"","properties":{"size":".body.n"}}}]`, "integration", "mappings").
		is(`"s3cr3t!"`, "integration", "security", "secret").is(`""`, "integration", "description")
	if got := h.call("GET", "/v1/webhooks/okta", "").want(200, ""); got.at("integration") != a.at("integration") {
		t.Errorf("GET answers %s, POST answered %s", got.body, a.body)
	}
	key := a.at("integration", "webhookKey")
	h.call("PATCH", "/v1/webhooks/okta", `{"title": "Other"}`).want(200, "").is(`"Other"`, "integration", "title").is(`"s3cr3t!"`, "integration", "security", "secret").is(key, "integration", "webhookKey")
	h.call("PUT", "/v1/webhooks/okta", `{"identifier": "okta2", "title": "Renamed"}`).want(200, "").is("{}", "integration", "security").is(key, "integration", "webhookKey").is("[]", "integration", "mappings")
	h.call("GET", "/v1/webhooks/okta", "").want(404, "not_found")
	h.call("POST", "/v1/webhooks", `{"identifier": "okta2", "title": "Again"}`).want(409, "identifier_taken")
	h.call("DELETE", "/v1/webhooks/okta2", "").want(200, "")
	h.call("DELETE", "/v1/webhooks/okta2", "").want(404, "not_found")
}

func TestWebhookSecretIsNotStoredInTheOpenNorShownToABrowser(t *testing.T) {
	h := newHouse(t)
	h.call("POST", "/v1/webhooks", oktaHook).want(201, "")
	hook, err := h.objects.Webhook(t.Context(), "okta")
	if err != nil || strings.Contains(string(hook.Doc), "s3cr3t!") || hook.Secret != "s3cr3t!" {
		t.Errorf("stored document %s, secret %q, %v", hook.Doc, hook.Secret, err)
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, h.keeper.SignInPath(), nil))
	cookie := w.Result().Cookies()[0]
	browser := []string{"Authorization:", "Cookie: " + cookie.Name + "=" + cookie.Value}
	a := h.call("GET", "/v1/webhooks/okta", "", browser...).want(200, "").is(`"********"`, "integration", "security", "secret")
	h.call("PUT", "/v1/webhooks/okta", a.at("integration"), browser...).want(200, "").is(`"********"`, "integration", "security", "secret")
	h.call("GET", "/v1/webhooks/okta", "").want(200, "").is(`"s3cr3t!"`, "integration", "security", "secret")
	for _, site := range []string{"cross-site", "same-site"} { // the latter is another port of this machine
		h.call("DELETE", "/v1/webhooks/okta", "", append(browser, "Sec-Fetch-Site: "+site)...).want(403, "cross_origin")
	}
	h.call("DELETE", "/v1/webhooks/okta", "", append(browser, "Sec-Fetch-Site: same-origin")...).want(200, "")
}

func TestWebhookRefusals(t *testing.T) {
	h := newHouse(t)
	for name, body := range map[string]string{
		"no title": `{}`, "long title": `{"title": "` + strings.Repeat("x", 31) + `"}`, "long identifier": `{"title": "a", "identifier": "` + strings.Repeat("x", 31) + `"}`,
		"space": `{"title": "a", "identifier": "a b"}`, "mappings": `{"title": "a", "mappings": {}}`, "algorithm": `{"title": "a", "security": {"signatureAlgorithm": "md5"}}`,
		"enabled": `{"title": "a", "enabled": "yes"}`, "type": `{"title": "a", "integrationType": "x"}`,
	} {
		if a := h.call("POST", "/v1/webhooks", body); a.status != 422 {
			t.Errorf("%s: %d %s, want 422", name, a.status, a.body)
		}
	}
	if a := h.call("POST", "/v1/webhooks", `{"title": "a", "security": {"secret": {"x": "hunter2"}}}`); a.status != 422 || strings.Contains(a.body, "hunter2") {
		t.Errorf("secret of a wrong type: %d %s, want 422 without the secret", a.status, a.body)
	}
	h.call("POST", "/v1/webhooks", `{"title": "Bad jq is legal until it runs", "identifier": "bad-jq", "mappings": [{"blueprint": "not_there", "entity": {"identifier": "{\"combinator\":"}}]}`)
}

func sign(algorithm func() hash.Hash, secret, body string) string {
	m := hmac.New(algorithm, []byte(secret))
	m.Write([]byte(body))
	return hex.EncodeToString(m.Sum(nil))
}

// door makes a webhook and returns the path of its door.
func (h *house) door(doc string) string {
	h.t.Helper()
	a := h.call("POST", "/v1/webhooks", doc).want(201, "")
	return "/ingest/" + strings.Trim(a.at("integration", "webhookKey"), `"`)
}

func (h *house) keys() []string {
	h.t.Helper()
	var keys []string
	for o, err := range h.bucket.List(h.t.Context(), "", "") {
		if err != nil {
			h.t.Fatal(err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

// lines returns the only line of an object.
func (h *house) lines(key string) string {
	h.t.Helper()
	body, _, err := h.bucket.Get(h.t.Context(), key)
	if err != nil {
		h.t.Fatal(err)
	}
	defer body.Close()
	return gunzip(h.t, body)
}

func TestSignatures(t *testing.T) {
	const body = `{"id":  "g1"}`
	for _, c := range []struct {
		name, security, header string
		want                   int
	}{
		{"sha256", `"signatureAlgorithm": "sha256", "secret": "k"`, sign(sha256.New, "k", body), 202},
		{"sha1", `"signatureAlgorithm": "sha1", "secret": "k"`, sign(sha1.New, "k", body), 202},
		{"prefix", `"signatureAlgorithm": "sha256", "secret": "k", "signaturePrefix": "sha256="`, "sha256=" + sign(sha256.New, "k", body), 202},
		{"prefix missing", `"signatureAlgorithm": "sha256", "secret": "k", "signaturePrefix": "sha256="`, sign(sha256.New, "k", body), 401},
		{"plain", `"signatureAlgorithm": "plain", "secret": "k"`, "k", 202},
		{"plain wrong", `"signatureAlgorithm": "plain", "secret": "k"`, "kk", 401},
		{"re-encoded body", `"signatureAlgorithm": "sha256", "secret": "k"`, sign(sha256.New, "k", `{"id":"g1"}`), 401},
		{"other secret", `"signatureAlgorithm": "sha256", "secret": "k"`, sign(sha256.New, "K", body), 401},
		{"other algorithm", `"signatureAlgorithm": "sha256", "secret": "k"`, sign(sha1.New, "k", body), 401},
		{"not hex", `"signatureAlgorithm": "sha256", "secret": "k"`, "zz", 401},
		{"no header", `"signatureAlgorithm": "sha256", "secret": "k"`, "", 401},
		{"no secret: no check", `"signatureAlgorithm": "sha256"`, "", 202},
		{"no algorithm: no check", `"secret": "k"`, "", 202},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t)
			door := h.door(`{"title": "T", "security": {"signatureHeaderName": "X-Hub-Sum", ` + c.security + `}}`)
			a := h.call("POST", door, body, "Authorization:", "X-Hub-Sum: "+c.header)
			if a.status != c.want {
				t.Errorf("%d %s, want %d", a.status, a.body, c.want)
			}
			stored := 0
			if c.want == 202 {
				stored = 1
			}
			if got := len(h.keys()); got != stored {
				t.Errorf("%d objects in the lake, want %d", got, stored)
			}
		})
	}
}

func TestCallIsDurableBeforeItIsAcknowledged(t *testing.T) {
	h := newCatalogHouse(t)
	door := h.door(`{"identifier": "hook", "title": "T", "mappings": [{"blueprint": "okta_group", "entity": {"identifier": ".body.id", "title": ".headers.\"x-title\"", "properties": {"size": ".queryParams.n | tonumber"}}}]}`)
	h.bucket.down = errors.New("connection refused")
	a := h.call("POST", door+"?n=7", `{"id": "g1"}`).want(503, "unavailable")
	if a.header.Get("Retry-After") == "" || strings.Contains(a.body, "refused") {
		t.Errorf("503 without Retry-After, or with our own trouble: %s", a.body)
	}
	if len(h.keys()) != 0 || len(h.queued) != 0 {
		t.Fatalf("an unacknowledged call left %v in the lake and %v in the queue", h.keys(), h.queued)
	}
	h.bucket.down = nil
	a = h.call("POST", door+"?n=7", `{"id": "g1"}`, "X-Title: Admins").want(202, "")
	keys := h.keys()
	id := strings.Trim(a.at("eventId"), `"`)
	if len(keys) != 1 || len(h.queued) != 1 || id == "" || !strings.HasSuffix(keys[0], id+".jsonl.gz") || !strings.Contains(keys[0], "/webhook_events/year=2026/month=01/05_") {
		t.Fatalf("lake %v, queue %v, event %s", keys, h.queued, id)
	}
	h.work()
	h.call("GET", "/v1/blueprints/okta_group/entities/g1", "").want(200, "").is(`"Admins"`, "entity", "title").is("7", "entity", "properties", "size")
	h.call("GET", "/v1/longshore/verdicts?rollups=true", "").want(200, "").is(`"upserted"`, "groups", "0", "code").is(`"webhook_events"`, "groups", "0", "stream")
	h.call("GET", "/v1/longshore/objects?state=done", "").want(200, "").is("1", "objects", "0", "records")
	h.call("GET", "/v1/longshore/objects/1/lines/1", "").want(200, "").is(`"upserted"`, "rollUp", "code")
	h.call("GET", "/v1/longshore/records?code=upserted", "").want(200, "").is("1", "records", "0", "line")
	h.call("GET", "/v1/audit-log?webhookId=hook", "").want(200, "").is(`"WEBHOOK"`, "audits", "0", "trigger", "origin")
}

func TestDoorRefusals(t *testing.T) {
	h := newHouse(t)
	door := h.door(`{"title": "T"}`)
	if a := h.call("POST", "/ingest/nosuchkey", `{}`).want(404, "not_found"); strings.Contains(a.body, "nosuchkey") {
		t.Errorf("the answer tells the key: %s", a.body)
	}
	h.call("POST", door, `{"a": `).want(400, "bad_request")
	h.call("POST", door, "").want(400, "bad_request")
	h.call("POST", door, "\"\xff\"").want(400, "bad_request")
	h.call("POST", door, strings.Repeat("[", 5000)+strings.Repeat("]", 5000)).want(400, "bad_request")
	h.call("POST", door, `"`+strings.Repeat("a", 512<<10)+`"`).want(413, "bad_request")
	h.call("POST", door, `"`+strings.Repeat("a", 512<<10-2)+`"`).want(202, "")
	h.call("POST", door, `[1, 2]`, "Sec-Fetch-Site: cross-site").want(202, "")
	h.call("GET", door, "").want(405, "method_not_allowed")
}

func TestDisabledWebhookDropsCalls(t *testing.T) {
	h := newHouse(t)
	door := h.door(`{"title": "T", "enabled": false}`)
	h.call("POST", door, `{}`).want(202, "").is(`"disabled"`, "dropped")
	if keys := h.keys(); len(keys) != 0 {
		t.Errorf("a dropped call lies in the lake: %v", keys)
	}
}

func TestDuplicateRequestsAreDropped(t *testing.T) {
	h := newHouse(t)
	door := h.door(`{"title": "T", "security": {"requestIdentifierPath": ".headers.\"x-request-id\""}}`)
	h.call("POST", door, `{"n": 1}`, "X-Request-Id: r1").want(202, "").is("", "dropped")
	first := h.keys()
	h.call("POST", door, `{"n": 2}`, "X-Request-Id: r1").want(202, "").is(`"duplicate"`, "dropped")
	h.call("POST", door, `{"n": 3}`, "X-Request-Id: r2").want(202, "").is("", "dropped")
	h.call("POST", door, `{"n": 4}`).want(202, "").is("", "dropped")
	h.call("POST", door, `{"n": 5}`).want(202, "").is("", "dropped")
	if got := len(h.keys()); got != 4 || len(h.queued) != 4 {
		t.Errorf("%d objects, %d jobs; want 4 each: %v", got, len(h.queued), h.keys())
	}
	if line := h.lines(first[0]); !strings.Contains(line, `{"n": 1}`) {
		t.Errorf("the first call was overwritten: %s", line)
	}
}

// A sender's retry after a crash between the lake and the queue must not be dropped unrecorded.
func TestRetryOfAnUnrecordedCallIsQueued(t *testing.T) {
	h := newHouse(t)
	door := h.door(`{"title": "T", "security": {"requestIdentifierPath": ".body.id"}}`)
	h.call("POST", door, `{"id": 1}`).want(202, "")
	if _, err := h.store.Writer().ExecContext(t.Context(), `DELETE FROM objects`); err != nil {
		t.Fatal(err)
	}
	h.queued = nil
	h.call("POST", door, `{"id": 1}`).want(202, "").is(`"duplicate"`, "dropped")
	if len(h.queued) != 1 {
		t.Errorf("%d jobs queued by the retry, want 1", len(h.queued))
	}
}

func TestSecretHeadersStayOutOfTheLake(t *testing.T) {
	h := newHouse(t)
	door := h.door(`{"title": "T", "security": {"signatureHeaderName": "X-Sum", "signatureAlgorithm": "plain", "secret": "hunter2"}}`)
	h.call("POST", door, `{}`, "X-Sum: hunter2", "Authorization: Bearer hunter2", "Cookie: a=hunter2", "X-Api-Key: hunter2", "X-Amz-Security-Token: hunter2",
		"Proxy-Authorization: hunter2", "X-Kept: yes").want(202, "")
	line := h.lines(h.keys()[0])
	if strings.Contains(line, "hunter2") || !strings.Contains(line, `"x-kept":"yes"`) {
		t.Errorf("the lake has %s", line)
	}
}

func TestCallIsNewerThanTheSnapshotBeforeIt(t *testing.T) {
	h := newHouse(t)
	door := h.door(`{"identifier": "okta", "title": "T"}`)
	syncs := h.store.Syncs("lake", func() time.Time { return theTime }, noJob, nil)
	conn, err := syncs.PutConnection(t.Context(), pipeline.Connection{Name: "okta", NamespaceFormat: "okta"})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		id, _, err := syncs.StartRun(t.Context(), conn, []pipeline.Stream{{Name: "users"}}, false, "test")
		if err != nil {
			t.Fatal(err)
		}
		if err := syncs.FinishRun(t.Context(), id, pipeline.Succeeded, ""); err != nil {
			t.Fatal(err)
		}
	}
	h.call("POST", door, `{}`).want(202, "")
	if line := h.lines(h.keys()[0]); !strings.Contains(line, `"_airbyte_generation_id":3`) {
		t.Errorf("after three snapshots the call says %s, want generation 3", line)
	}
	h.call("GET", "/v1/longshore/syncs?limit=1", "").want(200, "").is("3", "syncs", "0", "id").is(`"succeeded"`, "syncs", "0", "status")
	h.call("GET", "/v1/longshore/syncs/3", "").want(200, "").is(`"users"`, "sync", "streams", "0", "stream")
	h.call("GET", "/v1/longshore/receipts/3", "").want(404, "not_found")
	if err := syncs.SaveReceipt(t.Context(), 3, `{"ok":true}`); err != nil {
		t.Fatal(err)
	}
	h.call("GET", "/v1/longshore/receipts/3", "").want(200, "").is(`{"ok":true}`, "receipt")
	h.call("GET", "/v1/longshore/receipts/x", "").want(404, "not_found")
}

func TestLossesAreInTheAuditLog(t *testing.T) {
	h := newCatalogHouse(t)
	door := h.door(`{"identifier": "strict", "title": "T", "strict": true, "mappings": [{"blueprint": "okta_user", "entity": {"identifier": ".body.id"}}]}`)
	h.call("POST", door, `{"id": "00u1"}`).want(202, "")
	h.work()
	h.call("GET", "/v1/audit-log?status=FAILURE&webhookId=strict", "").want(200, "").is(`"FAILURE"`, "audits", "0", "status").is(`"schema-reject"`, "audits", "0", "additionalData", "verdict")
	h.call("GET", "/v1/longshore/pending", "").want(200, "").is("0", "count")
	h.call("GET", "/v1/longshore/verdicts?code=nonsense", "").want(422, "invalid_request")
	h.call("GET", "/v1/longshore/objects?state=nonsense", "").want(422, "invalid_request")
}
