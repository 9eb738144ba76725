package rawjson

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestElementsCutsSpansAsTheyStand(t *testing.T) {
	got, err := collect([]byte(" [ {\"a\" : 1.50},\"x]\\\"\", [ ] ,null,-0e+1 ]\n"))
	want := []string{`{"a" : 1.50}`, `"x]\""`, `[ ]`, `null`, `-0e+1`}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Elements = %q, %v, want %q", got, err, want)
	}
}

func TestElementsRefusesWhatIsNoArray(t *testing.T) {
	for _, text := range []string{
		``, `{}`, `[`, `[1`, `[1,`, `[1,]`, `[1 2]`, `[1]]`, `[1] x`, `[}`, `[{"a":}]`, `[{"a" 1}]`,
		`[{a:1}]`, `[{"a":1,}]`, "[\"a\nb\"]", `["\x"]`, `["\u12g4"]`, `[01]`, `[1.]`, `[1e]`, `[-]`, `[tru]`, `["a`, `["a\`,
	} {
		if got, err := collect([]byte(text)); err == nil {
			t.Errorf("Elements(%q) = %q without an error", text, got)
		}
	}
}

func TestElementsStopsWhenAsked(t *testing.T) {
	for element := range Elements([]byte(`[1,2,broken`)) {
		if string(element) != "1" {
			t.Errorf("first element %q, want 1", element)
		}
		break
	}
}

func TestDepthIsLimited(t *testing.T) {
	at := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	if err := Check([]byte(at)); err != nil {
		t.Errorf("depth %d: %v", MaxDepth, err)
	}
	if Valid([]byte("[" + at + "]")) {
		t.Errorf("depth %d passed", MaxDepth+1)
	}
	if _, err := collect([]byte("[" + at + "]")); err == nil {
		t.Errorf("Elements passed depth %d", MaxDepth+1)
	}
}

func TestGet(t *testing.T) {
	const obj = ` {"id":"00u1","profile":{"login":"a\u0062","n":1e400,"ID":2},"id":"00u2","a\"b":[1],"":0,"_links":{"next":{"href":null}}}`
	for _, c := range []struct {
		path []string
		want string
		ok   bool
	}{
		{[]string{"id"}, `"00u2"`, true}, // the last of two counts
		{[]string{"profile", "login"}, `"a\u0062"`, true},
		{[]string{"profile", "n"}, `1e400`, true},
		{[]string{"profile", "id"}, ``, false}, // names are exact
		{[]string{`a"b`}, `[1]`, true},
		{[]string{""}, `0`, true},
		{[]string{"_links", "next", "href"}, `null`, true},
		{[]string{"_links", "next", "href", "x"}, ``, false},
		{[]string{"missing"}, ``, false},
		{nil, ` `, false},
	} {
		got, ok := Get([]byte(obj), c.path...)
		if ok != c.ok || ok && string(got) != c.want {
			t.Errorf("Get(%q) = %q, %v, want %q, %v", c.path, got, ok, c.want, c.ok)
		}
	}
	if got := GetString([]byte(obj), "profile", "login"); got != "ab" {
		t.Errorf("GetString = %q, want ab", got)
	}
}

func TestMembersCutsSpansAsTheyStand(t *testing.T) {
	var got []string
	for name, value := range Members([]byte(` { "a" : [1, 2] , "\u0062":{"c":null},"a":1.50 } `)) {
		got = append(got, string(name)+"="+string(value))
		if NameIs(name, "b") != strings.HasPrefix(string(name), `"\u`) {
			t.Errorf("name %s compared with b: %t", name, NameIs(name, "b"))
		}
	}
	if want := []string{`"a"=[1, 2]`, `"\u0062"={"c":null}`, `"a"=1.50`}; !slices.Equal(got, want) {
		t.Errorf("members %q, want %q", got, want)
	}
	for range Members([]byte(`[1]`)) {
		t.Error("an array has members")
	}
	for range Members([]byte(`{"a":1,"b":2}`)) {
		break
	}
}

func TestString(t *testing.T) {
	for span, want := range map[string]string{`"a"`: "a", `""`: "", `"\ud83d\ude00\n"`: "😀\n", "\"\xff\"": "\ufffd"} {
		if got, ok := String([]byte(span)); !ok || got != want {
			t.Errorf("String(%s) = %q, %v, want %q", span, got, ok, want)
		}
	}
	for _, span := range []string{``, `"`, `1`, `"a" `, `"a"b"`, `"\`, `null`} {
		if got, ok := String([]byte(span)); ok {
			t.Errorf("String(%s) = %q, want none", span, got)
		}
	}
}

func TestAppendMember(t *testing.T) {
	for obj, want := range map[string]string{
		`{}`:                    `{"userId":"00u1"}`,
		" { \n } ":              `{"userId":"00u1"}`,
		`{"a":1}`:               `{"a":1,"userId":"00u1"}`,
		"{\"a\" : {} \t}":       `{"a" : {},"userId":"00u1"}`,
		`{"a":[{"b":"}"}]}`:     `{"a":[{"b":"}"}],"userId":"00u1"}`,
		`{"userId":null,"x":0}`: `{"userId":null,"x":0,"userId":"00u1"}`,
	} {
		got := AppendMember([]byte("<"), []byte(obj), "userId", []byte(`"00u1"`))
		if string(got) != "<"+want {
			t.Errorf("AppendMember(%s) = %s, want <%s", obj, got, want)
		}
		if v := GetString(got[1:], "userId"); v != "00u1" {
			t.Errorf("AppendMember(%s) reads back %q", obj, v)
		}
	}
}

func TestOneLine(t *testing.T) {
	same := []byte(`{"a" : "x\ny",	"b":1.0}`)
	if got := OneLine(same); &got[0] != &same[0] {
		t.Errorf("a value without line breaks was copied: %s", got)
	}
	in := "{\n  \"a\\\\\" : \"x \\\" y\\n\",\r\n\t\"n\": 1.50e+3,\n \"<\": [ ]\n}"
	if got, want := string(OneLine([]byte(in))), `{"a\\":"x \" y\n","n":1.50e+3,"<":[]}`; got != want {
		t.Errorf("OneLine = %s, want %s", got, want)
	}
}

func collect(data []byte) (elements []string, err error) {
	for element, err := range Elements(data) {
		if err != nil {
			return elements, err
		}
		elements = append(elements, string(element))
	}
	return elements, nil
}

func FuzzAgreesWithEncodingJSON(f *testing.F) {
	for _, seed := range []string{
		`[]`, `[1,"a",{"b":null}]`, `{"id":"a","id":{"x":1}}`, ` {"a":[true,false,-1.5e-7]} `, `["\ud800","\u00e9"]`,
		"{\"a\\u0062\":\"\xff\",\"\xff\":1}", "[\n1\r,\t2]", `{"":{}}`, `[[[[]]]]`, `nul`, `01`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		valid := json.Valid(data)
		if err := Check(data); (err == nil) != valid {
			if err != nil && strings.Contains(err.Error(), "deeper") {
				return
			}
			t.Fatalf("Check(%q) = %v, json.Valid = %v", data, err, valid)
		}
		var wantElements []json.RawMessage
		isArray := valid && json.Unmarshal(data, &wantElements) == nil && !IsNull(data)
		elements, err := collect(data)
		if (err == nil) != isArray {
			t.Fatalf("Elements(%q): %v, is an array: %v", data, err, isArray)
		}
		if !valid {
			return
		}
		if isArray {
			if len(elements) != len(wantElements) {
				t.Fatalf("Elements(%q) cut %d, want %d", data, len(elements), len(wantElements))
			}
			for i, element := range elements {
				if element != string(wantElements[i]) {
					t.Fatalf("element %d of %q is %q, want %q", i, data, element, wantElements[i])
				}
			}
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(data, &members) == nil {
			for name, want := range members {
				if got, ok := Get(data, name); !ok || !bytes.Equal(got, want) {
					t.Fatalf("Get(%q, %q) = %q, %v, want %q", data, name, got, ok, want)
				}
			}
			if members != nil {
				more := AppendMember(nil, data, "added", []byte("[1]"))
				if got, ok := Get(more, "added"); !Valid(more) || !ok || string(got) != "[1]" {
					t.Fatalf("AppendMember(%q) = %q", data, more)
				}
			}
		}
		var text string
		trimmed := bytes.TrimSpace(data)
		if json.Unmarshal(data, &text) == nil && !IsNull(data) {
			if got, ok := String(trimmed); !ok || got != text {
				t.Fatalf("String(%q) = %q, %v, want %q", trimmed, got, ok, text)
			}
		}
		line := OneLine(data)
		if bytes.ContainsAny(line, "\r\n") || !sameValue(line, data) {
			t.Fatalf("OneLine(%q) = %q", data, line)
		}
	})
}

func sameValue(a, b []byte) bool {
	var x, y any
	da, db := json.NewDecoder(bytes.NewReader(a)), json.NewDecoder(bytes.NewReader(b))
	da.UseNumber()
	db.UseNumber()
	return da.Decode(&x) == nil && db.Decode(&y) == nil && reflect.DeepEqual(x, y)
}

func BenchmarkElements(b *testing.B) {
	user := `{"id":"00u0000000000000a1d7","status":"ACTIVE","profile":{"firstName":"Ada","lastName":"Byron","login":"ada@example.com","email":"ada@example.com"}}`
	page := []byte("[" + strings.Repeat(user+",", 199) + user + "]")
	b.SetBytes(int64(len(page)))
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range Elements(page) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

func TestSetMemberReplacesInPlaceOrAppends(t *testing.T) {
	for _, c := range []struct{ obj, name, value, want string }{
		{`{"a":1,"b":{"c":[1, 2]},"d":null}`, "b", `{}`, `{"a":1,"b":{},"d":null}`},
		{`{ "a" : 1 , "b" : 2 }`, "a", `"x"`, `{"a":"x","b":2}`},
		{`{"a":1,"a":2}`, "a", `3`, `{"a":3}`},
		{`{"a":1}`, "b", `2`, `{"a":1,"b":2}`},
		{` {} `, "b", `2`, `{"b":2}`},
	} {
		if got := string(SetMember([]byte(c.obj), c.name, []byte(c.value))); got != c.want {
			t.Errorf("SetMember(%s, %q, %s) = %s, want %s", c.obj, c.name, c.value, got, c.want)
		}
	}
}
