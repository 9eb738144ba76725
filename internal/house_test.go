// Package internal_test keeps the house in order: imports run down only, every package says what it is, nothing
// happens at import.
package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// floor is the height of each package: a package imports only what lies lower.
var floor = map[string]int{
	// foundation
	"internal/fault": 0, "internal/verdict": 0, "internal/tally": 0, "internal/cron": 1, "internal/rawjson": 1, "internal/jq": 2,
	// nouns, their rules, and the interfaces that they need; none imports another
	"internal/pipeline": 3, "internal/lake": 3, "internal/catalog": 3, "internal/job": 3, "internal/auth": 3, "packs": 3,
	// engines
	"internal/mapping": 4, "internal/access": 4, "internal/changelog": 4, "internal/airbyte": 4, "internal/airbyte/runner": 5, "internal/org": 4, "internal/ingest": 5, "internal/receipt": 6, "internal/story": 6,
	// adapters: other systems
	"internal/store": 7, "internal/source/okta": 7, "internal/source/okta/emulator": 7, "internal/destination/s3": 7,
	"internal/lake/s3": 7, "internal/lake/s3server": 8, "internal/source/okta/connector": 8,
	"internal/destination/s3/connector": 8,
	// doors: wire format <-> nouns, no rules
	"internal/portapi": 9, "internal/web": 9, "internal/server": 9,
	// roof
	"cmd/longshore": 10, "tools/testsum": 10, "e2e": 10, "e2e/clients": 10,
}

// adapters may be named by the roof and by tests alone.
var adapters = map[string]bool{
	"internal/store": true, "internal/source/okta": true, "internal/source/okta/emulator": true,
	"internal/destination/s3": true, "internal/lake/s3": true, "internal/lake/s3server": true, "internal/source/okta/connector": true,
	"internal/destination/s3/connector": true,
}

// partOf are the adapters that stand on another one: it is their own.
var partOf = map[string]string{
	"internal/lake/s3server": "internal/lake/s3", "internal/source/okta/connector": "internal/source/okta",
	"internal/destination/s3/connector": "internal/destination/s3",
}

// testSupport packages are imported by tests alone, and may import anything.
var testSupport = map[string]bool{
	"internal/lake/laketest": true, "internal/store/storetest": true, "internal/store/storetest/pgserver": true, "packs/samples": true, "tools/ui": true,
	"internal/portapi/rules": true,
}

type sourceFile struct {
	pkg  string // folder from the repository's root
	test bool
	ast  *ast.File
	path string
}

func TestImportsRunDown(t *testing.T) {
	for _, f := range sources(t) {
		from, known := floor[f.pkg]
		if !known && !testSupport[f.pkg] && !f.test {
			t.Errorf("%s: package %s has no floor in this test: give it one", f.path, f.pkg)
			continue
		}
		if f.test || testSupport[f.pkg] {
			continue
		}
		for _, imported := range f.ast.Imports {
			path, _ := strconv.Unquote(imported.Path.Value)
			to, ours := strings.CutPrefix(path, "longshore/")
			if !ours {
				continue
			}
			switch height, ok := floor[to]; {
			case testSupport[to]:
				t.Errorf("%s imports %s, which is for tests alone", f.path, to)
			case !ok:
				t.Errorf("%s imports %s, which has no floor", f.path, to)
			case height >= from:
				t.Errorf("%s imports %s: imports run down, and %s (floor %d) does not lie below %s (floor %d)", f.path, to, to, height, f.pkg, from)
			case adapters[to] && f.pkg != "cmd/longshore" && partOf[f.pkg] != to:
				t.Errorf("%s imports the adapter %s: only cmd names an adapter", f.path, to)
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	said := map[string]bool{}
	for _, f := range sources(t) {
		if !f.test {
			said[f.pkg] = said[f.pkg] || f.ast.Doc != nil
		}
	}
	for pkg, ok := range said {
		if !ok {
			t.Errorf("package %s has no package comment", pkg)
		}
	}
}

func TestNothingHappensAtImport(t *testing.T) {
	for _, f := range sources(t) {
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s has an init function", f.path)
			}
		}
	}
}

func TestOnlyCmdReadsTheEnvironment(t *testing.T) {
	for _, f := range sources(t) {
		if f.test || strings.HasPrefix(f.pkg, "cmd/") {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && !testSupport[f.pkg] {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "os" && (sel.Sel.Name == "Getenv" || sel.Sel.Name == "LookupEnv") {
					t.Errorf("%s reads the environment: settings come from cmd", f.path)
				}
			}
			return true
		})
	}
}

// sources parses every Go file of the module.
func sources(t *testing.T) []sourceFile {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	var all []sourceFile
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			// A folder with a go.mod of its own is another module.
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != root || strings.HasPrefix(d.Name(), ".") && path != root {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		all = append(all, sourceFile{filepath.ToSlash(filepath.Dir(rel)), strings.HasSuffix(path, "_test.go"), parsed, rel})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found only %d Go files: the test looks in the wrong place", len(all))
	}
	return all
}
