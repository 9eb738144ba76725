package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"longshore/internal/fault"
)

// pageKind is the kind of the documents that pages are.
const pageKind = "page"

// Page is the record of a page that lists a blueprint's entities. There is no more to it: the screens need none.
type Page struct {
	Identifier string
	Title      string
	Icon       string
	Blueprint  string
	CreatedAt  time.Time
	CreatedBy  string
	UpdatedAt  time.Time
	UpdatedBy  string
}

// pageDocument is what of a page is stored.
type pageDocument struct {
	Title     string `json:"title"`
	Icon      string `json:"icon"`
	Blueprint string `json:"blueprint"`
}

// pageID is the identifier of a blueprint's page: its plural.
func pageID(blueprint string) string {
	if strings.HasSuffix(blueprint, "s") {
		return blueprint
	}
	return blueprint + "s"
}

func pageOf(doc Document) (Page, error) {
	var d pageDocument
	if err := json.Unmarshal(doc.Doc, &d); err != nil {
		return Page{}, fmt.Errorf("read page %q: %w", doc.Identifier, err)
	}
	return Page{doc.Identifier, d.Title, d.Icon, d.Blueprint, doc.CreatedAt, doc.CreatedBy, doc.UpdatedAt, doc.UpdatedBy}, nil
}

// Pages returns the records of all pages, ordered by identifier.
func (c *Catalog) Pages(ctx context.Context) (list []Page, err error) {
	err = c.store.InView(ctx, func(v View) error {
		docs, err := v.Documents(ctx, pageKind, "")
		for _, doc := range docs {
			p, err := pageOf(doc)
			if err != nil {
				return err
			}
			list = append(list, p)
		}
		return err
	})
	return list, err
}

// Page returns the record of one page, or fault.NotFound.
func (c *Catalog) Page(ctx context.Context, id string) (p Page, err error) {
	err = c.store.InView(ctx, func(v View) error {
		doc, err := v.Document(ctx, DocumentKey{Kind: pageKind, Identifier: id})
		if fault.Is(err, fault.NotFound) {
			return missing("Page", id)
		}
		if err == nil {
			p, err = pageOf(doc)
		}
		return err
	})
	return p, err
}

// putPage makes a blueprint's page. One of that name that is there already stays.
func putPage(ctx context.Context, tx Tx, b Blueprint) error {
	key := DocumentKey{Kind: pageKind, Identifier: pageID(b.Identifier)}
	if _, err := tx.Document(ctx, key); !fault.Is(err, fault.NotFound) {
		return err
	}
	text, err := json.Marshal(pageDocument{b.Title, b.Icon, b.Identifier})
	if err != nil {
		return err
	}
	return tx.PutDocument(ctx, Document{
		DocumentKey: key, Doc: text, CreatedAt: b.CreatedAt, CreatedBy: b.CreatedBy, UpdatedAt: b.CreatedAt, UpdatedBy: b.CreatedBy,
	})
}

// pagesOf calls fn with each page that lists a blueprint's entities.
func pagesOf(ctx context.Context, tx Tx, blueprint string, fn func(Document, pageDocument) error) error {
	docs, err := tx.Documents(ctx, pageKind, "")
	if err != nil {
		return err
	}
	for _, doc := range docs {
		var d pageDocument
		if json.Unmarshal(doc.Doc, &d) != nil || d.Blueprint != blueprint {
			continue
		}
		if err := fn(doc, d); err != nil {
			return err
		}
	}
	return nil
}

// movePages makes pages follow a blueprint. Their own identifiers stay: addresses of pages are kept.
func movePages(ctx context.Context, tx Tx, from, to string) error {
	return pagesOf(ctx, tx, from, func(doc Document, d pageDocument) error {
		d.Blueprint = to
		text, err := json.Marshal(d)
		if err != nil {
			return err
		}
		doc.Doc = text
		return tx.PutDocument(ctx, doc)
	})
}

func dropPages(ctx context.Context, tx Tx, blueprint string) error {
	return pagesOf(ctx, tx, blueprint, func(doc Document, _ pageDocument) error { return tx.DeleteDocument(ctx, doc.DocumentKey) })
}
