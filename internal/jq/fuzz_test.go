package jq

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzPlainPath compares what a plain path finds as a span with what the interpreter answers.
func FuzzPlainPath(f *testing.F) {
	for _, text := range []string{
		`{"a":{"b":1,"b":2}}`, `{"a":null}`, `{"a":"x"}`, "{\"a\":\"\xff\"}", `{"\u0061":{"b":[1,{"c":"]}"}]}}`,
		`{ "a" : { "b" : "\\\"" } , "b":1e5 }`, `[]`, `"\ud800"`, `{"a":1,"a":{"b":true}}`, `{"":{"b":0}}`, `{"a":{"\ud800":-0}}`,
	} {
		f.Add([]byte(text), "a", "b")
	}
	f.Fuzz(func(t *testing.T, text []byte, first, second string) {
		text, err := Check(text)
		if err != nil {
			return
		}
		for _, keys := range [][]string{nil, {first}, {first, second}, {first, second, first}} {
			comparePath(t, text, keys)
		}
	})
}

func comparePath(t *testing.T, text []byte, keys []string) {
	expr := pathText(keys)
	if expr == "" {
		expr = "."
	}
	p, err := Compile(expr, Options{Timeout: time.Second})
	if err != nil {
		return // a key that the quote rule changed, or a long one
	}
	var in Input
	if len(keys) > 0 {
		in.SetMember("other", []byte(`{"a":{"b":"wrong"}}`))
		in.SetMember(keys[0], fmt.Appendf(nil, `{"wrong":[%s]}`, text))
		in.SetMember(keys[0], text)
		comparePathIn(t, p, &in, text)
	}
	in.Reset()
	in.SetText(text)
	comparePathIn(t, p, &in, text)
}

func comparePathIn(t *testing.T, p *Program, in *Input, text []byte) {
	expr := p.Source()
	span, ok := in.span(p.path)
	want, err := p.interpret(t.Context(), in)
	if ok != (err == nil) {
		t.Fatalf("%s over %q: span found %v, the interpreter said %v", expr, text, ok, err)
	}
	if !ok {
		return
	}
	a, errA := decode(span)
	b, errB := decode(want)
	if errA != nil || errB != nil || !reflect.DeepEqual(a, b) {
		t.Fatalf("%s over %q: span %q (%v), interpreter %q (%v)", expr, text, span, errA, want, errB)
	}
}

// portsQuotes is Port's rule as its two regular expressions say it, written apart from doubleQuotes:
// (?<=^|\s)'(?!\s|") opens, (?<!\s|")'(?=\s|$) closes.
func portsQuotes(expr string) string {
	runes := []rune(expr)
	space := func(i int) bool { return isSpace(runes[i]) }
	out := slices.Clone(runes)
	for i, r := range runes {
		if r != '\'' {
			continue
		}
		first, last := i == 0, i == len(runes)-1
		opens := (first || space(i-1)) && (last || !space(i+1) && runes[i+1] != '"')
		closes := (first || !space(i-1) && runes[i-1] != '"') && (last || space(i+1))
		if opens || closes {
			out[i] = '"'
		}
	}
	return string(out)
}

// FuzzQuotes compares the rewriting of quotes with the rule as Port has it.
func FuzzQuotes(f *testing.F) {
	for _, expr := range []string{`'a'`, `.a == 'b'`, `IN('a','b')`, `"it's"`, `' a'`, `'a '`, `''`, `'`, `'"`, `"'`, "\u00a0'a'\u2003", `'a' 'b'`, "'\n'", `x'y'z`, `'é'`, `'a'b' c'`} {
		f.Add(expr)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		if !utf8.ValidString(expr) {
			return
		}
		got := doubleQuotes(expr)
		if want := portsQuotes(expr); got != want {
			t.Errorf("%q becomes %q, want %q", expr, got, want)
		}
		if len(got) != len(expr) {
			t.Errorf("%q becomes %q: offsets move", expr, got)
		}
	})
}

// FuzzRegex compares offsets and pieces with what the text itself says.
func FuzzRegex(f *testing.F) {
	for _, seed := range [][3]string{{"a(b)?", "gi", "xABéab"}, {"", "g", "ab"}, {"(?<n>.)|x", "gn", "a\nb"}, {" # c\na", "gx", "aa"}, {"(a|ab)(c|bcd)", "l", "abcd"}, {"é", "g", "aéé"}} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, re, flags, text string) {
		if !utf8.ValidString(text) || len(text) > 1000 {
			return
		}
		var known patterns
		m, err := known.find(text, []any{re, flags, false})
		if err != nil {
			return
		}
		runes := []rune(text)
		for _, one := range m.list() {
			match := one.(map[string]any)
			offset, length := match["offset"].(int), match["length"].(int)
			if got := string(runes[offset : offset+length]); got != match["string"] {
				t.Errorf("%q %q over %q: characters %d+%d are %q, told is %q", re, flags, text, offset, length, got, match["string"])
			}
			for _, c := range match["captures"].([]any) {
				group := c.(map[string]any)
				if offset, length := group["offset"].(int), group["length"].(int); offset >= 0 && string(runes[offset:offset+length]) != group["string"] {
					t.Errorf("%q %q over %q: group %v", re, flags, text, group)
				}
			}
		}
		pieces := m.pieces()
		again := ""
		for i, piece := range pieces[0].([]any) {
			again += piece.([]any)[0].(string) + text[m.places[i][0]:m.places[i][1]]
		}
		if again += pieces[1].(string); again != text {
			t.Errorf("%q %q over %q: the pieces make %q", re, flags, text, again)
		}
	})
}

// FuzzCompileAndRun looks for panics and for programs that ignore their limits.
func FuzzCompileAndRun(f *testing.F) {
	for _, expr := range []string{`.a`, `'x' + .a`, `[.[]?]`, `reduce range(60) as $_ (1; [.,.]) | tojson`, `.a *= .a`, `"\(.)"`, `def f: f; f`, `@csv "\(.a)"`, `. as [$x, {a: $y}] | $x`} {
		f.Add(expr, []byte(`{"a":[1,"x",null]}`))
	}
	f.Fuzz(func(t *testing.T, expr string, text []byte) {
		text, err := Check(text)
		if err != nil {
			return
		}
		p, err := Compile(expr, Options{Timeout: 20 * time.Millisecond, MaxOutputBytes: 1 << 16})
		if err != nil {
			return
		}
		for _, clause := range p.Clauses() {
			clause.Source()
		}
		var in Input
		in.SetText(text)
		out, err := p.Run(t.Context(), &in)
		var failed *RunError
		if err != nil && !errors.As(err, &failed) {
			t.Fatalf("%q: an error that is no RunError: %v", expr, err)
		}
		if out != nil {
			if _, err := Check(out); err != nil {
				t.Fatalf("%q over %q gave %q: %v", expr, text, out, err)
			}
		}
	})
}
