package catalog

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"longshore/internal/fault"
)

//go:embed system/*.json
var systemFiles embed.FS

// systemIDs are the blueprints that are there from the start, targets before those that point at them.
var systemIDs = [...]string{"_user", "_team", "_scorecard", "_rule", "_rule_result"}

// IsSystem reports whether a blueprint is one of those that are there from the start, can be extended, and never go.
func IsSystem(blueprint string) bool { return slices.Contains(systemIDs[:], blueprint) }

// SystemStructure returns the part of a system blueprint that users may not touch, or fault.NotFound.
func SystemStructure(blueprint string) (Blueprint, error) {
	if !IsSystem(blueprint) {
		return Blueprint{}, missing("System blueprint", blueprint)
	}
	text, err := systemFiles.ReadFile("system/" + blueprint + ".json")
	if err != nil {
		return Blueprint{}, fmt.Errorf("read the structure of %s: %w", blueprint, err)
	}
	var doc bytes.Buffer
	if err := json.Compact(&doc, text); err != nil {
		return Blueprint{}, fmt.Errorf("read the structure of %s: %w", blueprint, err)
	}
	b, err := parseBlueprint(doc.Bytes())
	b.CreatedAt, b.UpdatedAt, b.CreatedBy, b.UpdatedBy = time.Unix(0, 0).UTC(), time.Unix(0, 0).UTC(), systemActor, systemActor
	return b, err
}

const systemActor = "longshore"

// Seed adds the system blueprints that are not there. Each bears the same time in every catalog, and none is in the history.
func Seed(ctx context.Context, tx Tx) error {
	list, err := tx.Blueprints(ctx)
	if err != nil {
		return err
	}
	for _, id := range systemIDs {
		if slices.ContainsFunc(list, func(b Blueprint) bool { return b.Identifier == id }) {
			continue
		}
		b, err := SystemStructure(id)
		if err != nil {
			return err
		}
		if err := tx.PutBlueprint(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// Seeded reports whether every system blueprint is there.
func Seeded(ctx context.Context, v View) (bool, error) {
	list, err := v.Blueprints(ctx)
	n := 0
	for _, b := range list {
		if IsSystem(b.Identifier) {
			n++
		}
	}
	return n == len(systemIDs), err
}

// protected is Port's refusal to change what it needs itself.
func protected(format string, args ...any) error {
	return fault.Errorf(fault.Invalid, format, args...).WithCode("protected_blueprint_violation", nil)
}

// keepStructure holds a system blueprint that is to be written against its structure, and gives it back what is only for
// people to read: clients send definitions back less the members that they do not know.
func keepStructure(b *Blueprint, old *rules) error {
	if old == nil || !IsSystem(old.Identifier) {
		return nil
	}
	if b.Identifier != old.Identifier {
		return protected("blueprint %q is a system blueprint: its identifier cannot change", old.Identifier)
	}
	base, err := SystemStructure(old.Identifier)
	if err != nil {
		return err
	}
	doc, err := ordered(b.Doc)
	if err != nil {
		return err
	}
	e := objectEdit{list: doc}
	for _, p := range base.Properties {
		got := b.property(p.Name)
		if old.property(p.Name) == nil && got == nil {
			continue // it is older than the structure
		}
		if got == nil || !sameMeaning(p.Schema, got.Schema, "type", "format", "enum", "items") {
			return protected("property %q of the system blueprint %q cannot be changed or removed", p.Name, b.Identifier)
		}
		e.inside("schema", func(s *objectEdit) {
			s.inside("properties", func(all *objectEdit) { all.set(p.Name, p.Schema) })
		})
	}
	baseDoc, err := ordered(base.Doc)
	if err != nil {
		return err
	}
	raw, _ := lookup(baseDoc, "relations")
	relations, err := ordered(raw)
	if err != nil {
		return err
	}
	for _, r := range base.Relations {
		got := b.relation(r.Name)
		if old.relations[r.Name] == nil && got == nil {
			continue
		}
		if got == nil || got.Target != r.Target || got.Many != r.Many || got.Required != r.Required {
			return protected("relation %q of the system blueprint %q cannot be changed or removed", r.Name, b.Identifier)
		}
		definition, _ := lookup(relations, r.Name)
		e.inside("relations", func(all *objectEdit) { all.set(r.Name, definition) })
	}
	if e.changed {
		*b, err = reparse(Blueprint{Doc: render(e.list)})
	}
	return err
}

// sameMeaning reports whether two definitions agree in some members; one that is null is one that is not there.
func sameMeaning(a, b json.RawMessage, names ...string) bool {
	x, errX := ordered(a)
	y, errY := ordered(b)
	if errX != nil || errY != nil {
		return false
	}
	for _, name := range names {
		v, _ := lookup(x, name)
		w, _ := lookup(y, name)
		if isNull(v) != isNull(w) || !isNull(v) && !sameJSON(v, w) {
			return false
		}
	}
	return true
}
