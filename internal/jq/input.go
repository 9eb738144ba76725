package jq

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"longshore/internal/fault"
)

// MaxDepth is how deep objects and lists may nest, in what goes in and in what comes out.
const MaxDepth = 1000

// Input is the JSON that programs run over: one text, or an object made of named texts. It borrows the texts until
// the next Reset, decodes them at most once, and belongs to one goroutine. The zero Input is null.
type Input struct {
	members []inputMember // nil when the input is one text
	text    []byte
	root    any
	decoded bool
	clock   stepClock
}

// inputMember is one named text. Its own members are found once, since most paths are .body.something.
type inputMember struct {
	name    string
	text    []byte
	decoded bool
	indexed bool
	index   []span // of an object, in its order
}

func (m *inputMember) set(name string, text []byte) {
	clear(m.index)
	*m = inputMember{name: name, text: text, index: m.index[:0]}
}

// lookup is the function lookup over the member's text, with the first step taken from the index.
func (m *inputMember) lookup(keys []string) (value []byte, ok bool) {
	if len(keys) == 0 || firstByte(m.text) != '{' {
		return lookup(m.text, keys)
	}
	if i := m.find(keys[0]); i >= 0 {
		return lookup(m.index[i].value, keys[1:])
	}
	return null, true
}

// has reports whether the member's text, an object, has a member of that name.
func (m *inputMember) has(name string) bool { return m.find(name) >= 0 }

// find returns the place of the name in the index of the member's text, an object, or -1. Of equal keys the last wins.
func (m *inputMember) find(name string) int {
	if !m.indexed {
		m.index, m.indexed = appendMembers(m.index, trimSpace(m.text)), true
	}
	for i := len(m.index) - 1; i >= 0; i-- {
		if keyIs(m.index[i].key, name) {
			return i
		}
	}
	return -1
}

// Reset makes the input null and lets go of all texts.
func (in *Input) Reset() {
	for i := range in.members {
		in.members[i].set("", nil)
	}
	in.members, in.text, in.root, in.decoded = in.members[:0], nil, nil, false
}

// SetText makes the input that text, which must have passed [Check].
func (in *Input) SetText(text []byte) {
	in.Reset()
	in.text = text
}

// SetMember makes the input an object, if it is not one yet, and the text the value of that member. It replaces a
// member of the same name. The text must have passed [Check], or come from a program.
func (in *Input) SetMember(name string, text []byte) {
	for i := range in.members {
		if in.members[i].name == name {
			in.members[i].set(name, text)
			in.decoded = false
			return
		}
	}
	if n := len(in.members); n < cap(in.members) {
		in.members = in.members[:n+1] // with the index that the slot had before
	} else {
		in.members = append(in.members, inputMember{})
	}
	in.members[len(in.members)-1].set(name, text)
	in.decoded = false
}

// SetMembers makes the input the members of that object, each a text of its own, and reports whether it is an object;
// the text must have passed [Check].
func (in *Input) SetMembers(object []byte) bool {
	in.Reset()
	object = trimSpace(object)
	if len(object) == 0 || object[0] != '{' {
		return false
	}
	places := map[string]int{}
	eachMember(object, func(m span) {
		name := string(unquoted(m.key))
		if i, known := places[name]; known {
			in.members[i].text = m.value
			return
		}
		places[name] = len(in.members)
		in.members = append(in.members, inputMember{name: name, text: m.value})
	})
	return true
}

// DropMember takes the member out again.
func (in *Input) DropMember(name string) {
	for i := range in.members {
		if in.members[i].name == name {
			last := len(in.members) - 1
			in.members[i], in.members[last] = in.members[last], in.members[i]
			in.members[last].set("", nil)
			in.members = in.members[:last]
			if object, ok := in.root.(map[string]any); ok {
				delete(object, name)
			}
			return
		}
	}
}

// Check returns the text in a form that an Input accepts, which is the text itself unless it holds invalid UTF-8:
// each such byte then becomes U+FFFD. Errors are fault.Invalid: not JSON, or deeper than MaxDepth ("too_deep").
func Check(text []byte) ([]byte, error) {
	if depth(text) > MaxDepth {
		return nil, fault.Errorf(fault.Invalid, "nested deeper than %d levels", MaxDepth).WithCode("too_deep", nil)
	}
	if !json.Valid(text) {
		return nil, fault.Errorf(fault.Invalid, "not JSON: %w", syntaxError(text))
	}
	if !utf8.Valid(text) {
		text = bytes.Map(func(r rune) rune { return r }, text) // every invalid byte is a RuneError of its own
	}
	return text, nil
}

func syntaxError(text []byte) error {
	var v json.RawMessage
	err := json.Unmarshal(text, &v)
	if syntax, ok := err.(*json.SyntaxError); ok { //nolint:errorlint // Unmarshal returns it bare
		return fmt.Errorf("%w at byte %d", err, syntax.Offset)
	}
	return err
}

// span returns the text that the keys lead to; ok is false where only the interpreter can tell.
func (in *Input) span(keys []string) (value []byte, ok bool) {
	if len(in.members) == 0 {
		if in.text == nil {
			return null, true
		}
		return lookup(in.text, keys)
	}
	if len(keys) == 0 {
		return nil, false
	}
	for i := range in.members {
		if in.members[i].name == keys[0] {
			return in.members[i].lookup(keys[1:])
		}
	}
	return null, true
}

// value returns the input as the interpreter takes it, decoding what was not decoded yet. The interpreter never
// changes what it is given, so programs share it.
func (in *Input) value() (any, error) {
	if in.decoded {
		return in.root, nil
	}
	var err error
	if len(in.members) == 0 {
		in.root = nil
		if in.text != nil {
			in.root, err = decode(in.text)
		}
		in.decoded = err == nil
		return in.root, err
	}
	object, ok := in.root.(map[string]any)
	if !ok {
		object = make(map[string]any, len(in.members))
		in.root = object
	}
	for i := range in.members {
		m := &in.members[i]
		if m.decoded {
			continue
		}
		if object[m.name], err = decode(m.text); err != nil {
			return nil, err
		}
		m.decoded = true
	}
	in.decoded = true
	return object, nil
}

func decode(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // big integers and number text are kept
	err = d.Decode(&v)
	return v, err
}
