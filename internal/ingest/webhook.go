package ingest

import (
	"encoding/json"
	"time"

	"longshore/internal/fault"
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

	Title    string
	Enabled  bool
	Strict   bool // reject what does not fit its blueprint, as Port does; our extension "strict"
	Mappings json.RawMessage
	Security Security
}

// Security is how a webhook's calls are signed.
type Security struct {
	Secret                string `json:"secret,omitempty"`
	SignatureHeaderName   string `json:"signatureHeaderName,omitempty"`
	SignatureAlgorithm    string `json:"signatureAlgorithm,omitempty"` // sha1, sha256, plain or ""
	SignaturePrefix       string `json:"signaturePrefix,omitempty"`
	RequestIdentifierPath string `json:"requestIdentifierPath,omitempty"` // jq
}

// Parse fills the fields that Doc holds.
func (w *Webhook) Parse() error {
	var doc struct {
		Identifier string          `json:"identifier"`
		Title      string          `json:"title"`
		Enabled    *bool           `json:"enabled"`
		Strict     bool            `json:"strict"`
		Mappings   json.RawMessage `json:"mappings"`
		Security   *Security       `json:"security"`
	}
	if err := json.Unmarshal(w.Doc, &doc); err != nil {
		return fault.Errorf(fault.Invalid, "webhook: %w", err).WithCode("invalid_request", nil)
	}
	w.Identifier, w.Title, w.Strict, w.Mappings = doc.Identifier, doc.Title, doc.Strict, doc.Mappings
	w.Enabled = doc.Enabled == nil || *doc.Enabled
	if len(w.Mappings) == 0 || string(w.Mappings) == "null" {
		w.Mappings = json.RawMessage("[]")
	}
	if doc.Security != nil {
		w.Security = *doc.Security
	}
	return nil
}
