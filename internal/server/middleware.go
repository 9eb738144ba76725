package server

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
)

// TraceHeader bears the id of each answer; logs name it too.
const TraceHeader = "X-Trace-Id"

// trace gives every answer an id and logs it at debug level, without its query: that may hold what is nobody's business.
func (s *Server) trace(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := make([]byte, 16)
		_, _ = rand.Read(id) // never fails
		trace := hex.EncodeToString(id)
		w.Header().Set(TraceHeader, trace)
		start := time.Now()
		seen := &observed{ResponseWriter: w}
		next.ServeHTTP(seen, r)
		if s.cfg.Log.Enabled(r.Context(), slog.LevelDebug) {
			s.cfg.Log.Debug("answered", "method", r.Method, "path", logPath(r), "status", seen.code(), "bytes", seen.bytes,
				"took", time.Since(start), "from", r.RemoteAddr, "trace", trace)
		}
	})
}

// logPath is the path for logs: what follows /login/ and /ingest/ lets people in, and is left out.
func logPath(r *http.Request) string {
	path := r.URL.EscapedPath()
	for _, secret := range []string{"/login/", "/ingest/"} {
		if strings.HasPrefix(path, secret) {
			return secret + "…"
		}
	}
	return path
}

// recovered turns a panic into an answer, or, when the answer has begun, into a broken connection.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			s.cfg.Log.Error("a handler failed", "panic", p, "method", r.Method, "path", logPath(r), "trace", w.Header().Get(TraceHeader), "stack", string(debug.Stack()))
			if seen, ok := w.(*observed); ok && seen.status != 0 {
				panic(http.ErrAbortHandler)
			}
			writeError(w, http.StatusInternalServerError, "internal_error", "internal error")
		}()
		next.ServeHTTP(w, r)
	})
}

// guard bounds the body, undoes a doubled slash at the start, and sets the headers that every answer has.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin")
		if s.cfg.Headers != nil {
			s.cfg.Headers(h, r)
		}
		if r.Body != nil {
			r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
		}
		if strings.HasPrefix(r.URL.EscapedPath(), "//") {
			u := *r.URL
			u.Path = u.Path[1:]
			u.RawPath = strings.TrimPrefix(u.RawPath, "/")
			r = r.Clone(r.Context())
			r.URL = &u
		}
		next.ServeHTTP(w, r)
	})
}

func writeError(w http.ResponseWriter, status int, code, message string) {
	text, _ := json.Marshal(map[string]any{"ok": false, "error": code, "message": message}) // strings alone
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n'))
}

// observed notes what was answered.
type observed struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (o *observed) WriteHeader(status int) {
	if o.status == 0 || o.status < 200 {
		o.status = status
	}
	o.ResponseWriter.WriteHeader(status)
}

func (o *observed) Write(p []byte) (int, error) {
	if o.status == 0 {
		o.status = http.StatusOK
	}
	n, err := o.ResponseWriter.Write(p)
	o.bytes += int64(n)
	return n, err
}

// Unwrap lets an http.ResponseController reach the connection.
func (o *observed) Unwrap() http.ResponseWriter { return o.ResponseWriter }

func (o *observed) code() int {
	if o.status == 0 {
		return http.StatusOK
	}
	return o.status
}
