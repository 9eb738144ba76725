package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"longshore/internal/auth"
	"longshore/internal/catalog"
)

// credentialKind is the kind of the documents that hold credentials.
const credentialKind = "credential"

// Clients keeps credentials. It implements [auth.Store].
type Clients struct{ documents *Documents }

// Clients returns the credentials of this database.
func (s *Store) Clients(now func() time.Time) *Clients { return &Clients{s.Documents(nil, now)} }

// Within is the credentials as part of a transaction that the caller has begun.
func (c *Clients) Within(tx *sql.Tx) *Clients { return &Clients{c.documents.Within(tx)} }

func clientKey(id string) catalog.DocumentKey {
	return catalog.DocumentKey{Kind: credentialKind, Identifier: id}
}

// Clients implements auth.Store.
func (c *Clients) Clients(ctx context.Context) ([]auth.Client, error) {
	list, err := c.documents.List(ctx, credentialKind)
	if err != nil {
		return nil, err
	}
	all := make([]auth.Client, len(list))
	for i, doc := range list {
		if all[i], err = readClient(doc); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func readClient(doc catalog.Document) (auth.Client, error) {
	var client auth.Client
	if err := json.Unmarshal(doc.Doc, &client); err != nil {
		return client, fmt.Errorf("read credential %q: %w", doc.Identifier, err)
	}
	client.ID, client.CreatedAt, client.CreatedBy = doc.Identifier, doc.CreatedAt, doc.CreatedBy
	return client, nil
}

// CreateClient implements auth.Store.
func (c *Clients) CreateClient(ctx context.Context, client auth.Client) (auth.Client, error) {
	text, err := json.Marshal(client)
	if err != nil {
		return client, err
	}
	doc := catalog.Document{DocumentKey: clientKey(client.ID), Doc: text, UpdatedBy: client.CreatedBy}
	if doc, err = c.documents.Create(ctx, doc); err != nil {
		return client, err
	}
	client.CreatedAt = doc.CreatedAt
	return client, nil
}

// UpdateClient implements auth.Store.
func (c *Clients) UpdateClient(ctx context.Context, id, actor string, fn func(*auth.Client) error) (auth.Client, error) {
	var client auth.Client
	_, err := c.documents.Update(ctx, clientKey(id), func(doc *catalog.Document) error {
		var err error
		if client, err = readClient(*doc); err != nil {
			return err
		}
		if err := fn(&client); err != nil {
			return err
		}
		if actor != "" {
			doc.UpdatedBy = actor
		}
		doc.Doc, err = json.Marshal(client)
		return err
	})
	return client, err
}
