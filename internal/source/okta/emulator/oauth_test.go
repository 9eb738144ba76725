package emulator

import (
	"crypto/rsa"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// testKeys are one key pair of each kind, made once: RSA takes its time.
var testKeys = sync.OnceValue(func() map[string]Key {
	all := make(map[string]Key)
	for _, kind := range []string{"RSA", "P-256", "P-384", "P-521"} {
		k, err := NewKey(kind)
		if err != nil {
			panic(err)
		}
		all[kind] = k
	}
	return all
})

// visitor is an OAuth client as real ones are, with a switch for each mistake.
type visitor struct {
	t      *testing.T
	o      *Org
	key    Key
	alg    string
	client string
	proof  Key // for DPoP; its zero value sends no proof
	nonce  string
	jti    int
}

func newVisitor(t *testing.T, o *Org, key Key, alg string) *visitor {
	return &visitor{t: t, o: o, key: key, alg: alg, client: DefaultClientID}
}

func (v *visitor) sign(key Key, alg string, header map[string]any, claims jwt.MapClaims) string {
	v.t.Helper()
	token := jwt.NewWithClaims(jwt.GetSigningMethod(alg), claims)
	maps.Copy(token.Header, header)
	text, err := token.SignedString(key.Private)
	if err != nil {
		v.t.Fatalf("sign: %v", err)
	}
	return text
}

func (v *visitor) id() string {
	v.jti++
	return "jti-" + itoa(v.jti)
}

func (v *visitor) claims() jwt.MapClaims {
	return jwt.MapClaims{
		"iss": v.client, "sub": v.client, "aud": DefaultBaseURL + tokenPath, "jti": v.id(),
		"iat": time.Now().Unix(), "exp": time.Now().Add(5 * time.Minute).Unix(),
	}
}

func (v *visitor) dpop(method, path, accessToken string, change jwt.MapClaims) string {
	v.t.Helper()
	claims := jwt.MapClaims{"htm": method, "htu": DefaultBaseURL + path, "iat": time.Now().Unix(), "jti": v.id()}
	if v.nonce != "" {
		claims["nonce"] = v.nonce
	}
	if accessToken != "" {
		claims["ath"] = tokenHash(accessToken)
	}
	maps.Copy(claims, change)
	alg := "ES256"
	if _, ok := v.proof.Private.(*rsa.PrivateKey); ok {
		alg = "RS256"
	}
	return v.sign(v.proof, alg, map[string]any{"typ": "dpop+jwt", "jwk": wireKeyOf(v.proof.Private.Public())}, claims)
}

type tokenAnswer struct {
	Type        string `json:"token_type"`
	Life        int    `json:"expires_in"`
	Token       string `json:"access_token"`
	Scope       string `json:"scope"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// post sends a form to the token endpoint.
func (v *visitor) post(form url.Values, change func(*http.Request)) (tokenAnswer, reply) {
	v.t.Helper()
	r, _ := http.NewRequestWithContext(v.t.Context(), http.MethodPost, DefaultBaseURL+tokenPath, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if v.proof.Private != nil {
		r.Header.Set("DPoP", v.dpop(http.MethodPost, tokenPath, "", nil))
	}
	if change != nil {
		change(r)
	}
	got := v.do(r)
	var a tokenAnswer
	got.into(v.t, &a)
	return a, got
}

func (v *visitor) do(r *http.Request) reply {
	v.t.Helper()
	response, err := v.o.Client().Do(r)
	if err != nil {
		v.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return reply{response.StatusCode, response.Header, body}
}

// ask asks for a token with a good assertion, changed as told.
func (v *visitor) ask(scope string, change jwt.MapClaims) (tokenAnswer, reply) {
	v.t.Helper()
	claims := v.claims()
	maps.Copy(claims, change)
	return v.post(url.Values{
		"grant_type": {"client_credentials"}, "scope": {scope}, "client_assertion_type": {assertionType},
		"client_assertion": {v.sign(v.key, v.alg, map[string]any{"kid": v.key.ID}, claims)},
	}, nil)
}

// get reads a path with an access token.
func (v *visitor) get(path, scheme, token string, change jwt.MapClaims) reply {
	v.t.Helper()
	r, _ := http.NewRequestWithContext(v.t.Context(), http.MethodGet, DefaultBaseURL+path, nil)
	r.Header.Set("Authorization", scheme+" "+token)
	if v.proof.Private != nil {
		r.Header.Set("DPoP", v.dpop(http.MethodGet, r.URL.Path, token, change))
	}
	return v.do(r)
}

func appOf(key Key, scopes ...string) App {
	return App{ClientID: DefaultClientID, Keys: key.JWKS(), Scopes: scopes}
}

func challengeOf(r reply) string {
	_, after, _ := strings.Cut(r.header.Get("WWW-Authenticate"), `error="`)
	code, _, _ := strings.Cut(after, `"`)
	return code
}

func TestATokenOfEachAlgorithm(t *testing.T) {
	for alg, kind := range map[string]string{"RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "ES256": "P-256", "ES384": "P-384", "ES512": "P-521"} {
		key := testKeys()[kind]
		o := New(Options{OAuth: OAuth{Apps: []App{appOf(key, "okta.users.read", "okta.roles.read")}}})
		v := newVisitor(t, o, key, alg)
		a, r := v.ask("okta.users.read okta.groups.read", nil)
		if r.status != http.StatusOK || a.Type != "Bearer" || a.Life != 3600 || a.Scope != "okta.users.read" || r.header.Get("Cache-Control") == "" {
			t.Fatalf("%s: %d %s", alg, r.status, r.body)
		}
		if got := v.get("/api/v1/users?limit=1", "Bearer", a.Token, nil); got.status != http.StatusOK || got.header.Get("X-Rate-Limit-Limit") == "" {
			t.Errorf("%s: users with the token: %d %s", alg, got.status, got.header.Get("WWW-Authenticate"))
		}
		got := v.get("/api/v1/groups", "Bearer", a.Token, nil)
		if got.status != http.StatusForbidden || challengeOf(got) != "insufficient_scope" || !strings.Contains(got.header.Get("WWW-Authenticate"), `scope="okta.groups.read"`) || len(got.body) != 0 || got.header.Get("X-Rate-Limit-Limit") == "" {
			t.Errorf("%s: groups without the scope: %d %v %s", alg, got.status, got.header, got.body)
		}
		if got := v.get("/api/v1/users", "SSWS", a.Token, nil); got.status != http.StatusUnauthorized || !strings.Contains(string(got.body), "E0000011") {
			t.Errorf("%s: an access token as an API token: %d %s", alg, got.status, got.body)
		}
	}
}

func TestAnAssertionThatIsNotRight(t *testing.T) {
	keys := testKeys()
	o := New(Options{OAuth: OAuth{Apps: []App{appOf(keys["P-256"], "okta.users.read")}}})
	v := newVisitor(t, o, keys["P-256"], "ES256")
	now := time.Now()
	for name, c := range map[string]struct {
		change jwt.MapClaims
		error  string
	}{
		"issuer is another":    {jwt.MapClaims{"iss": "0oaother"}, "invalid_client"},
		"unknown client":       {jwt.MapClaims{"iss": "0oaother", "sub": "0oaother"}, "invalid_client"},
		"audience is the org":  {jwt.MapClaims{"aud": DefaultBaseURL}, "invalid_client"},
		"a custom server's":    {jwt.MapClaims{"aud": DefaultBaseURL + "/oauth2/default/v1/token"}, "invalid_client"},
		"expired":              {jwt.MapClaims{"exp": now.Add(-time.Second).Unix()}, "invalid_client"},
		"valid for too long":   {jwt.MapClaims{"exp": now.Add(61 * time.Minute).Unix()}, "invalid_client"},
		"no expiry":            {jwt.MapClaims{"exp": nil}, "invalid_client"},
		"issued in the future": {jwt.MapClaims{"iat": now.Add(time.Hour).Unix()}, "invalid_client"},
	} {
		if a, r := v.ask("okta.users.read", c.change); r.status != http.StatusUnauthorized || a.Error != c.error || a.Description == "" {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if a, r := v.ask("okta.users.read", jwt.MapClaims{"exp": now.Add(time.Hour).Unix()}); a.Token == "" {
		t.Errorf("valid for just an hour: %d %s", r.status, r.body)
	}
	if _, r := v.ask("okta.users.read", jwt.MapClaims{"jti": "once"}); r.status != http.StatusOK {
		t.Fatalf("a new jti: %d %s", r.status, r.body)
	}
	if a, r := v.ask("okta.users.read", jwt.MapClaims{"jti": "once"}); r.status != http.StatusUnauthorized || a.Error != "invalid_client" {
		t.Errorf("the same jti again: %d %s", r.status, r.body)
	}
	if _, r := v.ask("okta.users.read", jwt.MapClaims{"jti": nil, "iat": nil}); r.status != http.StatusOK {
		t.Errorf("neither jti nor iat: %d %s", r.status, r.body)
	}
	other := *v
	other.key.Private = keys["RSA"].Private
	other.alg = "RS256"
	if a, r := other.ask("okta.users.read", nil); r.status != http.StatusUnauthorized || a.Error != "invalid_client" {
		t.Errorf("signed with another key: %d %s", r.status, r.body)
	}
	other.key = keys["P-384"]
	other.alg = "ES384"
	if a, r := other.ask("okta.users.read", nil); r.status != http.StatusUnauthorized || a.Error != "invalid_client" {
		t.Errorf("a kid that the app has not: %d %s", r.status, r.body)
	}
	if o.Stats().Tokens != 3 {
		t.Errorf("%d tokens were given out, want 3", o.Stats().Tokens)
	}
}

func TestTokenRequestsThatAreNotRight(t *testing.T) {
	key := testKeys()["P-256"]
	strict := appOf(key, "okta.users.read")
	strict.ClientID, strict.Strict = "0oastrict", true
	o := New(Options{OAuth: OAuth{Apps: []App{appOf(key, "okta.users.read"), strict}}})
	v := newVisitor(t, o, key, "ES256")
	good := func() url.Values {
		return url.Values{
			"grant_type": {"client_credentials"}, "scope": {"okta.users.read"}, "client_assertion_type": {assertionType},
			"client_assertion": {v.sign(key, "ES256", map[string]any{"kid": key.ID}, v.claims())},
		}
	}
	for name, c := range map[string]struct {
		change func(url.Values, *http.Request)
		status int
		error  string
	}{
		"no grant type":      {func(f url.Values, _ *http.Request) { f.Del("grant_type") }, 400, "invalid_request"},
		"another grant":      {func(f url.Values, _ *http.Request) { f.Set("grant_type", "password") }, 400, "unsupported_grant_type"},
		"no assertion":       {func(f url.Values, _ *http.Request) { f.Del("client_assertion") }, 401, "invalid_client"},
		"no assertion type":  {func(f url.Values, _ *http.Request) { f.Del("client_assertion_type") }, 401, "invalid_client"},
		"not a JWT":          {func(f url.Values, _ *http.Request) { f.Set("client_assertion", "abc") }, 401, "invalid_client"},
		"another client id":  {func(f url.Values, _ *http.Request) { f.Set("client_id", "0oaother") }, 401, "invalid_client"},
		"no scope":           {func(f url.Values, _ *http.Request) { f.Del("scope") }, 400, "invalid_scope"},
		"no scope it has":    {func(f url.Values, _ *http.Request) { f.Set("scope", "okta.logs.read") }, 400, "invalid_scope"},
		"JSON":               {func(_ url.Values, r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 400, "invalid_request"},
		"no refresh allowed": {func(f url.Values, _ *http.Request) { f.Set("grant_type", "refresh_token") }, 401, "invalid_client"},
	} {
		f := good()
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, DefaultBaseURL+tokenPath, nil)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		c.change(f, r)
		r.Body = io.NopCloser(strings.NewReader(f.Encode()))
		got := v.do(r)
		var a tokenAnswer
		got.into(t, &a)
		if got.status != c.status || a.Error != c.error {
			t.Errorf("%s: %d %s, want %d %s", name, got.status, got.body, c.status, c.error)
		}
	}
	v.client = "0oastrict"
	if a, r := v.ask("okta.users.read okta.logs.read", nil); r.status != 400 || a.Error != "invalid_scope" {
		t.Errorf("a strict app asked for too much: %d %s", r.status, r.body)
	}
}

func TestRefreshTokenGrant(t *testing.T) {
	app := App{ClientID: "0oaweb", Secret: "s3cret", RefreshToken: "refresh-1", Scopes: []string{"okta.users.read", "okta.logs.read"}}
	o := New(Options{OAuth: OAuth{Apps: []App{app}}})
	v := &visitor{t: t, o: o}
	for name, c := range map[string]struct {
		id, secret, refresh string
		status              int
		error               string
	}{
		"all right":     {"0oaweb", "s3cret", "refresh-1", 200, ""},
		"wrong secret":  {"0oaweb", "other", "refresh-1", 401, "invalid_client"},
		"wrong refresh": {"0oaweb", "s3cret", "refresh-2", 400, "invalid_grant"},
		"unknown app":   {"0oanone", "s3cret", "refresh-1", 401, "invalid_client"},
	} {
		a, r := v.post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.refresh}}, func(r *http.Request) { r.SetBasicAuth(c.id, c.secret) })
		if r.status != c.status || a.Error != c.error || c.status == 200 && (a.Type != "Bearer" || a.Scope != "okta.users.read okta.logs.read") {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
		if c.status == 200 {
			if got := v.get("/api/v1/logs?limit=1", "Bearer", a.Token, nil); got.status != 200 {
				t.Errorf("the log with the token: %d", got.status)
			}
		}
	}
}

func TestAnAccessTokenEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := testKeys()["P-256"]
		o := New(Options{OAuth: OAuth{Apps: []App{appOf(key, "okta.users.read")}, TokenLife: 10 * time.Minute}})
		v := newVisitor(t, o, key, "ES256")
		a, _ := v.ask("okta.users.read", nil)
		if a.Life != 600 {
			t.Errorf("expires in %d seconds, want 600", a.Life)
		}
		time.Sleep(10*time.Minute - time.Second)
		if r := v.get("/api/v1/users?limit=1", "Bearer", a.Token, nil); r.status != 200 {
			t.Errorf("a second before its end: %d", r.status)
		}
		time.Sleep(time.Second)
		if r := v.get("/api/v1/users?limit=1", "Bearer", a.Token, nil); r.status != 401 || challengeOf(r) != "invalid_token" || len(r.body) != 0 || r.header.Get("Content-Type") != "" {
			t.Errorf("at its end: %d %v %s", r.status, r.header, r.body)
		}
	})
	key := testKeys()["P-256"]
	o := New(Options{OAuth: OAuth{Apps: []App{appOf(key, "okta.users.read")}, ErrorBodies: true}, Faults: Faults{{Prefix: "/api/v1/users", Nth: 2, ExpireToken: true}}})
	v := newVisitor(t, o, key, "ES256")
	a, _ := v.ask("okta.users.read", nil)
	var got []int
	for range 3 {
		got = append(got, v.get("/api/v1/users?limit=1", "Bearer", a.Token, nil).status)
	}
	if got[0] != 200 || got[1] != 401 || got[2] != 401 {
		t.Errorf("statuses round a token's death %v, want 200 401 401", got)
	}
	if r := v.get("/api/v1/users", "Bearer", a.Token, nil); !strings.Contains(string(r.body), "E0000011") {
		t.Errorf("with bodies, the error is %s", r.body)
	}
	if b, _ := v.ask("okta.users.read", nil); v.get("/api/v1/users?limit=1", "Bearer", b.Token, nil).status != 200 {
		t.Error("a new token is not let in")
	}
}

func TestKeysSurviveTheirFormats(t *testing.T) {
	for kind, key := range testKeys() {
		text, err := key.PEM()
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		back, err := ParseKey(text)
		if err != nil || back.ID != key.ID {
			t.Errorf("%s: from PEM: id %q, want %q, error %v", kind, back.ID, key.ID, err)
		}
		public, err := parseKeySet(key.JWKS())
		if err != nil || len(public) != 1 || public[0].thumbprint != key.ID {
			t.Errorf("%s: JWK set %s: %v", kind, key.JWKS(), err)
		}
		var private wireKey
		if err := json.Unmarshal(key.JWK(), &private); err != nil || private.D == "" {
			t.Errorf("%s: private JWK: %v", kind, err)
		}
		if _, err := parseKeySet([]byte(`{"keys":[` + string(key.JWK()) + `]}`)); err == nil {
			t.Errorf("%s: a private key passes as a public one", kind)
		}
	}
	if _, err := NewKey("DSA"); err == nil {
		t.Error("a DSA key was made")
	}
	// RFC 7638, section 3.1.
	k, err := parseJWK(wireKey{Type: "RSA", E: "AQAB", N: "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"})
	if err != nil || k.thumbprint != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("thumbprint %q, error %v", k.thumbprint, err)
	}
}

func TestOAuthOverASocket(t *testing.T) {
	key := testKeys()["RSA"]
	o := New(Options{OAuth: OAuth{Apps: []App{appOf(key, "okta.users.read")}}})
	server := httptest.NewServer(o)
	defer server.Close()
	v := newVisitor(t, o, key, "RS256")
	claims := v.claims()
	claims["aud"] = server.URL + tokenPath
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {"okta.users.read"}, "client_assertion_type": {assertionType},
		"client_assertion": {v.sign(key, "RS256", map[string]any{"kid": key.ID}, claims)},
	}
	response, err := server.Client().PostForm(server.URL+tokenPath, form)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != 200 {
		body, _ := io.ReadAll(response.Body)
		t.Errorf("%d %s", response.StatusCode, body)
	}
}

func FuzzParseJWK(f *testing.F) {
	for _, key := range testKeys() {
		f.Add(key.JWKS())
	}
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"RSA","n":"AQ","e":"AQAB"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parseKeySet(text)
		if err != nil {
			return
		}
		for _, k := range keys {
			again, err := parseJWK(wireKeyOf(k.key))
			if err != nil || again.thumbprint != k.thumbprint {
				t.Errorf("%s: thumbprint %s, again %s, error %v", text, k.thumbprint, again.thumbprint, err)
			}
		}
	})
}
