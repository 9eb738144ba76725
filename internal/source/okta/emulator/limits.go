package emulator

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// RateLimits say how many requests the org lets through. The zero value is ten times what a workforce org gets.
//
// A bucket is counted in windows that start with the first request after the last one's end, not with the minute. Each
// client, that is the API token or an OAuth app, may use its share of every bucket, and all of them together the whole.
type RateLimits struct {
	Profile          string         // "generous" (also ""), "workforce", "enterprise" or "free"
	Buckets          map[string]int // requests a window by bucket name, over the profile's
	Window           time.Duration  // length of a window; 0 means 60 s, less than 2 s is 2 s: Reset is in whole seconds
	Share            int            // per cent of a bucket that one client may use; 0 means 100 (real orgs: 50)
	ShowShare        bool           // X-Rate-Limit-Limit and -Remaining show the client's share, not the org's ceiling
	Concurrency      int            // requests in flight; 0 means 75
	ConcurrencyShare int            // per cent of Concurrency that one client may use; 0 means 100 (real orgs: 50)
}

// Buckets, by the names that Stats and RateLimits use.
const (
	bucketUsers   = "/users"
	bucketUser    = "/users/{id}"
	bucketGroups  = "/groups"
	bucketGroup   = "/groups/{id}"
	bucketLogs    = "/logs"
	bucketIAM     = "/iam"
	bucketClients = "/oauth2/v1/clients"
	bucketShares  = "/principal-rate-limits"
	bucketApps    = "/apps"
	bucketApp     = "/apps/{id}"
	bucketDevices = "/devices"
	bucketOther   = "/oauth2/v1" // the token endpoint, and all that is no API
	bucketRest    = "/api/v1"
)

// profiles are requests a minute. The vendor's last published numbers; /iam was never published.
var profiles = map[string]map[string]int{
	"free":       {bucketApps: 20, bucketApp: 100, bucketDevices: 100, bucketOther: 1000, bucketUsers: 100, bucketUser: 100, bucketGroups: 100, bucketGroup: 100, bucketLogs: 20, bucketIAM: 100, bucketClients: 100, bucketShares: 100, bucketRest: 100},
	"enterprise": {bucketApps: 100, bucketApp: 600, bucketDevices: 150, bucketOther: 3000, bucketUsers: 600, bucketUser: 1000, bucketGroups: 600, bucketGroup: 600, bucketLogs: 50, bucketIAM: 600, bucketClients: 600, bucketShares: 600, bucketRest: 600},
	"workforce":  {bucketApps: 100, bucketApp: 500, bucketDevices: 100, bucketOther: 10000, bucketUsers: 600, bucketUser: 2000, bucketGroups: 500, bucketGroup: 1000, bucketLogs: 120, bucketIAM: 600, bucketClients: 1200, bucketShares: 1200, bucketRest: 1200},
}

const (
	usualWindow      = time.Minute
	minWindow        = 2 * time.Second
	usualConcurrency = 75
	generosity       = 10
)

// Profiles are the names that RateLimits.Profile may have.
func Profiles() []string { return []string{"generous", "workforce", "enterprise", "free"} }

// Buckets are the names of what is counted apart.
func Buckets() []string { return slices.Sorted(maps.Keys(profiles["workforce"])) }

func unknownBucket(name string) error {
	return fmt.Errorf("there is no bucket %q: want one of %s", name, strings.Join(Buckets(), ", "))
}

// Check says what is wrong with limits that a person gave.
func (l RateLimits) Check() error {
	if l.Profile != "" && !slices.Contains(Profiles(), l.Profile) {
		return fmt.Errorf("there is no profile %q: want one of %s", l.Profile, strings.Join(Profiles(), ", "))
	}
	for name, n := range l.Buckets {
		if !slices.Contains(Buckets(), name) {
			return unknownBucket(name)
		}
		if n < 0 {
			return fmt.Errorf("bucket %q: %d is no number of requests", name, n)
		}
	}
	if l.Window != 0 && l.Window < minWindow {
		return fmt.Errorf("a window of %s is too short: want %s at least, for its end is told in whole seconds", l.Window, minWindow)
	}
	if l.Share < 0 || l.Share > 100 || l.ConcurrencyShare < 0 || l.ConcurrencyShare > 100 {
		return errors.New("a share is a per cent from 1 to 100")
	}
	if l.Concurrency < 0 {
		return fmt.Errorf("%d is no number of requests in flight", l.Concurrency)
	}
	return nil
}

func (l RateLimits) withDefaults() RateLimits {
	if l.Window <= 0 {
		l.Window = usualWindow
	}
	l.Window = max(l.Window, minWindow)
	if l.Share <= 0 || l.Share > 100 {
		l.Share = 100
	}
	if l.Concurrency <= 0 {
		l.Concurrency = usualConcurrency
	}
	if l.ConcurrencyShare <= 0 || l.ConcurrencyShare > 100 {
		l.ConcurrencyShare = 100
	}
	l.Buckets = maps.Clone(l.Buckets)
	return l
}

// SetLimits replaces the rate limits. Windows that have begun keep their end and their counts.
func (o *Org) SetLimits(limits RateLimits) {
	now := o.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.makeNoise(now)
	o.limits = limits.withDefaults()
	o.retime(now)
}

// Limits are the rate limits now, all defaults filled in.
func (o *Org) Limits() RateLimits {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.limits
	l.Buckets = maps.Clone(l.Buckets)
	return l
}

func (l RateLimits) ceiling(bucket string) int {
	if n, ok := l.Buckets[bucket]; ok {
		return n
	}
	if p, ok := profiles[l.Profile]; ok {
		return p[bucket]
	}
	return generosity * profiles["workforce"][bucket]
}

// bucketOf names the counter that a path falls under.
func bucketOf(path string) string {
	rest, ok := strings.CutPrefix(path, "/api/v1/")
	if !ok {
		if strings.HasPrefix(path, "/oauth2/v1/clients") {
			return bucketClients
		}
		return bucketOther
	}
	parts := strings.Split(rest, "/")
	switch parts[0] {
	case "users":
		if len(parts) == 2 {
			return bucketUser
		}
		return bucketUsers
	case "groups":
		if len(parts) == 2 && parts[1] != "rules" {
			return bucketGroup
		}
		return bucketGroups
	case "apps":
		if len(parts) == 2 {
			return bucketApp
		}
		return bucketApps
	case "devices":
		return bucketDevices
	case "logs":
		return bucketLogs
	case "iam":
		return bucketIAM
	case "principal-rate-limits":
		return bucketShares
	}
	return bucketRest
}

// window counts a bucket's requests from its first one on.
type window struct {
	ends    time.Time
	used    int            // let through, of all
	clients int            // of them those of clients: the rest is noise
	by      map[string]int // of them by client or noise
}

// windowAt is the bucket's window at an instant. Org.mu is held.
func (o *Org) windowAt(bucket string, at time.Time) *window {
	win := o.buckets[bucket]
	if win == nil || !at.Before(win.ends) {
		win = &window{ends: at.Add(o.limits.Window), by: make(map[string]int)}
		o.buckets[bucket] = win
	}
	return win
}

// spend takes one request out of the bucket's window and sets the three headers, or answers 429. Too much in flight is
// the other kind of 429, whose limit and remaining are 0.
func (o *Org) spend(w http.ResponseWriter, c *call, bucket string) (answer, bool) {
	now, client := o.Now(), c.client()
	o.mu.Lock()
	o.makeNoise(now)
	o.spent = now
	limits := o.limits
	concurrent := c.fault.Concurrency || o.crowded(client)
	ceiling := limits.ceiling(bucket)
	allowed := ceiling * limits.Share / 100
	win := o.windowAt(bucket, now)
	over := win.by[client] >= allowed || win.used >= ceiling
	stats := o.statsOf(client)
	o.stats.Requests[bucket]++
	stats.Requests[bucket]++
	switch {
	case concurrent:
		o.stats.Crowded++
		stats.Crowded++
	case over:
		o.stats.Throttled++
		stats.Throttled++
	default:
		win.used++
		win.clients++
		win.by[client]++
		stats.MostInWindow[bucket] = max(stats.MostInWindow[bucket], win.by[client])
	}
	shown, remaining := ceiling, ceiling-win.used
	if limits.ShowShare {
		shown, remaining = allowed, min(allowed-win.by[client], ceiling-win.used)
	}
	ends := win.ends
	o.mu.Unlock()

	if over {
		remaining = 0
	}
	if concurrent {
		shown, remaining = 0, 0
	}
	if !c.fault.HideRateHeaders {
		rateHeaders(w, shown, remaining, ends.Add(c.fault.Skew))
	}
	if concurrent || over {
		usual := usualErrors[http.StatusTooManyRequests]
		return o.failed(c, http.StatusTooManyRequests, usual[0], usual[1]), false
	}
	return answer{}, true
}

// crowded reports whether there is too much in flight, of all or of the client. Org.mu is held.
func (o *Org) crowded(client string) bool {
	most := o.limits.Concurrency
	flying := o.flying
	for _, n := range o.noise {
		flying += n.InFlight
	}
	return flying > most || o.statsOf(client).flying > most*o.limits.ConcurrencyShare/100
}

// rateHeaders sets the headers; reset is whole Unix seconds, rounded up so that waiting for it is enough.
func rateHeaders(w http.ResponseWriter, limit, remaining int, reset time.Time) {
	at := reset.Unix()
	if reset.Nanosecond() > 0 {
		at++
	}
	h := w.Header()
	h.Set("X-Rate-Limit-Limit", strconv.Itoa(limit))
	h.Set("X-Rate-Limit-Remaining", strconv.Itoa(max(remaining, 0)))
	h.Set("X-Rate-Limit-Reset", strconv.FormatInt(at, 10))
}
