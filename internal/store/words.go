package store

import (
	"context"
	"database/sql"
	"slices"
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
	ids, err := t.wordsFound(ctx, words, limit)
	if err != nil {
		return nil, err
	}
	q := &query{sql: t.sql, names: n}
	var named []string
	for _, p := range n.every().tables() {
		named = append(named, `SELECT e.id FROM `+p.entities+` e WHERE `+q.identifiers([]string{identifier}))
	}
	statement, args := q.finish(strings.Join(named, " UNION ALL "))
	same, err := t.ids(ctx, statement, args)
	if err != nil {
		return nil, err
	}
	for _, id := range same {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
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

// wordsFound returns the ids of up to limit entities that have all words but the last, and a word that begins like the last;
// where there are none, that have words which begin like each.
func (t *catalogTx) wordsFound(ctx context.Context, words []string, limit int) ([]int64, error) {
	ends := make([][]string, len(words)) // what each word may be; nil: whatever begins so
	last := len(words) - 1
	for i, w := range words[:last] {
		ends[i] = []string{w}
	}
	ids, err := t.wordsLike(ctx, words, ends, last, limit)
	if err != nil || len(ids) > 0 || last == 0 {
		return ids, err
	}
	return t.wordsLike(ctx, words, ends, 0, limit)
}

const (
	// maxEnds is how many of the words that begin alike are looked for, first in the order of the alphabet, where they find
	// enough: SQLite would gather all entities of all of them before it gives the first.
	maxEnds = 250
	// enoughFound is as many entities as a search hands out.
	enoughFound = 100
)

// wordsLike looks for words: those from the one at first on are beginnings.
func (t *catalogTx) wordsLike(ctx context.Context, words []string, ends [][]string, first, limit int) ([]int64, error) {
	all := true // that begin so are tried
	for i := first; i < len(words); i++ {
		ends[i] = nil
		if t.sql.wordsFrom == "" {
			continue
		}
		end, ok := prefixEnd(words[i])
		if !ok {
			continue
		}
		err := t.each(ctx, t.sql.wordsFrom, []any{words[i], end, maxEnds + 1}, func(r *sql.Rows) error {
			var w string
			err := r.Scan(&w)
			ends[i] = append(ends[i], w)
			return err
		})
		if err != nil {
			return nil, err
		}
		if len(ends[i]) == 0 {
			return nil, nil
		}
		if len(ends[i]) > maxEnds {
			ends[i], all = ends[i][:maxEnds], false
		}
	}
	found, err := t.ids(ctx, t.sql.wordsLike("$1")+` LIMIT $2`, []any{t.sql.wordsQuery(words, ends), limit})
	if err != nil || all || len(found) >= enoughFound {
		return found, err
	}
	for i := first; i < len(words); i++ {
		if len(ends[i]) == maxEnds {
			ends[i] = nil
		}
	}
	return t.ids(ctx, t.sql.wordsLike("$1")+` LIMIT $2`, []any{t.sql.wordsQuery(words, ends), limit})
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

// quotedWords joins words for a full-text query: each in quotes, all of them wanted; made a prefix, or one of its ends. Words
// hold letters, digits and marks alone, never a quote.
func quotedWords(words []string, ends [][]string, quote, prefix, and, or string) string {
	parts := make([]string, len(words))
	for i, w := range words {
		parts[i] = quote + w + quote + prefix
		if len(ends[i]) > 0 {
			parts[i] = "(" + quote + strings.Join(ends[i], quote+or+quote) + quote + ")"
		}
	}
	return strings.Join(parts, and)
}
