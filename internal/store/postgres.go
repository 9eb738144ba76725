package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"longshore/internal/fault"
)

// minPostgres is the oldest server that this is tested with, in the server's own number.
const minPostgres = 150000

// maxPostgresConns bounds the connections of one process, the queue's listening one aside.
const maxPostgresConns = 16

// connectTimeout bounds the making of a connection to a host that drops packets, unless the URL says connect_timeout.
const connectTimeout = 10 * time.Second

// The writers' lock is an advisory lock of the database, held to the transaction's end: whatever ends a process frees it.
// A transaction that is not heard of for five minutes is ended by the server, so that a process that was suspended, or
// cut off, does not hold up the others.
const (
	writersLock = `pg_advisory_xact_lock(7309453471520582)`
	lockSoon    = `SELECT set_config('idle_in_transaction_session_timeout', '300000', true), ` + writersLock
	lockOpenly  = `SELECT ` + writersLock
)

var postgresEngine = engine{
	name: "PostgreSQL", dialect: &postgres, goose: goose.DialectPostgres, migrations: "migrations/postgres", arrays: true,
	view: &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead},
	lock: lockSoon, lockOpenly: lockOpenly,
	moveSyncs: `SELECT setval(pg_get_serial_sequence('syncs', 'id'), $1)`,
	firstGap:  "(CAST(w.gaps AS json) ->> 0)",
	explain:   explainPostgres,
	tables:    postgresTables, counters: postgresCounters, setCounters: setPostgresCounters,
}

// connectPostgres opens a database that is there, and asks the server whether it will do.
func connectPostgres(ctx context.Context, url string) (*Store, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		return nil, fault.Errorf(fault.Invalid, "the database URL names a file that cannot be read: %w", file).WithHint("check sslrootcert, sslcert, sslkey and passfile after the ?")
	}
	if err != nil { // its words may hold the password
		return nil, fault.Errorf(fault.Invalid, "the database URL cannot be read").
			WithHint("write postgres://USER:PASSWORD@HOST:PORT/DATABASE, with %%-escapes for the signs : / ? # @ in the password; after ? may follow sslmode (disable, prefer, require, verify-ca, verify-full) and the like")
	}
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "longshore"
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	cfg.MinConns, cfg.MinIdleConns = 0, 0 // the pool is for listening alone
	s := &Store{name: place(cfg.ConnConfig), engine: &postgresEngine, turn: make(chan struct{}, 1)}
	s.write = sql.OpenDB(textConnector{stdlib.GetConnector(*cfg.ConnConfig)})
	s.write.SetMaxOpenConns(maxPostgresConns)
	s.write.SetMaxIdleConns(maxPostgresConns / 2)
	s.write.SetConnMaxIdleTime(5 * time.Minute)
	s.read = s.write
	if err := s.checkServer(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.checkPooler(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.listen, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, errors.Join(s.Explain(err), s.Close())
	}
	return s, nil
}

// place names a database as its URL does, without the password.
func place(c *pgx.ConnConfig) string {
	host := c.Host
	if !strings.HasPrefix(host, "/") {
		host = net.JoinHostPort(host, fmt.Sprint(c.Port))
	}
	return fmt.Sprintf("database %q of %s as user %q", c.Database, host, c.User)
}

func (s *Store) checkServer(ctx context.Context) error {
	var number int
	var version, encoding string
	err := s.read.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int, current_setting('server_version'), current_setting('server_encoding')`,
		pgx.QueryExecModeSimpleProtocol). // whatever a pooler does to prepared statements
		Scan(&number, &version, &encoding)
	if err != nil {
		return s.Explain(fmt.Errorf("open %s: %w", s.name, err))
	}
	if number < minPostgres {
		return fault.Errorf(fault.Invalid, "%s: the server is PostgreSQL %s, too old", s.name, version).WithHint("Longshore needs PostgreSQL %d or newer", minPostgres/10000)
	}
	if encoding != "UTF8" {
		return fault.Errorf(fault.Invalid, "%s: the database's encoding is %s", s.name, encoding).WithHint("make it with: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0")
	}
	return nil
}

// errShared is for a pooler that gives a client another server connection for each transaction. The locks of living
// processes and the queue's notifications belong to a connection, and so do prepared statements.
func (s *Store) errShared() error {
	return fault.Errorf(fault.Invalid, "%s is behind a pooler that lets clients share connections to the server (transaction pooling)", s.name).
		WithHint("use a pool with pool_mode = session, or name the server itself in the database URL; statement and transaction pooling cannot be used")
}

// checkPooler refuses a pooler with transaction pooling: there two connections at one time come to the same one of the
// server.
func (s *Store) checkPooler(ctx context.Context) error {
	var ids [2]int
	for i := range ids {
		conn, err := s.write.Conn(ctx)
		if err != nil {
			return s.Explain(fmt.Errorf("open %s: %w", s.name, err))
		}
		defer conn.Close() //nolint:gocritic // both are held until it is decided
		if err := conn.QueryRowContext(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&ids[i]); err != nil {
			return s.Explain(fmt.Errorf("open %s: %w", s.name, err))
		}
	}
	if ids[0] == ids[1] {
		return s.errShared()
	}
	return nil
}

const hintTLS = "sslmode=… at the end of the database URL says what is wanted: verify-full (with sslrootcert=FILE for a CA of your own), " +
	"require (encrypted, whoever the server is), prefer, or disable (a server without TLS, on a network that you trust)"

// explainPostgres names what an operator can mend. Codes: PostgreSQL's Appendix A.
func explainPostgres(s *Store, plain error) error {
	err := error(oneLine{plain})
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		var dial *pgconn.ConnectError
		var network net.Error
		if errors.As(err, &dial) || errors.As(err, &network) && !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, driver.ErrBadConn) ||
			errors.Is(err, pgconn.ErrConnClosed) || errors.Is(err, io.ErrUnexpectedEOF) {
			if strings.Contains(err.Error(), "tls error: ") {
				return fault.Errorf(fault.Unavailable, "no encrypted connection to the database server comes about: %w", err).WithHint(hintTLS)
			}
			return fault.Errorf(fault.Unavailable, "the database server does not answer: %w", err).WithCode(ServerAway, nil).
				WithHint("check the host and port of the database URL, and that the server runs; nothing is lost: once it runs, this goes on, or does when it is started again")
		}
		return plain
	}
	switch {
	case (e.Code == "26000" || e.Code == "42P05") && s != nil: // a prepared statement is not there, or another's is
		return s.errShared()
	case e.Code == "28000" && strings.Contains(e.Message, "no encryption"):
		return fault.Errorf(fault.Denied, "the database server takes this user by encrypted connections alone: %w", err).WithHint(hintTLS)
	case e.Code == "28P01" || strings.HasPrefix(e.Code, "28"):
		return fault.Errorf(fault.Denied, "the database server refuses the user: %w", err).WithHint("check user and password of the database URL, and the server's pg_hba.conf")
	case e.Code == "3D000":
		return fault.Errorf(fault.NotFound, "there is no such database: %w", err).WithHint("make it first, with createdb or CREATE DATABASE, owned by the user of the database URL")
	case e.Code == "42501":
		return fault.Errorf(fault.Denied, "the database user has too few rights: %w", err).
			WithHint("make the user the database's owner, or: GRANT CREATE, USAGE ON SCHEMA public TO the user; the tables must be the user's own")
	case e.Code == "53100":
		return fault.Errorf(fault.Unavailable, "the database server's disk is full: %w", err).WithCode(DiskFull, nil).
			WithHint("make room there; nothing is lost: start again and it goes on where it stopped")
	case e.Code == "25006":
		return fault.Errorf(fault.Denied, "the database only reads: %w", err).WithHint("is this a standby? Name the primary server in the database URL")
	case strings.HasPrefix(e.Code, "57P0"): // shutting down, crashed, starting
		return fault.Errorf(fault.Unavailable, "the database server does not answer now: %w", err).WithCode(ServerAway, nil).
			WithHint("it is starting or being stopped; nothing is lost: once it runs, this goes on, or does when it is started again")
	case strings.HasPrefix(e.Code, "08"), strings.HasPrefix(e.Code, "53"), strings.HasPrefix(e.Code, "57P"), strings.HasPrefix(e.Code, "40"), e.Code == "25P03":
		return fault.Errorf(fault.Unavailable, "the database cannot do this now: %w", err).WithHint("try again; nothing is lost")
	}
	return plain
}

// oneLine is an error on one line: the driver lists what it tried below each other, the same address with TLS and without.
type oneLine struct{ error }

func (o oneLine) Error() string {
	text := o.error.Error()
	if before, after, ok := strings.Cut(text, "failed to connect to `"); ok { // who and where is told by the name of the store
		if _, tried, ok := strings.Cut(after, "`:"); ok {
			text = before + "\n" + tried
		}
	}
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.Join(strings.Fields(line), " "); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

func (o oneLine) Unwrap() error { return o.error }

// textConnector makes connections that send only text that PostgreSQL can hold, and explains why it makes none.
type textConnector struct{ driver.Connector }

func (c textConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil { // whoever asked, a server that is away is told as one
		return nil, explainPostgres(nil, err)
	}
	inner, ok := conn.(*stdlib.Conn)
	if !ok {
		return nil, errors.Join(fmt.Errorf("the driver gave a %T", conn), conn.Close())
	}
	return textConn{inner}, nil
}

type textConn struct{ *stdlib.Conn }

// CheckNamedValue puts U+FFFD for U+0000 and for bytes that are no UTF-8, which PostgreSQL refuses. Identifiers and
// values of the catalog have neither; what outsiders name in a look-up, or what an error quotes, may.
func (c textConn) CheckNamedValue(v *driver.NamedValue) error {
	switch text := v.Value.(type) {
	case string:
		v.Value = plainText(text)
	case []string:
		for i := range text {
			text[i] = plainText(text[i])
		}
	case []*string:
		for _, p := range text {
			if p != nil {
				*p = plainText(*p)
			}
		}
	}
	return c.Conn.CheckNamedValue(v)
}

func plainText(s string) string {
	if strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
