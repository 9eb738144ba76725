// Package pgserver gives tests PostgreSQL databases of their own.
//
// The server is that of LONGSHORE_TEST_POSTGRES (the URL of a database whose user may make others), or one of its own
// from the binaries on PATH or under /usr/lib/postgresql, started once a test binary, on a Unix socket, without fsync.
package pgserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers "pgx"
)

// server is where databases are made.
type server struct {
	url      string         // of a database that is always there
	own      bool           // it is this process's alone
	life     io.WriteCloser // its keeper's standard input: never closed, the end of this process does it
	admin    *sql.DB
	once     sync.Once
	fresh    chan freshDatabase
	old      chan string
	template string // a prepared database to copy, or ""
	err      error  // why there is none
}

// theServer is started by the first test that needs it, once a process.
var theServer = sync.OnceValue(start)

// Database returns the URL of a new database, dropped when the test ends. It skips the test where there is no server.
// prepare, the same in every call, is run on a database that those of this process are copied from; without it, and on
// a server that is not ours, the database is empty.
func Database(t testing.TB, prepare func(ctx context.Context, url string) error) string {
	t.Helper()
	s := theServer()
	if s.err != nil {
		t.Skipf("no PostgreSQL: %v", s.err)
	}
	made := s.make(t, prepare)
	if made.err != nil {
		t.Fatalf("make a database for the test: %v", made.err)
	}
	t.Cleanup(func() {
		if s.own {
			s.old <- made.name // dropped beside the next tests
			return
		}
		if err := s.drop(made.name); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return s.database(made.name)
}

// make returns a new database.
func (s *server) make(t testing.TB, prepare func(ctx context.Context, url string) error) freshDatabase {
	t.Helper()
	if prepare == nil || !s.own {
		name := "longshore_test_" + random()
		return freshDatabase{name, s.exec(context.Background(), "CREATE DATABASE "+name+" ENCODING 'UTF8' TEMPLATE template0")}
	}
	s.once.Do(func() { s.makeTemplate(t, prepare) })
	return <-s.fresh
}

// freshDatabase is one that no test has seen.
type freshDatabase struct {
	name string
	err  error
}

// supply makes copies of the template, one ahead of the tests.
func (s *server) supply() {
	for {
		name := "longshore_test_" + random()
		create := "CREATE DATABASE " + name + " TEMPLATE " + s.template + " STRATEGY file_copy" // without fsync the faster one
		s.fresh <- freshDatabase{name, s.exec(context.Background(), create)}
	}
}

// clear drops databases that tests have done with.
func (s *server) clear() {
	for name := range s.old {
		_ = s.drop(name) // the whole server goes soon
	}
}

func (s *server) drop(name string) error {
	return s.exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)")
}

func random() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// database is the URL of another database of the server.
func (s *server) database(name string) string {
	u, err := url.Parse(s.url)
	if err != nil {
		panic(err) // start has connected with it
	}
	u.Path = "/" + name
	return u.String()
}

func (s *server) exec(ctx context.Context, statement string) error {
	_, err := s.admin.ExecContext(ctx, statement)
	return err
}

func start() *server {
	if outside := os.Getenv("LONGSHORE_TEST_POSTGRES"); outside != "" {
		s := &server{url: outside}
		s.connect()
		s.err = s.exec(context.Background(), "SELECT 1")
		return s
	}
	bin, err := binaries()
	if err != nil {
		return &server{err: err}
	}
	s, err := startOwn(bin)
	if err != nil {
		return &server{err: err}
	}
	return s
}

// binaries finds the folder of initdb and postgres.
func binaries() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if _, err := exec.LookPath("postgres"); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	slices.Sort(found)
	if len(found) == 0 {
		return "", errors.New("LONGSHORE_TEST_POSTGRES is not set, and there are no server binaries on PATH or under /usr/lib/postgresql")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// keeper runs the server until its own standard input ends, which it does with the test binary however that ends, and
// leaves nothing behind.
const keeper = `"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
  -c max_connections=200 -c shared_buffers=64MB -c wal_level=minimal -c max_wal_senders=0 -c max_wal_size=4GB -c log_min_messages=fatal >"$2/log" 2>&1 &
read -r _
kill -QUIT $! 2>/dev/null
wait
rm -rf "$2"`

// folder makes a folder for a server. The temporary one may lie where another user, who the server is when we are root,
// does not come through; then it is one of the machine's own.
func folder() (string, error) {
	for _, parent := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		if !passable(parent) {
			continue
		}
		if dir, err := os.MkdirTemp(parent, "longshore-pg"); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no folder that the server's user can reach: not %s, /tmp, /var/tmp", os.TempDir())
}

// startOwn makes and starts a server of this process.
func startOwn(bin string) (*server, error) {
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	who, err := unprivileged(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "--no-instructions")
	initdb.SysProcAttr, initdb.Dir = who, dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out)), os.RemoveAll(dir))
	}
	// One user needs a password, for tests of what a wrong one comes to.
	rules := "local all longshore_locked scram-sha-256\nlocal all all trust\n"
	if err := os.WriteFile(filepath.Join(dir, "data", "pg_hba.conf"), []byte(rules), 0o600); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	run := exec.Command("/bin/sh", "-c", keeper, "sh", bin, dir)
	run.SysProcAttr, run.Dir = who, dir
	life, err := run.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := run.Start(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s := &server{own: true, life: life, url: "postgres://postgres@/postgres?sslmode=disable&host=" + url.QueryEscape(dir)}
	s.connect()
	if err := s.await(); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log"))
		return nil, fmt.Errorf("the server does not start: %w: %s", err, strings.TrimSpace(string(log)))
	}
	return s, nil
}

// connect readies the server for use. Nothing is sent yet.
func (s *server) connect() {
	s.admin, s.err = sql.Open("pgx", s.url)
	const most = 1000
	s.fresh, s.old = make(chan freshDatabase), make(chan string, most)
	go s.clear()
}

// await waits until the server answers.
func (s *server) await() (err error) {
	const tries = 600
	for range tries {
		if err = s.exec(context.Background(), "SELECT 1"); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return err
}

// makeTemplate prepares a database once, for the others to be copies of it.
func (s *server) makeTemplate(t testing.TB, prepare func(ctx context.Context, url string) error) {
	t.Helper()
	const name = "longshore_template"
	ctx := context.Background()
	if err := s.exec(ctx, "CREATE DATABASE "+name+" ENCODING 'UTF8' TEMPLATE template0"); err != nil {
		t.Fatalf("make the template: %v", err)
	}
	if err := prepare(ctx, s.database(name)); err != nil {
		t.Fatalf("prepare the template: %v", err)
	}
	s.template = name
	go s.supply()
}
