package store

import (
	"context"
	"database/sql"
	"database/sql/driver"

	sqlitedriver "modernc.org/sqlite"

	"longshore/internal/catalog"
)

// openSQLite opens a pool of connections that know what the search dialect calls: longshore_number, a JSON number as
// search reads it, and longshore_millis, a date-time as search reads it. SQLite's own reading of either differs from
// PostgreSQL's and Go's. No index and no table uses them, so that other programs can open the file.
func openSQLite(dsn string) (*sql.DB, error) {
	d := &sqlitedriver.Driver{}
	for name, fn := range map[string]func(text string) driver.Value{
		"longshore_number": func(text string) driver.Value { return catalog.Number(text) },
		"longshore_millis": func(text string) driver.Value {
			if ms, ok := catalog.Instant(text); ok {
				return ms
			}
			return nil
		},
	} {
		err := d.RegisterDeterministicScalarFunction(name, 1, func(_ *sqlitedriver.FunctionContext, args []driver.Value) (driver.Value, error) {
			if text, ok := args[0].(string); ok {
				return fn(text), nil
			}
			return nil, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return sql.OpenDB(connector{dsn, d}), nil
}

// connector opens connections of one driver, not of the one that is registered by name.
type connector struct {
	dsn    string
	driver *sqlitedriver.Driver
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }

func (c connector) Driver() driver.Driver { return c.driver }
