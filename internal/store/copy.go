package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"longshore/internal/fault"
)

// Copied is what Copy did with one table.
type Copied struct {
	Table  string `json:"table"`
	Rows   int64  `json:"rows"`
	Digest string `json:"digest"` // of the rows in any order
	Mended int64  `json:"mended"` // texts in which U+FFFD stands for what PostgreSQL cannot hold
}

// table is one of a database, as its schema has it.
type table struct {
	name    string
	columns []string
	kinds   kinds
}

// seeded are the tables that have a row from the start.
var seeded = []string{"catalog_state", "history_chain"}

// Copy copies everything but the job queue from one database to another, of whatever kind, in one transaction there, and
// then holds what is there against what was read: counts and digests of every table. What follows the data there, the index
// of words, is made anew. Memory does not grow with the data. Both must have this program's schema, and the target no rows.
// Nobody may write to the source meanwhile.
func Copy(ctx context.Context, from, to *Store, progress func(table string, rows int64)) ([]Copied, error) {
	tables, err := sameTables(ctx, from, to)
	if err != nil {
		return nil, err
	}
	if err := to.mustBeEmpty(ctx, tables); err != nil {
		return nil, err
	}
	var done []Copied
	err = from.snapshot(ctx, func(source *sql.Tx) error {
		return to.InTx(ctx, func(tx *sql.Tx) error {
			for _, t := range tables {
				c := copying{from: source, to: to.Catalog().view(tx), table: t, progress: progress}
				if err := c.run(ctx); err != nil {
					return fmt.Errorf("copy table %s: %w", t.name, err)
				}
				done = append(done, c.result())
			}
			counters, err := from.engine.counters(ctx, source)
			if err != nil {
				return err
			}
			return to.engine.setCounters(ctx, tx, tables, counters)
		})
	})
	if err != nil {
		return nil, from.Explain(err)
	}
	if err := to.mustHold(ctx, tables, done); err != nil {
		return done, err
	}
	return done, to.indexCopy(ctx, progress)
}

// indexCopy takes all that was copied into the index of words: the triggers have queued it.
func (s *Store) indexCopy(ctx context.Context, progress func(table string, rows int64)) error {
	for rows := int64(0); ; {
		n, err := s.Catalog().IndexWords(ctx)
		if err != nil {
			return fmt.Errorf("the copy is whole, but not all of it is in the index of words yet: %w", err)
		}
		if n == 0 {
			return nil
		}
		rows += int64(n)
		progress("entity_words", rows)
	}
}

func (s *Store) snapshot(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := s.read.BeginTx(ctx, s.engine.view)
	if err != nil {
		return s.Explain(err)
	}
	defer tx.Rollback() // it has only read
	return fn(tx)
}

// sameTables returns the tables that both have, in the order in which they were made, and refuses differences.
func sameTables(ctx context.Context, from, to *Store) ([]table, error) {
	a, err := from.engine.tables(ctx, from.read)
	if err != nil {
		return nil, from.Explain(err)
	}
	b, err := to.engine.tables(ctx, to.read)
	if err != nil {
		return nil, to.Explain(err)
	}
	for _, side := range [][2][]table{{a, b}, {b, a}} {
		for _, t := range side[0] {
			i := slices.IndexFunc(side[1], func(o table) bool { return o.name == t.name })
			if i < 0 || !slices.Equal(sorted(side[1][i].columns), sorted(t.columns)) {
				return nil, fault.Errorf(fault.Internal, "table %s is not the same in both databases", t.name)
			}
		}
	}
	return b, nil // the target's order: its references must be there first
}

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

func (s *Store) mustBeEmpty(ctx context.Context, tables []table) error {
	for _, t := range tables {
		if slices.Contains(seeded, t.name) {
			continue
		}
		var n int
		if err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM `+t.name+` LIMIT 1) AS one`).Scan(&n); err != nil {
			return s.Explain(err)
		}
		if n > 0 {
			return fault.Errorf(fault.Conflict, "the target %s is not empty: table %s has rows", s.name, t.name).
				WithHint("copy into a new database; nothing was changed")
		}
	}
	return nil
}

// mustHold reads the copy back.
func (s *Store) mustHold(ctx context.Context, tables []table, want []Copied) error {
	return s.snapshot(ctx, func(tx *sql.Tx) error {
		for i, t := range tables {
			var sum digest
			if err := eachRow(ctx, tx, t, func(row []any) error { sum.add(t.kinds, row); return nil }); err != nil {
				return fmt.Errorf("read table %s back: %w", t.name, err)
			}
			if sum.rows != want[i].Rows || sum.String() != want[i].Digest {
				return fault.Errorf(fault.Internal, "table %s of the copy has %d rows with digest %s, the source %d with %s", t.name, sum.rows, sum.String(), want[i].Rows, want[i].Digest).
					WithHint("the copy is no good: drop it, see that nobody writes to either database, and copy again")
			}
		}
		return nil
	})
}

// copying is one table under way.
type copying struct {
	from     *sql.Tx
	to       *catalogTx
	table    table
	progress func(table string, rows int64)

	sum    digest
	mended int64
	args   []any
	size   int
}

func (c *copying) result() Copied {
	return Copied{c.table.name, c.sum.rows, c.sum.String(), c.mended}
}

func (c *copying) run(ctx context.Context) error {
	if slices.Contains(seeded, c.table.name) {
		if _, err := c.to.exec(ctx, `DELETE FROM `+c.table.name); err != nil {
			return err
		}
	}
	width := len(c.table.columns)
	err := eachRow(ctx, c.from, c.table, func(row []any) error {
		for i, v := range row {
			text, ok := v.(string)
			if ok && c.to.engine.arrays {
				if plain := plainText(text); plain != text {
					row[i] = plain
					c.mended++
				}
			}
			c.size += len(text) + 16
		}
		c.sum.add(c.table.kinds, row)
		c.args = append(c.args, row...)
		if len(c.args) < arrayRows*width && c.size < arrayBytes {
			return nil
		}
		return c.send(ctx)
	})
	if err != nil {
		return err
	}
	return c.send(ctx)
}

func (c *copying) send(ctx context.Context) error {
	err := c.to.inRows(ctx, `INSERT INTO `+c.table.name+` (`+strings.Join(c.table.columns, ", ")+`) VALUES %s`, c.table.kinds, c.args)
	c.args, c.size = c.args[:0], 0
	c.progress(c.table.name, c.sum.rows)
	return err
}

// eachRow calls fn with every row of a table: int64, string, []byte or nil for each column.
func eachRow(ctx context.Context, tx *sql.Tx, t table, fn func(row []any) error) error {
	rows, err := tx.QueryContext(ctx, `SELECT `+strings.Join(t.columns, ", ")+` FROM `+t.name)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		row, into := make([]any, len(t.columns)), make([]any, len(t.columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i := range row {
			if row[i], err = ofKind(t.kinds[i], row[i]); err != nil {
				return fmt.Errorf("column %s: %w", t.columns[i], err)
			}
		}
		if err := fn(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// ofKind makes a value of its column's kind: SQLite keeps what it was given.
func ofKind(kind byte, v any) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case int64:
		if kind == 'i' {
			return v, nil
		}
	case string:
		switch kind {
		case 't':
			return v, nil
		case 'b':
			return []byte(v), nil
		}
	case []byte:
		switch kind {
		case 't':
			return string(v), nil
		case 'b':
			return v, nil
		}
	}
	return nil, fault.Errorf(fault.Internal, "holds a %T", v)
}

// digest sums up rows whatever their order: the sum of their hashes.
type digest struct {
	rows int64
	sum  big.Int
}

func (d *digest) add(columns kinds, row []any) {
	h := sha256.New()
	var head [9]byte
	for i, v := range row {
		head = [9]byte{columns[i]}
		switch v := v.(type) {
		case nil:
			head[0] = '0'
			h.Write(head[:])
		case int64:
			binary.BigEndian.PutUint64(head[1:], uint64(v)) //nolint:gosec // its bits
			h.Write(head[:])
		case string:
			binary.BigEndian.PutUint64(head[1:], uint64(len(v)))
			h.Write(head[:])
			h.Write([]byte(v))
		case []byte:
			binary.BigEndian.PutUint64(head[1:], uint64(len(v)))
			h.Write(head[:])
			h.Write(v)
		}
	}
	d.rows++
	var one big.Int
	d.sum.Add(&d.sum, one.SetBytes(h.Sum(nil)))
}

func (d *digest) String() string {
	var low big.Int
	bytes := make([]byte, sha256.Size)
	low.And(&d.sum, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 8*sha256.Size), big.NewInt(1))).FillBytes(bytes)
	return hex.EncodeToString(bytes)
}
