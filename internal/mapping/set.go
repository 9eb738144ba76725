package mapping

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// Options are a webhook's own rules. The zero value is Port's behaviour.
type Options struct {
	// Strict makes an expression that fails anywhere in an entity an ExpressionError, instead of writing null.
	// It also asks the catalog to reject what Port rejects (Change.Lenient is not set).
	Strict bool
	// CreateMissingRelated is passed on in each Change.
	CreateMissingRelated bool
	// MaxItems is how many elements of itemsToParse are applied; 0 means 500, Port's limit.
	MaxItems int
	// MaxBodyBytes is how large an event may be, headers and query included; 0 means 1 MiB.
	MaxBodyBytes int
	// ProgramTimeout and MaxValueBytes limit each expression; 0 means jq's defaults (250 ms, 1 MiB).
	ProgramTimeout time.Duration
	MaxValueBytes  int
}

func (o Options) withDefaults() Options {
	if o.MaxItems <= 0 {
		o.MaxItems = 500
	}
	if o.MaxBodyBytes <= 0 {
		o.MaxBodyBytes = 1 << 20
	}
	return o
}

// The limits of a mapping document.
const (
	maxDocumentBytes = 1 << 20
	maxMappings      = 1000
)

// Set is a webhook's list of mappings, compiled. It is safe for concurrent use; what one goroutine needs to apply it
// is a Runner.
type Set struct {
	source   string // of each Change: "webhook/{identifier}"
	mappings []compiled
	distinct int // clauses, counting equal ones once
	problems []Problem
	digest   string
	document json.RawMessage
	opts     Options
}

// Problem is an expression, or another part of a mapping, that cannot work. It is no error when a webhook is saved:
// it decides the verdict of the records that come.
type Problem struct {
	Mapping    int    `json:"mapping"` // 0-based
	Field      string `json:"field"`   // "filter", "identifier", "properties.created", …
	Expression string `json:"expression"`
	Message    string `json:"message"`
	Hint       string `json:"hint,omitempty"`
}

// Compile reads a webhook's mappings. The error, fault.Invalid, is only for a document that is no list of objects
// with a blueprint each; jq that does not compile becomes a Problem. The webhook is "" for mappings of none.
func Compile(webhook string, mappings json.RawMessage, opts Options) (*Set, error) {
	return CompileBoth(webhook, mappings, nil, opts)
}

// CompileBoth is Compile of mappings and, behind them, the resources of an Ocean config, which may be nil.
func CompileBoth(webhook string, mappings, config json.RawMessage, opts Options) (*Set, error) {
	whose := "mappings"
	if webhook != "" {
		whose = fmt.Sprintf("mappings of webhook %q", webhook)
	}
	if n := len(mappings) + len(config); n > maxDocumentBytes {
		return nil, fault.Errorf(fault.Invalid, "%s: %d bytes, at most %d are allowed", whose, n, maxDocumentBytes)
	}
	var list []json.RawMessage
	err := json.Unmarshal(mappings, &list)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) && len(bytes.TrimSpace(mappings)) > 0 {
		return nil, fault.Errorf(fault.Invalid, "%s: this is no JSON: %s (byte %d)", whose, syntax, syntax.Offset)
	}
	if err != nil || list == nil {
		return nil, fault.Errorf(fault.Invalid, "%s: want a list of mappings, got %s", whose, kindOfJSON(mappings)).
			WithHint("mappings is a list: [{\"blueprint\": \"okta_user\", \"entity\": {\"identifier\": \".body.id\"}}]")
	}
	if len(list) > maxMappings {
		return nil, fault.Errorf(fault.Invalid, "%s: %d mappings, at most %d are allowed", whose, len(list), maxMappings)
	}
	s := &Set{source: "webhook/" + webhook, opts: opts.withDefaults(), document: mappings}
	places := map[string]int{}
	for i, text := range list {
		c := compiler{set: s, mapping: i, places: places}
		m, err := c.compile(text)
		if err != nil {
			return nil, fmt.Errorf("%s: mapping %d: %w", whose, i+1, err)
		}
		s.add(m)
	}
	if err := s.addOcean(config, places); err != nil {
		return nil, fmt.Errorf("%s: %w", whose, err)
	}
	if !absent(config) {
		// Both are valid JSON: they were compiled.
		s.document = json.RawMessage(`{"mappings":` + string(mappings) + `,"config":` + string(config) + `}`)
	}
	s.digest = digest(s.document, opts)
	return s, nil
}

// add gives the mapping its place in the list.
func (s *Set) add(m compiled) {
	m.lane = catalog.Lane(fmt.Sprintf("%s/%d", s.source, len(s.mappings)))
	s.mappings = append(s.mappings, m)
}

// Document is what the set was compiled of.
func (s *Set) Document() json.RawMessage { return s.document }

// Len returns how many mappings there are.
func (s *Set) Len() int { return len(s.mappings) }

// Problems lists what cannot work, in the order of the document.
func (s *Set) Problems() []Problem { return s.problems }

// Digest is the version of the mapping: 16 hex digits that change when the meaning of the document or an option that
// decides results changes. The order of keys and white space do not count.
func (s *Set) Digest() string { return s.digest }

func digest(mappings json.RawMessage, opts Options) string {
	h := sha256.New()
	h.Write(canonical(mappings))
	if opts != (Options{}) {
		fmt.Fprintf(h, "%+v", opts.withDefaults())
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// canonical is the document with sorted keys and without white space. It has passed the compiler, so it is JSON.
func canonical(document json.RawMessage) []byte {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return document
	}
	text, err := json.Marshal(v)
	if err != nil {
		return document
	}
	return text
}

// Apply is NewRunner().Apply, for a single event.
func (s *Set) Apply(ctx context.Context, ev Event, emit func(Outcome) error) error {
	return s.NewRunner().Apply(ctx, ev, emit)
}
