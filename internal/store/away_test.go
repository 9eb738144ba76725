package store

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/store/storetest/pgserver"
)

// Whatever is asked of a server that is away says so, in one way; once it is back, the same store goes on.
func TestAServerThatIsAwayIsToldAsOne(t *testing.T) {
	if !onPostgres {
		t.Skip("of PostgreSQL alone")
	}
	link := pgserver.LinkTo(t, newDatabase(t))
	s, err := Open(t.Context(), link.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c := catalog.New(s.Catalog(), time.Now)
	questions := map[string]func(ctx context.Context) error{
		"write":      func(ctx context.Context) error { return s.SetSetting(ctx, "name", "value") },
		"read":       func(ctx context.Context) error { _, err := s.Setting(ctx, "name"); return err },
		"blueprints": func(ctx context.Context) error { _, err := c.Blueprints(ctx); return err },
		"waiting":    func(ctx context.Context) error { _, err := s.Objects(nil, time.Now, nil).Waiting(ctx); return err },
		"known":      func(ctx context.Context) error { _, err := s.Clients(time.Now).Clients(ctx); return err },
	}
	ask := func(want bool) {
		t.Helper()
		for name, question := range questions {
			if err := s.Explain(question(t.Context())); (err == nil) != want || !want && (!Away(err) || !fault.Is(err, fault.Unavailable)) {
				t.Errorf("%s: %v, want an answer %t, or else the fault of a server that is away", name, err, want)
			}
		}
	}
	ask(true)
	link.Cut()
	settle(t, s)
	ask(false)
	link.Mend()
	ask(true)
}

// settle uses up the connections that broke: one that has rested for less than a second is not looked at before its use.
func settle(t *testing.T, s *Store) {
	t.Helper()
	for range maxPostgresConns {
		_ = s.Ping(t.Context())
	}
}

// A write whose connection breaks is there whole or not at all.
func TestATransactionWhoseConnectionBreaksIsUndone(t *testing.T) {
	if !onPostgres {
		t.Skip("of PostgreSQL alone")
	}
	link := pgserver.LinkTo(t, newDatabase(t))
	s, err := Open(t.Context(), link.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	err = s.InTx(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec(`INSERT INTO settings (name, value) VALUES ('half', 'done')`); err != nil {
			return err
		}
		link.Cut()
		_, err := tx.Exec(`INSERT INTO settings (name, value) VALUES ('other', 'half')`)
		return err
	})
	if !Away(err) {
		t.Errorf("%v, want the fault of a server that is away", err)
	}
	link.Mend()
	settle(t, s)
	if kept, err := s.Setting(t.Context(), "half"); err != nil || kept != "" {
		t.Errorf("the setting is %q (%v), want none of an undone transaction", kept, err)
	}
	if err := s.SetSetting(t.Context(), "after", "it"); err != nil { // the writers' lock is free again
		t.Error(err)
	}
}
