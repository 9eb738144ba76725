package emulator

import (
	"slices"
	"sort"
	"time"
)

// changeLog holds the events of changes. They follow the timeline's in number, in the order of being stored.
type changeLog struct {
	stored []storedEvent
	late   []storedEvent // not stored yet, in the order in which they will be
	made   int           // numbers events, stored or not
}

type storedEvent struct {
	at int64 // when it was stored, Unix milliseconds
	*logEvent
}

// add takes the events of one change: they are stored at once, or each after its lag. The world is locked.
func (l *changeLog) add(o *Org, events []*logEvent) {
	for _, e := range events {
		l.made++
		lag := o.logLag(e.number)
		if lag == 0 && len(l.late) == 0 {
			l.stored = append(l.stored, storedEvent{max(e.published, l.lastStored()), e})
			continue
		}
		s := storedEvent{e.published + lag, e}
		at := sort.Search(len(l.late), func(i int) bool { return l.late[i].at > s.at })
		l.late = slices.Insert(l.late, at, s)
	}
	o.settleLog()
}

func (l *changeLog) lastStored() int64 {
	if len(l.stored) == 0 {
		return 0
	}
	return l.stored[len(l.stored)-1].at
}

// settleLog stores what is due. The world is locked.
func (o *Org) settleLog() {
	l, now, n := &o.world.log, o.Now().UnixMilli(), 0
	for n < len(l.late) && l.late[n].at <= now {
		s := l.late[n]
		s.at = max(s.at, l.lastStored())
		l.stored = append(l.stored, s)
		n++
	}
	l.late = slices.Delete(l.late, 0, n)
	next := int64(0)
	if len(l.late) > 0 {
		next = l.late[0].at
	}
	o.world.due.Store(next)
}

// catchUp stores what became due since the last change.
func (o *Org) catchUp() {
	if due := o.world.due.Load(); due == 0 || due > o.Now().UnixMilli() {
		return
	}
	o.world.mu.Lock()
	defer o.world.mu.Unlock()
	o.settleLog()
}

// logLag draws how long after it happened an event is stored, in milliseconds. With a median of 1 s, 99 of 100 take less
// than 30 s, and one in 100,000 comes 5 to 60 minutes late; other medians scale all but the latter.
func (o *Org) logLag(number int) int64 {
	median := o.options.LogLag
	if median <= 0 {
		return 0
	}
	d := newDraw(o.seed, saltLag, number)
	var lag int64
	switch n := d.below(100_000); {
	case n == 0:
		return 5*60_000 + int64(d.below(55*60_000))
	case n < 50_000:
		lag = 50 + int64(d.below(950))
	case n < 90_000:
		lag = 1000 + int64(d.below(4000))
	case n < 99_000:
		lag = 5000 + int64(d.below(25_000))
	default:
		lag = 30_000 + int64(d.below(15_000))
	}
	return lag * int64(median) / int64(time.Second)
}

// eventCount is how many events the log serves: the timeline's and those of changes that are stored.
func (o *Org) eventCount() int { return o.events.count + len(o.world.log.stored) }

// changeEvent is the k-th event when it is one of a change.
func (o *Org) changeEvent(k int) (storedEvent, bool) {
	if k < o.events.count {
		return storedEvent{}, false
	}
	return o.world.log.stored[k-o.events.count], true
}
