package s3server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"

	"longshore/internal/fault"
	"longshore/internal/lake"
	"longshore/internal/lake/s3"
)

const (
	defaultRegion  = "us-east-1"
	maxConnections = 4096
	maxRequests    = 1024
	maxParts       = 10000
	maxCopyBytes   = 5 << 30
	startWithin    = 10 * time.Second
	stopWithin     = 2 * time.Second // puts that had no answer by then count as not done
)

// Config says what to serve, where and to whom.
type Config struct {
	Dir       string // holds a folder a bucket; made if missing
	Listen    string // host:port; port 0 takes a free one
	AccessKey string
	SecretKey string
	Region    string       // "" means us-east-1
	Bucket    string       // made if missing; "" for none
	Logger    *slog.Logger // for what the disk refuses; nil discards
}

// Server is a running endpoint.
type Server struct {
	addr    string
	config  Config
	gateway *s3api.S3ApiServer
	ended   chan error // what serving ended with
	workDir string     // the process's, to go back to
	stop    sync.Once
	stopErr error
}

// running holds the place of the one server that a process can have.
var running sync.Mutex

// Start begins to serve and returns once requests are answered. Errors: fault.Conflict when the address is in use or
// the process has a server already, fault.Invalid for a bad configuration.
func Start(ctx context.Context, c Config) (*Server, error) {
	if c.AccessKey == "" || c.SecretKey == "" {
		return nil, fault.Errorf(fault.Invalid, "start S3 endpoint: access key and secret key must be set")
	}
	if c.Region == "" {
		c.Region = defaultRegion
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if !running.TryLock() {
		return nil, fault.Errorf(fault.Conflict, "start S3 endpoint: this process runs one already")
	}
	s, err := start(ctx, c)
	if err != nil {
		running.Unlock()
		return nil, err
	}
	if c.Bucket != "" {
		if err := s.makeBucket(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("start S3 endpoint: %w", err), s.Stop(ctx))
		}
	}
	return s, nil
}

func start(ctx context.Context, c Config) (*Server, error) {
	workDir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("start S3 endpoint: %w", err)
	}
	addr, err := freeAddress(ctx, c.Listen)
	if err != nil {
		return nil, err
	}
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return nil, fmt.Errorf("start S3 endpoint: %w", err)
	}
	s := &Server{addr: addr, config: c, ended: make(chan error, 1), workDir: workDir}
	if err := s.serve(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start S3 endpoint over %q: %w", c.Dir, err), os.Chdir(workDir))
	}
	return s, nil
}

// serve builds the gateway and waits until it listens.
func (s *Server) serve(ctx context.Context) error {
	c := s.config
	side := c.Dir + ".meta" // the gateway does not let it lie inside
	for _, dir := range []string{c.Dir, side} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	store, err := newSideFiles(side, c.Dir)
	if err != nil {
		return err
	}
	files, err := posix.New(c.Dir, store, posix.PosixOpts{ValidateBucketNames: true, CopyObjectThreshold: maxCopyBytes})
	if err != nil {
		return err
	}
	account := auth.Account{Access: c.AccessKey, Secret: c.SecretKey, Role: auth.RoleAdmin}
	listening := make(chan struct{})
	s.gateway, err = s3api.New(&durable{Posix: files, root: c.Dir, side: side, log: c.Logger}, middlewares.RootUserConfig{Access: c.AccessKey, Secret: c.SecretKey}, c.Region,
		oneAccount{auth.NewIAMServiceSingle(account)}, nil, nil, nil, nil,
		s3api.WithQuiet(), s3api.WithKeepAlive(), s3api.WithDisableACL(), s3api.WithMpMaxParts(maxParts),
		s3api.WithConcurrencyLimiter(maxConnections, maxRequests), s3api.WithHealth("/-/health"),
		s3api.WithOnListen(func() { close(listening) }))
	if err != nil {
		return err
	}
	go func() { s.ended <- s.gateway.ServeMultiPort([]string{s.addr}) }()
	timer := time.NewTimer(startWithin)
	defer timer.Stop()
	select {
	case <-listening:
		return nil
	case err := <-s.ended:
		return listenFault(s.addr, err)
	case <-ctx.Done():
		return errors.Join(ctx.Err(), s.gateway.ShutDown())
	case <-timer.C:
		return errors.Join(fault.Errorf(fault.Unavailable, "not listening on %s after %s", s.addr, startWithin), s.gateway.ShutDown())
	}
}

// freeAddress settles a port 0 and finds out in good time whether the address can be had.
func freeAddress(ctx context.Context, listen string) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return "", fmt.Errorf("start S3 endpoint: %w", listenFault(listen, err))
	}
	addr := l.Addr().String()
	return addr, l.Close()
}

func listenFault(addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fault.Errorf(fault.Conflict, "address %s is in use: %w", addr, err).
			WithHint("stop what listens there, or choose another address with --s3-listen (port 0 takes a free one)")
	}
	return fault.Errorf(fault.Invalid, "cannot listen on %q: %w", addr, err).WithHint("give --s3-listen as host:port of this machine")
}

func (s *Server) makeBucket(ctx context.Context) error {
	b, err := s.Open(ctx, s.config.Bucket)
	if err != nil {
		return err
	}
	if err := b.EnsureBucket(ctx); err != nil {
		return err
	}
	return lake.SyncDir(s.config.Dir)
}

// Open opens one of the server's buckets.
func (s *Server) Open(ctx context.Context, bucket string) (*s3.Bucket, error) {
	return s3.Open(ctx, s3.Config{
		Endpoint: s.URL(), Region: s.config.Region, Bucket: bucket, PathStyle: true,
		AccessKey: s.config.AccessKey, SecretKey: s.config.SecretKey,
	})
}

// Addr is the host:port that is served.
func (s *Server) Addr() string { return s.addr }

// URL is the endpoint for clients. An address of every interface is named by loopback.
func (s *Server) URL() string {
	host, port, err := net.SplitHostPort(s.addr)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return "http://" + net.JoinHostPort("127.0.0.1", port)
	}
	return "http://" + s.addr
}

// Stop ends the server: nothing new is taken, requests at hand get a moment to end, or until ctx. When all ended it
// goes back to the working directory of before; else (a client that keeps its connection) the process should end too,
// and cannot start another server.
func (s *Server) Stop(ctx context.Context) error {
	s.stop.Do(func() {
		done := make(chan error, 1)
		go func() {
			err := s.gateway.ShutDown()
			<-s.ended //nolint:errcheck // always an error, of the listener that was closed
			if err == nil {
				err = os.Chdir(s.workDir)
				running.Unlock()
			}
			done <- err
		}()
		grace := time.NewTimer(stopWithin)
		defer grace.Stop()
		select {
		case s.stopErr = <-done:
		case <-grace.C:
		case <-ctx.Done():
			s.stopErr = ctx.Err()
		}
	})
	return s.stopErr
}
