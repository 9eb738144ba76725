package catalog

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"longshore/internal/fault"
)

// The fields of an entity that are neither property nor relation, as stamps name them.
const (
	fieldTitle = "$title"
	fieldIcon  = "$icon"
	fieldTeam  = "$team"
)

// draft is a Change made ready: canonical values in order of field, and what is wrong with them.
type draft struct {
	fields []draftField
	flags  []Flag
}

// draftField is one field to write. A nil value clears.
type draftField struct {
	name  string // as stamps name it
	value []byte
}

func (d *draft) value(field string) (value []byte, sent bool) {
	i, found := slices.BinarySearchFunc(d.fields, field, func(f draftField, name string) int { return strings.Compare(f.name, name) })
	if !found {
		return nil, false
	}
	return d.fields[i].value, true
}

// fieldNames returns the fields that a change writes, sorted, by rules alone. last is the previous answer and the change
// that it was for: a batch comes from few mappings, so most changes name the same fields in the same order.
func (b *batch) fieldNames(r *rules, c *Change) []string {
	l := &b.last
	if l.rules == r && (l.title == (c.Title != nil)) && l.icon == (c.Icon != nil) && l.team == (c.Team != nil) &&
		sameNames(l.properties, c.Properties) && sameNames(l.relations, c.Relations) {
		return l.fields
	}
	*l = lastFields{rules: r, title: c.Title != nil, icon: c.Icon != nil, team: c.Team != nil}
	for _, sent := range []struct {
		name string
		is   bool
	}{{fieldTitle, l.title}, {fieldIcon, l.icon}, {fieldTeam, l.team}} {
		if sent.is {
			l.fields = append(l.fields, sent.name)
		}
	}
	for _, f := range c.Properties {
		l.properties = append(l.properties, f.Name)
		if r.checks[f.Name] != nil {
			l.fields = append(l.fields, "."+f.Name)
		}
	}
	for _, f := range c.Relations {
		l.relations = append(l.relations, f.Name)
		if rel := r.relations[f.Name]; rel != nil && rel.InverseOf == "" {
			l.fields = append(l.fields, ">"+f.Name)
		}
	}
	slices.Sort(l.fields)
	l.fields = slices.Compact(l.fields)
	return l.fields
}

type lastFields struct {
	rules                 *rules
	title, icon, team     bool
	properties, relations []string
	fields                []string
}

func sameNames(names []string, fields []Field) bool {
	if len(names) != len(fields) {
		return false
	}
	for i := range names {
		if names[i] != fields[i].Name {
			return false
		}
	}
	return true
}

// digest identifies what a change says, given its blueprint's rules.
func (b *batch) digest(r *rules, c *Change) []byte {
	h := &b.hasher
	h.Reset()
	var n [8]byte
	how := 2 * uint64(c.Op)
	if c.Lenient { // the same content can be kept leniently and rejected strictly
		how++
	}
	binary.LittleEndian.PutUint64(n[:], r.hash+how)
	_, _ = h.Write(n[:])
	put := func(name string, value []byte) {
		binary.LittleEndian.PutUint32(n[:4], uint32(len(name)))
		binary.LittleEndian.PutUint32(n[4:], uint32(len(value)))
		_, _ = h.Write(n[:])
		_, _ = h.WriteString(name)
		_, _ = h.Write(value)
	}
	if c.Version == (Version{}) { // the same content by another writer is not the same: it is the entity's source now
		put("source", []byte(c.Source))
	}
	put(fieldTitle, c.Title)
	put(fieldIcon, c.Icon)
	put(fieldTeam, c.Team)
	for _, f := range c.Properties {
		put(f.Name, f.Value)
	}
	put("", nil)
	for _, f := range c.Relations {
		put(f.Name, f.Value)
	}
	sum := h.Sum128().Bytes()
	return sum[:]
}

// newDraft makes a change ready. In a strict change, what is wrong is an error; in a lenient one, a flag.
func newDraft(r *rules, c *Change) (draft, error) {
	var d draft
	for _, m := range []struct {
		name  string
		value []byte
	}{{fieldTitle, c.Title}, {fieldIcon, c.Icon}, {fieldTeam, c.Team}} {
		if m.value == nil {
			continue
		}
		if err := d.meta(r, c, m.name, m.value); err != nil {
			return d, err
		}
	}
	for _, f := range c.Properties {
		if err := d.property(r, c, f); err != nil {
			return d, err
		}
	}
	for _, f := range c.Relations {
		if err := d.relation(r, c, f); err != nil {
			return d, err
		}
	}
	slices.SortStableFunc(d.fields, func(a, b draftField) int { return strings.Compare(a.name, b.name) })
	// Of a field sent twice the last counts, as in JSON.
	kept := d.fields[:0]
	for i, f := range d.fields {
		if i+1 == len(d.fields) || d.fields[i+1].name != f.name {
			kept = append(kept, f)
		}
	}
	d.fields = kept
	return d, nil
}

func (d *draft) set(field string, value []byte) {
	if string(value) == "null" {
		value = nil
	}
	d.fields = append(d.fields, draftField{field, value})
}

// canonical returns the canonical form of a value that came with the change.
func (d *draft) canonical(name string, value []byte) ([]byte, error) {
	out, mended, err := canonical(make([]byte, 0, len(value)), value)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "property %q: %w", name, err).WithCode("invalid_request", nil)
	}
	if mended {
		d.flags = append(d.flags, Flag{Property: name, Rule: "unicode", Want: "text without U+0000 and lone surrogates; each is stored as U+FFFD", Value: excerpt(value)})
	}
	return out, nil
}

func (d *draft) meta(r *rules, c *Change, field string, raw []byte) error {
	value, err := d.canonical(field, raw)
	if err != nil {
		return err
	}
	if field == fieldTeam {
		if r.owned.path != nil && (isNull(value) || string(value) == "[]") {
			return nil
		}
		if r.owned.path != nil {
			if !c.Lenient {
				return fault.Errorf(fault.Invalid, "the team of %q is read at the end of %q and cannot be written, got %s", r.Identifier,
					strings.Join(r.owned.path, "."), excerpt(value)).WithCode(r.owned.code, map[string]any{"blueprint": r.Identifier})
			}
			d.flags = append(d.flags, Flag{Property: field, Rule: "inherited", Want: "no team: it is inherited; not stored", Value: excerpt(value)})
			return nil
		}
		names, bad := texts(value)
		if bad {
			return d.wrong(c, Flag{Property: field, Rule: "type", Want: "string or list of strings; not stored", Value: excerpt(value)})
		}
		if names == nil {
			d.set(field, nil)
			return nil
		}
		d.set(field, textList(names))
		return nil
	}
	switch {
	case isNull(value), value[0] == '"':
		if string(value) == `""` {
			value = nil
		}
		d.set(field, value)
	case c.Lenient && value[0] != '{' && value[0] != '[':
		d.set(field, appendText(nil, string(value))) // a number or boolean: its text
	default:
		return d.wrong(c, Flag{Property: field, Rule: "type", Want: "string; not stored", Value: excerpt(value)})
	}
	return nil
}

// wrong is a flag in a lenient change and an error in a strict one.
func (d *draft) wrong(c *Change, f Flag) error {
	if c.Lenient {
		d.flags = append(d.flags, f)
		return nil
	}
	return mismatch(c, f)
}

// mismatch is Port's answer to an entity that does not fit its blueprint.
func mismatch(c *Change, f Flag) error {
	message := fmt.Sprintf("property %q of %q breaks the rule %q", f.Property, c.Blueprint, f.Rule)
	switch f.Rule {
	case "required":
		message = fmt.Sprintf("property %q of %q is required", f.Property, c.Blueprint)
	case "unknown-property", "unknown-relation":
		message = fmt.Sprintf("%q is not defined in blueprint %q", f.Property, c.Blueprint)
	}
	if f.Want != "" {
		message += ": want " + f.Want
	}
	if f.Value != "" {
		message += ", got " + f.Value
	}
	return fault.Errorf(fault.Invalid, "%s", message).WithCode("blueprint_schema_mismatch",
		map[string]any{"property": f.Property, "rule": f.Rule, "blueprint": c.Blueprint})
}

func (d *draft) property(r *rules, c *Change, f Field) error {
	check := r.checks[f.Name]
	if check == nil {
		want := "a property of the blueprint; not stored"
		if r.derived[f.Name] {
			want = "nothing: it is calculated; not stored"
		}
		return d.wrong(c, Flag{Property: f.Name, Rule: "unknown-property", Want: want, Value: excerpt(f.Value)})
	}
	value, err := d.canonical(f.Name, f.Value)
	if err != nil {
		if !c.Lenient {
			return err
		}
		d.flags = append(d.flags, Flag{Property: f.Name, Rule: "json", Want: "JSON; not stored", Value: excerpt(f.Value)})
		return nil
	}
	if !isNull(value) {
		flags := check.flags(value)
		if len(flags) > 0 && !c.Lenient {
			return mismatch(c, flags[0])
		}
		d.flags = append(d.flags, flags...)
	}
	d.set("."+f.Name, value)
	return nil
}

func (d *draft) relation(r *rules, c *Change, f Field) error {
	rel := r.relations[f.Name]
	if rel == nil {
		return d.wrong(c, Flag{Property: f.Name, Rule: "unknown-relation", Want: "a relation of the blueprint; not stored", Value: excerpt(f.Value)})
	}
	if rel.InverseOf != "" {
		return d.wrong(c, Flag{
			Property: f.Name, Rule: "unknown-relation",
			Want: fmt.Sprintf("nothing: it is read from %s.%s; not stored", rel.Target, rel.InverseOf), Value: excerpt(f.Value),
		})
	}
	value, err := d.canonical(f.Name, f.Value)
	if err != nil {
		return err
	}
	targets, bad := texts(value)
	targets = slices.DeleteFunc(targets, func(t string) bool { return t == "" })
	for _, t := range targets {
		bad = bad || !legalEntityID(t)
	}
	if bad {
		return d.wrong(c, Flag{Property: f.Name, Rule: "type", Want: "an entity identifier or a list of them; not stored", Value: excerpt(value)})
	}
	switch {
	case isNull(value), len(targets) == 0 && !rel.Many:
		d.set(">"+f.Name, nil)
	case rel.Many:
		d.set(">"+f.Name, textList(targets))
	default:
		if len(targets) > 1 {
			flag := Flag{Property: f.Name, Rule: "many", Want: "one identifier; the first is kept", Value: excerpt(value)}
			if !c.Lenient {
				return fault.Errorf(fault.Invalid, "relation %q of %q takes one identifier, got %d", f.Name, c.Blueprint, len(targets)).
					WithCode("relation_many_violation", map[string]any{"relation": f.Name})
			}
			d.flags = append(d.flags, flag)
		}
		d.set(">"+f.Name, appendText(nil, targets[0]))
	}
	return nil
}

// texts reads a string, a number (its text), a list of those, or null. Null elements are passed over, of equal ones the
// first is kept.
func texts(value []byte) (list []string, bad bool) {
	one := func(v []byte) {
		switch {
		case isNull(v):
			return
		case v[0] == '"':
			v = []byte(unquote(v))
		case v[0] != '-' && (v[0] < '0' || v[0] > '9'):
			bad = true
			return
		}
		if s := string(v); len(list) > 64 || !slices.Contains(list, s) {
			list = append(list, s)
		}
	}
	if len(value) > 0 && value[0] == '[' {
		list = []string{}
		elements(value, one)
		if len(list) > 64 {
			list = distinct(list)
		}
		return list, bad
	}
	one(value)
	return list, bad
}

func distinct(list []string) []string {
	seen := make(map[string]bool, len(list))
	return slices.DeleteFunc(list, func(s string) bool {
		was := seen[s]
		seen[s] = true
		return was
	})
}

func textList(list []string) []byte {
	out := []byte{'['}
	for i, s := range list {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendText(out, s)
	}
	return append(out, ']')
}

// isQuery reports whether a relation's value is a search to be resolved.
func isQuery(value []byte) bool {
	if len(value) == 0 || value[0] != '{' {
		return false
	}
	var q struct {
		Rules json.RawMessage `json:"rules"`
	}
	return json.Unmarshal(value, &q) == nil && q.Rules != nil
}
