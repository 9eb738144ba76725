package pgserver

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// Link is a way to a database that can be cut: for tests of a server that goes away and comes back.
type Link struct {
	URL     string // leads to the database by this way
	t       testing.TB
	network string
	server  string
	at      string // where this listens

	mu       sync.Mutex
	listener net.Listener // nil while it is cut
	open     map[net.Conn]bool
	running  sync.WaitGroup
}

// LinkTo makes a way to the database of a URL. It ends with the test.
func LinkTo(t testing.TB, database string) *Link {
	t.Helper()
	cfg, err := pgconn.ParseConfig(database)
	if err != nil {
		t.Fatal(err)
	}
	l := &Link{t: t, at: "127.0.0.1:0", open: map[net.Conn]bool{}}
	l.network, l.server = pgconn.NetworkAddress(cfg.Host, cfg.Port)
	l.Mend()
	t.Cleanup(func() {
		l.Cut()
		l.running.Wait()
	})
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u.Host = l.at
	q := u.Query()
	q.Del("host")
	q.Set("sslmode", "disable")
	u.RawQuery = q.Encode()
	l.URL = u.String()
	return l
}

// Cut breaks all connections and refuses new ones.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener != nil {
		_ = l.listener.Close()
		l.listener = nil
	}
	for c := range l.open {
		_ = c.Close()
	}
	clear(l.open)
}

// Mend lets connections through again, at the same address.
func (l *Link) Mend() {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	listener, err := net.Listen("tcp", l.at)
	if err != nil {
		l.t.Fatal(err)
	}
	l.listener, l.at = listener, listener.Addr().String()
	l.running.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			l.running.Go(func() { l.carry(c) })
		}
	})
}

// keep remembers a connection, or says that the link was cut meanwhile.
func (l *Link) keep(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listener == nil {
		_ = c.Close()
		return false
	}
	l.open[c] = true
	return true
}

func (l *Link) drop(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, c)
	_ = c.Close()
}

// carry moves bytes both ways until either side ends.
func (l *Link) carry(client net.Conn) {
	if !l.keep(client) {
		return
	}
	defer l.drop(client)
	server, err := net.Dial(l.network, l.server)
	if err != nil || !l.keep(server) {
		return
	}
	defer l.drop(server)
	var both sync.WaitGroup
	for from, to := range map[net.Conn]net.Conn{client: server, server: client} {
		both.Go(func() {
			_, _ = io.Copy(to, from) // a broken connection is what this is for
			_ = to.Close()
		})
	}
	both.Wait()
}
