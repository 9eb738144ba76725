package mapping

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// What mappings make of a record together is what each makes of it alone, though they share the answers of equal clauses.
func TestSharedClausesAnswerForEachMapping(t *testing.T) {
	const entity = `"entity":{"identifier":".body.id","properties":{"p":".item.n"}}`
	mappings := []string{
		`{"blueprint":"a","filter":"(.body | has(\"id\")) and (.item.n == \"x\")",` + entity + `}`,
		`{"blueprint":"b","filter":"(.body | has(\"id\")) and (.item.n == \"x\")","itemsToParse":".body.list",` + entity + `}`,
		`{"blueprint":"c","filter":"(.item.n == \"x\") and (.body | has(\"id\"))",` + entity + `}`,
		`{"blueprint":"d","filter":"(.body.kind | split(\"/\") | .[1] | IN(\"x\")) and (.item.n + 1 > 2)","itemsToParse":".body.list",` + entity + `}`,
		`{"blueprint":"e","filter":"(.body.kind | split(\"/\") | .[1] | IN(\"x\")) and (.body.id != null)",` + entity + `}`,
		`{"blueprint":"f","filter":".body.id",` + entity + `}`,
		`{"blueprint":"g","filter":"(.body.id) and (.body.kind | startswith(\"k\"))",` + entity + `}`,
		`{"blueprint":"h","filter":"(.body.id) and (.body.kind | startswith(\"k\")) and (now > 0)",` + entity + `}`,
		`{"blueprint":"i","filter":"(now < 0) or (.body | has(\"id\"))",` + entity + `}`,
		`{"blueprint":"j","filter":"(.body.id) and",` + entity + `}`,
		`{"blueprint":"k","filter":"(.body | has(\"id\")) and (.body.list | empty)",` + entity + `}`,
		`{"blueprint":"l","filter":"(.body.list | empty) and (.body | has(\"id\"))",` + entity + `}`,
	}
	bodies := []string{
		`{}`, `[]`, `null`, `"x"`, `5`, `{"id":"u"}`, `{"id":null,"kind":null}`, `{"id":true,"kind":"k/x"}`, `{"id":"u","kind":"k\/x","list":[]}`,
		`{"id":"u","kind":"k/x","list":[{"n":"x"},{"n":2},{"n":null},{}]}`, `{"id":"u","kind":"k/y","list":[{"n":2},"x",null]}`,
		`{"id":"u","id":false,"kind":5,"list":{"n":"x"}}`, `{"\u0069d":"u","kind":"k/\u0078","list":[{"n":"\u0078"}]}`, `{"id":{"a":1},"kind":["k/x"]}`,
	}
	together := mustCompile(t, "["+strings.Join(mappings, ",")+"]", Options{}).NewRunner()
	alone := make([]*Runner, len(mappings))
	for i, m := range mappings {
		alone[i] = mustCompile(t, "["+m+"]", Options{}).NewRunner()
	}
	for range 2 { // the second time after other records
		for _, body := range bodies {
			var want []string
			for i, r := range alone {
				want = append(want, told(t, r, body, i)...)
			}
			if got := told(t, together, body, 0); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: together\n  %s\nalone\n  %s", body, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
			}
		}
	}
}

// told are the outcomes of a record as text, the mappings counted from first.
func told(t *testing.T, r *Runner, body string, first int) []string {
	t.Helper()
	var all []string
	err := r.Apply(t.Context(), Event{Body: []byte(body), ObjectKey: "data/okta/users/1"}, func(o Outcome) error {
		change := ""
		if o.Change != nil {
			change = fmt.Sprintf("%s %s %s", o.Change.Blueprint, o.Change.Identifier, o.Change.Properties)
		}
		detail, err := json.Marshal(o.Detail)
		if err != nil {
			return err
		}
		all = append(all, fmt.Sprintf("%d/%d %s %s %s", o.Mapping+first, o.Item, o.Code, change, detail))
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return all
}
