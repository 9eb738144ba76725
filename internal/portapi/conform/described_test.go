package conform_test

import (
	"fmt"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"longshore/internal/portapi"
)

// description is the served OpenAPI document, against which every answer of this suite is held.
type description struct {
	operations []described
	compiler   *jsonschema.Compiler
	mu         sync.Mutex
	schemas    map[string]*jsonschema.Schema
}

type described struct {
	method   string
	segments []string
	pointer  string
	statuses map[string]bool
}

const document = "urn:longshore:openapi"

var theDescription = sync.OnceValues(func() (*description, error) {
	w := httptest.NewRecorder()
	portapi.New(portapi.Config{}).ServeHTTP(w, httptest.NewRequest("GET", "/v1/openapi.json", nil))
	doc, err := jsonschema.UnmarshalJSON(w.Body)
	if err != nil {
		return nil, err
	}
	d := &description{compiler: jsonschema.NewCompiler(), schemas: map[string]*jsonschema.Schema{}}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource(document, doc); err != nil {
		return nil, err
	}
	escape := strings.NewReplacer("/", "~1", "{", "%7B", "}", "%7D")
	for path, operations := range child(doc, "paths") {
		for method, operation := range child(operations) {
			o := described{strings.ToUpper(method), strings.Split(path[1:], "/"), "#/paths/" + escape.Replace(path) + "/" + method + "/responses/", map[string]bool{}}
			for status := range child(operation, "responses") {
				o.statuses[status] = true
			}
			d.operations = append(d.operations, o)
		}
	}
	return d, nil
})

// child is the object at a path of members, or nil.
func child(v any, path ...string) map[string]any {
	m, _ := v.(map[string]any)
	for _, name := range path {
		m, _ = m[name].(map[string]any)
	}
	return m
}

// find returns the operation of a call, the one with the most literal segments, or nil.
func (d *description) find(method, path string) *described {
	var best *described
	most := -1
	for i, o := range d.operations {
		if n := o.fits(method, strings.Split(strings.Trim(path, "/"), "/")); n > most {
			best, most = &d.operations[i], n
		}
	}
	return best
}

// fits counts the literal segments of a path that fits; -1 when it does not.
func (o described) fits(method string, segments []string) int {
	if o.method != method || len(segments) != len(o.segments) {
		return -1
	}
	literal := 0
	for i, want := range o.segments {
		switch {
		case want == segments[i]:
			literal++
		case want[0] != '{':
			return -1
		}
	}
	return literal
}

// holds returns what an answer does not have of what the document says of it.
func (d *description) holds(method, path string, status int, body string) error {
	o := d.find(method, path)
	if o == nil {
		if status < 300 {
			return fmt.Errorf("the route is not described")
		}
		return nil
	}
	name := strconv.Itoa(status)
	if !o.statuses[name] {
		if status < 300 {
			return fmt.Errorf("status %d is not described", status)
		}
		name = "default"
	}
	schema, err := d.schema(o.pointer + name + "/content/application~1json/schema")
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

func (d *description) schema(pointer string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.schemas[pointer]; s != nil {
		return s, nil
	}
	s, err := d.compiler.Compile(document + pointer)
	d.schemas[pointer] = s
	return s, err
}

// asDescribed fails the test unless the answer is what the OpenAPI document says.
func (a answer) asDescribed(method string, u *url.URL) {
	a.h.Helper()
	d, err := theDescription()
	if err != nil {
		a.h.Fatalf("the OpenAPI document: %v", err)
	}
	if err := d.holds(method, u.EscapedPath(), a.status, a.body); err != nil {
		a.h.Errorf("%s: %d is not as /v1/openapi.json says: %v\n%s", a.call, a.status, err, excerpt(a.body))
	}
}

// What the suite relies on: an answer that is not as described is found.
func TestTheDocumentTellsWrongAnswers(t *testing.T) {
	d, err := theDescription()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path string
		status       int
		body         string
		good         bool
	}{
		{"GET", "/v1/organization", 200, `{"ok":true,"organization":{"id":"o","name":"n","featureFlags":[]}}`, true},
		{"GET", "/v1/organization", 200, `{"ok":true}`, false},
		{"GET", "/v1/organization", 200, `{"organization":{"id":"o","name":"n","featureFlags":[]}}`, false},
		{"GET", "/v1/organization", 201, `{"ok":true,"organization":{"id":"o","name":"n","featureFlags":[]}}`, false},
		{"GET", "/v1/organization", 404, `{"ok":false,"error":"not_found"}`, false},
		{"GET", "/v1/blueprints/b/entities/a%2Fb", 200, `{"ok":true,"entity":{"identifier":"a/b","blueprint":"b","createdAt":"yesterday"}}`, false},
		{"POST", "/v1/blueprints/entities/datasource-entities", 200, `{"ok":true,"entities":[],"next":null}`, true},
		{"GET", "/v1/nothing", 200, `{"ok":true}`, false},
	} {
		if err := d.holds(c.method, c.path, c.status, c.body); (err == nil) != c.good {
			t.Errorf("%s %s %d %s: %v, want it to pass: %t", c.method, c.path, c.status, c.body, err, c.good)
		}
	}
}
