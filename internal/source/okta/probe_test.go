package okta

import (
	"fmt"
	"net/http"
	"slices"
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
	caps, err := open(t, org).Check(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	byEndpoint := byPath(caps)
	if caps.OrgID != "00o1" || caps.Pipeline != "idx" || caps.Host != "acme.okta.com" || caps.Identity.Kind != KindToken {
		t.Errorf("the org's document: %+v", caps)
	}
	if want := []string{"resource_sets", "resource_set_resources", "resource_set_bindings"}; !slices.Equal(caps.Unreadable, want) || caps.OK() {
		t.Errorf("unreadable %q, want %q: role holders can be found by asking every user", caps.Unreadable, want)
	}
	for _, path := range []string{"/api/v1/users", "/api/v1/users/{id}/roles", "/api/v1/groups", "/api/v1/iam/roles", "/api/v1/iam/roles/{id}/permissions", "/api/v1/logs"} {
		if p := byEndpoint[path]; !p.OK || p.Status != 200 || p.Limit != 600 || p.Uses != 300 || len(p.Streams) == 0 || p.Scope == "" || p.Problem != "" {
			t.Errorf("%s: %+v, want it to be fine", path, p)
		}
	}
	if p := byEndpoint["/api/v1/iam/assignees/users"]; p.OK || p.Status != 403 || p.Code != "E0000006" || p.Scope != "okta.roles.read" ||
		!strings.Contains(p.Mend, "okta.iam.read") || !strings.Contains(p.Cost, "every single user") || p.Helps[0] != "user_role_assignments" {
		t.Errorf("denied endpoint: %+v", p)
	}
	if p := byEndpoint["/api/v1/iam/resource-sets"]; p.OK || p.Status != 401 || !strings.Contains(p.Mend, "credential is fine") {
		t.Errorf("absent feature: %+v", p)
	}
	if p := byEndpoint["/api/v1/groups/{id}/users"]; !p.Skipped || p.OK || p.Status != 0 || p.Problem == "" {
		t.Errorf("an org without groups: %+v", p)
	}
}

func byPath(caps Capabilities) map[string]Probe {
	m := map[string]Probe{}
	for _, p := range caps.Probes {
		m[p.Endpoint] = p
	}
	return m
}

func TestCheckStopsAtABadToken(t *testing.T) {
	org := sampleOrg()
	caps, err := open(t, org, func(c *Config) { c.Token = "other" }).Check(t.Context(), true)
	if !fault.Is(err, fault.Denied) || len(caps.Probes) != 1 || caps.Probes[0].Code != "E0000011" || len(org.requests()) != 2 || len(caps.Unreadable) != 13 {
		t.Errorf("%d probes, %d requests, unreadable %q, %v, want the org's document and one refusal", len(caps.Probes), len(org.requests()), caps.Unreadable, err)
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
	if _, err := open(t, html).Check(t.Context(), true); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" || n != 1 {
		t.Errorf("%v, hint %q after %d requests", err, fault.HintOf(err), n)
	}
}

func TestCheckAsksForChosenStreamsAlone(t *testing.T) {
	org := sampleOrg()
	caps, err := open(t, org, func(c *Config) { c.Streams = []string{"logs"} }).Check(t.Context(), false)
	if err != nil || org.count("/roles") != 0 || len(caps.Probes) != 2 || !caps.OK() {
		t.Errorf("%v, requests %q", err, org.requests())
	}
}

// TestTroubleAtOneEndpointIsThatEndpoints: whatever goes wrong under /iam, all else is told, and soon.
func TestTroubleAtOneEndpointIsThatEndpoints(t *testing.T) {
	for name, trouble := range map[string]func(http.ResponseWriter, *http.Request){
		"503": func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, 503, "E0000010", "Service is in read only mode")
		},
		"malformed": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{nope`) },
		"HTML": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<html>`)
		},
		"hangs": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"full": func(w http.ResponseWriter, _ *http.Request) {
			window(w, 600, 0, time.Now().Add(time.Minute))
			refuse(w, 429, "E0000047", "too many")
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			org := sampleOrg()
			org.fault = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.Contains(r.URL.Path, "/iam/") {
					trouble(w, r)
					return true
				}
				return false
			}
			began := time.Now()
			caps, err := open(t, org).Check(t.Context(), false)
			if took := time.Since(began); err != nil || took > 70*time.Second {
				t.Errorf("%s: took %v, %v", name, took, err)
			}
			if want := strings.Fields("custom_roles permissions resource_sets resource_set_resources resource_set_bindings"); !slices.Equal(caps.Unreadable, want) {
				t.Errorf("%s: unreadable %q, want %q", name, caps.Unreadable, want)
			}
			for path, p := range byPath(caps) {
				if bad := strings.Contains(path, "/iam/"); p.OK == bad && !p.Skipped || bad && (p.Problem == "" || p.Mend == "" && !p.Skipped) {
					t.Errorf("%s: %s: %+v", name, path, p)
				}
			}
		})
	}
}

func TestAHostThatHangsIsToldSoon(t *testing.T) {
	for name, way := range map[string]func(*Config){"token": func(*Config) {}, "service app": asApp()} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			hangs := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			_, err := open(t, hangs, way).Check(t.Context(), true)
			if took := time.Since(began); err == nil || took > 30*time.Second {
				t.Errorf("%s: %v after %v", name, err, took)
			}
		})
	}
}

func TestCheckComparesScopes(t *testing.T) {
	for _, silent := range []bool{true, false} {
		org := newOAuthOrg(t)
		org.granted, org.silent = strings.Fields("okta.users.read okta.groups.read okta.logs.read okta.apps.read"), silent
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "/roles") && !strings.Contains(r.URL.Path, "/iam/") {
				return false
			}
			w.Header().Set("WWW-Authenticate", `Bearer realm="x", error="insufficient_scope", error_description="no"`)
			w.WriteHeader(403)
			return true
		}
		caps, err := open(t, org, asApp(func(a *ServiceApp) { a.Scopes = nil })).Check(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Fields("user_role_assignments group_role_assignments client_role_assignments role_targets custom_roles permissions resource_sets resource_set_resources resource_set_bindings")
		if !slices.Equal(caps.Unreadable, want) {
			t.Errorf("unreadable %q, want %q", caps.Unreadable, want)
		}
		if len(caps.Findings) != 1 || !strings.Contains(caps.Findings[0].Problem, "okta.roles.read") || !strings.Contains(caps.Findings[0].Problem, "custom_roles") || !strings.Contains(caps.Findings[0].Mend, "Okta API Scopes") {
			t.Errorf("findings %+v, want the scope that is missing by name", caps.Findings)
		}
		p := byPath(caps)["/api/v1/iam/roles"]
		if p.Status != 403 || p.Code != "insufficient_scope" || !strings.Contains(p.Problem, "okta.roles.read") || !strings.Contains(p.Mend, "Okta API Scopes") {
			t.Errorf("the endpoint: %+v", p)
		}
		_, err = readAll(t, open(t, org, asApp()), "custom_roles", nil)
		if refused := asAPIError(err); refused == nil || refused.Scope != "okta.roles.read" || !strings.Contains(fault.HintOf(err), "OKTA_CLIENT_SCOPES") {
			t.Errorf("a read without the scope: %v, hint %q", err, fault.HintOf(err))
		}
	}
}

func TestAServiceAppWithoutARoleIsToldSo(t *testing.T) {
	for name, own := range map[string]func(w http.ResponseWriter){
		"roles readable":     func(w http.ResponseWriter) { fmt.Fprint(w, "[]") },
		"roles not readable": func(w http.ResponseWriter) { w.WriteHeader(403) },
	} {
		org := newOAuthOrg(t)
		org.testOrg = &testOrg{} // lists of nothing, as Okta answers such an app
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/oauth2/v1/clients/0oa1/roles" {
				return false
			}
			own(w)
			return true
		}
		s := open(t, org, asApp())
		caps, err := s.Check(t.Context(), true)
		if err != nil || len(caps.Unreadable) != 13 || len(caps.Findings) == 0 || !strings.Contains(caps.Findings[0].Mend, "Admin roles") {
			t.Errorf("%s: %v, unreadable %q, findings %+v", name, err, caps.Unreadable, caps.Findings)
		}
		reason, err := s.client.emptyIsSuspicious(t.Context(), time.Now(), func(*answer) {})
		if err != nil || reason == nil || reason.Kind != fault.Denied || reason.Hint == "" {
			t.Errorf("%s: suspicion %v, %v", name, reason, err)
		}
		before := len(org.requests())
		if _, _ = s.client.emptyIsSuspicious(t.Context(), time.Now(), func(*answer) {}); len(org.requests()) != before {
			t.Errorf("%s: asked again", name)
		}
	}
	if reason, err := open(t, sampleOrg()).client.emptyIsSuspicious(t.Context(), time.Now(), func(*answer) {}); reason != nil || err != nil {
		t.Errorf("an org with users: %v, %v", reason, err)
	}
	if reason, err := open(t, &testOrg{}).client.emptyIsSuspicious(t.Context(), time.Now(), func(*answer) {}); reason == nil || err != nil {
		t.Errorf("a token that sees no users: %v, %v", reason, err)
	}
}
