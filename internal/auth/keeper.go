package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"sync"
	"time"

	"longshore/internal/fault"
)

const (
	// minKeyBytes is the least a signing secret may have: as much as its hash.
	minKeyBytes = 32
	// clientsFresh is for how long stored clients are taken as they were read: a credential that is disabled elsewhere
	// ends within it.
	clientsFresh = time.Second
	// readTime bounds the reading of stored clients.
	readTime = 10 * time.Second
	// useEvery is how exactly the last use of a client is kept.
	useEvery = time.Minute
)

// Principal is who makes a call.
type Principal struct {
	ID      string // the client id, or [BrowserID]
	Machine bool   // by an access token; otherwise by a browser's session
	Role    Role
	User    string // e-mail address of the person behind it; "" for a machine and for whoever sits at this one
}

// BrowserID is the Principal of somebody who signed in by a one-time link.
const BrowserID = "local"

type principalKey struct{}

// With returns a context in which calls are made by p.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From returns who makes the calls of this context.
func From(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok
}

// Credential is a client of the settings. It is an admin, and ends with the settings alone.
type Credential struct{ ClientID, ClientSecret string }

// Config is what a Keeper needs.
type Config struct {
	Credentials []Credential
	Clients     *Clients         // stored credentials; nil for none
	Key         []byte           // signs tokens and sessions; at least 32 random bytes, kept across restarts
	OrgID       string           // goes into the tokens
	Now         func() time.Time // nil means time.Now
}

// Keeper knows who may come in. It is safe for concurrent use.
type Keeper struct {
	settings             map[string]Client // those of the settings, by id
	stored               *Clients
	orgID                string
	tokenKey, sessionKey []byte
	now                  func() time.Time
	mu                   sync.Mutex
	active               map[string]activeToken // by client id: the token handed out last
	links                map[[32]byte]time.Time // by hash of a sign-in link's secret: when it expires
	used                 map[string]time.Time   // last use of stored clients that is not kept yet

	reading sync.Mutex // held while clients are read
	clients map[string]Client
	readAt  time.Time
}

type activeToken struct {
	Token
	seal string
}

// New returns a Keeper. A client id with an @ is refused: clients take it for a person's.
func New(cfg Config) (*Keeper, error) {
	if len(cfg.Key) < minKeyBytes {
		return nil, fault.Errorf(fault.Invalid, "the signing key has %d bytes, want at least %d", len(cfg.Key), minKeyBytes)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Clients == nil {
		cfg.Clients = NewClients(nil, cfg.Key, cfg.Now)
	}
	settings := map[string]Client{}
	for _, c := range cfg.Credentials {
		switch {
		case c.ClientID == "" || c.ClientSecret == "":
			return nil, fault.Errorf(fault.Invalid, "a client needs both an id and a secret")
		case strings.Contains(c.ClientID, "@"):
			return nil, fault.Errorf(fault.Invalid, "client id %q looks like an e-mail address", c.ClientID).
				WithHint("clients treat such an id as a person's; choose one without @")
		}
		// Without a salt: a token outlives a restart, and the hash is never kept.
		settings[c.ClientID] = Client{ID: c.ClientID, Role: Admin, Hash: cfg.Clients.hash(nil, c.ClientSecret)}
	}
	return &Keeper{
		settings: settings, stored: cfg.Clients, orgID: cfg.OrgID, now: cfg.Now, tokenKey: derive(cfg.Key, "access token"),
		sessionKey: derive(cfg.Key, "session"), active: map[string]activeToken{}, links: map[[32]byte]time.Time{}, used: map[string]time.Time{},
	}, nil
}

func derive(key []byte, purpose string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(purpose))
	return h.Sum(nil)
}

// OrgID is the organisation that tokens name.
func (k *Keeper) OrgID() string { return k.orgID }

// client returns the client of that id. Of a wrong id it returns one that no secret fits. Errors: fault.Unavailable
// when stored clients cannot be read: nobody is let in on what was true a while ago.
func (k *Keeper) client(id string) (Client, bool, error) {
	if c, ok := k.settings[id]; ok {
		return c, true, nil
	}
	if k.stored.store == nil {
		return Client{}, false, nil
	}
	k.reading.Lock()
	defer k.reading.Unlock()
	if now := k.now(); k.clients == nil || now.Sub(k.readAt) >= clientsFresh || now.Before(k.readAt) {
		// Read for all who call at this time, so that none who hangs up takes it from the others.
		ctx, cancel := context.WithTimeout(context.Background(), readTime)
		defer cancel()
		list, err := k.stored.store.Clients(ctx)
		if err != nil {
			return Client{}, false, fault.Errorf(fault.Unavailable, "the credentials cannot be read: %w", err)
		}
		k.clients, k.readAt = make(map[string]Client, len(list)), now
		for _, c := range list {
			k.clients[c.ID] = c
		}
	}
	c, ok := k.clients[id]
	return c, ok, nil
}

// Refresh has stored clients read anew: one of them was changed here.
func (k *Keeper) Refresh() {
	k.reading.Lock()
	k.clients = nil
	k.reading.Unlock()
}

// known returns the client of the credentials. A wrong id takes as long as a wrong secret.
func (k *Keeper) known(clientID, clientSecret string) (Client, bool, error) {
	c, there, err := k.client(clientID)
	if err != nil {
		return c, false, err
	}
	hash := k.stored.hash(c.Salt, clientSecret)
	if subtle.ConstantTimeCompare(hash, c.Hash) != 1 || !there || !c.Live(k.now()) {
		return Client{}, false, nil
	}
	k.use(c)
	return c, true, nil
}

// current returns the client that a token or session was given to, if it still is the same and may come in.
func (k *Keeper) current(id, seal string) (Client, error) {
	c, there, err := k.client(id)
	switch {
	case err != nil:
		return c, err
	case !there:
		return c, unauthorized("the access token belongs to a client that is no longer known")
	case c.Disabled:
		return c, unauthorized("the access token belongs to a client that was disabled")
	case !c.Live(k.now()):
		return c, unauthorized("the access token belongs to a client that has expired")
	case c.seal() != seal:
		return c, unauthorized("the access token was given for a secret that has been rotated")
	}
	k.use(c)
	return c, nil
}

// use notes that a stored client was used.
func (k *Keeper) use(c Client) {
	if _, settings := k.settings[c.ID]; settings {
		return
	}
	now := k.now()
	k.mu.Lock()
	defer k.mu.Unlock()
	if last := k.used[c.ID]; last.Before(now) && now.Sub(c.LastUsed) >= useEvery {
		k.used[c.ID] = now
	}
}

// KeepUses writes down when clients were last used. It is called every now and then, and at the end.
func (k *Keeper) KeepUses(ctx context.Context) error {
	k.mu.Lock()
	used := k.used
	k.used = map[string]time.Time{}
	k.mu.Unlock()
	for id, at := range used {
		_, err := k.stored.store.UpdateClient(ctx, id, "", func(c *Client) error {
			if at.After(c.LastUsed) {
				c.LastUsed = at.UTC().Truncate(time.Second)
			}
			return nil
		})
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return nil
}

// Authenticate names who made the request: by its bearer token if it has an Authorization header, else by its session
// cookie. Errors: fault.Denied with the code "unauthorized", fault.Unavailable when credentials cannot be read.
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
