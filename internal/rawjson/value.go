package rawjson

import (
	"bytes"
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// Elements yields the elements of the JSON array in data. The text is checked as it is walked: a fault (data is no
// array, is broken, or goes on behind it) is yielded last, after the elements in front of it.
func Elements(data []byte) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		i := skipSpace(data, 0)
		if i >= len(data) || data[i] != '[' {
			yield(nil, syntaxError(data, i, "an array"))
			return
		}
		end, err := skipArray(data, i, 1, func(element []byte) bool { return yield(element, nil) })
		if end < 0 {
			return // the caller has seen enough
		}
		if err == nil {
			if end = skipSpace(data, end); end != len(data) {
				err = syntaxError(data, end, "the end of the text")
			}
		}
		if err != nil {
			yield(nil, err)
		}
	}
}

// Get returns the value at the end of a path of member names, and whether it is there. A member given twice counts
// with its last value. It is false also when obj, as far as it must be read, is no valid JSON object.
func Get(obj []byte, path ...string) ([]byte, bool) {
	for _, name := range path {
		i := skipSpace(obj, 0)
		if i >= len(obj) || obj[i] != '{' {
			return nil, false
		}
		var found []byte
		_, err := skipObject(obj, i, 1, func(key, value []byte) bool {
			if NameIs(key, name) {
				found = value
			}
			return true
		})
		if err != nil || found == nil {
			return nil, false
		}
		obj = found
	}
	return obj, len(path) > 0
}

// Members yields the members of a JSON object: each name as it stands, in its quotes (see NameIs), and its value.
// What is no valid object ends early, without a word: a caller that has not checked the text knows Check.
func Members(obj []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		if i := skipSpace(obj, 0); i < len(obj) && obj[i] == '{' {
			_, _ = skipObject(obj, i, 1, yield)
		}
	}
}

// NameIs compares a quoted name, as Members yields it, with its text.
func NameIs(quoted []byte, name string) bool {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner) == name
	}
	text, ok := String(quoted)
	return ok && text == name
}

// String returns the text of a span that is a JSON string, and whether it is one.
func String(span []byte) (string, bool) {
	if len(span) < 2 || span[0] != '"' {
		return "", false
	}
	if end, err := skipString(span, 0); err != nil || end != len(span) {
		return "", false
	}
	if inner := span[1 : len(span)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner), true
	}
	var text string // escapes and bad UTF-8 mean what encoding/json makes of them
	err := json.Unmarshal(span, &text)
	return text, err == nil
}

// GetString returns the text of the JSON string at the end of a path, or "" if there is none.
func GetString(obj []byte, path ...string) string {
	span, ok := Get(obj, path...)
	if !ok {
		return ""
	}
	text, _ := String(span)
	return text
}

// IsObject reports whether a span begins as an object does.
func IsObject(span []byte) bool {
	i := skipSpace(span, 0)
	return i < len(span) && span[i] == '{'
}

// IsNull reports whether a span is the word null.
func IsNull(span []byte) bool { return string(bytes.TrimSpace(span)) == "null" }
