package connector

import (
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"longshore/internal/airbyte"
	"longshore/internal/fault"
	"longshore/internal/source/okta"
)

func openWith(t *testing.T, config string) (s *airbyte.Session, migrated string, err error) {
	t.Helper()
	s, err = New(Options{}).Open(json.RawMessage(config), airbyte.Environment{
		Log: slog.New(slog.DiscardHandler), Reconfigured: func(c json.RawMessage) { migrated = string(c) },
	})
	return s, migrated, err
}

func TestConfigurationsOfAllAgesOpen(t *testing.T) {
	const token = `"credentials":{"auth_type":"api_token","api_token":"t"}`
	for config, want := range map[string]struct{ org, migrated string }{
		`{"domain":"acme",` + token + `}`:                                                                                  {"https://acme.okta.com", ""},
		`{"domain":"acme.oktapreview.com",` + token + `,"other":[1]}`:                                                      {"https://acme.oktapreview.com", ""},
		`{"domain":"https://login.acme.test/",` + token + `}`:                                                              {"https://login.acme.test", ""},
		`{"domain":"http://127.0.0.1:8090",` + token + `}`:                                                                 {"http://127.0.0.1:8090", ""},
		`{"base_url":"https://acme.okta.com","token":"t"}`:                                                                 {"https://acme.okta.com", `{"credentials":{"api_token":"t","auth_type":"api_token"},"domain":"acme"}`},
		`{"base_url":"https://acme.okta-emea.com","token":"t","x":1.50}`:                                                   {"https://acme.okta-emea.com", `{"credentials":{"api_token":"t","auth_type":"api_token"},"domain":"https://acme.okta-emea.com","x":1.50}`},
		`{"sub_domain":"acme","domain":"okta.com",` + token + `}`:                                                          {"https://acme.okta.com", `{` + token[:len(token)-1] + `},"domain":"acme"}`},
		`{"domain":"acme","token":"t"}`:                                                                                    {"https://acme.okta.com", `{"credentials":{"api_token":"t","auth_type":"api_token"},"domain":"acme"}`},
		`{"domain":"acme","credentials":{"auth_type":"oauth2.0","client_id":"c","client_secret":"s","refresh_token":"r"}}`: {"https://acme.okta.com", ""},
		`{"domain":"acme",` + token + `,"share":0.25,"page_limit":50,"log_history_days":30,"overlap_seconds":0,"accept_gaps":true,"limit_of":"org","start_date":"2026-01-01T00:00:00Z"}`: {"https://acme.okta.com", ""},
	} {
		s, migrated, err := openWith(t, config)
		if err != nil || s.Source.(*okta.Source).OrgURL().String() != want.org {
			t.Errorf("%s: %v, want the org %s", config, err, want.org)
			continue
		}
		var got, wanted any
		_ = json.Unmarshal([]byte(migrated), &got)
		_ = json.Unmarshal([]byte(want.migrated), &wanted)
		a, _ := json.Marshal(got)
		if b, _ := json.Marshal(wanted); string(a) != string(b) {
			t.Errorf("%s: the new form is %s, want %s", config, migrated, want.migrated)
		}
	}
}

func TestConfigurationsThatCannotWorkAreRefused(t *testing.T) {
	const token = `"credentials":{"auth_type":"api_token","api_token":"hush-hush"}`
	for config, says := range map[string]string{
		`{}`:                             "no domain",
		`{"domain":"acme"}`:              "no credential",
		`{"domain":7}`:                   "domain",
		`{` + token + `}`:                "no domain",
		`{"domain":"a b",` + token + `}`: "a b",
		`{"domain":"http://acme.okta.com",` + token + `}`:                          "unencrypted",
		`{"domain":"http://127.evil.test",` + token + `}`:                          "unencrypted",
		`{"domain":"acme",` + token + `,"start_date":"last year"}`:                 "start_date",
		`{"domain":"acme",` + token + `,"share":7}`:                                "share",
		`{"domain":"acme",` + token + `,"share":"half"}`:                           "share",
		`{"domain":"acme",` + token + `,"page_limit":-1}`:                          "page limit",
		`{"domain":"acme",` + token + `,"log_history_days":400}`:                   "log_history_days",
		`{"domain":"acme",` + token + `,"overlap_seconds":-5}`:                     "overlap_seconds",
		`{"domain":"acme",` + token + `,"limit_of":"me"}`:                          "limits of",
		`{"domain":"acme","credentials":{"auth_type":"magic"}}`:                    "magic",
		`{"domain":"acme","credentials":{"auth_type":"oauth2.0_private_key"}}`:     "",
		`{"domain":"acme","credentials":"hush-hush"}`:                              "credentials",
		`{"domain":"acme","credentials":{"auth_type":"api_token","api_token":""}}`: "no credential",
	} {
		_, _, err := openWith(t, config)
		if err == nil || fault.KindOf(err) == fault.Internal || !strings.Contains(err.Error(), says) || strings.Contains(err.Error()+fault.HintOf(err), "hush") {
			t.Errorf("%s: %v, want a refusal that says %q and no secret", config, err, says)
		}
	}
}

func TestEveryStreamHasASchemaThatKnowsItsKey(t *testing.T) {
	s, _, err := openWith(t, `{"domain":"acme","credentials":{"auth_type":"api_token","api_token":"t"}}`)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, st := range s.Catalog.Streams {
		names[st.Name] = true
		var schema struct {
			Required   []string
			Properties map[string]struct{ Type any }
		}
		if err := json.Unmarshal(st.Schema, &schema); err != nil || len(schema.Properties) == 0 {
			t.Errorf("%s has no schema: %v", st.Name, err)
		}
		for _, path := range st.PrimaryKey {
			if _, known := schema.Properties[path[0]]; !known {
				t.Errorf("%s: its key %q is not in the schema", st.Name, path)
			}
		}
		if !st.Resumable || len(st.Modes) == 0 || st.Modes[0] != airbyte.FullRefresh {
			t.Errorf("%s: resumable %t, modes %q", st.Name, st.Resumable, st.Modes)
		}
	}
	files, err := schemas.ReadDir("schemas")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if name := strings.TrimSuffix(f.Name(), ".json"); !names[name] {
			t.Errorf("there is a schema of %s, which is no stream", name)
		}
	}
}

func TestSpecMarksEverySecret(t *testing.T) {
	var s struct {
		Properties struct {
			Credentials struct {
				OneOf []struct {
					Properties map[string]struct {
						Secret bool `json:"airbyte_secret"`
						Const  string
					}
				}
			}
		}
	}
	if err := json.Unmarshal(spec, &s); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, form := range s.Properties.Credentials.OneOf {
		types = append(types, form.Properties["auth_type"].Const)
		for name, p := range form.Properties {
			if open := slices.Contains([]string{"auth_type", "scope", "dpop"}, name); p.Secret == open {
				t.Errorf("%s: secret is %t", name, p.Secret)
			}
		}
	}
	slices.Sort(types)
	if want := []string{authToken, authRefresh, authPrivateKey}; !slices.Equal(types, want) {
		t.Errorf("forms of credentials %q, want %q", types, want)
	}
}

func TestStartDateBoundsTheFirstIncrementalReadAlone(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	bound := `{"lastUpdated":"2026-01-02T03:04:05.000Z"}`
	for _, c := range []struct {
		stream, mode, state, from string
		done                      bool
	}{
		{"users", airbyte.Incremental, ``, bound, false},
		{"groups", airbyte.Incremental, `{}`, bound, false},
		{"users", airbyte.Incremental, `{"lastUpdated":"2025-01-01T00:00:00Z"}`, `{"lastUpdated":"2025-01-01T00:00:00Z"}`, false},
		{"logs", airbyte.Incremental, ``, ``, false}, // its own setting
		{"users", airbyte.FullRefresh, ``, ``, false},
		{"users", airbyte.FullRefresh, `{"lastUpdated":"2025-01-01T00:00:00Z"}`, ``, false},
		{"group_members", airbyte.FullRefresh, `{"v":1,"done":true,"s":"2025-01-01T00:00:00Z"}`, `{"v":1,"done":true,"s":"2025-01-01T00:00:00Z"}`, true},
	} {
		if from, done := begin(start, c.stream, c.mode, json.RawMessage(c.state)); string(from) != c.from || done != c.done {
			t.Errorf("%s, %s from %q: %q, done %t; want %q, %t", c.stream, c.mode, c.state, from, done, c.from, c.done)
		}
	}
}

func TestRefreshTokenThatMovesOnIsPutInItsPlace(t *testing.T) {
	got, err := withRefreshToken(json.RawMessage(`{"domain":"acme","n":1.50,"credentials":{"auth_type":"oauth2.0","refresh_token":"old","client_id":"c"}}`), "new")
	if want := `{"credentials":{"auth_type":"oauth2.0","client_id":"c","refresh_token":"new"},"domain":"acme","n":1.50}`; err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

func TestScopesAreThoseSetOrWhatTheStreamsNeed(t *testing.T) {
	for scope, want := range map[string][]string{
		"": nil, "  ": nil, "okta.users.read okta.groups.read": {"okta.users.read", "okta.groups.read"},
		"okta.users.read,okta.groups.read, okta.logs.read": {"okta.users.read", "okta.groups.read", "okta.logs.read"},
	} {
		c := okta.Config{}
		err := credentials{AuthType: authPrivateKey, ClientID: "c", Scope: scope}.into(&c, nil)
		if got := c.ServiceApp.Scopes; err != nil || !slices.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%q: %q, %v, want %q", scope, got, err, want)
		}
	}
}
