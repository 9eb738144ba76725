package mapping

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestLintNamesKeysThatMeanNothing(t *testing.T) {
	found := Lint(json.RawMessage(`[{"blueprint":"a","entity":{"identifier":".body.id","properties":{"anything":"1"}}},
		{"blueprint":"a","filtr":"true","operation":{"type":"delete","deleteDependant":true},"entity":{"identifer":".body.id","zzz":1}}]`))
	want := []struct{ field, hint string }{{"filtr", `"filter"`}, {"operation.deleteDependant", `"deleteDependents"`}, {"entity.identifer", `"identifier"`}, {"entity.zzz", ""}}
	if len(found) != len(want) {
		t.Fatalf("got %+v, want %d", found, len(want))
	}
	for i, p := range found {
		if p.Mapping != 1 || p.Field != want[i].field || !strings.Contains(p.Hint, want[i].hint) || want[i].hint == "" && p.Hint != "" {
			t.Errorf("got %+v, want %+v", p, want[i])
		}
	}
	for _, document := range []string{``, `{nope`, `null`, `[1,null,"x"]`, `[{"entity":5,"operation":"create"}]`} {
		if found := Lint(json.RawMessage(document)); len(found) != 0 {
			t.Errorf("%s: got %+v", document, found)
		}
	}
	many := "[" + strings.Repeat(`{"a1":1},`, 500) + `{}]`
	if found := Lint(json.RawMessage(many)); len(found) != maxLints {
		t.Errorf("%d lints, want %d", len(found), maxLints)
	}
}
