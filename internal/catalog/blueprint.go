package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"longshore/internal/fault"
)

// Limits of a blueprint document.
const (
	maxBlueprintID      = 100
	maxTitle            = 100
	maxDescription      = 200
	maxPropertyName     = 100
	maxEntityID         = 1000 // characters
	maxEntityBytes      = 2400 // what an ordered index of PostgreSQL takes, less the columns beside it
	maxBlueprintMembers = 2000 // properties, and relations
)

var (
	blueprintIDPattern  = regexp.MustCompile(`^[\p{L}0-9@_.+:\\/-]+$`)
	entityIDPattern     = regexp.MustCompile(`^[\p{L}0-9@_.+:\\/=-]+$`)
	propertyNamePattern = regexp.MustCompile(`^[A-Za-z0-9@_=\\-]+$`)
)

func legalBlueprintID(id string) bool {
	return id != "" && utf8.RuneCountInString(id) <= maxBlueprintID && id != "." && id != ".." && blueprintIDPattern.MatchString(id)
}

func legalEntityID(id string) bool {
	if id == "" || id == "." || id == ".." {
		return false
	}
	plain := len(id) <= maxEntityID
	for i := 0; i < len(id) && plain; i++ {
		b := id[i]
		plain = b|0x20 >= 'a' && b|0x20 <= 'z' || b >= '0' && b <= '9' || strings.IndexByte(`@_.+:\/=-`, b) >= 0
	}
	return plain || len(id) <= maxEntityBytes && utf8.RuneCountInString(id) <= maxEntityID && entityIDPattern.MatchString(id)
}

// invalidRequest is a document that does not fit the route.
func invalidRequest(format string, args ...any) *fault.Error {
	return fault.Errorf(fault.Invalid, format, args...).WithCode("invalid_request", nil)
}

// orderedMember is a member of a JSON object in document order.
type orderedMember struct {
	Name  string
	Value json.RawMessage
}

// ordered returns the members of a JSON object in document order, the last of duplicates in the place of the first.
// Nil and null have none.
func ordered(object []byte) ([]orderedMember, error) {
	if isNull(object) {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, invalidRequest("want an object, got %s", excerpt(object))
	}
	var out []orderedMember
	at := map[string]int{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, invalidRequest("read object: %w", err)
		}
		m := orderedMember{Name: t.(string)}
		if err := d.Decode(&m.Value); err != nil {
			return nil, invalidRequest("read member %q: %w", m.Name, err)
		}
		if i, twice := at[m.Name]; twice {
			out[i] = m
			continue
		}
		at[m.Name] = len(out)
		out = append(out, m)
	}
	return out, nil
}

func lookup(members []orderedMember, name string) (json.RawMessage, bool) {
	for _, m := range members {
		if m.Name == name {
			return m.Value, true
		}
	}
	return nil, false
}

func withMember(members []orderedMember, name string, value json.RawMessage) []orderedMember {
	for i := range members {
		if members[i].Name == name {
			members[i].Value = value
			return members
		}
	}
	return append(members, orderedMember{name, value})
}

// render writes an object with its members in the order given, values byte for byte.
func render(members []orderedMember) json.RawMessage {
	out := []byte{'{'}
	for i, m := range members {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendText(out, m.Name), ':')
		out = append(out, m.Value...)
	}
	return append(out, '}')
}

// serverMembers are set by the server: what a client sends under these names is passed over.
var serverMembers = map[string]bool{"createdAt": true, "createdBy": true, "updatedAt": true, "updatedBy": true, "id": true, "ok": true}

// parseBlueprint reads a document into a Blueprint. It checks the shape alone; whether targets exist is the caller's.
func parseBlueprint(doc json.RawMessage) (Blueprint, error) {
	members, err := ordered(doc)
	if err != nil {
		return Blueprint{}, err
	}
	members = slices.DeleteFunc(members, func(m orderedMember) bool { return serverMembers[m.Name] })
	b := Blueprint{Doc: render(members)}
	for _, m := range []struct {
		name string
		into *string
		max  int
	}{{"identifier", &b.Identifier, maxBlueprintID}, {"title", &b.Title, maxTitle}, {"icon", &b.Icon, 1 << 20}, {"description", &b.Description, maxDescription}} {
		v, _ := lookup(members, m.name)
		if isNull(v) {
			continue
		}
		if json.Unmarshal(v, m.into) != nil {
			return b, invalidRequest("blueprint %s: want a string, got %s", m.name, excerpt(v))
		}
		if utf8.RuneCountInString(*m.into) > m.max {
			return b, invalidRequest("blueprint %s: longer than %d characters", m.name, m.max)
		}
	}
	if !legalBlueprintID(b.Identifier) {
		return b, invalidRequest("blueprint identifier %q: want 1 to %d letters, digits or @_.+:\\/-", b.Identifier, maxBlueprintID)
	}
	if b.Title == "" {
		return b, invalidRequest("blueprint %q: a title is required", b.Identifier)
	}
	if err := b.parseSchema(members); err != nil {
		return b, err
	}
	if err := b.parseRelations(members); err != nil {
		return b, err
	}
	return b, b.checkDerived(members)
}

// propertyTypes are the types of a property. Schemas within a definition may have any type of JSON Schema.
var propertyTypes = []string{"string", "number", "boolean", "object", "array"}

func (b *Blueprint) parseSchema(members []orderedMember) error {
	raw, ok := lookup(members, "schema")
	if !ok || isNull(raw) {
		return invalidRequest("blueprint %q: a schema is required", b.Identifier)
	}
	schema, err := ordered(raw)
	if err != nil {
		return err
	}
	for _, m := range schema {
		if m.Name != "properties" && m.Name != "required" {
			return invalidRequest("blueprint %q: schema has a member %q, want only properties and required", b.Identifier, m.Name)
		}
	}
	properties, _ := lookup(schema, "properties")
	list, err := ordered(properties)
	if err != nil {
		return err
	}
	if len(list) > maxBlueprintMembers {
		return invalidRequest("blueprint %q: more than %d properties", b.Identifier, maxBlueprintMembers)
	}
	for _, m := range list {
		p := Property{Name: m.Name, Schema: m.Value}
		if !propertyNamePattern.MatchString(p.Name) || len(p.Name) > maxPropertyName {
			return invalidRequest("property name %q: want 1 to %d of letters, digits, @_=\\-", p.Name, maxPropertyName)
		}
		var def struct {
			Title  any `json:"title"`
			Type   any `json:"type"`
			Format any `json:"format"`
		}
		if err := json.Unmarshal(m.Value, &def); err != nil {
			return invalidRequest("property %q: want an object, got %s", p.Name, excerpt(m.Value))
		}
		p.Title, _ = def.Title.(string)
		p.Type, _ = def.Type.(string)
		p.Format, _ = def.Format.(string)
		if !slices.Contains(propertyTypes, p.Type) {
			if def.Type == nil {
				return invalidRequest("property %q: a type is required: one of %s", p.Name, strings.Join(propertyTypes, ", "))
			}
			return invalidRequest("property %q: type: want one of %s, got %v", p.Name, strings.Join(propertyTypes, ", "), def.Type)
		}
		b.Properties = append(b.Properties, p)
	}
	if required, ok := lookup(schema, "required"); ok && json.Unmarshal(required, &b.Required) != nil {
		return invalidRequest("blueprint %q: schema.required: want a list of property names", b.Identifier)
	}
	return nil
}

func (b *Blueprint) parseRelations(members []orderedMember) error {
	raw, _ := lookup(members, "relations")
	list, err := ordered(raw)
	if err != nil {
		return fmt.Errorf("relations: %w", err)
	}
	if len(list) > maxBlueprintMembers {
		return invalidRequest("blueprint %q: more than %d relations", b.Identifier, maxBlueprintMembers)
	}
	for _, m := range list {
		var def struct {
			Title     string `json:"title"`
			Target    string `json:"target"`
			Required  bool   `json:"required"`
			Many      bool   `json:"many"`
			InverseOf string `json:"inverseOf"`
		}
		if err := json.Unmarshal(m.Value, &def); err != nil {
			return invalidRequest("relation %q: %w", m.Name, err)
		}
		r := Relation{Name: m.Name, Title: def.Title, Target: def.Target, Required: def.Required, Many: def.Many, InverseOf: def.InverseOf}
		switch {
		case m.Name == "" || len(m.Name) > maxPropertyName:
			return invalidRequest("relation name %q: want 1 to %d bytes", m.Name, maxPropertyName)
		case r.Target == "":
			return invalidRequest("relation %q: a target is required: the identifier of the blueprint that it points at", m.Name)
		case !legalBlueprintID(r.Target):
			return invalidRequest("relation %q: target %q is no blueprint identifier", m.Name, r.Target)
		case r.Required && r.Many:
			return invalidRequest("relation %q: required and many cannot both be true", m.Name)
		case r.Required && r.InverseOf != "":
			return invalidRequest("relation %q: an inverse relation cannot be required", m.Name)
		}
		b.Relations = append(b.Relations, r)
	}
	return nil
}

// checkDerived checks what mirrors start with; calculations are taken as they are, right or wrong.
func (b *Blueprint) checkDerived(members []orderedMember) error {
	for _, name := range []string{"mirrorProperties", "calculationProperties", "aggregationProperties"} {
		raw, _ := lookup(members, name)
		list, err := ordered(raw)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, m := range list {
			var def struct {
				Path any `json:"path"`
			}
			if err := json.Unmarshal(m.Value, &def); err != nil {
				return invalidRequest("%s %q: want an object, got %s", name, m.Name, excerpt(m.Value))
			}
			if name != "mirrorProperties" {
				continue
			}
			path, _ := def.Path.(string)
			first, _, dotted := strings.Cut(path, ".")
			if path == "" {
				return invalidRequest("mirror property %q: a path is required: relation.property", m.Name)
			}
			if !dotted || b.relation(first) == nil {
				return invalidRequest("mirror property %q: path %q does not start with a relation of %q", m.Name, path, b.Identifier)
			}
		}
	}
	return nil
}

func (b *Blueprint) relation(name string) *Relation {
	for i := range b.Relations {
		if b.Relations[i].Name == name {
			return &b.Relations[i]
		}
	}
	return nil
}

func (b *Blueprint) property(name string) *Property {
	for i := range b.Properties {
		if b.Properties[i].Name == name {
			return &b.Properties[i]
		}
	}
	return nil
}
