package mapping

import (
	"bytes"
	"encoding/json"
)

type documentMember struct {
	name  string
	value json.RawMessage
}

// objectMembers returns the members of a JSON object in their order; of equal names the last value stands.
func objectMembers(text json.RawMessage) ([]documentMember, bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return nil, false
	}
	members := []documentMember{}
	at := map[string]int{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, false
		}
		member := documentMember{name: name.(string), value: value} // a name always is a string
		if i, ok := at[member.name]; ok {
			members[i] = member
			continue
		}
		at[member.name] = len(members)
		members = append(members, member)
	}
	return members, true
}

func stringOf(text json.RawMessage) (string, bool) {
	if text = bytes.TrimSpace(text); len(text) == 0 || text[0] != '"' {
		return "", false
	}
	var s string
	err := json.Unmarshal(text, &s)
	return s, err == nil
}

func absent(text json.RawMessage) bool {
	text = bytes.TrimSpace(text)
	return len(text) == 0 || string(text) == "null"
}

// kindOfJSON names the type of a JSON text for people.
func kindOfJSON(text []byte) string {
	text = bytes.TrimSpace(text)
	if len(text) == 0 {
		return "nothing"
	}
	switch text[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}
