package packs_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"unicode/utf8"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
	"longshore/packs"
	"longshore/packs/samples"
)

func TestOpenKnowsEveryName(t *testing.T) {
	for _, name := range packs.Names() {
		p, err := packs.Open(name)
		if err != nil {
			t.Errorf("pack %q: %v", name, err)
			continue
		}
		if p.Name != name || p.Doc == "" || p.Webhook.Identifier != "okta" || len(p.Settings.Streams) == 0 || p.Settings.Strict {
			t.Errorf("pack %q: got name %q, doc %q, webhook %q, settings %+v", name, p.Name, p.Doc, p.Webhook.Identifier, p.Settings)
		}
	}
	if !slices.Contains(packs.Names(), packs.Default) {
		t.Errorf("the default pack %q is not among %q", packs.Default, packs.Names())
	}
	for _, name := range []string{"", "nope", "../packs/okta", "okta/", "Okta"} {
		if _, err := packs.Open(name); !fault.Is(err, fault.NotFound) {
			t.Errorf("pack %q: got %v, want not found", name, err)
		}
	}
}

// The sums are those of the guide's documents as they were taken over.
func TestGuideIsByteForByte(t *testing.T) {
	sums, err := os.Open("guide/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	defer sums.Close()
	upstream, compare := samples.GuideDir("..")
	if !compare {
		t.Log("the guide's own folder is not here: compared with the committed sums only")
	}
	lines := 0
	for scan := bufio.NewScanner(sums); scan.Scan(); lines++ {
		want, name, _ := strings.Cut(scan.Text(), "  ")
		text, err := os.ReadFile(filepath.Join("guide", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(text); hex.EncodeToString(got[:]) != want {
			t.Errorf("%s: sum %x, want %s", name, got, want)
		}
		if !compare {
			continue
		}
		original, err := os.ReadFile(filepath.Join(upstream, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(text, original) {
			t.Errorf("%s differs from the guide's", name)
		}
	}
	if lines != 6 {
		t.Errorf("%d documents have a sum, want 5 blueprints and the mapping", lines)
	}
}

// The pack gives the files' text, and the guide's blueprints in the guide's order.
func TestGuideIsServedUnchanged(t *testing.T) {
	p := open(t, "guide").pack
	var order []string
	for _, doc := range p.Blueprints {
		order = append(order, doc.Identifier)
		file, err := os.ReadFile("guide/blueprint-" + doc.Identifier + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(doc.JSON, file) {
			t.Errorf("%s is not the file's text", doc.Identifier)
		}
	}
	if got, want := strings.Join(order, " "), "okta_user okta_role_assignment okta_event okta_role okta_permission"; got != want {
		t.Errorf("order %s, want the guide's: %s", got, want)
	}
	mapping, err := os.ReadFile("guide/webhook-mapping.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(p.Mappings, mapping) || !bytes.Contains(p.Webhook.JSON, bytes.TrimSpace(mapping)) {
		t.Error("the webhook's mappings are not the file's text")
	}
}

var (
	blueprintName = regexp.MustCompile(`^[\p{L}0-9@_.+:\\/-]{1,100}$`)
	propertyName  = regexp.MustCompile(`^[A-Za-z0-9@_=\\-]{1,100}$`)
)

// What Port's API would refuse of a document, by its published limits.
func TestDocumentsFitPortsLimits(t *testing.T) {
	for _, name := range packs.Names() {
		p := open(t, name).pack
		var w struct{ Identifier, Title, Description string }
		if err := json.Unmarshal(p.Webhook.JSON, &w); err != nil {
			t.Fatal(err)
		}
		if utf8.RuneCountInString(w.Identifier) > 30 || w.Title == "" || utf8.RuneCountInString(w.Title) > 30 || utf8.RuneCountInString(w.Description) > 200 {
			t.Errorf("%s: webhook %q, title %q, description %q: too long or missing", name, w.Identifier, w.Title, w.Description)
		}
		for id, b := range blueprints(t, p) {
			if b.Identifier != id || !blueprintName.MatchString(id) || b.Title == "" || utf8.RuneCountInString(b.Title) > 100 || utf8.RuneCountInString(b.Description) > 200 {
				t.Errorf("%s: blueprint %q: identifier %q, title %q, description %q", name, id, b.Identifier, b.Title, b.Description)
			}
			for property, definition := range b.Schema.Properties {
				var d struct {
					Type any `json:"type"`
				}
				if err := json.Unmarshal(definition, &d); err != nil {
					t.Fatal(err)
				}
				kind, _ := d.Type.(string)
				if !propertyName.MatchString(property) || !slices.Contains([]string{"string", "number", "boolean", "object", "array"}, kind) {
					t.Errorf("%s: %s.%s has type %v", name, id, property, d.Type)
				}
			}
			for relation, r := range b.Relations {
				if r.Required && r.Many {
					t.Errorf("%s: %s.%s is required and many", name, id, relation)
				}
			}
		}
	}
}

// lint finds what can be found in a pack's documents without a record.
func lint(t *testing.T, m *model) []string {
	var found []string
	say := func(parts ...string) { found = append(found, strings.Join(parts, "")) }
	all := blueprints(t, m.pack)
	mapped := map[string]bool{}
	for _, r := range m.mappings {
		b, ok := all[r.Blueprint]
		if !ok {
			say(r.Blueprint, " is mapped but not in the pack")
			continue
		}
		for name := range r.Entity.Properties {
			mapped[r.Blueprint+" "+name] = true
			if _, ok := b.Schema.Properties[name]; !ok {
				say(r.Blueprint, ".", name, " is mapped but not declared")
			}
		}
		for name := range r.Entity.Relations {
			mapped[r.Blueprint+" "+name] = true
			if relation, ok := b.Relations[name]; !ok {
				say(r.Blueprint, ".", name, " is mapped but no relation")
			} else if relation.InverseOf != "" {
				say(r.Blueprint, ".", name, " is mapped but derived")
			}
		}
	}
	for id, b := range all {
		for name := range b.Schema.Properties {
			if !mapped[id+" "+name] {
				say(id, ".", name, " is declared but never mapped")
			}
		}
		for _, name := range b.Schema.Required {
			if _, ok := b.Schema.Properties[name]; !ok {
				say(id, ".", name, " is required but not declared")
			}
		}
		for name, relation := range b.Relations {
			target, ok := all[relation.Target]
			if !ok {
				say(id, ".", name, " points at ", relation.Target, ", which is not in the pack")
				continue
			}
			if relation.InverseOf == "" {
				if !mapped[id+" "+name] {
					say(id, ".", name, " is declared but never mapped")
				}
			} else if back, ok := target.Relations[relation.InverseOf]; !ok || back.Target != id || back.InverseOf != "" || !relation.Many || relation.Required {
				say(id, ".", name, " is not the inverse of a relation of ", relation.Target, " to ", id)
			}
		}
		for name, mirror := range b.Mirror {
			if !resolves(all, id, strings.Split(mirror.Path, ".")) {
				say(id, ".", name, " mirrors ", mirror.Path, ", which leads nowhere")
			}
		}
		for name, calculation := range b.Calculation {
			if _, err := compile(calculation.Calculation); err != nil {
				say(id, ".", name, " does not compile: ", err.Error())
			}
		}
		for name, aggregation := range b.Aggregation {
			for _, path := range aggregation.PathFilter {
				if path.FromBlueprint != aggregation.Target || all[aggregation.Target].Relations[path.Path[0]].Target != id {
					say(id, ".", name, " counts over a path that does not lead here")
				}
			}
		}
	}
	sort.Strings(found)
	return found
}

// resolves follows relations from a blueprint to a property or a meta-property.
func resolves(all map[string]blueprint, id string, path []string) bool {
	for len(path) > 1 {
		relation, ok := all[id].Relations[path[0]]
		if !ok {
			return false
		}
		id, path = relation.Target, path[1:]
	}
	_, ok := all[id].Schema.Properties[path[0]]
	return ok || strings.HasPrefix(path[0], "$")
}

func TestLint(t *testing.T) {
	if found := lint(t, open(t, "okta")); len(found) > 0 {
		t.Errorf("okta:\n%s", strings.Join(found, "\n"))
	}
	// D-48: the guide declares two relations that no mapping fills.
	want := "okta_role.permissions is declared but never mapped\nokta_user.role_assignments is declared but never mapped"
	if found := strings.Join(lint(t, open(t, "guide")), "\n"); found != want {
		t.Errorf("guide: found\n%s\nwant\n%s", found, want)
	}
}

// Our documents say all that the guide's say: a dashboard made for those finds every name.
func TestOktaHasAllOfTheGuide(t *testing.T) {
	ours := blueprints(t, open(t, "okta").pack)
	for id, theirs := range blueprints(t, open(t, "guide").pack) {
		for name := range theirs.Schema.Properties {
			if _, ok := ours[id].Schema.Properties[name]; !ok {
				t.Errorf("%s has no property %s", id, name)
			}
		}
		for name, relation := range theirs.Relations {
			if got := ours[id].Relations[name]; got.Target != relation.Target || got.Many != relation.Many || got.Required {
				t.Errorf("%s.%s: got %+v, want an optional relation to %s", id, name, got, relation.Target)
			}
		}
	}
	if h := ours["okta_event"].History; h == nil || *h {
		t.Error("okta_event keeps history: want \"history\": false")
	}
}

// Each expression compiles (open fails the test otherwise), reads nothing but the event, and is plain jq already.
func TestExpressions(t *testing.T) {
	for _, name := range packs.Names() {
		m := open(t, name)
		for i, r := range m.mappings {
			// A record of what is gone deletes its entity, and reaches no other mapping.
			gone := strings.HasSuffix(r.Filter, " and (.body."+pipeline.DeletedMember+" != null)")
			there := strings.HasSuffix(r.Filter, " and (.body."+pipeline.DeletedMember+" == null)")
			if want := map[bool]string{true: "delete", false: "create"}[gone]; r.Operation != want {
				t.Errorf("%s: mapping %d: operation %q, want %s", name, i, r.Operation, want)
			}
			if name == "okta" && !gone && !there && r.Blueprint != "okta_event" {
				t.Errorf("okta: mapping %d takes records of what is gone: %s", i, r.Filter)
			}
			for place, text := range r.expressions() {
				if unquote(text) != text {
					t.Errorf("%s: mapping %d, %s: the quote rule would change %s", name, i, place, text)
				}
				if name == "okta" && place == "filter" && !strings.HasPrefix(text, `(.body | has("_PORT_SOURCE_OBJECT_KEY")) and (.body._PORT_SOURCE_OBJECT_KEY | split("/") | .[2] | IN(`) {
					t.Errorf("okta: mapping %d is not routed by stream: %s", i, text)
				}
			}
		}
	}
}

// The streams that a pack asks for are those that its filters name.
func TestStreamsAreThoseOfTheFilters(t *testing.T) {
	m := open(t, "okta")
	var named []string
	for _, r := range m.mappings {
		_, list, _ := strings.Cut(r.Filter, "IN(")
		list, _, _ = strings.Cut(list, ")")
		for _, s := range strings.Split(list, ", ") {
			named = append(named, strings.Trim(s, `"`))
		}
	}
	slices.Sort(named)
	named = slices.Compact(named)
	want := slices.Concat(m.pack.Settings.Streams, m.pack.Settings.OptionalStreams)
	slices.Sort(want)
	if !slices.Equal(named, want) {
		t.Errorf("filters name %q, the pack asks for %q", named, want)
	}
}

func TestUnquote(t *testing.T) {
	for in, want := range map[string]string{`'okta_user'`: `"okta_user"`, `"it's"`: `"it's"`, `IN('a','b')`: `IN('a','b')`, `. == 'a' and true`: `. == "a" and true`} {
		if got := unquote(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
