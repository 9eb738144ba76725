package portapi

import (
	_ "embed"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

//go:embed openapi.txt
var described string // read only

// object is a JSON object under construction.
type object = map[string]any

// getOpenAPI answers GET /v1/openapi.json. It is open: what it tells is in the public documentation too.
func (a *API) getOpenAPI(w http.ResponseWriter, _ *request) error {
	return writeJSON(w, http.StatusOK, a.document())
}

// openapi makes the OpenAPI 3.1 document of the description. It panics on a description that cannot be read: that is a
// mistake in this package.
func (t *router) openapi() object {
	paths, schemas := object{}, object{}
	parameters := map[string]object{}
	doc := object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Longshore", "version": "1",
			"description": "A catalog that speaks Port's API, the doors of its webhooks, and /v1/longshore for what became of records. Unknown members and parameters are ignored; " +
				"a boolean parameter that is neither true nor false has its default; a list parameter may be repeated or comma-joined.",
		},
		"servers":    []any{object{"url": "/"}},
		"security":   []any{object{"token": []any{}}},
		"paths":      paths,
		"components": object{"schemas": schemas, "securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}},
	}
	for line := range strings.Lines(described) {
		line = strings.TrimSpace(line)
		name, kind, isSchema := strings.Cut(line, " = ")
		switch {
		case line == "" || line[0] == '#':
		case strings.HasPrefix(line, "parameter "):
			f := parts(strings.TrimPrefix(line, "parameter "))
			parameters[f[0]] = parameter(f[0], f[1], f[2])
		case isSchema && !strings.Contains(name, " "):
			if schemas[name] != nil {
				panic("portapi: described twice: " + name)
			}
			schemas[name] = parseType(kind)
		default:
			method, path, o := t.operation(line, parameters)
			if paths[path] == nil {
				paths[path] = object{}
			}
			at, ok := paths[path].(object)
			if !ok || at[strings.ToLower(method)] != nil {
				panic("portapi: described twice: " + method + " " + path)
			}
			at[strings.ToLower(method)] = o
		}
	}
	return doc
}

// parameter describes one of the query's.
func parameter(name, kind, says string) object {
	if kind == "list" {
		return object{"name": name, "in": "query", "description": says, "schema": object{"type": "array", "items": object{"type": "string"}}, "explode": true}
	}
	return object{"name": name, "in": "query", "description": says, "schema": parseType(kind)}
}

// parts cuts a line at the bars that stand between spaces: those of a type have none.
func parts(line string) []string {
	var all []string
	start := 0
	for i := range len(line) {
		if line[i] == '|' && i > 0 && line[i-1] == ' ' && (i+1 == len(line) || line[i+1] == ' ') {
			all = append(all, strings.TrimSpace(line[start:i]))
			start = i + 1
		}
	}
	return append(all, strings.TrimSpace(line[start:]))
}

var pathNames = regexp.MustCompile(`\{([a-z]+)\}`)

// operation reads the line of one route.
func (t *router) operation(line string, parameters map[string]object) (method, path string, o object) {
	f := parts(line)
	if len(f) != 5 {
		panic("portapi: the description of a route has not five parts: " + line)
	}
	method, path, _ = strings.Cut(f[0], " ")
	list := []any{}
	for _, m := range pathNames.FindAllStringSubmatch(path, -1) {
		list = append(list, object{"name": m[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for name := range strings.FieldsSeq(f[2]) {
		if parameters[name] == nil {
			panic("portapi: no description of parameter " + name)
		}
		list = append(list, parameters[name])
	}
	answers := object{"default": answerOf("what was wrong", object{"$ref": "#/components/schemas/Error"})}
	for one := range strings.SplitSeq(f[4], ";") {
		status, kind, _ := strings.Cut(strings.TrimSpace(one), " ")
		answers[status] = answerOf(f[1], successOf(kind))
	}
	o = object{
		"operationId": strings.ToLower(method) + strings.Map(operationRune, path), "summary": f[1], "tags": []any{tagOf(path)},
		"parameters": list, "responses": answers,
	}
	if f[3] != "" {
		o["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": parseType(f[3])}}}
	}
	if i := slices.IndexFunc(t.list, func(r route) bool { return r.method == method && "/"+strings.Join(r.segments, "/") == path }); i >= 0 && t.list[i].needs == anybody {
		o["security"] = []any{}
	}
	return method, path, o
}

// operationRune makes an identifier of a path.
func operationRune(r rune) rune {
	switch {
	case r == '/' || r == '-':
		return '_'
	case r == '{' || r == '}' || r == '.':
		return -1
	}
	return r
}

// tagOf groups routes by the thing that they are about.
func tagOf(path string) string {
	segments := strings.Split(path, "/")
	if strings.Contains(path, "/entities") {
		return "entities"
	}
	if segments[1] == "v1" {
		return segments[2]
	}
	return segments[1]
}

func answerOf(says string, schema any) object {
	return object{"description": says, "content": object{"application/json": object{"schema": schema}}}
}

// successOf is the answer of that type with ok beside it.
func successOf(kind string) any {
	if kind == "ok" {
		kind = "{}"
	}
	schema := parseType(kind)
	if !strings.HasPrefix(kind, "{") {
		return schema
	}
	properties, _ := schema["properties"].(object)
	if properties == nil {
		properties = object{}
		schema["properties"] = properties
	}
	properties["ok"] = object{"const": true}
	required, _ := schema["required"].([]any)
	schema["required"] = append([]any{"ok"}, required...)
	return schema
}
