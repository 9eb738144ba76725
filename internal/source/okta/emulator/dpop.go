package emulator

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// proofWindow is how far a proof's iat may lie from now, either way.
const proofWindow = 5 * time.Minute

// proofClaims are those of a DPoP proof (RFC 9449, section 4.2).
type proofClaims struct {
	Method   string           `json:"htm"`
	URL      string           `json:"htu"`
	IssuedAt *jwt.NumericDate `json:"iat"`
	ID       string           `json:"jti"`
	Nonce    string           `json:"nonce"`
	Token    string           `json:"ath"`
	jwt.RegisteredClaims
}

type dpopProof struct{ thumbprint, nonce string }

// bindingKey is the thumbprint of the key that the token to be issued is bound to; "" for a bearer token.
func (o *Org) bindingKey(c *call, app *App) (string, *refusal) {
	if len(c.r.Header.Values("DPoP")) == 0 && !app.DPoP {
		return "", nil
	}
	p, refused := o.proof(c, "")
	if refused != nil {
		return "", refused
	}
	switch o.judgeNonce(p.nonce, c.fault.NewNonce) {
	case nonceGood:
		return p.thumbprint, nil
	case nonceMissing:
		return "", o.wantNonce("Authorization server requires nonce in DPoP proof.")
	}
	return "", o.wantNonce("The DPoP proof's nonce is not valid any more.")
}

// nonceAtAPI judges the nonce of an API call's proof: one that is there must be good, and with NonceAtAPI, or after a
// NewNonce fault, one must be there.
func (o *Org) nonceAtAPI(c *call, n string) *refusal {
	state := o.judgeNonce(n, c.fault.NewNonce)
	if state == nonceGood || state == nonceMissing && !o.options.OAuth.NonceAtAPI && !c.fault.NewNonce {
		return nil
	}
	return o.wantNonce("Resource server requires nonce in DPoP proof.")
}

func (o *Org) wantNonce(description string) *refusal {
	return &refusal{status: http.StatusBadRequest, code: "use_dpop_nonce", description: description, nonce: o.currentNonce()}
}

// proof checks the request's DPoP header, having used up its jti. accessToken is "" at the token endpoint.
func (o *Org) proof(c *call, accessToken string) (dpopProof, *refusal) {
	bad := func(description string) (dpopProof, *refusal) {
		return dpopProof{}, refuse(http.StatusBadRequest, "invalid_dpop_proof", description)
	}
	headers := c.r.Header.Values("DPoP")
	switch len(headers) {
	case 0:
		return bad("The DPoP proof JWT header is missing.")
	case 1:
	default:
		return bad("There is more than one DPoP proof JWT header.")
	}
	var claims proofClaims
	var key publicKey
	_, err := jwt.NewParser(jwt.WithValidMethods(signingMethods), jwt.WithoutClaimsValidation()).
		ParseWithClaims(headers[0], &claims, func(t *jwt.Token) (any, error) {
			if t.Header["typ"] != "dpop+jwt" {
				return nil, errors.New("typ must be dpop+jwt")
			}
			text, err := json.Marshal(t.Header["jwk"])
			if err != nil {
				return nil, err
			}
			var w wireKey
			if err := json.Unmarshal(text, &w); err != nil {
				return nil, errors.New("jwk must be a public key")
			}
			key, err = parseJWK(w)
			return key.key, err
		})
	if err != nil {
		return bad("The DPoP proof JWT is invalid: " + strings.ReplaceAll(err.Error(), `"`, `'`) + ".")
	}
	switch {
	case claims.Method != c.r.Method:
		return bad("The DPoP proof's htm is not the request's method.")
	case !slices.ContainsFunc(o.urlsOf(c), func(u string) bool { return sameURL(claims.URL, u) }):
		return bad("The DPoP proof's htu is not the request's URL without query and fragment.")
	case claims.IssuedAt == nil:
		return bad("The DPoP proof has no iat.")
	case !o.clocks(c).any(func(at time.Time) bool { return claims.IssuedAt.Sub(at).Abs() <= proofWindow }):
		return bad("The DPoP proof's iat is too far from now.")
	case claims.ExpiresAt != nil && !o.clocks(c).any(func(at time.Time) bool { return at.Before(claims.ExpiresAt.Time) }):
		return bad("The DPoP proof is expired.")
	case claims.ID == "":
		return bad("The DPoP proof has no jti.")
	case accessToken != "" && subtle.ConstantTimeCompare([]byte(claims.Token), []byte(tokenHash(accessToken))) != 1:
		return bad("The DPoP proof's ath is not the hash of the access token.")
	case o.used(&o.doors.proofs, key.thumbprint+" "+claims.ID):
		return bad("The DPoP proof has already been used.")
	}
	return dpopProof{thumbprint: key.thumbprint, nonce: claims.Nonce}, nil
}

// tokenHash is what ath must be.
func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return encode64(sum[:])
}

// sameURL compares htu with a URL of this org: scheme and host in any case, and no query or fragment.
func sameURL(htu, want string) bool {
	u, err := url.Parse(htu)
	if err != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(htu, "#") {
		return false
	}
	v, err := url.Parse(want)
	return err == nil && strings.EqualFold(u.Scheme, v.Scheme) && strings.EqualFold(u.Host, v.Host) && u.EscapedPath() == v.EscapedPath()
}

// urlsOf are the URLs by which the request may name its endpoint: by the host that links name, and by the host that it
// was sent to.
func (o *Org) urlsOf(c *call) []string {
	path := c.r.URL.EscapedPath()
	return []string{c.base + path, hostOf(c.r) + path}
}

// clocks are the instants that pass for now. The org stands at a fixed instant, and a client counts from its own clock or
// from the Date header: either will do.
type clocks []time.Time

func (o *Org) clocks(c *call) clocks {
	return clocks{time.Now(), o.Now().Add(c.fault.Skew)}
}

func (all clocks) any(test func(time.Time) bool) bool { return slices.ContainsFunc(all, test) }

// replays remembers what was used, at least for a while.
type replays struct {
	young, old map[string]struct{}
	since      time.Time
}

const (
	replaySpan = maxAssertionLife + proofWindow // how long a jti is remembered at least
	maxReplays = 1 << 17                        // of a span; beyond it the oldest are forgotten sooner
)

// used reports whether a jti was seen before, and remembers it.
func (o *Org) used(r *replays, id string) bool {
	now := o.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.young == nil || now.Sub(r.since) >= replaySpan || len(r.young) >= maxReplays {
		r.old, r.young, r.since = r.young, make(map[string]struct{}), now
	}
	_, young := r.young[id]
	_, old := r.old[id]
	r.young[id] = struct{}{}
	return young || old
}

// nonce is a value that proofs must carry. It is retired when the next one is made.
type nonce struct {
	text       string
	born, died time.Time
}

type nonceState int

const (
	nonceGood nonceState = iota
	nonceMissing
	nonceStale
)

const maxNonces = 64

// judgeNonce says what a proof's nonce is worth. With renew the current one is replaced first, and none of the older ones
// is good any more.
func (o *Org) judgeNonce(text string, renew bool) nonceState {
	if renew {
		o.RotateNonce(false)
	}
	now := o.Now()
	grace := o.options.OAuth.NonceGrace
	if grace == 0 {
		grace = usualNonceGrace
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turnNonce(now)
	if text == "" {
		return nonceMissing
	}
	for i, n := range o.doors.nonces {
		current := i == len(o.doors.nonces)-1
		if n.text == text && (current || now.Sub(n.died) < grace) {
			return nonceGood
		}
	}
	return nonceStale
}

func (o *Org) currentNonce() string {
	now := o.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.turnNonce(now)
	return o.doors.nonces[len(o.doors.nonces)-1].text
}

// turnNonce makes a new nonce once the current one is of age.
func (o *Org) turnNonce(now time.Time) {
	life := o.options.OAuth.NonceLife
	if life <= 0 {
		life = usualNonceLife
	}
	if n := o.doors.nonces; len(n) == 0 || now.Sub(n[len(n)-1].born) >= life {
		o.newNonce(now)
	}
}

func (o *Org) newNonce(now time.Time) {
	d := &o.doors
	if len(d.nonces) > 0 {
		d.nonces[len(d.nonces)-1].died = now
	}
	d.nonces = append(d.nonces, nonce{text: rand.Text(), born: now})
	if len(d.nonces) > maxNonces {
		d.nonces = slices.Delete(d.nonces, 0, len(d.nonces)-maxNonces)
	}
}

// RotateNonce makes a new DPoP nonce now. With grace the older ones stay good for OAuth.NonceGrace, as when they age;
// without, they are refused from here on.
func (o *Org) RotateNonce(grace bool) {
	now := o.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if !grace {
		o.doors.nonces = nil
	}
	o.newNonce(now)
}
