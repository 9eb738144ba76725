package okta

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"longshore/internal/fault"
)

const (
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	// assertionLife is how long an assertion is good for. Okta takes up to an hour, but an hour exactly fails with
	// the least difference of clocks.
	assertionLife = 5 * time.Minute
	// clockTolerance is how far Okta lets the time of an assertion or proof be off.
	clockTolerance = 5 * time.Minute
	// maxClientIDBytes is far above the 20 characters of a client id.
	maxClientIDBytes = 256
)

// serviceGrant signs in with a key of the app's own.
type serviceGrant struct {
	clientID string
	key      signingKey
}

// newServiceApp makes the authorizer of a service app. The scopes are asked for when the settings name none.
func newServiceApp(c *client, app ServiceApp, scopes []string) (*tokens, error) {
	id, err := clientID(app.ClientID)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(app.PrivateKey, app.KeyID)
	if err != nil {
		return nil, err
	}
	if app.Scopes != nil {
		scopes = app.Scopes
	}
	if scopes, err = scopeList(scopes); err != nil {
		return nil, err
	}
	if len(scopes) == 0 {
		return nil, fault.Errorf(fault.Invalid, "no OAuth scope is set").
			WithHint("Set OKTA_CLIENT_SCOPES, for example to okta.users.read okta.groups.read okta.roles.read okta.logs.read, or leave it out.")
	}
	return newTokens(c, &serviceGrant{id, key}, scopes, app.DPoP)
}

func clientID(text string) (string, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxClientIDBytes || !isToken(text) {
		return "", fault.Errorf(fault.Invalid, "the OAuth client id %q is none", shown(text)).
			WithHint("It is the id of the app, 0oa…, that the admin console shows under Client Credentials.")
	}
	return text, nil
}

// scopeList checks scopes, and sorts them.
func scopeList(scopes []string) ([]string, error) {
	if len(scopes) > maxScopes {
		return nil, fault.Errorf(fault.Invalid, "%d OAuth scopes are set, at most %d can be", len(scopes), maxScopes)
	}
	for _, scope := range scopes {
		if !isToken(scope) || strings.ContainsAny(scope, `"\,`) {
			return nil, fault.Errorf(fault.Invalid, "the OAuth scope %q is none", shown(scope)).
				WithHint("Scopes are written like okta.users.read, with spaces or commas between them.")
		}
	}
	scopes = slices.Clone(scopes)
	slices.Sort(scopes)
	return slices.Compact(scopes), nil
}

func (g *serviceGrant) fill(r *http.Request, form url.Values, now time.Time) error {
	assertion := jwt.NewWithClaims(g.key.method, jwt.MapClaims{
		"iss": g.clientID, "sub": g.clientID, "aud": r.URL.String(), "jti": newID(),
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
	if g.key.id != "" {
		assertion.Header["kid"] = g.key.id
	}
	signed, err := assertion.SignedString(g.key.private)
	if err != nil {
		e := fault.Errorf(fault.Invalid, "the Okta private key does not sign: %v", err)
		return e
	}
	form.Set("grant_type", "client_credentials")
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", signed)
	return nil
}

func (*serviceGrant) took(tokenAnswer) {}

func (*serviceGrant) secrets(form url.Values) []string { return []string{form.Get("client_assertion")} }

func (g *serviceGrant) identity() Identity {
	return Identity{Kind: KindServiceApp, ClientID: g.clientID}
}

// explain reads Okta's refusals of a service app. Their texts are not documented; those known are told apart by words.
func (g *serviceGrant) explain(r tokenRefusal) *fault.Error {
	says := func(words ...string) bool {
		text := strings.ToLower(r.description)
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
	}
	denied := func(format string, args ...any) *fault.Error { return fault.Errorf(fault.Denied, format, args...) }
	const keys = "Applications > the app > General > Client Credentials"
	switch {
	case r.code == "invalid_scope" || r.code == "access_denied" && says("scope"):
		return denied("no scope that was asked for is granted to the app").
			WithHint("Grant the app its scopes under Applications > the app > Okta API Scopes. An empty list there grants nothing.")
	case r.code == "use_dpop_nonce":
		return denied("Okta asks for one DPoP nonce after the other").WithHint("A proxy may be caching answers of the token endpoint. Run again.")
	case r.code == "invalid_dpop_proof" && r.skew.Abs() > clockTolerance, r.code == "invalid_client" && (says("expire", "expiration", "issued", "future", "iat") || r.skew.Abs() > clockTolerance && !says("kid", "jwk", "signature", "client_id")):
		return clockFault(r)
	case r.code == "invalid_dpop_proof":
		return denied("the DPoP proof is not accepted").
			WithHint("The app demands DPoP. The org URL must be the address that Okta knows itself by, without a proxy that rewrites it.")
	case r.code == "unauthorized_client" || r.code == "unsupported_grant_type":
		return denied("the app %q may not sign in on its own", g.clientID).
			WithHint("It is no service app. Create one: Applications > Create App Integration > API Services.")
	case r.code == "access_denied":
		return denied("the app %q is refused by policy", g.clientID).
			WithHint("The app may be inactive, or a policy or network zone of the org keeps this machine out.")
	case says("kid"):
		return denied("the app has no active key with the id %q", g.key.id).
			WithHint("Register the public key under %s > Public Keys, and set OKTA_CLIENT_PRIVATEKEYID to the kid that is shown there.", keys)
	case says("jwkset", "jwks", "jwk set", "public key"):
		return denied("no public key is registered with the app %q", g.clientID).
			WithHint("Under %s choose Public key / Private key, and add the public key of this pair.", keys)
	case says("signature"):
		return denied("the private key is not the one registered with the app").
			WithHint("The public key under %s must be of the same pair. An app with several keys also needs OKTA_CLIENT_PRIVATEKEYID.", keys)
	case says("audience", "aud "):
		return denied("the org knows itself by another address").
			WithHint("Use the address that the app belongs to: the org's okta.com host, or its custom domain.")
	case says("client_id", "client id", "clientid", "not found", "no client", "unknown"):
		return denied("the org knows no app with the client id %q", g.clientID).
			WithHint("Compare OKTA_CLIENT_CLIENTID with the id under %s, and the org URL with the org of the app. An inactive app is unknown too.", keys)
	case says("client_secret", "client secret", "authentication method", "auth method"):
		return denied("the app does not sign in by key").WithHint("Under %s choose Public key / Private key as client authentication.", keys)
	}
	return denied("Okta gives the app %q no access token", g.clientID).
		WithHint("Check the client id, the key and its id, and that the app is active, under %s.", keys)
}

func clockFault(r tokenRefusal) *fault.Error {
	if off := r.skew.Round(time.Second).Abs(); off > clockSlack {
		which := "behind"
		if r.skew < 0 {
			which = "ahead of"
		}
		return fault.Errorf(fault.Denied, "this machine's clock is %s %s Okta's", off, which).
			WithHint("Set the clock right (Okta takes a difference of 5 minutes), for example with an NTP service.")
	}
	return fault.Errorf(fault.Denied, "Okta takes the time of the request for a wrong one").
		WithHint("Compare this machine's clock with the true time: Okta takes a difference of 5 minutes.")
}

// refreshGrant signs in with what an OAuth 2.0 web app got for a user.
type refreshGrant struct {
	clientID, clientSecret string
	rotated                func(string)

	mu    sync.Mutex
	token string // the refresh token; Okta may put another one in its place at each use
}

func newRefresher(c *client, r RefreshToken) (*tokens, error) {
	id, err := clientID(r.ClientID)
	if err != nil {
		return nil, err
	}
	secret, token := strings.TrimSpace(r.ClientSecret), strings.TrimSpace(r.Token)
	if !isToken(secret) || !isToken(token) {
		return nil, fault.Errorf(fault.Invalid, "the client secret or the refresh token is empty, or holds characters that none has").
			WithHint("Copy both alone, without quotes or line breaks.")
	}
	return newTokens(c, &refreshGrant{clientID: id, clientSecret: secret, token: token, rotated: r.Rotated}, nil, false)
}

func (g *refreshGrant) fill(r *http.Request, form url.Values, _ time.Time) error {
	r.SetBasicAuth(url.QueryEscape(g.clientID), url.QueryEscape(g.clientSecret))
	g.mu.Lock()
	defer g.mu.Unlock()
	form.Set("grant_type", "refresh_token")
	form.Set("refresh_token", g.token)
	return nil
}

func (g *refreshGrant) took(answer tokenAnswer) {
	g.mu.Lock()
	changed := isToken(answer.RefreshToken) && answer.RefreshToken != g.token
	if changed {
		g.token = answer.RefreshToken
	}
	g.mu.Unlock()
	if changed && g.rotated != nil {
		g.rotated(answer.RefreshToken)
	}
}

func (g *refreshGrant) secrets(form url.Values) []string {
	return []string{form.Get("refresh_token"), g.clientSecret}
}

func (g *refreshGrant) identity() Identity {
	return Identity{Kind: KindRefreshToken, ClientID: g.clientID}
}

func (g *refreshGrant) explain(r tokenRefusal) *fault.Error {
	switch r.code {
	case "invalid_grant":
		return fault.Errorf(fault.Denied, "the refresh token is not accepted").
			WithHint("It is used up, revoked or expired. Sign in again to get a new one; a service app with its own key needs none.")
	case "invalid_client":
		return fault.Errorf(fault.Denied, "the client id or client secret is not accepted").
			WithHint("Compare both with Applications > the app > General > Client Credentials.")
	case "unauthorized_client", "unsupported_grant_type":
		return fault.Errorf(fault.Denied, "the app %q may not use refresh tokens", g.clientID).
			WithHint("Allow the grant type Refresh Token under Applications > the app > General.")
	}
	return fault.Errorf(fault.Denied, "Okta gives no access token for the refresh token").
		WithHint("Check the app's client id, secret and grant types.")
}
