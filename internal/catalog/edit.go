package catalog

import (
	"bytes"
	gocmp "cmp"
	"slices"
	"strings"
)

// edit is one change being made of one record: the content taken apart, and what of it has changed.
type edit struct {
	b      *batch
	rec    *record
	change *Change
	fields []Field // content by stamp field name, sorted
	before []Field // of the changed fields: value before (nil: none)
	isNew  bool
	was    State
	flags  []Flag
}

func (b *batch) begin(rec *record, c *Change) *edit {
	e := &edit{b: b, rec: rec, change: c, isNew: !rec.there, was: rec.State}
	if e.isNew {
		return e
	}
	e.flags = rec.Flags
	if rec.entity.Title != "" {
		e.fields = append(e.fields, Field{fieldTitle, appendText(nil, rec.entity.Title)})
	}
	if rec.entity.Icon != "" {
		e.fields = append(e.fields, Field{fieldIcon, appendText(nil, rec.entity.Icon)})
	}
	if !isNull(rec.entity.Team) {
		e.fields = append(e.fields, Field{fieldTeam, rec.entity.Team})
	}
	members(rec.entity.Properties, func(name string, value []byte) { e.fields = append(e.fields, Field{"." + name, value}) })
	members(rec.entity.Relations, func(name string, value []byte) { e.fields = append(e.fields, Field{">" + name, value}) })
	slices.SortFunc(e.fields, byName)
	return e
}

func byName(a, b Field) int { return strings.Compare(a.Name, b.Name) }

func (e *edit) find(name string) (int, bool) {
	return slices.BinarySearchFunc(e.fields, name, func(f Field, name string) int { return strings.Compare(f.Name, name) })
}

// set gives a field a value; nil takes it away.
func (e *edit) set(name string, value []byte) {
	i, found := e.find(name)
	switch {
	case found && value != nil && bytes.Equal(e.fields[i].Value, value), !found && value == nil:
		return
	case !e.isNew && !slices.ContainsFunc(e.before, func(f Field) bool { return f.Name == name }):
		old := Field{Name: name}
		if found {
			old.Value = e.fields[i].Value
		}
		e.before = append(e.before, old)
	default: // a default that is taken away and comes back has not changed
		e.before = slices.DeleteFunc(e.before, func(f Field) bool {
			return f.Name == name && (f.Value == nil) == (value == nil) && bytes.Equal(f.Value, value)
		})
	}
	switch {
	case !found:
		e.fields = slices.Insert(e.fields, i, Field{name, value})
	case value == nil:
		e.fields = slices.Delete(e.fields, i, i+1)
	default:
		e.fields[i].Value = value
	}
}

// write makes the draft's values the entity's, as far as no newer change owns their fields, and returns how many fields
// the change owns now.
func (e *edit) write(d *draft, s Stamp) int {
	rec := e.rec
	if e.isNew && rec.Deleted != nil {
		rec.Cleared = rec.Deleted
	}
	if e.change.Op == OpReplace {
		mark := &Stamp{Lane: s.Lane, Version: s.Version}
		if !e.isNew {
			e.clearTo(mark)
		}
		rec.Cleared = mark
	}
	owned := 0
	for _, f := range d.fields {
		if o := rec.owner(f.name); !e.isNew && o != nil && o.compare(&s) > 0 {
			continue
		}
		owned++
		e.set(f.name, f.value)
		e.dropFlags(f.name)
	}
	first := e.isNew
	s.Fields = s.Fields[:len(s.Fields):len(s.Fields)]
	if first {
		rec.State.Head, rec.State.Older = Stamp{}, nil
	}
	rec.remember(s, !first && !rec.headless())
	if first || e.change.Op == OpReplace {
		e.applyDefaults()
	}
	newest := rec.Head.compare(&s) == 0
	if newest && slices.ContainsFunc(e.flags, Flag.notStored) {
		e.flags = slices.DeleteFunc(slices.Clone(e.flags), Flag.notStored)
	}
	for _, f := range d.flags {
		if o := rec.owner("." + rootOf(f)); f.notStored() && newest || !f.notStored() && (o == nil || o.compare(&s) <= 0) {
			e.flags = append(slices.Clip(e.flags), f)
		}
	}
	e.requireds()
	return owned
}

// headless reports that a clearing left no change behind.
func (r *record) headless() bool {
	return r.Head.Version == (Version{}) && r.Head.Lane == "" && len(r.Head.Fields) == 0
}

// applyDefaults fills properties that nobody has written, on creation and after a clearing. Nobody owns a default, so
// any change may still write there.
func (e *edit) applyDefaults() {
	for _, f := range e.rec.rules.defaults {
		name := "." + f.Name
		if e.rec.owner(name) == nil {
			if _, there := e.find(name); !there {
				e.set(name, f.Value)
			}
		}
	}
}

// clearTo takes away what changes older than mark wrote.
func (e *edit) clearTo(mark *Stamp) {
	e.rec.forgetBefore(mark)
	for _, f := range slices.Clone(e.fields) {
		if e.rec.headless() || e.rec.owner(f.Name) == nil {
			e.set(f.Name, nil)
			e.dropFlags(f.Name)
		}
	}
}

// clear is clearTo for a late deletion: something newer keeps the entity there.
func (e *edit) clear(s Stamp) {
	mark := &Stamp{Lane: s.Lane, Version: s.Version}
	e.clearTo(mark)
	e.rec.Cleared = mark
	e.applyDefaults()
	e.requireds()
	e.rec.dirty |= dirtyHead
}

func (e *edit) changed() bool { return e.isNew || len(e.before) > 0 }

// finish stores what came out in the record and says what the change was.
func (e *edit) finish(owned int, s Stamp) Outcome {
	rec, c := e.rec, e.change
	outcome := OutcomeUnchanged
	switch {
	case e.isNew:
		outcome = OutcomeCreated
	case len(e.before) > 0:
		outcome = OutcomeUpdated
	case owned == 0 && len(s.Fields) > 0 && s.compare(&e.was.Head) < 0:
		outcome = OutcomeSuperseded
		if c.Op == OpMerge {
			return outcome // nothing of it is remembered: newer changes own every field
		}
	case c.Version == (Version{}):
		// An API write that changes nothing leaves no trace at all, but that of who wrote last.
		rec.State = e.was
		if c.Source != "" && rec.entity.Source != c.Source {
			rec.entity.Source, rec.Digest = c.Source, nil
			rec.dirty |= dirtyContent | dirtyHead
		}
		return OutcomeUnchanged
	}
	rec.dirty |= dirtyHead
	if rec.Head.compare(&s) == 0 {
		rec.Origin = c.Origin
		rec.Digest = nil
		if slices.Equal(rec.Head.Fields, s.Fields) {
			rec.Digest = e.b.digest(rec.rules, c)
		}
	}
	rec.there, rec.Deleted = true, nil
	e.record()
	return outcome
}

// record puts the content back together, when it changed, and notes the change in the history.
func (e *edit) record() {
	rec, c := e.rec, e.change
	if !slices.Equal(e.flags, rec.Flags) {
		rec.Flags = e.flags
		rec.dirty |= dirtyContent
		rec.entity.Flags = e.flags
	}
	if !e.changed() {
		return
	}
	rec.dirty |= dirtyContent
	ent := &rec.entity
	if e.isNew {
		*ent = Entity{ID: rec.stored, Blueprint: rec.key.Blueprint, Identifier: rec.key.Identifier, CreatedAt: e.b.now, CreatedBy: c.Actor, Flags: e.flags}
		rec.loaded = true
	}
	ent.UpdatedAt, ent.UpdatedBy, ent.Source = e.b.now, c.Actor, c.Source
	ent.Title, ent.Icon, ent.Team = "", "", nil
	properties, relations := []byte{'{'}, []byte{'{'}
	for _, f := range e.fields {
		switch f.Name[0] {
		case '.':
			properties = appendMember(properties, f.Name[1:], f.Value)
		case '>':
			relations = appendMember(relations, f.Name[1:], f.Value)
		default:
			switch f.Name {
			case fieldTitle:
				ent.Title = unquote(f.Value)
			case fieldIcon:
				ent.Icon = unquote(f.Value)
			case fieldTeam:
				ent.Team = f.Value
			}
		}
	}
	ent.Properties, ent.Relations = append(properties, '}'), append(relations, '}')
	if e.isNew {
		e.audit("CREATE", nil, e.fields)
		return
	}
	after := make([]Field, 0, len(e.before))
	for _, f := range e.before {
		if i, found := e.find(f.Name); found {
			f.Value = e.fields[i].Value
		} else {
			f.Value = nil
		}
		after = append(after, f)
	}
	e.audit("UPDATE", e.before, after)
}

// remove takes the entity away and leaves a tombstone.
func (e *edit) remove(s Stamp) {
	rec := e.rec
	e.audit("DELETE", e.fields, nil)
	rec.there = false
	rec.State = State{ID: rec.ID, Deleted: &Stamp{Lane: s.Lane, Stream: s.Stream, Version: s.Version}}
	rec.entity = Entity{}
	rec.dirty |= dirtyHead | dirtyContent
}

func (e *edit) audit(action string, before, after []Field) {
	if !e.rec.rules.history {
		return
	}
	entry := AuditEntry{
		At: e.b.now, Kind: "entity", Action: action, Blueprint: e.rec.key.Blueprint, Identifier: e.rec.key.Identifier,
		Actor: e.change.Actor, Source: e.change.Source, RunID: e.change.RunID, Origin: e.change.Origin,
	}
	if action != "CREATE" {
		entry.Before = fieldsJSON(before)
	}
	if action != "DELETE" {
		entry.After = fieldsJSON(after)
	}
	e.b.history = append(e.b.history, entry)
}

// fieldsJSON writes fields as an entity has them: title, icon and team beside properties and relations.
func fieldsJSON(fields []Field) []byte {
	fields = slices.SortedFunc(slices.Values(fields), byName)
	out := []byte{'{'}
	var properties, relations []byte
	for _, f := range fields {
		value := f.Value
		if value == nil {
			value = []byte("null")
		}
		switch f.Name[0] {
		case '$':
			out = appendMember(out, f.Name[1:], value)
		case '.':
			properties = appendMember(orBrace(properties), f.Name[1:], value)
		case '>':
			relations = appendMember(orBrace(relations), f.Name[1:], value)
		}
	}
	if properties != nil {
		out = appendMember(out, "properties", append(properties, '}'))
	}
	if relations != nil {
		out = appendMember(out, "relations", append(relations, '}'))
	}
	return append(out, '}')
}

func orBrace(b []byte) []byte {
	if b == nil {
		return []byte{'{'}
	}
	return b
}

// appendMember appends a member to an object that is still open.
func appendMember(object []byte, name string, value []byte) []byte {
	if len(object) > 1 {
		object = append(object, ',')
	}
	object = append(appendText(object, name), ':')
	return append(object, value...)
}

// rootOf returns the property that a flag is about: the longest prefix is not needed, names hold no dot.
func rootOf(f Flag) string {
	name, _, _ := strings.Cut(f.Property, ".")
	return name
}

// notStored reports that the flag is about something that the entity does not hold: such flags are those of its newest
// change alone.
func (f Flag) notStored() bool { return strings.HasSuffix(f.Want, "not stored") }

// dropFlags forgets what was wrong with a field that gets another value.
func (e *edit) dropFlags(field string) {
	name := strings.TrimLeft(field, ".>")
	if slices.ContainsFunc(e.flags, func(f Flag) bool { return rootOf(f) == name }) {
		e.flags = slices.DeleteFunc(slices.Clone(e.flags), func(f Flag) bool { return rootOf(f) == name })
	}
}

// requireds renews the flags of required properties and relations without a value.
func (e *edit) requireds() {
	missing := func(f Flag) bool { return f.Rule == "required" && f.Value == "null" }
	if slices.ContainsFunc(e.flags, missing) {
		e.flags = slices.DeleteFunc(slices.Clone(e.flags), missing)
	}
	for _, name := range e.rec.rules.required {
		if _, there := e.find("." + name); !there && e.rec.rules.checks[name] != nil {
			e.flags = append(e.flags, Flag{Property: name, Rule: "required", Want: e.rec.rules.property(name).Type, Value: "null"})
		}
	}
	for _, r := range e.rec.rules.Relations {
		if _, there := e.find(">" + r.Name); !there && r.Required {
			e.flags = append(e.flags, Flag{Property: r.Name, Rule: "required", Want: "relation to " + r.Target, Value: "null"})
		}
	}
	if len(e.flags) > 1 {
		e.flags = slices.Compact(slices.SortedFunc(slices.Values(e.flags), compareFlags))
	}
}

// compareFlags gives flags one order, so that the same flags are equal.
func compareFlags(a, b Flag) int {
	return gocmp.Or(strings.Compare(a.Property, b.Property), strings.Compare(a.Rule, b.Rule), strings.Compare(a.Want, b.Want), strings.Compare(a.Value, b.Value))
}
