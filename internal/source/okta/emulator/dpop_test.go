package emulator

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func dpopOrg(oauth OAuth) (*Org, Key) {
	key := testKeys()["P-256"]
	app := appOf(key, "okta.users.read")
	app.DPoP = true
	oauth.Apps = []App{app}
	return New(Options{OAuth: oauth}), key
}

// boundToken walks the whole dance and returns a bound token.
func boundToken(t *testing.T, v *visitor) string {
	t.Helper()
	_, r := v.ask("okta.users.read", nil)
	v.nonce = r.header.Get("Dpop-Nonce")
	a, r := v.ask("okta.users.read", nil)
	if a.Type != "DPoP" || a.Token == "" {
		t.Fatalf("with the nonce: %d %s", r.status, r.body)
	}
	return a.Token
}

func TestTheDanceOfDPoP(t *testing.T) {
	for _, proofKey := range []string{"P-256", "RSA"} {
		o, key := dpopOrg(OAuth{})
		v := newVisitor(t, o, key, "ES256")
		a, r := v.ask("okta.users.read", nil)
		if r.status != 400 || a.Error != "invalid_dpop_proof" || a.Description != "The DPoP proof JWT header is missing." {
			t.Fatalf("without a proof: %d %s", r.status, r.body)
		}
		v.proof = testKeys()[proofKey]
		a, r = v.ask("okta.users.read", nil)
		if r.status != 400 || a.Error != "use_dpop_nonce" || r.header.Get("Dpop-Nonce") == "" {
			t.Fatalf("without the nonce: %d %s %v", r.status, r.body, r.header)
		}
		v.nonce = r.header.Get("Dpop-Nonce")
		a, r = v.ask("okta.users.read", nil)
		if r.status != 200 || a.Type != "DPoP" {
			t.Fatalf("with the nonce: %d %s", r.status, r.body)
		}
		v.nonce = ""
		if r := v.get("/api/v1/users?limit=1&search=status+pr", "DPoP", a.Token, nil); r.status != 200 {
			t.Errorf("a call without the nonce: %d %s", r.status, r.header.Get("WWW-Authenticate"))
		}
	}
}

func TestADPoPTokenIsNoBearerToken(t *testing.T) {
	o, key := dpopOrg(OAuth{})
	v := newVisitor(t, o, key, "ES256")
	v.proof = testKeys()["P-256"]
	token := boundToken(t, v)
	for name, c := range map[string]struct {
		scheme string
		change jwt.MapClaims
		code   string
	}{
		"as a bearer token": {"Bearer", nil, "invalid_token"},
		"another verb":      {"DPoP", jwt.MapClaims{"htm": "POST"}, "invalid_dpop_proof"},
		"another path":      {"DPoP", jwt.MapClaims{"htu": DefaultBaseURL + "/api/v1/groups"}, "invalid_dpop_proof"},
		"another host":      {"DPoP", jwt.MapClaims{"htu": "https://elsewhere.example/api/v1/users"}, "invalid_dpop_proof"},
		"with the query":    {"DPoP", jwt.MapClaims{"htu": DefaultBaseURL + "/api/v1/users?limit=1"}, "invalid_dpop_proof"},
		"with a fragment":   {"DPoP", jwt.MapClaims{"htu": DefaultBaseURL + "/api/v1/users#x"}, "invalid_dpop_proof"},
		"too old":           {"DPoP", jwt.MapClaims{"iat": time.Now().Add(-time.Hour).Unix()}, "invalid_dpop_proof"},
		"from the future":   {"DPoP", jwt.MapClaims{"iat": time.Now().Add(time.Hour).Unix()}, "invalid_dpop_proof"},
		"no iat":            {"DPoP", jwt.MapClaims{"iat": nil}, "invalid_dpop_proof"},
		"no jti":            {"DPoP", jwt.MapClaims{"jti": nil}, "invalid_dpop_proof"},
		"no ath":            {"DPoP", jwt.MapClaims{"ath": nil}, "invalid_dpop_proof"},
		"another ath":       {"DPoP", jwt.MapClaims{"ath": tokenHash("other")}, "invalid_dpop_proof"},
		"a wrong nonce":     {"DPoP", jwt.MapClaims{"nonce": "made-up"}, "use_dpop_nonce"},
		"all right":         {"DPoP", nil, ""},
	} {
		r := v.get("/api/v1/users?limit=1", c.scheme, token, c.change)
		want := http.StatusUnauthorized
		if c.code == "" {
			want = http.StatusOK
		}
		if r.status != want || challengeOf(r) != c.code {
			t.Errorf("%s: %d %q, want %d %q", name, r.status, r.header.Get("WWW-Authenticate"), want, c.code)
		}
		if c.code != "" && !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "DPoP ") {
			t.Errorf("%s: challenge %q", name, r.header.Get("WWW-Authenticate"))
		}
	}
	replay := jwt.MapClaims{"jti": "the-same"}
	if first, second := v.get("/api/v1/users", "DPoP", token, replay), v.get("/api/v1/users", "DPoP", token, replay); first.status != 200 || second.status != 401 || challengeOf(second) != "invalid_dpop_proof" {
		t.Errorf("a proof used twice: %d, then %d %s", first.status, second.status, challengeOf(second))
	}
	v.proof = testKeys()["RSA"]
	if r := v.get("/api/v1/users", "DPoP", token, nil); r.status != 401 || challengeOf(r) != "invalid_dpop_proof" {
		t.Errorf("a proof by another key: %d %s", r.status, challengeOf(r))
	}
	v.proof = Key{}
	if r := v.get("/api/v1/users", "DPoP", token, nil); r.status != 401 || challengeOf(r) != "invalid_dpop_proof" {
		t.Errorf("no proof: %d %s", r.status, challengeOf(r))
	}
}

func TestAProofMustHaveItsForm(t *testing.T) {
	o, key := dpopOrg(OAuth{})
	v := newVisitor(t, o, key, "ES256")
	p := testKeys()["P-256"]
	claims := func() jwt.MapClaims {
		return jwt.MapClaims{"htm": "POST", "htu": DefaultBaseURL + tokenPath, "iat": time.Now().Unix(), "jti": v.id()}
	}
	public := wireKeyOf(p.Private.Public())
	private := public
	private.D = "AAAA"
	for name, text := range map[string]string{
		"not a JWT":            "abc",
		"another typ":          v.sign(p, "ES256", map[string]any{"jwk": public}, claims()),
		"no jwk":               v.sign(p, "ES256", map[string]any{"typ": "dpop+jwt"}, claims()),
		"a private jwk":        v.sign(p, "ES256", map[string]any{"typ": "dpop+jwt", "jwk": private}, claims()),
		"a jwk of another":     v.sign(p, "ES256", map[string]any{"typ": "dpop+jwt", "jwk": wireKeyOf(testKeys()["P-384"].Private.Public())}, claims()),
		"a jwk that is no key": v.sign(p, "ES256", map[string]any{"typ": "dpop+jwt", "jwk": "key"}, claims()),
	} {
		a, r := v.post(url.Values{
			"grant_type": {"client_credentials"}, "scope": {"okta.users.read"}, "client_assertion_type": {assertionType},
			"client_assertion": {v.sign(v.key, v.alg, map[string]any{"kid": v.key.ID}, v.claims())},
		}, func(r *http.Request) { r.Header.Set("DPoP", text) })
		if r.status != 400 || a.Error != "invalid_dpop_proof" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
}

func TestTheNonceChangesAndTheOldOneIsTakenForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, key := dpopOrg(OAuth{})
		v := newVisitor(t, o, key, "ES256")
		v.proof = testKeys()["P-256"]
		boundToken(t, v)
		first := v.nonce
		time.Sleep(25 * time.Hour)
		if a, r := v.ask("okta.users.read", nil); a.Type != "DPoP" || o.currentNonce() == first {
			t.Errorf("an hour after its change: %d %s", r.status, r.body)
		}
		time.Sleep(72 * time.Hour)
		a, r := v.ask("okta.users.read", nil)
		if a.Error != "use_dpop_nonce" || r.header.Get("Dpop-Nonce") == first {
			t.Errorf("three days after its change: %d %s", r.status, r.body)
		}
		boundToken(t, v)
		o.RotateNonce(true)
		if a, r := v.ask("okta.users.read", nil); a.Type != "DPoP" {
			t.Errorf("after a change with grace: %d %s", r.status, r.body)
		}
		o.RotateNonce(false)
		if a, r := v.ask("okta.users.read", nil); a.Error != "use_dpop_nonce" {
			t.Errorf("after a change without grace: %d %s", r.status, r.body)
		}
	})
}

func TestTheNonceAtAPICalls(t *testing.T) {
	o, key := dpopOrg(OAuth{NonceAtAPI: true})
	v := newVisitor(t, o, key, "ES256")
	v.proof = testKeys()["P-256"]
	token := boundToken(t, v)
	v.nonce = ""
	r := v.get("/api/v1/users", "DPoP", token, nil)
	if r.status != 401 || challengeOf(r) != "use_dpop_nonce" || r.header.Get("Dpop-Nonce") == "" {
		t.Fatalf("without the nonce: %d %v", r.status, r.header)
	}
	v.nonce = r.header.Get("Dpop-Nonce")
	if r := v.get("/api/v1/users", "DPoP", token, nil); r.status != 200 {
		t.Errorf("with it: %d", r.status)
	}

	o, key = dpopOrg(OAuth{})
	o.SetFaults(Faults{{Prefix: "/api/v1/users", Nth: 2, NewNonce: true}})
	v = newVisitor(t, o, key, "ES256")
	v.proof = testKeys()["P-256"]
	token = boundToken(t, v)
	got := []int{v.get("/api/v1/users", "DPoP", token, nil).status}
	r = v.get("/api/v1/users", "DPoP", token, nil)
	v.nonce = r.header.Get("Dpop-Nonce")
	got = append(got, r.status, v.get("/api/v1/users", "DPoP", token, nil).status)
	if got[0] != 200 || got[1] != 401 || challengeOf(r) != "use_dpop_nonce" || got[2] != 200 {
		t.Errorf("round a sudden change of the nonce: %v, want 200 401 200", got)
	}
}
