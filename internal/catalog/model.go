package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"longshore/internal/fault"
)

// Writer is who writes a blueprint, and how tolerantly.
type Writer struct {
	Actor  string // createdBy, updatedBy
	Source string // the User-Agent
	// AllowPendingTargets accepts relations to blueprints that do not exist yet: documents can then be applied in any order.
	AllowPendingTargets bool
	// Page makes a record of a catalog page for a blueprint that is created.
	Page bool
}

// Blueprints returns every blueprint, ordered by identifier.
func (c *Catalog) Blueprints(ctx context.Context) (list []Blueprint, err error) {
	err = c.store.InView(ctx, func(v View) error {
		m, err := c.modelOf(ctx, v)
		if err != nil {
			return err
		}
		for _, id := range m.order {
			list = append(list, m.rules[id].Blueprint)
		}
		return nil
	})
	return list, err
}

// Blueprint returns one blueprint, or fault.NotFound.
func (c *Catalog) Blueprint(ctx context.Context, id string) (b Blueprint, err error) {
	err = c.store.InView(ctx, func(v View) error {
		m, err := c.modelOf(ctx, v)
		if err != nil {
			return err
		}
		if m.rules[id] == nil {
			return m.missing(id)
		}
		b = m.rules[id].Blueprint
		return nil
	})
	return b, err
}

// missing is the fault of a blueprint that is not there, with the one that may be meant.
func (m *model) missing(id string) error {
	err := missing("Blueprint", id)
	if near := fault.Misspelt(id, m.order); near != "" {
		err = err.WithHint("is %q meant? GET /v1/blueprints lists all", near)
	}
	return err
}

// CreateBlueprint adds a blueprint. Errors: fault.Conflict "identifier_taken" when it exists, fault.NotFound when a
// relation's target does not, fault.Invalid for a document that is no blueprint.
func (c *Catalog) CreateBlueprint(ctx context.Context, doc json.RawMessage, w Writer) (Blueprint, error) {
	return c.writeBlueprint(ctx, w, func(m *model) (*rules, json.RawMessage, error) {
		b, err := parseBlueprint(doc)
		if err != nil {
			return nil, nil, err
		}
		if m.rules[b.Identifier] != nil {
			return nil, nil, blueprintTaken(b.Identifier)
		}
		return nil, doc, nil
	})
}

func blueprintTaken(id string) error {
	return fault.Errorf(fault.Conflict, "a blueprint %q exists already", id).
		WithCode("identifier_taken", map[string]any{"resource": "Blueprint", "relevantField": "identifier", "withValue": id})
}

// ReplaceBlueprint makes doc the blueprint's document; what doc leaves out is gone. Another identifier in doc renames it.
func (c *Catalog) ReplaceBlueprint(ctx context.Context, id string, doc json.RawMessage, w Writer) (Blueprint, error) {
	return c.writeBlueprint(ctx, w, func(m *model) (*rules, json.RawMessage, error) {
		old := m.rules[id]
		if old == nil {
			return nil, nil, m.missing(id)
		}
		list, err := ordered(doc)
		if err != nil {
			return nil, nil, err
		}
		if v, _ := lookup(list, "identifier"); isNull(v) {
			list = append([]orderedMember{{"identifier", appendText(nil, id)}}, list...)
		}
		return old, render(list), nil
	})
}

// mergedMaps are the members that PATCH merges by key.
var mergedMaps = []string{"relations", "mirrorProperties", "calculationProperties", "aggregationProperties"}

// clearedByNull are the members that a null in PATCH takes away.
var clearedByNull = []string{"description", "icon", "ownership", "teamInheritance", "changelogDestination", "includeInGlobalSearch"}

// PatchBlueprint merges doc into the blueprint's document: top-level members replace, the entries of properties,
// relations and derived properties are replaced one by one, an entry that is null goes.
func (c *Catalog) PatchBlueprint(ctx context.Context, id string, doc json.RawMessage, w Writer) (Blueprint, error) {
	return c.writeBlueprint(ctx, w, func(m *model) (*rules, json.RawMessage, error) {
		old := m.rules[id]
		if old == nil {
			return nil, nil, m.missing(id)
		}
		base, err := ordered(old.Doc)
		if err != nil {
			return nil, nil, err
		}
		patch, err := ordered(doc)
		if err != nil {
			return nil, nil, err
		}
		for _, p := range patch {
			value := p.Value
			was, _ := lookup(base, p.Name)
			switch {
			case p.Name == "schema":
				value, err = patchSchema(was, value)
			case slices.Contains(mergedMaps, p.Name):
				value, err = mergeByKey(was, value)
			}
			if err != nil {
				return nil, nil, err
			}
			if isNull(value) && slices.Contains(clearedByNull, p.Name) {
				base = slices.DeleteFunc(base, func(m orderedMember) bool { return m.Name == p.Name })
				continue
			}
			base = withMember(base, p.Name, value)
		}
		return old, render(base), nil
	})
}

func patchSchema(was, patch json.RawMessage) (json.RawMessage, error) {
	base, err := ordered(was)
	if err != nil {
		return nil, err
	}
	list, err := ordered(patch)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		value := p.Value
		if p.Name == "properties" {
			before, _ := lookup(base, "properties")
			// A definition may leave out its type: it keeps that, and its format, as they are.
			if value, err = mergeByKey(before, value, "type", "format"); err != nil {
				return nil, err
			}
		}
		base = withMember(base, p.Name, value)
	}
	return render(base), nil
}

// mergeByKey replaces entries of one object by those of another; null takes one away. An entry that lacks the first of
// the members inherit takes over all of them that it lacks.
func mergeByKey(was, patch json.RawMessage, inherit ...string) (json.RawMessage, error) {
	base, err := ordered(was)
	if err != nil {
		return nil, err
	}
	list, err := ordered(patch)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if isNull(p.Value) {
			base = slices.DeleteFunc(base, func(m orderedMember) bool { return m.Name == p.Name })
			continue
		}
		value := p.Value
		if before, had := lookup(base, p.Name); had && len(inherit) > 0 {
			if value, err = inherited(before, value, inherit); err != nil {
				return nil, err
			}
		}
		base = withMember(base, p.Name, value)
	}
	return render(base), nil
}

func inherited(before, value json.RawMessage, names []string) (json.RawMessage, error) {
	had, err := ordered(before)
	if err != nil {
		return nil, err
	}
	entry, err := ordered(value)
	if err != nil {
		return nil, err
	}
	if _, has := lookup(entry, names[0]); has {
		return value, nil
	}
	var taken []orderedMember
	for _, name := range names {
		_, has := lookup(entry, name)
		if v, did := lookup(had, name); did && !has {
			taken = append(taken, orderedMember{name, v})
		}
	}
	return render(append(taken, entry...)), nil
}

// writeBlueprint stores the document that change decides on, in one transaction. change returns the blueprint as it
// was, nil for a new one.
func (c *Catalog) writeBlueprint(ctx context.Context, w Writer, change func(*model) (*rules, json.RawMessage, error)) (Blueprint, error) {
	var b Blueprint
	err := c.store.InTx(ctx, func(tx Tx) error {
		m, err := c.modelOf(ctx, tx)
		if err != nil {
			return err
		}
		old, doc, err := change(m)
		if err != nil {
			return err
		}
		if b, err = parseBlueprint(doc); err != nil {
			return err
		}
		if err := checkDefinition(&b, old); err != nil {
			return err
		}
		if err := keepStructure(&b, old); err != nil {
			return err
		}
		if err := checkTargets(m, &b, old, w); err != nil {
			return err
		}
		now := c.now().UTC().Truncate(time.Millisecond)
		b.CreatedAt, b.CreatedBy, b.UpdatedAt, b.UpdatedBy = now, w.Actor, now, w.Actor
		entry := AuditEntry{At: now, Kind: "blueprint", Action: "CREATE", Blueprint: b.Identifier, Actor: w.Actor, Source: w.Source, After: b.Doc}
		if old != nil {
			if bytes.Equal(old.Doc, b.Doc) {
				b = old.Blueprint
				return nil
			}
			b.CreatedAt, b.CreatedBy = old.CreatedAt, old.CreatedBy
			entry.Action, entry.Before = "UPDATE", old.Doc
			if err := c.migrate(ctx, tx, m, old, &b, now); err != nil {
				return err
			}
		}
		if err := tx.PutBlueprint(ctx, b); err != nil {
			return err
		}
		if old == nil && w.Page {
			if err := putPage(ctx, tx, b); err != nil {
				return err
			}
		}
		return tx.AddHistory(ctx, []AuditEntry{entry})
	})
	return b, err
}

func propertyOf(r *rules, name string) *Property {
	if r == nil {
		return nil
	}
	return r.property(name)
}

// migrate takes a blueprint's entities from its old definition to the new one.
func (c *Catalog) migrate(ctx context.Context, tx Tx, m *model, old *rules, b *Blueprint, now time.Time) error {
	var properties, relations []string
	for _, p := range old.Properties {
		switch q := b.property(p.Name); {
		case q == nil:
			properties = append(properties, p.Name)
		case q.Type != p.Type:
			return fault.Errorf(fault.Invalid, "property %q: its type cannot change from %s to %s", p.Name, p.Type, q.Type).
				WithCode("forbidden_type_change", map[string]any{"property": p.Name}).WithHint("remove the property first, then add it anew")
		case q.Format != p.Format:
			return fault.Errorf(fault.Invalid, "property %q: its format cannot change from %q to %q", p.Name, p.Format, q.Format).
				WithCode("forbidden_format_change", map[string]any{"property": p.Name}).WithHint("remove the property first, then add it anew")
		}
	}
	for _, r := range old.Relations {
		switch s := b.relation(r.Name); {
		case s == nil, (s.InverseOf == "") != (r.InverseOf == ""):
			relations = append(relations, r.Name)
		case s.Target != r.Target && !(r.Target == old.Identifier && s.Target == b.Identifier):
			return invalidRequest("relation %q: its target cannot change from %q to %q", r.Name, r.Target, s.Target)
		}
	}
	if len(properties)+len(relations) > 0 {
		if err := tx.DropFields(ctx, old.Identifier, properties, relations); err != nil {
			return err
		}
	}
	if err := changeMany(ctx, tx, old, b); err != nil {
		return err
	}
	if b.Identifier == old.Identifier {
		return nil
	}
	if m.rules[b.Identifier] != nil {
		return blueprintTaken(b.Identifier)
	}
	if err := tx.RenameBlueprint(ctx, old.Identifier, b.Identifier); err != nil {
		return err
	}
	if err := movePages(ctx, tx, old.Identifier, b.Identifier); err != nil {
		return err
	}
	// Documents that name the blueprint follow, its own included.
	var err error
	if b.Doc, err = retarget(b.Doc, old.Identifier, b.Identifier); err != nil {
		return err
	}
	if *b, err = reparse(*b); err != nil {
		return err
	}
	for _, id := range m.order {
		other := m.rules[id]
		doc, err := retarget(other.Doc, old.Identifier, b.Identifier)
		if err != nil {
			return err
		}
		if id == old.Identifier || bytes.Equal(doc, other.Doc) {
			continue
		}
		changed := other.Blueprint
		changed.Doc, changed.UpdatedAt = doc, now
		if err := tx.PutBlueprint(ctx, changed); err != nil {
			return err
		}
	}
	return nil
}

// reparse reads a blueprint from its changed document and keeps its times.
func reparse(b Blueprint) (Blueprint, error) {
	n, err := parseBlueprint(b.Doc)
	n.CreatedAt, n.CreatedBy, n.UpdatedAt, n.UpdatedBy = b.CreatedAt, b.CreatedBy, b.UpdatedAt, b.UpdatedBy
	return n, err
}

// hasDependents is Port's refusal to delete what others need.
func hasDependents(format string, args ...any) *fault.Error {
	return fault.Errorf(fault.Conflict, format, args...).WithCode("has_dependents", nil)
}

// DeleteBlueprint removes a blueprint. Errors: fault.NotFound; fault.Conflict "has_dependents" while it has entities or
// another blueprint has a relation to it.
func (c *Catalog) DeleteBlueprint(ctx context.Context, id string, w Writer) error {
	return c.store.InTx(ctx, func(tx Tx) error {
		m, err := c.modelOf(ctx, tx)
		if err != nil {
			return err
		}
		if m.rules[id] == nil {
			return m.missing(id)
		}
		if err := refuseDrop(m, id); err != nil {
			return err
		}
		counts, err := tx.Counts(ctx)
		if err != nil {
			return err
		}
		if counts[id] > 0 {
			return hasDependents("blueprint %q has dependents: its entities (%d)", id, counts[id]).
				WithHint("delete its entities first, or both at once: DELETE all-entities?delete_blueprint=true")
		}
		return c.dropBlueprint(ctx, tx, m, id, w)
	})
}

// refuseDrop is why a blueprint cannot go, or nil.
func refuseDrop(m *model, id string) error {
	if IsSystem(id) {
		return protected("blueprint %q is a system blueprint: it cannot be deleted", id)
	}
	for _, other := range m.order {
		for _, r := range m.rules[other].Relations {
			if r.Target == id && other != id {
				return hasDependents("blueprint %q has dependents: relation %q of %q points at it", id, r.Name, other).
					WithHint("take relation %q out of blueprint %q first, or delete %q", r.Name, other, other)
			}
		}
	}
	return nil
}

func (c *Catalog) dropBlueprint(ctx context.Context, tx Tx, m *model, id string, w Writer) error {
	if err := refuseDrop(m, id); err != nil {
		return err
	}
	if err := tx.DeleteBlueprint(ctx, id); err != nil {
		return err
	}
	if err := dropPages(ctx, tx, id); err != nil {
		return err
	}
	return tx.AddHistory(ctx, []AuditEntry{{
		At: c.now().UTC(), Kind: "blueprint", Action: "DELETE", Blueprint: id, Actor: w.Actor, Source: w.Source,
		Before: m.rules[id].Doc,
	}})
}

// DeleteAllEntities empties a blueprint, and removes it too when asked. It is noted as a migration that is completed. The lake may bring the entities back: nothing
// keeps older records away. Optional relations of others to the entities are cleared. Errors: fault.NotFound;
// fault.Conflict "has_dependents" when another blueprint needs them by a required relation.
func (c *Catalog) DeleteAllEntities(ctx context.Context, id string, deleteBlueprint bool, w Writer) (done Migration, err error) {
	done = Migration{Actor: w.Actor, Source: id, Mapping: json.RawMessage("{}"), Status: MigrationCompleted}
	err = c.store.InTx(ctx, func(tx Tx) error {
		m, err := c.modelOf(ctx, tx)
		if err != nil {
			return err
		}
		if m.rules[id] == nil {
			return m.missing(id)
		}
		for _, other := range m.order {
			for _, r := range m.rules[other].Relations {
				if r.Target == id && r.Required && other != id {
					return hasDependents("blueprint %q has dependents: %q needs its entities by relation %q", id, other, r.Name).
						WithHint("make relation %q of blueprint %q optional first, or delete the entities of %q", r.Name, other, other)
				}
			}
		}
		if deleteBlueprint { // what would refuse that comes before the work
			if err := refuseDrop(m, id); err != nil {
				return err
			}
		}
		if err := c.clearRelationsTo(ctx, tx, m, id, w); err != nil {
			return err
		}
		if done.Done, err = tx.DeleteEntities(ctx, id); err != nil {
			return err
		}
		if done, err = c.addMigration(ctx, tx, done); err != nil || !deleteBlueprint {
			return err
		}
		return c.dropBlueprint(ctx, tx, m, id, w)
	})
	return done, err
}
