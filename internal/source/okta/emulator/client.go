package emulator

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"syscall"
)

// Client returns an HTTP client that calls the org in this process: no port, no socket, and links that are the same on
// every run. Bodies are streamed and contexts are honoured as over a network. Every host leads to the org.
func (o *Org) Client() *http.Client { return &http.Client{Transport: transport{o}} }

type transport struct{ handler http.Handler }

// RoundTrip returns once the handler has sent its headers, or the context has ended. The handler's goroutine ends when
// the handler returns, which it does at the latest when the body is closed or the context ends.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	served := r.Clone(ctx)
	served.RequestURI = r.URL.RequestURI()
	served.RemoteAddr = "127.0.0.1:0"
	served.Proto, served.ProtoMajor, served.ProtoMinor = "HTTP/1.1", 1, 1
	if served.Host == "" {
		served.Host = r.URL.Host
	}
	if served.Body == nil {
		served.Body = http.NoBody
	}
	body, pipe := io.Pipe()
	w := &pipeWriter{header: make(http.Header), pipe: pipe, sent: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { _ = pipe.CloseWithError(ctx.Err()) })
	go func() {
		defer stop()
		defer func() { _ = served.Body.Close() }()
		err := run(t.handler, w, served)
		if err == nil {
			w.WriteHeader(http.StatusOK)
		}
		w.end(err)
	}()
	select {
	case <-w.sent:
	case <-ctx.Done():
		_ = body.CloseWithError(ctx.Err())
		return nil, ctx.Err()
	}
	if w.failed != nil {
		return nil, w.failed
	}
	response := &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.frozen, Body: body, ContentLength: -1, Request: r,
	}
	if n, err := strconv.ParseInt(w.frozen.Get("Content-Length"), 10, 64); err == nil {
		response.ContentLength = n
	}
	return response, nil
}

// run calls the handler; its abort is an error of the connection, as net/http makes it.
func run(h http.Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		switch p := recover(); {
		case p == nil:
		case p == http.ErrAbortHandler:
			err = io.ErrUnexpectedEOF
		default:
			panic(p)
		}
	}()
	h.ServeHTTP(w, r)
	return r.Context().Err()
}

// pipeWriter is a ResponseWriter whose body is read at the other end of a pipe.
type pipeWriter struct {
	header http.Header
	pipe   *io.PipeWriter
	once   sync.Once
	sent   chan struct{} // closed once status and frozen, or failed, are set
	status int
	frozen http.Header
	failed error
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	w.once.Do(func() {
		w.status, w.frozen = status, w.header.Clone()
		close(w.sent)
	})
}

func (w *pipeWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.pipe.Write(b)
}

// Flush does nothing: what is written is at the reader already.
func (w *pipeWriter) Flush() {}

// reset ends the body as a reset connection does.
func (w *pipeWriter) reset() { _ = w.pipe.CloseWithError(syscall.ECONNRESET) }

// end closes the body; an error before the headers fails the whole exchange.
func (w *pipeWriter) end(err error) {
	w.once.Do(func() {
		w.failed = err
		if err == nil {
			w.failed = errors.New("the handler sent nothing")
		}
		close(w.sent)
	})
	if err == nil {
		err = io.EOF
	}
	_ = w.pipe.CloseWithError(err)
}
