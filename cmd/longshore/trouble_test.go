package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"longshore/internal/fault"
	"longshore/internal/store"
)

// gone is what the store says of a server that does not answer.
var gone = fault.Errorf(fault.Unavailable, "the database server does not answer").WithCode(store.ServerAway, nil)

func TestAnOutageIsWaitedFor(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	for name, longest := range map[string]time.Duration{"by a command that ends": maxOutage, "by one that stays": 0} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			o := outage{longest: longest, log: slog.New(slog.NewTextHandler(&said, nil))}
			for _, step := range []struct {
				name  string
				after time.Duration
				err   error
				says  string // "" for nothing
				end   bool
			}{
				{"it answers", 0, nil, "", false},
				{"it goes away", time.Second, gone, "does not answer, and is waited for", false},
				{"it stays away", 30 * time.Second, gone, "", false},
				{"it is back", 40 * time.Second, nil, "answers again", false},
				{"it goes away again", 3 * time.Minute, gone, "does not answer, and is waited for", false},
				{"it stays away for long", 3*time.Minute + maxOutage + time.Second, gone, "", longest > 0},
				{"another error", 0, errors.New("no such table"), "", true},
			} {
				said.Reset()
				err := o.note(start.Add(step.after), step.err)
				if (err != nil) != step.end {
					t.Errorf("%s: error %v; want an error %v", step.name, err, step.end)
				}
				if text := said.String(); (text == "") != (step.says == "") || !strings.Contains(text, step.says) {
					t.Errorf("%s: said %q, want %q", step.name, text, step.says)
				}
			}
		})
	}
}

// Jobs that fail because the database is away are no reason to end: how long it is waited for is decided elsewhere.
func TestJobsThatFailWithoutTheDatabaseAreNotHopeless(t *testing.T) {
	var tr trouble
	for range 2 * maxFailuresInARow {
		_ = tr.note(t.Context(), fmt.Errorf("sync 1: %w", gone))
	}
	if err := tr.hopeless(); err != nil {
		t.Errorf("hopeless: %v", err)
	}
	for range maxFailuresInARow {
		_ = tr.note(t.Context(), fault.Errorf(fault.Unavailable, "the bucket does not answer"))
	}
	if tr.hopeless() == nil {
		t.Errorf("not hopeless after %d failures of the bucket", maxFailuresInARow)
	}
}

// Everything that asks a database that is away complains; it is told once a minute.
func TestTheLogTellsOfADatabaseThatIsAwayOnceAMinute(t *testing.T) {
	var said bytes.Buffer
	h := calm{slog.NewTextHandler(&said, nil), new(atomic.Int64)}
	start := time.Unix(1_700_000_000, 0)
	tell := func(after time.Duration, err error) bool {
		said.Reset()
		r := slog.NewRecord(start.Add(after), slog.LevelWarn, "something failed", 0)
		r.AddAttrs(slog.Any("error", err))
		if err := h.WithAttrs([]slog.Attr{slog.String("of", "test")}).Handle(t.Context(), r); err != nil {
			t.Error(err)
		}
		return said.Len() > 0
	}
	for _, c := range []struct {
		after time.Duration
		err   error
		want  bool
	}{
		{0, gone, true},
		{time.Second, fmt.Errorf("index words: %w", gone), false},
		{2 * time.Second, errors.New("another"), true},
		{59 * time.Second, gone, false},
		{time.Minute, gone, true},
		{90 * time.Second, gone, false},
		{-time.Hour, gone, true}, // the clock was set back
	} {
		if got := tell(c.after, c.err); got != c.want {
			t.Errorf("after %s, %v: told %t, want %t", c.after, c.err, got, c.want)
		}
	}
}
