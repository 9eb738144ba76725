package org

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// Documents keeps documents. Every method is atomic and safe for concurrent use.
type Documents interface {
	// Get returns one document, or fault.NotFound.
	Get(ctx context.Context, key catalog.DocumentKey) (catalog.Document, error)
	// List returns the documents of a kind, ordered by blueprint and identifier.
	List(ctx context.Context, kind string) ([]catalog.Document, error)
	// ListOf returns those that belong to a blueprint, ordered by identifier.
	ListOf(ctx context.Context, kind, blueprint string) ([]catalog.Document, error)
	// Create adds a document. Errors: fault.Conflict when there is one of that key.
	Create(ctx context.Context, doc catalog.Document) (catalog.Document, error)
	// Put adds a document or replaces what there is of that key.
	Put(ctx context.Context, doc catalog.Document) (catalog.Document, error)
	// Update changes a document by fn, which may give it another key. Nothing is kept when fn fails.
	Update(ctx context.Context, key catalog.DocumentKey, fn func(*catalog.Document) error) (catalog.Document, error)
	// Delete removes a document, or answers fault.NotFound.
	Delete(ctx context.Context, key catalog.DocumentKey) error
}

// Catalog is what the organisation asks of the catalog.
type Catalog interface {
	Blueprint(ctx context.Context, id string) (catalog.Blueprint, error)
	Entity(ctx context.Context, blueprint, identifier string) (catalog.Entity, error)
	Search(ctx context.Context, req catalog.SearchRequest) (catalog.SearchPage, error)
}

// Org is the organisation.
type Org struct {
	docs    Documents
	catalog Catalog
	now     func() time.Time
}

// New returns the organisation whose things docs keeps.
func New(docs Documents, c Catalog, now func() time.Time) *Org {
	return &Org{docs, c, now}
}

// The kinds of documents, as messages name them.
const (
	kindOrganization = "Organization"
	kindSecret       = "Secret"
	kindTeam         = "Team"
	kindIntegration  = "Integration"
	kindLogs         = "Integration logs"
	kindMetrics      = "Integration metrics"
	kindCursor       = "Integration cursor"
	kindExamples     = "Integration examples" // followed by the integration
)

// Object is a JSON object whose members are kept as they were written.
type Object map[string]json.RawMessage

func parseObject(what string, text []byte) (Object, error) {
	var o Object
	if err := json.Unmarshal(text, &o); err != nil || o == nil {
		return nil, invalid("%s: want an object", what)
	}
	return o, nil
}

// text reads a member that must be a string; absent and null are "".
func (o Object) text(what, name string) (string, error) {
	s := ""
	if v := o[name]; !isNull(v) && json.Unmarshal(v, &s) != nil {
		return "", invalid("%s %s: want a string", what, name)
	}
	return s, nil
}

// want refuses a member that is there and is not of into's type.
func (o Object) want(what, name, kind string, into any) error {
	if v := o[name]; !isNull(v) && json.Unmarshal(v, into) != nil {
		return invalid("%s %s: want %s", what, name, kind)
	}
	return nil
}

// merged is the object with the members of patch in their places.
func (o Object) merged(patch Object) Object {
	all := maps.Clone(o)
	if all == nil {
		all = Object{}
	}
	maps.Copy(all, patch)
	return all
}

func (o Object) drop(names ...string) {
	for _, name := range names {
		delete(o, name)
	}
}

// set gives a member the value that v encodes to.
func (o Object) set(name string, v any) { o[name] = encode(v) }

// encode writes what can be encoded: values made here.
func encode(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("org: " + err.Error())
	}
	return bytes.TrimSpace(b.Bytes())
}

func isNull(v []byte) bool { return len(v) == 0 || string(v) == "null" }

// same reports whether two JSON texts say the same.
func same(a, b json.RawMessage) bool {
	read := func(text json.RawMessage) (v any) {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		_ = d.Decode(&v) // nothing, like null
		return v
	}
	return reflect.DeepEqual(read(a), read(b))
}

func invalid(format string, args ...any) error {
	return fault.Errorf(fault.Invalid, format, args...).WithCode("invalid_request", nil)
}

func missing(resource, identifier string) error {
	return fault.Errorf(fault.NotFound, "%s with identifier %q was not found", resource, identifier).
		WithCode("not_found", map[string]any{"resource": resource, "relevantField": "identifier", "withValue": identifier})
}

// maxName is the length of a name in characters.
const maxName = 255

// checkName refuses a name that cannot be part of a path or be shown.
func checkName(what, name string) error {
	switch {
	case name == "":
		return invalid("%s: required", what)
	case utf8.RuneCountInString(name) > maxName:
		return invalid("%s: longer than %d characters", what, maxName)
	case name == "." || name == "..":
		return invalid("%s %q: not a name", what, name)
	case strings.ContainsFunc(name, unicode.IsControl) || !utf8.ValidString(name):
		return invalid("%s %q: holds characters that cannot be shown", what, name)
	}
	return nil
}

// newID returns a random name.
func newID(prefix string) string { return prefix + strings.ToLower(rand.Text()) }
