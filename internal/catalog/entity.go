package catalog

import (
	"encoding/json"
	"time"
)

// Blueprint is the definition of a kind of entity. Doc is the document as it was sent (property definitions verbatim,
// unknown keys included); the other fields are read from it.
type Blueprint struct {
	Identifier  string
	Title       string
	Icon        string
	Description string
	Doc         json.RawMessage
	Properties  []Property // in document order
	Required    []string
	Relations   []Relation // in document order
	CreatedAt   time.Time
	CreatedBy   string
	UpdatedAt   time.Time
	UpdatedBy   string
	// Permissions are what was set of who may do what with its entities, as [Catalog.SetPermissions] was given them; nil
	// for none.
	Permissions json.RawMessage
	// Warnings are derived properties that can never have a value, and why. They are told by [Catalog.Blueprint] and by what
	// writes one blueprint.
	Warnings []Flag
}

// Property is one property definition.
type Property struct {
	Name   string
	Title  string
	Type   string // string, number, boolean, object, array
	Format string
	Schema json.RawMessage // the definition verbatim
}

// Relation is one relation definition.
type Relation struct {
	Name     string
	Title    string
	Target   string // blueprint identifier; it need not exist yet (pending target)
	Required bool
	Many     bool
	// InverseOf names a relation of the target blueprint that points back here. Such a relation is never written:
	// its value is the identifiers of the target's entities whose relation names this entity. Our extension, written
	// in the document as "inverseOf": "relationName".
	InverseOf string
}

// Entity is one catalog entry. Team, Properties and Relations are raw JSON (list, object, object) holding only what
// is set; doors fill in nulls.
type Entity struct {
	ID         int64 // the store's row id
	Blueprint  string
	Identifier string
	Title      string // "" when none was given: doors answer the identifier
	Icon       string
	Team       json.RawMessage
	Properties json.RawMessage
	Relations  json.RawMessage
	// Derived is a canonical object of mirror, calculation and aggregation properties that have a value; nil when they
	// were not asked for. Underived tells why some have none: Rule is "jq", "type", "time", "too-many", "path", ….
	Derived    json.RawMessage
	Underived  []Flag
	Scorecards json.RawMessage // object of level and rules by scorecard; nil when they were not asked for
	Flags      []Flag          // rules it breaks, when written leniently
	Lane       Lane
	Version    Version
	Origin     Origin
	CreatedAt  time.Time
	CreatedBy  string
	UpdatedAt  time.Time
	UpdatedBy  string
	Source     string
}
