package catalog_test

import (
	"testing"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

func TestSearchesAsValues(t *testing.T) {
	b := newBench(t,
		`{"identifier":"group","title":"G","schema":{"properties":{"name":{"type":"string"}},"required":[]},"relations":{"parent":{"target":"group"}}}`,
		`{"identifier":"person","title":"P","schema":{"properties":{"mail":{"type":"string"},"age":{"type":"number"},"tags":{"type":"array"}},"required":[]},
			"relations":{"group":{"target":"group"},"groups":{"target":"group","many":true}},
			"mirrorProperties":{"groupName":{"path":"group.name"},"groupTitle":{"path":"group.$title"},"groupTeam":{"path":"group.$team"},"far":{"path":"group.parent.name"},"all":{"path":"groups.name"}},
			"calculationProperties":{"old":{"type":"boolean","calculation":".properties.age > 60"}}}`,
		`{"identifier":"doc","title":"D","schema":{"properties":{},"required":[]},"relations":{"author":{"target":"person"},"readers":{"target":"person","many":true},"keeper":{"target":"person","required":true}}}`)
	b.write(call(t, "group", "g1", `{"name":"core"}`))
	for _, p := range [][3]string{{"ann", `{"mail":"ann@x.example","age":70,"tags":["a","b"]}`, `{"group":"g1"}`}, {"bo", `{"mail":"bo@x.example","age":30,"tags":["b"]}`, `{}`}} {
		c := call(t, "person", p[0], p[1])
		c.Relations = fields(t, p[2])
		b.write(c)
	}
	// cy's group has a team and no name, di's is not there.
	g2 := call(t, "group", "g2", `{}`)
	g2.Team = []byte(`["core"]`)
	b.write(g2)
	for id, group := range map[string]string{"cy": "g2", "di": "gone"} {
		c := record(t, "person", id, 1, `{"mail":"`+id+`@y.example","tags":[]}`)
		c.Relations = fields(t, `{"group":"`+group+`"}`)
		b.apply(c)
	}
	b.write(call(t, "_team", "core", `{"description":"the core"}`))
	and := func(rules string) string { return `{"combinator":"and","rules":[` + rules + `]}` }
	mail := and(`{"property":"mail","operator":"=","value":"ann@x.example"}`)
	for name, c := range map[string]struct{ relation, query, want, code string }{
		"one":                    {"author", mail, `{"author":"ann","keeper":"bo"}`, ""},
		"none":                   {"author", and(`{"property":"mail","operator":"=","value":"nobody"}`), `{"keeper":"bo"}`, ""},
		"none of many":           {"readers", and(`{"property":"mail","operator":"=","value":"nobody"}`), `{"keeper":"bo","readers":[]}`, ""},
		"none for required":      {"keeper", and(`{"property":"mail","operator":"=","value":"nobody"}`), ``, "required_relation"},
		"several for one":        {"author", and(`{"property":"mail","operator":"contains","value":"x.example"}`), ``, "relation_many_violation"},
		"several for many":       {"readers", and(`{"property":"mail","operator":"contains","value":"x.example"}`), `{"keeper":"bo","readers":["ann","bo"]}`, ""},
		"a list under contains":  {"readers", and(`{"property":"tags","operator":"contains","value":["a","z"]}`), `{"keeper":"bo","readers":["ann"]}`, ""},
		"none under contains":    {"readers", and(`{"property":"tags","operator":"contains","value":[]}`), `{"keeper":"bo","readers":[]}`, ""},
		"in":                     {"readers", and(`{"property":"$identifier","operator":"in","value":["ann","bo"]}`), `{"keeper":"bo","readers":["ann","bo"]}`, ""},
		"containsAny":            {"readers", and(`{"property":"tags","operator":"containsAny","value":["a"]}`), `{"keeper":"bo","readers":["ann"]}`, ""},
		"number":                 {"author", and(`{"property":"age","operator":"=","value":30}`), `{"author":"bo","keeper":"bo"}`, ""},
		"null":                   {"author", and(`{"property":"mail","operator":"=","value":null}`), `{"keeper":"bo"}`, ""},
		"nested":                 {"author", and(`{"combinator":"or","rules":[{"property":"age","operator":"=","value":70},{"property":"mail","operator":"=","value":"x"}]}`), `{"author":"ann","keeper":"bo"}`, ""},
		"mirror":                 {"author", and(`{"property":"groupName","operator":"=","value":"core"}`), `{"author":"ann","keeper":"bo"}`, ""},
		"mirror of a title":      {"author", and(`{"property":"groupTitle","operator":"=","value":"g1"}`), `{"author":"ann","keeper":"bo"}`, ""},
		"mirror of nothing":      {"author", and(`{"property":"groupName","operator":"=","value":null}`), ``, "relation_many_violation"},
		"mirror that is not":     {"readers", and(`{"property":"groupName","operator":"!=","value":"core"}`), `{"keeper":"bo","readers":["bo","cy","di"]}`, ""},
		"mirror in, with null":   {"readers", and(`{"property":"groupName","operator":"in","value":["core",null]}`), `{"keeper":"bo","readers":["ann","bo","cy","di"]}`, ""},
		"mirror not in null":     {"readers", and(`{"property":"groupName","operator":"notIn","value":[null]}`), `{"keeper":"bo","readers":["ann"]}`, ""},
		"mirror is empty":        {"readers", and(`{"property":"groupTitle","operator":"isEmpty"}`), `{"keeper":"bo","readers":["bo","di"]}`, ""},
		"mirror is not empty":    {"readers", and(`{"property":"groupName","operator":"isNotEmpty"}`), `{"keeper":"bo","readers":["ann"]}`, ""},
		"mirror of a team":       {"readers", and(`{"property":"groupTeam","operator":"containsAny","value":["core"]}`), `{"keeper":"bo","readers":["cy"]}`, ""},
		"mirrors, nested":        {"readers", and(`{"combinator":"or","rules":[{"property":"groupName","operator":"=","value":"core"},{"combinator":"and","rules":[{"property":"groupTitle","operator":"beginsWith","value":"g"},{"property":"age","operator":"=","value":null}]}]}`), `{"keeper":"bo","readers":["ann","cy"]}`, ""},
		"mirror of two steps":    {"author", and(`{"property":"far","operator":"=","value":"core"}`), ``, "invalid_request"},
		"mirror of many":         {"author", and(`{"property":"all","operator":"=","value":"core"}`), ``, "invalid_request"},
		"calculation":            {"author", and(`{"property":"old","operator":"=","value":true}`), ``, "invalid_request"},
		"no query":               {"author", and(`{"property":"mail","operator":"resembles","value":"x"}`), ``, "invalid_request"},
		"object that is no rule": {"author", `{"a":1}`, ``, "blueprint_schema_mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			change := catalog.Change{Blueprint: "doc", Identifier: "d", Op: catalog.OpReplace, Relations: []catalog.Field{{Name: c.relation, Value: []byte(c.query)}}}
			if c.relation != "keeper" {
				change.Relations = append(change.Relations, catalog.Field{Name: "keeper", Value: []byte(`"bo"`)})
			}
			_, err := b.Write(t.Context(), change)
			if c.code != "" {
				wantFault(t, err, fault.Invalid, c.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := string(b.entity("doc", "d").Relations); got != c.want {
				t.Errorf("relations %s, want %s", got, c.want)
			}
		})
	}
	// The team, and the entity itself, can be searched for too.
	change := call(t, "group", "g1", `{}`)
	change.Team = []byte(and(`{"property":"description","operator":"=","value":"the core"}`))
	b.write(change)
	if got := string(b.entity("group", "g1").Team); got != `["core"]` {
		t.Errorf("team %s, want the one found", got)
	}
	for query, code := range map[string]string{mail: "", and(`{"property":"mail","operator":"=","value":"nobody"}`): "not_found", and(``): "invalid_request", and(`{"property":"old","operator":"=","value":true}`): "invalid_request"} {
		_, err := b.Write(t.Context(), catalog.Change{Blueprint: "person", IdentifierQuery: []byte(query), Properties: fields(t, `{"age":71}`)})
		switch code {
		case "":
			if err != nil {
				t.Error(err)
			}
		case "not_found":
			wantFault(t, err, fault.NotFound, code)
		default:
			wantFault(t, err, fault.Invalid, code)
		}
	}
}
