package lake

import (
	"fmt"
)

// maxDepth is how deep JSON values may nest, as in encoding/json.
const maxDepth = 10000

// syntaxError is where and why a text is not JSON.
type syntaxError struct {
	offset int
	what   string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%s at byte %d", e.what, e.offset) }

func badSyntax(text []byte, i int, want string) error {
	if i >= len(text) {
		return &syntaxError{len(text), "unexpected end, want " + want}
	}
	return &syntaxError{i, fmt.Sprintf("unexpected %q, want %s", rune(text[i]), want)}
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
		i++
	}
	return i
}

// scanWhole checks that the text is one JSON value with at most space around it, and returns the value's span.
func scanWhole(text []byte) (start, end int, err error) {
	start = skipSpace(text, 0)
	if end, err = scanValue(text, start, 0); err != nil {
		return 0, 0, err
	}
	if i := skipSpace(text, end); i < len(text) {
		return 0, 0, badSyntax(text, i, "the end of the line")
	}
	return start, end, nil
}

// scanValue checks the value that begins at i and returns where it ends. It does not check UTF-8.
func scanValue(text []byte, i, depth int) (int, error) {
	if i >= len(text) {
		return 0, badSyntax(text, i, "a value")
	}
	switch c := text[i]; c {
	case '{':
		return scanObject(text, i, depth, nil)
	case '[':
		return scanArray(text, i, depth)
	case '"':
		return scanString(text, i)
	case 't':
		return scanLiteral(text, i, "true")
	case 'f':
		return scanLiteral(text, i, "false")
	case 'n':
		return scanLiteral(text, i, "null")
	default:
		if c == '-' || isDigit(c) {
			return scanNumber(text, i)
		}
		return 0, badSyntax(text, i, "a value")
	}
}

// member is a member of an object: spans of its key (quotes included) and value.
type member struct{ keyStart, keyEnd, valueStart, valueEnd int }

// scanObject checks the object that begins at i and returns where it ends. It calls visit, unless nil, for each
// member of this object (not of those within).
func scanObject(text []byte, i, depth int, visit func(member) error) (int, error) {
	if depth >= maxDepth {
		return 0, &syntaxError{i, fmt.Sprintf("nested deeper than %d", maxDepth)}
	}
	i = skipSpace(text, i+1)
	if i < len(text) && text[i] == '}' {
		return i + 1, nil
	}
	for {
		var m member
		var err error
		if i >= len(text) || text[i] != '"' {
			return 0, badSyntax(text, i, "a member's name")
		}
		m.keyStart = i
		if m.keyEnd, err = scanString(text, i); err != nil {
			return 0, err
		}
		if i = skipSpace(text, m.keyEnd); i >= len(text) || text[i] != ':' {
			return 0, badSyntax(text, i, "a colon")
		}
		m.valueStart = skipSpace(text, i+1)
		if m.valueEnd, err = scanValue(text, m.valueStart, depth+1); err != nil {
			return 0, err
		}
		if visit != nil {
			if err := visit(m); err != nil {
				return 0, err
			}
		}
		i = skipSpace(text, m.valueEnd)
		switch {
		case i < len(text) && text[i] == ',':
			i = skipSpace(text, i+1)
		case i < len(text) && text[i] == '}':
			return i + 1, nil
		default:
			return 0, badSyntax(text, i, "a comma or the object's end")
		}
	}
}

func scanArray(text []byte, i, depth int) (int, error) {
	if depth >= maxDepth {
		return 0, &syntaxError{i, fmt.Sprintf("nested deeper than %d", maxDepth)}
	}
	i = skipSpace(text, i+1)
	if i < len(text) && text[i] == ']' {
		return i + 1, nil
	}
	for {
		end, err := scanValue(text, i, depth+1)
		if err != nil {
			return 0, err
		}
		i = skipSpace(text, end)
		switch {
		case i < len(text) && text[i] == ',':
			i = skipSpace(text, i+1)
		case i < len(text) && text[i] == ']':
			return i + 1, nil
		default:
			return 0, badSyntax(text, i, "a comma or the array's end")
		}
	}
}

func scanString(text []byte, start int) (int, error) {
	for i := start + 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return i + 1, nil
		case c < 0x20:
			return 0, &syntaxError{i, fmt.Sprintf("control character 0x%02x in a string", c)}
		case c == '\\':
			i++
			if i >= len(text) {
				return 0, badSyntax(text, i, "an escape")
			}
			switch text[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					if i++; i >= len(text) || !isHex(text[i]) {
						return 0, badSyntax(text, i, "four hexadecimal digits")
					}
				}
			default:
				return 0, badSyntax(text, i, "an escape")
			}
		}
	}
	return 0, badSyntax(text, len(text), "a string's end")
}

func isHex(c byte) bool {
	return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func scanNumber(text []byte, i int) (int, error) {
	some := func() bool {
		from := i
		for i < len(text) && isDigit(text[i]) {
			i++
		}
		return i > from
	}
	if text[i] == '-' {
		i++
	}
	if i < len(text) && text[i] == '0' {
		i++
	} else if !some() {
		return 0, badSyntax(text, i, "a digit")
	}
	if i < len(text) && text[i] == '.' {
		if i++; !some() {
			return 0, badSyntax(text, i, "a digit")
		}
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		if i++; i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		if !some() {
			return 0, badSyntax(text, i, "a digit")
		}
	}
	return i, nil
}

func scanLiteral(text []byte, i int, word string) (int, error) {
	if len(text)-i < len(word) || string(text[i:i+len(word)]) != word {
		return 0, &syntaxError{i, fmt.Sprintf("unknown word, want %s", word)}
	}
	return i + len(word), nil
}

// kindOf names the kind of the JSON value that begins with c, for messages.
func kindOf(c byte) string {
	switch c {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}
