package catalog_test

import (
	"strings"
	"testing"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

const team = `{"identifier":"team","title":"Team","schema":{"properties":{"lead":{"type":"string"},"size":{"type":"number"}},"required":["lead"]},
	"relations":{"parent":{"target":"team"}},"mirrorProperties":{"parentLead":{"path":"parent.lead"}},
	"calculationProperties":{"shout":{"type":"string","calculation":".properties.lead + .properties[\"lead\"] + .properties.leader + .properties.parentLead + .relations.parent"}}}`

const service = `{"identifier":"service","title":"Service","schema":{"properties":{"cost":{"type":"number"}},"required":[]},
	"relations":{"owner":{"target":"team","required":true}},
	"mirrorProperties":{"lead":{"path":"owner.lead"},"boss":{"path":"owner.parent.lead"},"other":{"path":"owner.parentLead"}},
	"ownership":{"type":"Inherited","path":"owner.parent"}}`

const area = `{"identifier":"area","title":"Area","schema":{"properties":{},"required":[]},"relations":{"teams":{"target":"team","many":true}},
	"aggregationProperties":{"people":{"title":"People","target":"team","calculationSpec":{"func":"sum","calculationBy":"property","property":"size"},
	"query":{"combinator":"and","rules":[{"property":"size","operator":">","value":1},{"property":"$blueprint","operator":"=","value":"team"}]},
	"pathFilter":[{"path":["teams",{"relation":"parent","maxHops":3}]}]}}}`

func renameBench(t *testing.T) *bench {
	b := newBench(t, team, service, area)
	b.write(call(t, "team", "core", `{"lead":"ann","size":3}`))
	c := call(t, "team", "web", `{"lead":"bo"}`)
	c.Relations = fields(t, `{"parent":"core"}`)
	b.write(c)
	return b
}

func TestRenamePropertyFollows(t *testing.T) {
	b := renameBench(t)
	_, err := b.RenameProperty(t.Context(), "team", "lead", "head of", catalog.Writer{})
	wantFault(t, err, fault.Invalid, "invalid_request")
	got, err := b.RenameProperty(t.Context(), "team", "lead", "head", catalog.Writer{Actor: "me"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`{"head":{"type":"string"},"size":{"type":"number"}},"required":["head"]`, `"path":"parent.head"`,
		`.properties.head + .properties.head + .properties.leader + .properties.parentLead`,
	} {
		if !strings.Contains(string(got.Doc), want) {
			t.Errorf("document %s, want %s in it", got.Doc, want)
		}
	}
	if s, err := b.Blueprint(t.Context(), "service"); err != nil || !strings.Contains(string(s.Doc), `{"lead":{"path":"owner.head"},"boss":{"path":"owner.parent.head"}`) {
		t.Errorf("mirrors elsewhere: %s %v", s.Doc, err)
	}
	if e := b.entity("team", "core"); string(e.Properties) != `{"head":"ann","size":3}` {
		t.Errorf("entity has %s", e.Properties)
	}
	b.write(catalog.Change{Blueprint: "team", Identifier: "core", Properties: fields(t, `{"head":"cy"}`)})
	_, err = b.Write(t.Context(), call(t, "team", "core", `{"lead":"x"}`))
	wantFault(t, err, fault.Invalid, "blueprint_schema_mismatch")
	checkBooks(t, b)
}

func TestRenamePropertyFollowsInAggregations(t *testing.T) {
	b := renameBench(t)
	if _, err := b.RenameProperty(t.Context(), "team", "size", "heads", catalog.Writer{}); err != nil {
		t.Fatal(err)
	}
	a, err := b.Blueprint(t.Context(), "area")
	if err != nil || !strings.Contains(string(a.Doc), `"property":"heads"}`) || !strings.Contains(string(a.Doc), `{"property":"heads","operator":">","value":1}`) {
		t.Errorf("aggregation %s %v", a.Doc, err)
	}
}

func TestRenameMirrorFollows(t *testing.T) {
	b := renameBench(t)
	got, err := b.RenameMirror(t.Context(), "team", "parentLead", "top", catalog.Writer{})
	if err != nil || !strings.Contains(string(got.Doc), `"mirrorProperties":{"top":{"path":"parent.lead"}}`) || !strings.Contains(string(got.Doc), ".properties.top +") {
		t.Errorf("document %s %v", got.Doc, err)
	}
	if s, err := b.Blueprint(t.Context(), "service"); err != nil || !strings.Contains(string(s.Doc), `"path":"owner.top"`) {
		t.Errorf("a mirror of the mirror: %s %v", s.Doc, err)
	}
}

func TestRenameRelationFollows(t *testing.T) {
	b := renameBench(t)
	got, err := b.RenameRelation(t.Context(), "team", "parent", "above", catalog.Writer{})
	if err != nil || !strings.Contains(string(got.Doc), `"relations":{"above":{"target":"team"}}`) || !strings.Contains(string(got.Doc), `"path":"above.lead"`) ||
		!strings.Contains(string(got.Doc), ".relations.above") {
		t.Errorf("document %s %v", got.Doc, err)
	}
	s, err := b.Blueprint(t.Context(), "service")
	if err != nil || !strings.Contains(string(s.Doc), `"path":"owner.above.lead"`) || !strings.Contains(string(s.Doc), `"ownership":{"type":"Inherited","path":"owner.above"}`) {
		t.Errorf("paths elsewhere: %s %v", s.Doc, err)
	}
	if a, err := b.Blueprint(t.Context(), "area"); err != nil || !strings.Contains(string(a.Doc), `"path":["teams",{"relation":"above","maxHops":3}]`) {
		t.Errorf("path filter: %s %v", a.Doc, err)
	}
	if e := b.entity("team", "web"); string(e.Relations) != `{"above":"core"}` {
		t.Errorf("entity has %s", e.Relations)
	}
	counts, err := b.Referrers(t.Context(), catalog.Key{Blueprint: "team", Identifier: "core"})
	if err != nil || len(counts) != 1 || counts[0].Relation != "above" {
		t.Errorf("referrers %v %v, want one by above", counts, err)
	}
	checkBooks(t, b)
}

// A record that came before a renaming still owns what it wrote, under the new name.
func TestRenameKeepsOwners(t *testing.T) {
	b := newBench(t, user, group)
	c := record(t, "user", "a", 5, `{"status":"ACTIVE","logins":"many"}`)
	c.Relations = fields(t, `{"manager":"late"}`)
	b.apply(c)
	if _, err := b.RenameProperty(t.Context(), "user", "logins", "count", catalog.Writer{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.RenameRelation(t.Context(), "user", "manager", "boss", catalog.Writer{}); err != nil {
		t.Fatal(err)
	}
	if e := b.entity("user", "a"); len(e.Flags) != 1 || e.Flags[0].Property != "count" {
		t.Errorf("flags %v, want one of count", e.Flags)
	}
	b.apply(record(t, "user", "a", 3, `{"count":1}`))
	if e := b.entity("user", "a"); !strings.Contains(string(e.Properties), `"count":"many"`) {
		t.Errorf("an older record took over: %s", e.Properties)
	}
	b.apply(record(t, "user", "late", 6, `{"status":"ACTIVE"}`))
	wantPending(t, b, 0)
	checkBooks(t, b)
}

func TestRenameRefusals(t *testing.T) {
	b := renameBench(t)
	for name, c := range map[string]struct {
		rename func() error
		kind   fault.Kind
		code   string
	}{
		"no blueprint": {func() error { _, err := b.RenameProperty(t.Context(), "nope", "a", "b", catalog.Writer{}); return err }, fault.NotFound, "not_found"},
		"no property": {func() error {
			_, err := b.RenameProperty(t.Context(), "team", "nope", "b", catalog.Writer{})
			return err
		}, fault.NotFound, "not_found"},
		"no mirror": {func() error { _, err := b.RenameMirror(t.Context(), "team", "lead", "b", catalog.Writer{}); return err }, fault.NotFound, "not_found"},
		"no relation": {func() error {
			_, err := b.RenameRelation(t.Context(), "team", "lead", "b", catalog.Writer{})
			return err
		}, fault.NotFound, "not_found"},
		"taken": {func() error {
			_, err := b.RenameProperty(t.Context(), "team", "lead", "size", catalog.Writer{})
			return err
		}, fault.Conflict, "identifier_taken"},
		"calculated": {func() error {
			_, err := b.RenameProperty(t.Context(), "team", "lead", "shout", catalog.Writer{})
			return err
		}, fault.Conflict, "identifier_taken"},
	} {
		t.Run(name, func(t *testing.T) { wantFault(t, c.rename(), c.kind, c.code) })
	}
	if _, err := b.RenameProperty(t.Context(), "team", "lead", "lead", catalog.Writer{}); err != nil {
		t.Errorf("the same name: %v", err)
	}
}

func TestRenamedBlueprintIsFollowedByAggregations(t *testing.T) {
	b := renameBench(t)
	if _, err := b.PatchBlueprint(t.Context(), "team", []byte(`{"identifier":"squad"}`), catalog.Writer{}); err != nil {
		t.Fatal(err)
	}
	a, err := b.Blueprint(t.Context(), "area")
	if err != nil || !strings.Contains(string(a.Doc), `"title":"People","target":"squad"`) || !strings.Contains(string(a.Doc), `"operator":"=","value":"squad"`) {
		t.Errorf("aggregation %s %v", a.Doc, err)
	}
}
