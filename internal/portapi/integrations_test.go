package portapi_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"longshore/internal/portapi/rules"
)

func newIntegration(h *house, id, more string) answer {
	h.t.Helper()
	return h.call("POST", "/v1/integration", `{"installationId":"`+id+`","installationAppType":"okta","version":"1.2.3"`+more+`}`).want(200, "")
}

func TestIntegrationIsEchoedAsItWasSent(t *testing.T) {
	h := newHouse(t)
	newIntegration(h, "-1-okta", `,"changelogDestination":{},"config":{"resources":[]},"actionsProcessingEnabled":true,"createPortResourcesOrigin":"Ocean","installationType":"Saas"`)
	got := h.call("GET", "/v1/integration/-1-okta?byField=installationId", "").want(200, "")
	for path, want := range map[string]string{
		"installationId": `"-1-okta"`, "installationAppType": `"okta"`, "version": `"1.2.3"`, "changelogDestination": `{}`, "config": `{"resources":[]}`,
		"actionsProcessingEnabled": `true`, "incrementalSyncEnabled": `false`, "processingMode": `null`, "arePortResourcesInitialized": `false`,
		"installationType": `"OnPrem"`, "title": `null`, "spec": `{}`, "createPortResourcesOrigin": `"Ocean"`,
		"logAttributes": `{"ingestUrl":"http://longshore.example/v1/logs/integration/-1-okta"}`,
		"resyncState":   `{"updatedAt":"2026-01-05T10:00:00.000Z"}`, "createdAt": `"2026-01-05T10:00:00.000Z"`,
	} {
		got.is(want, "integration", path)
	}
	var id string
	if err := json.Unmarshal([]byte(got.at("integration", "_id")), &id); err != nil {
		t.Fatal(err)
	}
	h.call("GET", "/v1/integration/"+id, "").want(200, "").is(`"-1-okta"`, "integration", "installationId")
	h.call("POST", "/v1/integration", `{"installationId":"-1-okta"}`).want(409, "identifier_taken")
	h.call("GET", "/v1/integration/nope?byField=installationId", "").want(404, "not_found")
	patched := h.call("PATCH", "/v1/integration/-1-okta", `{"title":"T","version":"2","changelogDestination":{"type":"WEBHOOK","url":"https://x.example"},"processingMode":"M"}`).want(200, "")
	patched.is(`"T"`, "integration", "title").is(`"2"`, "integration", "version").is(`"M"`, "integration", "processingMode").is(`{"resources":[]}`, "integration", "config")
	h.call("PATCH", "/v1/integration/-1-okta", `{"title":null}`).want(200, "").is(`null`, "integration", "title").is(`"2"`, "integration", "version")
	h.call("PATCH", "/v1/integration/-1-okta", `{"installationId":"other"}`).want(422, "invalid_request")
	h.call("GET", "/v1/integration?actionsProcessingEnabled=true", "").want(200, "").is(`"-1-okta"`, "integrations", "0", "installationId")
	h.call("GET", "/v1/integration?actionsProcessingEnabled=false", "").want(200, "").is(`[]`, "integrations")
	h.call("DELETE", "/v1/integration/-1-okta", "").want(200, "")
	h.call("DELETE", "/v1/integration/-1-okta", "").want(404, "not_found")
	h.call("PATCH", "/v1/integration/-1-okta", `{}`).want(404, "not_found")
}

func TestIntegrationIsAskedToResync(t *testing.T) {
	h := newHouse(t)
	newIntegration(h, "okta", `,"config":{"resources":[],"entityDeletionThreshold":0.9}`)
	seen := ""
	asked := func(what string, want bool) {
		t.Helper()
		got := h.call("GET", "/v1/integration/okta/resync-request", "").want(200, "")
		if got.at("request", "id") == "" || got.at("request", "updatedAt") == "null" {
			t.Fatalf("%s: %s, want a request with a time", what, got.body)
		}
		if at := got.at("request", "updatedAt"); at != seen != want {
			t.Errorf("%s: asked anew is %t, want %t: %s", what, at != seen, want, got.body)
		} else {
			seen = at
		}
	}
	patch := func(path, body string, headers ...string) {
		t.Helper()
		h.call("PATCH", "/v1/integration/okta"+path, body, headers...).want(200, "")
	}
	asked("created", true)
	asked("looked again", false)
	patch("", `{"version":"2"}`)
	asked("another version", false)
	patch("", `{"config":{"entityDeletionThreshold":0.9,"resources":[]}}`)
	asked("the same config in another order", false)
	patch("", `{"config":{"resources":[{"kind":"users"}]}}`)
	asked("another config", true)
	patch("", `{"config":{"resources":[{"kind":"groups"}]},"arePortResourcesInitialized":true}`, "x-skip-resync: true")
	asked("skipped", false)
	patch("/config", `{"config":{"resources":[{"kind":"roles"}]}}`)
	asked("another config by its own route", true)
	patch("/config", `{"resources":[]}`)
	asked("a bare config by its own route", true)
	patch("", `{}`)
	asked("an empty patch", true)
	h.call("PATCH", "/v1/integration/okta/resync-state", `{"status":"running","intervalInMinuets":60}`).want(200, "").
		is(`"running"`, "integration", "resyncState", "status").is(`60`, "integration", "resyncState", "intervalInMinuets")
	asked("a resync under way", false)
	h.call("PATCH", "/v1/integration/okta/resync-state", `{"status":"completed"}`).want(200, "").is(`60`, "integration", "resyncState", "intervalInMinuets").
		is(`"completed"`, "integration", "resyncState", "status")
}

func TestIntegrationConfigIsChecked(t *testing.T) {
	h := newHouse(t)
	newIntegration(h, "okta", "")
	for _, config := range []string{
		`[]`, `"x"`, `{"entityDeletionThreshold":"0.9"}`, `{"entityDeletionThreshold":1.5}`, `{"entityDeletionThreshold":-1}`, `{"enableMergeEntity":"yes"}`,
		`{"resources":{}}`, `{"resources":[{"selector":{}}]}`, `{"resources":[null]}`,
	} {
		h.call("PATCH", "/v1/integration/okta", `{"config":`+config+`}`).want(422, "invalid_request")
	}
	h.call("PATCH", "/v1/integration/okta", `{"config":{"resources":[{"kind":"users","port":{"entity":{"mappings":{"identifier":".id |"}}}}],"entityDeletionThreshold":0}}`).want(200, "")
	for _, body := range []string{`{}`, `{"installationId":""}`, `{"installationId":7}`, `{"installationId":"a","version":{}}`, `{"installationId":"a","changelogDestination":"x"}`} {
		h.call("POST", "/v1/integration", body).want(422, "invalid_request")
	}
}

// ingestURL is the path of an address that the integration was told to report to.
func ingestURL(t *testing.T, integration answer, name string) string {
	t.Helper()
	var text string
	if err := json.Unmarshal([]byte(integration.at("integration", name, "ingestUrl")), &text); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u.EscapedPath()
}

func TestIntegrationReportsAreKeptAndListed(t *testing.T) {
	rules.Of(t, "10.1-5", "10.1-6")
	h := newHouse(t)
	made := newIntegration(h, "okta", "")
	logs := ingestURL(t, made, "logAttributes")
	for n := range 3 {
		at := theTime.Add(time.Duration(n) * time.Minute).Format(time.RFC3339)
		h.call("POST", logs, fmt.Sprintf(`{"logs":[{"message":"m%d","level":"INFO","timestamp":%q,"eventId":"e%d"}]}`, n, at, n)).want(200, "")
	}
	h.call("POST", logs, `{"logs":[{"message":"bad","level":"ERROR"}]}`).want(200, "")
	messages := func(query string, want ...string) {
		t.Helper()
		got := h.call("GET", "/v1/integration/okta/logs?"+query, "").want(200, "")
		var body struct {
			Data []struct{ Message string }
		}
		if err := json.Unmarshal([]byte(got.body), &body); err != nil {
			t.Fatal(err)
		}
		said := []string{}
		for _, line := range body.Data {
			said = append(said, line.Message)
		}
		if fmt.Sprint(said) != fmt.Sprint(want) {
			t.Errorf("logs?%s: %v, want %v", query, said, want)
		}
	}
	messages("", "bad", "m2", "m1", "m0")
	messages("limit=2", "bad", "m2")
	messages("level=INFO&limit=1", "m2")
	messages("eventId=e1", "m1")
	messages("timestamp=2026-01-05T10:01:00Z", "m0")
	messages("timestamp=2026-01-05T10:01:00Z&direction=next", "m2")
	messages("log_id=2", "m0")
	messages("log_id=2&direction=next&limit=1", "m2")
	h.call("GET", "/v1/integration/okta/logs?limit=301", "").want(422, "invalid_request")
	h.call("GET", "/v1/integration/okta/logs?timestamp=yesterday", "").want(422, "invalid_request")

	metrics := ingestURL(t, made, "metricAttributes")
	h.call("POST", metrics+"/syncMetrics", `{"syncKindsMetrics":[{"eventId":"r1","kindIdentifier":"users","n":1},{"eventId":"r1","kindIdentifier":"groups"}]}`).want(200, "")
	h.call("PUT", metrics+"/syncMetrics/resync/r1/kind/users", `{"syncKindMetrics":{"eventId":"r1","kindIdentifier":"users","n":2}}`).want(200, "")
	h.call("POST", metrics+"/heartbeat", `{}`).want(200, "")
	h.call("POST", ingestURL(t, made, "ingestAttributes"), `{"items":[]}`).want(200, "")
	h.call("GET", "/v1/integration/okta/syncMetrics", "").want(200, "").is(`2`, "syncMetrics", "0", "n").is(`"groups"`, "syncMetrics", "1", "kindIdentifier")
	h.call("GET", "/v1/integration/okta/syncsMetadata", "").want(200, "").is(`[{"eventId":"r1","kinds":["users","groups"]}]`, "syncsMetadata")

	h.call("POST", "/v1/integration/okta/kinds/a%2Fb/examples", `{"examples":[{"id":1},{"id":2}]}`).want(200, "")
	h.call("GET", "/v1/integration/okta/kinds", "").want(200, "").is(`[{"kind":"a/b","examples":[{"id":1},{"id":2}]}]`, "kinds")
	h.call("GET", "/v1/integration/okta/cursor", "").want(200, "").is(`null`, "cursor")
	h.call("POST", "/v1/integration/okta/cursor", `{"cursor":"c1"}`).want(200, "")
	h.call("PUT", "/v1/integration/okta/cursor", `{"cursor":"c2"}`).want(200, "")
	h.call("GET", "/v1/integration/okta/cursor", "").want(200, "").is(`"c2"`, "cursor")

	for _, path := range []string{logs, metrics + "/syncMetrics", metrics + "/heartbeat"} {
		h.call("POST", strings.Replace(path, "okta", "nope", 1), `{}`).want(404, "not_found")
	}
	h.call("DELETE", "/v1/integration/okta", "").want(200, "")
	newIntegration(h, "okta", "")
	messages("")
	h.call("GET", "/v1/integration/okta/cursor", "").is(`null`, "cursor")
	h.call("GET", "/v1/integration/okta/kinds", "").is(`[]`, "kinds")
}

func TestIntegrationLogsAreBounded(t *testing.T) {
	h := newHouse(t)
	logs := ingestURL(t, newIntegration(h, "okta", ""), "logAttributes")
	line := `{"message":"` + strings.Repeat("x", 1000) + `"}`
	batch := `{"logs":[` + strings.Repeat(line+",", 199) + line + `]}`
	for range 3 {
		h.call("POST", logs, batch).want(200, "")
	}
	var size int
	if err := h.store.Reader().QueryRow(`SELECT max(length(doc)) FROM documents`).Scan(&size); err != nil {
		t.Fatal(err)
	}
	if size > 300<<10 {
		t.Errorf("600 lines of 1 kB are kept in %d bytes, want at most 256 KiB of them", size)
	}
	h.call("GET", "/v1/integration/okta/logs?limit=1", "").is(`"600"`, "data", "0", "id")
}
