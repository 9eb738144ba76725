package mapping

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"longshore/internal/catalog"
	"longshore/internal/verdict"
)

var update = flag.Bool("update", false, "write what the cases gave as what is wanted")

// caseEvent is one line of a case's input.jsonl.
type caseEvent struct {
	Body      json.RawMessage `json:"body"`
	Headers   json.RawMessage `json:"headers"`
	Query     json.RawMessage `json:"queryParams"`
	ObjectKey string          `json:"objectKey"`
	Stream    string          `json:"stream"`
}

// caseMapping is a case's mapping.json: a webhook's mappings and the options that differ from the default.
type caseMapping struct {
	Mappings json.RawMessage `json:"mappings"`
	Config   json.RawMessage `json:"config"`
	Strict   bool            `json:"strict"`
	MaxItems int             `json:"maxItems"`
	MaxBody  int             `json:"maxBodyBytes"`
}

// caseOutcome is one line of want.jsonl. Values are shown as they are, key order included.
type caseOutcome struct {
	Event            int                          `json:"event"`
	Mapping          int                          `json:"mapping"`
	Item             *int                         `json:"item,omitempty"`
	Code             string                       `json:"code,omitempty"`
	Detail           *verdict.Detail              `json:"detail,omitempty"`
	Op               string                       `json:"op,omitempty"`
	DeleteDependents bool                         `json:"deleteDependents,omitempty"`
	Lenient          bool                         `json:"lenient,omitempty"`
	CreateMissing    bool                         `json:"createMissing,omitempty"`
	Blueprint        string                       `json:"blueprint,omitempty"`
	Identifier       string                       `json:"identifier,omitempty"`
	IdentifierQuery  json.RawMessage              `json:"identifierQuery,omitempty"`
	Title            json.RawMessage              `json:"title,omitempty"`
	Icon             json.RawMessage              `json:"icon,omitempty"`
	Team             json.RawMessage              `json:"team,omitempty"`
	Properties       []map[string]json.RawMessage `json:"properties,omitempty"`
	Relations        []map[string]json.RawMessage `json:"relations,omitempty"`
	Lane             catalog.Lane                 `json:"lane,omitempty"`
}

func TestCases(t *testing.T) {
	dirs, err := filepath.Glob("testdata/mapping/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no cases in testdata/mapping: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			got := runCase(t, dir)
			wantFile := filepath.Join(dir, "want.jsonl")
			if *update {
				if err := os.WriteFile(wantFile, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(wantFile)
			if err != nil {
				t.Fatal(err)
			}
			compareLines(t, string(got), string(want))
		})
	}
}

func runCase(t *testing.T, dir string) []byte {
	t.Helper()
	document, err := os.ReadFile(filepath.Join(dir, "mapping.json"))
	if err != nil {
		t.Fatal(err)
	}
	c := caseMapping{Mappings: document}
	if bytes.TrimSpace(document)[0] == '{' {
		if err := json.Unmarshal(document, &c); err != nil {
			t.Fatal(err)
		}
	}
	set, err := CompileBoth("okta", c.Mappings, c.Config, Options{Strict: c.Strict, MaxItems: c.MaxItems, MaxBodyBytes: c.MaxBody})
	if err != nil {
		t.Fatal(err)
	}
	input, err := os.ReadFile(filepath.Join(dir, "input.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	for _, problem := range set.Problems() {
		if err := encoder.Encode(map[string]any{"problem": problem}); err != nil {
			t.Fatal(err)
		}
	}
	runner := set.NewRunner()
	for n, line := range strings.Split(strings.TrimSpace(string(input)), "\n") {
		var ev caseEvent
		if err := json.Unmarshal([]byte(line), &ev); err != nil {
			t.Fatalf("input line %d: %v", n+1, err)
		}
		err := runner.Apply(t.Context(), ev.event(), func(o Outcome) error {
			return encoder.Encode(shown(n, o))
		})
		if err != nil {
			t.Fatalf("input line %d: %v", n+1, err)
		}
	}
	return out.Bytes()
}

func (e caseEvent) event() Event {
	return Event{Body: e.Body, Headers: e.Headers, Query: e.Query, Stream: e.Stream, ObjectKey: e.ObjectKey}
}

func shown(n int, o Outcome) caseOutcome {
	s := caseOutcome{Event: n, Mapping: o.Mapping, Code: o.Code.String()}
	if o.Item >= 0 {
		s.Item = &o.Item
	}
	if d, _ := json.Marshal(o.Detail); string(d) != "{}" {
		s.Detail = &o.Detail
	}
	c := o.Change
	if c == nil {
		return s
	}
	s.CreateMissing = c.CreateMissingRelated
	s.Code, s.Op, s.DeleteDependents, s.Lenient = "", [...]string{"merge", "replace", "delete"}[c.Op], c.DeleteDependents, c.Lenient
	s.Blueprint, s.Identifier, s.IdentifierQuery, s.Lane = c.Blueprint, c.Identifier, c.IdentifierQuery, c.Lane
	s.Title, s.Icon, s.Team = c.Title, c.Icon, c.Team
	for _, f := range c.Properties {
		s.Properties = append(s.Properties, map[string]json.RawMessage{f.Name: f.Value})
	}
	for _, f := range c.Relations {
		s.Relations = append(s.Relations, map[string]json.RawMessage{f.Name: f.Value})
	}
	return s
}

func compareLines(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(strings.TrimSpace(got), "\n"), strings.Split(strings.TrimSpace(want), "\n")
	for i := range max(len(g), len(w)) {
		switch {
		case i >= len(g):
			t.Errorf("outcome %d is missing:\nwant %s", i, w[i])
		case i >= len(w):
			t.Errorf("outcome %d is too many:\ngot  %s", i, g[i])
		case g[i] != w[i]:
			t.Errorf("outcome %d:\ngot  %s\nwant %s", i, g[i], w[i])
		}
	}
}
