package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"longshore/internal/fault"
)

// refusesTLS answers every connection's wish for TLS with no.
func refusesTLS(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			var wish [8]byte
			_, _ = c.Read(wish[:])
			_, _ = c.Write([]byte("N"))
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}

func TestWhatKeepsAServerFromOpeningIsToldOnce(t *testing.T) {
	plain := refusesTLS(t)
	for _, c := range []struct {
		name, url string
		kind      fault.Kind
		says      string // once
		hint      string
	}{
		{"nobody listens", "postgres://ann:sesame@127.0.0.1:1/x", fault.Unavailable, "connection refused", "started again"},
		{"no such host", "postgres://ann:sesame@nohost.invalid/x?sslmode=disable", fault.Unavailable, "nohost.invalid:5432", "host and port"},
		{"no TLS", "postgres://ann:sesame@" + plain + "/x?sslmode=require", fault.Unavailable, "server refused TLS connection", "sslmode"},
		{"an unknown sslmode", "postgres://ann:sesame@127.0.0.1:1/x?sslmode=some", fault.Invalid, "the database URL", "verify-full"},
		{"no such CA", "postgres://ann:sesame@127.0.0.1:1/x?sslmode=verify-full&sslrootcert=/nowhere/ca.pem", fault.Invalid, "/nowhere/ca.pem", "sslrootcert"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(t.Context(), c.url)
			if !fault.Is(err, c.kind) {
				t.Fatalf("%v (%v), want %v", err, fault.KindOf(err), c.kind)
			}
			if n := strings.Count(err.Error(), c.says); n != 1 {
				t.Errorf("%q is said %d times, want once: %v", c.says, n, err)
			}
			if !strings.Contains(fault.HintOf(err), c.hint) {
				t.Errorf("hint %q, want it to speak of %q", fault.HintOf(err), c.hint)
			}
			if strings.Contains(err.Error()+fault.HintOf(err), "sesame") {
				t.Errorf("the password is shown: %v", err)
			}
		})
	}
}

func TestAServerThatWentAwayIsKnown(t *testing.T) {
	for _, err := range []error{driver.ErrBadConn, pgconn.ErrConnClosed, io.ErrUnexpectedEOF, &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}, &pgconn.PgError{Code: "57P01"}} {
		if told := explainPostgres(nil, fmt.Errorf("begin transaction: %w", err)); !Away(told) {
			t.Errorf("%T (%v) is not known as a server that is away: %v", err, err, told)
		}
	}
	if told := explainPostgres(nil, errors.New("no such column")); Away(told) {
		t.Errorf("any error is taken for a server that is away: %v", told)
	}
}
