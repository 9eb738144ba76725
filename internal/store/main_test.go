package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"longshore/internal/store/storetest/pgserver"
)

// onPostgres is set in the second round: package storetest does the same for others, and stands on this one.
var onPostgres bool

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		onPostgres = true
		fmt.Println("--- the same on PostgreSQL")
		code = m.Run()
	}
	os.Exit(code)
}

// newDatabase is what Open takes for an empty database of this round.
func newDatabase(t *testing.T) string {
	t.Helper()
	if !onPostgres {
		return filepath.Join(t.TempDir(), "longshore.db")
	}
	return pgserver.Database(t, func(ctx context.Context, url string) error {
		s, err := Open(ctx, url)
		if err != nil {
			return err
		}
		return s.Close()
	})
}
