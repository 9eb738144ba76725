package rawjson

import (
	"longshore/internal/fault"
)

// MaxDepth is how deep arrays and objects may be nested. encoding/json allows 10,000; no API that we read comes
// near 20, and the scanner recurses.
const MaxDepth = 512

// Valid reports whether data is one JSON value, with nothing but white space round it.
func Valid(data []byte) bool { return Check(data) == nil }

// Check is Valid that says what is wrong: fault.Invalid with the byte offset.
func Check(data []byte) error {
	end, err := skipValue(data, skipSpace(data, 0), 0)
	if err != nil {
		return err
	}
	if end = skipSpace(data, end); end != len(data) {
		return syntaxError(data, end, "the end of the text")
	}
	return nil
}

// skipSpace returns the offset of the first byte at or after i that is no JSON white space.
func skipSpace(data []byte, i int) int {
	for i < len(data) && isSpace(data[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// skipValue returns the offset behind the value that begins at i.
func skipValue(data []byte, i, depth int) (int, error) {
	if i >= len(data) {
		return i, syntaxError(data, i, "a value")
	}
	switch c := data[i]; {
	case c == '"':
		return skipString(data, i)
	case c == '{':
		return skipObject(data, i, depth+1, nil)
	case c == '[':
		return skipArray(data, i, depth+1, nil)
	case c == '-' || isDigit(c):
		return skipNumber(data, i)
	case c == 't':
		return skipWord(data, i, "true")
	case c == 'f':
		return skipWord(data, i, "false")
	case c == 'n':
		return skipWord(data, i, "null")
	}
	return i, syntaxError(data, i, "a value")
}

// skipObject walks the object whose brace is at i and calls visit, if any, with each member's name (quoted, as it
// stands) and value. It stops early, with offset -1, when visit returns false.
func skipObject(data []byte, i, depth int, visit func(name, value []byte) bool) (int, error) {
	if depth > MaxDepth {
		return i, tooDeep(i)
	}
	i = skipSpace(data, i+1)
	if i < len(data) && data[i] == '}' {
		return i + 1, nil
	}
	for {
		if i >= len(data) || data[i] != '"' {
			return i, syntaxError(data, i, "a member's name")
		}
		nameEnd, err := skipString(data, i)
		if err != nil {
			return nameEnd, err
		}
		name := data[i:nameEnd:nameEnd]
		if i = skipSpace(data, nameEnd); i >= len(data) || data[i] != ':' {
			return i, syntaxError(data, i, "a colon")
		}
		i = skipSpace(data, i+1)
		end, err := skipValue(data, i, depth)
		if err != nil {
			return end, err
		}
		if visit != nil && !visit(name, data[i:end:end]) {
			return -1, nil
		}
		i = skipSpace(data, end)
		switch {
		case i < len(data) && data[i] == ',':
			i = skipSpace(data, i+1)
		case i < len(data) && data[i] == '}':
			return i + 1, nil
		default:
			return i, syntaxError(data, i, "a comma or a closing brace")
		}
	}
}

// skipArray walks the array whose bracket is at i and calls visit, if any, with each element. It stops early, with
// offset -1, when visit returns false.
func skipArray(data []byte, i, depth int, visit func(element []byte) bool) (int, error) {
	if depth > MaxDepth {
		return i, tooDeep(i)
	}
	i = skipSpace(data, i+1)
	if i < len(data) && data[i] == ']' {
		return i + 1, nil
	}
	for {
		end, err := skipValue(data, i, depth)
		if err != nil {
			return end, err
		}
		if visit != nil && !visit(data[i:end:end]) {
			return -1, nil
		}
		i = skipSpace(data, end)
		switch {
		case i < len(data) && data[i] == ',':
			i = skipSpace(data, i+1)
		case i < len(data) && data[i] == ']':
			return i + 1, nil
		default:
			return i, syntaxError(data, i, "a comma or a closing bracket")
		}
	}
}

// skipString returns the offset behind the string whose opening quote is at i. Bytes that are no UTF-8 pass, as in
// encoding/json; control characters and unknown escapes do not.
func skipString(data []byte, i int) (int, error) {
	for i++; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			return i + 1, nil
		case c < ' ':
			return i, syntaxError(data, i, "a string without control characters")
		case c == '\\':
			i++
			if i >= len(data) {
				return i, syntaxError(data, i, "an escape")
			}
			switch data[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				for range 4 {
					if i++; i >= len(data) || !isHex(data[i]) {
						return i, syntaxError(data, i, "four hexadecimal digits")
					}
				}
			default:
				return i, syntaxError(data, i, "an escape")
			}
		}
	}
	return i, syntaxError(data, i, "a closing quote")
}

func skipNumber(data []byte, i int) (int, error) {
	if data[i] == '-' {
		i++
	}
	var err error
	if i < len(data) && data[i] == '0' {
		i++
	} else if i, err = skipDigits(data, i); err != nil {
		return i, err
	}
	if i < len(data) && data[i] == '.' {
		if i, err = skipDigits(data, i+1); err != nil {
			return i, err
		}
	}
	if i < len(data) && (data[i] == 'e' || data[i] == 'E') {
		i++
		if i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		return skipDigits(data, i)
	}
	return i, nil
}

func skipDigits(data []byte, i int) (int, error) {
	if i >= len(data) || !isDigit(data[i]) {
		return i, syntaxError(data, i, "a digit")
	}
	for i < len(data) && isDigit(data[i]) {
		i++
	}
	return i, nil
}

func skipWord(data []byte, i int, word string) (int, error) {
	if len(data)-i < len(word) || string(data[i:i+len(word)]) != word {
		return i, syntaxError(data, i, word)
	}
	return i + len(word), nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

func syntaxError(data []byte, i int, want string) error {
	if i >= len(data) {
		return fault.Errorf(fault.Invalid, "JSON ends at byte %d, want %s", len(data), want)
	}
	return fault.Errorf(fault.Invalid, "JSON at byte %d: want %s, got %q", i, want, data[i])
}

func tooDeep(i int) error {
	return fault.Errorf(fault.Invalid, "JSON at byte %d: nested deeper than %d", i, MaxDepth)
}
