package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"longshore/internal/fault"
)

// keyPEM is a fresh private key.
func keyPEM(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// settingsOf reads the settings of an environment and a command line, and of longshore.yaml if there is one.
func settingsOf(t *testing.T, env map[string]string, file string, args ...string) (config, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	for _, s := range settings {
		for _, name := range s.env {
			t.Setenv(name, env[name])
		}
	}
	if file != "" {
		if err := os.WriteFile("longshore.yaml", []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	root := newRoot()
	cmd, rest, err := root.Find(append([]string{"check"}, args...))
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err != nil {
		t.Fatal(err)
	}
	return readConfig(cmd)
}

func TestWaysToSignInAreRead(t *testing.T) {
	key := keyPEM(t)
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	app := map[string]string{"OKTA_CLIENT_ORGURL": "acme", "OKTA_CLIENT_CLIENTID": "0oa1", "OKTA_CLIENT_PRIVATEKEY": key, "OKTA_CLIENT_PRIVATEKEYID": "k1"}
	with := func(base map[string]string, pairs ...string) map[string]string {
		m := map[string]string{}
		for k, v := range base {
			m[k] = v
		}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	yaml := "okta-url: acme\nokta-client-id: 0oa1\nokta-private-key: |\n  " + strings.ReplaceAll(strings.TrimSpace(key), "\n", "\n  ") + "\nokta-scopes: [okta.users.read, okta.logs.read]\nstreams: [users, logs]\nokta-share: 25\n"
	for name, c := range map[string]struct {
		env  map[string]string
		file string
		args []string
		ok   func(config) bool
	}{
		"nothing: the demo org": {ok: func(c config) bool { return c.okta.OrgURL == "" && c.okta.Token == "" && c.okta.Share == 0.5 }},
		"token":                 {env: map[string]string{"OKTA_CLIENT_ORGURL": "acme", "OKTA_CLIENT_TOKEN": "t"}, ok: func(c config) bool { return c.okta.Token == "t" && c.okta.ServiceApp == nil }},
		"older names":           {env: map[string]string{"OKTA_ORG_URL": "acme", "OKTA_API_TOKEN": "t"}, ok: func(c config) bool { return c.okta.Token == "t" && c.oktaURL == "acme" }},
		"service app": {env: app, ok: func(c config) bool {
			return c.okta.ServiceApp.KeyID == "k1" && c.okta.ServiceApp.Scopes == nil && !c.okta.ServiceApp.DPoP
		}},
		"key in a file": {env: with(app, "OKTA_CLIENT_PRIVATEKEY", path), ok: func(c config) bool { return c.okta.ServiceApp.PrivateKey == key }},
		"scopes with commas": {env: with(app, "OKTA_CLIENT_SCOPES", "okta.users.read,okta.logs.read"), ok: func(c config) bool {
			return slices.Equal(c.okta.ServiceApp.Scopes, []string{"okta.users.read", "okta.logs.read"})
		}},
		"scopes with spaces":   {env: with(app, "OKTA_CLIENT_SCOPES", "okta.users.read okta.logs.read"), ok: func(c config) bool { return len(c.okta.ServiceApp.Scopes) == 2 }},
		"mode settles a mix":   {env: with(app, "OKTA_CLIENT_TOKEN", "t", "OKTA_CLIENT_AUTHORIZATIONMODE", "PrivateKey"), ok: func(c config) bool { return c.okta.ServiceApp != nil && c.okta.Token == "" }},
		"mode settles it back": {env: with(app, "OKTA_CLIENT_TOKEN", "t", "OKTA_CLIENT_AUTHORIZATIONMODE", "SSWS"), ok: func(c config) bool { return c.okta.ServiceApp == nil && c.okta.Token == "t" }},
		"bearer":               {env: map[string]string{"OKTA_CLIENT_ORGURL": "acme", "OKTA_CLIENT_TOKEN": "t", "OKTA_CLIENT_AUTHORIZATIONMODE": "Bearer"}, ok: func(c config) bool { return c.okta.AccessToken == "t" && c.okta.Token == "" }},
		"refresh token":        {env: map[string]string{"OKTA_CLIENT_ORGURL": "acme", "OKTA_CLIENT_CLIENTID": "0oa1", "OKTA_CLIENT_CLIENTSECRET": "s", "OKTA_CLIENT_REFRESHTOKEN": "r"}, ok: func(c config) bool { return c.okta.Refresh.Token == "r" && c.okta.Refresh.ClientSecret == "s" }},
		"the file": {file: yaml, ok: func(c config) bool {
			return len(c.okta.ServiceApp.Scopes) == 2 && slices.Equal(c.okta.Streams, []string{"users", "logs"}) && c.okta.Share == 0.25
		}},
		"DPoP":              {env: app, args: []string{"--okta-dpop", "always"}, ok: func(c config) bool { return c.okta.ServiceApp.DPoP }},
		"share and streams": {args: []string{"--okta-share", "80%", "--streams", "users, groups"}, ok: func(c config) bool { return c.okta.Share == 0.8 && len(c.okta.Streams) == 2 }},
		"whose limit":       {env: map[string]string{"LONGSHORE_OKTA_LIMIT_OF": "client"}, ok: func(c config) bool { return c.okta.LimitOf == "client" }},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := settingsOf(t, c.env, c.file, c.args...)
			if err != nil || !c.ok(got) {
				t.Errorf("%v, hint %q, %+v", err, fault.HintOf(err), got.okta.OrgURL)
			}
		})
	}
}

func TestGapsAndMixturesAreRefused(t *testing.T) {
	key := keyPEM(t)
	base := "OKTA_CLIENT_ORGURL"
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"key alone":            {map[string]string{base: "acme", "OKTA_CLIENT_PRIVATEKEY": key}, "client id is missing"},
		"client alone":         {map[string]string{base: "acme", "OKTA_CLIENT_CLIENTID": "0oa1"}, "private key of the service app is missing"},
		"refresh, no secret":   {map[string]string{base: "acme", "OKTA_CLIENT_CLIENTID": "0oa1", "OKTA_CLIENT_REFRESHTOKEN": "r"}, "client secret is missing"},
		"refresh and key":      {map[string]string{base: "acme", "OKTA_CLIENT_CLIENTID": "0oa1", "OKTA_CLIENT_REFRESHTOKEN": "r", "OKTA_CLIENT_PRIVATEKEY": key}, "both set"},
		"token and key":        {map[string]string{base: "acme", "OKTA_CLIENT_TOKEN": "t", "OKTA_CLIENT_PRIVATEKEY": key}, "both set"},
		"mode without token":   {map[string]string{base: "acme", "OKTA_CLIENT_AUTHORIZATIONMODE": "SSWS"}, "token is missing"},
		"mode without key":     {map[string]string{base: "acme", "OKTA_CLIENT_CLIENTID": "0oa1", "OKTA_CLIENT_AUTHORIZATIONMODE": "PrivateKey", "OKTA_CLIENT_TOKEN": "t"}, "private key of the service app is missing"},
		"JWT":                  {map[string]string{base: "acme", "OKTA_CLIENT_TOKEN": "t", "OKTA_CLIENT_AUTHORIZATIONMODE": "JWT"}, "not supported"},
		"client, no org":       {map[string]string{"OKTA_CLIENT_CLIENTID": "0oa1", "OKTA_CLIENT_PRIVATEKEY": key}, "no org"},
		"public key":           {map[string]string{base: "acme", "OKTA_CLIENT_CLIENTID": "0oa1", "OKTA_CLIENT_PRIVATEKEY": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"}, "no private key"},
		"share":                {map[string]string{"LONGSHORE_OKTA_SHARE": "101"}, "per cent"},
		"share of a fraction":  {map[string]string{"LONGSHORE_OKTA_SHARE": "0.5"}, "per cent"},
		"stream":               {map[string]string{"LONGSHORE_OKTA_STREAMS": "+nothing"}, "no stream"},
		"DPoP of a token":      {map[string]string{base: "acme", "OKTA_CLIENT_TOKEN": "t", "LONGSHORE_OKTA_DPOP": "never"}, "auto or always"},
		"limit":                {map[string]string{"LONGSHORE_OKTA_LIMIT_OF": "me"}, "org or client"},
		"DPoP":                 {map[string]string{base: "acme", "OKTA_CLIENT_CLIENTID": "0oa1", "OKTA_CLIENT_PRIVATEKEY": key, "LONGSHORE_OKTA_DPOP": "maybe"}, "auto or always"},
		"an org that is none":  {map[string]string{base: "https://", "OKTA_CLIENT_TOKEN": "t"}, "org URL"},
		"unencrypted":          {map[string]string{base: "http://acme.okta.com", "OKTA_CLIENT_CLIENTID": "0oa1", "OKTA_CLIENT_PRIVATEKEY": key}, "unencrypted"},
		"a token of two words": {map[string]string{base: "acme", "OKTA_CLIENT_TOKEN": "secret one"}, "API token"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := settingsOf(t, c.env, "")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want one with %q", err, c.want)
			}
			for _, secret := range []string{key[40:60], "secret one"} {
				if strings.Contains(err.Error()+fault.HintOf(err), secret) {
					t.Errorf("the error tells a secret: %v", err)
				}
			}
		})
	}
}
