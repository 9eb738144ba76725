package mapping

import (
	"encoding/json"
	"fmt"

	"longshore/internal/fault"
)

// The keys that mean something in a mapping, in its entity, and in the object form of its operation.
var (
	mappingKeys   = []string{"blueprint", "operation", "filter", "itemsToParse", "itemsToParseName", "entity"} // read only
	entityKeys    = []string{"identifier", "title", "icon", "team", "properties", "relations"}                 // read only
	operationKeys = []string{"type", "deleteDependents"}                                                       // read only
)

// maxLints bounds what Lint returns: a document can have a thousand mappings.
const maxLints = 100

// Lint lists the keys of a document that mean nothing, the first hundred of them. Port keeps and ignores such keys, so they
// are no Problem; but most are misspelt. A document that Compile refuses gives none.
func Lint(mappings json.RawMessage) []Problem {
	var list []json.RawMessage
	if json.Unmarshal(mappings, &list) != nil {
		return nil
	}
	var found []Problem
	for i, text := range list {
		found = append(found, unknownKeys(i, "", text, mappingKeys)...)
		members, _ := objectMembers(text)
		for _, m := range members {
			switch m.name {
			case "entity":
				found = append(found, unknownKeys(i, "entity.", m.value, entityKeys)...)
			case "operation":
				found = append(found, unknownKeys(i, "operation.", m.value, operationKeys)...)
			}
		}
		if len(found) > maxLints {
			return found[:maxLints]
		}
	}
	return found
}

func unknownKeys(mapping int, above string, text json.RawMessage, known []string) []Problem {
	var found []Problem
	members, _ := objectMembers(text)
next:
	for _, m := range members {
		for _, k := range known {
			if m.name == k {
				continue next
			}
		}
		p := Problem{Mapping: mapping, Field: above + m.name, Message: "no such key: it is kept, and does nothing"}
		if nearest := fault.Nearest(m.name, known); nearest != "" {
			p.Hint = fmt.Sprintf("did you mean %q?", nearest)
		}
		found = append(found, p)
	}
	return found
}
