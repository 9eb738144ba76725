package okta

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// oauthOrg is a testOrg behind OAuth: it gives access tokens for assertions that it verifies, and lets in who holds one.
type oauthOrg struct {
	*testOrg
	t *testing.T

	clientID string
	keys     map[string]crypto.PublicKey // registered with the app, by kid
	granted  []string
	life     time.Duration // of an access token; 0 means an hour
	offset   time.Duration // the org's clock less the machine's
	dpop     bool          // demanded
	silent   bool          // scopes not granted are left out in silence
	noDate   bool
	refresh  string // the refresh token that is good
	secret   string // of the client, for refresh tokens

	// trouble, if set, may answer a token request instead; n counts them from 1.
	trouble func(w http.ResponseWriter, r *http.Request, n int) bool

	lock      sync.Mutex
	issued    map[string]issuedToken
	asked     int             // token requests
	now       int             // of them under way
	most      int             // the most at one time
	seen      map[string]bool // jtis
	nonce     string          // that proofs at the token endpoint must hold
	apiNonce  string          // the same at the API; "" for none
	assertion []string        // all assertions that came
}

type issuedToken struct {
	ends time.Time
	key  string // thumbprint of the proof key, "" for Bearer
}

func newOAuthOrg(t *testing.T) *oauthOrg {
	o := &oauthOrg{
		testOrg: sampleOrg(), t: t, clientID: "0oa1", granted: strings.Fields("okta.users.read okta.groups.read okta.roles.read okta.logs.read"),
		keys: map[string]crypto.PublicKey{"k1": testEC().Public(), "k2": testRSA().Public()}, issued: map[string]issuedToken{}, seen: map[string]bool{}, nonce: "n1",
		secret: "client-secret", refresh: "refresh-1",
	}
	return o
}

func (o *oauthOrg) clock() time.Time { return time.Now().Add(o.offset) }

func (o *oauthOrg) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !o.noDate {
		w.Header().Set("Date", o.clock().UTC().Format(http.TimeFormat))
	}
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == tokenPath {
		o.token(w, r)
		return
	}
	if r.Header.Get("Authorization") != "" && !o.admits(w, r) {
		return
	}
	if r.Header.Get("Authorization") != "" {
		r.Header.Set("Authorization", "SSWS secret-token")
	}
	date := w.Header().Get("Date")
	o.testOrg.ServeHTTP(&dated{w, date}, r)
}

// dated keeps the date that the org's clock shows.
type dated struct {
	http.ResponseWriter
	date string
}

func (d *dated) WriteHeader(status int) {
	d.set()
	d.ResponseWriter.WriteHeader(status)
}

func (d *dated) set() {
	if d.Header().Del("Date"); d.date != "" {
		d.Header().Set("Date", d.date)
	}
}

func (d *dated) Write(b []byte) (int, error) {
	d.set()
	return d.ResponseWriter.Write(b)
}

func oauthError(w http.ResponseWriter, status int, code, description string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": description})
}

func (o *oauthOrg) token(w http.ResponseWriter, r *http.Request) {
	o.lock.Lock()
	o.asked++
	n := o.asked
	o.now++
	o.most = max(o.most, o.now)
	o.lock.Unlock()
	defer func() {
		o.lock.Lock()
		o.now--
		o.lock.Unlock()
	}()
	if o.trouble != nil && o.trouble(w, r, n) {
		return
	}
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.ParseForm() != nil {
		o.t.Errorf("token request %s with %q", r.Method, r.Header.Get("Content-Type"))
	}
	switch r.PostForm.Get("grant_type") {
	case "client_credentials":
		if code, why := o.signs(r); why != "" {
			oauthError(w, 401, code, why)
			return
		}
	case "refresh_token":
		id, secret, _ := r.BasicAuth()
		if id != o.clientID || secret != o.secret {
			oauthError(w, 401, "invalid_client", "The client secret supplied for a confidential client is invalid.")
			return
		}
		if r.PostForm.Get("refresh_token") != o.refresh {
			oauthError(w, 400, "invalid_grant", "The refresh token is invalid or expired.")
			return
		}
	default:
		oauthError(w, 400, "unsupported_grant_type", "no")
		return
	}
	proof := r.Header.Get("DPoP")
	if proof == "" && o.dpop {
		oauthError(w, 400, "invalid_dpop_proof", "The DPoP proof JWT header is missing.")
		return
	}
	key := ""
	if proof != "" {
		claims, thumbprint, err := o.verifyProof(proof, r, "")
		if err != nil {
			oauthError(w, 400, "invalid_dpop_proof", err.Error())
			return
		}
		if claims["nonce"] != o.nonce {
			w.Header().Set(nonceHeader, o.nonce)
			oauthError(w, 400, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof.")
			return
		}
		key = thumbprint
	}
	var scopes []string
	for _, scope := range strings.Fields(r.PostForm.Get("scope")) {
		if slices.Contains(o.granted, scope) {
			scopes = append(scopes, scope)
		} else if !o.silent {
			oauthError(w, 400, "invalid_scope", "One or more scopes are not configured for the authorization server resource.")
			return
		}
	}
	life := o.life
	if life == 0 {
		life = time.Hour
	}
	kind := "Bearer"
	if key != "" {
		kind = "DPoP"
	}
	o.lock.Lock()
	value := fmt.Sprintf("access-%d", len(o.issued)+1)
	o.issued[value] = issuedToken{ends: o.clock().Add(life), key: key}
	o.lock.Unlock()
	answer := map[string]any{"token_type": kind, "expires_in": int(life.Seconds()), "access_token": value, "scope": strings.Join(scopes, " ")}
	if r.PostForm.Get("grant_type") == "refresh_token" {
		o.refresh = "refresh-" + value
		answer["refresh_token"] = o.refresh
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// signs verifies the client assertion.
func (o *oauthOrg) signs(r *http.Request) (code, why string) {
	text := r.PostForm.Get("client_assertion")
	o.lock.Lock()
	o.assertion = append(o.assertion, text)
	o.lock.Unlock()
	if r.PostForm.Get("client_assertion_type") != assertionType {
		return "invalid_client", "The client_assertion_type is invalid."
	}
	var noKey, replayed bool
	parsed, err := jwt.Parse(text, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		key, ok := o.keys[kid]
		if noKey = !ok; noKey {
			return nil, errors.New("kid")
		}
		return key, nil
	}, jwt.WithTimeFunc(o.clock), jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(10*time.Second), jwt.WithAudience("http://"+r.Host+tokenPath), jwt.WithIssuer(o.clientID), jwt.WithSubject(o.clientID))
	if err == nil {
		jti, _ := parsed.Claims.(jwt.MapClaims)["jti"].(string)
		exp, _ := parsed.Claims.GetExpirationTime()
		if replayed = o.replays("assertion" + jti); exp.Sub(o.clock()) >= time.Hour {
			return "invalid_client", "The client_assertion token has an expiration too far into the future."
		}
	}
	switch {
	case noKey:
		return "invalid_client", "The client_assertion JWT kid is invalid."
	case errors.Is(err, jwt.ErrTokenExpired), errors.Is(err, jwt.ErrTokenUsedBeforeIssued):
		return "invalid_client", "The client_assertion token is expired."
	case errors.Is(err, jwt.ErrTokenInvalidAudience):
		return "invalid_client", "The audience claim for client_assertion must be the endpoint invoked for the request."
	case errors.Is(err, jwt.ErrTokenInvalidIssuer), errors.Is(err, jwt.ErrTokenInvalidSubject):
		return "invalid_client", "Invalid value for 'client_id' parameter."
	case err != nil:
		return "invalid_client", "The client_assertion signature is invalid."
	case replayed:
		return "invalid_client", "The client_assertion token has been used before."
	}
	return "", ""
}

func (o *oauthOrg) replays(jti string) bool {
	o.lock.Lock()
	defer o.lock.Unlock()
	if o.seen[jti] {
		return true
	}
	o.seen[jti] = true
	return false
}

// verifyProof verifies a DPoP proof of a request, and returns its claims and the thumbprint of its key.
func (o *oauthOrg) verifyProof(proof string, r *http.Request, accessToken string) (jwt.MapClaims, string, error) {
	var thumbprint string
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(proof, claims, func(t *jwt.Token) (any, error) {
		public, _ := t.Header["jwk"].(map[string]any)
		if t.Header["typ"] != "dpop+jwt" || public["d"] != nil {
			return nil, errors.New("header")
		}
		text := func(name string) []byte {
			s, _ := public[name].(string)
			return must(base64.RawURLEncoding.DecodeString(s))
		}
		sum := sha256.Sum256([]byte(fmt.Sprintf(`{"crv":%q,"kty":%q,"x":%q,"y":%q}`, public["crv"], public["kty"], public["x"], public["y"])))
		thumbprint = encode64(sum[:])
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append([]byte{4}, append(text("x"), text("y")...)...))
	}, jwt.WithValidMethods([]string{"ES256"}), jwt.WithTimeFunc(o.clock))
	if err != nil {
		return nil, "", fmt.Errorf("the proof: %w", err)
	}
	iat, _ := claims.GetIssuedAt()
	ath := ""
	if accessToken != "" {
		sum := sha256.Sum256([]byte(accessToken))
		ath = encode64(sum[:])
	}
	jti, _ := claims["jti"].(string)
	got, _ := claims["ath"].(string)
	switch {
	case claims["htm"] != r.Method:
		return nil, "", errors.New("htm")
	case claims["htu"] != "http://"+r.Host+r.URL.EscapedPath():
		return nil, "", fmt.Errorf("htu %v", claims["htu"])
	case iat == nil || iat.Sub(o.clock()).Abs() > 5*time.Minute:
		return nil, "", errors.New("The DPoP proof JWT is expired or issued in the future.") //nolint:staticcheck,revive // Okta's style
	case jti == "" || o.replays("proof"+jti):
		return nil, "", errors.New("jti")
	case got != ath:
		return nil, "", errors.New("ath")
	}
	return claims, thumbprint, nil
}

// admits checks the access token of an API request, and its proof.
func (o *oauthOrg) admits(w http.ResponseWriter, r *http.Request) bool {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	o.lock.Lock()
	issued, ok := o.issued[value]
	o.lock.Unlock()
	challenge := func(code string) bool {
		w.Header().Set("WWW-Authenticate", scheme+` authorization_uri="http://acme.okta.com/oauth2/v1/authorize", realm="x", scope="", error="`+code+`", error_description="no", resource="/"`)
		w.WriteHeader(401)
		return false
	}
	if !ok || !o.clock().Before(issued.ends) || (scheme == "DPoP") != (issued.key != "") {
		return challenge("invalid_token")
	}
	if issued.key == "" {
		return true
	}
	claims, key, err := o.verifyProof(r.Header.Get("DPoP"), r, value)
	if err != nil || key != issued.key {
		o.t.Errorf("%s: proof refused: %v, the same key: %t", r.URL, err, key == issued.key)
		return challenge("invalid_dpop_proof")
	}
	if o.apiNonce != "" && claims["nonce"] != o.apiNonce {
		w.Header().Set(nonceHeader, o.apiNonce)
		return challenge("use_dpop_nonce")
	}
	return true
}

// revoke ends all access tokens.
func (o *oauthOrg) revoke() {
	o.lock.Lock()
	defer o.lock.Unlock()
	clear(o.issued)
}
