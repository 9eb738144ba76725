package lake_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"longshore/internal/fault"
	"longshore/internal/lake"
)

// bodies reads an object to its end: the records, "malformed" in place of one that is none, and how it ended.
func bodies(t *testing.T, r io.Reader) (all []string, err error) {
	t.Helper()
	reader, err := lake.OpenReader(r, lake.ReaderOptions{})
	if err != nil {
		return nil, err
	}
	for {
		line, err := reader.Next()
		if err != nil {
			return all, err
		}
		if line.Err != nil {
			all = append(all, fmt.Sprintf("%d malformed", line.Number))
			continue
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, line.Body); err != nil {
			t.Fatal(err)
		}
		all = append(all, fmt.Sprintf("%d %s", line.Number, compact.String()))
	}
}

// An object that is one JSON array gives its elements, however they are laid out, and whatever reads they come in.
func TestArraysGiveTheirElements(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"one line", `[{"id":1},{"id":2}]`, `1 {"id":1}|2 {"id":2}`},
		{"pretty", "\n [\r\n  {\n    \"id\": 1,\n    \"of\": [1,\n 2]\n  },\n  {\"id\": 2}\n]\n", `2 {"id":1,"of":[1,2]}|3 {"id":2}`},
		{"commas, brackets and quotes in strings", `[{"a":"],[{\\\"},"},{"b":"x\\"}]`, `1 {"a":"],[{\\\"},"}|2 {"b":"x\\"}`},
		{"envelopes", `[{"_airbyte_ab_id":"1","_airbyte_emitted_at":1,"_airbyte_data":{"id":1}}]`, `1 {"id":1}`},
		{"no elements", `[]`, ``},
		{"byte order mark", "\xef\xbb\xbf[{\"id\":1}]", `1 {"id":1}`},
		{"elements that are no records", `[1,{"id":2},"x",[3,{"y":4}]]`, `1 malformed|2 {"id":2}|3 malformed|4 malformed`},
		{"a broken element leaves its neighbours", `[{"id":1},{"id":},{"id":3}]`, `1 {"id":1}|2 malformed|3 {"id":3}`},
		{"something behind", "[{\"id\":1}]\n{\"id\":2}\n", `1 {"id":1}|3 {"id":2}`},
		{"no array", "{\"id\":1}\n[2]\n", `1 {"id":1}|2 malformed`},
	} {
		t.Run(c.name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"at once": strings.NewReader(c.text), "byte by byte": iotest.OneByteReader(strings.NewReader(c.text)),
				"packed": bytes.NewReader(pack(c.text)),
			} {
				got, err := bodies(t, r)
				if !errors.Is(err, io.EOF) {
					t.Errorf("%s: it ends with %v", how, err)
				}
				if s := strings.Join(got, "|"); s != c.want {
					t.Errorf("%s:\n got %s\nwant %s", how, s, c.want)
				}
			}
		})
	}
}

// An array without its end was cut off: what is whole is read, and the object is said to be damaged.
func TestArrayWithoutItsEndIsCutShort(t *testing.T) {
	got, err := bodies(t, strings.NewReader(`[{"id":1},{"id":2},{"id":`))
	var short *lake.TruncatedError
	if !errors.As(err, &short) || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "JSON array data is cut short after line 2") {
		t.Errorf("it ends with %v", err)
	}
	if s := strings.Join(got, "|"); s != `1 {"id":1}|2 {"id":2}` {
		t.Errorf("it gives %s", s)
	}
}
