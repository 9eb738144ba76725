package packs_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"longshore/internal/catalog"
	"longshore/internal/mapping"
	"longshore/internal/verdict"
	"longshore/packs"
	"longshore/packs/samples"
)

// The engine gives what the plain reading gives: over every case and every recorded record, with both packs, each
// mapping takes the same records and makes the same entity of them.
func TestEngineAgrees(t *testing.T) {
	records := map[string][][]byte{}
	if dir, ok := samples.Dir(".."); ok {
		var err error
		if records, err = samples.Load(dir); err != nil {
			t.Fatal(err)
		}
	} else {
		t.Log("no recordings beside the checkout: the cases only")
	}
	for _, c := range cases(t) {
		records[c.Stream] = append(records[c.Stream], c.Record)
	}
	for _, name := range packs.Names() {
		m := open(t, name)
		set, err := mapping.Compile(m.pack.Webhook.Identifier, m.pack.Mappings, mapping.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if problems := set.Problems(); len(problems) > 0 {
			t.Errorf("%s: problems %v", name, problems)
		}
		for stream, bodies := range records {
			for _, body := range bodies {
				event := mapping.Event{Body: body, ObjectKey: samples.Key(stream)}
				want := m.apply(t, stream, body)
				err := set.Apply(t.Context(), event, func(got mapping.Outcome) error {
					agree(t, name+" "+stream, want[got.Mapping], got)
					return nil
				})
				if err != nil {
					t.Errorf("%s: %s: %v in %s", name, stream, err, body)
				}
			}
		}
	}
}

func agree(t *testing.T, where string, want outcome, got mapping.Outcome) {
	t.Helper()
	switch {
	case want.Clause != "":
		if got.Change != nil || got.Code != verdict.Filtered && got.Code != verdict.ExpressionError {
			t.Errorf("%s: mapping %d takes it, want it turned away by %s", where, want.Mapping, want.Clause)
		} else if got.Detail.Clause != want.Clause {
			t.Errorf("%s: mapping %d: turned away by %s, want %s", where, want.Mapping, got.Detail.Clause, want.Clause)
		}
	case want.Identifier == "":
		if got.Change != nil || got.Code == verdict.Filtered {
			t.Errorf("%s: mapping %d: got %+v, want no identifier", where, want.Mapping, got)
		}
	case got.Change == nil:
		t.Errorf("%s: mapping %d: %s %+v, want %s %q", where, want.Mapping, got.Code, got.Detail, want.Blueprint, want.Identifier)
	default:
		if got.Change.Blueprint != want.Blueprint || got.Change.Identifier != want.Identifier {
			t.Errorf("%s: mapping %d: %s %q, want %s %q", where, want.Mapping, got.Change.Blueprint, got.Change.Identifier, want.Blueprint, want.Identifier)
		}
		if title := value(t, got.Change.Title); !reflect.DeepEqual(title, want.Title) {
			t.Errorf("%s: %s: title %v, want %v", where, want.Identifier, title, want.Title)
		}
		sameFields(t, where+": "+want.Identifier, got.Change.Properties, want.Properties)
		sameFields(t, where+": "+want.Identifier, got.Change.Relations, want.Relations)
	}
}

func sameFields(t *testing.T, where string, got []catalog.Field, want map[string]any) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d fields, want %d", where, len(got), len(want))
	}
	for _, field := range got {
		if v := value(t, field.Value); !reflect.DeepEqual(v, want[field.Name]) {
			t.Errorf("%s: %s is %v, want %v", where, field.Name, v, want[field.Name])
		}
	}
}

func value(t *testing.T, text []byte) any {
	t.Helper()
	if text == nil {
		return nil
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}
