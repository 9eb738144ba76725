package airbyte

import (
	"context"
	"log/slog"
	"strings"
)

// logHandler writes what is logged as LOG messages, in the form of slog's own text handler.
type logHandler struct {
	out   *Emitter
	level slog.Level
	with  func(slog.Handler) slog.Handler
}

func newLogger(out *Emitter, debug bool) *slog.Logger {
	level := slog.LevelInfo
	if debug {
		level = slog.LevelDebug
	}
	return slog.New(&logHandler{out: out, level: level, with: func(h slog.Handler) slog.Handler { return h }})
}

// Enabled implements [slog.Handler].
func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

// Handle implements [slog.Handler].
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	var line strings.Builder
	text := slog.NewTextHandler(&line, &slog.HandlerOptions{Level: h.level, ReplaceAttr: withoutHead})
	attributes := slog.NewRecord(r.Time, r.Level, "", 0)
	r.Attrs(func(a slog.Attr) bool {
		attributes.AddAttrs(a)
		return true
	})
	if err := h.with(text).Handle(ctx, attributes); err != nil {
		return err
	}
	level := "DEBUG"
	switch {
	case r.Level >= slog.LevelError:
		level = "ERROR"
	case r.Level >= slog.LevelWarn:
		level = "WARN"
	case r.Level >= slog.LevelInfo:
		level = "INFO"
	}
	h.out.log(level, strings.TrimSpace(r.Message+" "+line.String()))
	return nil
}

// WithAttrs implements [slog.Handler].
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	before, copied := h.with, *h
	copied.with = func(t slog.Handler) slog.Handler { return before(t).WithAttrs(attrs) }
	return &copied
}

// WithGroup implements [slog.Handler].
func (h *logHandler) WithGroup(name string) slog.Handler {
	before, copied := h.with, *h
	copied.with = func(t slog.Handler) slog.Handler { return before(t).WithGroup(name) }
	return &copied
}

// withoutHead drops what a LOG message says in other ways: time, level and the message itself.
func withoutHead(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
		return slog.Attr{}
	}
	return a
}
