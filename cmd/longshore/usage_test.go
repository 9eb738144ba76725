package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrongCommandLinesAreExplained(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		args string
		code int
		says []string
	}{
		{"upp", exitUsage, []string{`unknown command "upp" (is up meant?)`}},
		{"up x", exitUsage, []string{`longshore up takes no argument, not "x"`, "longshore up --help"}},
		{"why", exitUsage, []string{"write longshore why ID"}},
		{"db copy a", exitUsage, []string{"write longshore db copy FROM TO"}},
		{"db copy " + dir + " b", exitFailed, []string{"there is no database " + dir, "env:VARIABLE"}},
		{"up --changelog-local maybe", exitUsage, []string{`want true or false, got "maybe"`, "LONGSHORE_CHANGELOG_LOCAL"}},
		{"up --config " + file("mistyped.yaml", "dta: ./x\n"), exitUsage, []string{`unknown setting "dta"`, `is "data" meant?`}},
		{"up --config " + file("unlike.yaml", "colour: red\n"), exitUsage, []string{"the settings are changelog-local, "}},
		{"up --config " + file("broken.yaml", "data: x\nlisten 5\n"), exitUsage, []string{"line 2", "what to do: it is YAML"}},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), strings.Fields(c.args), strings.NewReader(""), &out, &errs)
		if code != c.code {
			t.Errorf("longshore %s: exit %d, want %d: %s", c.args, code, c.code, errs.String())
		}
		for _, says := range c.says {
			if !strings.Contains(errs.String(), says) {
				t.Errorf("longshore %s does not say %q: %s", c.args, says, errs.String())
			}
		}
	}
}
