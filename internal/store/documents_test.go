package store

import (
	"bytes"
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// openDocuments returns documents whose clock moves a second with every look.
func openDocuments(t *testing.T) (*Store, *Documents) {
	t.Helper()
	s, err := Open(t.Context(), newDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, documentsOf(t, s)
}

func documentsOf(t *testing.T, s *Store) *Documents {
	t.Helper()
	seal, err := OpenSealer(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	return s.Documents(seal, func() time.Time { at = at.Add(time.Second); return at })
}

func team(name, doc string) catalog.Document {
	return catalog.Document{DocumentKey: catalog.DocumentKey{Kind: "team", Identifier: name}, Doc: []byte(doc), UpdatedBy: "ann"}
}

func TestDocumentsKeepWhoAndWhen(t *testing.T) {
	_, d := openDocuments(t)
	made, err := d.Create(t.Context(), team("core", `{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Create(t.Context(), team("core", `{}`)); !fault.Is(err, fault.Conflict) {
		t.Errorf("creating it again gave %v, want a fault.Conflict", err)
	}
	changed := team("core", `{"a":2}`)
	changed.UpdatedBy = "bob"
	if _, err := d.Put(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
	got, err := d.Get(t.Context(), made.DocumentKey)
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Doc) != `{"a":2}` || got.CreatedBy != "ann" || got.UpdatedBy != "bob" || !got.CreatedAt.Equal(made.CreatedAt) || !got.UpdatedAt.After(made.UpdatedAt) {
		t.Errorf("after Put it is %+v, want the new content and the old creation", got)
	}
	if err := d.Delete(t.Context(), made.DocumentKey); err != nil {
		t.Fatal(err)
	}
	if err := d.Delete(t.Context(), made.DocumentKey); !fault.Is(err, fault.NotFound) {
		t.Errorf("deleting it again gave %v, want a fault.NotFound", err)
	}
}

func TestDocumentsUpdateRenamesUnlessTaken(t *testing.T) {
	_, d := openDocuments(t)
	for _, name := range []string{"a", "b"} {
		doc := team(name, `{}`)
		doc.Secret = []byte("of " + name)
		if _, err := d.Create(t.Context(), doc); err != nil {
			t.Fatal(err)
		}
	}
	rename := func(to string) error {
		_, err := d.Update(t.Context(), catalog.DocumentKey{Kind: "team", Identifier: "a"}, func(doc *catalog.Document) error {
			doc.Identifier = to
			return nil
		})
		return err
	}
	if err := rename("b"); !fault.Is(err, fault.Conflict) {
		t.Errorf("renaming onto another gave %v, want a fault.Conflict", err)
	}
	if err := rename("c"); err != nil {
		t.Fatal(err)
	}
	all, err := d.List(t.Context(), "team")
	if err != nil || len(all) != 2 || all[0].Identifier != "b" || all[1].Identifier != "c" || string(all[1].Secret) != "of a" {
		t.Errorf("the list is %+v, %v, want b and c, which keeps its secret", all, err)
	}
}

func TestDocumentsSealSecrets(t *testing.T) {
	s, d := openDocuments(t)
	doc := team("core", `{}`)
	doc.Secret = []byte("hush")
	if _, err := d.Create(t.Context(), doc); err != nil {
		t.Fatal(err)
	}
	var kept []byte
	if err := s.read.QueryRow(`SELECT secret FROM documents`).Scan(&kept); err != nil {
		t.Fatal(err)
	}
	if len(kept) == 0 || bytes.Contains(kept, doc.Secret) {
		t.Errorf("the row holds %q, want the secret sealed", kept)
	}
}

func TestDocumentsStandAndFallWithTheTransaction(t *testing.T) {
	s, d := openDocuments(t)
	wrong := fault.Errorf(fault.Invalid, "no")
	err := s.InTx(t.Context(), func(tx *sql.Tx) error {
		if _, err := d.Within(tx).Create(t.Context(), team("core", `{}`)); err != nil {
			return err
		}
		if _, err := d.Within(tx).Get(t.Context(), team("core", "").DocumentKey); err != nil {
			t.Errorf("within the transaction: %v", err)
		}
		return wrong
	})
	if !fault.Is(err, fault.Invalid) {
		t.Fatal(err)
	}
	if _, err := d.Get(t.Context(), team("core", "").DocumentKey); !fault.Is(err, fault.NotFound) {
		t.Errorf("after the rollback: %v, want a fault.NotFound", err)
	}
}

func TestDocumentsFollowTheirBlueprint(t *testing.T) {
	s, d := openDocuments(t)
	at := time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)
	inTx := func(fn func(ctx context.Context, tx catalog.Tx) error) {
		t.Helper()
		if err := s.Catalog().InTx(t.Context(), func(tx catalog.Tx) error { return fn(t.Context(), tx) }); err != nil {
			t.Fatal(err)
		}
	}
	inTx(func(ctx context.Context, tx catalog.Tx) error {
		if err := tx.PutBlueprint(ctx, catalog.Blueprint{Identifier: "a", Doc: []byte(`{"identifier":"a"}`), CreatedAt: at, UpdatedAt: at}); err != nil {
			return err
		}
		return tx.PutDocument(ctx, catalog.Document{DocumentKey: catalog.DocumentKey{Kind: "scorecard", Blueprint: "a", Identifier: "s"}, Doc: []byte(`{}`), CreatedAt: at, UpdatedAt: at})
	})
	inTx(func(ctx context.Context, tx catalog.Tx) error { return tx.RenameBlueprint(ctx, "a", "b") })
	if _, err := d.Get(t.Context(), catalog.DocumentKey{Kind: "scorecard", Blueprint: "b", Identifier: "s"}); err != nil {
		t.Errorf("after the rename: %v", err)
	}
	inTx(func(ctx context.Context, tx catalog.Tx) error { return tx.DeleteBlueprint(ctx, "b") })
	if all, err := d.List(t.Context(), "scorecard"); err != nil || len(all) != 0 {
		t.Errorf("after the blueprint's end: %v, %v, want none", all, err)
	}
}
