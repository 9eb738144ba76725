package store

import (
	"context"
	"database/sql"
	"testing"

	"longshore/internal/fault"
)

func TestOpenRefusesNewerSchema(t *testing.T) {
	path := newDatabase(t)
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.write.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, '1')`); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), path)
	if !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
		t.Errorf("opening a newer schema gave %v (hint %q), want a fault.Invalid with a hint", err, fault.HintOf(err))
	}
}

func TestInTxKeepsNothingOnError(t *testing.T) {
	s, err := Open(t.Context(), newDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	wrong := fault.Errorf(fault.Invalid, "no")
	err = s.InTx(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(context.Background(), `INSERT INTO settings (name, value) VALUES ('a', 'b')`); err != nil {
			return err
		}
		return wrong
	})
	if err != wrong {
		t.Fatalf("InTx returned %v, want the function's own error", err)
	}
	var n int
	if err := s.read.QueryRow(`SELECT count(*) FROM settings WHERE name = 'a'`).Scan(&n); err != nil || n != 0 {
		t.Errorf("found %d rows of a failed transaction (%v), want 0", n, err)
	}
}
