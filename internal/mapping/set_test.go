package mapping

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/verdict"
)

func mustCompile(t testing.TB, mappings string, opts Options) *Set {
	t.Helper()
	set, err := Compile("okta", json.RawMessage(mappings), opts)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestCompileRefusesWhatIsNoListOfMappings(t *testing.T) {
	for document, want := range map[string]string{
		``:                                "want a list of mappings, got nothing",
		`null`:                            "got null",
		`{}`:                              "got an object",
		`"x"`:                             "got a string",
		`[{}]`:                            "mapping 1: it names no blueprint",
		`[{"blueprint":"a"},5]`:           "mapping 2: want an object, got a number",
		`[{"blueprint":["a"]}]`:           "it names no blueprint",
		`[{"blueprint":""}]`:              "it names no blueprint",
		`[{"blueprint":"a"`:               "this is no JSON",
		`{nope`:                           "this is no JSON",
		strings.Repeat(" ", 1<<20) + `[]`: "at most 1048576 are allowed",
	} {
		_, err := Compile("okta", json.RawMessage(document), Options{})
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"okta"`) {
			t.Errorf("%.40s: got %v, want an invalid document: %s", document, err, want)
		}
	}
}

func TestDigestFollowsMeaning(t *testing.T) {
	base := mustCompile(t, `[{"blueprint":"a","entity":{"identifier":".body.id","title":"1"}}]`, Options{}).Digest()
	if len(base) != 16 {
		t.Errorf("digest %q has %d digits, want 16", base, len(base))
	}
	same := mustCompile(t, ` [ {"entity": {"title":"1","identifier":".body.id"}, "blueprint":"a"} ]`, Options{}).Digest()
	if same != base {
		t.Errorf("white space and key order changed the digest: %s, %s", base, same)
	}
	if other := mustCompile(t, `[{"blueprint":"a","entity":{"identifier":".body.id","title":"2"}}]`, Options{}).Digest(); other == base {
		t.Error("another title expression has the same digest")
	}
	if strict := mustCompile(t, `[{"blueprint":"a","entity":{"identifier":".body.id","title":"1"}}]`, Options{Strict: true}).Digest(); strict == base {
		t.Error("strict mode has the same digest")
	}
}

func TestMappingDescribes(t *testing.T) {
	document, err := os.ReadFile("testdata/mapping/guide/mapping.json")
	if err != nil {
		t.Fatal(err)
	}
	set := mustCompile(t, string(document), Options{})
	if set.Len() != 5 || len(set.Problems()) != 0 {
		t.Fatalf("the guide has %d mappings and problems %v, want 5 and none", set.Len(), set.Problems())
	}
	got := set.Mapping(1)
	want := Mapping{
		Blueprint: "okta_permission", Op: catalog.OpMerge, Lane: "webhook/okta/1", Identifier: ".body._links.self.href",
		Filter:  `(.body | has("label")) and (.body.label | startswith("okta."))`,
		Clauses: []string{`.body | has("label")`, `.body.label | startswith("okta.")`},
		Properties: []Expression{
			{"label", ".body.label"},
			{"created", ".body.created"},
			{"lastUpdated", ".body.lastUpdated"},
			{"conditions", ".body.conditions"},
			{"_links", ".body._links"},
		},
		Relations: []Expression{},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// outcomes applies the set to a body and returns a line for each outcome.
func outcomes(t *testing.T, set *Set, body string) []string {
	t.Helper()
	var lines []string
	err := set.Apply(t.Context(), Event{Body: []byte(body)}, func(o Outcome) error {
		line := fmt.Sprintf("%d %s", o.Mapping, o.Code)
		if o.Change != nil {
			line = fmt.Sprintf("%d %s %s", o.Mapping, o.Change.Blueprint, o.Change.Identifier)
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func TestEveryMappingAnswersForEveryBody(t *testing.T) {
	set := mustCompile(t, `[{"blueprint":"a","entity":{"identifier":".body.id"}},{"blueprint":"b","filter":".body.x","entity":{"identifier":".body.id"}}]`, Options{})
	deep := strings.Repeat("[", 2000) + strings.Repeat("]", 2000)
	for body, want := range map[string]string{
		`{"id":"1"}`:              "0 a 1; 1 filtered",
		``:                        "0 malformed-line; 1 malformed-line",
		`{"id":`:                  "0 malformed-line; 1 malformed-line",
		`{"id":"1"} {"id":"2"}`:   "0 malformed-line; 1 malformed-line",
		deep:                      "0 over-limit; 1 over-limit",
		`null`:                    "0 expression-error; 1 filtered",
		`5`:                       "0 expression-error; 1 expression-error",
		"{\"id\":\"\xff\"}":       "0 schema-reject; 1 filtered",
		" \n{\"id\" : \"1\"}\r\n": "0 a 1; 1 filtered",
	} {
		if got := strings.Join(outcomes(t, set, body), "; "); got != want {
			t.Errorf("body %.30q: got %s, want %s", body, got, want)
		}
	}
}

func TestEndlessExpressionsEndByTheirLimit(t *testing.T) {
	opts := Options{ProgramTimeout: 15 * time.Millisecond}
	for name, document := range map[string]string{
		"0 expression-error":   `[{"blueprint":"a","filter":"def f: f; f","entity":{"identifier":".body.id"}}]`,
		"0 expression-error ":  `[{"blueprint":"a","entity":{"identifier":"[range(1e9)]"}}]`,
		"0 expression-error  ": `[{"blueprint":"a","itemsToParse":"[range(1e9)]","entity":{"identifier":".item"}}]`,
		"0 a 1":                `[{"blueprint":"a","entity":{"identifier":".body.id","properties":{"p":"def f: f; f"}}}]`,
		"0 a 1 ":               `[{"blueprint":"a","entity":{"identifier":".body.id","relations":{"r":"last(repeat(1))"}}}]`,
	} {
		if got := outcomes(t, mustCompile(t, document, opts), `{"id":"1"}`); len(got) != 1 || got[0] != strings.TrimSpace(name) {
			t.Errorf("%s: got %q, want %q", document, got, name)
		}
	}
}

func TestSlowEventGivesUp(t *testing.T) {
	set := mustCompile(t, `[{"blueprint":"a","itemsToParse":"[range(400)]","entity":{"identifier":".item | tostring","properties":{"p":"def f: f; f"}}}]`,
		Options{ProgramTimeout: 5 * time.Millisecond})
	written, notRun := 0, 0
	err := set.Apply(t.Context(), Event{Body: []byte(`{}`)}, func(o Outcome) error {
		if o.Change != nil {
			written++
		}
		if strings.Contains(o.Detail.Message, "not run") {
			notRun++
		}
		return nil
	})
	if err != nil || written+notRun != 400 || notRun != 400-maxSlowRuns {
		t.Errorf("%d written, %d not run, %v; want %d and %d", written, notRun, err, maxSlowRuns, 400-maxSlowRuns)
	}
}

func TestApplyStopsWithTheCaller(t *testing.T) {
	set := mustCompile(t, `[{"blueprint":"a","entity":{"identifier":".body.id","properties":{"p":"def f: f; f"}}},{"blueprint":"b","entity":{"identifier":".body.id"}}]`, Options{})
	full := errors.New("full")
	if err := set.Apply(t.Context(), Event{Body: []byte(`{"id":"1"}`)}, func(Outcome) error { return full }); !errors.Is(err, full) {
		t.Errorf("emit's error: got %v, want it back", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	err := set.Apply(ctx, Event{Body: []byte(`{"id":"1"}`)}, func(o Outcome) error {
		t.Errorf("an outcome after the deadline: %+v", o)
		return nil
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the caller's deadline and no verdict", err)
	}
}

func TestRunnersShareASet(t *testing.T) {
	set := mustCompile(t, `[{"blueprint":"a","filter":".body.id | startswith(\"x\")","entity":{"identifier":".body.id","title":".body.id + \"!\"","properties":{"n":".body.n"}}}]`, Options{})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			runner := set.NewRunner()
			for n := range 200 {
				body := fmt.Appendf(nil, `{"id":"x%d-%d","n":%d}`, g, n, n)
				err := runner.Apply(t.Context(), Event{Body: body, ObjectKey: "k"}, func(o Outcome) error {
					want := fmt.Sprintf("x%d-%d %q %d", g, n, fmt.Sprintf("x%d-%d!", g, n), n)
					got := o.Code.String()
					if o.Change != nil {
						got = fmt.Sprintf("%s %s %s", o.Change.Identifier, o.Change.Title, o.Change.Properties[0].Value)
					}
					if got != want {
						return fmt.Errorf("got %s, want %s", got, want)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// FuzzApply applies mappings of every kind to any body: each mapping must answer, and what it gives must be JSON.
func FuzzApply(f *testing.F) {
	for _, body := range []string{`{"id":"00u1","list":[{"id":1},2,null],"o":{"a":{"b":"c"}}}`, `[]`, `"x"`, `null`, `{"id":{"id":[]}}`, "{\"\xff\":1}", `{"id":"\ud800"}`, `{`} {
		f.Add([]byte(body), "data/k/users/x")
	}
	set, err := CompileBoth("okta", json.RawMessage(fuzzMappings), json.RawMessage(fuzzConfig), Options{ProgramTimeout: 50 * time.Millisecond, MaxItems: 5})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte, key string) {
		answered := make([]int, set.Len())
		err := set.Apply(t.Context(), Event{Body: body, Stream: "users", ObjectKey: key}, func(o Outcome) error {
			answered[o.Mapping]++
			if (o.Change == nil) == (o.Code == verdict.None) {
				t.Errorf("mapping %d: change %v and code %s", o.Mapping, o.Change != nil, o.Code)
			}
			if o.Change != nil {
				checkChange(t, o.Change)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range answered {
			if n == 0 {
				t.Errorf("mapping %d gave no outcome", i)
			}
		}
	})
}

const fuzzConfig = `{"resources": [
	{"kind": "users", "port": {"entity": {"mappings": {"identifier": ".id", "blueprint": "'a'", "properties": {"all": ".", "o": ".o.a"}}}}},
	{"kind": "users", "selector": {"query": ".id != null"}, "port": {"itemsToParse": ".list", "entity": {"mappings": {"identifier": ".item.id", "blueprint": ".o.a.b", "properties": {"all": "."}}}}},
	{"kind": "users", "port": {"itemsToParse": ".", "itemsToParseName": "id", "itemsToParseTopLevelTransform": false, "entity": {"mappings": [{"identifier": ".id", "blueprint": "'a'"}]}}},
	{"kind": "other", "port": {"entity": {"mappings": {"identifier": ".id", "blueprint": "'a'"}}}}]}`

// FuzzRead reads any document, JSON or YAML, and applies what comes of it: nothing may panic or run for ever, and what is read
// once reads the same again.
func FuzzRead(f *testing.F) {
	for _, document := range []string{
		fuzzMappings, fuzzConfig, `{"mappings": [], "config": ` + fuzzConfig + `}`, "- blueprint: a\n  entity: {identifier: .id}\n", "resources:\n- kind: users\n  port: {entity: {mappings: {identifier: .id, blueprint: '\"a\"'}}}\n",
		"a: &a [1,2]\nb: [*a, *a]\n", "mappings: !!binary aGk=", "--- {}\n--- {}", "? [a]\n: b", "<<: {a: 1}", "a: 0x10\nb: .inf\nc: 2024-01-01\nd: ~\ne: yes", "[{\"blueprint\": \"a\",}]", "x: *x", "a: &a\n  b: *a",
		`[{"blueprint":"a","operation":{"type":"delete"},"itemsToParse":"[range(9)]","entity":{"identifier":{"combinator":"and","rules":[{"property":"'x'"}]},"relations":{"r":[1,".a",{"b":".c"}]}}}]`,
	} {
		f.Add([]byte(document))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		parts, err := Read(document)
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: %v, want an invalid document", document, err)
			}
			return
		}
		if text, err := ToJSON(parts.Mappings); err != nil || !json.Valid(text) || string(text) != strings.TrimSpace(string(parts.Mappings)) {
			t.Fatalf("%q: read as %s, which reads as %s (%v)", document, parts.Mappings, text, err)
		}
		Lint(parts.Mappings)
		set, err := CompileBoth("w", parts.Mappings, parts.Config, Options{ProgramTimeout: 20 * time.Millisecond, MaxItems: 3})
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%q: %v, want invalid mappings", document, err)
			}
			return
		}
		if set.Len() > 20 {
			return
		}
		answered := 0
		event := Event{Body: []byte(`{"id":"x","list":[{"id":1}],"o":{"a":{"b":"c"}}}`), Stream: "users"}
		if err := set.Apply(t.Context(), event, func(Outcome) error { answered++; return nil }); err != nil || answered < set.Len() {
			t.Errorf("%q: %d outcomes of %d mappings, %v", document, answered, set.Len(), err)
		}
	})
}

func checkChange(t *testing.T, c *catalog.Change) {
	t.Helper()
	for _, text := range [][]byte{c.Title, c.Icon, c.Team, c.IdentifierQuery} {
		if text != nil && !json.Valid(text) {
			t.Errorf("not JSON: %q", text)
		}
	}
	for _, f := range append(c.Properties, c.Relations...) {
		if !json.Valid(f.Value) {
			t.Errorf("%s is not JSON: %q", f.Name, f.Value)
		}
	}
	if c.IdentifierQuery == nil && (c.Identifier == "" || identifierFault(c.Identifier) != "") {
		t.Errorf("identifier %q is not legal", c.Identifier)
	}
}

const fuzzMappings = `[
 {"blueprint":"a","filter":"(.body | has(\"id\")) and (.body.id | startswith(\"00u\"))","entity":{"identifier":".body.id","title":".body.o.a","team":".body.list","properties":{"a":".body.o.a.b","w":".body","k":".body | keys?","s":".body | tostring"},"relations":{"r":".body.list","q":{"combinator":"'and'","rules":[{"property":"'x'","operator":"'='","value":".body.id"}]}}}},
 {"blueprint":"b","itemsToParse":".body.list","filter":".item != 2","entity":{"identifier":".item.id // .item","properties":{"i":".item","p":".item.x"}}},
 {"blueprint":"c","entity":{"identifier":".body.id","relations":{"r":".body","s":".body.id"}}},
 {"blueprint":"d","operation":"delete","filter":".body._PORT_SOURCE_OBJECT_KEY | split(\"/\") | .[2] | IN(\"users\")","entity":{"identifier":{"combinator":"and","rules":[{"value":".body"}]}}}
]`

func TestNotesAreBounded(t *testing.T) {
	set := mustCompile(t, `[{"blueprint":"a","entity":{"identifier":".body.id","properties":{"p":"`+strings.Repeat(" ", 1000)+`.body.id.x"},"relations":{"r":".body.list"}}}]`, Options{})
	body := `{"id":"1","list":[` + strings.TrimSuffix(strings.Repeat("true,", 1000), ",") + `]}`
	err := set.Apply(t.Context(), Event{Body: []byte(body)}, func(o Outcome) error {
		notes := o.Detail.More
		if len(notes) != maxNotes+1 || notes[maxNotes].Message != "and 951 more" {
			t.Errorf("%d notes, the last %q; want %d and \"and 951 more\"", len(notes), notes[len(notes)-1].Message, maxNotes+1)
		}
		if n := len(notes[0].Expression); n > maxShownBytes {
			t.Errorf("a note shows %d bytes of its expression", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
