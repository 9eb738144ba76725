package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"

	"longshore/internal/fault"
	"longshore/internal/jq"
)

// maxMigrationItems is how many entities itemsToParse may make of one.
const maxMigrationItems = 500

// migrationProgram is a migration's mapping, compiled.
type migrationProgram struct {
	blueprint             string
	filter, items         *jq.Program // nil: none
	identifier            *jq.Program
	title, icon, team     *jq.Program
	properties, relations []programField
	nothingPasses         bool // the filter is false
}

type programField struct {
	name    string
	program *jq.Program
}

// compileMigration reads a mapping. Its members mean what they mean in a webhook's.
func compileMigration(mapping json.RawMessage) (*migrationProgram, error) {
	var w struct {
		Blueprint    string          `json:"blueprint"`
		Filter       json.RawMessage `json:"filter"`
		ItemsToParse json.RawMessage `json:"itemsToParse"`
		Entity       struct {
			Identifier json.RawMessage `json:"identifier"`
			Title      json.RawMessage `json:"title"`
			Icon       json.RawMessage `json:"icon"`
			Team       json.RawMessage `json:"team"`
			Properties json.RawMessage `json:"properties"`
			Relations  json.RawMessage `json:"relations"`
		} `json:"entity"`
	}
	if isNull(mapping) || json.Unmarshal(mapping, &w) != nil {
		return nil, invalidRequest("mapping: want an object with blueprint and entity, got %s", excerpt(mapping))
	}
	p := &migrationProgram{blueprint: w.Blueprint}
	if w.Blueprint == "" {
		return nil, invalidRequest("mapping: a blueprint is required")
	}
	switch string(bytes.TrimSpace(w.Filter)) {
	case "true":
		w.Filter = nil
	case "false":
		p.nothingPasses, w.Filter = true, nil
	}
	for _, part := range []struct {
		name string
		text json.RawMessage
		into **jq.Program
	}{
		{"filter", w.Filter, &p.filter},
		{"itemsToParse", w.ItemsToParse, &p.items},
		{"identifier", w.Entity.Identifier, &p.identifier},
		{"title", w.Entity.Title, &p.title},
		{"icon", w.Entity.Icon, &p.icon},
		{"team", w.Entity.Team, &p.team},
	} {
		var err error
		if *part.into, err = compileExpression(part.name, part.text); err != nil {
			return nil, err
		}
	}
	if p.identifier == nil {
		return nil, invalidRequest("mapping: entity.identifier is required")
	}
	for _, part := range []struct {
		name string
		text json.RawMessage
		into *[]programField
	}{{"properties", w.Entity.Properties, &p.properties}, {"relations", w.Entity.Relations, &p.relations}} {
		list, err := ordered(part.text)
		if err != nil {
			return nil, invalidRequest("mapping: %s: %w", part.name, err)
		}
		for _, m := range list {
			program, err := compileExpression(part.name+"."+m.Name, m.Value)
			if err != nil {
				return nil, err
			}
			if program != nil {
				*part.into = append(*part.into, programField{m.Name, program})
			}
		}
	}
	return p, nil
}

// compileExpression compiles jq that is given as a string; null is none.
func compileExpression(where string, text json.RawMessage) (*jq.Program, error) {
	if isNull(text) {
		return nil, nil
	}
	var source string
	if json.Unmarshal(text, &source) != nil {
		return nil, invalidRequest("mapping: %s: want jq as a string, got %s", where, excerpt(text))
	}
	program, err := jq.Compile(source, jq.Options{})
	if err != nil {
		return nil, invalidRequest("mapping: %s: %w", where, err)
	}
	return program, nil
}

// changes makes an entity, as it is answered, into changes of the other blueprint: none when the filter stops it. The
// error is fault.Invalid for an entity that none can be made of.
func (p *migrationProgram) changes(ctx context.Context, entity []byte) ([]Change, error) {
	if p.nothingPasses {
		return nil, nil
	}
	var in jq.Input
	members(entity, func(name string, value []byte) { in.SetMember(name, value) })
	if p.items == nil {
		return p.one(ctx, &in, nil)
	}
	list, err := p.items.Run(ctx, &in)
	var failed *jq.RunError
	switch {
	case errors.As(err, &failed):
		return nil, invalidRequest("itemsToParse: %w", err)
	case err != nil:
		return nil, err
	case len(list) == 0 || list[0] != '[':
		return nil, invalidRequest("itemsToParse: want a list, got %s", excerpt(list))
	}
	list = bytes.Clone(list)
	var out []Change
	jq.Elements(list, func(n int, item []byte) bool {
		if n >= maxMigrationItems {
			err = invalidRequest("itemsToParse: more than %d items", maxMigrationItems)
			return false
		}
		in.SetMember("item", item)
		out, err = p.one(ctx, &in, out)
		return err == nil
	})
	return out, err
}

// one appends the change that the input makes.
func (p *migrationProgram) one(ctx context.Context, in *jq.Input, out []Change) ([]Change, error) {
	if p.filter != nil {
		value, err := run(ctx, p.filter, in)
		if err != nil || string(value) != "true" {
			return out, err
		}
	}
	c := Change{Blueprint: p.blueprint}
	id, err := run(ctx, p.identifier, in)
	if err != nil {
		return out, err
	}
	if ids, bad := texts(id); len(ids) == 1 && !bad && id[0] != '[' {
		c.Identifier = ids[0]
	} else {
		return out, fault.Errorf(fault.Invalid, "the identifier must be a string, got %s", excerpt(orNull(id))).WithCode("invalid_request", nil)
	}
	for _, part := range []struct {
		program *jq.Program
		into    *[]byte
	}{{p.title, &c.Title}, {p.icon, &c.Icon}, {p.team, &c.Team}} {
		if part.program == nil {
			continue
		}
		if *part.into, err = run(ctx, part.program, in); err != nil {
			return out, err
		}
	}
	for _, part := range []struct {
		fields []programField
		into   *[]Field
	}{{p.properties, &c.Properties}, {p.relations, &c.Relations}} {
		for _, f := range part.fields {
			value, err := run(ctx, f.program, in)
			if err != nil {
				return out, err
			}
			if value != nil {
				*part.into = append(*part.into, Field{f.name, value})
			}
		}
	}
	return append(out, c), nil
}

// run returns a program's first output, canonical: nil for none, null when it fails.
func run(ctx context.Context, p *jq.Program, in *jq.Input) ([]byte, error) {
	value, err := p.Run(ctx, in)
	var failed *jq.RunError
	switch {
	case errors.As(err, &failed):
		return []byte("null"), nil
	case err != nil || value == nil:
		return nil, err
	}
	value, _, err = canonical(nil, value)
	return value, err
}
