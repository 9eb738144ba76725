package jq

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/itchyny/gojq"
)

// check is a question that an expression asks of the text at a path, when that is all it does. The shapes, P a path, S
// a string and C a constant (string, null, true, false):
//
//	P | has(S)                                 does the object have the member
//	P == C, P != C, P | IN(C, ...)             is the value one of the constants
//	P | split(S) | .[n] | IN(C, ...)           is the n-th part of the string one of them
//
// It is answered from the text, without decoding the record. What it cannot answer, such as has of a string, is the
// interpreter's to tell.
type check struct {
	path      []string
	member    string // of has
	has       bool
	separator string // "": the value itself
	part      int
	constants []constant
	not       bool
}

// constant is what a value is held against. Its kind is the first byte of its text: " n t f.
type constant struct {
	kind byte
	text string // of a string, decoded
}

var (
	trueText  = []byte("true")
	falseText = []byte("false")
)

// checkOf returns the check that the expression is, or nil.
func checkOf(q *gojq.Query) *check {
	stages, ok := stagesOf(q, nil)
	if !ok {
		return nil
	}
	c := &check{}
	last := stages[len(stages)-1]
	if q := last; q.Term == nil && (q.Op == gojq.OpEq || q.Op == gojq.OpNe) {
		literal, ok := constantOf(q.Right)
		if !ok {
			return nil
		}
		c.constants, c.not = []constant{literal}, q.Op == gojq.OpNe
		stages[len(stages)-1] = q.Left
		return c.at(stages)
	}
	name, args := functionOf(last)
	stages = stages[:len(stages)-1]
	switch {
	case name == "has" && len(args) == 1:
		literal, ok := constantOf(args[0])
		if !ok || literal.kind != '"' {
			return nil
		}
		c.has, c.member = true, literal.text
	case name == "IN" && len(args) == 1:
		if c.constants, ok = constantsOf(args[0], nil); !ok {
			return nil
		}
		stages = c.split(stages)
	default:
		return nil
	}
	return c.at(stages)
}

// split takes split(S) | .[n] off the end of the stages, if that is how they end.
func (c *check) split(stages []*gojq.Query) []*gojq.Query {
	n := len(stages)
	if n < 3 {
		return stages
	}
	part, ok := elementOf(stages[n-1])
	name, args := functionOf(stages[n-2])
	if !ok || name != "split" || len(args) != 1 {
		return stages
	}
	separator, ok := constantOf(args[0])
	if !ok || separator.kind != '"' || separator.text == "" {
		return stages
	}
	c.separator, c.part = separator.text, part
	return stages[:n-2]
}

// at ends a check whose first stages are the path, or nil when they are something else.
func (c *check) at(stages []*gojq.Query) *check {
	for _, q := range stages {
		keys, plain, ok := leadingPath(q)
		if !ok || !plain {
			return nil
		}
		c.path = append(c.path, keys...)
	}
	for _, key := range c.path {
		if !utf8.ValidString(key) {
			return nil
		}
	}
	if len(c.path) == 0 {
		return nil
	}
	return c
}

// stagesOf appends the stages of a pipe, parentheses round the whole or a stage taken off.
func stagesOf(q *gojq.Query, to []*gojq.Query) (stages []*gojq.Query, ok bool) {
	switch {
	case len(q.FuncDefs) > 0, q.Meta != nil, len(q.Imports) > 0, len(q.Patterns) > 0:
		return nil, false
	case q.Term == nil && q.Op == gojq.OpPipe:
		if to, ok = stagesOf(q.Left, to); !ok {
			return nil, false
		}
		return stagesOf(q.Right, to)
	case q.Term != nil && q.Term.Type == gojq.TermTypeQuery && len(q.Term.SuffixList) == 0:
		return stagesOf(q.Term.Query, to)
	}
	return append(to, q), true
}

func functionOf(q *gojq.Query) (name string, args []*gojq.Query) {
	if t := q.Term; t != nil && t.Type == gojq.TermTypeFunc && len(t.SuffixList) == 0 {
		return t.Func.Name, t.Func.Args
	}
	return "", nil
}

// elementOf returns the n of .[n], not counted from the end.
func elementOf(q *gojq.Query) (n int, ok bool) {
	t := q.Term
	if t == nil || t.Type != gojq.TermTypeIndex || len(t.SuffixList) > 0 || t.Index.IsSlice || t.Index.Start == nil {
		return 0, false
	}
	number := t.Index.Start.Term
	if number == nil || number.Type != gojq.TermTypeNumber || !isLiteral(t.Index.Start) {
		return 0, false
	}
	n, err := strconv.Atoi(number.Number)
	return n, err == nil && n >= 0
}

func constantsOf(q *gojq.Query, to []constant) (all []constant, ok bool) {
	if q.Term == nil && q.Op == gojq.OpComma && len(q.FuncDefs) == 0 {
		if to, ok = constantsOf(q.Left, to); !ok {
			return nil, false
		}
		return constantsOf(q.Right, to)
	}
	literal, ok := constantOf(q)
	return append(to, literal), ok
}

func constantOf(q *gojq.Query) (c constant, ok bool) {
	if !isLiteral(q) {
		return constant{}, false
	}
	switch q.Term.Type {
	case gojq.TermTypeNull:
		return constant{kind: 'n'}, true
	case gojq.TermTypeTrue:
		return constant{kind: 't'}, true
	case gojq.TermTypeFalse:
		return constant{kind: 'f'}, true
	case gojq.TermTypeString:
		return constant{kind: '"', text: q.Term.Str.Str}, utf8.ValidString(q.Term.Str.Str)
	}
	return constant{}, false
}

// answer asks the check of the input; ok is false where only the interpreter can tell.
func (c *check) answer(in *Input) (yes, ok bool) {
	if c.has {
		return in.has(c.path, c.member)
	}
	value, ok := in.span(c.path)
	if !ok {
		return false, false
	}
	kind := value[0]
	if kind == '"' {
		value = unquoted(value)
	}
	if c.separator != "" {
		if kind != '"' {
			return false, false
		}
		if value, ok = part(value, c.separator, c.part); !ok {
			kind = 'n'
		}
	}
	for i := range c.constants {
		if k := &c.constants[i]; k.kind == kind && (kind != '"' || k.text == string(value)) {
			return !c.not, true
		}
	}
	return c.not, true
}

// part returns the n-th of the parts that the separator makes of the text. Of an empty text there is none.
func part(text []byte, separator string, n int) (found []byte, ok bool) {
	if len(text) == 0 {
		return nil, false
	}
	for ; ; n-- {
		at := indexOf(text, separator)
		switch {
		case n == 0 && at < 0:
			return text, true
		case n == 0:
			return text[:at], true
		case at < 0:
			return nil, false
		}
		text = text[at+len(separator):]
	}
}

func indexOf(text []byte, separator string) int {
	if len(separator) == 1 {
		return bytes.IndexByte(text, separator[0])
	}
	return bytes.Index(text, []byte(separator))
}

// unquoted is a JSON string decoded, in place where it has no escapes.
func unquoted(text []byte) []byte {
	inner := text[1 : len(text)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var s string
	_ = json.Unmarshal(text, &s) // the text is valid JSON
	return []byte(s)
}

// has reports whether the object that the keys lead to has the member; ok is false where only the interpreter can tell.
func (in *Input) has(keys []string, name string) (yes, ok bool) {
	if len(keys) == 1 {
		for i := range in.members {
			if m := &in.members[i]; m.name == keys[0] && firstByte(m.text) == '{' {
				return m.has(name), true
			}
		}
	}
	object, ok := in.span(keys)
	if !ok {
		return false, false
	}
	switch object[0] {
	case '{':
		eachMember(object, func(m span) { yes = yes || keyIs(m.key, name) })
		return yes, true
	case 'n':
		return false, true
	}
	return false, false
}
