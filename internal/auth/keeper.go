package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"

	"longshore/internal/fault"
)

// minKeyBytes is the least a signing secret may have: as much as its hash.
const minKeyBytes = 32

// Principal is who makes a call.
type Principal struct {
	ID      string // the client id, or [BrowserID]
	Machine bool   // by an access token; otherwise by a browser's session
}

// BrowserID is the Principal of somebody who signed in by a one-time link.
const BrowserID = "local"

// Credential is a client that may call the API.
type Credential struct{ ClientID, ClientSecret string }

// Config is what a Keeper needs.
type Config struct {
	Credentials []Credential
	Key         []byte           // signs tokens and sessions; at least 32 random bytes, kept across restarts
	OrgID       string           // goes into the tokens
	Now         func() time.Time // nil means time.Now
}

// Keeper knows who may come in. It is safe for concurrent use.
type Keeper struct {
	credentials          []Credential
	orgID                string
	tokenKey, sessionKey []byte
	now                  func() time.Time
	mu                   sync.Mutex
	active               map[string]Token       // by client id: the token handed out last
	links                map[[32]byte]time.Time // by hash of a sign-in link's secret: when it expires
}

// New returns a Keeper. A client id with an @ is refused: clients take it for a person's.
func New(cfg Config) (*Keeper, error) {
	if len(cfg.Key) < minKeyBytes {
		return nil, fault.Errorf(fault.Invalid, "the signing key has %d bytes, want at least %d", len(cfg.Key), minKeyBytes)
	}
	for _, c := range cfg.Credentials {
		switch {
		case c.ClientID == "" || c.ClientSecret == "":
			return nil, fault.Errorf(fault.Invalid, "a client needs both an id and a secret")
		case strings.Contains(c.ClientID, "@"):
			return nil, fault.Errorf(fault.Invalid, "client id %q looks like an e-mail address", c.ClientID).
				WithHint("clients treat such an id as a person's; choose one without @")
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Keeper{
		credentials: cfg.Credentials, orgID: cfg.OrgID, now: cfg.Now, tokenKey: derive(cfg.Key, "access token"),
		sessionKey: derive(cfg.Key, "session"), active: map[string]Token{}, links: map[[32]byte]time.Time{},
	}, nil
}

func derive(key []byte, purpose string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(purpose))
	return h.Sum(nil)
}

// OrgID is the organisation that tokens name.
func (k *Keeper) OrgID() string { return k.orgID }

// known reports whether the credentials are one of the clients'. It takes the same time for any wrong pair.
func (k *Keeper) known(clientID, clientSecret string) bool {
	id, secret := sha256.Sum256([]byte(clientID)), sha256.Sum256([]byte(clientSecret))
	found := 0
	for _, c := range k.credentials {
		wantID, wantSecret := sha256.Sum256([]byte(c.ClientID)), sha256.Sum256([]byte(c.ClientSecret))
		found |= subtle.ConstantTimeCompare(id[:], wantID[:]) & subtle.ConstantTimeCompare(secret[:], wantSecret[:])
	}
	return found == 1
}

// Authenticate names who made the request: by its bearer token if it has an Authorization header, else by its session
// cookie. Errors: fault.Denied with the code "unauthorized".
func (k *Keeper) Authenticate(r *http.Request) (Principal, error) {
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return Principal{}, unauthorized("the Authorization header must be \"Bearer\" and an access token")
		}
		return k.Verify(strings.TrimSpace(token))
	}
	return k.Session(r)
}

func unauthorized(message string) error {
	return fault.Errorf(fault.Denied, "%s", message).WithCode("unauthorized", nil)
}
