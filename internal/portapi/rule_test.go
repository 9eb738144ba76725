package portapi_test

import (
	"testing"

	"longshore/internal/portapi/rules"
)

// rule says which rules of testdata/rules.txt a test shows.
func rule(t testing.TB, ids ...string) {
	t.Helper()
	rules.Of(t, ids...)
}
