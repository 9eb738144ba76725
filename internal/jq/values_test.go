package jq

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write what the programs gave as what is wanted")

// valueCase is one line of a file in testdata/values: program ¦ input ¦ what comes out. That is a JSON text, "nothing", "error: "
// and its message, or "refused: " and the compiler's.
type valueCase struct {
	file, program, input, want string
	line                       int
}

const columns = " ¦ "

func valueFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/values/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in testdata/values: %v", err)
	}
	return files
}

func valueCases(t testing.TB) []valueCase {
	t.Helper()
	var all []valueCase
	for _, file := range valueFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			cells := strings.Split(line, columns)
			if len(cells) < 2 {
				continue // blank, or a heading
			}
			c := valueCase{file: filepath.Base(file), line: i + 1, program: cells[0], input: cells[1]}
			if len(cells) == 3 {
				c.want = cells[2]
			}
			all = append(all, c)
		}
	}
	return all
}

// outcome is what the program makes of the input, in the words of a case.
func outcome(t testing.TB, program, input string) string {
	t.Helper()
	p, err := Compile(program, Options{Timeout: 20 * time.Second})
	if err != nil {
		return "refused: " + err.Error()
	}
	text, err := Check([]byte(input))
	if err != nil {
		t.Fatalf("input %s: %v", input, err)
	}
	var in Input
	in.SetText(text)
	value, err := p.Run(t.Context(), &in)
	var failed *RunError
	switch {
	case errors.As(err, &failed):
		return "error: " + failed.Message
	case err != nil:
		t.Fatalf("%s over %s: %v", program, input, err)
	case value == nil:
		return "nothing"
	}
	return string(value)
}

// Every function of jq 1.6's manual, and every idiom of the guides, gives the value that stands in the files.
func TestValues(t *testing.T) {
	if *update {
		writeValues(t)
	}
	seen := map[string]string{}
	for _, c := range valueCases(t) {
		where := fmt.Sprintf("%s line %d", c.file, c.line)
		if got := outcome(t, c.program, c.input); got != c.want {
			t.Errorf("%s: %s over %s:\ngot  %s\nwant %s", where, c.program, c.input, got, c.want)
		}
		key := c.program + columns + c.input
		if other := seen[key]; other != "" {
			t.Errorf("%s repeats %s: %s", where, other, key)
		}
		seen[key] = where
	}
	if enough := 1000; len(seen) < enough {
		t.Errorf("%d cases, want %d at least", len(seen), enough)
	}
}

func writeValues(t *testing.T) {
	for _, file := range valueFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		for i, line := range lines {
			if cells := strings.Split(line, columns); len(cells) > 1 {
				lines[i] = strings.Join([]string{cells[0], cells[1], outcome(t, cells[0], cells[1])}, columns)
			}
		}
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The same value must come out when the input is made of members, as an event is.
func TestValuesOverMembers(t *testing.T) {
	for _, c := range valueCases(t) {
		var object map[string]json.RawMessage
		if json.Unmarshal([]byte(c.input), &object) != nil || len(object) == 0 || !strings.HasPrefix(c.program, ".") || strings.HasPrefix(c.want, "refused") {
			continue
		}
		p := compile(t, c.program)
		var in Input
		for name, text := range object {
			in.SetMember(name, text)
		}
		got, err := p.Run(t.Context(), &in)
		var failed *RunError
		switch {
		case errors.As(err, &failed):
			if !strings.HasPrefix(c.want, "error: ") {
				t.Errorf("%s over the members of %s: %v, want %s", c.program, c.input, err, c.want)
			}
		case err != nil:
			t.Fatal(err)
		case got == nil && c.want != "nothing", got != nil && c.program != "." && !sameJSON(t, got, []byte(c.want)):
			t.Errorf("%s over the members of %s: %s, want %s", c.program, c.input, got, c.want)
		}
	}
}

// builtins are the functions that jq 1.6 lists, one a line: name/arity.
func builtins(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/builtins-1.6.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))
}

// Each function of jq 1.6 is in some case, whatever it gives.
func TestEveryBuiltinHasACase(t *testing.T) {
	called := map[string]bool{}
	for _, c := range valueCases(t) {
		for _, word := range words(doubleQuotes(c.program)) {
			called[word] = true
		}
	}
	for _, name := range builtins(t) {
		if word, _, _ := strings.Cut(name, "/"); !called[word] && !strings.HasPrefix(word, "get_") { // unlike in the manual, and of the machine
			t.Errorf("no case calls %s", name)
		}
	}
}

func words(program string) []string {
	return strings.FieldsFunc(program, func(r rune) bool {
		return r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
}

// sameOutcome compares two outcomes: failures are alike, and values are compared as JSON.
func sameOutcome(a, b string) bool {
	if failed(a) || failed(b) || a == "nothing" || b == "nothing" {
		return a == b || failed(a) && failed(b)
	}
	return bytes.Equal(normal(a), normal(b))
}

func failed(outcome string) bool {
	return slices.ContainsFunc([]string{"error", "refused"}, func(word string) bool { return strings.HasPrefix(outcome, word) })
}

// normal is a JSON text with sorted keys and numbers as doubles.
func normal(text string) []byte {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return []byte("not JSON: " + text)
	}
	out, err := json.Marshal(v)
	if err != nil {
		return []byte("not JSON: " + text)
	}
	return out
}
