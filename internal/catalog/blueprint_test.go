package catalog_test

import (
	"encoding/json"
	"strings"
	"testing"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// simple is a blueprint document with the properties and relations given.
func simple(id, properties, relations string) json.RawMessage {
	return json.RawMessage(`{"identifier":"` + id + `","title":"T","schema":{"properties":` + properties + `,"required":[]},"relations":` + relations + `}`)
}

func TestBlueprintEchoesItsDocument(t *testing.T) {
	b := newBench(t)
	doc := `{"identifier":"a","title":"A","description":"","icon":"X","schema":{"properties":{"_links":{"type":"object","x-own":[1, 2.50],"enumColors":{}},"type":{"type":"string"}},"required":["type"]},` +
		`"calculationProperties":{"c":{"type":"string","calculation":".no $way"}},"ownership":{"type":"Direct"},"unknown":{"kept":true}}`
	got, err := b.CreateBlueprint(t.Context(), json.RawMessage(doc), catalog.Writer{Actor: "me"})
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Doc) != doc {
		t.Errorf("document\n%s\nwant\n%s", got.Doc, doc)
	}
	if got.CreatedBy != "me" || len(got.Properties) != 2 || got.Properties[0].Name != "_links" || !strings.Contains(string(got.Properties[0].Schema), `"x-own":[1, 2.50]`) {
		t.Errorf("blueprint %+v", got)
	}
	read, err := b.Blueprint(t.Context(), "a")
	if err != nil || string(read.Doc) != doc {
		t.Errorf("read back %s, %v", read.Doc, err)
	}
}

func TestBlueprintRulesOfCreation(t *testing.T) {
	b := newBench(t, string(simple("there", `{}`, `{}`)))
	for name, tc := range map[string]struct {
		doc  string
		kind fault.Kind
		code string
	}{
		"taken":                    {string(simple("there", `{}`, `{}`)), fault.Conflict, "identifier_taken"},
		"target not there":         {string(simple("x", `{}`, `{"r":{"target":"nope"}}`)), fault.NotFound, "not_found"},
		"required and many":        {string(simple("x", `{}`, `{"r":{"target":"there","required":true,"many":true}}`)), fault.Invalid, "invalid_request"},
		"space in identifier":      {string(simple("x y", `{}`, `{}`)), fault.Invalid, "invalid_request"},
		"equals in identifier":     {string(simple("x=y", `{}`, `{}`)), fault.Invalid, "invalid_request"},
		"dot as identifier":        {string(simple(".", `{}`, `{}`)), fault.Invalid, "invalid_request"},
		"no title":                 {`{"identifier":"x","schema":{"properties":{},"required":[]}}`, fault.Invalid, "invalid_request"},
		"no schema":                {`{"identifier":"x","title":"X"}`, fault.Invalid, "invalid_request"},
		"third member of schema":   {`{"identifier":"x","title":"X","schema":{"properties":{},"required":[],"type":"object"}}`, fault.Invalid, "invalid_request"},
		"unknown type":             {string(simple("x", `{"p":{"type":"integer"}}`, `{}`)), fault.Invalid, "invalid_request"},
		"property name with space": {string(simple("x", `{"p q":{"type":"string"}}`, `{}`)), fault.Invalid, "invalid_request"},
		"look-ahead in a pattern":  {string(simple("x", `{"p":{"type":"string","pattern":"(?=a)"}}`, `{}`)), fault.Invalid, "invalid_request"},
		"reference to a file":      {string(simple("x", `{"p":{"type":"object","$ref":"file:///etc/hostname"}}`, `{}`)), fault.Invalid, "invalid_request"},
		"mirror without relation":  {`{"identifier":"x","title":"X","schema":{"properties":{},"required":[]},"mirrorProperties":{"m":{"path":"r.p"}}}`, fault.Invalid, "invalid_request"},
		"not an object":            {`[]`, fault.Invalid, "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.CreateBlueprint(t.Context(), json.RawMessage(tc.doc), catalog.Writer{})
			wantFault(t, err, tc.kind, tc.code)
		})
	}
	for _, doc := range []string{string(simple("self", `{"a=b":{"type":"string"},"@x":{"type":"object","properties":{"n":{"type":["string","null"]}}}}`, `{"me":{"target":"self"}}`)), string(simple("größe/1", `{}`, `{}`))} {
		if _, err := b.CreateBlueprint(t.Context(), json.RawMessage(doc), catalog.Writer{}); err != nil {
			t.Errorf("%s: %v", doc, err)
		}
	}
	if _, err := b.CreateBlueprint(t.Context(), simple("early", `{}`, `{"r":{"target":"later"}}`), catalog.Writer{AllowPendingTargets: true}); err != nil {
		t.Errorf("pending target: %v", err)
	}
}

func TestBlueprintPutReplacesPatchMerges(t *testing.T) {
	b := newBench(t, string(simple("x", `{"a":{"type":"string"},"b":{"type":"string","format":"url"}}`, `{}`)))
	w := catalog.Writer{}
	got, err := b.PatchBlueprint(t.Context(), "x", json.RawMessage(`{"title":"New","schema":{"properties":{"a":{"title":"Aaa"},"c":{"type":"number"}}},"relations":{"r":{"target":"x"}},"aggregationProperties":{"g":{"title":"G","target":"x","calculationSpec":{"func":"count","calculationBy":"entities"}}}}`), w)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"identifier":"x","title":"New","schema":{"properties":{"a":{"type":"string","title":"Aaa"},"b":{"type":"string","format":"url"},"c":{"type":"number"}},"required":[]},"relations":{"r":{"target":"x"}},"aggregationProperties":{"g":{"title":"G","target":"x","calculationSpec":{"func":"count","calculationBy":"entities"}}}}`
	if string(got.Doc) != want {
		t.Errorf("patched\n%s\nwant\n%s", got.Doc, want)
	}
	_, err = b.ReplaceBlueprint(t.Context(), "x", simple("x", `{"a":{"type":"number"}}`, `{}`), w)
	wantFault(t, err, fault.Invalid, "forbidden_type_change")
	_, err = b.PatchBlueprint(t.Context(), "x", json.RawMessage(`{"schema":{"properties":{"b":{"format":"email"}}}}`), w)
	wantFault(t, err, fault.Invalid, "forbidden_format_change")
	_, err = b.ReplaceBlueprint(t.Context(), "nope", simple("nope", `{}`, `{}`), w)
	wantFault(t, err, fault.NotFound, "not_found")

	c := call(t, "x", "e", `{"a":"text","b":"https://x.example"}`)
	c.Relations = fields(t, `{"r":"e"}`)
	b.write(c)
	if got, err = b.ReplaceBlueprint(t.Context(), "x", simple("x", `{"b":{"type":"string","format":"url"}}`, `{}`), w); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(got.Doc), "aggregation") {
		t.Errorf("PUT kept an aggregation: %s", got.Doc)
	}
	if e := b.entity("x", "e"); string(e.Properties) != `{"b":"https://x.example"}` || string(e.Relations) != `{}` {
		t.Errorf("values of removed fields stayed: %s %s", e.Properties, e.Relations)
	}
	if _, err = b.ReplaceBlueprint(t.Context(), "x", simple("x", `{"a":{"type":"number"},"b":{"type":"string","format":"url"}}`, `{}`), w); err != nil {
		t.Errorf("a property removed and added anew with another type: %v", err)
	}
	b.write(call(t, "x", "e", `{"a":5}`))
	checkBooks(t, b)
}

func TestBlueprintRenameFollows(t *testing.T) {
	b := newBench(t, string(simple("old", `{}`, `{"me":{"target":"old"}}`)), string(simple("uses", `{}`, `{"r":{"target":"old"}}`)))
	b.write(call(t, "old", "e", `{}`))
	c := call(t, "uses", "u", `{}`)
	c.Relations = fields(t, `{"r":"e"}`)
	b.write(c)
	if _, err := b.ReplaceBlueprint(t.Context(), "old", simple("new", `{}`, `{"me":{"target":"old"}}`), catalog.Writer{}); err != nil {
		t.Fatal(err)
	}
	uses, err := b.Blueprint(t.Context(), "uses")
	if err != nil || uses.Relations[0].Target != "new" {
		t.Errorf("a relation to it: %+v %v, want target new", uses.Relations, err)
	}
	renamed, err := b.Blueprint(t.Context(), "new")
	if err != nil || renamed.Relations[0].Target != "new" {
		t.Errorf("its own relation: %+v %v, want target new", renamed.Relations, err)
	}
	b.entity("new", "e")
	counts, err := b.Referrers(t.Context(), catalog.Key{Blueprint: "new", Identifier: "e"})
	if err != nil || len(counts) != 1 {
		t.Errorf("referrers after renaming: %v %v", counts, err)
	}
	checkBooks(t, b)
}

func TestBlueprintDeleteRefusesWhileNeeded(t *testing.T) {
	b := newBench(t, string(simple("a", `{}`, `{}`)), string(simple("b", `{}`, `{"r":{"target":"a"}}`)), string(simple("c", `{}`, `{"r":{"target":"b","required":true}}`)))
	w := catalog.Writer{}
	wantFault(t, b.DeleteBlueprint(t.Context(), "a", w), fault.Conflict, "has_dependents")
	wantFault(t, b.DeleteBlueprint(t.Context(), "nope", w), fault.NotFound, "not_found")
	b.write(call(t, "a", "e", `{}`))
	_, err := b.DeleteAllEntities(t.Context(), "b", false, w)
	wantFault(t, err, fault.Conflict, "has_dependents")
	if m, err := b.DeleteAllEntities(t.Context(), "a", false, w); err != nil || m.Done != 1 {
		t.Errorf("emptied %d, %v; want 1", m.Done, err)
	}
	for _, id := range []string{"c", "b", "a"} {
		if err := b.DeleteBlueprint(t.Context(), id, w); err != nil {
			t.Errorf("delete %s: %v", id, err)
		}
	}
	if list, err := b.Blueprints(t.Context()); err != nil || len(list) != len(systems) {
		t.Errorf("%d are left (%v), want only the system's", len(list), err)
	}
}

func TestTargetBlueprintMayComeLater(t *testing.T) {
	b := newBench(t, string(simple("early", `{}`, `{"r":{"target":"later","many":true}}`)))
	c := record(t, "early", "e", 1, `{}`)
	c.Relations = fields(t, `{"r":["x"]}`)
	if r := b.apply(c)[0]; len(r.Pending) != 1 || r.Pending[0].Blueprint != "later" {
		t.Errorf("pending %+v, want one in later", r.Pending)
	}
	if _, err := b.CreateBlueprint(t.Context(), simple("later", `{}`, `{"back":{"target":"early","many":true,"inverseOf":"r"}}`), catalog.Writer{}); err != nil {
		t.Fatal(err)
	}
	b.apply(record(t, "later", "x", 1, `{}`))
	wantPending(t, b, 0)
	if got := string(b.entity("later", "x").Relations); got != `{"back":["e"]}` {
		t.Errorf("inverse %s, want e", got)
	}
}

func TestEmptyingABlueprintClearsOptionalRelations(t *testing.T) {
	b := newBench(t, string(simple("a", `{}`, `{"me":{"target":"a"}}`)), string(simple("b", `{}`, `{"one":{"target":"a"},"many":{"target":"a","many":true}}`)))
	b.write(call(t, "a", "x", `{}`))
	c := call(t, "b", "e", `{}`)
	c.Relations, c.Lenient = fields(t, `{"one":"x","many":["x","later"]}`), true
	b.write(c)
	if m, err := b.DeleteAllEntities(t.Context(), "a", false, catalog.Writer{Actor: "me"}); err != nil || m.Done != 1 {
		t.Fatalf("emptied %d, %v; want 1", m.Done, err)
	}
	if e := b.entity("b", "e"); string(e.Relations) != `{"many":["later"]}` || e.UpdatedBy != "me" {
		t.Errorf("relations %s by %s, want only what was not there before, by me", e.Relations, e.UpdatedBy)
	}
	wantPending(t, b, 1)
}

func TestRelationBecomesManyAndSingle(t *testing.T) {
	b := newBench(t, string(simple("a", `{}`, `{"r":{"target":"a"}}`)))
	c := call(t, "a", "x", `{}`)
	c.Relations = fields(t, `{"r":"x"}`)
	b.write(c)
	w := catalog.Writer{}
	if _, err := b.PatchBlueprint(t.Context(), "a", []byte(`{"relations":{"r":{"target":"a","many":true}}}`), w); err != nil {
		t.Fatal(err)
	}
	if e := b.entity("a", "x"); string(e.Relations) != `{"r":["x"]}` {
		t.Errorf("relations %s, want a list", e.Relations)
	}
	b.write(call(t, "a", "y", `{}`))
	c.Relations = fields(t, `{"r":["x","y"]}`)
	b.write(c)
	_, err := b.PatchBlueprint(t.Context(), "a", []byte(`{"relations":{"r":{"target":"a"}}}`), w)
	wantFault(t, err, fault.Invalid, "relation_many_violation")
	c.Relations = fields(t, `{"r":["y"]}`)
	b.write(c)
	if _, err := b.PatchBlueprint(t.Context(), "a", []byte(`{"relations":{"r":{"target":"a"}}}`), w); err != nil {
		t.Fatal(err)
	}
	if e := b.entity("a", "x"); string(e.Relations) != `{"r":"y"}` {
		t.Errorf("relations %s, want a text", e.Relations)
	}
	checkBooks(t, b)
}
