package lake

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestSpellingIsJacksons(t *testing.T) {
	for given, want := range map[string]string{
		`{ "a" : [ 1 , 2.0 ] ,` + "\n\t" + `"b":{ }}`:                     `{"a":[1,2.0],"b":{}}`,
		`{"n":12345678901234567890,"f":1.0,"e":1E+400,"z":-0}`:            `{"n":12345678901234567890,"f":1.0,"e":1E+400,"z":-0}`,
		`{"é":"Zoë \u00e9 \u2028 \u2029 <>& \/ ` + "\u2028" + `"}`:        `{"é":"Zoë é ` + "\u2028 \u2029" + ` <>& / ` + "\u2028" + `"}`,
		`["\u0022\u005c\u0008\u0009\u000a\u000c\u000d","\b\t\n\f\r\"\\"]`: `["\"\\\b\t\n\f\r","\b\t\n\f\r\"\\"]`,
		`["\u0000\u001f\u000B\u007f"]`:                                    `["\u0000\u001F\u000B` + "\x7f" + `"]`,
		`["\ud83d\ude42","\uD83D","\ude42x","\ud83d\u0041"]`:              `["🙂","\uD83D","\uDE42x","\uD83DA"]`,
		`["a  b","\"  ","\\"  ]`:                                          `["a  b","\"  ","\\"]`,
		`{"a":1,"a":2,"":null}`:                                           `{"a":1,"a":2,"":null}`,
	} {
		if got := appendJackson(nil, []byte(given)); string(got) != want {
			t.Errorf("%s\n got %s\nwant %s", given, got, want)
		}
	}
}

// Whatever is spelt anew means the same, spelling it again changes nothing, and it does not matter in what pieces.
func FuzzSpelling(f *testing.F) {
	for _, seed := range []string{`{"a":[1, "\u00e9\ud83d\ude42\ud800"]}`, `"\/\u0022"`, `[ { } , [ ] ]`, `{"a":"\\\" "}`} {
		f.Add([]byte(seed), 3)
	}
	f.Fuzz(func(t *testing.T, text []byte, limit int) {
		start, end, err := checkRecord(text)
		if err != nil || !json.Valid(text) {
			return
		}
		text = text[start:end]
		got := appendJackson(nil, text)
		var a, b any
		x, y := json.NewDecoder(bytes.NewReader(text)), json.NewDecoder(bytes.NewReader(got))
		x.UseNumber()
		y.UseNumber()
		if err := x.Decode(&a); err != nil {
			t.Fatal(err)
		}
		if err := y.Decode(&b); err != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%s became %s: %v", text, got, err)
		}
		if again := appendJackson(nil, got); !bytes.Equal(again, got) {
			t.Errorf("%s, spelt again, became %s", got, again)
		}
		var pieces []byte
		var s speller
		for rest, n := text, 0; len(rest) > 0; rest = rest[n:] {
			pieces, n = s.append(pieces, rest, max(1, limit%50))
		}
		if !bytes.Equal(pieces, got) {
			t.Errorf("%s in pieces became %s, want %s", text, pieces, got)
		}
	})
}

func TestChangesKeepTheirOrder(t *testing.T) {
	got := string(appendChanges(nil, []byte(`[ {"reason":"R\u0041","x":{},"field":"profile.bio","change":"NULLED"}, 3, {"field":"a","change":null} ]`)))
	want := `{"field":"profile.bio","change":"NULLED","reason":"RA"},{"field":"a"}`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := appendChanges(nil, []byte(strings.Repeat("[", 3))); len(got) != 0 {
		t.Errorf("a broken list gave %s", got)
	}
}
