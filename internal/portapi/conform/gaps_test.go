package conform_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"longshore/internal/portapi/rules"
	"longshore/internal/store"
	"longshore/internal/store/storetest"
)

// check runs a case on every database. The rules that it shows are given as rules.IDs("…").
func check(t *testing.T, ids []string, run func(h *house)) {
	t.Helper()
	if len(ids) == 0 {
		t.Fatal("the case names no rule")
	}
	rules.Of(t, ids...)
	everywhere := knownGaps()[t.Name()]
	storetest.Each(t, func(t *testing.T, s *store.Store) {
		why := everywhere
		if why == "" {
			why = knownGaps()[t.Name()] // on one database alone: TestCase/postgres
		}
		if why == "" {
			run(newHouse(t, s))
			return
		}
		trial := &trial{TB: t}
		h := newHouse(t, s)
		h.TB = trial
		done := make(chan struct{})
		go func() { // so that a failure can end it
			defer close(done)
			run(h)
		}()
		<-done
		if !trial.failed() {
			t.Errorf("the case passes: take it out of testdata/gaps.txt (%s)", why)
		}
		t.Skipf("known gap (%s): %s", why, trial.first())
	})
}

// knownGaps are the cases that are known to fail, with their owners and reasons.
var knownGaps = sync.OnceValue(func() map[string]string {
	gaps := map[string]string{}
	text, err := os.ReadFile("../testdata/gaps.txt")
	if err != nil {
		panic("conform: " + err.Error())
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 2 && strings.HasPrefix(fields[0], "Test") {
			gaps[fields[0]] = strings.Join(fields[1:], " ")
		}
	}
	return gaps
})

// trial is a test whose failures are looked at, not counted.
type trial struct {
	testing.TB
	mu       sync.Mutex
	failures []string
}

func (t *trial) note(message string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures = append(t.failures, message)
}

func (t *trial) failed() bool { return t.first() != "" }

func (t *trial) first() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.failures) == 0 {
		return ""
	}
	return t.failures[0]
}

func (t *trial) Error(args ...any)                 { t.note(fmt.Sprint(args...)) }
func (t *trial) Errorf(format string, args ...any) { t.note(fmt.Sprintf(format, args...)) }
func (t *trial) Fail()                             { t.note("failed") }
func (t *trial) FailNow()                          { t.note("failed"); runtime.Goexit() }
func (t *trial) Fatal(args ...any)                 { t.Error(args...); runtime.Goexit() }
func (t *trial) Fatalf(format string, args ...any) { t.Errorf(format, args...); runtime.Goexit() }
