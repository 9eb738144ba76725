package okta

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestSecretsAreCutOutAndTheRestStays(t *testing.T) {
	for name, c := range map[string]struct {
		secrets         trim
		record, want    string
		unchangedMemory bool
	}{
		"a user's question": {
			secrets: userSecrets,
			record:  `{"id":"00u1", "n":1.50,"credentials":{"password":{},"recovery_question":{"question":"Who?"},"provider":{"type":"OKTA"}}}`,
			want:    `{"id":"00u1","n":1.50,"credentials":{"password":{},"recovery_question":{},"provider":{"type":"OKTA"}}}`,
		},
		"a user without one": {
			secrets: userSecrets, unchangedMemory: true,
			record: `{"id":"00u1", "credentials":{ "password":{},"provider":{"type":"OKTA"}}}`,
			want:   `{"id":"00u1", "credentials":{ "password":{},"provider":{"type":"OKTA"}}}`,
		},
		"every one of two": {
			secrets: userSecrets,
			record:  `{"credentials":{"recovery_question":{"question":"a"}},"credentials":{"recovery_question":{"question":"b"}}}`,
			want:    `{"credentials":{"recovery_question":{}},"credentials":{"recovery_question":{}}}`,
		},
		"spelt with escapes": {
			secrets: userSecrets,
			record:  `{"cr\u0065dentials":{"recovery_question":{"questi\u006fn":"a","x":1}}}`,
			want:    `{"cr\u0065dentials":{"recovery_question":{"x":1}}}`,
		},
		"null credentials": {secrets: userSecrets, unchangedMemory: true, record: `{"credentials":null}`, want: `{"credentials":null}`},
		"an OIDC app": {
			secrets: appSecrets,
			record: `{"id":"0oa1","label":"x","credentials":{"oauthClient":{"client_id":"0oa1","client_secret":"S","token_endpoint_auth_method":"client_secret_basic"},"signing":{"kid":"k","privateKey":"S"},"password":{"value":"S"}},` +
				`"settings":{"app":{"key":"S"},"oauthClient":{"application_type":"service","grant_types":["client_credentials"],"jwks":{"keys":[{"d":"S"}]}},"signOn":{"list":[1,{"sharedSecret":"S","a":[{"api_key":"S"}]}]}},"new":{"Password":"S","kept":true}}`,
			want: `{"id":"0oa1","label":"x","credentials":{"oauthClient":{"client_id":"0oa1","token_endpoint_auth_method":"client_secret_basic"},"signing":{"kid":"k"}},` +
				`"settings":{"oauthClient":{"application_type":"service","grant_types":["client_credentials"]},"signOn":{"list":[1,{"a":[{}]}]}},"new":{"kept":true}}`,
		},
		"a factor under way": {
			secrets: factorSecrets,
			record:  `{"id":"ost1","profile":{"credentialId":"a","questionText":"Who?"},"_embedded":{"activation":{"sharedSecret":"S"}}}`,
			want:    `{"id":"ost1","profile":{"credentialId":"a"}}`,
		},
	} {
		got := c.secrets.apply([]byte(c.record))
		if string(got) != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
		if allocs := testing.AllocsPerRun(1, func() { c.secrets.apply([]byte(nil)) }); allocs > 0 {
			t.Errorf("%s: nothing to trim costs %v allocations", name, allocs)
		}
		record := []byte(c.record)
		if same := &c.secrets.apply(record)[0] == &record[0]; same != c.unchangedMemory {
			t.Errorf("%s: copied %t, want %t", name, !same, !c.unchangedMemory)
		}
	}
}

func FuzzTrimLeavesValidJSONWithoutSecrets(f *testing.F) {
	f.Add([]byte(`{"a":[{"client_secret":"x"},2,{"b":{"password":1}}],"credentials":{"z":1,"scheme":"s"}}`))
	f.Add([]byte(`{"credentials":[{"secret":1}],"settings":{"app":[]}}`))
	f.Fuzz(func(t *testing.T, record []byte) {
		if !json.Valid(record) || len(record) == 0 || record[0] != '{' {
			return
		}
		got := appSecrets.apply(record)
		if !json.Valid(got) {
			t.Fatalf("%q became %q", record, got)
		}
		var value any
		if err := json.Unmarshal(got, &value); err == nil {
			noSecrets(t, value)
		}
	})
}

func noSecrets(t *testing.T, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if strings.Contains(strings.ToLower(name), "password") {
				t.Errorf("a member %q is left", name)
			}
			noSecrets(t, member)
		}
	case []any:
		for _, element := range v {
			noSecrets(t, element)
		}
	}
}
