package store

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"

	"github.com/pressly/goose/v3"
	driver "modernc.org/sqlite" // registers "sqlite", pure Go
	sqlite3 "modernc.org/sqlite/lib"

	"longshore/internal/fault"
)

var sqliteEngine = engine{
	name: "SQLite", dialect: &sqlite, goose: goose.DialectSQLite3, migrations: "migrations/sqlite", prepares: true,
	view:     &sql.TxOptions{ReadOnly: true},
	firstGap: "json_extract(w.gaps, '$[0]')",
	explain:  explainSQLite,
	tables:   sqliteTables, counters: sqliteCounters, setCounters: setSQLiteCounters,
}

func connectSQLite(path string, create bool) (*Store, error) {
	if create {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fault.Errorf(fault.Denied, "create the data folder: %w", err).
				WithHint("choose a folder that you can write with --data or LONGSHORE_DATA")
		}
		// Made here, the file is its owner's alone.
		if f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err == nil {
			_ = f.Close()
		}
	}
	s := &Store{name: path, engine: &sqliteEngine}
	var err error
	if s.write, err = openSQLite(dsn(path, false)); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = openSQLite(dsn(path, true)); err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	s.read.SetMaxOpenConns(max(4, runtime.NumCPU()))
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

func explainSQLite(s *Store, err error) error {
	var e *driver.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR:
		return fault.Errorf(fault.Unavailable, "the database %s cannot be written: %w", s.name, err).WithCode(DiskFull, nil).
			WithHint("make room on that disk, or check it; nothing is lost: start again and it goes on where it stopped")
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
		return fault.Errorf(fault.Denied, "the database %s cannot be written: %w", s.name, err).WithHint("check the rights of the data folder")
	}
	return err
}
