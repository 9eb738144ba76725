package catalog

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"longshore/internal/fault"
)

// maxValueDepth bounds nesting in one value of a property.
const maxValueDepth = 256

// canonical appends the canonical form of one JSON value to dst: no space, object members sorted by key with the
// last of duplicates kept, strings in their shortest escapes, numbers as they are spelled. What no database text can
// hold (U+0000, lone surrogates, bytes that are not UTF-8) becomes U+FFFD, and mended says so.
func canonical(dst, value []byte) (out []byte, mended bool, err error) {
	c := canon{src: value, dst: dst}
	if !c.value(0) || c.space() != len(c.src) {
		return dst, false, fault.Errorf(fault.Invalid, "not a JSON value near byte %d: %s", c.i, excerpt(value))
	}
	return c.dst, c.mended, nil
}

type canon struct {
	src, dst []byte
	i        int
	mended   bool
}

// space skips white space and returns the position after it.
func (c *canon) space() int {
	for c.i < len(c.src) && (c.src[c.i] == ' ' || c.src[c.i] == '\n' || c.src[c.i] == '\t' || c.src[c.i] == '\r') {
		c.i++
	}
	return c.i
}

func (c *canon) value(depth int) bool {
	if c.space() == len(c.src) || depth > maxValueDepth {
		return false
	}
	switch c.src[c.i] {
	case '{':
		return c.object(depth)
	case '[':
		return c.array(depth)
	case '"':
		return c.text()
	case 't':
		return c.literal("true")
	case 'f':
		return c.literal("false")
	case 'n':
		return c.literal("null")
	}
	return c.number()
}

func (c *canon) literal(word string) bool {
	if len(c.src)-c.i < len(word) || string(c.src[c.i:c.i+len(word)]) != word {
		return false
	}
	c.i += len(word)
	c.dst = append(c.dst, word...)
	return true
}

func (c *canon) number() bool {
	start := c.i
	if c.peek() == '-' {
		c.i++
	}
	if c.peek() == '0' {
		c.i++
	} else if c.digits() == 0 {
		return false
	}
	if c.peek() == '.' {
		c.i++
		if c.digits() == 0 {
			return false
		}
	}
	if c.peek()|0x20 == 'e' {
		c.i++
		if c.peek() == '+' || c.peek() == '-' {
			c.i++
		}
		if c.digits() == 0 {
			return false
		}
	}
	c.dst = append(c.dst, c.src[start:c.i]...)
	return true
}

func (c *canon) peek() byte {
	if c.i < len(c.src) {
		return c.src[c.i]
	}
	return 0
}

func (c *canon) digits() int {
	start := c.i
	for c.i < len(c.src) && c.src[c.i] >= '0' && c.src[c.i] <= '9' {
		c.i++
	}
	return c.i - start
}

func (c *canon) array(depth int) bool {
	c.i++
	c.dst = append(c.dst, '[')
	if c.space(); c.peek() == ']' {
		c.i++
		c.dst = append(c.dst, ']')
		return true
	}
	for {
		if !c.value(depth + 1) {
			return false
		}
		c.space()
		b := c.peek()
		c.i++
		switch b {
		case ',', ']':
			c.dst = append(c.dst, b)
			if b == ']' {
				return true
			}
		default:
			return false
		}
	}
}

// member is a span of dst: the quoted key from start to key, the value to end.
type member struct{ start, key, end int }

func (c *canon) object(depth int) bool {
	c.i++
	open := len(c.dst)
	c.dst = append(c.dst, '{')
	if c.space(); c.peek() == '}' {
		c.i++
		c.dst = append(c.dst, '}')
		return true
	}
	var room [24]member
	members := room[:0]
	sorted := true
	for {
		var m member
		m.start = len(c.dst)
		if c.space(); c.peek() != '"' || !c.text() {
			return false
		}
		m.key = len(c.dst)
		if c.space(); c.peek() != ':' {
			return false
		}
		c.i++
		c.dst = append(c.dst, ':')
		if !c.value(depth + 1) {
			return false
		}
		m.end = len(c.dst)
		if n := len(members); n > 0 && bytes.Compare(c.key(members[n-1]), c.key(m)) >= 0 {
			sorted = false
		}
		members = append(members, m)
		c.space()
		b := c.peek()
		c.i++
		if b == '}' {
			break
		}
		if b != ',' {
			return false
		}
		c.dst = append(c.dst, ',')
	}
	if !sorted {
		c.reorder(open, members)
	}
	c.dst = append(c.dst, '}')
	return true
}

func (c *canon) key(m member) []byte { return c.dst[m.start:m.key] }

func (c *canon) reorder(open int, members []member) {
	slices.SortStableFunc(members, func(a, b member) int { return bytes.Compare(c.key(a), c.key(b)) })
	sorted := make([]byte, 0, len(c.dst)-open)
	for i, m := range members {
		if i+1 < len(members) && bytes.Equal(c.key(m), c.key(members[i+1])) {
			continue
		}
		if len(sorted) > 0 {
			sorted = append(sorted, ',')
		}
		sorted = append(sorted, c.dst[m.start:m.end]...)
	}
	c.dst = append(append(c.dst[:open], '{'), sorted...)
}

func (c *canon) text() bool {
	start := c.i
	c.i++
	for c.i < len(c.src) {
		switch b := c.src[c.i]; {
		case b == '"':
			c.i++
			c.dst = append(c.dst, c.src[start:c.i]...)
			return true
		case b < 0x20:
			return false
		case b == '\\' || b >= utf8.RuneSelf:
			c.dst = append(c.dst, c.src[start:c.i]...)
			return c.hardText()
		default:
			c.i++
		}
	}
	return false
}

// hardText goes on with a string that holds an escape or more than ASCII.
func (c *canon) hardText() bool {
	for c.i < len(c.src) {
		b := c.src[c.i]
		switch {
		case b == '"':
			c.i++
			c.dst = append(c.dst, '"')
			return true
		case b < 0x20:
			return false
		case b == '\\':
			r, ok := c.escape()
			if !ok {
				return false
			}
			c.rune(r)
		case b < utf8.RuneSelf:
			c.i++
			c.dst = append(c.dst, b)
		default:
			r, size := utf8.DecodeRune(c.src[c.i:])
			if r == utf8.RuneError && size == 1 {
				c.mended = true
			}
			c.i += size
			c.dst = utf8.AppendRune(c.dst, r)
		}
	}
	return false
}

// escape reads one escape sequence, or a surrogate pair of them.
func (c *canon) escape() (rune, bool) {
	if c.i+1 >= len(c.src) {
		return 0, false
	}
	b := c.src[c.i+1]
	c.i += 2
	switch b {
	case '"', '\\', '/':
		return rune(b), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		r, ok := c.hex()
		if !ok {
			return 0, false
		}
		if utf16.IsSurrogate(r) {
			if before := c.i; c.i+1 < len(c.src) && c.src[c.i] == '\\' && c.src[c.i+1] == 'u' {
				c.i += 2
				low, ok := c.hex()
				if !ok {
					return 0, false
				}
				if whole := utf16.DecodeRune(r, low); whole != utf8.RuneError {
					return whole, true
				}
				c.i = before
			}
			r = 0
		}
		if r == 0 {
			c.mended = true
			return utf8.RuneError, true
		}
		return r, true
	}
	return 0, false
}

func (c *canon) hex() (rune, bool) {
	if c.i+4 > len(c.src) {
		return 0, false
	}
	var r rune
	for _, b := range c.src[c.i : c.i+4] {
		switch {
		case b >= '0' && b <= '9':
			r = r<<4 | rune(b-'0')
		case b|0x20 >= 'a' && b|0x20 <= 'f':
			r = r<<4 | rune(b|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	c.i += 4
	return r, true
}

func (c *canon) rune(r rune) {
	const hexDigits = "0123456789abcdef"
	switch {
	case r == '"' || r == '\\':
		c.dst = append(c.dst, '\\', byte(r))
	case r == '\n':
		c.dst = append(c.dst, '\\', 'n')
	case r == '\r':
		c.dst = append(c.dst, '\\', 'r')
	case r == '\t':
		c.dst = append(c.dst, '\\', 't')
	case r < 0x20:
		c.dst = append(c.dst, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
	default:
		c.dst = utf8.AppendRune(c.dst, r)
	}
}

// appendText appends s as a JSON string in canonical form.
func appendText(dst []byte, s string) []byte {
	c := canon{dst: append(dst, '"')}
	for _, r := range s {
		c.rune(r)
	}
	return append(c.dst, '"')
}

// members calls fn with each member of a canonical object ("" and null have none), in order. The name and value are
// parts of object.
func members(object []byte, fn func(name string, value []byte)) {
	if len(object) < 2 || object[0] != '{' {
		return
	}
	for i := 1; i < len(object) && object[i] == '"'; {
		end := skip(object, i)
		name, start := object[i:end], end+1
		i = skip(object, start)
		fn(unquote(name), object[start:i])
		if i < len(object) && object[i] == ',' {
			i++
		}
	}
}

// elements calls fn with each element of a canonical list.
func elements(list []byte, fn func(value []byte)) {
	if len(list) < 2 || list[0] != '[' {
		return
	}
	for i := 1; i < len(list) && list[i] != ']'; {
		end := skip(list, i)
		fn(list[i:end])
		i = end
		if i < len(list) && list[i] == ',' {
			i++
		}
	}
}

// skip returns the end of the canonical value that starts at i.
func skip(src []byte, i int) int {
	depth := 0
	for ; i < len(src); i++ {
		switch src[i] {
		case '"':
			for i++; i < len(src) && src[i] != '"'; i++ {
				if src[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':':
			if depth == 0 {
				return i
			}
		}
	}
	return i
}

// unquote decodes a JSON string; what is no string gives "".
func unquote(value []byte) string {
	if len(value) >= 2 && value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1])
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}

// excerpt is at most 120 bytes of a value, cut at a rune.
func excerpt(value []byte) string {
	const maxExcerptBytes = 120
	value = bytes.TrimSpace(value)
	if len(value) > maxExcerptBytes {
		cut := maxExcerptBytes - len("…")
		for cut > 0 && !utf8.RuneStart(value[cut]) {
			cut--
		}
		return string(bytes.ToValidUTF8(value[:cut], []byte("\uFFFD"))) + "…"
	}
	return string(bytes.ToValidUTF8(value, []byte("\uFFFD")))
}

func isNull(value []byte) bool { return len(value) == 0 || string(bytes.TrimSpace(value)) == "null" }
