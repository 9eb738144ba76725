package lake

import (
	"errors"
	"io"
)

// errUnclosed means that a JSON array has no end.
var errUnclosed = errors.New("a JSON array is not closed")

// arrayReader gives an object that is one JSON array as lines: each element becomes one, whatever lines it stands on.
// Anything else goes through as it is. It checks no JSON: an element that is broken is a line that is.
type arrayReader struct {
	r        io.Reader
	part     arrayPart
	depth    int
	inString bool
	escaped  bool
}

// arrayPart is where in the object a reader stands.
type arrayPart byte

const (
	beforeArray arrayPart = iota
	inArray
	noArray // there is none, or it has ended
)

// Read implements [io.Reader]. Each byte becomes one byte, in place.
func (a *arrayReader) Read(p []byte) (int, error) {
	n, err := a.r.Read(p)
	for i := 0; i < n && a.part != noArray; i++ {
		if a.part == inArray {
			p[i] = a.within(p[i])
			continue
		}
		switch p[i] {
		case ' ', '\t', '\r', '\n', utf8BOM[0], utf8BOM[1], utf8BOM[2]:
		case '[':
			a.part, p[i] = inArray, ' '
		default:
			a.part = noArray
		}
	}
	if err == io.EOF && a.part == inArray {
		err = errUnclosed
	}
	return n, err
}

// within is what becomes of a byte of the array.
func (a *arrayReader) within(c byte) byte {
	if a.inString {
		switch {
		case a.escaped:
			a.escaped = false
		case c == '\\':
			a.escaped = true
		case c == '"':
			a.inString = false
		}
		return c
	}
	switch c {
	case '"':
		a.inString = true
	case '{', '[':
		a.depth++
	case '\n', '\r':
		return ' '
	case ',':
		if a.depth == 0 {
			return '\n'
		}
	case '}', ']':
		if a.depth == 0 && c == ']' {
			a.part = noArray
			return '\n'
		}
		a.depth = max(0, a.depth-1)
	}
	return c
}
