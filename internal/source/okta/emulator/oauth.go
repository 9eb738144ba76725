package emulator

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// DefaultClientID is a client id for demos, of the form that Okta's have.
const DefaultClientID = "0oalongshoredemo01d7"

// OAuth says which applications may get access tokens at /oauth2/v1/token, and on what terms.
type OAuth struct {
	Apps        []App
	TokenLife   time.Duration // of an access token; 0 means 1 hour
	NonceLife   time.Duration // how often the DPoP nonce changes; 0 means 24 hours
	NonceGrace  time.Duration // how long the one before is still taken; 0 means 3 days, negative not at all
	NonceAtAPI  bool          // proofs at API calls need the nonce too: 401 use_dpop_nonce without
	ErrorBodies bool          // 401 and 403 given to access tokens have Okta's JSON error; otherwise they are empty
}

// App is an OAuth client of the org. With Keys it is a service app, which signs in with private_key_jwt; with Secret and
// RefreshToken it acts for the user who consented, over the refresh_token grant with HTTP Basic.
type App struct {
	ClientID     string
	Keys         []byte // its public keys, as a JWK set
	Secret       string
	RefreshToken string
	Scopes       []string // granted; a token gets those of them that are asked for
	Strict       bool     // asking for a scope that is not granted is an error, not left out in silence
	DPoP         bool     // its tokens must be bound to a DPoP key; otherwise they are when a proof comes along
	NoRole       bool     // it holds no admin role: lists are 200 with [], single objects 403
}

const (
	usualTokenLife  = time.Hour
	usualNonceLife  = 24 * time.Hour
	usualNonceGrace = 72 * time.Hour

	assertionType    = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	maxAssertionLife = time.Hour
	maxFormBytes     = 64 << 10
	maxGrants        = 1 << 14 // access tokens remembered
)

var signingMethods = []string{"RS256", "RS384", "RS512", "ES256", "ES384", "ES512"}

// granted is an access token that was given out.
type granted struct {
	app     *App
	scopes  []string
	bound   string // thumbprint of the DPoP key; "" for a bearer token
	expires time.Time
	ended   bool // before it expired
}

// doors is what the org knows of access tokens. Org.mu guards it.
type doors struct {
	tokens     map[string]*granted
	assertions replays
	proofs     replays
	nonces     []nonce // oldest first; the last is current
}

// refusal is an OAuth error, of the token endpoint or of an API call.
type refusal struct {
	status            int
	code, description string
	nonce             string // goes into the dpop-nonce header
	challenge         string // scheme of WWW-Authenticate at an API call; "" means Bearer
}

func refuse(status int, code, description string) *refusal {
	return &refusal{status: status, code: code, description: description}
}

// tokenEndpoint is the token endpoint of the org authorization server.
func (o *Org) tokenEndpoint(c *call) answer {
	a, refused := o.tokenFor(c)
	if refused != nil {
		t := text{}
		t.object("")
		t.str("error", refused.code)
		t.str("error_description", refused.description)
		t.end()
		a = answer{status: refused.status, body: t.b}
		if refused.nonce != "" {
			a.header("Dpop-Nonce", refused.nonce)
		}
	}
	a.header("Cache-Control", "no-cache, no-store")
	return a
}

func (o *Org) tokenFor(c *call) (answer, *refusal) {
	if kind, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded") {
		return answer{}, refuse(http.StatusBadRequest, "invalid_request", "The request body must be application/x-www-form-urlencoded.")
	}
	c.r.Body = io.NopCloser(io.LimitReader(c.r.Body, maxFormBytes))
	if err := c.r.ParseForm(); err != nil {
		return answer{}, refuse(http.StatusBadRequest, "invalid_request", "The request body cannot be parsed.")
	}
	form := c.r.PostForm
	var app *App
	var refused *refusal
	switch form.Get("grant_type") {
	case "client_credentials":
		app, refused = o.assertedClient(c)
	case "refresh_token":
		if app, refused = o.secretClient(c); refused != nil {
			break
		}
		if app.RefreshToken == "" || subtle.ConstantTimeCompare([]byte(form.Get("refresh_token")), []byte(app.RefreshToken)) != 1 {
			refused = refuse(http.StatusBadRequest, "invalid_grant", "The refresh token is invalid or expired.")
		}
	case "":
		refused = refuse(http.StatusBadRequest, "invalid_request", "The 'grant_type' parameter is missing.")
	default:
		refused = refuse(http.StatusBadRequest, "unsupported_grant_type", "The authorization grant type is not supported by the authorization server.")
	}
	if refused != nil {
		return answer{}, refused
	}
	c.who = &caller{name: app.ClientID, app: app}
	if o.barred(app.ClientID) {
		return answer{}, refuse(http.StatusUnauthorized, "invalid_client", "The client is not active.")
	}
	bound, refused := o.bindingKey(c, app)
	if refused != nil {
		return answer{}, refused
	}
	scopes, refused := o.grantedScopes(app, form.Get("scope"), form.Get("grant_type") == "refresh_token")
	if refused != nil {
		return answer{}, refused
	}
	return o.issueToken(app, scopes, bound), nil
}

func (o *Org) appByID(id string) *App {
	for i := range o.options.OAuth.Apps {
		if app := &o.options.OAuth.Apps[i]; app.ClientID == id && id != "" {
			return app
		}
	}
	return nil
}

// assertedClient returns the app that signed the client assertion, having used up the assertion's jti.
func (o *Org) assertedClient(c *call) (*App, *refusal) {
	form := c.r.PostForm
	denied := func(description string) (*App, *refusal) {
		return nil, refuse(http.StatusUnauthorized, "invalid_client", description)
	}
	if form.Get("client_assertion") == "" {
		return denied("Client Credentials requests to the Org Authorization Server must use the private_key_jwt token_endpoint_auth_method.")
	}
	if form.Get("client_assertion_type") != assertionType {
		return denied("The client_assertion_type must be " + assertionType + ".")
	}
	var claims jwt.RegisteredClaims
	var app *App
	_, err := jwt.NewParser(jwt.WithValidMethods(signingMethods), jwt.WithoutClaimsValidation()).
		ParseWithClaims(form.Get("client_assertion"), &claims, func(t *jwt.Token) (any, error) {
			if app = o.appByID(claims.Subject); app == nil {
				return nil, errors.New("no such client")
			}
			return app.verifier(t)
		})
	switch {
	case app == nil && claims.Subject != "":
		return denied("Invalid value for 'client_id' parameter.")
	case errors.Is(err, jwt.ErrTokenMalformed), claims.Subject == "":
		return denied("The client_assertion is malformed.")
	case err != nil:
		return denied("The client_assertion signature is invalid: " + err.Error() + ".")
	case claims.Issuer != claims.Subject:
		return denied("The issuer and subject claims of the client_assertion must be the client id.")
	case form.Has("client_id") && form.Get("client_id") != app.ClientID:
		return denied("The 'client_id' parameter is not the client_assertion's subject.")
	case len(claims.Audience) != 1 || !slices.Contains(o.urlsOf(c), claims.Audience[0]):
		return denied("The audience claim for client_assertion must be the endpoint invoked for the request.")
	case claims.ExpiresAt == nil:
		return denied("The client_assertion token must have an expiration.")
	}
	now := o.clocks(c)
	switch {
	case !now.any(func(at time.Time) bool { return at.Before(claims.ExpiresAt.Time) }):
		return denied("The client_assertion token is expired.")
	case !now.any(func(at time.Time) bool {
		return at.Before(claims.ExpiresAt.Time) && !claims.ExpiresAt.After(at.Add(maxAssertionLife))
	}):
		return denied("The client_assertion token has an expiration date too far in the future.")
	case claims.IssuedAt != nil && !now.any(func(at time.Time) bool { return !claims.IssuedAt.After(at.Add(proofWindow)) }):
		return denied("The client_assertion token was issued in the future.")
	case claims.ID != "" && o.used(&o.doors.assertions, app.ClientID+" "+claims.ID):
		return denied("The client_assertion token has already been used.")
	}
	return app, nil
}

// verifier is the app's key for a token's signature.
func (a *App) verifier(t *jwt.Token) (any, error) {
	keys, err := parseKeySet(a.Keys)
	if err != nil {
		return nil, errors.New("the app's JWK set cannot be read")
	}
	id, named := t.Header["kid"].(string)
	for _, k := range keys {
		if !named && len(keys) == 1 || named && k.id == id {
			if k.alg != "" && k.alg != t.Method.Alg() {
				return nil, errors.New("the key is for " + k.alg)
			}
			return k.key, nil
		}
	}
	return nil, errors.New("the app has no key of this kid")
}

// secretClient returns the app named by HTTP Basic.
func (o *Org) secretClient(c *call) (*App, *refusal) {
	id, secret, ok := c.r.BasicAuth()
	app := o.appByID(id)
	if !ok || app == nil || app.Secret == "" || subtle.ConstantTimeCompare([]byte(secret), []byte(app.Secret)) != 1 {
		return nil, refuse(http.StatusUnauthorized, "invalid_client", "The client secret supplied for a confidential client is invalid.")
	}
	return app, nil
}

// grantedScopes are the scopes asked for that the app has. A refresh that names none gets all of them.
func (o *Org) grantedScopes(app *App, asked string, refresh bool) ([]string, *refusal) {
	wanted := strings.Fields(asked)
	if len(wanted) == 0 && refresh {
		wanted = app.Scopes
	}
	if len(wanted) == 0 {
		return nil, refuse(http.StatusBadRequest, "invalid_scope", "The authorization server resource does not have any configured default scopes, 'scope' must be provided.")
	}
	var scopes []string
	for _, s := range wanted {
		switch {
		case slices.Contains(scopes, s):
		case slices.Contains(app.Scopes, s) && !o.scopeWithdrawn(app.ClientID, s):
			scopes = append(scopes, s)
		case app.Strict:
			return nil, refuse(http.StatusBadRequest, "invalid_scope", "The client is not allowed to request the scope "+s+".")
		}
	}
	if len(scopes) == 0 {
		return nil, refuse(http.StatusBadRequest, "invalid_scope", "The client is not allowed to request any of these scopes.")
	}
	return scopes, nil
}

func (o *Org) issueToken(app *App, scopes []string, bound string) answer {
	life := o.options.OAuth.TokenLife
	if life <= 0 {
		life = usualTokenLife
	}
	token := rand.Text() + rand.Text()
	now := o.Now()
	o.mu.Lock()
	if o.doors.tokens == nil {
		o.doors.tokens = make(map[string]*granted)
	}
	for old, g := range o.doors.tokens {
		if now.Sub(g.expires) > life || len(o.doors.tokens) >= maxGrants { // for a while it is told whose a dead token was
			delete(o.doors.tokens, old)
		}
	}
	o.doors.tokens[token] = &granted{app: app, scopes: scopes, bound: bound, expires: now.Add(life)}
	o.stats.Tokens++
	o.mu.Unlock()
	kind := "Bearer"
	if bound != "" {
		kind = "DPoP"
	}
	t := text{}
	t.object("")
	t.strs("token_type", kind)
	t.raw("expires_in", strconv.Itoa(int(life/time.Second)))
	t.strs("access_token", token)
	t.str("scope", strings.Join(scopes, " "))
	if app.RefreshToken != "" {
		t.str("refresh_token", app.RefreshToken)
	}
	t.end()
	return object(t.b)
}

// caller is who sends a request.
type caller struct {
	name   string   // of the counters: a client id, or APIToken
	app    *App     // nil for the SSWS token
	scopes []string // of its access token
}

// APIToken names the client that uses the SSWS token, in Stats and Withdrawal.
const APIToken = "SSWS"

// accessToken lets in the holder of an access token.
func (o *Org) accessToken(c *call, scheme, token string) (*caller, *refusal) {
	invalid := refuse(http.StatusUnauthorized, "invalid_token", "The access token provided is expired, revoked, malformed, or invalid for other reasons.")
	g, _ := o.grantOf(token)
	if g == nil {
		return nil, invalid
	}
	who := &caller{name: g.app.ClientID, app: g.app, scopes: g.scopes}
	if o.arrives(who.name); c.fault.ExpireToken {
		o.endGrant(token)
	}
	if _, lives := o.grantOf(token); !lives {
		return who, invalid
	}
	dpop := strings.EqualFold(scheme, "DPoP")
	if g.bound == "" {
		if dpop {
			return who, refuse(http.StatusUnauthorized, "invalid_token", "The access token is not bound to a DPoP key.")
		}
		return who, nil
	}
	if !dpop {
		return who, &refusal{status: http.StatusUnauthorized, code: "invalid_token", description: "The access token is bound to a DPoP key and cannot be used as a bearer token.", challenge: "DPoP"}
	}
	p, refused := o.proof(c, token)
	if refused == nil && p.thumbprint != g.bound {
		refused = refuse(http.StatusUnauthorized, "invalid_dpop_proof", "The DPoP proof is not signed with the key that the access token is bound to.")
	}
	if refused == nil {
		refused = o.nonceAtAPI(c, p.nonce)
	}
	if refused != nil {
		refused.status, refused.challenge = http.StatusUnauthorized, "DPoP"
	}
	return who, refused
}

// grantOf returns what an access token stands for, nil for none known, and whether it is still good.
func (o *Org) grantOf(token string) (g *granted, lives bool) {
	now := o.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	g = o.doors.tokens[token]
	return g, g != nil && !g.ended && now.Before(g.expires)
}

func (o *Org) endGrant(token string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if g := o.doors.tokens[token]; g != nil {
		g.ended = true
	}
}

// challenge is the answer to an access token that is not let in.
func (o *Org) challenge(c *call, r *refusal, scope string) answer {
	scheme := r.challenge
	if scheme == "" {
		scheme = "Bearer"
	}
	var b strings.Builder
	b.WriteString(scheme)
	b.WriteString(` authorization_uri="` + c.base + `/oauth2/v1/authorize", realm="` + c.base + `"`)
	if scheme == "DPoP" {
		b.WriteString(`, algs="` + strings.Join(signingMethods, " ") + `"`)
	}
	if scope != "" {
		b.WriteString(`, scope="` + scope + `"`)
	}
	b.WriteString(`, error="` + r.code + `", error_description="` + r.description + `"`)
	a := answer{status: r.status}
	if o.options.OAuth.ErrorBodies {
		usual := usualErrors[r.status]
		a = o.failed(c, r.status, usual[0], usual[1])
	}
	a.header("WWW-Authenticate", b.String())
	if r.nonce != "" {
		a.header("Dpop-Nonce", r.nonce)
	}
	return a
}
