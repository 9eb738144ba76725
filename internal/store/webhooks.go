package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/pipeline"
)

const selectWebhooks = `SELECT id, identifier, webhook_key, doc, secret, previous_secret, previous_until, created_at, created_by, updated_at, updated_by FROM webhooks `

// Webhooks lists all webhooks in the order they were made.
func (b *Objects) Webhooks(ctx context.Context) ([]ingest.Webhook, error) {
	rows, err := b.read.QueryContext(ctx, selectWebhooks+`ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	defer rows.Close()
	var all []ingest.Webhook
	for rows.Next() {
		w, err := b.scanWebhook(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, rows.Err()
}

// Webhook returns the webhook of that identifier, or fault.NotFound.
func (b *Objects) Webhook(ctx context.Context, identifier string) (ingest.Webhook, error) {
	return b.webhook(ctx, `WHERE identifier = $1`, identifier)
}

// WebhookByKey returns the webhook of that key, or fault.NotFound.
func (b *Objects) WebhookByKey(ctx context.Context, key string) (ingest.Webhook, error) {
	return b.webhook(ctx, `WHERE webhook_key = $1`, key)
}

// Route implements [ingest.Store]: the key is looked at first, then the identifier.
func (b *Objects) Route(ctx context.Context, namespace string) (ingest.Webhook, error) {
	return b.webhook(ctx, `WHERE webhook_key = $1 OR identifier = $1 ORDER BY webhook_key = $1 DESC LIMIT 1`, namespace)
}

func (b *Objects) webhook(ctx context.Context, where, arg string) (ingest.Webhook, error) {
	w, err := b.scanWebhook(b.read.QueryRowContext(ctx, selectWebhooks+where, arg))
	if errors.Is(err, sql.ErrNoRows) {
		return w, fault.Errorf(fault.NotFound, "webhook %q was not found", arg).WithCode("not_found",
			map[string]any{"resource": "Webhook", "relevantField": "identifier", "withValue": arg})
	}
	return w, err
}

func (b *Objects) scanWebhook(row interface{ Scan(...any) error }) (ingest.Webhook, error) {
	var w ingest.Webhook
	var doc string
	var sealed, previous []byte
	var created, updated, until int64
	if err := row.Scan(&w.ID, &w.Identifier, &w.Key, &doc, &sealed, &previous, &until, &created, &w.CreatedBy, &updated, &w.UpdatedBy); err != nil {
		return w, err
	}
	w.Doc, w.CreatedAt, w.UpdatedAt = []byte(doc), time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC()
	if err := w.Parse(); err != nil {
		return w, err
	}
	var err error
	if w.Secret, err = b.openSecret(sealed, w.Key); err != nil {
		return w, fmt.Errorf("webhook %q: %w", w.Identifier, err)
	}
	w.Security.Secret = w.Secret
	if w.PreviousUntil = time.UnixMilli(until).UTC(); !b.now().Before(w.PreviousUntil) {
		w.PreviousUntil = time.Time{}
		return w, nil
	}
	if w.PreviousSecret, err = b.openSecret(previous, w.Key); err != nil {
		return w, fmt.Errorf("webhook %q: %w", w.Identifier, err)
	}
	return w, nil
}

// Secrets are sealed for the key of their webhook.
func (b *Objects) openSecret(sealed []byte, key string) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	secret, err := b.seal.Open(sealed, "webhook/"+key)
	return string(secret), err
}

func (b *Objects) sealSecret(secret, key string) ([]byte, error) {
	if secret == "" {
		return nil, nil
	}
	return b.seal.Seal([]byte(secret), "webhook/"+key)
}

// PutWebhook creates the webhook (ID 0) or changes it. Doc must not hold the secret; Key is made when empty. Objects
// that wait for this namespace are queued.
func (b *Objects) PutWebhook(ctx context.Context, w ingest.Webhook) (ingest.Webhook, error) {
	if err := w.Parse(); err != nil {
		return w, err
	}
	if w.ID != 0 { // the key never changes, whatever the caller says: the secret is sealed for it
		err := b.read.QueryRowContext(ctx, `SELECT webhook_key FROM webhooks WHERE id = $1`, w.ID).Scan(&w.Key)
		if errors.Is(err, sql.ErrNoRows) {
			return w, fault.Errorf(fault.NotFound, "webhook %q was not found", w.Identifier).WithCode("not_found",
				map[string]any{"resource": "Webhook", "relevantField": "identifier", "withValue": w.Identifier})
		}
		if err != nil {
			return w, fmt.Errorf("keep webhook %q: %w", w.Identifier, err)
		}
	}
	if w.Key == "" {
		random := make([]byte, 12)
		_, _ = rand.Read(random) // never fails
		w.Key = base64.RawURLEncoding.EncodeToString(random)
	}
	sealed, err := b.sealSecret(w.Secret, w.Key)
	if err != nil {
		return w, err
	}
	previous, err := b.sealSecret(w.PreviousSecret, w.Key)
	if err != nil {
		return w, err
	}
	until := int64(0)
	if previous != nil {
		until = w.PreviousUntil.UnixMilli()
	}
	now := b.now()
	w.UpdatedAt = now.UTC()
	err = b.InTx(ctx, func(tx *sql.Tx) error {
		var other int64
		err := tx.QueryRowContext(ctx, `SELECT id FROM webhooks WHERE identifier = $1 AND id <> $2`, w.Identifier, w.ID).Scan(&other)
		if err == nil {
			return fault.Errorf(fault.Conflict, "a webhook with the identifier %q already exists", w.Identifier).WithCode("identifier_taken",
				map[string]any{"resource": "Webhook", "relevantField": "identifier", "withValue": w.Identifier})
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if w.ID == 0 {
			w.CreatedAt, w.CreatedBy = now.UTC(), w.UpdatedBy
			err = tx.QueryRowContext(ctx, `INSERT INTO webhooks (identifier, webhook_key, doc, secret, previous_secret, previous_until, created_at, created_by, updated_at, updated_by)
				VALUES ($1, $2, $3, $4, $7, $8, $5, $6, $5, $6) RETURNING id`, w.Identifier, w.Key, string(w.Doc), sealed, now.UnixMilli(), w.UpdatedBy, previous, until).Scan(&w.ID)
		} else {
			_, err = tx.ExecContext(ctx, `UPDATE webhooks SET identifier = $2, doc = $3, secret = $4, updated_at = $5, updated_by = $6, previous_secret = $7, previous_until = $8
				WHERE id = $1`, w.ID, w.Identifier, string(w.Doc), sealed, now.UnixMilli(), w.UpdatedBy, previous, until)
		}
		if err != nil {
			return err
		}
		return b.queueUnrouted(ctx, tx)
	})
	if err != nil {
		return w, fmt.Errorf("keep webhook %q: %w", w.Identifier, err)
	}
	return w, nil
}

// queueUnrouted gives objects without a webhook another pass: a webhook has just changed.
func (b *Objects) queueUnrouted(ctx context.Context, tx *sql.Tx) error {
	_, err := b.again(ctx, tx, `WHERE state = 'unrouted'`)
	return err
}

// DeleteWebhook removes the webhook, or answers fault.NotFound. The ledger keeps its verdicts.
func (b *Objects) DeleteWebhook(ctx context.Context, identifier string) error {
	if _, err := b.Webhook(ctx, identifier); err != nil {
		return err
	}
	if _, err := b.write.ExecContext(ctx, `DELETE FROM webhooks WHERE identifier = $1`, identifier); err != nil {
		return fmt.Errorf("delete webhook %q: %w", identifier, err)
	}
	return nil
}

// MappingVersion implements [ingest.Store].
func (b *Objects) MappingVersion(ctx context.Context, webhook, digest string, doc []byte) (int64, error) {
	var id int64
	err := b.write.QueryRowContext(ctx, `INSERT INTO mapping_versions (webhook, digest, doc, created_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (webhook, digest) DO UPDATE SET digest = excluded.digest RETURNING id`, webhook, digest, string(doc), b.now().UnixMilli()).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("record mappings of %q: %w", webhook, err)
	}
	return id, nil
}

// TopGeneration implements [ingest.CallStore]: the highest generation among the streams of the connections whose
// namespace is the webhook's key or identifier.
func (b *Objects) TopGeneration(ctx context.Context, w ingest.Webhook) (int64, error) {
	rows, err := b.read.QueryContext(ctx, `SELECT max(s.generation), `+connectionColumns+`
		FROM stream_states s JOIN connections c ON c.id = s.connection_id GROUP BY c.id`)
	if err != nil {
		return 0, fmt.Errorf("read generations: %w", err)
	}
	defer rows.Close()
	var top int64
	for rows.Next() {
		var generation int64
		var c pipeline.Connection
		if err := scanConnection(rows, &c, &generation); err != nil {
			return 0, err
		}
		if c.Namespace() == w.Key || c.Namespace() == w.Identifier {
			top = max(top, generation)
		}
	}
	return top, rows.Err()
}
