package emulator

import (
	"fmt"
	"slices"
	"time"
)

// Noise is another consumer of the org's rate limits, in the background: it sends its requests whether or not anybody
// else is there, and tells in Stats how they fared. When they are sent follows from the options alone.
type Noise struct {
	Name     string `json:"name"`     // in Stats; "" means "noise"
	Bucket   string `json:"bucket"`   // such as "/users"
	PerCent  int    `json:"perCent"`  // of the bucket's ceiling, in each window's time
	Requests int    `json:"requests"` // or so many in each window's time
	Burst    int    `json:"burst"`    // so many at once; 0 means one by one, evenly
	InFlight int    `json:"inFlight"` // and so many requests in flight all the time, of no bucket
}

// Check says what is wrong with a Noise; one that is wrong takes nothing.
func (n Noise) Check() error {
	switch {
	case !slices.Contains(Buckets(), n.Bucket) && (n.Bucket != "" || n.InFlight == 0):
		return unknownBucket(n.Bucket)
	case n.PerCent < 0 || n.Requests < 0 || n.Burst < 0 || n.InFlight < 0:
		return fmt.Errorf("noise in %q: numbers below 0 make no noise", n.Bucket)
	case n.PerCent == 0 && n.Requests == 0 && n.InFlight == 0:
		return fmt.Errorf("noise in %q: want per cent or requests a window, or requests in flight", n.Bucket)
	}
	return nil
}

// noisy is a Noise at work.
type noisy struct {
	Noise
	start time.Time
	sent  int // numbers its requests
	stats NoiseStats
}

// SetNoise replaces the background consumers; their counts begin anew.
func (o *Org) SetNoise(noise []Noise) {
	now := o.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.makeNoise(now)
	o.setNoise(noise, now)
}

func (o *Org) setNoise(noise []Noise, now time.Time) {
	o.noise = nil
	for _, n := range noise {
		if n.Name == "" {
			n.Name = "noise"
		}
		o.noise = append(o.noise, &noisy{Noise: n, start: now})
	}
}

// Noise are the background consumers of now.
func (o *Org) Noise() []Noise {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make([]Noise, 0, len(o.noise))
	for _, n := range o.noise {
		all = append(all, n.Noise)
	}
	return all
}

// idleWindows is after how many windows without any client noise is no longer sent one by one: nobody can have displaced
// it, and nobody sees what it left.
const idleWindows = 3

// makeNoise sends the background requests that are due by now. Org.mu is held.
func (o *Org) makeNoise(now time.Time) {
	// Until its end, a window that a client used may be short of room.
	if quiet := o.spent.Add(o.limits.Window); quiet.Before(now) {
		o.sendDue(quiet)
		for _, n := range o.noise {
			n.skip(now.Add(-idleWindows*o.limits.Window), o.noiseGap(n))
		}
	}
	o.sendDue(now)
}

// sendDue sends the requests that are due by now, in the order of their times.
func (o *Org) sendDue(now time.Time) {
	for {
		var first *noisy
		var at time.Time
		for _, n := range o.noise {
			if due, ok := n.due(o.noiseGap(n)); ok && !due.After(now) && (first == nil || due.Before(at)) {
				first, at = n, due
			}
		}
		if first == nil {
			return
		}
		o.sendNoise(first, at)
	}
}

// retime lets noise go on from now at the pace of new limits.
func (o *Org) retime(now time.Time) {
	for _, n := range o.noise {
		n.start, n.sent = now, 0
	}
}

// noiseGap is the time between two of its requests, on average; 0 when it sends none.
func (o *Org) noiseGap(n *noisy) time.Duration {
	each := n.Requests
	if each == 0 {
		each = o.limits.ceiling(n.Bucket) * n.PerCent / 100
	}
	if each <= 0 {
		return 0
	}
	return max(o.limits.Window/time.Duration(each), 1)
}

// due is when its next request is sent.
func (n *noisy) due(gap time.Duration) (time.Time, bool) {
	if gap == 0 {
		return time.Time{}, false
	}
	burst := max(n.Burst, 1)
	return n.start.Add(time.Duration(n.sent/burst*burst) * gap), true
}

// skip lets the requests before an instant through without looking.
func (n *noisy) skip(until time.Time, gap time.Duration) {
	if gap == 0 {
		return
	}
	burst := max(n.Burst, 1)
	if behind := int(until.Sub(n.start)/gap)/burst*burst - n.sent; behind > 0 {
		n.sent += behind
		n.stats.Sent += behind
	}
}

func (o *Org) sendNoise(n *noisy, at time.Time) {
	n.sent++
	n.stats.Sent++
	win := o.windowAt(n.Bucket, at)
	ceiling := o.limits.ceiling(n.Bucket)
	name := "noise " + n.Name
	within := win.by[name] < ceiling*o.limits.Share/100
	switch {
	case within && win.used < ceiling:
		win.used++
		win.by[name]++
	default:
		n.stats.Throttled++
		if within && win.used-win.clients < ceiling {
			n.stats.Displaced++
		}
	}
}
