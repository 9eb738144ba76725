package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// Documents keeps documents. Each method is one transaction, or a part of the one that [Documents.Within] was given.
type Documents struct {
	store *Store
	seal  *Sealer
	now   func() time.Time
	tx    *sql.Tx // nil: none has begun
}

// Documents returns the documents of this database. A document with a secret needs seal; nil is for those without.
func (s *Store) Documents(seal *Sealer, now func() time.Time) *Documents {
	return &Documents{store: s, seal: seal, now: now}
}

// Within is the documents as part of a transaction that the caller has begun.
func (d *Documents) Within(tx *sql.Tx) *Documents {
	return &Documents{d.store, d.seal, d.now, tx}
}

// rows is what reads rows: a pool or a transaction.
type rows interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (d *Documents) reader() rows {
	if d.tx != nil {
		return d.tx
	}
	return d.store.read
}

func (d *Documents) inTx(ctx context.Context, fn func(*sql.Tx) error) error {
	if d.tx != nil {
		return fn(d.tx)
	}
	return d.store.InTx(ctx, fn)
}

// Get returns one document, or fault.NotFound.
func (d *Documents) Get(ctx context.Context, key catalog.DocumentKey) (catalog.Document, error) {
	return d.get(ctx, d.reader(), key)
}

const selectDocuments = `SELECT kind, blueprint, identifier, doc, secret, created_at, created_by, updated_at, updated_by FROM documents `

func (d *Documents) get(ctx context.Context, from rows, key catalog.DocumentKey) (catalog.Document, error) {
	doc, err := d.scan(from.QueryRowContext(ctx, selectDocuments+`WHERE kind = $1 AND blueprint = $2 AND identifier = $3`, key.Kind, key.Blueprint, key.Identifier))
	if errors.Is(err, sql.ErrNoRows) {
		return doc, fault.Errorf(fault.NotFound, "%s with identifier %q was not found", key.Kind, key.Identifier).
			WithCode("not_found", documentDetails(key))
	}
	if err != nil {
		return doc, fmt.Errorf("read %s %q: %w", key.Kind, key.Identifier, err)
	}
	return doc, nil
}

func documentDetails(key catalog.DocumentKey) map[string]any {
	return map[string]any{"resource": key.Kind, "relevantField": "identifier", "withValue": key.Identifier}
}

func (d *Documents) scan(row interface{ Scan(...any) error }) (catalog.Document, error) {
	var doc catalog.Document
	var text string
	var sealed []byte
	var created, updated int64
	if err := row.Scan(&doc.Kind, &doc.Blueprint, &doc.Identifier, &text, &sealed, &created, &doc.CreatedBy, &updated, &doc.UpdatedBy); err != nil {
		return doc, err
	}
	doc.Doc, doc.CreatedAt, doc.UpdatedAt = []byte(text), time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC()
	if len(sealed) > 0 {
		if d.seal == nil {
			return doc, fmt.Errorf("no keys were given to open secrets with")
		}
		var err error
		if doc.Secret, err = d.seal.Open(sealed, sealedFor(doc.DocumentKey)); err != nil {
			return doc, err
		}
	}
	return doc, nil
}

// sealedFor is the place of a document's secret. A blueprint may be renamed, and is no part of it.
func sealedFor(key catalog.DocumentKey) string {
	return fmt.Sprintf("document/%q/%q", key.Kind, key.Identifier)
}

// List returns the documents of a kind, ordered by blueprint and identifier.
func (d *Documents) List(ctx context.Context, kind string) ([]catalog.Document, error) {
	return d.list(ctx, kind, `WHERE kind = $1 ORDER BY blueprint, identifier`, kind)
}

// ListOf returns the documents of a kind that belong to a blueprint, ordered by identifier.
func (d *Documents) ListOf(ctx context.Context, kind, blueprint string) ([]catalog.Document, error) {
	return d.list(ctx, kind, `WHERE kind = $1 AND blueprint = $2 ORDER BY identifier`, kind, blueprint)
}

func (d *Documents) list(ctx context.Context, kind, where string, args ...any) ([]catalog.Document, error) {
	found, err := d.reader().QueryContext(ctx, selectDocuments+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list each %s: %w", kind, err)
	}
	defer found.Close()
	var all []catalog.Document
	for found.Next() {
		doc, err := d.scan(found)
		if err != nil {
			return nil, fmt.Errorf("list each %s: %w", kind, err)
		}
		all = append(all, doc)
	}
	return all, found.Err()
}

// Create adds a document and returns it with its times. Errors: fault.Conflict when there is one of that key.
func (d *Documents) Create(ctx context.Context, doc catalog.Document) (catalog.Document, error) {
	d.date(&doc)
	doc.CreatedAt, doc.CreatedBy = doc.UpdatedAt, doc.UpdatedBy
	err := d.inTx(ctx, func(tx *sql.Tx) error { return d.insert(ctx, tx, doc) })
	return doc, err
}

// Put adds the document or replaces what there is of that key. It returns it with its times.
func (d *Documents) Put(ctx context.Context, doc catalog.Document) (catalog.Document, error) {
	d.date(&doc)
	doc.CreatedAt, doc.CreatedBy = doc.UpdatedAt, doc.UpdatedBy
	err := d.inTx(ctx, func(tx *sql.Tx) error {
		before, err := d.get(ctx, tx, doc.DocumentKey)
		switch {
		case fault.Is(err, fault.NotFound):
			return d.insert(ctx, tx, doc)
		case err != nil:
			return err
		}
		doc.CreatedAt, doc.CreatedBy = before.CreatedAt, before.CreatedBy
		return d.replace(ctx, tx, doc.DocumentKey, doc)
	})
	return doc, err
}

// Update changes a document by fn, which may give it another key, within one transaction: no other write falls between
// what fn sees and what it leaves. It returns the document as it is then. Errors: those of fn, fault.NotFound,
// fault.Conflict when there is a document of the new key.
func (d *Documents) Update(ctx context.Context, key catalog.DocumentKey, fn func(*catalog.Document) error) (catalog.Document, error) {
	var doc catalog.Document
	err := d.inTx(ctx, func(tx *sql.Tx) error {
		var err error
		if doc, err = d.get(ctx, tx, key); err != nil {
			return err
		}
		if err := fn(&doc); err != nil {
			return err
		}
		d.date(&doc)
		return d.replace(ctx, tx, key, doc)
	})
	return doc, err
}

// Delete removes a document, or answers fault.NotFound.
func (d *Documents) Delete(ctx context.Context, key catalog.DocumentKey) error {
	return d.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := d.get(ctx, tx, key); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM documents WHERE kind = $1 AND blueprint = $2 AND identifier = $3`, key.Kind, key.Blueprint, key.Identifier)
		return err
	})
}

// date sets the time of the change, as precise as it is kept.
func (d *Documents) date(doc *catalog.Document) {
	doc.UpdatedAt = time.UnixMilli(d.now().UnixMilli()).UTC()
}

func (d *Documents) insert(ctx context.Context, tx *sql.Tx, doc catalog.Document) error {
	sealed, err := d.sealed(doc)
	if err != nil {
		return err
	}
	done, err := tx.ExecContext(ctx, `INSERT INTO documents (kind, blueprint, identifier, doc, secret, created_at, created_by, updated_at, updated_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (kind, blueprint, identifier) DO NOTHING`, doc.Kind, doc.Blueprint, doc.Identifier, string(doc.Doc), sealed,
		doc.CreatedAt.UnixMilli(), doc.CreatedBy, doc.UpdatedAt.UnixMilli(), doc.UpdatedBy)
	if err != nil {
		return fmt.Errorf("keep %s %q: %w", doc.Kind, doc.Identifier, err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, taken(doc.DocumentKey))
	}
	return nil
}

func taken(key catalog.DocumentKey) error {
	return fault.Errorf(fault.Conflict, "the %s %q already exists", strings.ToLower(key.Kind), key.Identifier).WithCode("identifier_taken", documentDetails(key))
}

func (d *Documents) sealed(doc catalog.Document) ([]byte, error) {
	if len(doc.Secret) == 0 {
		return nil, nil
	}
	if d.seal == nil {
		return nil, fmt.Errorf("keep %s %q: no keys were given to seal its secret with", doc.Kind, doc.Identifier)
	}
	return d.seal.Seal(doc.Secret, sealedFor(doc.DocumentKey))
}

func (d *Documents) replace(ctx context.Context, tx *sql.Tx, key catalog.DocumentKey, doc catalog.Document) error {
	if doc.DocumentKey != key {
		_, err := d.get(ctx, tx, doc.DocumentKey)
		if err == nil {
			return taken(doc.DocumentKey)
		}
		if !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	sealed, err := d.sealed(doc)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE documents SET kind = $4, blueprint = $5, identifier = $6, doc = $7, secret = $8, updated_at = $9, updated_by = $10
		WHERE kind = $1 AND blueprint = $2 AND identifier = $3`, key.Kind, key.Blueprint, key.Identifier,
		doc.Kind, doc.Blueprint, doc.Identifier, string(doc.Doc), sealed, doc.UpdatedAt.UnixMilli(), doc.UpdatedBy)
	if err != nil {
		return fmt.Errorf("keep %s %q: %w", doc.Kind, doc.Identifier, err)
	}
	return nil
}

// Document implements catalog.View.
func (t *catalogTx) Document(ctx context.Context, key catalog.DocumentKey) (catalog.Document, error) {
	return t.kept().Get(ctx, key)
}

// Documents implements catalog.View.
func (t *catalogTx) Documents(ctx context.Context, kind, blueprint string) ([]catalog.Document, error) {
	return t.kept().ListOf(ctx, kind, blueprint)
}

func (t *catalogTx) kept() *Documents { return &Documents{store: t.store, tx: t.tx} }

// PutDocument implements catalog.Tx.
func (t *catalogTx) PutDocument(ctx context.Context, doc catalog.Document) error {
	_, err := t.exec(ctx, `INSERT INTO documents (kind, blueprint, identifier, doc, created_at, created_by, updated_at, updated_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (kind, blueprint, identifier) DO UPDATE SET doc = excluded.doc, updated_at = excluded.updated_at, updated_by = excluded.updated_by`,
		doc.Kind, doc.Blueprint, doc.Identifier, string(doc.Doc), doc.CreatedAt.UnixMilli(), doc.CreatedBy, doc.UpdatedAt.UnixMilli(), doc.UpdatedBy)
	return err
}

// DeleteDocument implements catalog.Tx.
func (t *catalogTx) DeleteDocument(ctx context.Context, key catalog.DocumentKey) error {
	_, err := t.exec(ctx, `DELETE FROM documents WHERE kind = $1 AND blueprint = $2 AND identifier = $3`, key.Kind, key.Blueprint, key.Identifier)
	return err
}
