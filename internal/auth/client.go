package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"
	"time"

	"longshore/internal/fault"
)

// Client is a stored credential: whom it names, what it may do, and what its secret is told by.
type Client struct {
	ID        string    `json:"-"`
	Role      Role      `json:"role"`
	Title     string    `json:"title,omitempty"` // what it is for, in its owner's words
	User      string    `json:"user,omitempty"`  // e-mail address of the person whom it stands for; "" for a machine
	Salt      []byte    `json:"salt"`
	Hash      []byte    `json:"hash"` // HMAC-SHA256 of salt and secret, under a key that is not in the database
	Disabled  bool      `json:"disabled,omitempty"`
	Expires   time.Time `json:"expires,omitzero"` // zero: never
	LastUsed  time.Time `json:"lastUsed,omitzero"`
	RotatedAt time.Time `json:"rotatedAt,omitzero"`
	CreatedAt time.Time `json:"-"`
	CreatedBy string    `json:"-"`
}

// Live reports whether the client may come in at that time.
func (c *Client) Live(now time.Time) bool {
	return !c.Disabled && (c.Expires.IsZero() || now.Before(c.Expires))
}

// Store keeps clients. Every method is atomic and safe for concurrent use.
type Store interface {
	// Clients returns all of them, in order of id.
	Clients(ctx context.Context) ([]Client, error)
	// CreateClient adds one. Errors: fault.Conflict when the id is taken.
	CreateClient(ctx context.Context, c Client) (Client, error)
	// UpdateClient changes one by fn, between whose reading and writing no other write falls. Errors: fn's, fault.NotFound.
	UpdateClient(ctx context.Context, id, actor string, fn func(*Client) error) (Client, error)
}

// Limits of a client.
const (
	maxClientID    = 100
	maxClientTitle = 200
	secretBytes    = 32
	saltBytes      = 16
	idLetters      = 20
)

var (
	clientID = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	email    = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
)

// Clients makes and changes credentials. Secrets are random, told once, and kept as a keyed hash: 256 random bits need
// no slow one, and calls for tokens stay cheap.
type Clients struct {
	store Store
	key   []byte
	now   func() time.Time
}

// NewClients returns the credentials of a store. signing is the [Config] Key; now nil means time.Now.
func NewClients(store Store, signing []byte, now func() time.Time) *Clients {
	if now == nil {
		now = time.Now
	}
	return &Clients{store: store, key: derive(signing, "client secret"), now: now}
}

// NewClient is what a credential is made with.
type NewClient struct {
	ID, Secret string // "" makes one
	Role       Role
	Title      string
	User       string
	Expires    time.Time
}

// List returns all credentials.
func (c *Clients) List(ctx context.Context) ([]Client, error) { return c.store.Clients(ctx) }

// Add makes a credential and returns its secret, which is not told again. Errors: fault.Invalid, fault.Conflict when the
// id is taken.
func (c *Clients) Add(ctx context.Context, n NewClient, actor string) (Client, string, error) {
	if _, err := ParseRole(string(n.Role)); err != nil {
		return Client{}, "", err
	}
	now := c.now().UTC().Truncate(time.Second)
	switch {
	case n.ID != "" && (!clientID.MatchString(n.ID) || len(n.ID) > maxClientID || n.ID == BrowserID):
		return Client{}, "", invalid("client id %q: want 1 to %d of letters, digits and _.- (and not %q)", n.ID, maxClientID, BrowserID)
	case len(n.Title) > maxClientTitle:
		return Client{}, "", invalid("title: longer than %d bytes", maxClientTitle)
	case n.User != "" && !email.MatchString(n.User):
		return Client{}, "", invalid("user %q: want an e-mail address", n.User)
	case !n.Expires.IsZero() && !n.Expires.After(c.now()):
		return Client{}, "", invalid("expiry %s lies in the past", n.Expires.UTC().Format(time.RFC3339))
	}
	if n.ID == "" {
		n.ID = "client_" + randomID()
	}
	if n.Secret == "" {
		n.Secret = randomSecret()
	}
	client := Client{ID: n.ID, Role: n.Role, Title: n.Title, User: strings.ToLower(n.User), CreatedBy: actor, CreatedAt: now}
	if !n.Expires.IsZero() {
		client.Expires = n.Expires.UTC().Truncate(time.Second)
	}
	c.lock(&client, n.Secret)
	made, err := c.store.CreateClient(ctx, client)
	return made, n.Secret, err
}

func invalid(format string, args ...any) error {
	return fault.Errorf(fault.Invalid, format, args...).WithCode("invalid_request", nil)
}

// Disable ends a credential, or takes it up again. Its tokens end with it.
func (c *Clients) Disable(ctx context.Context, id string, disabled bool, actor string) (Client, error) {
	return c.store.UpdateClient(ctx, id, actor, func(client *Client) error {
		client.Disabled = disabled
		return nil
	})
}

// Rotate gives a credential another secret and returns it. The tokens of the old one end.
func (c *Clients) Rotate(ctx context.Context, id, actor string) (Client, string, error) {
	secret := randomSecret()
	client, err := c.store.UpdateClient(ctx, id, actor, func(client *Client) error {
		c.lock(client, secret)
		client.RotatedAt = c.now().UTC().Truncate(time.Second)
		return nil
	})
	if err != nil {
		return client, "", err
	}
	return client, secret, nil
}

// lock sets what the secret is told by.
func (c *Clients) lock(client *Client, secret string) {
	client.Salt = make([]byte, saltBytes)
	_, _ = rand.Read(client.Salt) // never fails
	client.Hash = c.hash(client.Salt, secret)
}

func (c *Clients) hash(salt []byte, secret string) []byte {
	h := hmac.New(sha256.New, c.key)
	h.Write(salt)
	h.Write([]byte(secret))
	return h.Sum(nil)
}

// seal tells one secret of a client from the next, and nothing about either: tokens carry it.
func (c *Client) seal() string {
	sum := sha256.Sum256(c.Hash)
	return hex.EncodeToString(sum[:6])
}

func randomID() string {
	b := make([]byte, idLetters)
	_, _ = rand.Read(b) // never fails
	return base32.StdEncoding.EncodeToString(b)[:idLetters]
}

func randomSecret() string {
	b := make([]byte, secretBytes)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
