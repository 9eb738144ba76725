package okta

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"longshore/internal/fault"
	"longshore/internal/source/okta/emulator"
)

// emulated opens a Source of a small stand-in org, signed in as a service app.
func emulated(t *testing.T, app emulator.App, change func(*emulator.Options), ways ...func(*ServiceApp)) (*Source, *emulator.Org) {
	t.Helper()
	var public map[string]any
	if err := json.Unmarshal([]byte(jwkOf(testEC(), map[string]any{"kid": "k1"})), &public); err != nil {
		t.Fatal(err)
	}
	delete(public, "d")
	app.ClientID, app.Keys = emulator.DefaultClientID, must(json.Marshal(map[string]any{"keys": []any{public}}))
	options := emulator.Options{Users: 60, Days: 2, EventsPerDay: 20, BaseURL: emulator.DefaultBaseURL, OAuth: emulator.OAuth{Apps: []emulator.App{app}}}
	if change != nil {
		change(&options)
	}
	org := emulator.New(options)
	way := &ServiceApp{ClientID: app.ClientID, PrivateKey: jwkOf(testEC(), map[string]any{"kid": "k1"})}
	for _, f := range ways {
		f(way)
	}
	s, err := Open(Config{OrgURL: emulator.DefaultBaseURL, ServiceApp: way, HTTPClient: org.Client(), Share: 1})
	if err != nil {
		t.Fatal(err)
	}
	return s, org
}

var readScopes = strings.Fields("okta.apps.read okta.groups.read okta.logs.read okta.roles.read okta.users.read")

// TestServiceAppReadsTheStandInOrg reads every default stream with a credential that an independent implementation
// verifies: assertions, proofs, nonces and scopes.
func TestServiceAppReadsTheStandInOrg(t *testing.T) {
	scopes := append(slices.Clone(readScopes), "okta.apps.read")
	for name, c := range map[string]struct {
		app    emulator.App
		change func(*emulator.Options)
		ways   func(*ServiceApp)
	}{
		"bearer":        {},
		"DPoP demanded": {app: emulator.App{DPoP: true}},
		"DPoP chosen":   {ways: func(a *ServiceApp) { a.DPoP = true }},
		"nonce at API":  {app: emulator.App{DPoP: true}, change: func(o *emulator.Options) { o.OAuth.NonceAtAPI = true }},
		"short nonces":  {app: emulator.App{DPoP: true}, change: func(o *emulator.Options) { o.OAuth.NonceLife, o.OAuth.NonceGrace = 50*time.Millisecond, -1 }},
		"strict scopes": {app: emulator.App{DPoP: true, Strict: true}},
		"short lived":   {app: emulator.App{DPoP: true}, change: func(o *emulator.Options) { o.OAuth.TokenLife = time.Second }},
		"error bodies":  {app: emulator.App{DPoP: true}, change: func(o *emulator.Options) { o.OAuth.ErrorBodies = true }},
		"tokens that end": {app: emulator.App{DPoP: true}, change: func(o *emulator.Options) {
			o.Faults = append(o.Faults, emulator.Fault{Prefix: apiPrefix, Every: 29, ExpireToken: true})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c.app.Scopes = scopes
			ways := []func(*ServiceApp){}
			if c.ways != nil {
				ways = append(ways, c.ways)
			}
			s, _ := emulated(t, c.app, c.change, ways...)
			for _, st := range s.Streams() {
				if !st.Optional && st.Name != "logs" {
					if pages, err := readAll(t, s, st.Name, nil); err != nil || len(gaps(pages)) > 0 {
						t.Errorf("%s: %v, gaps %q", st.Name, err, gaps(pages))
					}
				}
			}
		})
	}
}

func TestWithdrawnWhileReading(t *testing.T) {
	s, org := emulated(t, emulator.App{Scopes: readScopes, DPoP: true}, nil)
	if _, err := readAll(t, s, "groups", nil); err != nil {
		t.Fatal(err)
	}
	org.Withdraw(emulator.Withdrawal{})
	if pages, err := readAll(t, s, "groups", nil); err != nil || pages[0].Statuses[401] != 1 {
		t.Errorf("a token that ended: %v", err)
	}
	org.Withdraw(emulator.Withdrawal{Scope: "okta.roles.read"})
	_, err := readAll(t, s, "custom_roles", nil)
	if refused := asAPIError(err); refused == nil || refused.Scope != "okta.roles.read" || !strings.Contains(err.Error(), "okta.roles.read") {
		t.Errorf("a scope taken away: %v", err)
	}
	org.Restore()
	org.Withdraw(emulator.Withdrawal{Role: true})
	if _, err := readAll(t, s, "groups", nil); !fault.Is(err, fault.Denied) {
		t.Errorf("a role taken away: %v, want it told instead of an empty org", err)
	}
	org.Restore()
	org.Withdraw(emulator.Withdrawal{Refuse: true})
	if _, err := readAll(t, s, "groups", nil); !fault.Is(err, fault.Denied) || !strings.Contains(fmt.Sprint(err), tokenPath) {
		t.Errorf("an app that was deactivated: %v", err)
	}
}

func TestCheckOfTheStandInOrg(t *testing.T) {
	s, _ := emulated(t, emulator.App{Scopes: readScopes[:2], DPoP: true, Strict: true}, nil)
	caps, err := s.Check(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(caps.Identity.Granted, readScopes[:2]) || !caps.Identity.DPoP {
		t.Errorf("identity %+v", caps.Identity)
	}
	told := fmt.Sprint(caps.Findings)
	for _, scope := range readScopes[2:] {
		if !strings.Contains(told, scope) {
			t.Errorf("findings %s do not name %s", told, scope)
		}
	}
	if slices.Contains(caps.Unreadable, "groups") || !slices.Contains(caps.Unreadable, "logs") || !slices.Contains(caps.Unreadable, "users") || !slices.Contains(caps.Unreadable, "custom_roles") {
		t.Errorf("unreadable %q", caps.Unreadable)
	}
	blind, _ := emulated(t, emulator.App{Scopes: readScopes, NoRole: true}, nil)
	caps, err = blind.Check(t.Context(), false)
	if err != nil || len(caps.Unreadable) < 9 || len(caps.Findings) == 0 || !strings.Contains(caps.Findings[0].Mend, "Admin roles") {
		t.Errorf("an app without a role: %v, unreadable %q, findings %+v", err, caps.Unreadable, caps.Findings)
	}
	if _, err := readAll(t, blind, "groups", nil); !fault.Is(err, fault.Denied) {
		t.Errorf("an app without a role reads groups: %v", err)
	}
}

// TestNoCredentialLeavesTheHost answers every kind of request with a link or redirect to another host.
func TestNoCredentialLeavesTheHost(t *testing.T) {
	s, org := emulated(t, emulator.App{Scopes: readScopes, DPoP: true}, nil)
	s.client.http.Transport = onlyHost{t, s.client.base.Host, org.Client().Transport}
	for _, name := range []string{"groups", "users", "custom_roles", "user_role_assignments"} {
		if _, err := readAll(t, s, name, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

type onlyHost struct {
	t    *testing.T
	host string
	next http.RoundTripper
}

func (o onlyHost) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != o.host {
		o.t.Errorf("a request went to %s", r.URL.Host)
	}
	return o.next.RoundTrip(r)
}

// recorder keeps the paths of API requests.
type recorder struct {
	next  http.RoundTripper
	mu    sync.Mutex
	paths []string
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	r.mu.Lock()
	if request.URL.Path != wellKnownPath {
		r.paths = append(r.paths, request.URL.Path)
	}
	r.mu.Unlock()
	return r.next.RoundTrip(request)
}

// recording opens a Source of a small stand-in org, and keeps what it asks for.
func recording(t *testing.T) (*Source, *recorder) {
	t.Helper()
	org := emulator.New(emulator.Options{Users: 60, Days: 2, EventsPerDay: 20, BaseURL: emulator.DefaultBaseURL})
	r := &recorder{next: org.Client().Transport}
	s, err := Open(Config{OrgURL: emulator.DefaultBaseURL, Token: emulator.DefaultToken, HTTPClient: &http.Client{Transport: r}, Share: 1})
	if err != nil {
		t.Fatal(err)
	}
	return s, r
}

// readSome reads a stream to its end, or its first pages when it has none.
func readSome(t *testing.T, s *Source, stream string) (pages int, err error) {
	t.Helper()
	for _, err := range s.Read(t.Context(), stream, nil) {
		if pages++; err != nil || stream == "logs" && pages > 2 {
			return pages, err
		}
	}
	return pages, nil
}
