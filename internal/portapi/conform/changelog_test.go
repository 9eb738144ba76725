package conform_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"longshore/internal/changelog"
	"longshore/internal/portapi/rules"
)

func TestChangelog(t *testing.T) {
	check(t, rules.IDs("4.10-3"), func(h *house) {
		var mu sync.Mutex
		var told []string
		refuse := true
		receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			defer mu.Unlock()
			if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" ||
				r.Header.Get("X-Port-Signature") != changelog.Sign(clientSecret, r.Header.Get("X-Port-Timestamp"), body) {
				h.Errorf("delivered as %s %v", r.Method, r.Header)
			}
			if refuse {
				refuse = false
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			told = append(told, string(body))
		}))
		defer receiver.Close()
		doc := `{"identifier": "thing", "title": "Thing", "schema": {"properties": {"n": {"type": "number"}, "s": {"type": "string"}}, "required": ["n"]},
			"changelogDestination": {"type": "WEBHOOK", "url": "` + receiver.URL + `"}}`
		h.call("POST", "/v1/blueprints", doc).want(201, "")
		const things = "/v1/blueprints/thing/entities"
		h.call("POST", things, `{"identifier": "a", "properties": {"n": 1}}`).want(201, "")
		h.call("PATCH", things+"/a", `{"properties": {"n": 2}}`).want(200, "")
		h.call("PATCH", things+"/a", `{"properties": {"n": 2}}`).want(200, "")                                        // changes nothing
		h.call("POST", things+"?upsert=true&merge=true", `{"identifier": "a", "properties": {"n": 2}}`).want(200, "") // nor this
		h.call("PUT", "/v1/blueprints/thing", doc).want(200, "")                                                      // nor this
		h.call("POST", things, `{"identifier": "b", "properties": {"n": "x"}}`).want(422, "blueprint_schema_mismatch")
		h.call("DELETE", things+"/a", "").want(200, "")
		h.events(`{"blueprint": "thing", "entity": {"identifier": ".body.id", "properties": {"n": ".body.n"}}}`, `{"id": "c", "n": 3}`, `{"n": 4}`)

		audits := func(query string) (list []string) {
			var all []json.RawMessage
			if err := json.Unmarshal([]byte(h.call("GET", "/v1/audit-log?resources=entity"+query, "").want(200, "").at("audits")), &all); err != nil {
				h.Fatalf("the audit log: %v", err)
			}
			for _, a := range all {
				list = append(list, string(a))
			}
			slices.Reverse(list) // newest first
			return list
		}
		done := audits("&blueprint=thing&status=SUCCESS")
		if len(done) != 4 {
			h.Errorf("four writes changed something, the audit log has %d: %s", len(done), strings.Join(done, "\n"))
		}
		h.tell("thing") // is refused
		h.tell("thing")
		mu.Lock()
		defer mu.Unlock()
		if len(told) != len(done) {
			h.Fatalf("%d entries were told, want %d: %s", len(told), len(done), strings.Join(told, "\n"))
		}
		for i := range done {
			if !same(told[i], done[i]) {
				h.Errorf("told:\n%s\nthe audit log has\n%s", told[i], done[i])
			}
		}
		failed := strings.Join(audits("&status=FAILURE"), "\n")
		for _, part := range []string{`"entity":"b"`, `"origin":"WEBHOOK"`} {
			if !strings.Contains(failed, part) {
				h.Errorf("the failures do not tell of %s: %s", part, failed)
			}
		}
	})
}
