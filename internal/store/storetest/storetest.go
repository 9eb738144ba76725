// Package storetest runs tests on every database that the store knows: SQLite always, PostgreSQL where a server can be had.
// Package pgserver tells where that comes from. Without one, what would run on PostgreSQL is skipped with the reason.
package storetest

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"longshore/internal/store"
	"longshore/internal/store/storetest/pgserver"
)

// onPostgres is set while the second round of [Main] runs, and rounds while Main runs at all.
var onPostgres, rounds atomic.Bool

// Main runs all tests twice: with [Open] on SQLite, then on PostgreSQL. Use it as
//
//	func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
func Main(m *testing.M) int {
	rounds.Store(true)
	if code := m.Run(); code != 0 || !testRun() {
		return code
	}
	onPostgres.Store(true)
	fmt.Println("--- the same on PostgreSQL")
	return m.Run()
}

// testRun tells whether this process runs tests, not benchmarks, a fuzz target or a list.
func testRun() bool {
	for _, name := range []string{"test.bench", "test.fuzz", "test.list", "test.fuzzworker"} {
		if f := flag.Lookup(name); f != nil && f.Value.String() != "" && f.Value.String() != "false" {
			return false
		}
	}
	return true
}

// OnPostgres tells whether [Open] opens PostgreSQL now: in the second round of [Main].
func OnPostgres() bool { return onPostgres.Load() }

// Open returns an empty store on the database of this round, closed when the test ends.
func Open(t testing.TB) *store.Store {
	t.Helper()
	return open(t, Where(t))
}

// Where returns what [store.Open] takes for an empty database of this round.
func Where(t testing.TB) string {
	t.Helper()
	if onPostgres.Load() {
		return Postgres(t)
	}
	return file(t)
}

// prepared is a SQLite database with this program's schema: its tests' are copies, for making the schema takes longer than
// many a test.
var prepared = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "longshore-sqlite")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "longshore.db")
	s, err := store.Open(context.Background(), path)
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// file returns the path of an empty SQLite database with this program's schema.
func file(t testing.TB) string {
	t.Helper()
	content, err := prepared()
	if err != nil {
		t.Fatalf("prepare a database: %v", err)
	}
	path := filepath.Join(t.TempDir(), "longshore.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Postgres returns the URL of an empty PostgreSQL database with this program's schema, dropped when the test ends, or
// skips the test.
func Postgres(t testing.TB) string {
	t.Helper()
	return pgserver.Database(t, func(ctx context.Context, url string) error {
		s, err := store.Open(ctx, url)
		if err != nil {
			return err
		}
		return s.Close()
	})
}

// Each runs a test on SQLite and on PostgreSQL, with an empty store each.
func Each(t *testing.T, fn func(t *testing.T, s *store.Store)) {
	t.Helper()
	if !rounds.Load() || !onPostgres.Load() {
		t.Run("sqlite", func(t *testing.T) { fn(t, open(t, file(t))) })
	}
	if !rounds.Load() || onPostgres.Load() {
		t.Run("postgres", func(t *testing.T) { fn(t, open(t, Postgres(t))) })
	}
}

func open(t testing.TB, where string) *store.Store {
	t.Helper()
	s, err := store.Open(context.WithoutCancel(t.Context()), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
