package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"longshore/internal/fault"
)

// check says whether one value fits one property definition. The zero value accepts everything.
type check struct {
	name   string
	schema *jsonschema.Schema // nil: broken says why
	broken error
	// quick, when set, may say that a canonical value fits; when it says no, schema decides and explains.
	quick func(value []byte) bool
	// fallback is the definition's default, canonical; nil for none.
	fallback []byte
}

// newCheck compiles a property definition. A definition that is no JSON Schema checks the type alone and reports
// broken: saving it is refused, reading it never fails.
func newCheck(p Property) check {
	c := check{name: p.Name, quick: quickCheck(p)}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(p.Schema))
	if err != nil {
		c.broken = err
		return c
	}
	def, ok := doc.(map[string]any)
	if !ok {
		c.broken = fmt.Errorf("want an object")
		return c
	}
	if raw, ok := def["default"]; ok && raw != nil {
		text, err := json.Marshal(raw)
		if err == nil {
			c.fallback, _, _ = canonical(nil, text)
		}
	}
	for name, value := range def { // clients write null for what they leave out
		if value == nil {
			delete(def, name)
		}
	}
	if !countable(def) {
		c.broken = fmt.Errorf("a number of more than %d digits, or of an exponent beyond that", maxNumberBytes)
		return c
	}
	// Members that are Port's and would mean something else, or nothing, to a JSON Schema.
	for _, own := range []string{"spec", "specAuthentication", "icon", "default", "$id", "$schema", "id"} {
		delete(def, own)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.AssertFormat()
	compiler.UseLoader(noLoader{})
	for _, f := range portFormats {
		compiler.RegisterFormat(f)
	}
	const location = "urn:longshore:property"
	if err := compiler.AddResource(location, def); err != nil {
		c.broken = err
		return c
	}
	if c.schema, err = compiler.Compile(location); err != nil {
		c.broken = schemaError{err}
	}
	return c
}

// schemaError says of a broken definition what is wrong where: the library's own text begins with names that nobody gave.
type schemaError struct{ error }

func (e schemaError) Error() string {
	var of *jsonschema.SchemaValidationError
	if !errors.As(e.error, &of) {
		return e.error.Error()
	}
	var found []string
	for line := range strings.Lines(of.Err.Error()) {
		line, isCause := strings.CutPrefix(strings.TrimSpace(line), "- ")
		if isCause && !strings.HasSuffix(line, "failed") {
			found = append(found, line)
		}
	}
	return strings.Join(found, "; ")
}

func (e schemaError) Unwrap() error { return e.error }

// countable reports whether every number in a decoded value can be worked with. A schema's library cannot count to
// 1e999999999, which is short to write, and panics when it is asked to.
func countable(v any) bool {
	switch v := v.(type) {
	case json.Number:
		_, ok := rational([]byte(v))
		return ok
	case []any:
		return !slices.ContainsFunc(v, func(e any) bool { return !countable(e) })
	case map[string]any:
		for _, e := range v {
			if !countable(e) {
				return false
			}
		}
	}
	return true
}

// noLoader refuses every outside reference: the library's own loader would read files.
type noLoader struct{}

func (noLoader) Load(address string) (any, error) {
	return nil, fault.Errorf(fault.Denied, "a property definition may not refer to %q", address)
}

// portFormats are the string formats that Port adds to JSON Schema, and those that it means more loosely.
var portFormats = []*jsonschema.Format{
	{Name: "url", Validate: stringFormat(isURL)},
	{Name: "uri", Validate: stringFormat(isURL)},
	{Name: "email", Validate: stringFormat(isEmail)},
	{Name: "idn-email", Validate: stringFormat(isEmail)},
	{Name: "user", Validate: stringFormat(isEmail)},
	{Name: "date-time", Validate: stringFormat(isDateTime)},
	{Name: "timer", Validate: stringFormat(isDateTime)},
	{Name: "team", Validate: anyText},
	{Name: "markdown", Validate: anyText},
	{Name: "yaml", Validate: anyText},
	{Name: "proto", Validate: anyText},
	{Name: "blueprints", Validate: stringFormat(legalBlueprintID)},
	{Name: "entity", Validate: anyText},
	{Name: "blueprint", Validate: anyText},
	{Name: "labeled-url", Validate: labeledURL},
}

// labeledURL accepts {"url", "displayText"?}; what is no object is the type's to refuse.
func labeledURL(v any) error {
	object, is := v.(map[string]any)
	if !is {
		return nil
	}
	address, _ := object["url"].(string)
	if !isURL(address) {
		return fmt.Errorf("want a member url with an address")
	}
	if text, there := object["displayText"]; there && text != nil {
		if _, is := text.(string); !is {
			return fmt.Errorf("displayText: want a string")
		}
	}
	return nil
}

func anyText(any) error { return nil }

func stringFormat(ok func(string) bool) func(any) error {
	return func(v any) error {
		if s, is := v.(string); is && !ok(s) {
			return fmt.Errorf("does not fit")
		}
		return nil
	}
}

func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs()
}

func isEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s
}

func isDateTime(s string) bool {
	_, err := time.Parse(time.RFC3339Nano, strings.ToUpper(s))
	return err == nil
}

// flags returns what is wrong with a canonical value other than null: a flag for each rule it breaks.
func (c *check) flags(value []byte) []Flag {
	if c.quick != nil && c.quick(value) {
		return nil
	}
	if c.schema == nil {
		return nil
	}
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		return []Flag{{Property: c.name, Rule: "json", Want: "JSON", Value: excerpt(value)}}
	}
	if !countable(decoded) {
		return []Flag{{Property: c.name, Rule: "number", Want: fmt.Sprintf("numbers of at most %d digits and exponents no larger", maxNumberBytes), Value: excerpt(value)}}
	}
	err = c.schema.Validate(decoded)
	if err == nil {
		return nil
	}
	var wrong *jsonschema.ValidationError
	if !errors.As(err, &wrong) {
		return []Flag{{Property: c.name, Rule: "schema", Want: err.Error(), Value: excerpt(value)}}
	}
	return c.leaves(nil, wrong, decoded)
}

// leaves appends a flag for each innermost error.
func (c *check) leaves(flags []Flag, e *jsonschema.ValidationError, root any) []Flag {
	const maxFlags = 50 // of one value
	if len(e.Causes) > 0 {
		for _, cause := range e.Causes {
			if len(flags) < maxFlags {
				flags = c.leaves(flags, cause, root)
			}
		}
		return flags
	}
	f := Flag{Property: strings.Join(append([]string{c.name}, e.InstanceLocation...), ".")}
	if path := e.ErrorKind.KeywordPath(); len(path) > 0 {
		f.Rule = path[0]
	}
	at := valueAt(root, e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		f.Want = strings.Join(k.Want, " or ")
	case *kind.Format:
		f.Want = k.Want
	case *kind.Enum:
		f.Want = shorten(k.Want)
	case *kind.Required:
		f.Want = strings.Join(k.Missing, ", ")
	case *kind.Pattern:
		f.Want = k.Want
	case *kind.AdditionalProperties:
		f.Want = "no " + strings.Join(k.Properties, ", ")
	case *kind.MinLength:
		f.Want = strconv.Itoa(k.Want)
	case *kind.MaxLength:
		f.Want = strconv.Itoa(k.Want)
	case *kind.MinItems:
		f.Want = strconv.Itoa(k.Want)
	case *kind.MaxItems:
		f.Want = strconv.Itoa(k.Want)
	case *kind.Minimum:
		f.Want = k.Want.RatString()
	case *kind.Maximum:
		f.Want = k.Want.RatString()
	case *kind.ExclusiveMinimum:
		f.Want = k.Want.RatString()
	case *kind.ExclusiveMaximum:
		f.Want = k.Want.RatString()
	}
	f.Value = shorten(at)
	return append(flags, f)
}

func shorten(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return excerpt(text)
}

func valueAt(v any, path []string) any {
	for _, step := range path {
		switch t := v.(type) {
		case map[string]any:
			v = t[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(t) {
				return nil
			}
			v = t[i]
		default:
			return nil
		}
	}
	return v
}

// displayMembers say nothing about which values fit.
var displayMembers = []string{
	"type", "title", "description", "icon", "format", "enum", "enumColors", "colorized", "dateFormat", "spec",
	"specAuthentication", "default",
}

// quickCheck returns a check that looks at bytes, for definitions made of a type, a format and an enum; nil for others.
func quickCheck(p Property) func([]byte) bool {
	list, err := ordered(p.Schema)
	if err != nil {
		return nil
	}
	for _, m := range list {
		if !slices.Contains(displayMembers, m.Name) {
			return nil
		}
	}
	raw, hasEnum := lookup(list, "enum")
	if hasEnum {
		return quickEnum(p, raw)
	}
	first := func(want string) func([]byte) bool {
		return func(v []byte) bool { return len(v) > 0 && strings.IndexByte(want, v[0]) >= 0 }
	}
	switch p.Type {
	case "string":
		switch p.Format {
		case "", "markdown", "yaml", "proto", "team", "entity", "blueprint":
			return first(`"`)
		case "date-time", "timer":
			return func(v []byte) bool { return plainText(v) && isDateTime(string(v[1:len(v)-1])) }
		case "url":
			return func(v []byte) bool { return plainText(v) && isURL(string(v[1:len(v)-1])) }
		}
		return nil
	case "boolean":
		return first("tf")
	case "number":
		if p.Format == "" {
			return first("-0123456789")
		}
	case "object":
		if p.Format == "" {
			return first("{")
		}
	case "array":
		if p.Format == "" {
			return first("[")
		}
	}
	return nil
}

func quickEnum(p Property, raw []byte) func([]byte) bool {
	var enum []json.RawMessage
	if p.Type != "string" || p.Format != "" || json.Unmarshal(raw, &enum) != nil {
		return nil
	}
	legal := map[string]bool{}
	for _, e := range enum {
		text, _, err := canonical(nil, e)
		if err != nil || text[0] != '"' {
			return nil
		}
		legal[string(text)] = true
	}
	return func(v []byte) bool { return legal[string(v)] }
}

// plainText reports whether a canonical value is a string without escapes.
func plainText(v []byte) bool {
	return len(v) >= 2 && v[0] == '"' && bytes.IndexByte(v, '\\') < 0
}
