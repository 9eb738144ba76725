package main

import (
	"errors"
	"testing"
	"time"

	"longshore/internal/fault"
)

func TestAnOutageIsWaitedForButNotForEver(t *testing.T) {
	gone := fault.Errorf(fault.Unavailable, "the database server does not answer")
	start := time.Unix(1_700_000_000, 0)
	var o outage
	for _, step := range []struct {
		name  string
		after time.Duration
		err   error
		first bool
		end   bool
	}{
		{"it answers", 0, nil, false, false},
		{"it goes away", time.Second, gone, true, false},
		{"it stays away", 30 * time.Second, gone, false, false},
		{"it is back", 40 * time.Second, nil, false, false},
		{"it goes away again", 3 * time.Minute, gone, true, false},
		{"it stays away for too long", 3*time.Minute + maxOutage + time.Second, gone, false, true},
		{"another error", 0, errors.New("no such table"), false, true},
	} {
		first, err := o.note(start.Add(step.after), step.err)
		if first != step.first || (err != nil) != step.end {
			t.Errorf("%s: first %v, error %v; want first %v, an error %v", step.name, first, err, step.first, step.end)
		}
	}
}
