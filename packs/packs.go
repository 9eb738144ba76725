// Package packs holds the data models that ship with the binary: blueprints and the webhook mapping that fills them,
// as plain files in a folder a pack. A pack is data; nothing here knows what an Okta record is.
//
//	guide  the five blueprints and the mapping of Port's guide, byte for byte
//	okta   our corrected model of the same org: same names, nothing dropped, relations filled
//
// A folder holds:
//
//	pack.json                the pack's description, the blueprints in order of creation, the streams read, the webhook
//	blueprint-{name}.json    one blueprint document each
//	webhook-mapping.json     the webhook's mappings
//
// docs/packs.md tells how the two differ and why.
package packs

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"longshore/internal/fault"
)

//go:embed guide okta
var files embed.FS

// Default is the pack that a new installation uses.
const Default = "okta"

// Names lists the packs, sorted.
func Names() []string { return []string{"guide", "okta"} }

// Document is one JSON document of a pack. JSON is the file's text, unchanged.
type Document struct {
	Identifier string
	JSON       json.RawMessage
}

// Settings is what a pack asks of the installation around it.
type Settings struct {
	// Strict rejects what Port would reject instead of keeping and flagging it. No shipped pack asks for it.
	Strict bool
	// Streams are those that the mapping reads: the selection that a connection for this pack starts with.
	Streams []string
	// OptionalStreams are those that the mapping reads as well, once somebody chooses them.
	OptionalStreams []string
}

// Pack is one data model, ready to be applied.
type Pack struct {
	Name       string
	Doc        string     // one paragraph for people
	Blueprints []Document // in the order to create them; a relation may point at a later one
	// Webhook is the whole webhook document: identifier, title, security and mappings. The mappings stand in it
	// exactly as in Mappings.
	Webhook  Document
	Mappings json.RawMessage // the mapping file's text, unchanged
	Settings Settings
}

// manifest is pack.json.
type manifest struct {
	Doc        string          `json:"doc"`
	Blueprints []string        `json:"blueprints"`
	Streams    []string        `json:"streams"`
	Optional   []string        `json:"optionalStreams"`
	Strict     bool            `json:"strict"`
	Webhook    json.RawMessage `json:"webhook"` // without mappings
}

// Open returns the pack of that name, or fault.NotFound.
func Open(name string) (Pack, error) {
	text, err := files.ReadFile(name + "/pack.json")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		return Pack{}, fault.Errorf(fault.NotFound, "no pack is called %q", name).WithHint("there is %s", strings.Join(Names(), " and "))
	}
	if err != nil {
		return Pack{}, fmt.Errorf("open pack %q: %w", name, err)
	}
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return Pack{}, fmt.Errorf("pack %q: read pack.json: %w", name, err)
	}
	p := Pack{Name: name, Doc: m.Doc, Settings: Settings{Strict: m.Strict, Streams: m.Streams, OptionalStreams: m.Optional}}
	for _, b := range m.Blueprints {
		text, err := files.ReadFile(name + "/blueprint-" + b + ".json")
		if err != nil {
			return Pack{}, fmt.Errorf("pack %q: %w", name, err)
		}
		p.Blueprints = append(p.Blueprints, Document{Identifier: b, JSON: text})
	}
	if p.Mappings, err = files.ReadFile(name + "/webhook-mapping.json"); err != nil {
		return Pack{}, fmt.Errorf("pack %q: %w", name, err)
	}
	if p.Webhook, err = webhook(m.Webhook, p.Mappings); err != nil {
		return Pack{}, fmt.Errorf("pack %q: webhook: %w", name, err)
	}
	return p, nil
}

// webhook puts the mappings into the webhook's document as text, so that they stay what the file says.
func webhook(doc, mappings json.RawMessage) (Document, error) {
	var named struct {
		Identifier string `json:"identifier"`
	}
	if err := json.Unmarshal(doc, &named); err != nil {
		return Document{}, err
	}
	open, closed := bytes.CutSuffix(bytes.TrimSpace(doc), []byte("}"))
	if named.Identifier == "" || !closed {
		return Document{}, fault.Errorf(fault.Invalid, "want an object with an identifier")
	}
	whole := bytes.Join([][]byte{bytes.TrimSpace(open), []byte(",\n\"mappings\": "), bytes.TrimSpace(mappings), []byte("\n}\n")}, nil)
	if !json.Valid(whole) {
		return Document{}, fault.Errorf(fault.Invalid, "the mappings are not JSON")
	}
	return Document{Identifier: named.Identifier, JSON: whole}, nil
}
