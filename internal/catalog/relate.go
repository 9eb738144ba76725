package catalog

import (
	"slices"

	"longshore/internal/fault"
)

// maxRelationMatches bounds what a search given as a relation's value may find (Port's limit).
const maxRelationMatches = 100

// maxDependentDepth bounds how long a chain of entities that need each other one deletion may take away.
const maxDependentDepth = 2000

// side makes a change that another change entails; what became of it is no result of the batch.
func (b *batch) side(c *Change) error {
	touched := b.touched
	b.entailed++
	_, err := b.try(c)
	b.entailed--
	b.touched = touched
	return err
}

// present reports which of the keys are in the catalog, as of now in the batch.
func (b *batch) present(keys []Key) (map[Key]bool, error) {
	found := make(map[Key]bool, len(keys))
	var ask []Key
	for _, k := range keys {
		if rec := b.records[k]; rec != nil {
			found[k] = rec.there
		} else if b.rules[k.Blueprint] != nil {
			ask = append(ask, k)
		}
	}
	if len(ask) == 0 {
		return found, nil
	}
	stored, err := b.tx.Present(b.ctx, ask)
	for k := range stored {
		found[k] = true
	}
	return found, err
}

// targets lists where the draft's relations point.
func (d *draft) targets(r *rules) []Ref {
	var refs []Ref
	for _, f := range d.fields {
		if f.name[0] == '>' {
			names, _ := texts(f.value)
			for _, id := range names {
				refs = append(refs, Ref{f.name[1:], Key{r.relations[f.name[1:]].Target, id}})
			}
		}
	}
	return refs
}

// strict holds a change against Port's rules about what must be there.
func (b *batch) strict(rec *record, c *Change, d *draft) error {
	whole := !rec.there || c.Op == OpReplace
	lacks := func(field string) bool {
		value, sent := d.value(field)
		return sent && value == nil || whole && !sent
	}
	for _, name := range rec.rules.required {
		check := rec.rules.checks[name]
		if check == nil || !lacks("."+name) {
			continue
		}
		if _, sent := d.value("." + name); !sent && check.fallback != nil {
			continue
		}
		return mismatch(c, Flag{Property: name, Rule: "required"})
	}
	for _, rel := range rec.rules.Relations {
		if rel.Required && lacks(">"+rel.Name) {
			return fault.Errorf(fault.Invalid, "relation %q of %q is required", rel.Name, c.Blueprint).
				WithCode("required_relation", map[string]any{"relation": rel.Name, "blueprint": c.Blueprint})
		}
	}
	refs := d.targets(rec.rules)
	found, err := b.present(refKeys(refs))
	if err != nil {
		return err
	}
	for _, ref := range refs {
		switch {
		case found[ref.Target] || ref.Target == rec.key:
		case b.hidden[ref.Target.Blueprint] && rec.there && slices.Contains(refsOf(rec.rules, rec.entity.Relations), ref):
			// Whether it waits is not for this caller to find out.
		case b.rules[ref.Target.Blueprint] == nil:
			return missing("Blueprint", ref.Target.Blueprint)
		case !c.CreateMissingRelated || IsSystem(ref.Target.Blueprint):
			return missing("Entity", ref.Target.Identifier)
		}
	}
	return nil
}

func refKeys(refs []Ref) []Key {
	keys := make([]Key, len(refs))
	for i, r := range refs {
		keys[i] = r.Target
	}
	return keys
}

// createMissing makes a bare entity for each relation target that is not there.
func (b *batch) createMissing(r *rules, c *Change, d *draft) error {
	refs := d.targets(r)
	found, err := b.present(refKeys(refs))
	if err != nil {
		return err
	}
	for _, ref := range refs {
		self := Key{c.Blueprint, c.Identifier}
		if found[ref.Target] || ref.Target == self || b.rules[ref.Target.Blueprint] == nil || IsSystem(ref.Target.Blueprint) {
			continue
		}
		err := b.side(&Change{
			Blueprint: ref.Target.Blueprint, Identifier: ref.Target.Identifier, Lenient: true,
			Lane: c.Lane, Version: c.Version, Origin: c.Origin, Actor: c.Actor, Source: c.Source,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// one finds the entity that a query names. It must match exactly one.
func (b *batch) one(blueprint string, raw []byte) (string, error) {
	r := b.rules[blueprint]
	if r == nil {
		return "", missing("Blueprint", blueprint)
	}
	if err := b.searchable(blueprint); err != nil {
		return "", err
	}
	query, err := b.plainQuery(raw, 0)
	if err != nil {
		return "", err
	}
	ids, err := b.matches(blueprint, query, 2)
	switch {
	case err != nil:
		return "", err
	case len(ids) == 0:
		return "", fault.Errorf(fault.NotFound, "no entity of %q matches the identifier query", blueprint).
			WithCode("not_found", map[string]any{"resource": "Entity", "relevantField": "identifier"})
	case len(ids) > 1:
		return "", invalidRequest("the identifier query matches more than one entity of %q", blueprint)
	}
	return ids[0], nil
}

func (b *batch) matches(blueprint string, raw []byte, limit int) ([]string, error) {
	if b.rules[blueprint] == nil {
		return nil, missing("Blueprint", blueprint)
	}
	rule, err := ParseQuery(raw, b.now)
	if err != nil {
		return nil, err
	}
	if err := b.behindMirrors(b.rules[blueprint], &rule); err != nil {
		return nil, err
	}
	return b.find(blueprint, rule, limit)
}

// find returns the identifiers of entities that match a rule, as of now in the batch.
func (b *batch) find(blueprint string, rule Rule, limit int) ([]string, error) {
	low, err := b.lower(&rule, blueprint)
	if err != nil {
		return nil, err
	}
	if low.residual {
		return nil, invalidRequest("a query in a relation or an identifier cannot look at what is calculated: mirror, calculation and aggregation properties, scorecards, inherited teams")
	}
	if err := b.flush(); err != nil {
		return nil, err
	}
	found, _, err := b.tx.Search(b.ctx, Find{Blueprint: blueprint, Rule: low.rule, Limit: limit})
	ids := make([]string, len(found))
	for i, e := range found {
		ids[i] = e.Identifier
	}
	return ids, err
}

// resolve returns the change with searches as its team and in its relations replaced by what they find.
func (b *batch) resolve(r *rules, c *Change) (*Change, error) {
	resolved, owned := c, false // owned: its relations are a copy
	if isQuery(c.Team) {
		ids, err := b.related("_team", c.Team)
		if err != nil {
			return c, err
		}
		copied := *c
		resolved, copied.Team = &copied, textList(ids)
	}
	for i, f := range c.Relations {
		rel := r.relations[f.Name]
		if rel == nil || rel.InverseOf != "" || !isQuery(f.Value) {
			continue
		}
		ids, err := b.related(rel.Target, f.Value)
		if err != nil {
			if c.Lenient && fault.Is(err, fault.NotFound) {
				continue // the target's blueprint is not there: the value is flagged
			}
			return c, err
		}
		if resolved == c {
			copied := *c
			resolved = &copied
		}
		if !owned {
			resolved.Relations, owned = slices.Clone(c.Relations), true
		}
		resolved.Relations[i].Value = textList(ids)
	}
	return resolved, nil
}

// release sees to the entities that point at one which is about to be deleted. By Port's rules a required relation
// forbids it, unless dependents are deleted too, and an optional one is cleared. In a lenient change optional
// relations stay and wait, so that the order of records does not matter.
func (b *batch) release(rec *record, c *Change) error {
	bp := rec.key.Blueprint
	if !b.pointed[bp] || c.Lenient && !(c.DeleteDependents && b.needed[bp]) {
		return nil
	}
	if b.leaving == nil {
		b.leaving = map[Key]bool{}
	}
	b.leaving[rec.key] = true
	defer delete(b.leaving, rec.key)
	if b.depth++; b.depth > maxDependentDepth {
		return invalidRequest("entity %q of %q is needed by a chain of more than %d entities", rec.key.Identifier, rec.key.Blueprint, maxDependentDepth)
	}
	defer func() { b.depth-- }()
	if err := b.flush(); err != nil {
		return err
	}
	counts, err := b.tx.ReferrerCounts(b.ctx, rec.key)
	if err != nil {
		return err
	}
	for _, required := range []bool{true, false} { // what may refuse comes first
		for _, n := range counts {
			rel := b.relationOf(n.Blueprint, n.Relation)
			if rel == nil || rel.Required != required || !required && c.Lenient {
				continue
			}
			if err := b.releaseFrom(rec.key, n, rel, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *batch) releaseFrom(target Key, n ReferrerCount, rel *Relation, c *Change) error {
	const page = 500
	for after := int64(0); ; {
		list, err := b.tx.Referrers(b.ctx, target, n.Blueprint, n.Relation, after, page)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, e := range list {
			after = e.ID
			k := Key{e.Blueprint, e.Identifier}
			if b.leaving[k] {
				continue
			}
			if rec, err := b.record(k); err != nil {
				return err
			} else if !rec.there {
				continue // it went a moment ago, by another relation
			}
			if rel.Required && !c.DeleteDependents && b.hidden[k.Blueprint] {
				return hasDependents("entity %q of %q has dependents: what you may not see needs it", target.Identifier, target.Blueprint)
			}
			if rel.Required && !c.DeleteDependents {
				return fault.Errorf(fault.Conflict, "entity %q of %q has dependents: %q of %q needs it by relation %q", target.Identifier,
					target.Blueprint, k.Identifier, k.Blueprint, rel.Name).
					WithCode("has_dependents", map[string]any{"blueprint": k.Blueprint, "entity": k.Identifier, "relation": rel.Name}).
					WithHint("delete %q first, or all that need it with it: ?delete_dependents=true", k.Identifier)
			}
			follow := Change{
				Blueprint: k.Blueprint, Identifier: k.Identifier, Op: OpDelete, DeleteDependents: true, Lenient: c.Lenient,
				Lane: c.Lane, Version: c.Version, Origin: c.Origin, Actor: c.Actor, Source: c.Source,
			}
			if !rel.Required {
				follow.Op, follow.DeleteDependents, follow.Lenient = OpMerge, false, true
				follow.Relations = []Field{{rel.Name, without(e.Relations, rel.Name, target.Identifier)}}
			}
			if err := b.side(&follow); err != nil {
				return err
			}
		}
		if len(list) < page {
			return nil
		}
	}
}

// without returns a relation's value less one identifier.
func without(relations []byte, name, identifier string) []byte {
	value := []byte("null")
	members(relations, func(member string, v []byte) {
		if member != name || v[0] != '[' {
			return
		}
		ids, _ := texts(v)
		kept := ids[:0]
		for _, id := range ids {
			if id != identifier {
				kept = append(kept, id)
			}
		}
		value = textList(kept)
	})
	return value
}

// rename gives the entity the identifier that the change wants and returns its record under it.
func (b *batch) rename(rec *record, c *Change) (*record, error) {
	to := c.Rename
	if !legalEntityID(to) {
		return nil, invalidRequest("entity identifier %q: want 1 to %d letters, digits or @_.+:\\/=-", to, maxEntityID)
	}
	key := Key{rec.key.Blueprint, to}
	other, err := b.record(key)
	if err != nil {
		return nil, err
	}
	if other.there {
		return nil, fault.Errorf(fault.Conflict, "an entity %q of blueprint %q exists already", to, key.Blueprint).
			WithCode("identifier_taken", map[string]any{"resource": "Entity", "relevantField": "identifier", "withValue": to})
	}
	if !rec.there {
		return other, nil
	}
	if err := b.flush(); err != nil {
		return nil, err
	}
	if err := b.tx.Rename(b.ctx, rec.key, to); err != nil {
		return nil, err
	}
	if rec.rules.history {
		b.history = append(b.history, AuditEntry{
			At: b.now, Kind: "entity", Action: "UPDATE", Blueprint: key.Blueprint, Identifier: to, Actor: c.Actor, Source: c.Source, RunID: c.RunID, Origin: c.Origin,
			Before: textMember("identifier", rec.key.Identifier), After: textMember("identifier", to),
		})
	}
	// Whatever the batch knew of the entities that point here is out of date.
	b.records, b.order = map[Key]*record{}, nil
	renamed, err := b.record(key)
	if err != nil {
		return nil, err
	}
	return renamed, b.load([]*record{renamed})
}

// textMember returns an object of one member.
func textMember(name, value string) []byte {
	return append(appendMember([]byte{'{'}, name, appendText(nil, value)), '}')
}
