package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestCanonicalForms(t *testing.T) {
	for in, want := range map[string]string{
		` { "b" : 1.0 , "a" : [ true , null ] } `: `{"a":[true,null],"b":1.0}`,
		`{"a":1,"a":2}`:                `{"a":2}`,
		`"\u0041\/\u00e9\ud83d\ude00"`: `"A/é😀"`,
		`"\n\u001f"`:                   `"\n\u001f"`,
		`12345678901234567890e-3`:      `12345678901234567890e-3`,
		`"\u0000"`:                     "\"\uFFFD\"",
		`"\ud800x"`:                    "\"\uFFFDx\"",
		"\"\xff\"":                     "\"\uFFFD\"",
	} {
		got, mended, err := canonical(nil, []byte(in))
		if err != nil || string(got) != want {
			t.Errorf("canonical of %s is %s (%v), want %s", in, got, err, want)
		}
		if mended != bytes.Contains(got, []byte("\uFFFD")) {
			t.Errorf("canonical of %s: mended is %v", in, mended)
		}
	}
	for _, in := range []string{``, `{`, `{"a"}`, `[1,]`, `01`, `1.`, `"`, "\"\n\"", `tru`, `1 2`, `{"a":1,}`, `"\x"`, `-`} {
		if got, _, err := canonical(nil, []byte(in)); err == nil {
			t.Errorf("canonical of %q is %s, want an error", in, got)
		}
	}
}

// FuzzCanonical holds the canonical form against the standard decoder: the same texts are JSON, with the same meaning,
// and the form of a form is itself.
func FuzzCanonical(f *testing.F) {
	for _, s := range []string{`{"b":[1,2,{"c":"\u00e9"}],"a":null}`, `"\ud83d\ude00"`, `-0.5E+7`, `{"a":{"a":1,"a":2}}`, `"\u2028<>&"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		got, mended, err := canonical(nil, in)
		if (err == nil) != json.Valid(in) {
			t.Fatalf("%q: error %v, but json.Valid says %v", in, err, json.Valid(in))
		}
		if err != nil {
			return
		}
		again, mendedAgain, err := canonical(nil, got)
		if err != nil || !bytes.Equal(again, got) || mendedAgain || !utf8.Valid(got) {
			t.Fatalf("%q: form %q, its form %q (mended %v, %v)", in, got, again, mendedAgain, err)
		}
		if !mended && fmt.Sprint(decoded(t, in)) != fmt.Sprint(decoded(t, got)) {
			t.Fatalf("%q means %v, its form %q means %v", in, decoded(t, in), got, decoded(t, got))
		}
		var rebuilt []byte
		switch got[0] {
		case '{':
			rebuilt = []byte{'{'}
			members(got, func(name string, value []byte) { rebuilt = appendMember(rebuilt, name, value) })
			rebuilt = append(rebuilt, '}')
		case '[':
			rebuilt = []byte{'['}
			elements(got, func(value []byte) {
				if len(rebuilt) > 1 {
					rebuilt = append(rebuilt, ',')
				}
				rebuilt = append(rebuilt, value...)
			})
			rebuilt = append(rebuilt, ']')
		default:
			return
		}
		if !bytes.Equal(rebuilt, got) {
			t.Fatalf("%s taken apart and put together is %s", got, rebuilt)
		}
	})
}

func decoded(t *testing.T, text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

// TestQuickCheckAgreesWithTheSchema holds the byte-wise check against the JSON Schema library.
func TestQuickCheckAgreesWithTheSchema(t *testing.T) {
	definitions := []string{
		`{"type":"string"}`, `{"type":"number","title":"N"}`, `{"type":"boolean"}`, `{"type":"object"}`, `{"type":"array"}`,
		`{"type":"string","format":"date-time"}`, `{"type":"string","format":"url"}`, `{"type":"string","format":"timer"}`, `{"type":"string","format":"markdown"}`,
		`{"type":"string","enum":["a","é","\u0041",5]}`, `{"type":"string","enum":["a","b"],"enumColors":{"a":"red"}}`, `{"type":"string","minLength":2}`,
		`{"type":"string","format":"team"}`, `{"type":"string","format":"email"}`,
	}
	values := []string{
		`"a"`, `"é"`, `"A"`, `""`, `5`, `-1.5`, `true`, `false`, `{}`, `{"a":1}`, `[]`, `[1]`, `"2024-01-02T03:04:05Z"`, `"2024-01-02T03:04:05.123+02:00"`,
		`"2024-01-02"`, `"2024-13-02T03:04:05Z"`, `"https://a.example/x?y=%20"`, `"//a"`, `"no url"`, `"a@b.example"`, `"a\nb"`, `"http://\u0001"`, `"b"`,
	}
	rapid.Check(t, func(rt *rapid.T) {
		var p Property
		p.Name = "p"
		p.Schema = json.RawMessage(rapid.SampledFrom(definitions).Draw(rt, "definition"))
		if err := json.Unmarshal(p.Schema, &struct{ Type, Format *string }{&p.Type, &p.Format}); err != nil {
			rt.Fatal(err)
		}
		value, _, err := canonical(nil, []byte(rapid.SampledFrom(values).Draw(rt, "value")))
		if err != nil {
			rt.Fatal(err)
		}
		c := newCheck(p)
		quick := c.flags(value)
		c.quick = nil
		if slow := c.flags(value); (len(quick) == 0) != (len(slow) == 0) {
			rt.Fatalf("%s under %s: quick says %v, the schema %v", value, p.Schema, quick, slow)
		}
	})
}
