// Package rules is for tests alone: it lets a test say which rules of Port's API it shows. The rules stand in
// internal/portapi/testdata/rules.txt; this package's own test finds those that no test names.
package rules

import "testing"

// Of says that the test shows these rules. The ids must be literals: they are found in the source.
func Of(t testing.TB, ids ...string) {
	t.Helper()
	for _, id := range ids {
		t.Attr("rule", id)
	}
}

// IDs is a list of rules for a table of cases, each of which is handed to Of in turn. The ids must be literals.
func IDs(ids ...string) []string { return ids }
