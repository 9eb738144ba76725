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

// bucket is what we know of one rate-limit bucket: Okta counts requests in windows of about 60 s that begin with the
// first request and show their limit, rest and end in every answer.
//
// A token bucket (x/time/rate) would be the wrong model: with a rate of half the limit a minute and any burst it
// spends more than half in some window, which is exactly where Okta cuts a token off. So requests are counted in the
// same windows as Okta counts them.
type bucket struct {
	onWait func(until time.Time) // see Config.Waiting
	name   string
	log    *slog.Logger
	share  *share

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced whenever an answer brought news
	inFlight int
	known    bool      // an answer has shown the window
	limit    int       // 0: answers carry no rate headers, nothing to pace by
	rest     int       // left of limit, for all clients
	used     int       // requests of ours in the window, those in flight included
	others   int       // requests of other clients in the window
	usual    int       // the same in the windows before
	ceiling  int       // what a 429 taught us about our own share; 0 for nothing
	calm     int       // windows ended since
	reset    int64     // the window's end as Okta says it, Unix seconds
	end      time.Time // the same by the local clock, with slack
	last     time.Time // when a request was admitted last
	parked   time.Time // no request before, after a 429
	blind    int       // 429s in a row that did not say when the window ends
	told     time.Time // waits up to here have been logged
	pending  int       // requests that are known to come
	foreseen int       // requests that are expected to come; 0 for not known

	waiting    int // requests that wait
	waitedFrom time.Time
	waited     time.Duration // how long there were any, but for those that wait now
}

// wait blocks until the request for path may be sent, and counts it. Every wait without error is followed by one done.
func (b *bucket) wait(ctx context.Context, path string) error {
	waits := false
	defer func() {
		if waits {
			b.waits(-1)
		}
	}()
	for {
		b.mu.Lock()
		now := time.Now()
		delay, admitted := b.admit(now)
		if !admitted {
			b.tell(now, delay, path)
			if !waits {
				waits = true
				b.countWaiting(now, 1)
			}
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

// waits counts the requests that wait, and how long there are any.
func (b *bucket) waits(more int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.countWaiting(time.Now(), more)
}

func (b *bucket) countWaiting(now time.Time, more int) {
	if b.waiting == 0 {
		b.waitedFrom = now
	}
	if b.waiting += more; b.waiting == 0 {
		b.waited += now.Sub(b.waitedFrom)
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
	if b.onWait != nil {
		b.onWait(now.Add(delay))
	}
}

// admit counts a request in, or says how long to wait before asking again.
func (b *bucket) admit(now time.Time) (delay time.Duration, ok bool) {
	if delay := b.parked.Sub(now); delay > 0 {
		return delay, false
	}
	if b.known && b.limit > 0 && !now.Before(b.end) {
		b.turn()
	}
	switch {
	case !b.known && b.inFlight > 0:
		return maxPark, false // the first request goes alone, its answer says how many may follow
	case b.known && b.limit > 0:
		budget := b.budget(now)
		left := b.end.Sub(now)
		if budget <= 0 {
			return left, false
		}
		if b.spread(budget) {
			if delay := b.last.Add(left / time.Duration(budget)).Sub(now); delay > 0 {
				return delay, false
			}
		}
	}
	b.inFlight++
	b.used++
	b.foreseen = max(0, b.foreseen-1)
	b.last = now
	return 0, true
}

// turn ends a window by the local clock; the next answer shows the new one.
func (b *bucket) turn() {
	b.usual, b.others = max(b.others, b.usual/2), 0
	b.known, b.used = false, b.inFlight
	if b.calm++; b.ceiling > 0 && b.calm%calmWindows == 0 {
		b.ceiling += max(1, b.ceiling/10) // it may have been another client, which has ended
	}
}

// spread reports whether requests are spread evenly over what is left of the window, as they are when there are more
// to send than it has room for: that way others always find room, and what they take shows in time. What fits goes as
// fast as it can. When nobody knows how many are to come, the first half of the budget goes fast, so that small orgs
// never wait, and the second half is spread.
func (b *bucket) spread(budget int) bool {
	work := max(b.pending, b.foreseen)
	return work > budget || b.foreseen == 0 && budget < b.cap()/2
}

// cap is how many requests of ours a window may hold. A ceiling learnt counts for no less than a quarter of our
// share: a 429 early in a window says that another client came in, not that our own ceiling is next to nothing.
func (b *bucket) cap() int {
	n := max(1, int(float64(b.limit)*b.share.part()))
	if b.ceiling > 0 {
		n = min(n, max(b.ceiling, n/4))
	}
	return n
}

// budget is how many more requests may go in this window: what is left of our share, and never what others still need.
func (b *bucket) budget(now time.Time) int {
	room := b.rest - b.inFlight
	reserve := int(float64(b.limit) * reserveShare)
	n := min(b.cap()-b.used, room-reserve-b.toOthers(now))
	// A bucket that others keep nearly empty must not starve us.
	if b.used == 0 && b.rest > 0 || b.used < b.cap()/20 && room > reserve/2 {
		n = max(n, 1)
	}
	return n
}

// toOthers is how many requests of other clients are to be expected in the rest of the window: as many as their pace
// so far makes, or as they lack to what they took in the windows before.
func (b *bucket) toOthers(now time.Time) int {
	left := b.end.Add(-windowSlack).Sub(now)
	gone := max(windowLength-left, windowLength/6) // a pace needs some time to show
	pace := int(float64(b.others) * max(0, left.Seconds()) / gone.Seconds())
	return max(pace, b.usual-b.others)
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
	b.wake()
}

func (b *bucket) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// owe says that n requests more are certain to come; what is owed and not sent is taken back with a negative n.
func (b *bucket) owe(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending = max(0, b.pending+n)
}

func (b *bucket) foresee(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.foreseen = n
}

// uncertain reports whether it is time to ask Okta for our share: enough is spent that the answer matters soon.
func (b *bucket) uncertain() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.known && b.limit > 0 && b.used > max(minUncertain, int(float64(b.limit)*b.share.setting/4))
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
		if b.known = b.known || !tooMany; !tooMany {
			b.blind = 0
			return
		}
		// When the window ends is not said: wait longer each time, until it must have ended.
		wait := min(5*time.Second<<b.blind, maxPark-5*time.Second)
		b.blind = min(b.blind+1, 8)
		b.park(now, wait+rand.N(5*time.Second))
		return
	}
	if b.known && !tooMany && int64(reset) < b.reset-1 && int64(reset) > b.reset-int64(maxPark/time.Second) {
		return // of the window before: newer answers have told of this one
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
		if b.known { // not ended by the local clock yet
			b.turn()
		}
		b.used, b.rest = b.inFlight+1, rest
	}
	if b.reset == 0 || rest < b.rest { // answers may overtake each other
		b.rest = rest
	}
	if b.others = max(b.others, limit-b.rest-b.used); b.others > limit/20 {
		b.share.shared()
	}
	b.share.saw(b.name, limit)
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
