package main

import (
	"bytes"
	"database/sql"
	"net/url"
	"strings"
	"testing"

	"longshore/internal/store/storetest/pgserver"
)

// What is wrong with the database is said in one line, with what to do about it and without the password.
func TestWrongDatabasesAreExplained(t *testing.T) {
	base, err := url.Parse(pgserver.Database(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", base.String())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range []string{
		`DROP ROLE IF EXISTS longshore_locked`, `CREATE ROLE longshore_locked LOGIN PASSWORD 'right'`,
		`DROP ROLE IF EXISTS longshore_weak`, `CREATE ROLE longshore_weak LOGIN`,
	} {
		if _, err := db.Exec(q); err != nil {
			t.Skipf("the server makes no users for tests: %v", err)
		}
	}
	with := func(change func(*url.URL)) string {
		u := *base
		change(&u)
		return u.String()
	}
	for _, c := range []struct{ name, url, want string }{
		{"nobody listens", "postgres://u:geheim@127.0.0.1:1/db", "check the host and port"},
		{"wrong password", with(func(u *url.URL) { u.User = url.UserPassword("longshore_locked", "geheim") }), "check user and password"},
		{"no such database", with(func(u *url.URL) {
			u.User, u.Path = url.UserPassword(base.User.Username(), "geheim"), "/longshore_absent"
		}), "createdb"},
		{"too few rights", with(func(u *url.URL) { u.User = url.UserPassword("longshore_weak", "geheim") }), "GRANT CREATE"},
		{"no URL", "host=127.0.0.1 password=geheim", "postgres://USER:PASSWORD@HOST:PORT/DATABASE"},
		{"broken URL", "postgres://u:geheim@127.0.0.1:port/db", "postgres://USER:PASSWORD@HOST:PORT/DATABASE"},
		{"broken escape", "postgres://u:%zzgeheim@127.0.0.1/db", "postgres://USER:PASSWORD@HOST:PORT/DATABASE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "too few rights" && !strings.Contains(base.RawQuery, "host=") {
				t.Skip("an older database may let everybody make tables")
			}
			t.Setenv("LONGSHORE_DATABASE_URL", c.url)
			t.Setenv("LONGSHORE_DATA", t.TempDir())
			t.Setenv("LONGSHORE_S3_LISTEN", "127.0.0.1:0")
			var out, errs bytes.Buffer
			if code := run(t.Context(), []string{"export"}, strings.NewReader(""), &out, &errs); code == exitOK {
				t.Fatal("export succeeded")
			}
			lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
			if len(lines) != 2 || !strings.Contains(lines[1], c.want) {
				t.Errorf("said %q; want one line, and a hint with %q", errs.String(), c.want)
			}
			if strings.Contains(out.String()+errs.String(), "geheim") {
				t.Errorf("the password is told: %s", errs.String())
			}
		})
	}
}
