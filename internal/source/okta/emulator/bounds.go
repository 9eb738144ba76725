package emulator

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// bounds are what everybody who matches an expression is within, so that others need not be derived to be passed over:
// an org of a million is listed by status or time at the cost of the page.
type bounds struct {
	statuses         uint16 // a bit for each of statuses
	created, updated span
}

// span is a range of Unix seconds, ends included.
type span struct{ from, to int64 }

func (s span) holds(at int64) bool { return s.from <= at && at <= s.to }

var (
	always   = span{math.MinInt64, math.MaxInt64}
	anything = bounds{math.MaxUint16, always, always}
)

func (b bounds) and(c bounds) bounds {
	return bounds{
		b.statuses & c.statuses,
		span{max(b.created.from, c.created.from), min(b.created.to, c.created.to)},
		span{max(b.updated.from, c.updated.from), min(b.updated.to, c.updated.to)},
	}
}

func (b bounds) or(c bounds) bounds {
	return bounds{
		b.statuses | c.statuses,
		span{min(b.created.from, c.created.from), max(b.created.to, c.created.to)},
		span{min(b.updated.from, c.updated.from), max(b.updated.to, c.updated.to)},
	}
}

// boundsOf are the bounds of one comparison, never narrower than it.
func boundsOf(name, operator, want string) bounds {
	b := anything
	switch name {
	case "status":
		if operator == "eq" {
			b.statuses = 0
			if i := slices.IndexFunc(statuses, func(s string) bool { return strings.EqualFold(s, want) }); i >= 0 {
				b.statuses = 1 << i
			}
		}
	case "created":
		b.created = spanOf(operator, want)
	case "lastUpdated":
		b.updated = spanOf(operator, want)
	}
	return b
}

func spanOf(operator, want string) span {
	at, err := time.Parse(time.RFC3339, want)
	if err != nil {
		return always
	}
	s := span{at.Unix(), at.Unix()}
	switch operator {
	case "eq":
	case "gt", "ge":
		s.to = math.MaxInt64
	case "lt", "le":
		s.from = math.MinInt64
	default:
		return always
	}
	return s
}

// maybe says whether somebody may be within the bounds. Who changed since New is to be looked at.
func (o *Org) maybe(i int, b bounds) bool {
	if b == anything || i >= o.staff.count || o.world.people[i] != nil {
		return true
	}
	return b.statuses&(1<<o.staff.status[i]) != 0 &&
		(b.created == always || b.created.holds(o.joined(i))) &&
		(b.updated == always || b.updated.holds(int64(o.updated.of(o)[i])))
}

// updates are the lastUpdated of everybody at New, noted when somebody first asks by it: four bytes a person.
type updates struct {
	once  sync.Once
	times []uint32 // Unix seconds
}

func (u *updates) of(o *Org) []uint32 {
	u.once.Do(func() {
		times := make([]uint32, o.staff.count)
		workers := max(1, min(runtime.GOMAXPROCS(0), o.staff.count/10_000))
		var all sync.WaitGroup
		for w := range workers {
			all.Go(func() {
				for i := o.staff.count * w / workers; i < o.staff.count*(w+1)/workers; i++ {
					times[i] = uint32(o.times(i).lastUpdated)
				}
			})
		}
		all.Wait()
		u.times = times
	})
	return u.times
}
