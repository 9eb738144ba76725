package store

import (
	"context"
	"database/sql"
	"strings"

	"longshore/internal/catalog"
)

// wordsBatch is how many entities the index of words takes in one transaction.
const wordsBatch = 500

// FindWords implements catalog.View. An entity whose identifier is the text itself is among those found, indexed or not.
func (t *catalogTx) FindWords(ctx context.Context, words []string, identifier string, limit int) ([]catalog.Entity, error) {
	n, err := t.dict(ctx)
	if err != nil {
		return nil, err
	}
	q := &query{sql: t.sql, names: n}
	found := `SELECT w.id FROM (` + q.sql.wordsLike(q.text(q.sql.wordsQuery(words))) + ` LIMIT ` + q.integer(int64(limit)) + `) w`
	for _, p := range n.every().tables() {
		found += ` UNION SELECT e.id FROM ` + p.entities + ` e WHERE ` + q.identifiers([]string{identifier})
	}
	statement, args := q.finish(found)
	ids, err := t.ids(ctx, statement, args)
	if err != nil {
		return nil, err
	}
	list, err := t.Load(ctx, ids)
	if err != nil {
		return nil, err
	}
	docs := map[string]bool{}
	blueprints, err := t.Blueprints(ctx)
	for _, b := range blueprints {
		docs[b.Identifier] = catalog.InGlobalSearch(b.Doc)
	}
	kept := make([]catalog.Entity, 0, len(list))
	for _, e := range list { // one that is left out now may still be in the index
		if docs[e.Blueprint] {
			kept = append(kept, e)
		}
	}
	return kept, err
}

// IndexWords takes up to some hundreds of changed entities into the index of words, and returns how many. None means that
// all are in.
func (c *Catalog) IndexWords(ctx context.Context) (n int, err error) {
	err = c.store.InTx(ctx, func(tx *sql.Tx) error {
		n, err = c.view(tx).indexWords(ctx)
		return err
	})
	return n, err
}

func (t *catalogTx) indexWords(ctx context.Context) (int, error) {
	var ids []int64
	err := t.each(ctx, `SELECT entity_id FROM words_queue ORDER BY entity_id LIMIT $1`, []any{wordsBatch}, func(r *sql.Rows) error {
		var id int64
		err := r.Scan(&id)
		ids = append(ids, id)
		return err
	})
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	searched := map[string]bool{}
	blueprints, err := t.Blueprints(ctx)
	if err != nil {
		return 0, err
	}
	for _, b := range blueprints {
		searched[b.Identifier] = catalog.InGlobalSearch(b.Doc)
	}
	entities, err := t.Load(ctx, ids)
	if err != nil {
		return 0, err
	}
	var rows []any
	for _, id := range ids {
		if e, ok := entities[id]; ok && searched[e.Blueprint] {
			rows = append(rows, id, t.sql.wordsText(catalog.WordsOf(e)))
		}
	}
	last := ids[len(ids)-1]
	if err := t.forgetWords(ctx, ids); err != nil {
		return 0, err
	}
	if err := t.inRows(ctx, t.sql.putWords, "it", rows); err != nil {
		return 0, err
	}
	_, err = t.exec(ctx, `DELETE FROM words_queue WHERE entity_id <= $1`, last)
	return len(ids), err
}

// forgetWords takes entities out of the index.
func (t *catalogTx) forgetWords(ctx context.Context, ids []int64) error {
	for len(ids) > 0 {
		n := min(len(ids), chunkKeys)
		args := make([]any, 0, n)
		for _, id := range ids[:n] {
			args = append(args, id)
		}
		if _, err := t.exec(ctx, `DELETE FROM entity_words WHERE `+t.sql.wordsID+` IN `+list(1, n), args...); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}

// quotedWords joins words for a full-text query: each in quotes, made a prefix, all of them wanted. Words hold letters,
// digits and marks alone, never a quote.
func quotedWords(words []string, quote, prefix, and string) string {
	parts := make([]string, len(words))
	for i, w := range words {
		parts[i] = quote + w + quote + prefix
	}
	return strings.Join(parts, and)
}
