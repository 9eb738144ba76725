package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"longshore/internal/fault"
)

// kindOfMember is what of a blueprint is renamed.
type kindOfMember int

const (
	aProperty kindOfMember = iota
	aMirror
	aRelation
)

func (k kindOfMember) String() string {
	return [...]string{"Property", "Mirror property", "Relation"}[k]
}

// renaming is one property, mirror or relation of a blueprint getting another name.
type renaming struct {
	*model
	kind            kindOfMember
	blueprint       string
	from, to        string
	literal         *regexp.Regexp // how jq names it
	literalReplaced string
}

// RenameProperty gives a property of a blueprint another name: in its entities, in mirrors, aggregations and ownership
// of all blueprints, and in its own calculations where jq names it literally. Errors: fault.NotFound for blueprint and
// property, fault.Conflict "identifier_taken" when there is one of that name.
func (c *Catalog) RenameProperty(ctx context.Context, blueprint, from, to string, w Writer) (Blueprint, error) {
	return c.renameMember(ctx, aProperty, blueprint, from, to, w)
}

// RenameMirror is RenameProperty for a mirror property.
func (c *Catalog) RenameMirror(ctx context.Context, blueprint, from, to string, w Writer) (Blueprint, error) {
	return c.renameMember(ctx, aMirror, blueprint, from, to, w)
}

// RenameRelation is RenameProperty for a relation.
func (c *Catalog) RenameRelation(ctx context.Context, blueprint, from, to string, w Writer) (Blueprint, error) {
	return c.renameMember(ctx, aRelation, blueprint, from, to, w)
}

func (c *Catalog) renameMember(ctx context.Context, kind kindOfMember, blueprint, from, to string, w Writer) (b Blueprint, err error) {
	err = c.store.InTx(ctx, func(tx Tx) error {
		m, err := c.modelOf(ctx, tx)
		if err != nil {
			return err
		}
		old := m.rules[blueprint]
		if old == nil {
			return missing("Blueprint", blueprint)
		}
		b = old.Blueprint
		n := &renaming{model: m, kind: kind, blueprint: blueprint, from: from, to: to}
		if err := n.allowed(old); err != nil || from == to {
			return err
		}
		n.compile()
		now := c.now().UTC().Truncate(time.Millisecond)
		if b, err = n.documents(ctx, tx, now, w); err != nil {
			return err
		}
		if kind != aMirror {
			if err := n.entities(ctx, tx, old); err != nil {
				return err
			}
		}
		return tx.AddHistory(ctx, []AuditEntry{{
			At: now, Kind: "blueprint", Action: "UPDATE", Blueprint: blueprint, Actor: w.Actor, Source: w.Source, Before: old.Doc, After: b.Doc,
		}})
	})
	return b, err
}

// allowed checks the names.
func (n *renaming) allowed(r *rules) error {
	there, taken := r.has(n.kind, n.from), n.from != n.to && r.has(n.kind, n.to)
	if n.kind != aRelation && n.from != n.to {
		taken = r.checks[n.to] != nil || r.derived[n.to]
	}
	switch {
	case !there:
		return fault.Errorf(fault.NotFound, "%s with identifier %q was not found in blueprint %q", n.kind, n.from, n.blueprint).
			WithCode("not_found", map[string]any{"resource": n.kind.String(), "relevantField": "identifier", "withValue": n.from})
	case !propertyNamePattern.MatchString(n.to) || len(n.to) > maxPropertyName:
		return invalidRequest("name %q: want 1 to %d of letters, digits, @_=\\-", n.to, maxPropertyName)
	case n.from != n.to && n.inStructure():
		return protected("%s %q belongs to the system blueprint %q: its name cannot change", strings.ToLower(n.kind.String()), n.from, n.blueprint)
	case taken:
		return fault.Errorf(fault.Conflict, "blueprint %q has a %q already", n.blueprint, n.to).
			WithCode("identifier_taken", map[string]any{"resource": n.kind.String(), "relevantField": "identifier", "withValue": n.to})
	}
	return nil
}

// inStructure reports whether what is renamed is the system's.
func (n *renaming) inStructure() bool {
	base, err := SystemStructure(n.blueprint)
	return err == nil && (n.kind == aProperty && base.property(n.from) != nil || n.kind == aRelation && base.relation(n.from) != nil)
}

// has reports whether the blueprint has a member of that kind and name.
func (r *rules) has(kind kindOfMember, name string) bool {
	switch kind {
	case aProperty:
		return r.checks[name] != nil
	case aRelation:
		return r.relations[name] != nil
	}
	list, err := ordered(r.Doc)
	if err != nil {
		return false
	}
	mirrors, _ := lookup(list, "mirrorProperties")
	entries, err := ordered(mirrors)
	_, there := lookup(entries, name)
	return there && err == nil
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func (n *renaming) compile() {
	where := "properties"
	if n.kind == aRelation {
		where = "relations"
	}
	name := regexp.QuoteMeta(n.from)
	ways := `\.?\["` + name + `"\]|\.?\['` + name + `'\]|\."` + name + `"|\.'` + name + `'`
	if plainName.MatchString(n.from) {
		ways += `|\.` + name + `\b`
	}
	n.literal = regexp.MustCompile(`\.` + where + `(?:` + ways + `)`)
	n.literalReplaced = "." + where + `["` + n.to + `"]`
	if plainName.MatchString(n.to) {
		n.literalReplaced = "." + where + "." + n.to
	}
}

// documents writes every blueprint that names what is renamed, and returns its own.
func (n *renaming) documents(ctx context.Context, tx Tx, now time.Time, w Writer) (own Blueprint, err error) {
	for _, id := range n.order {
		r := n.rules[id]
		doc, err := n.document(r)
		if err != nil {
			return own, err
		}
		if bytes.Equal(doc, r.Doc) {
			continue
		}
		b, err := parseBlueprint(doc)
		if err != nil {
			return own, err
		}
		b.CreatedAt, b.CreatedBy, b.UpdatedAt, b.UpdatedBy = r.CreatedAt, r.CreatedBy, now, r.UpdatedBy
		if id == n.blueprint {
			b.UpdatedBy = w.Actor
			own = b
		}
		if err := tx.PutBlueprint(ctx, b); err != nil {
			return own, err
		}
	}
	return own, nil
}

// document returns a blueprint's document with the new name in the place of the old.
func (n *renaming) document(r *rules) (json.RawMessage, error) {
	list, err := ordered(r.Doc)
	if err != nil {
		return nil, err
	}
	e := objectEdit{list: list}
	e.inside("schema", n.schema(r))
	e.entries("relations", func(name string, entry *objectEdit) string {
		if target, _ := entry.text("target"); n.kind == aRelation && target == n.blueprint {
			entry.replace("inverseOf", n.from, n.to)
		}
		return n.entry(r, aRelation, name)
	})
	e.entries("mirrorProperties", func(name string, entry *objectEdit) string {
		if path, ok := entry.text("path"); ok {
			entry.replace("path", path, n.mirrorPath(r.Identifier, path))
		}
		return n.entry(r, aMirror, name)
	})
	e.entries("calculationProperties", func(name string, entry *objectEdit) string {
		if jq, ok := entry.text("calculation"); ok && r.Identifier == n.blueprint {
			entry.replace("calculation", jq, n.literal.ReplaceAllLiteralString(jq, n.literalReplaced))
		}
		return name
	})
	e.entries("aggregationProperties", func(name string, entry *objectEdit) string {
		n.aggregation(r, entry)
		return name
	})
	for _, name := range []string{"ownership", "teamInheritance"} {
		e.inside(name, func(o *objectEdit) {
			if path, ok := o.text("path"); ok && n.kind == aRelation {
				steps := strings.Split(path, ".")
				n.walk(r.Identifier, steps)
				o.replace("path", path, strings.Join(steps, "."))
			}
		})
	}
	if !e.changed {
		return r.Doc, e.err
	}
	return render(e.list), e.err
}

// entry returns the name that an entry has from now on.
func (n *renaming) entry(r *rules, kind kindOfMember, name string) string {
	if n.kind == kind && r.Identifier == n.blueprint && name == n.from {
		return n.to
	}
	return name
}

func (n *renaming) schema(r *rules) func(*objectEdit) {
	return func(schema *objectEdit) {
		if n.kind != aProperty || r.Identifier != n.blueprint {
			return
		}
		schema.entries("properties", func(name string, _ *objectEdit) string { return n.entry(r, aProperty, name) })
		names := slices.Clone(r.Required)
		if i := slices.Index(names, n.from); i >= 0 {
			names[i] = n.to
			schema.set("required", textList(names))
		}
	}
}

// walk follows relations from a blueprint, renames those that are meant, and returns where it ends: "" for nowhere.
func (n *renaming) walk(from string, steps []string) string {
	for i, step := range steps {
		r := n.rules[from]
		if r == nil || r.relations[step] == nil {
			return ""
		}
		if n.kind == aRelation && from == n.blueprint && step == n.from {
			steps[i] = n.to
		}
		from = r.relations[step].Target
	}
	return from
}

func (n *renaming) mirrorPath(from, path string) string {
	steps := strings.Split(path, ".")
	last := len(steps) - 1
	end := n.walk(from, steps[:last])
	if n.kind != aRelation && end == n.blueprint && steps[last] == n.from {
		steps[last] = n.to
	}
	return strings.Join(steps, ".")
}

func (n *renaming) aggregation(r *rules, entry *objectEdit) {
	target, _ := entry.text("target")
	if target == n.blueprint {
		if n.kind != aRelation {
			entry.inside("calculationSpec", func(spec *objectEdit) {
				spec.replace("property", n.from, n.to)
				spec.replace("measureTimeBy", n.from, n.to)
			})
		}
		key := "property"
		if n.kind == aRelation {
			key = "relation"
		}
		if raw, ok := lookup(entry.list, "query"); ok {
			entry.set("query", editQuery(raw, func(rule *objectEdit) { rule.replace(key, n.from, n.to) }, 0))
		}
	}
	raw, ok := lookup(entry.list, "pathFilter")
	var filters []json.RawMessage
	if !ok || n.kind != aRelation || json.Unmarshal(raw, &filters) != nil {
		return
	}
	for i, filter := range filters {
		list, err := ordered(filter)
		if err != nil {
			return
		}
		f := objectEdit{list: list}
		path, _ := lookup(list, "path")
		var steps []json.RawMessage
		if json.Unmarshal(path, &steps) != nil {
			continue
		}
		names := make([]string, len(steps))
		for i, step := range steps {
			names[i] = stepName(step)
		}
		start, _ := f.text("fromBlueprint")
		for _, from := range []string{start, r.Identifier, target} {
			if after := slices.Clone(names); n.walk(from, after) != "" {
				for i := range steps {
					steps[i] = withStepName(steps[i], after[i])
				}
				f.set("path", joined(steps))
				break
			}
		}
		if f.changed {
			filters[i] = render(f.list)
		}
	}
	entry.set("pathFilter", joined(filters))
}

// stepName returns the relation of a step: its name, or an object that has it.
func stepName(step json.RawMessage) string {
	list, err := ordered(step)
	if err != nil {
		return unquote(step)
	}
	name, _ := lookup(list, "relation")
	return unquote(name)
}

func withStepName(step json.RawMessage, name string) json.RawMessage {
	list, err := ordered(step)
	if err != nil {
		return appendText(nil, name)
	}
	return render(withMember(list, "relation", appendText(nil, name)))
}

// joined writes a list of values.
func joined(values []json.RawMessage) json.RawMessage {
	return append(append([]byte{'['}, bytes.Join(toBytes(values), []byte{','})...), ']')
}

func toBytes(values []json.RawMessage) [][]byte {
	out := make([][]byte, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

// editQuery puts every node of a search query through edit. What is no query stays as it is.
func editQuery(raw json.RawMessage, edit func(*objectEdit), depth int) json.RawMessage {
	list, err := ordered(raw)
	if err != nil || depth > maxQueryDepth {
		return raw
	}
	e := objectEdit{list: list}
	edit(&e)
	if rules, ok := lookup(e.list, "rules"); ok {
		var nodes []json.RawMessage
		if json.Unmarshal(rules, &nodes) == nil && len(nodes) > 0 {
			for i := range nodes {
				nodes[i] = editQuery(nodes[i], edit, depth+1)
			}
			if after := joined(nodes); !sameJSON(after, rules) {
				e.set("rules", after)
			}
		}
	}
	if !e.changed {
		return raw
	}
	return render(e.list)
}

func sameJSON(a, b []byte) bool {
	x, _, errX := canonical(nil, a)
	y, _, errY := canonical(nil, b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// retarget makes a document that names a blueprint name it by another identifier: as target of relations and
// aggregations, in path filters, and in the queries of aggregations.
func retarget(doc json.RawMessage, from, to string) (json.RawMessage, error) {
	list, err := ordered(doc)
	if err != nil {
		return nil, err
	}
	e := objectEdit{list: list}
	e.entries("relations", func(name string, entry *objectEdit) string {
		entry.replace("target", from, to)
		return name
	})
	e.entries("aggregationProperties", func(name string, entry *objectEdit) string {
		entry.replace("target", from, to)
		if raw, ok := lookup(entry.list, "query"); ok {
			entry.set("query", editQuery(raw, func(rule *objectEdit) { retargetRule(rule, from, to) }, 0))
		}
		var filters []json.RawMessage
		if raw, ok := lookup(entry.list, "pathFilter"); ok && json.Unmarshal(raw, &filters) == nil && len(filters) > 0 {
			for i := range filters {
				filters[i] = editQuery(filters[i], func(f *objectEdit) { f.replace("fromBlueprint", from, to) }, 0)
			}
			entry.set("pathFilter", joined(filters))
		}
		return name
	})
	if !e.changed {
		return doc, e.err
	}
	return render(e.list), e.err
}

func retargetRule(rule *objectEdit, from, to string) {
	rule.replace("blueprint", from, to)
	if property, _ := rule.text("property"); property == "$blueprint" {
		rule.replace("value", from, to)
		raw, _ := lookup(rule.list, "value")
		var names []string
		if json.Unmarshal(raw, &names) == nil && slices.Contains(names, from) {
			for i := range names {
				if names[i] == from {
					names[i] = to
				}
			}
			rule.set("value", textList(names))
		}
	}
	rule.inside("property", func(p *objectEdit) { p.replace("fromBlueprint", from, to) })
}

// objectEdit changes an object in place and knows whether it did.
type objectEdit struct {
	list    []orderedMember
	changed bool
	err     error
}

func (e *objectEdit) text(name string) (string, bool) {
	raw, ok := lookup(e.list, name)
	return unquote(raw), ok && len(raw) > 0 && raw[0] == '"'
}

// set gives a member another value; an equal one is no change.
func (e *objectEdit) set(name string, value json.RawMessage) {
	if before, ok := lookup(e.list, name); ok && sameJSON(before, value) {
		return
	}
	e.list, e.changed = withMember(e.list, name, value), true
}

// replace gives a member that is one text another.
func (e *objectEdit) replace(name, from, to string) {
	if text, ok := e.text(name); ok && text == from && from != to {
		e.set(name, appendText(nil, to))
	}
}

// inside edits a member that is an object.
func (e *objectEdit) inside(name string, edit func(*objectEdit)) {
	raw, ok := lookup(e.list, name)
	if !ok || isNull(raw) || bytes.TrimSpace(raw)[0] != '{' {
		return
	}
	list, err := ordered(raw)
	if err != nil {
		e.err = err
		return
	}
	in := objectEdit{list: list}
	edit(&in)
	if in.changed {
		e.set(name, render(in.list))
	}
	if in.err != nil {
		e.err = in.err
	}
}

// entries edits each entry of a member that is a map. edit returns the entry's name from now on.
func (e *objectEdit) entries(name string, edit func(name string, entry *objectEdit) string) {
	e.inside(name, func(all *objectEdit) {
		for i := range all.list {
			m := &all.list[i]
			if isNull(m.Value) || bytes.TrimSpace(m.Value)[0] != '{' {
				continue
			}
			list, err := ordered(m.Value)
			if err != nil {
				all.err = err
				return
			}
			entry := objectEdit{list: list}
			after := edit(m.Name, &entry)
			if entry.changed {
				m.Value, all.changed = render(entry.list), true
			}
			if after != m.Name {
				m.Name, all.changed = after, true
			}
		}
	})
}
