package access

import (
	"bytes"
	"encoding/json"
	"reflect"

	"longshore/internal/catalog"
)

// field is a property or a relation that a change changes.
type field struct {
	name     string
	relation bool
}

// touched lists what a change changes of an entity that the caller sees: what it sends that is another value, and, when it
// replaces, what it leaves out.
func touched(before catalog.Entity, change *catalog.Change) []field {
	var all []field
	for _, m := range []struct {
		name string
		sent []byte
		was  any
	}{{"$title", change.Title, before.Title}, {"$icon", change.Icon, before.Icon}, {"$team", change.Team, before.Team}} {
		var was json.RawMessage
		switch v := m.was.(type) {
		case string:
			was, _ = encode(v)
			if v == "" {
				was = nil
			}
		case json.RawMessage:
			was = v
		}
		if (m.sent != nil || change.Op == catalog.OpReplace) && !same(m.sent, was) {
			all = append(all, field{m.name, false})
		}
	}
	if change.Rename != "" && change.Rename != before.Identifier {
		all = append(all, field{"$identifier", false})
	}
	for _, part := range []struct {
		sent     []catalog.Field
		was      json.RawMessage
		relation bool
	}{{change.Properties, before.Properties, false}, {change.Relations, before.Relations, true}} {
		was := map[string]json.RawMessage{}
		_ = json.Unmarshal(part.was, &was) // canonical: an object
		sent := map[string]bool{}
		for _, f := range part.sent {
			sent[f.Name] = true
			if !same(f.Value, was[f.Name]) {
				all = append(all, field{f.Name, part.relation})
			}
		}
		for name := range was {
			if change.Op == catalog.OpReplace && !sent[name] {
				all = append(all, field{name, part.relation})
			}
		}
	}
	return all
}

// same compares JSON values; what is not there is null.
func same(a, b []byte) bool {
	return reflect.DeepEqual(decoded(a), decoded(b))
}

func decoded(text []byte) any {
	if len(text) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return string(text) // it is refused by whoever reads it
	}
	if list, ok := v.([]any); ok && len(list) == 0 {
		return nil // an empty list of related entities is none
	}
	return v
}
