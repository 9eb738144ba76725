package jq

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// checked are expressions that are checks.
var checked = []string{
	`.a | has("b")`, `(.a | has("b"))`, `.a | (has(""))`, `.a.b | has("c\u00e9\"")`, `.a | .b | has("c")`, `.a["b c"] | has("x")`,
	`.a == null`, `.a != null`, `.a.b == "x"`, `.a != "x/y"`, `.a == true`, `.a != false`, `(.a | .b == "")`, `.a | .b != "\u00e9"`,
	`.a | IN("x")`, `.a | IN("x", null, true)`, `.a.b | IN("x/y", "\"")`,
	`.a | split("/") | .[0] | IN("x")`, `.a | split("/") | .[1] | IN("x", "y")`, `.a | split("/") | .[2] | IN("", null)`,
	`.a | split("//") | .[1] | IN("y")`, `(.a.b | split("/")) | (.[1] | IN("\u00e9"))`, `.a | split("\\") | .[0] | IN("x", "")`,
}

// unchecked are expressions that look like checks and are none: the interpreter runs them.
var unchecked = []string{
	`has("a")`, `.a | has(0)`, `.a | has("b", "c")`, `.a | has("b")?`, `.a? == null`, `.a | has(.b)`, `.a[] | has("b")`, `.a == 1`, `.a == .b`, `null == .a`,
	`.a == "\(.b)"`, `.a | IN(.b)`, `.a | IN("x"; "y")`, `.a | IN("x", 1)`, `.a | IN([])`, `.a | IN(empty)`, `.a | split("") | .[0] | IN("x")`,
	`.a | split("/") | .[-1] | IN("x")`, `.a | split("/") | .[1:] | IN("x")`, `.a | split("/") | .[0.5] | IN("x")`, `.a | split("/"; "g") | .[0] | IN("x")`,
	`.a | split("/") | .[0] | .[0] | IN("x")`, `.a | split("/") | IN("x")`, `.a | split("/")[0] | IN("x")`, `def IN(s): true; .a | IN("x")`,
	`.a | (def has(s): 1; has("b"))`, `.a // .b == null`, `.a | not`, `.a == null | not`, `.a as $x | $x == null`, `.a | IN("x") and true`, `. == null`, `.a | IN(("x", "y"), "")`,
}

// odd are values where a shortcut goes wrong easily.
var odd = []string{
	`{}`, `[]`, `null`, `true`, `false`, `0`, `-0`, `1e999`, `""`, `"x"`, `"x/y"`, `"x/y/z"`, `"/"`, `"//"`, `"//y"`, `"x//y"`, `"x\/y"`, `"x\u002fy"`, `"\u0078"`, `"x\\y"`, `"\\"`, `"\""`,
	`"é"`, `"\u00e9"`, `"x/\u00e9"`, `"\ud800"`, `"\ud83d\ude00/x"`, `"null"`, `"true"`, `["x"]`, `{"b":null}`, `{"b":1,"b":{"c":1}}`, `{"b":{"c":null,"c":2}}`, `{"\u0062":"x"}`,
	`{"b":"x","b":null}`, `{"":0}`, `{"b":"x/y"}`, `{"b":"x/\u00e9"}`, `{"b":""}`, `{"b":{"c\u00e9\"":false}}`, `{"b c":{"x":1}}`, ` { "b" : "x" } `, ` "x" `, `{"c":1}`, `{"b":[]}`, `"` + strings.Repeat("x/", 300) + `"`,
}

// What a check answers is what the interpreter answers, and where it does not answer the interpreter still does.
func TestChecksMeanWhatTheInterpreterSays(t *testing.T) {
	for _, expr := range checked {
		p := compile(t, expr)
		if p.check == nil {
			t.Errorf("%s is run by the interpreter, want a check", expr)
			continue
		}
		answered, enough := 0, 15
		for _, value := range odd {
			answered += compareCheck(t, p, value)
		}
		if answered < enough {
			t.Errorf("%s was answered %d times, want %d at least: the rest was left to the interpreter", expr, answered, enough)
		}
	}
	for _, expr := range unchecked {
		if p := compile(t, expr); p.check != nil {
			t.Errorf("%s is taken for the check %+v", expr, *p.check)
		}
	}
}

// compareCheck runs the check over inputs that hold the value: as .a of one text, as a member, and twice. It returns how
// often there was an answer.
func compareCheck(t *testing.T, p *Program, value string) (answered int) {
	t.Helper()
	for _, text := range []string{`{"a":` + value + `}`, `{"a":"x","a":` + value + `,"z":{"a":1}}`, `{"\u0061":` + value + `}`, value} {
		var in Input
		in.SetText([]byte(text))
		answered += compareAnswer(t, p, &in, text)
	}
	var in Input
	compareAnswer(t, p, &in, "nothing")
	in.SetMember("body", []byte(`{"a":"wrong"}`))
	compareAnswer(t, p, &in, "another member")
	in.SetMember("a", []byte(`{"b":"wrong"}`))
	in.SetMember("a", []byte(value))
	return answered + compareAnswer(t, p, &in, "the member a: "+value)
}

func compareAnswer(t *testing.T, p *Program, in *Input, text string) (answered int) {
	t.Helper()
	yes, ok := p.check.answer(in)
	want, err := p.interpret(t.Context(), in)
	var failed *RunError
	if err != nil && !errors.As(err, &failed) {
		t.Fatalf("%s over %s: %v", p.Source(), text, err)
	}
	if ok && (err != nil || fmt.Sprint(yes) != string(want)) {
		t.Errorf("%s over %s: the check answers %v, the interpreter %s (%v)", p.Source(), text, yes, want, err)
	}
	if ok {
		return 1
	}
	return 0
}

// FuzzCheck compares checks made of any words, over any text, with the interpreter.
func FuzzCheck(f *testing.F) {
	for _, value := range odd {
		f.Add([]byte(value), "a", "/", "x", uint8(1))
	}
	f.Add([]byte(`{"a":{"é":"x/y"}}`), "é", "x", "/y", uint8(0))
	f.Fuzz(func(t *testing.T, text []byte, key, separator, word string, n uint8) {
		text, err := Check(text)
		if err != nil {
			return
		}
		quote := func(s string) string { return pathText([]string{"-" + s})[1:] }
		k, s, w := strings.Replace(quote(key), "-", "", 1), strings.Replace(quote(separator), "-", "", 1), strings.Replace(quote(word), "-", "", 1)
		for _, expr := range []string{
			`.a | has(` + k + `)`, `.a[` + k + `] == ` + w, `.a[` + k + `] != ` + w, `.a == null`, `.a | IN(` + w + `, null, ` + k + `)`,
			`.a | split(` + s + `) | .[` + fmt.Sprint(n) + `] | IN(` + w + `, ` + k + `)`, `.a[` + k + `] | split(` + s + `) | .[0] | IN(` + w + `, null)`,
		} {
			p, err := Compile(expr, Options{})
			if err != nil || p.check == nil {
				continue // the quote rule changed it, it is long, or the separator is empty
			}
			compareCheck(t, p, string(text))
			compareCheck(t, p, `{`+k+`:`+string(text)+`}`)
		}
	})
}
