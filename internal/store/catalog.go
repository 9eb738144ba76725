package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// Catalog returns the catalog's Store over this database.
func (s *Store) Catalog() *Catalog {
	return &Catalog{store: s, uses: newUses(), texts: &textCache{writers: map[int64]writer{}, keys: map[int64]string{}}}
}

// Catalog keeps the catalog. It implements [catalog.Store].
type Catalog struct {
	store *Store
	names atomic.Pointer[names]
	texts *textCache
	uses  *uses
}

// InTx implements catalog.Store.
func (c *Catalog) InTx(ctx context.Context, fn func(catalog.Tx) error) error {
	return c.store.InTx(ctx, func(tx *sql.Tx) error { return fn(c.Tx(tx)) })
}

// Tx is the catalog within a transaction that the caller has begun: what it writes stands and falls with that.
func (c *Catalog) Tx(tx *sql.Tx) catalog.Tx { return c.view(tx) }

// InView implements catalog.Store.
func (c *Catalog) InView(ctx context.Context, fn func(catalog.View) error) error {
	tx, err := c.store.read.BeginTx(ctx, c.store.engine.view)
	if err != nil {
		return fmt.Errorf("begin reading: %w", c.store.Explain(err))
	}
	defer tx.Rollback() // it has only read
	return c.store.Explain(fn(c.view(tx)))
}

func (c *Catalog) view(tx *sql.Tx) *catalogTx {
	return &catalogTx{Catalog: c, tx: tx, engine: c.store.engine, sql: c.store.engine.dialect, statements: map[string]*sql.Stmt{}}
}

// catalogTx is the catalog in one transaction.
type catalogTx struct {
	*Catalog
	tx         *sql.Tx
	engine     *engine
	sql        *dialect
	statements map[string]*sql.Stmt // prepared; the transaction's end closes them
	known      *names               // as of this transaction, nil when not read
	searches   bool                 // beforeSearch was said
}

// names maps interned names to their ids and back, as of one token.
type names struct {
	token      int64
	blueprints map[string]int64
	blueprint  map[int64]string
	relations  map[relationName]int64
	relation   map[int64]relationName
	apart      map[int64]int64 // how the blueprints live that do not live with the others
}

type relationName struct{ blueprint, name string }

// chunkKeys is how many keys a look-up takes.
const chunkKeys = 256

func (t *catalogTx) run(ctx context.Context, query string, args []any) (sql.Result, error) {
	if !t.engine.prepares {
		query, args = t.sql.placeholders(query, args)
		return t.tx.ExecContext(ctx, query, args...)
	}
	s, err := t.prepare(ctx, query) //nolint:sqlclosecheck // the transaction's end closes it
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

func (t *catalogTx) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	if !t.engine.prepares {
		query, args = t.sql.placeholders(query, args)
		return t.tx.QueryContext(ctx, query, args...)
	}
	s, err := t.prepare(ctx, query) //nolint:sqlclosecheck // the transaction's end closes it
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// prepare returns the statement, prepared once a transaction.
func (t *catalogTx) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if s := t.statements[query]; s != nil {
		return s, nil
	}
	text, _ := t.sql.placeholders(query, nil)
	s, err := t.tx.PrepareContext(ctx, text)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", short(query), err)
	}
	t.statements[query] = s
	return s, nil
}

func (t *catalogTx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := t.run(ctx, query, args)
	if err != nil {
		return 0, fmt.Errorf("run %q: %w", short(query), err)
	}
	return r.RowsAffected()
}

// each runs a query and calls scan for each row.
func (t *catalogTx) each(ctx context.Context, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := t.query(ctx, query, args)
	if err != nil {
		return fmt.Errorf("run %q: %w", short(query), err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("scan %q: %w", short(query), err)
		}
	}
	return rows.Err()
}

// row reads the one row of a query.
func (t *catalogTx) row(ctx context.Context, query string, args []any, into ...any) error {
	found := false
	err := t.each(ctx, query, args, func(r *sql.Rows) error {
		found = true
		return r.Scan(into...)
	})
	if err == nil && !found {
		return sql.ErrNoRows
	}
	return err
}

// any reports whether a query has a row.
func (t *catalogTx) any(ctx context.Context, query string) (bool, error) {
	found := false
	err := t.each(ctx, query, nil, func(*sql.Rows) error { found = true; return nil })
	return found, err
}

func short(query string) string {
	const maxChars = 100
	query = strings.Join(strings.Fields(query), " ")
	return query[:min(len(query), maxChars)]
}

// list writes n placeholders from first on: ($2,$3,$4).
func list(first, n int) string {
	var b strings.Builder
	b.WriteByte('(')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(first + i))
	}
	b.WriteByte(')')
	return b.String()
}

// Token implements catalog.View.
func (t *catalogTx) Token(ctx context.Context) (int64, error) {
	var token int64
	err := t.tx.QueryRowContext(ctx, `SELECT token FROM catalog_state WHERE id = 1`).Scan(&token)
	if err != nil {
		return 0, fmt.Errorf("read the catalog's token: %w", err)
	}
	return token, nil
}

// renew gives the catalog another token: what was cached under the old one is out of date. It is drawn at random, so
// that one from a transaction that was rolled back never comes again.
func (t *catalogTx) renew(ctx context.Context) error {
	var b [8]byte
	_, _ = rand.Read(b[:])
	t.known = nil
	_, err := t.exec(ctx, `UPDATE catalog_state SET token = $1 WHERE id = 1`, int64(binary.LittleEndian.Uint64(b[:])>>1))
	return err
}

// dict returns the interned names.
func (t *catalogTx) dict(ctx context.Context) (*names, error) {
	if t.known != nil {
		return t.known, nil
	}
	token, err := t.Token(ctx)
	if err != nil {
		return nil, err
	}
	if n := t.Catalog.names.Load(); n != nil && n.token == token {
		t.known = n
		return n, nil
	}
	n := &names{token: token, blueprints: map[string]int64{}, blueprint: map[int64]string{}, relations: map[relationName]int64{}, relation: map[int64]relationName{}, apart: map[int64]int64{}}
	err = t.each(ctx, `SELECT id, name FROM blueprint_names`, nil, func(r *sql.Rows) error {
		var id int64
		var name string
		err := r.Scan(&id, &name)
		n.blueprints[name], n.blueprint[id] = id, name
		return err
	})
	if err != nil {
		return nil, err
	}
	err = t.each(ctx, `SELECT id, blueprint_id, name FROM relation_names`, nil, func(r *sql.Rows) error {
		var id, blueprint int64
		var name string
		err := r.Scan(&id, &blueprint, &name)
		rel := relationName{n.blueprint[blueprint], name}
		n.relations[rel], n.relation[id] = id, rel
		return err
	})
	if err != nil {
		return nil, err
	}
	err = t.each(ctx, `SELECT id, apart FROM blueprints WHERE apart <> 0`, nil, func(r *sql.Rows) error {
		var id, lives int64
		err := r.Scan(&id, &lives)
		n.apart[id] = lives
		return err
	})
	if err != nil {
		return nil, err
	}
	t.known = n
	t.Catalog.names.Store(n)
	return n, nil
}

// blueprintID returns the id of a blueprint's name.
func (t *catalogTx) blueprintID(ctx context.Context, name string) (int64, error) {
	n, err := t.dict(ctx)
	if err != nil {
		return 0, err
	}
	id, ok := n.blueprints[name]
	if !ok {
		return 0, fault.Errorf(fault.NotFound, "blueprint %q is not known", name)
	}
	return id, nil
}

func (t *catalogTx) relationID(ctx context.Context, blueprint, relation string) (int64, error) {
	n, err := t.dict(ctx)
	if err != nil {
		return 0, err
	}
	id, ok := n.relations[relationName{blueprint, relation}]
	if !ok {
		return 0, fault.Errorf(fault.NotFound, "relation %q of blueprint %q is not known", relation, blueprint)
	}
	return id, nil
}

// writer is the part of a Stamp that many entities share.
type writer struct {
	Lane   catalog.Lane `json:"lane"`
	Stream string       `json:"stream"`
	Fields []string     `json:"fields"`
}

// textCache knows interned texts by id. An id is a hash of its text, so an entry is never wrong.
type textCache struct {
	sync.Mutex
	writers map[int64]writer
	keys    map[int64]string
}

// maxCachedTexts bounds each half of the cache; when full it starts anew.
const maxCachedTexts = 20_000

func millis(t time.Time) int64 { return t.UnixMilli() }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func nullable(raw []byte) any {
	if len(raw) == 0 {
		return nil
	}
	return string(raw)
}

// Blueprints implements catalog.View.
func (t *catalogTx) Blueprints(ctx context.Context) (out []catalog.Blueprint, err error) {
	err = t.each(ctx, `SELECT n.name, b.doc, b.created_at, b.created_by, b.updated_at, b.updated_by, d.doc
		FROM blueprints b JOIN blueprint_names n ON n.id = b.id
		LEFT JOIN documents d ON d.kind = '`+catalog.KindPermissions+`' AND d.blueprint = n.name AND d.identifier = 'entities' ORDER BY n.name`, nil, func(r *sql.Rows) error {
		var b catalog.Blueprint
		var doc string
		var permissions sql.NullString
		var created, updated int64
		err := r.Scan(&b.Identifier, &doc, &created, &b.CreatedBy, &updated, &b.UpdatedBy, &permissions)
		if permissions.Valid {
			b.Permissions = json.RawMessage(permissions.String)
		}
		b.Doc, b.CreatedAt, b.UpdatedAt = json.RawMessage(doc), fromMillis(created), fromMillis(updated)
		out = append(out, b)
		return err
	})
	return out, err
}

// Counts implements catalog.View.
func (t *catalogTx) Counts(ctx context.Context) (map[string]int64, error) {
	counts := map[string]int64{}
	err := t.each(ctx, `SELECT n.name, b.entities FROM blueprints b JOIN blueprint_names n ON n.id = b.id`, nil, func(r *sql.Rows) error {
		var name string
		var count int64
		err := r.Scan(&name, &count)
		counts[name] = count
		return err
	})
	return counts, err
}

// PutBlueprint implements catalog.Tx.
func (t *catalogTx) PutBlueprint(ctx context.Context, b catalog.Blueprint) error {
	intern := map[string]bool{b.Identifier: true}
	for _, r := range b.Relations {
		intern[r.Target] = true
	}
	for name := range intern {
		if _, err := t.exec(ctx, `INSERT INTO blueprint_names (name) VALUES ($1) ON CONFLICT (name) DO NOTHING`, name); err != nil {
			return err
		}
	}
	if err := t.renew(ctx); err != nil {
		return err
	}
	id, err := t.blueprintID(ctx, b.Identifier)
	if err != nil {
		return err
	}
	for _, r := range b.Relations {
		if _, err := t.exec(ctx, `INSERT INTO relation_names (blueprint_id, name) VALUES ($1, $2) ON CONFLICT (blueprint_id, name) DO NOTHING`, id, r.Name); err != nil {
			return err
		}
	}
	t.known = nil
	lives, err := t.livesAs(ctx, id, b)
	if err != nil {
		return err
	}
	worded := 0
	if catalog.InGlobalSearch(b.Doc) {
		worded = 1
	}
	_, err = t.exec(ctx, `INSERT INTO blueprints (id, doc, created_at, created_by, updated_at, updated_by, apart, worded) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (id) DO UPDATE SET doc = excluded.doc, updated_at = excluded.updated_at, updated_by = excluded.updated_by,
		apart = excluded.apart, worded = excluded.worded`,
		id, string(b.Doc), millis(b.CreatedAt), b.CreatedBy, millis(b.UpdatedAt), b.UpdatedBy, lives, worded)
	if err != nil {
		return err
	}
	if err := t.renew(ctx); err != nil || lives != movesApart && lives != movesHere {
		return err
	}
	_, err = t.moveSome(ctx, id) // a few are moved at once
	return err
}

// RenameBlueprint implements catalog.Tx. Relations that wait for a blueprint of the new name find this one.
func (t *catalogTx) RenameBlueprint(ctx context.Context, from, to string) error {
	id, err := t.blueprintID(ctx, from)
	if err != nil {
		return err
	}
	other, err := t.blueprintID(ctx, to)
	if err == nil {
		n, err := t.dict(ctx)
		if err != nil {
			return err
		}
		for _, p := range n.every().tables() {
			for _, table := range []string{p.relations, p.pending} {
				if _, err := t.exec(ctx, `UPDATE `+table+` SET target_blueprint_id = $1 WHERE target_blueprint_id = $2`, id, other); err != nil {
					return err
				}
			}
		}
		if _, err := t.exec(ctx, `DELETE FROM blueprint_names WHERE id = $1`, other); err != nil {
			return err
		}
		for _, p := range n.every().tables() {
			_, err = t.exec(ctx, `DELETE FROM `+p.pending+` WHERE target_blueprint_id = $1 AND EXISTS (SELECT 1 FROM `+n.of(id).entities+` e
				WHERE e.blueprint_id = $1 AND e.identifier = `+p.pending+`.target_identifier)`, id)
			if err != nil {
				return err
			}
		}
	} else if !fault.Is(err, fault.NotFound) {
		return err
	}
	if _, err := t.exec(ctx, `UPDATE blueprint_names SET name = $1 WHERE id = $2`, to, id); err != nil {
		return err
	}
	if _, err := t.exec(ctx, `UPDATE documents SET blueprint = $1 WHERE blueprint = $2`, to, from); err != nil {
		return err
	}
	if err := t.renamedInHistory(ctx, name{blueprint: to}, name{blueprint: from}); err != nil {
		return err
	}
	if err := t.renameInWebhooks(ctx, from, to); err != nil {
		return err
	}
	return t.renew(ctx)
}

// DeleteBlueprint implements catalog.Tx. Names stay interned: relations may name the blueprint still.
func (t *catalogTx) DeleteBlueprint(ctx context.Context, id string) error {
	number, err := t.blueprintID(ctx, id)
	if err != nil {
		return err
	}
	for _, q := range []string{`DELETE FROM blueprints WHERE id = $1`, `DELETE FROM tombstones WHERE blueprint_id = $1`} {
		if _, err := t.exec(ctx, q, number); err != nil {
			return err
		}
	}
	if _, err := t.exec(ctx, `DELETE FROM documents WHERE blueprint = $1`, id); err != nil {
		return err
	}
	if err := t.renamedInHistory(ctx, name{}, name{blueprint: id}); err != nil { // a name of nobody
		return err
	}
	return t.renew(ctx)
}

// DeleteEntities implements catalog.Tx.
func (t *catalogTx) DeleteEntities(ctx context.Context, blueprint string) (int64, error) {
	id, err := t.blueprintID(ctx, blueprint)
	if err != nil {
		return 0, err
	}
	n, err := t.dict(ctx)
	if err != nil {
		return 0, err
	}
	var queries []string
	for _, p := range n.of(id).tables() {
		mine := `(SELECT id FROM ` + p.entities + ` WHERE blueprint_id = $1)`
		queries = append(queries, `DELETE FROM `+p.pending+` WHERE entity_id IN `+mine, `DELETE FROM `+p.relations+` WHERE entity_id IN `+mine,
			`DELETE FROM `+p.heads+` WHERE entity_id IN `+mine)
	}
	for _, p := range n.every().tables() {
		queries = append(queries, `INSERT INTO `+p.pending+` SELECT target_blueprint_id, target_identifier, relation_id, entity_id FROM `+p.relations+`
			WHERE target_blueprint_id = $1 ON CONFLICT DO NOTHING`)
	}
	queries = append(queries, `DELETE FROM tombstones WHERE blueprint_id = $1`, `UPDATE blueprints SET entities = 0 WHERE id = $1`)
	for _, q := range queries {
		if _, err := t.exec(ctx, q, id); err != nil {
			return 0, err
		}
	}
	var gone int64
	for _, p := range n.of(id).tables() {
		count, err := t.exec(ctx, `DELETE FROM `+p.entities+` WHERE blueprint_id = $1`, id)
		if err != nil {
			return 0, err
		}
		gone += count
	}
	return gone, nil
}
