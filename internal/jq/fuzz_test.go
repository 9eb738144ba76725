package jq

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"
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
