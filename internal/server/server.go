package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"longshore/internal/fault"
)

const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 2 * time.Minute
	// writeTimeout is for a whole answer; a door that streams a long one moves it on with an http.ResponseController.
	writeTimeout   = 2 * time.Minute
	idleTimeout    = 2 * time.Minute
	maxHeaderBytes = 64 << 10
	// maxBodyBytes is the most that any door may read of a request; doors have tighter limits of their own.
	maxBodyBytes  = 8 << 20
	readyTimeout  = 5 * time.Second
	stopTimeout   = 15 * time.Second
	defaultListen = "127.0.0.1:8080"
)

// Door is a handler and where it stands.
type Door struct {
	// Prefix of the escaped path, with a slash at either end ("/v1/"), or "/" for all that no other door takes.
	Prefix  string
	Handler http.Handler
	// AnyOrigin lets browsers call from pages of other origins. Only for doors that trust no cookie.
	AnyOrigin bool
}

// Config is what a Server needs. The zero value of each member but Doors works.
type Config struct {
	Listen   string // host:port; "" means 127.0.0.1:8080
	Doors    []Door
	Ready    func(context.Context) error // says whether the database answers; nil: always
	Registry *prometheus.Registry        // of /metrics; nil makes one
	// Headers may set headers of every answer before its door does; nil leaves it at the server's own.
	Headers func(h http.Header, r *http.Request)
	Log     *slog.Logger // nil means none
}

// Server listens. It is made by Open.
type Server struct {
	cfg      Config
	listener net.Listener
	handler  http.Handler
}

// Open takes the address, so that trouble with it shows before anything else is started. The caller runs the server,
// or closes it. Errors: fault.Conflict when the port is taken, fault.Denied when it may not be taken, fault.Invalid for
// an address that is none.
func Open(cfg Config) (*Server, error) {
	if cfg.Listen == "" {
		cfg.Listen = defaultListen
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Registry == nil {
		cfg.Registry = prometheus.NewRegistry()
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", cfg.Listen)
	if err != nil {
		return nil, listenFault(cfg.Listen, err)
	}
	s := &Server{cfg: cfg, listener: l}
	s.handler = s.chain()
	return s, nil
}

func listenFault(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fault.Errorf(fault.Conflict, "the address %s is in use by another program", address).
			WithHint("stop that program, or listen elsewhere with --listen or LONGSHORE_LISTEN, for example 127.0.0.1:8081")
	case errors.Is(err, syscall.EACCES):
		return fault.Errorf(fault.Denied, "not allowed to listen on %s", address).WithHint("ports below 1024 need a privilege: choose a higher one with --listen")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fault.Errorf(fault.Invalid, "this machine has no address %s", address).WithHint("listen on 127.0.0.1 or on one of this machine's own addresses")
	}
	return fault.Errorf(fault.Invalid, "listen on %q: %w", address, err).WithHint("an address is host:port, for example 127.0.0.1:8080")
}

// Addr is the address that is listened on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// URL is the server's address for a browser on this machine.
func (s *Server) URL() string {
	host, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		return "http://" + s.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Handler is all that the server answers, for tests.
func (s *Server) Handler() http.Handler { return s.handler }

// Close gives the address back without having run.
func (s *Server) Close() error { return s.listener.Close() }

// Run serves until ctx ends, then lets the answers under way end, for at most 15 seconds.
func (s *Server) Run(ctx context.Context) error {
	web := &http.Server{
		Handler: s.handler, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelDebug),
	}
	// An answer that streams for as long as its reader listens ends when the server does.
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	web.BaseContext = func(net.Listener) context.Context { return base }
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(s.listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve on %s: %w", s.Addr(), err)
	case <-ctx.Done():
	}
	stop, done := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer done()
	late := time.AfterFunc(stopTimeout/3, cancel)
	defer late.Stop()
	err := web.Shutdown(stop)
	if err != nil {
		err = errors.Join(err, web.Close())
	}
	<-ended //nolint:errcheck // always an error: that it was shut down
	if err != nil {
		return fmt.Errorf("stop serving on %s: %w", s.Addr(), err)
	}
	return nil
}

// chain puts everything that all answers share around the doors.
func (s *Server) chain() http.Handler {
	measure := newMeasure(s.cfg.Registry)
	doors := slices.Clone(s.cfg.Doors)
	slices.SortStableFunc(doors, func(a, b Door) int { return len(b.Prefix) - len(a.Prefix) })
	metrics := promhttp.HandlerFor(s.cfg.Registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(s.cfg.Log.Handler(), slog.LevelWarn), ErrorHandling: promhttp.ContinueOnError,
	})
	same := http.NewCrossOriginProtection()
	same.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, http.StatusForbidden, "cross_origin", "a page of another origin may not do this")
	}))
	for i, d := range doors {
		if !d.AnyOrigin {
			doors[i].Handler = same.Handler(d.Handler)
		}
	}
	pick := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		switch path {
		case "/healthz":
			writeText(w, http.StatusOK, "alive\n")
			return
		case "/readyz":
			s.ready(w, r)
			return
		case "/metrics":
			metrics.ServeHTTP(w, r)
			return
		}
		for _, d := range doors {
			if strings.HasPrefix(path, d.Prefix) {
				measure.serve(d, w, r)
				return
			}
		}
		writeError(w, http.StatusNotFound, "not_found", "there is nothing at this path")
	})
	return s.trace(s.recovered(s.guard(pick)))
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Ready != nil {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if err := s.cfg.Ready(ctx); err != nil {
			s.cfg.Log.Warn("not ready", "error", err)
			writeText(w, http.StatusServiceUnavailable, "not ready: the database does not answer\n")
			return
		}
	}
	writeText(w, http.StatusOK, "ready\n")
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}
