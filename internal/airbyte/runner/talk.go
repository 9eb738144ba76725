package runner

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"longshore/internal/airbyte"
	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

const (
	// maxLogBytes bounds one line of log; what is beyond is cut off.
	maxLogBytes = 16 << 10
	// maxFailures bounds the errors of connectors that are kept.
	maxFailures = 100
)

// talk takes what connectors say beside records and states.
type talk struct {
	log     func(Line)
	mask    *strings.Replacer // of secrets; nil masks nothing
	limit   int64
	lines   atomic.Int64
	dropped atomic.Int64

	mu       sync.Mutex
	failures []Failure
}

// say passes a line of log on, as far as the limits allow.
func (t *talk) say(role Role, level slog.Level, text string) {
	text = t.masked(strings.TrimSpace(strings.ToValidUTF8(text, "\uFFFD")))
	if text == "" {
		return
	}
	if t.lines.Add(1) > t.limit {
		t.dropped.Add(1)
		return
	}
	if len(text) > maxLogBytes {
		cut := maxLogBytes
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + fmt.Sprintf(" … (%d bytes)", len(text))
	}
	t.log(Line{role, level, text})
}

// junk passes on a line that is no message.
func (t *talk) junk(role Role, line []byte) {
	t.say(role, slog.LevelInfo, string(line[:min(len(line), maxLogBytes+utf8.UTFMax)]))
}

// stderr reads what a process says there. A line of any length is one line of log; only its beginning is kept.
func (t *talk) stderr(role Role, r io.Reader) {
	in := bufio.NewReaderSize(r, maxLogBytes)
	for {
		line, more, err := in.ReadLine()
		if len(line) > 0 {
			t.say(role, slog.LevelInfo, string(line))
		}
		for more && err == nil {
			_, more, err = in.ReadLine()
		}
		if err != nil {
			return
		}
	}
}

// message takes a LOG, or the parts of a TRACE that people read.
func (t *talk) message(role Role, m airbyte.Message) {
	switch {
	case m.Type == "LOG":
		text := rawjson.GetString(m.Body, "message")
		if stack := rawjson.GetString(m.Body, "stack_trace"); stack != "" {
			text += "\n" + stack
		}
		t.say(role, levelOf(rawjson.GetString(m.Body, "level")), text)
	case m.Type == "TRACE" && rawjson.GetString(m.Body, "type") == "ERROR":
		e, _ := rawjson.Get(m.Body, "error")
		descriptor, _ := rawjson.Get(e, "stream_descriptor")
		f := Failure{
			Role: role, Type: rawjson.GetString(e, "failure_type"), Stream: descriptorOf(descriptor),
			Message: t.bounded(rawjson.GetString(e, "message")), Internal: t.bounded(rawjson.GetString(e, "internal_message")),
		}
		t.mu.Lock()
		if len(t.failures) == maxFailures {
			t.failures = append(t.failures[:0], t.failures[1:]...)
		}
		t.failures = append(t.failures, f)
		t.mu.Unlock()
		text := f.Message
		if f.Stream.Name != "" {
			text = "stream " + f.Stream.String() + ": " + text
		}
		if f.Internal != "" && f.Internal != f.Message {
			text += "\n" + f.Internal
		}
		t.say(role, slog.LevelError, text)
	}
}

func (t *talk) bounded(text string) string {
	text = t.masked(text)
	return strings.ToValidUTF8(text[:min(len(text), maxLogBytes)], "")
}

// masked is a text without secrets.
func (t *talk) masked(text string) string {
	if t.mask == nil {
		return text
	}
	return t.mask.Replace(text)
}

// minSecretBytes is how short a secret is masked: a shorter text is part of ordinary words.
const minSecretBytes = 4

// masker masks secrets, as they are and as JSON writes them.
func masker(secrets []string) *strings.Replacer {
	var pairs []string
	for _, s := range secrets {
		if len(s) < minSecretBytes {
			continue
		}
		quoted := string(rawjson.AppendString(nil, s))
		pairs = append(pairs, s, "****", quoted[1:len(quoted)-1], "****")
	}
	if pairs == nil {
		return nil
	}
	return strings.NewReplacer(pairs...)
}

func levelOf(level string) slog.Level {
	switch level {
	case "FATAL", "ERROR":
		return slog.LevelError
	case "WARN":
		return slog.LevelWarn
	case "DEBUG", "TRACE":
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// told are the failures of a role, all of them for "".
func (t *talk) told(role Role) []Failure {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []Failure
	for _, f := range t.failures {
		if role == "" || f.Role == role {
			all = append(all, f)
		}
	}
	return all
}

// failed is the error of a process that did not end well: the newest that it told of the whole run, or of a stream.
func (t *talk) failed(role Role, name string, exit Exit) error {
	var said Failure
	for _, f := range t.told(role) {
		if said.Message == "" || f.Stream.Name == "" || said.Stream.Name != "" {
			said = f
		}
	}
	if said.Message == "" {
		return fault.Errorf(fault.Unavailable, "the %s %s %s and did not say why", role, name, exit).
			WithHint("Its last lines of log may tell.")
	}
	kind := fault.Unavailable
	if said.Type == "config_error" {
		kind = fault.Invalid
	}
	return fault.Errorf(kind, "the %s %s %s: %s", role, name, exit, said.Message)
}

// configOf is the configuration that a CONTROL asks to keep.
func configOf(m airbyte.Message) (json.RawMessage, bool) {
	if rawjson.GetString(m.Body, "type") != "CONNECTOR_CONFIG" {
		return nil, false
	}
	config, ok := rawjson.Get(m.Body, "connectorConfig", "config")
	return append(json.RawMessage(nil), config...), ok && rawjson.IsObject(config)
}

// throttle is until when a TRACE says that its source waits for a rate limit.
func throttle(m airbyte.Message) (until time.Time, waits bool) {
	reasons, _ := rawjson.Get(m.Body, "stream_status", "reasons")
	if len(reasons) == 0 || rawjson.IsNull(reasons) {
		return until, false
	}
	for reason := range elements(reasons) {
		if rawjson.GetString(reason, "type") == "RATE_LIMITED" {
			waits = true
			if reset, ok := rawjson.Get(reason, "rate_limited", "quota_reset"); ok {
				until = time.UnixMilli(int64(number(reset)))
			}
		}
	}
	return until, waits
}
