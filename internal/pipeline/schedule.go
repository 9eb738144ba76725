package pipeline

import (
	"fmt"
	"time"

	"longshore/internal/cron"
	"longshore/internal/fault"
)

// Kinds of schedules.
const (
	Manual = "manual"
	Basic  = "basic"
	Cron   = "cron"
)

// Schedule says when a connection runs by itself.
type Schedule struct {
	Type  string        `json:"type"`            // Manual, Basic or Cron; "" means Manual
	Every time.Duration `json:"every,omitempty"` // of Basic: from the creation of a run to the next
	Cron  string        `json:"cron,omitempty"`  // of Cron: Quartz's syntax, verbatim as it was given
}

// Every is the basic schedule of that interval.
func Every(interval time.Duration) Schedule { return Schedule{Type: Basic, Every: interval} }

// minInterval is between the starts of two runs by a cron schedule, whatever it says.
const minInterval = time.Minute

// Check returns what is wrong with the schedule: fault.Invalid.
func (s Schedule) Check() error {
	switch s.Type {
	case "", Manual:
		return nil
	case Basic:
		if s.Every < minInterval {
			return fault.Errorf(fault.Invalid, "a connection cannot run every %s: the shortest interval is %s", s.Every, minInterval)
		}
		return nil
	case Cron:
		_, err := cron.Parse(s.Cron)
		return err
	}
	return fault.Errorf(fault.Invalid, "%q is no kind of schedule: there are %s, %s and %s", s.Type, Manual, Basic, Cron)
}

// Next is when a connection is due whose last run was created at previous (zero: it has not run). Times that have passed
// are not caught up. The zero time is never.
func (s Schedule) Next(now, previous time.Time) time.Time {
	if previous.After(now) { // by a clock that was set back since
		previous = now
	}
	switch s.Type {
	case Basic:
		if at := previous.Add(s.Every); !previous.IsZero() && at.After(now) {
			return at
		}
		return now
	case Cron:
		e, err := cron.Parse(s.Cron)
		if err != nil {
			return time.Time{}
		}
		after := now
		if earliest := previous.Add(minInterval); earliest.After(after) {
			after = earliest
		}
		return e.Next(after)
	}
	return time.Time{}
}

// String is the schedule in words.
func (s Schedule) String() string {
	switch s.Type {
	case Basic:
		return "every " + s.Every.String()
	case Cron:
		return fmt.Sprintf("cron %q", s.Cron)
	}
	return "by hand"
}

// A connection that fails again and again is tried less and less often, and says so: its schedule holds back, from
// holdAfter failed runs in a row on, for an hour, two, four, at most a day. A run that succeeds ends that.
const (
	holdAfter = 5
	firstHold = time.Hour
	maxHold   = 24 * time.Hour
)

// HoldBack is how long after its last run a connection's schedule waits at least, for so many failed runs in a row.
func HoldBack(failures int) time.Duration {
	if failures < holdAfter {
		return 0
	}
	return min(firstHold<<min(failures-holdAfter, 5), maxHold)
}
