package jq

import (
	"bytes"
	"encoding/json"
)

// The functions here take text that json.Valid accepts and that holds no invalid UTF-8; they only find their way.

// lookup returns the text of the value that the keys lead to. A key that is not there, or a step into null, is null,
// as in jq. ok is false when a step leads into a string, number, boolean or list: jq has an error for that.
func lookup(text []byte, keys []string) (value []byte, ok bool) {
	value = trimSpace(text)
	for _, key := range keys {
		switch value[0] {
		case '{':
			value = member(value, key)
		case 'n':
			return value, true
		default:
			return nil, false
		}
	}
	return value, true
}

var null = []byte("null")

// member returns the value of the last member of that name, or null.
func member(object []byte, name string) []byte {
	found := null
	eachMember(object, func(m span) {
		if keyIs(m.key, name) {
			found = m.value
		}
	})
	return found
}

// span is a member of an object: its key with the quotes, and its value.
type span struct{ key, value []byte }

func appendMembers(to []span, object []byte) []span {
	eachMember(object, func(m span) { to = append(to, m) })
	return to
}

func eachMember(object []byte, yield func(span)) {
	for i := skipSpace(object, 1); object[i] != '}'; {
		end := stringEnd(object, i)
		key := object[i:end]
		i = skipSpace(object, skipSpace(object, end)+1) // the colon
		end = valueEnd(object, i)
		yield(span{key: key, value: object[i:end:end]})
		if i = skipSpace(object, end); object[i] == ',' {
			i = skipSpace(object, i+1)
		}
	}
}

// keyIs reports whether the quoted key reads as name.
func keyIs(quoted []byte, name string) bool {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner) == name
	}
	var s string
	return json.Unmarshal(quoted, &s) == nil && s == name
}

// Elements yields the text of each element of a JSON list. text must be valid JSON; ok is false if it is no list.
func Elements(text []byte, yield func(i int, element []byte) bool) (ok bool) {
	text = trimSpace(text)
	if len(text) == 0 || text[0] != '[' {
		return false
	}
	for i, n := skipSpace(text, 1), 0; text[i] != ']'; n++ {
		end := valueEnd(text, i)
		if !yield(n, text[i:end:end]) {
			return true
		}
		if i = skipSpace(text, end); text[i] == ',' {
			i = skipSpace(text, i+1)
		}
	}
	return true
}

// valueEnd returns where the value that starts at i ends.
func valueEnd(text []byte, i int) int {
	switch text[i] {
	case '"':
		return stringEnd(text, i)
	case '{', '[':
		for depth := 0; ; i++ {
			switch text[i] {
			case '"':
				i = stringEnd(text, i) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	}
	for ; i < len(text); i++ {
		switch text[i] {
		case ',', ']', '}', ' ', '\t', '\n', '\r':
			return i
		}
	}
	return i
}

// stringEnd returns where the string whose opening quote is at i ends, after its closing quote.
func stringEnd(text []byte, i int) int {
	for i++; ; i++ {
		i += bytes.IndexByte(text[i:], '"')
		slashes := 0
		for text[i-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return i + 1
		}
	}
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\n' || text[i] == '\t' || text[i] == '\r') {
		i++
	}
	return i
}

// firstByte returns the first byte that is no white space, or 0.
func firstByte(text []byte) byte {
	if i := skipSpace(text, 0); i < len(text) {
		return text[i]
	}
	return 0
}

func trimSpace(text []byte) []byte {
	text = text[skipSpace(text, 0):]
	for n := len(text); n > 0; n-- {
		if c := text[n-1]; c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return text[:n]
		}
	}
	return nil
}

// depth returns how deep objects and lists nest in the text, valid JSON or not.
func depth(text []byte) int {
	deepest, now, inString := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}
