package auth

import (
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"longshore/internal/fault"
)

const (
	tokenLife = 3 * time.Hour
	// A token is not handed out again in its last minute: a command that starts with it could not end with it.
	tokenRest = time.Minute
	// maxTokenBytes bounds what is taken for a token.
	maxTokenBytes = 4 << 10
)

// Token is an access token.
type Token struct {
	Text    string
	Expires time.Time
}

// claims are what the tokens say. IsMachine is read, unverified, by Port's integration framework.
type claims struct {
	IsMachine bool   `json:"isMachine"`
	OrgID     string `json:"orgId,omitempty"`
	Role      Role   `json:"role,omitempty"` // for people who look: what counts is the client's role as it is then
	Seal      string `json:"seal,omitempty"` // of the client's secret
	jwt.RegisteredClaims
}

// Token returns the client's active access token, or a new one, and how long it is still good for. Errors: fault.Denied
// with the code "invalid_credentials", fault.Unavailable when credentials cannot be read.
func (k *Keeper) Token(clientID, clientSecret string) (Token, time.Duration, error) {
	c, ok, err := k.known(clientID, clientSecret)
	if err != nil {
		return Token{}, 0, err
	}
	if !ok {
		return Token{}, 0, fault.Errorf(fault.Denied, "the client id or the client secret is wrong").WithCode("invalid_credentials", nil)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if t := k.active[clientID]; t.seal == c.seal() && t.Expires.Sub(now) > tokenRest {
		return t.Token, t.Expires.Sub(now), nil
	}
	t := Token{Expires: now.Add(tokenLife).Truncate(time.Second)}
	if !c.Expires.IsZero() && c.Expires.Before(t.Expires) {
		t.Expires = c.Expires
	}
	said := claims{IsMachine: true, OrgID: k.orgID, Role: c.Role, Seal: c.seal()}
	if t.Text, err = k.sign(k.tokenKey, said, clientID, now, t.Expires); err != nil {
		return Token{}, 0, err
	}
	k.active[clientID] = activeToken{t, c.seal()}
	return t, t.Expires.Sub(now), nil
}

// Verify names the client that the access token was given to. Errors: fault.Denied with the code "unauthorized",
// fault.Unavailable when credentials cannot be read.
func (k *Keeper) Verify(token string) (Principal, error) {
	said, err := k.read(k.tokenKey, token)
	if err != nil || !said.IsMachine {
		return Principal{}, unauthorized("the access token is not valid, or has expired")
	}
	c, err := k.current(said.Subject, said.Seal)
	if err != nil {
		return Principal{}, err
	}
	return Principal{ID: c.ID, Machine: true, Role: c.Role, User: c.User}, nil
}

func (k *Keeper) sign(key []byte, c claims, subject string, now, expires time.Time) (string, error) {
	id := make([]byte, 12)
	_, _ = rand.Read(id) // never fails
	c.RegisteredClaims = jwt.RegisteredClaims{
		ID: hex.EncodeToString(id), Subject: subject, Issuer: "longshore",
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(key)
}

func (k *Keeper) read(key []byte, token string) (claims, error) {
	var c claims
	if len(token) > maxTokenBytes {
		return c, fault.Errorf(fault.Denied, "the token has more than %d bytes", maxTokenBytes)
	}
	_, err := jwt.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return key, nil },
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithExpirationRequired(), jwt.WithIssuer("longshore"), jwt.WithTimeFunc(k.now))
	return c, err
}
