package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/pressly/goose/v3"

	"longshore/internal/fault"
)

//go:embed migrations/sqlite/*.sql migrations/postgres/*.sql
var migrations embed.FS

// Store is the database. It is safe for concurrent use.
type Store struct {
	write  *sql.DB // SQLite: one connection, for it has one writer
	read   *sql.DB
	name   string // for messages: a path, or where the server is; never a password
	engine *engine
	turn   chan struct{} // PostgreSQL: one transaction of this process at a time asks for the writers' lock
	listen *pgxpool.Pool // PostgreSQL: of connections that wait for notifications
}

// engine is what differs between the databases outside the SQL of searches.
type engine struct {
	name       string // as people know it
	dialect    *dialect
	goose      goose.Dialect
	migrations string         // folder
	view       *sql.TxOptions // of a transaction that reads one state
	prepares   bool           // statements are worth preparing in each transaction: the driver keeps none
	arrays     bool           // many rows travel as one array a column
	lock       string         // statement that makes a transaction the only one that writes; "" where it is that anyway
	lockOpenly string         // the same, for a transaction that may idle for long
	moveSyncs  string         // statement that moves the counter of run ids on to $1
	firstGap   string         // expression: the first element of w.gaps
	explain    func(s *Store, err error) error

	// For Copy.
	tables      func(ctx context.Context, q querier) ([]table, error)
	counters    func(ctx context.Context, q querier) (map[string]int64, error)
	setCounters func(ctx context.Context, tx *sql.Tx, tables []table, counters map[string]int64) error
}

// Open opens the database and brings its schema up to this program's version. where is the path of a SQLite file, made
// when there is none, or the URL of a PostgreSQL database (postgres:// or postgresql://), which must be there.
// Errors: fault.Invalid when the database was written by a newer program, is none, or its server is too old;
// fault.Denied when the folder cannot be written or the server refuses the user; fault.NotFound when the server has no
// such database; fault.Unavailable when it does not answer.
func Open(ctx context.Context, where string) (*Store, error) {
	s, err := connect(ctx, where, true)
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.seed(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// OpenBare is Open for the target of Copy: a new database gets the schema and nothing else.
func OpenBare(ctx context.Context, where string) (*Store, error) {
	s, err := connect(ctx, where, true)
	if err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Attach opens the database beside the process that works on it, and leaves its schema alone.
// Errors: those of Open; fault.Invalid when the schema is not this program's.
func Attach(ctx context.Context, where string) (*Store, error) {
	s, err := connect(ctx, where, false)
	if err != nil {
		return nil, err
	}
	if err := s.checkSchema(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// IsURL tells the URL of a PostgreSQL database from the path of a SQLite file.
func IsURL(where string) bool {
	return strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://")
}

func connect(ctx context.Context, where string, create bool) (*Store, error) {
	if IsURL(where) {
		return connectPostgres(ctx, where)
	}
	return connectSQLite(where, create)
}

// migrate brings the schema up to date. Of several processes that start at once, one does it.
func (s *Store) migrate(ctx context.Context) error {
	return s.alone(ctx, func() error {
		p, current, target, err := s.versions(ctx)
		if err != nil || current == target {
			return err
		}
		if _, err := p.Up(ctx); err != nil {
			return s.Explain(fmt.Errorf("bring the schema of %s from %d to %d: %w", s.name, current, target, err))
		}
		return nil
	})
}

// alone runs fn while no other process does so on this database.
func (s *Store) alone(ctx context.Context, fn func() error) error {
	if s.engine.lock == "" {
		return fn()
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return s.Explain(err)
	}
	defer tx.Rollback() // it only holds the lock
	if _, err := tx.ExecContext(ctx, s.engine.lockOpenly); err != nil {
		return s.Explain(err)
	}
	return fn()
}

// checkSchema demands that the schema is up to date.
func (s *Store) checkSchema(ctx context.Context) error {
	_, current, target, err := s.versions(ctx)
	if err != nil {
		return err
	}
	if current == 0 {
		return fault.Errorf(fault.NotFound, "%s holds no Longshore catalog", s.name)
	}
	if current < target {
		return fault.Errorf(fault.Invalid, "the data in %s is being worked on by an older Longshore (schema %d, this program's is %d)", s.name, current, target).
			WithCode(OlderSchema, nil).WithHint("stop the older one first, or use its program")
	}
	return nil
}

// versions tells the schema's version and this program's, and refuses a newer one.
func (s *Store) versions(ctx context.Context) (p *goose.Provider, current, target int64, err error) {
	dir, err := fs.Sub(migrations, s.engine.migrations)
	if err != nil {
		return nil, 0, 0, err
	}
	if p, err = goose.NewProvider(s.engine.goose, s.write, dir); err != nil {
		return nil, 0, 0, fmt.Errorf("read migrations: %w", err)
	}
	if current, target, err = p.GetVersions(ctx); err != nil {
		if told := s.Explain(err); fault.KindOf(told) != fault.Internal {
			return nil, 0, 0, told
		}
		return nil, 0, 0, fault.Errorf(fault.Invalid, "read the schema version of %s: %w", s.name, err).
			WithHint("is this a Longshore database? Choose another --data folder, or restore a backup")
	}
	if current > target {
		return nil, 0, 0, fault.Errorf(fault.Invalid, "the data in %s was written by a newer Longshore (schema %d, this program knows %d)", s.name, current, target).
			WithHint("run that newer version, or choose another --data folder")
	}
	return p, current, target, nil
}

// Close closes the database.
func (s *Store) Close() error {
	if s.listen != nil {
		s.listen.Close()
	}
	if s.read == s.write {
		return s.write.Close()
	}
	return errors.Join(s.write.Close(), s.read.Close())
}

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.read.PingContext(ctx); err != nil {
		return fault.Errorf(fault.Unavailable, "the database does not answer: %w", err)
	}
	return nil
}

// Probe writes to the database without leaving anything there. It returns the server's name and version, "" for an
// embedded database, and how long the write took.
func (s *Store) Probe(ctx context.Context) (server string, took time.Duration, err error) {
	if s.engine.lock != "" {
		if err := s.read.QueryRowContext(ctx, `SELECT 'PostgreSQL ' || current_setting('server_version')`).Scan(&server); err != nil {
			return "", 0, s.Explain(err)
		}
	}
	begun := time.Now()
	err = s.InTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO settings (name, value) VALUES ('probe', '') ON CONFLICT (name) DO NOTHING`)
		if err == nil {
			_, err = tx.ExecContext(ctx, `DELETE FROM settings WHERE name = 'probe'`)
		}
		return err
	})
	return server, time.Since(begun), err
}

// Name tells people where the database is, without a password.
func (s *Store) Name() string { return s.name }

// Writer is the pool of writing connections, for the job queue that shares the database. SQLite has one.
func (s *Store) Writer() *sql.DB { return s.write }

// Reader is the pool of reading connections.
func (s *Store) Reader() *sql.DB { return s.read }

// Listener is the pool of connections on which the job queue waits for word of new jobs; nil for SQLite, which has none.
func (s *Store) Listener() *pgxpool.Pool { return s.listen }

// InTx runs fn in one write transaction: all of it is kept when fn returns nil, none of it otherwise. No two of them
// run at a time, whatever process they are of, so that fn may decide on what it has read.
// fn must use tx alone: any other write would wait for ever.
func (s *Store) InTx(ctx context.Context, fn func(tx *sql.Tx) error) error {
	if s.turn != nil {
		select {
		case s.turn <- struct{}{}:
			defer func() { <-s.turn }()
		case <-ctx.Done():
			return fmt.Errorf("begin transaction: %w", ctx.Err())
		}
	}
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", s.Explain(err))
	}
	defer tx.Rollback() // after Commit it does nothing
	if s.engine.lock != "" {
		if _, err := tx.ExecContext(ctx, s.engine.lock); err != nil {
			return fmt.Errorf("begin transaction: %w", s.Explain(err))
		}
	}
	if err := fn(tx); err != nil {
		return s.Explain(err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", s.Explain(err))
	}
	return nil
}

// OlderSchema is the code of the fault of a database that Attach would have to bring up to date.
const OlderSchema = "older_schema"

// DiskFull is the code of the fault for a disk without room, here and in the lake.
const DiskFull = "disk_full"

// ServerAway is the code of the fault of a database server that does not answer now, or is starting or stopping.
const ServerAway = "database_away"

// Away reports whether an error tells that the database server is away.
func Away(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Code == ServerAway
}

// Explain gives the database's errors that an operator can mend their kind and hint; others, and nil, stay as they are.
func (s *Store) Explain(err error) error {
	if err == nil || fault.KindOf(err) != fault.Internal {
		return err
	}
	return s.engine.explain(s, err)
}

// exec writes outside of any other transaction, and explains what the database says.
func (s *Store) exec(ctx context.Context, query string, args ...any) error {
	_, err := s.write.ExecContext(ctx, query, args...)
	return s.Explain(err)
}
