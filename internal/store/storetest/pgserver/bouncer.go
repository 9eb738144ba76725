package pgserver

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Bouncer returns the URL of a database through a PgBouncer of its own, which ends with the test, in a pool mode of
// PgBouncer's: session, transaction or statement. It skips the test where PgBouncer is not installed.
func Bouncer(t testing.TB, database, mode string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil { // where Debian has it, off many a PATH
			t.Skip("no PgBouncer: pgbouncer is neither on PATH nor in /usr/sbin")
		}
	}
	dir, err := folder()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	who, err := unprivileged(dir)
	if err != nil {
		t.Skip(err)
	}
	cfg, err := pgconn.ParseConfig(database)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := listener.Addr().(*net.TCPAddr) //nolint:forcetypeassert // of a TCP listener
	_ = listener.Close()
	password := ""
	if cfg.Password != "" {
		password = " password='" + cfg.Password + "'"
	}
	settings := fmt.Sprintf("[databases]\n* = host=%s port=%d user=%s%s\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nauth_type = any\npool_mode = %s\n"+
		"unix_socket_dir =\ndefault_pool_size = 40\nignore_startup_parameters = extra_float_digits\n", cfg.Host, cfg.Port, cfg.User, password, at.Port, mode)
	path := filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(path, []byte(settings), 0o644); err != nil { //nolint:gosec // another user reads it
		t.Fatal(err)
	}
	run := exec.Command(program, path)
	run.SysProcAttr, run.Dir = who, dir
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Kill()
		_ = run.Wait() // killed
	})
	u := url.URL{Scheme: "postgres", User: url.User(cfg.User), Host: at.String(), Path: "/" + cfg.Database, RawQuery: "sslmode=disable"}
	const tries = 200
	for range tries {
		if c, err := net.Dial("tcp", u.Host); err == nil {
			_ = c.Close()
			return u.String()
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("PgBouncer does not answer at %s", u.Host)
	return ""
}
