package rules_test

import (
	"bufio"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../../.."

var update = flag.Bool("update", false, "take the rules that a test names by now out of gaps.txt")

// The list is of one form: section-number, weight, words; no id twice.
func TestRulesAreWellFormed(t *testing.T) {
	if n := len(listed(t)); n < 200 {
		t.Errorf("the list has %d rules: something was lost", n)
	}
}

// Every rule is named by a test or is a known gap with an owner and a reason; a gap that a test names is closed, and
// leaves the list of gaps.
func TestEveryRuleIsNamedByATest(t *testing.T) {
	rules, gaps, named := listed(t), gaps(t), named(t)
	if *update {
		closeGaps(t, gaps, named)
	}
	for id := range rules {
		_, gap := gaps[id]
		switch places := named[id]; {
		case len(places) == 0 && !gap:
			t.Errorf("rule %s (%s) is named by no test", id, rules[id])
		case len(places) > 0 && gap:
			t.Errorf("rule %s is in gaps.txt, but %s names it: take it out (-update does)", id, places[0])
		}
	}
	for id, places := range named {
		if _, ok := rules[id]; !ok {
			t.Errorf("%s names rule %q, which is not in the list", places[0], id)
		}
	}
	for id := range gaps {
		if _, ok := rules[id]; !ok && ruleID.MatchString(id) {
			t.Errorf("gaps.txt names rule %q, which is not in the list", id)
		}
	}
}

var ruleID = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?-[0-9]+$`)

// listed reads the rules: their words by their ids.
func listed(t *testing.T) map[string]string {
	t.Helper()
	weight := regexp.MustCompile(`^([DCP](/[DCPU])?|-)$`)
	rules := map[string]string{}
	for _, line := range lines(t, filepath.Join(root, "internal/portapi/testdata/rules.txt")) {
		fields := strings.Fields(line)
		if len(fields) < 3 || !ruleID.MatchString(fields[0]) || !weight.MatchString(fields[1]) {
			t.Fatalf("rules.txt: want id, weight and words, got %q", line)
		}
		if rules[fields[0]] != "" {
			t.Errorf("rules.txt: %s stands there twice", fields[0])
		}
		rules[fields[0]] = strings.Join(fields[2:], " ")
	}
	return rules
}

// gaps reads the known gaps: what is not named by a test, or a case of the conformance suite that fails, each with its
// owner and a reason.
func gaps(t *testing.T) map[string]string {
	t.Helper()
	gaps := map[string]string{}
	for _, line := range lines(t, filepath.Join(root, "internal/portapi/testdata/gaps.txt")) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			t.Fatalf("gaps.txt: want a rule or case, an owner and a reason, got %q", line)
		}
		gaps[fields[0]] = strings.Join(fields[1:], " ")
	}
	return gaps
}

// closeGaps takes what is named out of the gaps, here and in their file.
func closeGaps(t *testing.T, gaps map[string]string, named map[string][]string) {
	t.Helper()
	path := filepath.Join(root, "internal/portapi/testdata/gaps.txt")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var kept strings.Builder
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 0 && named[fields[0]] != nil {
			delete(gaps, fields[0])
			continue
		}
		kept.WriteString(line)
	}
	if err := os.WriteFile(path, []byte(kept.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// named is where each rule is named: the literal arguments of rule(t, ...), rules.Of(t, ...) and rules.IDs(...).
func named(t *testing.T) map[string][]string {
	t.Helper()
	named := map[string][]string{}
	for _, dir := range []string{"internal", "cmd", "e2e"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && names(call.Fun) {
					for _, id := range literals(call.Args) {
						named[id] = append(named[id], files.Position(call.Pos()).String())
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return named
}

// names reports whether a function is one of those that name rules.
func names(f ast.Expr) bool {
	switch f := f.(type) {
	case *ast.Ident:
		return f.Name == "rule"
	case *ast.SelectorExpr:
		x, ok := f.X.(*ast.Ident)
		return ok && x.Name == "rules" && slices.Contains([]string{"Of", "IDs"}, f.Sel.Name)
	}
	return false
}

func literals(args []ast.Expr) []string {
	var all []string
	for _, a := range args {
		if lit, ok := a.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				all = append(all, s)
			}
		}
	}
	return all
}

// lines are those of a file that say something.
func lines(t *testing.T, path string) []string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []string
	for s := bufio.NewScanner(f); s.Scan(); {
		if line := strings.TrimSpace(s.Text()); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all
}
