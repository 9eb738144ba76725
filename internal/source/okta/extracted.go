package okta

import (
	"sync"
	"time"
)

// extraction says when records were read. Of two readings in one generation the later one wins, so that its clock never
// goes back, as a machine's may: while the process lives it goes on by the time that has passed, and forward with the
// machine's.
type extraction struct {
	mu    sync.Mutex
	begun time.Time     // of the first answer, with what tells time passed
	ahead time.Duration // of begun, for all that follow
}

// time is when the answer came that did so at the given time of the machine's clock.
func (e *extraction) time(at time.Time) time.Time { return e.of(at, at.Round(0)) }

// of is time of a clock that says wall.
func (e *extraction) of(at, wall time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.begun.IsZero() {
		e.begun, e.ahead = at, wall.Sub(at.Round(0))
	}
	passed := e.begun.Round(0).Add(e.ahead + at.Sub(e.begun))
	if wall.After(passed) {
		e.ahead += wall.Sub(passed)
		return wall
	}
	return passed
}
