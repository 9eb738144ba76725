package mapping

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf8"

	"longshore/internal/catalog"
	"longshore/internal/jq"
	"longshore/internal/verdict"
)

// entity makes the mapping's Change of the event. The code is None when there is one; the detail then holds the notes.
func (r *Runner) entity(ctx context.Context, m *compiled) (verdict.Code, verdict.Detail, error) {
	if m.broken != nil {
		return verdict.ExpressionError, verdict.Detail{Field: m.broken.field, Expression: m.broken.shown, Message: m.broken.message}, nil
	}
	r.notes, r.failed, r.unsaid = nil, nil, 0
	r.change = catalog.Change{
		Blueprint: m.blueprint, Op: m.op, DeleteDependents: m.deleteDependents,
		CreateMissingRelated: r.set.opts.CreateMissingRelated || m.createMissing, Lenient: !r.set.opts.Strict,
		Lane: m.lane, Source: r.set.source,
		Properties: r.change.Properties[:0], Relations: r.change.Relations[:0],
	}
	if m.blueprintNode != nil && m.blueprint == "" {
		if code, detail, err := r.blueprint(ctx, m); code != verdict.None || err != nil {
			return code, detail, err
		}
	}
	code, detail, err := r.identify(ctx, m)
	if code != verdict.None || err != nil || m.op == catalog.OpDelete {
		return code, detail, err
	}
	if err := r.describe(ctx, m); err != nil {
		return 0, verdict.Detail{}, err
	}
	if r.set.opts.Strict && r.failed != nil {
		detail = *r.failed
		detail.More = r.allNotes()[1:] // the first is the failure itself
		return verdict.ExpressionError, detail, nil
	}
	return verdict.None, verdict.Detail{More: r.allNotes()}, nil
}

// blueprint sets the Change's blueprint, where jq computes it.
func (r *Runner) blueprint(ctx context.Context, m *compiled) (verdict.Code, verdict.Detail, error) {
	value, failure, err := r.evaluate(ctx, m.blueprintNode)
	if err != nil {
		return 0, verdict.Detail{}, err
	}
	if failure != nil {
		return verdict.ExpressionError, *failure, nil
	}
	name, ok := stringOf(value)
	if ok && name != "" {
		r.change.Blueprint = name
		return verdict.None, verdict.Detail{}, nil
	}
	detail := verdict.Detail{Field: m.where + "blueprint", Expression: m.blueprintNode.shown(), Value: jq.Excerpt(value)}
	switch {
	case ok:
		detail.Message = "the blueprint is empty"
	default:
		detail.Message = "the blueprint must be a string, got " + kindOfJSON(value)
	}
	return verdict.ExpressionError, detail, nil
}

// identify sets the Change's identifier, or the search for it.
func (r *Runner) identify(ctx context.Context, m *compiled) (verdict.Code, verdict.Detail, error) {
	value, failure, err := r.evaluate(ctx, m.identifier)
	if err != nil {
		return 0, verdict.Detail{}, err
	}
	if failure != nil {
		return verdict.ExpressionError, *failure, nil
	}
	if m.identifier.isSearch() {
		r.change.IdentifierQuery = value
		return verdict.None, verdict.Detail{}, nil
	}
	detail := verdict.Detail{Field: m.where + "identifier", Expression: m.identifier.shown(), Value: jq.Excerpt(value)}
	identifier, ok := textOf(value)
	switch {
	case value == nil:
		detail.Message = "the identifier's expression gave nothing"
	case !ok:
		detail.Message = "the identifier must be a string or number, got " + kindOfJSON(value)
	case identifier == "":
		detail.Message = "the identifier is empty"
	default:
		if rule := identifierFault(identifier); rule != "" {
			detail.Rule, detail.Message = "identifier", rule
			return verdict.SchemaReject, detail, nil
		}
		r.change.Identifier = identifier
		return verdict.None, verdict.Detail{}, nil
	}
	if path, subject := m.identifier.subject(r.in); path != "" {
		detail.Value = jq.Excerpt(subject)
	}
	return verdict.ExpressionError, detail, nil
}

// describe sets everything but the identifier.
func (r *Runner) describe(ctx context.Context, m *compiled) (err error) {
	if r.change.Title, err = r.value(ctx, m.title); err != nil {
		return err
	}
	if r.change.Icon, err = r.value(ctx, m.icon); err != nil {
		return err
	}
	if r.change.Team, err = r.value(ctx, m.team); err != nil {
		return err
	}
	for i := range m.properties {
		f := &m.properties[i]
		value, err := r.value(ctx, f.value)
		if err != nil {
			return err
		}
		if value != nil {
			r.change.Properties = append(r.change.Properties, catalog.Field{Name: f.name, Value: value})
		}
	}
	for i := range m.relations {
		f := &m.relations[i]
		value, err := r.value(ctx, f.value)
		if err != nil {
			return err
		}
		if value = r.related(f, value); value != nil {
			r.change.Relations = append(r.change.Relations, catalog.Field{Name: f.name, Value: value})
		}
	}
	return nil
}

var null = []byte("null")

// value evaluates a member of the entity: nil leaves it out, a failure is noted and becomes null.
func (r *Runner) value(ctx context.Context, n *node) ([]byte, error) {
	if n == nil {
		return nil, nil
	}
	value, failure, err := r.evaluate(ctx, n)
	if failure != nil {
		r.note(*failure)
		return null, nil
	}
	return value, err
}

// maxNotes is how many notes an outcome carries.
const maxNotes = 50

// note keeps a failure for the outcome. The first stands at the head of the notes.
func (r *Runner) note(failure verdict.Detail) {
	if r.failed == nil {
		r.failed = &failure
		r.notes = append([]verdict.Detail{failure}, r.notes...)
		return
	}
	r.remark(failure)
}

// remark keeps a note that does not decide in strict mode.
func (r *Runner) remark(note verdict.Detail) {
	if len(r.notes) >= maxNotes {
		r.unsaid++
		return
	}
	r.notes = append(r.notes, note)
}

func (r *Runner) allNotes() []verdict.Detail {
	if r.unsaid == 0 {
		return r.notes
	}
	return append(r.notes, verdict.Detail{Message: fmt.Sprintf("and %d more", r.unsaid)})
}

// related makes a relation's value a string, a list of strings, null or a search. Numbers become text; in a list
// other elements are left out with a note.
func (r *Runner) related(f *field, value []byte) []byte {
	if value == nil || f.value.isSearch() {
		return value
	}
	switch value[0] {
	case '"', 'n':
		return value
	case '[':
		return r.relatedList(f, value)
	case '{':
		if isSearchText(value) {
			return value
		}
	case 't', 'f':
	default:
		return quoted(value)
	}
	r.note(relationNote(f, value, "want a string, a list or a search, got "+kindOfJSON(value)))
	return null
}

func (r *Runner) relatedList(f *field, list []byte) []byte {
	clean := true
	jq.Elements(list, func(_ int, element []byte) bool {
		clean = element[0] == '"'
		return clean
	})
	if clean {
		return list
	}
	out := []byte{'['}
	jq.Elements(list, func(i int, element []byte) bool {
		switch element[0] {
		case '"':
		case '{', '[', 't', 'f', 'n':
			note := relationNote(f, element, fmt.Sprintf("element %d is left out: want a string, got %s", i, kindOfJSON(element)))
			if element[0] == 'n' { // nothing is lost with it
				r.remark(note)
			} else {
				r.note(note)
			}
			return true
		default:
			element = quoted(element)
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, element...)
		return true
	})
	return append(out, ']')
}

func relationNote(f *field, value []byte, message string) verdict.Detail {
	return verdict.Detail{Field: f.where + "relations." + f.name, Expression: f.value.shown(), Rule: "type", Message: message, Value: jq.Excerpt(value)}
}

// isSearchText reports whether a JSON object looks like a search: it has a combinator and rules.
func isSearchText(object []byte) bool {
	var search struct{ Combinator, Rules json.RawMessage }
	return json.Unmarshal(object, &search) == nil && search.Combinator != nil && search.Rules != nil
}

func quoted(number []byte) []byte {
	return append(append(append(make([]byte, 0, len(number)+2), '"'), number...), '"')
}

// textOf returns the text of a JSON string, or of a number as it is written.
func textOf(value []byte) (string, bool) {
	if len(value) == 0 {
		return "", false
	}
	switch value[0] {
	case '"':
		if inner := value[1 : len(value)-1]; bytes.IndexByte(inner, '\\') < 0 {
			return string(inner), true
		}
		return stringOf(value)
	case '{', '[', 't', 'f', 'n':
		return "", false
	}
	return string(value), true
}

const maxIdentifierRunes = 1000

// identifierFault says why the text is no legal identifier, or "". Legal are letters of any script, digits and
// @_.+:\/=- but not "." and "..", at most 1000 characters.
func identifierFault(s string) string {
	if s == "." || s == ".." {
		return fmt.Sprintf("%q is not allowed as an identifier", s)
	}
	if n := utf8.RuneCountInString(s); n > maxIdentifierRunes {
		return fmt.Sprintf("the identifier has %d characters, at most %d are allowed", n, maxIdentifierRunes)
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '-' && r <= ':', r == '@', r == '_', r == '+', r == '\\', r == '=':
			// '-' to ':' are - . / 0-9 :
		case r < utf8.RuneSelf || !unicode.IsLetter(r):
			return fmt.Sprintf("the identifier holds %q; letters, digits and @_.+:\\/=- are allowed", r)
		}
	}
	return ""
}
