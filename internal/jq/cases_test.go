package jq

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"longshore/internal/fault"
)

// programCase is one entry of a file in testdata: what the expression makes of the input. Output and the raw texts
// exclude each other; empty, error (part of the message) and compile (likewise) say that there is no output.
type programCase struct {
	Expr      string          `json:"expr"`
	Input     json.RawMessage `json:"input"`
	Output    json.RawMessage `json:"output"`
	RawInput  string          `json:"rawInput"`
	RawOutput string          `json:"rawOutput"`
	Empty     bool            `json:"empty"`
	Error     *string         `json:"error"`
	Compile   *string         `json:"compile"`
}

func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var cases []programCase
			if err := json.Unmarshal(text, &cases); err != nil {
				t.Fatal(err)
			}
			for _, c := range cases {
				c.check(t)
			}
		})
	}
}

func (c programCase) check(t *testing.T) {
	t.Helper()
	timeout := time.Minute // what is to be refused for its size may take its time on a slow machine
	if c.Error != nil && strings.Contains(*c.Error, "still running") {
		timeout = 100 * time.Millisecond
	}
	program, err := Compile(c.Expr, Options{Timeout: timeout})
	if c.Compile != nil {
		if err == nil || !strings.Contains(err.Error(), *c.Compile) || !fault.Is(err, fault.Invalid) {
			t.Errorf("compile %q: got error %v, want an invalid one with %q", c.Expr, err, *c.Compile)
		}
		return
	}
	if err != nil {
		t.Errorf("compile %q: %v", c.Expr, err)
		return
	}
	var in Input
	input := []byte(c.Input)
	if c.RawInput != "" {
		input = []byte(c.RawInput)
	}
	in.SetText(input)
	got, err := program.Run(t.Context(), &in)
	switch {
	case c.Error != nil:
		if err == nil || !strings.Contains(err.Error(), *c.Error) {
			t.Errorf("%s over %s: got %s and error %v, want an error with %q", c.Expr, input, got, err, *c.Error)
		}
	case err != nil:
		t.Errorf("%s over %s: %v", c.Expr, input, err)
	case c.Empty:
		if got != nil {
			t.Errorf("%s over %s: got %s, want nothing", c.Expr, input, got)
		}
	case c.RawOutput != "":
		if string(got) != c.RawOutput {
			t.Errorf("%s over %s: got %s, want the text %s", c.Expr, input, got, c.RawOutput)
		}
	case got == nil:
		t.Errorf("%s over %s: got nothing, want %s", c.Expr, input, c.Output)
	case !sameJSON(t, got, c.Output):
		t.Errorf("%s over %s: got %s, want %s", c.Expr, input, got, c.Output)
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var v, w any
	if err := json.Unmarshal(a, &v); err != nil {
		t.Errorf("%q is not JSON: %v", a, err)
	}
	if len(bytes.TrimSpace(b)) == 0 {
		b = null // a case whose output is null
	}
	if err := json.Unmarshal(b, &w); err != nil {
		t.Errorf("%q is not JSON: %v", b, err)
	}
	return reflect.DeepEqual(v, w)
}
