package emulator

import "sort"

// timeline places the log's events in time. They are numbered in the order in which they were stored, which is that of
// polling; an event's published time is a little earlier than that, and sometimes earlier than its predecessor's.
type timeline struct {
	count, perDay int
	start         int64 // Unix milliseconds of the first day
	hours         [25]int64
	story         map[int]func(*logEvent)
}

const (
	dayMillis  = 86_400_000
	hourMillis = 3_600_000
	weightUnit = 1_000_000_000 // the weight of a day
	maxLag     = 60_000        // milliseconds between an event's published time and its being stored
)

// hourWeights is how busy each hour of the day (UTC) is.
var hourWeights = [24]int64{2, 2, 2, 2, 3, 5, 9, 14, 17, 17, 15, 13, 12, 15, 16, 15, 13, 10, 8, 6, 5, 4, 3, 2}

func (o *Org) planEvents() {
	e := &o.events
	e.perDay = o.options.EventsPerDay
	e.count = e.perDay * o.options.Days
	e.start = o.now*1000 - int64(o.options.Days)*dayMillis
	first := int(o.now % day / 3600)
	total, sum := int64(0), int64(0)
	for _, w := range hourWeights {
		total += w
	}
	for h := range hourWeights {
		e.hours[h] = sum * weightUnit / total
		sum += hourWeights[(first+h)%24]
	}
	e.hours[24] = weightUnit
}

// heard is when the story's event of that long ago was published, so that objects and the log tell of one moment; where
// the log does not reach, it is just that long ago.
func (o *Org) heard(ago int64) int64 {
	k := o.firstStored((o.now - ago) * 1000)
	if k == 0 || k >= o.events.count {
		return o.now - ago
	}
	return o.published(k) / 1000
}

// stored is when the k-th event was stored, in Unix milliseconds: never earlier than the one before it.
func (o *Org) stored(k int) int64 {
	if s, ok := o.changeEvent(k); ok {
		return s.at
	}
	e := &o.events
	d := newDraw(o.seed, saltClock, -k-1)
	w := (int64(k%e.perDay)*weightUnit + int64(d.below(weightUnit))) / int64(e.perDay)
	h := sort.Search(24, func(h int) bool { return e.hours[h+1] > w })
	in := (w - e.hours[h]) * hourMillis / (e.hours[h+1] - e.hours[h])
	return e.start + int64(k/e.perDay)*dayMillis + int64(h)*hourMillis + in
}

// published is when the k-th event happened: mostly within a second of being stored, one in fifty up to a minute.
func (o *Org) published(k int) int64 {
	if s, ok := o.changeEvent(k); ok {
		return s.published
	}
	d := newDraw(o.seed, saltClock, -k-1)
	d.next()
	lag := 120 + int64(d.below(900))
	if d.chance(20) {
		lag = 5000 + int64(d.below(maxLag-5000))
	}
	return o.stored(k) - lag
}

// firstStored returns the number of the first event that was stored at or after ms.
func (o *Org) firstStored(ms int64) int {
	return sort.Search(o.eventCount(), func(k int) bool { return o.stored(k) >= ms })
}

// retained is the time before which the log has forgotten everything, in Unix milliseconds. It moves when the clock is
// set forward, not while the org runs: nobody's ledger shrinks in their hands.
func (o *Org) retained() int64 { return o.now*1000 + o.advanced.Load()/1e6 - maxDays*dayMillis }

func (o *Org) firstRetained() int {
	if o.advanced.Load() == 0 {
		return 0
	}
	return o.firstStored(o.retained())
}
