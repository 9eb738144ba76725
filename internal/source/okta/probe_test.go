package okta

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longshore/internal/fault"
)

func TestCheckTellsWhatTheCredentialSees(t *testing.T) {
	org := sampleOrg()
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		window(w, 600, 599, time.Now().Add(time.Minute))
		switch {
		case strings.HasSuffix(r.URL.Path, "/iam/assignees/users"):
			refuse(w, 403, "E0000006", "no permission")
		case strings.HasSuffix(r.URL.Path, "/iam/resource-sets"):
			refuse(w, 401, "E0000015", "no feature")
		case strings.HasSuffix(r.URL.Path, "/groups"):
			_, _ = w.Write([]byte(`[]`))
		default:
			return false
		}
		return true
	}
	probes, err := open(t, org).Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byEndpoint := map[string]Probe{}
	for _, p := range probes {
		byEndpoint[p.Endpoint] = p
	}
	if p := probes[0]; !p.OK || p.OrgID != "00o1" || p.Pipeline != "idx" || p.Host != "acme.okta.com" {
		t.Errorf("the org's document: %+v", p)
	}
	for _, path := range []string{"/api/v1/users", "/api/v1/users/{id}/roles", "/api/v1/groups", "/api/v1/iam/roles", "/api/v1/iam/roles/{id}/permissions", "/api/v1/logs"} {
		if p := byEndpoint[path]; !p.OK || p.Status != 200 || p.Limit != 600 || len(p.Streams) == 0 || p.Scope == "" || p.Problem != "" {
			t.Errorf("%s: %+v, want it to be fine", path, p)
		}
	}
	if p := byEndpoint["/api/v1/iam/assignees/users"]; p.OK || p.Status != 403 || p.Code != "E0000006" || p.Scope != "okta.roles.read" ||
		!strings.Contains(p.Mend, "okta.iam.read") || !strings.Contains(p.Cost, "every single user") || p.Streams[0] != "user_role_assignments" {
		t.Errorf("denied endpoint: %+v", p)
	}
	if p := byEndpoint["/api/v1/iam/resource-sets"]; p.OK || p.Status != 401 || !strings.Contains(p.Mend, "credential is fine") {
		t.Errorf("absent feature: %+v", p)
	}
	if p := byEndpoint["/api/v1/groups/{id}/users"]; !p.Skipped || p.OK || p.Status != 0 || p.Problem == "" {
		t.Errorf("an org without groups: %+v", p)
	}
}

func TestCheckStopsAtABadToken(t *testing.T) {
	org := sampleOrg()
	probes, err := open(t, org, func(c *Config) { c.Token = "other" }).Check(t.Context())
	if !fault.Is(err, fault.Denied) || len(probes) != 2 || probes[1].Code != "E0000011" || len(org.requests()) != 2 {
		t.Errorf("%d probes, %d requests, %v, want the org's document and one refusal", len(probes), len(org.requests()), err)
	}
}

func TestCheckStopsAtWhatIsNoOkta(t *testing.T) {
	n := 0
	html := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		if r.Header.Get("Authorization") != "" {
			t.Error("the credential was sent to what is no Okta org")
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusNotFound)
	})
	if _, err := open(t, html).Check(t.Context()); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" || n != 1 {
		t.Errorf("%v, hint %q after %d requests", err, fault.HintOf(err), n)
	}
}

func TestCheckAsksForChosenStreamsAlone(t *testing.T) {
	org := sampleOrg()
	probes, err := open(t, org, func(c *Config) { c.Streams = []string{"logs"} }).Check(t.Context())
	if err != nil || org.count("/roles") != 0 || probes[len(probes)-1].Endpoint != "/api/v1/logs" {
		t.Errorf("%v, requests %q", err, org.requests())
	}
}

func TestCheckDoesNotWaitLongForWhatFails(t *testing.T) {
	for name, trouble := range map[string]func(http.ResponseWriter){
		"503":       func(w http.ResponseWriter) { refuse(w, 503, "E0000010", "Service is in read only mode") },
		"malformed": func(w http.ResponseWriter) { fmt.Fprint(w, `{nope`) },
	} {
		synctest.Test(t, func(t *testing.T) {
			org := sampleOrg()
			org.fault = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == wellKnownPath {
					return false
				}
				trouble(w)
				return true
			}
			began := time.Now()
			probes, _ := open(t, org, func(c *Config) { c.Streams = []string{"users"} }).Check(t.Context())
			if took := time.Since(began); took > time.Duration(len(probes))*10*time.Second || len(probes) < 2 || probes[1].Problem == "" {
				t.Errorf("%s: %d probes took %v, %+v", name, len(probes), took, probes)
			}
		})
	}
}
