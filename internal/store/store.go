package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"github.com/pressly/goose/v3"
	driver "modernc.org/sqlite" // registers "sqlite", pure Go
	sqlite3 "modernc.org/sqlite/lib"

	"longshore/internal/fault"
)

//go:embed migrations/sqlite/*.sql
var migrations embed.FS

// Store is the database. It is safe for concurrent use.
type Store struct {
	write *sql.DB // one connection: SQLite has one writer
	read  *sql.DB
	path  string
}

// Open opens or creates the SQLite database at path and brings its schema up to this program's version.
// Errors: fault.Invalid when the database was written by a newer program or is no database, fault.Denied when
// the folder cannot be written.
func Open(ctx context.Context, path string) (*Store, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fault.Errorf(fault.Denied, "create the data folder: %w", err).
			WithHint("choose a folder that you can write with --data or LONGSHORE_DATA")
	}
	// Made here, the file is its owner's alone.
	if f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err == nil {
		_ = f.Close()
	}
	return open(ctx, path, (*Store).migrate)
}

// Attach opens the database at path beside the process that works on it, and leaves its schema alone.
// Errors: fault.Invalid when the schema is not this program's.
func Attach(ctx context.Context, path string) (*Store, error) {
	return open(ctx, path, (*Store).checkSchema)
}

func open(ctx context.Context, path string, prepare func(*Store, context.Context) error) (*Store, error) {
	s := &Store{path: path}
	var err error
	if s.write, err = sql.Open("sqlite", dsn(path, false)); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", dsn(path, true)); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	s.read.SetMaxOpenConns(max(4, runtime.NumCPU()))
	if err := prepare(s, ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// dsn is the connection string. page_size only matters when the file is created; WAL with synchronous NORMAL survives
// a killed process whole, and a power cut loses at most the last transactions, never their order.
func dsn(path string, readOnly bool) string {
	q := url.Values{}
	for _, p := range []string{
		"busy_timeout(15000)", "page_size(16384)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(ON)",
		"cache_size(-65536)", "temp_store(MEMORY)",
	} {
		q.Add("_pragma", p)
	}
	if readOnly {
		q.Add("_pragma", "query_only(ON)")
	} else {
		q.Set("_txlock", "immediate")
	}
	return "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + q.Encode()
}

// migrate brings the schema up to date.
func (s *Store) migrate(ctx context.Context) error {
	p, current, target, err := s.versions(ctx)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema of %s from %d to %d: %w", s.path, current, target, err)
	}
	return s.seed(ctx)
}

// checkSchema demands that the schema is up to date.
func (s *Store) checkSchema(ctx context.Context) error {
	_, current, target, err := s.versions(ctx)
	if err != nil {
		return err
	}
	if current < target {
		return fault.Errorf(fault.Invalid, "the data in %s is being worked on by an older Longshore (schema %d, this program's is %d)", s.path, current, target).
			WithHint("stop the older one first, or use its program")
	}
	return nil
}

// versions tells the schema's version and this program's, and refuses a newer one.
func (s *Store) versions(ctx context.Context) (p *goose.Provider, current, target int64, err error) {
	dir, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return nil, 0, 0, err
	}
	if p, err = goose.NewProvider(goose.DialectSQLite3, s.write, dir); err != nil {
		return nil, 0, 0, fmt.Errorf("read migrations: %w", err)
	}
	if current, target, err = p.GetVersions(ctx); err != nil {
		return nil, 0, 0, fault.Errorf(fault.Invalid, "read the schema version of %s: %w", s.path, err).
			WithHint("is this a Longshore database? Choose another --data folder, or restore a backup")
	}
	if current > target {
		return nil, 0, 0, fault.Errorf(fault.Invalid, "the data in %s was written by a newer Longshore (schema %d, this program knows %d)", s.path, current, target).
			WithHint("run that newer version, or choose another --data folder")
	}
	return p, current, target, nil
}

// Close closes the database.
func (s *Store) Close() error { return errors.Join(s.write.Close(), s.read.Close()) }

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.read.PingContext(ctx); err != nil {
		return fault.Errorf(fault.Unavailable, "the database does not answer: %w", err)
	}
	return nil
}

// Writer is the pool of the one writing connection, for the job queue that shares the database.
func (s *Store) Writer() *sql.DB { return s.write }

// Reader is the pool of reading connections.
func (s *Store) Reader() *sql.DB { return s.read }

// InTx runs fn in one write transaction: all of it is kept when fn returns nil, none of it otherwise.
// fn must use tx alone: the writing connection is taken, any other write would wait for ever.
func (s *Store) InTx(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", s.Explain(err))
	}
	defer tx.Rollback() // after Commit it does nothing
	if err := fn(tx); err != nil {
		return s.Explain(err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", s.Explain(err))
	}
	return nil
}

// DiskFull is the code of the fault for a disk without room, here and in the lake.
const DiskFull = "disk_full"

// Explain gives the database's errors that an operator can mend their kind and hint; others, and nil, stay as they are.
func (s *Store) Explain(err error) error {
	var e *driver.Error
	if !errors.As(err, &e) || fault.KindOf(err) != fault.Internal {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR:
		return fault.Errorf(fault.Unavailable, "the database %s cannot be written: %w", s.path, err).WithCode(DiskFull, nil).
			WithHint("make room on that disk, or check it; nothing is lost: start again and it goes on where it stopped")
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		return fault.Errorf(fault.Denied, "the database %s cannot be written: %w", s.path, err).WithHint("check the rights of the data folder")
	}
	return err
}
