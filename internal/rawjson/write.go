package rawjson

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// AppendMember appends obj to dst with one more member at its end, and returns the longer dst. obj must be a valid
// JSON object and value a valid JSON value: AppendMember looks only at the closing brace, and panics without one.
// A member of the same name in obj stays where it is; the new one, being the last, counts.
func AppendMember(dst, obj []byte, name string, value []byte) []byte {
	obj = bytes.TrimSpace(obj)
	if len(obj) < 2 || obj[0] != '{' || obj[len(obj)-1] != '}' {
		panic(fmt.Sprintf("rawjson: AppendMember of %q to what is no object", name))
	}
	body := bytes.TrimRight(obj[:len(obj)-1], " \t\r\n")
	dst = append(dst, body...)
	if len(body) > 1 { // more than the opening brace
		dst = append(dst, ',')
	}
	dst = AppendString(dst, name)
	dst = append(dst, ':')
	dst = append(dst, value...)
	return append(dst, '}')
}

// AppendString appends text to dst as a JSON string.
func AppendString(dst []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always marshals
	}
	return append(dst, quoted...)
}

// OneLine returns a valid JSON value as one line: the value itself when it holds no line break, else a copy without
// any white space between its tokens. Inside of strings JSON allows no raw line break, so none is lost.
func OneLine(value []byte) []byte {
	if bytes.IndexByte(value, '\n') < 0 && bytes.IndexByte(value, '\r') < 0 {
		return value
	}
	return appendCompact(make([]byte, 0, len(value)), value)
}

// appendCompact appends a valid JSON value to dst without the white space between its tokens. Unlike json.Compact
// it escapes nothing, and keeps number text as it is.
func appendCompact(dst, value []byte) []byte {
	inString := false
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case inString && c == '\\' && i+1 < len(value):
			dst = append(dst, c)
			i++
			c = value[i]
		case c == '"':
			inString = !inString
		case !inString && isSpace(c):
			continue
		}
		dst = append(dst, c)
	}
	return dst
}

// SetMember returns a copy of obj, a valid JSON object, with the member of that name having the value: in the place of
// the first of them when it is there, else at the end.
func SetMember(obj []byte, name string, value []byte) []byte {
	dst := make([]byte, 0, len(obj)+len(name)+len(value)+4)
	dst = append(dst, '{')
	set := false
	_, err := skipObject(obj, skipSpace(obj, 0), 1, func(key, old []byte) bool {
		if NameIs(key, name) {
			if set {
				return true
			}
			old, set = value, true
		}
		if len(dst) > 1 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, key...), ':'), old...)
		return true
	})
	if err != nil {
		panic(fmt.Sprintf("rawjson: SetMember of %q: %v", name, err))
	}
	dst = append(dst, '}')
	if !set {
		return AppendMember(nil, dst, name, value)
	}
	return dst
}
