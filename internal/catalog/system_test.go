package catalog_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

var systems = []string{"_rule", "_rule_result", "_scorecard", "_team", "_user"}

func TestSystemBlueprintsAreThereAndStay(t *testing.T) {
	b := newBench(t)
	list, err := b.Blueprints(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, x := range list {
		ids = append(ids, x.Identifier)
	}
	if !slices.Equal(ids, systems) {
		t.Fatalf("a new catalog has %v, want %v", ids, systems)
	}
	if _, n, err := b.Export(t.Context(), &strings.Builder{}); err != nil || n != 0 {
		t.Errorf("export has %d entities (%v), want none", n, err)
	}
	for _, id := range systems {
		wantFault(t, b.DeleteBlueprint(t.Context(), id, catalog.Writer{}), fault.Invalid, "protected_blueprint_violation")
		_, err := b.DeleteAllEntities(t.Context(), id, true, catalog.Writer{})
		wantFault(t, err, fault.Invalid, "protected_blueprint_violation")
		base, err := catalog.SystemStructure(id)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.CreateBlueprint(t.Context(), base.Doc, catalog.Writer{})
		wantFault(t, err, fault.Conflict, "identifier_taken")
		if _, err := b.ReplaceBlueprint(t.Context(), id, base.Doc, catalog.Writer{}); err != nil {
			t.Errorf("%s: its own structure is refused: %v", id, err)
		}
	}
	_, err = catalog.SystemStructure("okta_user")
	wantFault(t, err, fault.NotFound, "not_found")
	if history, err := b.History(t.Context(), catalog.HistoryFilter{}); err != nil || len(history) != 0 {
		t.Errorf("history of a new catalog: %v %v, want none", history, err)
	}
}

func TestSystemBlueprintsCanBeExtended(t *testing.T) {
	b := newBench(t)
	got, err := b.PatchBlueprint(t.Context(), "_team", json.RawMessage(`{"schema":{"properties":{"slack":{"type":"string","format":"url"}}},"relations":{"parent":{"target":"_team"}},
		"mirrorProperties":{"above":{"path":"parent.slack"}}}`), catalog.Writer{})
	if err != nil || len(got.Properties) != 3 || len(got.Relations) != 1 {
		t.Fatalf("%s %v", got.Doc, err)
	}
	b.write(call(t, "_team", "core", `{"description":"d","slack":"https://x.example"}`))
	if got, err = b.PatchBlueprint(t.Context(), "_team", json.RawMessage(`{"schema":{"properties":{"slack":null}}}`), catalog.Writer{}); err != nil || len(got.Properties) != 2 {
		t.Errorf("what was added goes again: %s %v", got.Doc, err)
	}
	// What clients leave out of a definition that they do not know comes back.
	got, err = b.ReplaceBlueprint(t.Context(), "_user", json.RawMessage(`{"identifier":"_user","title":"Person","schema":{"properties":{
		"status":{"type":"string","enum":["Active","Disabled","Invited","Staged"],"format":null},"port_role":{"type":"string"},"port_type":{"type":"string"},
		"moderated_blueprints":{"type":"array","items":{"type":"string","format":"blueprints"}}},"required":[]}}`), catalog.Writer{})
	if err != nil || !strings.Contains(string(got.Doc), `"enumColors":{"Active":"green"`) || got.Title != "Person" {
		t.Errorf("document %s %v", got.Doc, err)
	}
}

func TestSystemStructureIsProtected(t *testing.T) {
	b := newBench(t)
	for name, patch := range map[string]string{
		"property removed": `{"schema":{"properties":{"status":null}}}`,
		"type":             `{"schema":{"properties":{"status":{"type":"number"}}}}`,
		"enum":             `{"schema":{"properties":{"status":{"type":"string","enum":["Active"]}}}}`,
		"no enum":          `{"schema":{"properties":{"status":{"type":"string"}}}}`,
		"identifier":       `{"identifier":"people"}`,
	} {
		_, err := b.PatchBlueprint(t.Context(), "_user", json.RawMessage(patch), catalog.Writer{})
		want := "protected_blueprint_violation"
		if wantFault(t, err, fault.Invalid, want); t.Failed() {
			t.Fatalf("%s: %v", name, err)
		}
	}
	_, err := b.ReplaceBlueprint(t.Context(), "_rule", json.RawMessage(`{"title":"Rule","schema":{"properties":{},"required":[]}}`), catalog.Writer{})
	wantFault(t, err, fault.Invalid, "protected_blueprint_violation")
	_, err = b.PatchBlueprint(t.Context(), "_rule", json.RawMessage(`{"relations":{"scorecard":null}}`), catalog.Writer{})
	wantFault(t, err, fault.Invalid, "protected_blueprint_violation")
	_, err = b.RenameProperty(t.Context(), "_user", "status", "state", catalog.Writer{})
	wantFault(t, err, fault.Invalid, "protected_blueprint_violation")
	_, err = b.RenameRelation(t.Context(), "_rule", "scorecard", "card", catalog.Writer{})
	wantFault(t, err, fault.Invalid, "protected_blueprint_violation")
}

func TestNothingIsCreatedInSystemBlueprintsUnasked(t *testing.T) {
	b := newBench(t, string(simple("x", `{}`, `{"owner":{"target":"_user"},"own":{"target":"_mine"}}`)), string(simple("_mine", `{}`, `{}`)))
	c := call(t, "x", "e", `{}`)
	c.Relations, c.CreateMissingRelated = fields(t, `{"owner":"ann@x.example"}`), true
	_, err := b.Write(t.Context(), c)
	wantFault(t, err, fault.NotFound, "not_found")
	c.Relations = fields(t, `{"own":"m"}`)
	b.write(c)
	b.entity("_mine", "m")
}
