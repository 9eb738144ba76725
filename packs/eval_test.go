package packs_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/itchyny/gojq"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"longshore/packs"
	"longshore/packs/samples"
)

// model is a pack compiled plainly: every expression by gojq, every blueprint by a JSON Schema validator. It is what
// the documents mean; the engine has its own, quicker way to the same values, and a test holds one against the other.
type model struct {
	pack     packs.Pack
	mappings []rule
	schemas  map[string]*jsonschema.Schema
}

// rule is one mapping.
type rule struct {
	Blueprint string `json:"blueprint"`
	Operation string `json:"operation"`
	Filter    string `json:"filter"`
	Entity    struct {
		Identifier string            `json:"identifier"`
		Title      string            `json:"title"`
		Properties map[string]string `json:"properties"`
		Relations  map[string]string `json:"relations"`
	} `json:"entity"`
	code map[string]*gojq.Code // by expression
}

// expressions lists the mapping's jq texts by the place where they stand.
func (r rule) expressions() map[string]string {
	all := map[string]string{"filter": r.Filter, "identifier": r.Entity.Identifier}
	if r.Entity.Title != "" {
		all["title"] = r.Entity.Title
	}
	for name, text := range r.Entity.Properties {
		all["properties."+name] = text
	}
	for name, text := range r.Entity.Relations {
		all["relations."+name] = text
	}
	return all
}

// blueprint is what the tests read of a blueprint document.
type blueprint struct {
	Identifier  string `json:"identifier"`
	Title       string `json:"title"`
	Description string `json:"description"`
	History     *bool  `json:"history"`
	Schema      struct {
		Properties map[string]json.RawMessage `json:"properties"`
		Required   []string                   `json:"required"`
	} `json:"schema"`
	Relations map[string]struct {
		Title     string `json:"title"`
		Target    string `json:"target"`
		Required  bool   `json:"required"`
		Many      bool   `json:"many"`
		InverseOf string `json:"inverseOf"`
	} `json:"relations"`
	Mirror      map[string]struct{ Path string } `json:"mirrorProperties"`
	Calculation map[string]struct{ Calculation, Type string }
	Aggregation map[string]struct {
		Target     string
		PathFilter []struct {
			Path          []string
			FromBlueprint string
		}
	} `json:"aggregationProperties"`
}

func blueprints(t *testing.T, p packs.Pack) map[string]blueprint {
	t.Helper()
	all := map[string]blueprint{}
	for _, doc := range p.Blueprints {
		var b blueprint
		var derived struct {
			Calculation map[string]struct{ Calculation, Type string } `json:"calculationProperties"`
		}
		if err := json.Unmarshal(doc.JSON, &b); err != nil {
			t.Fatalf("%s: blueprint %s: %v", p.Name, doc.Identifier, err)
		}
		if err := json.Unmarshal(doc.JSON, &derived); err != nil {
			t.Fatalf("%s: blueprint %s: %v", p.Name, doc.Identifier, err)
		}
		b.Calculation = derived.Calculation
		all[doc.Identifier] = b
	}
	return all
}

func open(t *testing.T, name string) *model {
	t.Helper()
	p, err := packs.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	m := &model{pack: p, schemas: map[string]*jsonschema.Schema{}}
	var webhook struct {
		Mappings []rule `json:"mappings"`
	}
	if err := json.Unmarshal(p.Webhook.JSON, &webhook); err != nil {
		t.Fatalf("%s: webhook: %v", name, err)
	}
	m.mappings = webhook.Mappings
	for i, r := range m.mappings {
		m.mappings[i].code = map[string]*gojq.Code{}
		for place, text := range r.expressions() {
			code, err := compile(text)
			if err != nil {
				t.Errorf("%s: mapping %d (%s), %s: %v", name, i, r.Blueprint, place, err)
			}
			m.mappings[i].code[text] = code
		}
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.AssertFormat()
	for _, doc := range p.Blueprints {
		var read struct {
			Schema map[string]any `json:"schema"`
		}
		if err := json.Unmarshal(doc.JSON, &read); err != nil {
			t.Fatal(err)
		}
		read.Schema["type"] = "object"
		url := "mem://" + doc.Identifier
		if err := compiler.AddResource(url, read.Schema); err != nil {
			t.Fatal(err)
		}
		if m.schemas[doc.Identifier], err = compiler.Compile(url); err != nil {
			t.Fatalf("%s: blueprint %s: %v", name, doc.Identifier, err)
		}
	}
	return m
}

// unquote is the dialect's one rule of its own: a single quote that opens or closes a word becomes a double quote.
func unquote(text string) string {
	in := []rune(text)
	at := func(i int) rune {
		if i < 0 || i >= len(in) {
			return ' '
		}
		return in[i]
	}
	closed := func(r rune) bool { return unicode.IsSpace(r) || r == '"' }
	out := []rune(text)
	for i, r := range in {
		opens := unicode.IsSpace(at(i-1)) && !closed(at(i+1))
		closes := !closed(at(i-1)) && unicode.IsSpace(at(i+1))
		if r == '\'' && (opens || closes) {
			out[i] = '"'
		}
	}
	return string(out)
}

func compile(text string) (*gojq.Code, error) {
	query, err := gojq.Parse(unquote(text))
	if err != nil {
		return nil, err
	}
	return gojq.Compile(query)
}

// first is an expression's first output; none when there is none, nil when it fails.
func first(code *gojq.Code, input any) (value any, some bool, err error) {
	value, some = code.Run(input).Next()
	if err, failed := value.(error); failed {
		return nil, true, err
	}
	return value, some, nil
}

// outcome is what one mapping makes of one record.
type outcome struct {
	Mapping    int
	Blueprint  string
	Clause     string // the first clause of the filter that is not true; "" when the record passes
	Identifier string // "" when it is not legal
	Title      any
	Properties map[string]any
	Relations  map[string]any
	Failed     []string // places whose expression failed
	Flags      []string // rules that the blueprint breaks: "created: required", "client/zone: type"
}

var legal = regexp.MustCompile(`^[\p{L}0-9@_.+:\\/=-]{1,1000}$`)

// apply runs every mapping over a record of the stream.
func (m *model) apply(t *testing.T, stream string, record []byte) []outcome {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(record, &body); err != nil {
		t.Fatalf("%s: %v in %s", stream, err, record)
	}
	body["_PORT_SOURCE_OBJECT_KEY"] = samples.Key(stream)
	input := map[string]any{"body": body, "headers": map[string]any{}, "queryParams": map[string]any{}}
	var all []outcome
	for i, r := range m.mappings {
		o := outcome{Mapping: i, Blueprint: r.Blueprint, Properties: map[string]any{}, Relations: map[string]any{}}
		if pass, _, _ := first(r.code[r.Filter], input); pass != true {
			o.Clause = clause(t, r.Filter, input)
			all = append(all, o)
			continue
		}
		run := func(place, text string) any {
			value, _, err := first(r.code[text], input)
			if err != nil {
				o.Failed = append(o.Failed, place+": "+err.Error())
			}
			return value
		}
		id := run("identifier", r.Entity.Identifier)
		if number, ok := id.(float64); ok {
			id = strconv.FormatFloat(number, 'f', -1, 64) // a number stands for its text
		}
		if text, ok := id.(string); ok && legal.MatchString(text) {
			o.Identifier = text
		}
		if r.Entity.Title != "" {
			o.Title = run("title", r.Entity.Title)
		}
		for name, text := range r.Entity.Properties {
			o.Properties[name] = run("properties."+name, text)
		}
		for name, text := range r.Entity.Relations {
			o.Relations[name] = run("relations."+name, text)
		}
		o.Flags = m.flags(t, r.Blueprint, o.Properties)
		all = append(all, o)
	}
	return all
}

// clause finds the first operand of the filter's "and" that is not true.
func clause(t *testing.T, filter string, input any) string {
	t.Helper()
	query, err := gojq.Parse(unquote(filter))
	if err != nil {
		t.Fatal(err)
	}
	for {
		if query.Term != nil && query.Term.Type == gojq.TermTypeQuery && len(query.Term.SuffixList) == 0 {
			query = query.Term.Query
			continue
		}
		if query.Op != gojq.OpAnd {
			return query.String()
		}
		code, err := gojq.Compile(query.Left)
		if err != nil {
			t.Fatal(err)
		}
		if left, _, _ := first(code, input); left != true {
			query = query.Left
		} else {
			query = query.Right
		}
	}
}

// flags checks properties as Port does: a null of the first level counts as not set, deeper ones are values.
func (m *model) flags(t *testing.T, blueprint string, properties map[string]any) []string {
	t.Helper()
	set := map[string]any{}
	for name, value := range properties {
		if value != nil {
			set[name] = value
		}
	}
	err := m.schemas[blueprint].Validate(set)
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		t.Fatal(err)
	}
	var flags []string
	var walk func(*jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		for _, cause := range e.Causes {
			walk(cause)
		}
		if len(e.Causes) > 0 {
			return
		}
		if missing, ok := e.ErrorKind.(*kind.Required); ok {
			for _, name := range missing.Missing {
				flags = append(flags, pointer(append(slices.Clone(e.InstanceLocation), name))+": required")
			}
			return
		}
		flags = append(flags, pointer(e.InstanceLocation)+": "+strings.Join(e.ErrorKind.KeywordPath(), "/"))
	}
	walk(invalid)
	sort.Strings(flags)
	return flags
}

// pointer writes a place with list indexes left out, so that places can be counted.
func pointer(path []string) string {
	var parts []string
	for _, p := range path {
		if p != "" && strings.Trim(p, "0123456789") == "" {
			p = "[]"
		}
		parts = append(parts, p)
	}
	return strings.Join(parts, ".")
}
