package catalog

import (
	"encoding/json"
	"time"
)

// DocumentKey names a document. Blueprint is the blueprint that it belongs to, "" for none: the document is renamed with
// the blueprint and deleted with it.
type DocumentKey struct{ Kind, Blueprint, Identifier string }

// Document is what is kept whole, as JSON, and found by its name alone: a team, a scorecard, an integration, a page.
type Document struct {
	DocumentKey
	Doc                  json.RawMessage
	Secret               []byte // kept sealed, and never part of Doc; nil for none
	CreatedAt, UpdatedAt time.Time
	CreatedBy, UpdatedBy string
}
