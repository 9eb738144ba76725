package emulator

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// steering sends a request to the control API.
func steering(t *testing.T, o *Org, method, path, body string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	o.Control().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body)))
	text, _ := io.ReadAll(w.Body)
	return w.Code, string(text)
}

func TestControlSteersARunningOrg(t *testing.T) {
	key := testKeys()["P-256"]
	o := New(Options{OAuth: OAuth{Apps: []App{appOf(key, "okta.users.read")}}})
	do := func(method, path, body string, want int) string {
		t.Helper()
		status, text := steering(t, o, method, path, body)
		if status != want {
			t.Errorf("%s %s %s: %d %s, want %d", method, path, body, status, text, want)
		}
		return text
	}

	do("PUT", "/_emu/faults", `{"faults":["/api/v1/users=503,times:1"]}`, 200)
	if r := get(t, o, "/api/v1/users"); r.status != 503 {
		t.Errorf("with a fault: %d", r.status)
	}
	if text := do("GET", "/_emu/faults", "", 200); !strings.Contains(text, "/api/v1/users=503,times:1") {
		t.Errorf("faults: %s", text)
	}
	do("DELETE", "/_emu/faults", "", 200)

	do("PUT", "/_emu/limits", `{"profile":"workforce","share":50,"showShare":true,"window":"10s"}`, 200)
	if r := get(t, o, "/api/v1/users?limit=1"); r.header.Get("X-Rate-Limit-Limit") != "300" {
		t.Errorf("with limits: %v", r.header)
	}
	do("PUT", "/_emu/noise", `{"noise":[{"bucket":"/logs","perCent":40}]}`, 200)

	v := newVisitor(t, o, key, "ES256")
	a, _ := v.ask("okta.users.read", nil)
	do("POST", "/_emu/withdrawals", `{"client":"`+DefaultClientID+`","scope":"okta.users.read"}`, 200)
	if r := v.get("/api/v1/users", "Bearer", a.Token, nil); r.status != 403 {
		t.Errorf("without the scope: %d", r.status)
	}
	do("DELETE", "/_emu/withdrawals", "", 200)
	do("POST", "/_emu/withdrawals", `{"client":"`+DefaultClientID+`","at":"0s"}`, 200)
	if r := v.get("/api/v1/users", "Bearer", a.Token, nil); r.status != 401 {
		t.Errorf("without the token: %d", r.status)
	}
	before := o.currentNonce()
	do("POST", "/_emu/nonce", "", 204)
	if o.currentNonce() == before {
		t.Error("the nonce has not changed")
	}

	var s orgStatus
	if err := json.Unmarshal([]byte(do("GET", "/_emu/status", "", 200)), &s); err != nil {
		t.Fatal(err)
	}
	if s.Users != 500 || s.Stats.Requests["/users"] != 3 || s.Stats.Clients[DefaultClientID].Statuses[401] != 1 || s.Limits.Share != 50 ||
		len(s.Noise) != 1 || s.Stats.Noise["noise"].Sent == 0 || len(s.Withdrawals) != 1 || !s.Withdrawals[0].Done {
		t.Errorf("status %+v", s)
	}
	do("DELETE", "/_emu/stats", "", 204)
	if s := o.Stats(); s.Requests["/users"] != 0 || len(s.Statuses) != 0 {
		t.Errorf("after the counters were reset: %+v", s)
	}
	if text := do("GET", "/_emu/", "", 200); !strings.Contains(text, "PUT /_emu/limits") {
		t.Errorf("index: %s", text)
	}
}

func TestControlRefusesWhatMakesNoSense(t *testing.T) {
	o := New(Options{})
	for request, want := range map[string]string{
		`PUT /_emu/faults {"faults":["nonsense"]}`:                              "nonsense",
		`PUT /_emu/faults {"fault":[]}`:                                         "unknown field",
		`PUT /_emu/limits {"profile":"huge"}`:                                   "workforce",
		`PUT /_emu/limits {"window":"1s"}`:                                      "2s",
		`PUT /_emu/limits {"window":"soon"}`:                                    "soon",
		`PUT /_emu/limits {"buckets":{"/people":1}}`:                            "/people",
		`PUT /_emu/limits {"share":101}`:                                        "per cent",
		`PUT /_emu/noise {"noise":[{"bucket":"/people","perCent":1}]}`:          "/people",
		`PUT /_emu/noise {"noise":[{"bucket":"/users"}]}`:                       "per cent",
		`POST /_emu/withdrawals {"client":"0oanone"}`:                           "0oanone",
		`POST /_emu/withdrawals {"client":"SSWS","scope":"users"}`:              "okta.users.read",
		`POST /_emu/withdrawals {"client":"SSWS","at":"1"}`:                     "duration",
		`PUT /_emu/faults {"faults":["/x=` + strings.Repeat("9", 2<<20) + `"]}`: "too large",
	} {
		parts := strings.SplitN(request, " ", 3)
		status, text := steering(t, o, parts[0], parts[1], parts[2])
		if status != http.StatusBadRequest || !strings.Contains(text, want) {
			t.Errorf("%.80s: %d %.200s", request, status, text)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/_emu/nonce", nil)
	r.Header.Set("Origin", "https://elsewhere.example")
	w := httptest.NewRecorder()
	o.Control().ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("from a page of another site: %d", w.Code)
	}
}
