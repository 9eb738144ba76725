//go:build e2e

package e2e

import (
	"testing"

	"longshore/internal/store/storetest/pgserver"
)

// The same org comes to the same catalog and the same receipt on either database.
func TestTheSameOnBothDatabases(t *testing.T) {
	embedded, server := newFolder(t), newFolder(t)
	first := embedded.receipts()
	wanted := embedded.export()
	t.Setenv("LONGSHORE_DATABASE_URL", pgserver.Database(t, nil))
	second := server.receipts()
	if got := server.export(); got != wanted {
		t.Errorf("the export on PostgreSQL has digest %s, on SQLite %s", digest(got), digest(wanted))
	}
	if len(first) != len(second) {
		t.Fatalf("%d receipts on SQLite, %d on PostgreSQL", len(first), len(second))
	}
	for i := range first {
		if a, b := comparable(first[i]), comparable(second[i]); a != b {
			t.Errorf("receipt %d differs:\nSQLite     %s\nPostgreSQL %s", i+1, a, b)
		}
	}
}
