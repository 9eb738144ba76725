package portapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func openapiDocument(t *testing.T) map[string]any {
	t.Helper()
	a := New(Config{})
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/openapi.json", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("the document is answered with %d: %s", w.Code, w.Body)
	}
	doc, err := jsonschema.UnmarshalJSON(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := doc.(map[string]any)
	return m
}

// Every route is described in openapi.txt, and what is described is a route.
func TestEveryRouteIsDescribed(t *testing.T) {
	var routes, described []string
	for _, r := range New(Config{}).routes.list {
		routes = append(routes, r.method+" /"+strings.Join(r.segments, "/"))
	}
	paths, _ := openapiDocument(t)["paths"].(map[string]any)
	for path, operations := range paths {
		list, _ := operations.(map[string]any)
		for method := range list {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	for _, r := range routes {
		if !slices.Contains(described, r) {
			t.Errorf("route %s has no line in openapi.txt", r)
		}
	}
	for _, d := range described {
		if !slices.Contains(routes, d) {
			t.Errorf("openapi.txt describes %s, which is no route", d)
		}
	}
}

// The document is OpenAPI 3.1 in its form, its schemas are JSON Schemas, and its references lead somewhere.
func TestTheDocumentIsSound(t *testing.T) {
	doc := openapiDocument(t)
	if doc["openapi"] != "3.1.0" || doc["info"] == nil {
		t.Errorf("openapi %v, info %v", doc["openapi"], doc["info"])
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	const at = "urn:longshore:openapi"
	if err := compiler.AddResource(at, doc); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	paths, _ := doc["paths"].(map[string]any)
	for path, operations := range paths {
		list, _ := operations.(map[string]any)
		for method, o := range list {
			operation, _ := o.(map[string]any)
			id, _ := operation["operationId"].(string)
			if id == "" || ids[id] {
				t.Errorf("%s %s: operationId %q is empty or not its own", method, path, id)
			}
			ids[id] = true
			responses, _ := operation["responses"].(map[string]any)
			if len(responses) < 2 || responses["default"] == nil {
				t.Errorf("%s %s: responses %v, want a success and default", method, path, responses)
			}
			for status := range responses {
				pointer := at + "#/paths/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(path) + "/" + method + "/responses/" + status + "/content/application~1json/schema"
				if _, err := compiler.Compile(pointer); err != nil {
					t.Errorf("%s %s %s: %v", method, path, status, err)
				}
			}
			named, _ := operation["parameters"].([]any)
			for _, p := range named {
				if p, _ := p.(map[string]any); p["name"] == "" || p["schema"] == nil || p["in"] != "query" && p["in"] != "path" {
					t.Errorf("%s %s: parameter %v", method, path, p)
				}
			}
		}
	}
}

func TestParseType(t *testing.T) {
	for text, want := range map[string]string{
		"string": `{"type":"string"}`, "[integer]": `{"items":{"type":"integer"},"type":"array"}`, "Entity": `{"$ref":"#/components/schemas/Entity"}`, "any": `{}`,
		`"a"|null`: `{"anyOf":[{"const":"a"},{"type":"null"}]}`, "{*: number}": `{"additionalProperties":{"type":"number"},"type":"object"}`,
		"{a: string, b?: [Entity]}": `{"properties":{"a":{"type":"string"},"b":{"items":{"$ref":"#/components/schemas/Entity"},"type":"array"}},"required":["a"],"type":"object"}`,
	} {
		got, err := json.Marshal(parseType(text))
		if err != nil || string(got) != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
	for _, text := range []string{"", "[string", "{a string}", "string string", "{:}"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q passes for a type", text)
				}
			}()
			parseType(text)
		}()
	}
}
