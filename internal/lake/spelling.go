package lake

import (
	"unicode/utf16"
	"unicode/utf8"
)

// The spelling of a record is that of Jackson, which Airbyte's S3 destination writes with: no space between tokens,
// number text as it came, and in strings no escape but those that JSON asks for:
//
//	\" \\ \b \t \n \f \r, and \u00XX with upper-case digits for the other control characters

// speller spells one JSON text, piece by piece.
type speller struct{ inString bool }

// append appends what of text is next to dst, up to its end or to somewhere behind limit bytes of it, and returns the
// longer dst and how much of text is in it. The text is valid JSON: a value, or the inside of an object.
func (s *speller) append(dst, text []byte, limit int) ([]byte, int) {
	from := 0 // what of text, from here on, goes in as it stands
	i := 0
	for i < len(text) && i < limit {
		switch c := text[i]; {
		case s.inString && c == '\\':
			dst = append(dst, text[from:i]...)
			var n int
			dst, n = appendEscape(dst, text[i:])
			i += n
			from = i
			continue
		case c == '"':
			s.inString = !s.inString
		case !s.inString && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			dst = append(dst, text[from:i]...)
			from = i + 1
		}
		i++
	}
	return append(dst, text[from:i]...), i
}

// appendJackson appends a whole text to dst.
func appendJackson(dst, text []byte) []byte {
	var s speller
	dst, _ = s.append(dst, text, len(text))
	return dst
}

// appendEscape appends what the escape at the start of text means, and returns how long the escape is.
func appendEscape(dst, text []byte) ([]byte, int) {
	switch text[1] {
	case '/':
		return append(dst, '/'), 2
	case 'u':
	default:
		return append(dst, text[:2]...), 2
	}
	r, n := rune(hex4(text[2:])), 6
	if utf16.IsSurrogate(r) {
		if len(text) < 12 || text[6] != '\\' || text[7] != 'u' {
			return appendUnicodeEscape(dst, r), n
		}
		whole := utf16.DecodeRune(r, rune(hex4(text[8:])))
		if whole == utf8.RuneError {
			return appendUnicodeEscape(dst, r), n
		}
		return utf8.AppendRune(dst, whole), 12
	}
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r)), n
	case '\b':
		return append(dst, `\b`...), n
	case '\t':
		return append(dst, `\t`...), n
	case '\n':
		return append(dst, `\n`...), n
	case '\f':
		return append(dst, `\f`...), n
	case '\r':
		return append(dst, `\r`...), n
	}
	if r < 0x20 {
		return appendUnicodeEscape(dst, r), n
	}
	return utf8.AppendRune(dst, r), n
}

// appendUnicodeEscape writes \uXXXX: a control character, or half of a pair that stands alone and so is no character.
func appendUnicodeEscape(dst []byte, r rune) []byte {
	const digits = "0123456789ABCDEF"
	return append(dst, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

func hex4(text []byte) int {
	n := 0
	for _, c := range text[:4] {
		switch {
		case c <= '9':
			n = n<<4 | int(c-'0')
		default:
			n = n<<4 | int(c|0x20-'a'+10)
		}
	}
	return n
}

// appendChanges writes the entries of a protocol's list of changes, each with field, change and reason in this order.
func appendChanges(dst, changes []byte) []byte {
	if len(changes) == 0 {
		return dst
	}
	first := true
	_ = eachElement(changes, func(entry []byte) {
		if entry[0] != '{' {
			return
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, '{')
		some := false
		for _, name := range [...]string{"field", "change", "reason"} {
			_, _ = scanObject(entry, 0, 0, func(m member) error {
				value := entry[m.valueStart:m.valueEnd]
				if string(entry[m.keyStart+1:m.keyEnd-1]) != name || value[0] != '"' {
					return nil
				}
				if some {
					dst = append(dst, ',')
				}
				some = true
				dst = append(append(append(dst, '"'), name...), `":`...)
				dst = appendJackson(dst, value)
				return nil
			})
		}
		dst = append(dst, '}')
	})
	return dst
}

// eachElement calls visit with each element of a JSON array.
func eachElement(array []byte, visit func([]byte)) error {
	i := skipSpace(array, 0)
	if i >= len(array) || array[i] != '[' {
		return badSyntax(array, i, "an array")
	}
	for i = skipSpace(array, i+1); i < len(array) && array[i] != ']'; {
		end, err := scanValue(array, i, 1)
		if err != nil {
			return err
		}
		visit(array[i:end])
		if i = skipSpace(array, end); i < len(array) && array[i] == ',' {
			i = skipSpace(array, i+1)
		}
	}
	return nil
}
