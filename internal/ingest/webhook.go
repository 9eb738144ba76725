package ingest

import (
	"encoding/json"
	"time"

	"longshore/internal/fault"
	"longshore/internal/mapping"
)

// Webhook is a door with a key and mappings, in Port's words. Doc is what was sent, without the secret: it is echoed
// as it came. The other fields are read from it.
type Webhook struct {
	ID         int64
	Identifier string
	Key        string // 16 URL-safe characters; never changes
	Secret     string // of the signature; "" for none
	Doc        json.RawMessage
	CreatedAt  time.Time
	CreatedBy  string
	UpdatedAt  time.Time
	UpdatedBy  string

	// The secret before a rotation, and until when it is good beside Secret. Of one that is no longer good nothing is left.
	PreviousSecret string
	PreviousUntil  time.Time

	Title    string
	Enabled  bool
	Mappings json.RawMessage
	Config   json.RawMessage // Ocean's config, mapped after Mappings; our extension "config"
	Security Security
	Own      Own
}

// Own are the members of a webhook that Port does not have.
type Own struct {
	// Strict rejects what does not fit its blueprint, as Port does.
	Strict bool `json:"strict"`
	// CreateMissingRelated makes bare targets for relations whose target does not exist.
	CreateMissingRelated bool `json:"createMissingRelatedEntities"`
	// MaxItems is how many elements of itemsToParse are applied; 0 means 500, Port's limit.
	MaxItems int `json:"maxItems"`
	// MaxPayloadBytes is how large the body of a call may be; 0 means 512 KiB, Port's limit.
	MaxPayloadBytes int64 `json:"maxPayloadBytes"`
}

// How far a webhook may raise its limits.
const (
	MostItems        = 100_000
	MostPayloadBytes = 8 << 20
)

// PayloadBytes is how large the body of a call may be.
func (w Webhook) PayloadBytes() int64 {
	if w.Own.MaxPayloadBytes > 0 {
		return min(w.Own.MaxPayloadBytes, MostPayloadBytes)
	}
	return MaxCallBytes
}

// maxAround is what headers and query may have beside a body.
const maxAround = 1 << 20

// Options are the webhook's own rules for its mappings.
func (w Webhook) Options() mapping.Options {
	o := mapping.Options{Strict: w.Own.Strict, CreateMissingRelated: w.Own.CreateMissingRelated, MaxItems: min(w.Own.MaxItems, MostItems)}
	if w.Own.MaxPayloadBytes > 0 {
		o.MaxBodyBytes = int(max(w.PayloadBytes(), MaxCallBytes)) + maxAround
	}
	return o
}

// Compile compiles the webhook's mappings and its Ocean config.
func (w Webhook) Compile() (*mapping.Set, error) {
	return mapping.CompileBoth(w.Identifier, w.Mappings, w.Config, w.Options())
}

// Security is how a webhook's calls are signed.
type Security struct {
	Secret                string `json:"secret,omitempty"`
	SignatureHeaderName   string `json:"signatureHeaderName,omitempty"`
	SignatureAlgorithm    string `json:"signatureAlgorithm,omitempty"` // sha1, sha256, plain or ""
	SignaturePrefix       string `json:"signaturePrefix,omitempty"`
	RequestIdentifierPath string `json:"requestIdentifierPath,omitempty"` // jq

	previous string // a secret that is good too
}

// Rotated is the webhook with another secret; the one that it had stays good until then.
func (w Webhook) Rotated(secret string, until time.Time) Webhook {
	w.PreviousSecret, w.PreviousUntil = w.Secret, until
	w.Secret = secret
	return w
}

// Parse fills the fields that Doc holds.
func (w *Webhook) Parse() error {
	var doc struct {
		Identifier string          `json:"identifier"`
		Title      string          `json:"title"`
		Enabled    *bool           `json:"enabled"`
		Mappings   json.RawMessage `json:"mappings"`
		Config     json.RawMessage `json:"config"`
		Security   *Security       `json:"security"`
	}
	if err := json.Unmarshal(w.Doc, &doc); err != nil {
		return fault.Errorf(fault.Invalid, "webhook: %w", err).WithCode("invalid_request", nil)
	}
	w.Own = Own{}
	if err := json.Unmarshal(w.Doc, &w.Own); err != nil {
		return fault.Errorf(fault.Invalid, "webhook: %w", err).WithCode("invalid_request", nil)
	}
	w.Identifier, w.Title, w.Mappings, w.Config = doc.Identifier, doc.Title, doc.Mappings, doc.Config
	w.Enabled = doc.Enabled == nil || *doc.Enabled
	if len(w.Mappings) == 0 || string(w.Mappings) == "null" {
		w.Mappings = json.RawMessage("[]")
	}
	if doc.Security != nil {
		w.Security = *doc.Security
	}
	return nil
}
