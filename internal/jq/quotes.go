package jq

import (
	"strings"
	"unicode/utf8"
)

// doubleQuotes makes a single quote a double one where it opens or closes a string, by Port's rule. It opens when
// preceded by the start of the text or whitespace and not followed by whitespace or a double quote; it closes when
// not preceded by whitespace or a double quote and followed by whitespace or the end of the text. The rule is purely
// textual: it does not look whether the quote stands inside a string. Both quotes are one byte, so offsets hold.
func doubleQuotes(expr string) string {
	if strings.IndexByte(expr, '\'') < 0 {
		return expr
	}
	out := []byte(expr)
	for i := range len(expr) {
		if expr[i] != '\'' {
			continue
		}
		before, width := utf8.DecodeLastRuneInString(expr[:i])
		start := width == 0
		after, width := utf8.DecodeRuneInString(expr[i+1:])
		end := width == 0
		spaceBefore, spaceAfter := !start && isSpace(before), !end && isSpace(after)
		opens := (start || spaceBefore) && (end || !spaceAfter && after != '"')
		closes := (start || !spaceBefore && before != '"') && (end || spaceAfter)
		if opens || closes {
			out[i] = '"'
		}
	}
	return string(out)
}

// isSpace is \s of JavaScript's regular expressions.
func isSpace(r rune) bool {
	switch {
	case r >= '\t' && r <= '\r', r == ' ', r == 0xA0, r == 0x1680, r >= 0x2000 && r <= 0x200A,
		r == 0x2028, r == 0x2029, r == 0x202F, r == 0x205F, r == 0x3000, r == 0xFEFF:
		return true
	}
	return false
}
