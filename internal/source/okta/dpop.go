package okta

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// nonceHeader is where a server hands out the nonce that its next proofs must hold.
	nonceHeader = "DPoP-Nonce"
	// maxNonceBytes is far above the 32 characters of Okta's nonces.
	maxNonceBytes = 1024
)

// prover makes DPoP proofs (RFC 9449): each shows that the sender of one request holds the key that an access token
// is bound to. The key is not the one that the app signs in with, and lives as long as the Source.
type prover struct {
	key    *ecdsa.PrivateKey
	public map[string]string // the key's public half as JWK

	mu     sync.Mutex
	nonces map[bool]string // that the token endpoint (true) and the API (false) asked for last
}

func newProver() (*prover, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key for DPoP proofs: %w", err)
	}
	point, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return nil, fmt.Errorf("make a key for DPoP proofs: %w", err)
	}
	return &prover{
		key: key, nonces: map[bool]string{},
		public: map[string]string{"kty": "EC", "crv": "P-256", "x": encode64(point[1:33]), "y": encode64(point[33:])},
	}, nil
}

// prove makes the proof for one sending of a request; a repetition needs a new one. The access token is "" at the
// token endpoint. The time is the server's.
func (p *prover) prove(method string, target *url.URL, accessToken string, now time.Time) (string, error) {
	atToken := accessToken == ""
	claims := jwt.MapClaims{"htm": method, "htu": withoutQuery(target), "iat": now.Unix(), "jti": newID()}
	if !atToken {
		sum := sha256.Sum256([]byte(accessToken))
		claims["ath"] = encode64(sum[:])
	}
	if nonce := p.nonce(atToken); nonce != "" {
		claims["nonce"] = nonce
	}
	proof := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	proof.Header["typ"], proof.Header["jwk"] = "dpop+jwt", p.public
	return proof.SignedString(p.key)
}

// learn remembers the nonce of an answer, and reports whether it is a new one. Any answer may bring one.
func (p *prover) learn(header http.Header, atToken bool) bool {
	nonce := header.Get(nonceHeader)
	if nonce == "" || len(nonce) > maxNonceBytes {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.nonces[atToken]
	p.nonces[atToken] = nonce
	return before != nonce
}

func (p *prover) nonce(atToken bool) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nonces[atToken]
}

// withoutQuery is a URL as the claim htu has it: without query and fragment.
func withoutQuery(u *url.URL) string {
	bare := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return bare.String()
}

// newID is an id that no other request has.
func newID() string { return rand.Text() }

func encode64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
