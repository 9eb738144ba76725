package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"longshore/internal/fault"
)

// What Copy asks of each database's own tables about its schema. The tables of the job queue and of the migrations are
// none of ours, and the index of words (entity_words, on SQLite with tables of its own below it, and words_queue) and those
// of properties (property_indexes, property_values) are each database's own: they are made anew of what was copied.

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// kindOf tells a column's kind by its declared type.
func kindOf(declared string) (byte, error) {
	switch strings.ToLower(declared) {
	case "integer", "bigint":
		return 'i', nil
	case "text":
		return 't', nil
	case "blob", "bytea":
		return 'b', nil
	}
	return 0, fault.Errorf(fault.Internal, "nobody copies columns of type %q", declared)
}

// tablesOf reads rows of table, column and type, a table's together.
func tablesOf(ctx context.Context, q querier, query string) ([]table, error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	defer rows.Close()
	var all []table
	for rows.Next() {
		var name, column, declared string
		if err := rows.Scan(&name, &column, &declared); err != nil {
			return nil, err
		}
		kind, err := kindOf(declared)
		if err != nil {
			return nil, fmt.Errorf("table %s, column %s: %w", name, column, err)
		}
		if len(all) == 0 || all[len(all)-1].name != name {
			all = append(all, table{name: name})
		}
		t := &all[len(all)-1]
		t.columns, t.kinds = append(t.columns, column), t.kinds+kinds(kind)
	}
	return all, rows.Err()
}

func sqliteTables(ctx context.Context, q querier) ([]table, error) {
	return tablesOf(ctx, q, `SELECT m.name, c.name, c.type FROM sqlite_master m JOIN pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' AND m.name NOT LIKE 'river\_%' ESCAPE '\' AND m.name <> 'goose_db_version'
			AND m.name NOT LIKE 'entity\_words%' ESCAPE '\' AND m.name NOT IN ('words_queue', 'entity_terms', 'property_indexes', 'property_values')
		ORDER BY m.rowid, c.cid`)
}

func postgresTables(ctx context.Context, q querier) ([]table, error) {
	return tablesOf(ctx, q, `SELECT t.relname, c.attname, format_type(c.atttypid, NULL) FROM pg_class t
		JOIN pg_attribute c ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped
		WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'p') AND NOT t.relispartition
			AND t.relname NOT LIKE 'river\_%' AND t.relname <> 'goose_db_version'
			AND t.relname NOT LIKE 'entity\_words%' AND t.relname <> 'words_queue' ORDER BY t.oid, c.attnum`)
}

// sqliteCounters are the counters of tables that never give an id twice. The others go on after their highest.
func sqliteCounters(ctx context.Context, q querier) (map[string]int64, error) {
	return counters(ctx, q, `SELECT name, seq FROM sqlite_sequence WHERE name <> 'goose_db_version'`)
}

func postgresCounters(ctx context.Context, q querier) (map[string]int64, error) {
	return counters(ctx, q, `SELECT t.relname, s.last_value FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid AND c.attidentity <> ''
		JOIN pg_sequences s ON quote_ident(s.schemaname) || '.' || quote_ident(s.sequencename) = pg_get_serial_sequence(quote_ident(t.relname), c.attname)
		WHERE t.relnamespace = current_schema()::regnamespace AND s.last_value IS NOT NULL AND t.relname NOT LIKE 'river\_%' AND t.relname <> 'goose_db_version'`)
}

func counters(ctx context.Context, q querier, query string) (map[string]int64, error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("read the counters: %w", err)
	}
	defer rows.Close()
	all := map[string]int64{}
	for rows.Next() {
		var name string
		var at int64
		if err := rows.Scan(&name, &at); err != nil {
			return nil, err
		}
		all[name] = at
	}
	return all, rows.Err()
}

func setSQLiteCounters(ctx context.Context, tx *sql.Tx, _ []table, counters map[string]int64) error {
	for name, at := range counters {
		var declared string
		err := tx.QueryRowContext(ctx, `SELECT sql FROM sqlite_master WHERE type = 'table' AND name = $1`, name).Scan(&declared)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if !strings.Contains(declared, "AUTOINCREMENT") {
			continue
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM sqlite_sequence WHERE name = $1`, name); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)`, name, at); err != nil {
			return err
		}
	}
	return nil
}

func setPostgresCounters(ctx context.Context, tx *sql.Tx, tables []table, counters map[string]int64) error {
	for _, t := range tables {
		if !slices.Contains(t.columns, "id") {
			continue
		}
		_, err := tx.ExecContext(ctx, `SELECT setval(s.name, greatest(s.top, $2)) FROM
			(SELECT pg_get_serial_sequence($1, 'id') AS name, (SELECT coalesce(max(id), 0) FROM `+t.name+`) AS top) s WHERE s.name IS NOT NULL AND greatest(s.top, $2) > 0`,
			t.name, counters[t.name])
		if err != nil {
			return fmt.Errorf("set the counter of %s: %w", t.name, err)
		}
	}
	return nil
}
