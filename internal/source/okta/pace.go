package okta

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// defaultShare is the part of a bucket that Okta lets one API token use by default.
	defaultShare = 0.5
	// reserveShare is the part of a bucket left to other clients even when our share would allow more.
	reserveShare = 0.1
	// minPark and maxPark bound any wait for a window's end: windows are 60 s, and a clock may be off.
	minPark = time.Second
	maxPark = 75 * time.Second
	// windowSlack is added to a window's end, because Date and X-Rate-Limit-Reset are cut to whole seconds.
	windowSlack = time.Second
	// calmWindows is after how many windows a ceiling learnt from a 429 is tried again, a tenth higher.
	calmWindows = 5
	// longWait is the longest wait that is not logged.
	longWait = 5 * time.Second
	// maxLimit bounds what a header may claim.
	maxLimit = 1 << 30
)

// pacer keeps a bucket for each of Okta's rate-limit buckets, so that waiting for one never holds up another.
type pacer struct {
	share float64
	log   *slog.Logger

	mu      sync.Mutex
	buckets map[string]*bucket
}

func newPacer(share float64, log *slog.Logger) *pacer {
	return &pacer{share: share, log: log, buckets: map[string]*bucket{}}
}

// bucket returns the bucket that a request counts in.
func (p *pacer) bucket(path string) *bucket {
	name := bucketOf(path)
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.buckets[name]
	if b == nil {
		b = &bucket{name: name, log: p.log, share: p.share, changed: make(chan struct{})}
		p.buckets[name] = b
	}
	return b
}

// bucketOf names the rate-limit bucket of a request: exact path first, then the longest prefix. The sub-resources of
// a user count with the listing of users, not with reads of one user.
func bucketOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	rest, ok := strings.CutPrefix(path, apiPrefix)
	if !ok {
		return "other"
	}
	parts := strings.Split(rest, "/")
	switch parts[0] {
	case "users", "groups", "apps":
		if len(parts) == 2 && parts[1] != "rules" {
			return parts[0] + "/{id}"
		}
		return parts[0]
	case "logs", "devices", "iam":
		return parts[0]
	}
	return "api"
}

// bucket is what we know of one rate-limit bucket: Okta counts requests in windows of about 60 s that begin with the
// first request and show their limit, rest and end in every answer.
//
// A token bucket (x/time/rate) would be the wrong model: with a rate of half the limit a minute and any burst it
// spends more than half in some window, which is exactly where Okta cuts a token off. So requests are counted in the
// same windows as Okta counts them.
type bucket struct {
	name  string
	log   *slog.Logger
	share float64

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced whenever an answer brought news
	inFlight int
	known    bool      // an answer has shown the window
	limit    int       // 0: answers carry no rate headers, nothing to pace by
	rest     int       // left of limit, for all clients
	used     int       // requests of ours in the window, those in flight included
	ceiling  int       // what a 429 taught us about our own share; 0 for nothing
	calm     int       // windows ended since
	reset    int64     // the window's end as Okta says it, Unix seconds
	end      time.Time // the same by the local clock, with slack
	last     time.Time // when a request was admitted last
	parked   time.Time // no request before, after a 429
	told     time.Time // waits up to here have been logged
}

// wait blocks until the request for path may be sent, and counts it. Every wait without error is followed by one done.
func (b *bucket) wait(ctx context.Context, path string) error {
	for {
		b.mu.Lock()
		now := time.Now()
		delay, admitted := b.admit(now)
		if !admitted {
			b.tell(now, delay, path)
		}
		changed := b.changed
		b.mu.Unlock()
		if admitted {
			return nil
		}
		timer := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		case <-changed:
			timer.Stop()
		}
	}
}

// tell logs a long wait, once for all requests that wait for the same.
func (b *bucket) tell(now time.Time, delay time.Duration, path string) {
	parked := b.parked.After(now)
	if delay <= longWait || !parked && !b.known {
		return // short, or for the answer to the request before
	}
	until := b.end
	if parked {
		until = b.parked
	}
	if !until.After(b.told) {
		return
	}
	b.told = until.Add(2 * windowSlack) // a 429 can come just behind the wait for the same window
	level, why := slog.LevelInfo, fmt.Sprintf("our share of the rate limit is used up: %d of %d requests in this window", b.cap(), b.limit)
	if parked {
		level, why = slog.LevelWarn, "Okta answered 429: the rate limit is used up"
	}
	b.log.Log(context.Background(), level, "okta requests wait for the rate limit", "bucket", b.name, "wait", delay.Round(time.Second),
		"until", now.Add(delay).UTC().Format(time.RFC3339), "why", why, "path", shown(path))
}

// admit counts a request in, or says how long to wait before asking again.
func (b *bucket) admit(now time.Time) (delay time.Duration, ok bool) {
	if delay := b.parked.Sub(now); delay > 0 {
		return delay, false
	}
	if b.known && b.limit > 0 && !now.Before(b.end) {
		b.known, b.used = false, b.inFlight // the window is over; the next answer shows the new one
		if b.calm++; b.ceiling > 0 && b.calm%calmWindows == 0 {
			b.ceiling += max(1, b.ceiling/10) // it may have been another client, which has ended
		}
	}
	switch {
	case !b.known && b.inFlight > 0:
		return maxPark, false // the first request goes alone, its answer says how many may follow
	case b.known && b.limit > 0:
		budget := b.budget()
		left := b.end.Sub(now)
		if budget <= 0 {
			return left, false
		}
		// The first half of the budget goes as fast as it can, so that small orgs never wait; the second half is
		// spread over what is left of the window, so that there is always some progress.
		if budget < b.cap()/2 {
			if delay := b.last.Add(left / time.Duration(budget)).Sub(now); delay > 0 {
				return delay, false
			}
		}
	}
	b.inFlight++
	b.used++
	b.last = now
	return 0, true
}

// cap is how many requests of ours a window may hold. A ceiling learnt counts for no less than a quarter of our
// share: a 429 early in a window says that another client came in, not that our own ceiling is next to nothing.
func (b *bucket) cap() int {
	n := max(1, int(float64(b.limit)*b.share))
	if b.ceiling > 0 {
		n = min(n, max(b.ceiling, n/4))
	}
	return n
}

func (b *bucket) budget() int {
	n := min(b.cap()-b.used, b.rest-b.inFlight-int(float64(b.limit)*reserveShare))
	if b.used == 0 && b.rest > 0 {
		n = max(n, 1) // a bucket that others keep nearly empty must not starve us
	}
	return n
}

// done learns from the answer to an admitted request; a nil header means that none came.
func (b *bucket) done(status int, header http.Header) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inFlight--
	if header != nil {
		b.learn(now, status, header)
	}
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *bucket) learn(now time.Time, status int, header http.Header) {
	limit, hasLimit := headerInt(header, "X-Rate-Limit-Limit")
	rest, hasRest := headerInt(header, "X-Rate-Limit-Remaining")
	reset, hasReset := headerInt(header, "X-Rate-Limit-Reset")
	tooMany := status == http.StatusTooManyRequests
	if tooMany && hasLimit && limit == 0 {
		// Too many at once, not too many in the window: its reset is a guess, and its limit is not ours to learn.
		b.park(now, time.Second+rand.N(4*time.Second))
		return
	}
	if !hasLimit || !hasRest || !hasReset || limit == 0 {
		if tooMany {
			b.park(now, 5*time.Second+rand.N(5*time.Second))
		}
		b.known = b.known || !tooMany
		return
	}
	left := clampPark(time.Duration(int64(reset)-serverNow(now, header).Unix()) * time.Second)
	if tooMany {
		if b.rest > 0 && b.used > 1 && b.reset == int64(reset) {
			b.ceiling, b.calm = b.used-1, 0 // cut off although the bucket was not empty: this is our own ceiling
		}
		b.park(now, clampPark(left+rand.N(windowSlack)))
	}
	if b.reset == 0 { // a window that was there before us: what is spent may be ours, from a run before this one
		b.used = max(b.used, limit-rest)
	} else if int64(reset) > b.reset+1 { // a new window: what is in flight still counts in it, and so does this request
		b.used, b.rest = b.inFlight+1, rest
	}
	if b.reset == 0 || rest < b.rest { // answers may overtake each other
		b.rest = rest
	}
	b.known, b.limit, b.reset, b.end = true, limit, int64(reset), now.Add(left+windowSlack)
}

func (b *bucket) park(now time.Time, d time.Duration) {
	if until := now.Add(d); until.After(b.parked) {
		b.parked = until
	}
}

func clampPark(d time.Duration) time.Duration { return min(max(d, minPark), maxPark) }

// serverNow is the server's clock as its Date header shows it, or the local one.
func serverNow(now time.Time, header http.Header) time.Time {
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		return date
	}
	return now
}

func headerInt(header http.Header, name string) (int, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(header.Get(name)), 10, 64)
	if err != nil || n < 0 || n > 1<<40 {
		return 0, false
	}
	if name == "X-Rate-Limit-Reset" {
		return int(n), true
	}
	return int(min(n, maxLimit)), true
}
