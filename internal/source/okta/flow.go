package okta

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// maxInFlight bounds requests at one time. An org allows 35 or 75 to all of its clients, and one client half.
	maxInFlight = 10
	// firstInFlight is how many may be under way before anything is known of the org.
	firstInFlight = 2
	// cleanAnswers is after how many good answers in a row one more may be under way.
	cleanAnswers = 20
	// slowdown is the least by which answers must take longer to count as slow: below, it is the machine's own noise.
	slowdown = 50 * time.Millisecond
	// latencyAnswers is how many answers of a kind make its latency known.
	latencyAnswers = 5
)

// flow bounds the requests in flight over all buckets, and finds out how many the org takes well: one more with every
// 20 clean answers while they come as quickly as before, half as many when Okta says that there are too many, fails,
// or takes twice as long.
type flow struct {
	mu       sync.Mutex
	allowed  int
	inFlight int
	highest  int // of inFlight
	queue    []chan struct{}
	clean    int
	cutAt    time.Time
	kinds    map[string]*latency
}

// latency is how long the answers of one kind of request take: lately, and usually.
type latency struct {
	answers       int
	lately, usual time.Duration
}

func newFlow() *flow { return &flow{allowed: firstInFlight, kinds: map[string]*latency{}} }

// acquire blocks until one more request may be under way. Every acquire without error is followed by one release.
func (f *flow) acquire(ctx context.Context) error {
	f.mu.Lock()
	if len(f.queue) == 0 && f.inFlight < f.allowed {
		f.enter()
		f.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	f.queue = append(f.queue, turn)
	f.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.Index(f.queue, turn); i >= 0 {
		f.queue = slices.Delete(f.queue, i, i+1)
	} else { // its turn came just now
		f.inFlight--
		f.admit()
	}
	return ctx.Err()
}

func (f *flow) enter() {
	f.inFlight++
	f.highest = max(f.highest, f.inFlight)
}

// admit lets in whoever waits, in order, as far as there is room.
func (f *flow) admit() {
	for len(f.queue) > 0 && f.inFlight < f.allowed {
		close(f.queue[0])
		f.queue = f.queue[1:]
		f.enter()
	}
}

// release ends a request that was sent at began; the answer is nil when none came. One that we gave up tells nothing.
func (f *flow) release(path string, began time.Time, a *answer, gaveUp bool) {
	now := time.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inFlight--
	switch {
	case gaveUp:
	case a == nil || a.status >= 500 || isCrowded(a):
		f.cut(now, began)
	case a.status < 300:
		f.judge(kindOf(path), now.Sub(began), now, began)
	}
	f.admit()
}

// judge learns from a good answer.
func (f *flow) judge(kind string, took time.Duration, now, began time.Time) {
	l := f.kinds[kind]
	if l == nil {
		l = &latency{lately: took, usual: took}
		f.kinds[kind] = l
	}
	l.answers++
	l.lately += (took - l.lately) / 4
	l.usual += (l.lately - l.usual) / 50 // what stays slow becomes the usual
	if l.lately < l.usual || l.answers <= latencyAnswers {
		l.usual = l.lately
	}
	over := l.lately - l.usual
	switch {
	case over > max(l.usual, slowdown):
		f.cut(now, began)
	case over <= max(l.usual/4, slowdown/2):
		if f.clean++; f.clean >= cleanAnswers {
			f.allowed, f.clean = min(f.allowed+1, maxInFlight), 0
		}
	}
}

// cut halves what may be under way, once for all requests that were under way together.
func (f *flow) cut(now, began time.Time) {
	f.clean = 0
	if began.Before(f.cutAt) {
		return
	}
	f.allowed, f.cutAt = max(1, f.allowed/2), now
}

// width is how many requests may be under way now.
func (f *flow) width() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.allowed
}

func (f *flow) widths() (now, highest int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.allowed, f.highest
}

// isCrowded reports whether an answer is the 429 of too many requests at once.
func isCrowded(a *answer) bool {
	limit, ok := headerInt(a.header, "X-Rate-Limit-Limit")
	return a.status == http.StatusTooManyRequests && ok && limit == 0
}

// kindOf names what requests of similar cost have in common: the first and last part of the path and how many there are.
func kindOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(strings.TrimPrefix(path, apiPrefix), "/")
	switch len(parts) {
	case 1:
		return parts[0]
	case 2:
		return parts[0] + "/{id}"
	}
	return parts[0] + strings.Repeat("/{}", len(parts)-2) + "/" + parts[len(parts)-1]
}
