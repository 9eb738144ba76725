package emulator

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RateLimits say how many requests the org lets through. The zero value is ten times what a workforce org gets.
type RateLimits struct {
	Profile     string         // "generous" (also ""), "workforce", "enterprise" or "free"
	Buckets     map[string]int // requests a window by bucket name, over the profile's
	Window      time.Duration  // length of a window; 0 means 60 s
	Share       int            // per cent of a bucket that one token may use; 0 means 100 (real orgs: 50)
	ShowShare   bool           // X-Rate-Limit-Limit shows the token's share, not the org's ceiling
	Concurrency int            // requests in flight; 0 means 75
}

// Buckets, by the names that Stats and RateLimits use.
const (
	bucketUsers   = "/users"
	bucketUser    = "/users/{id}"
	bucketGroups  = "/groups"
	bucketGroup   = "/groups/{id}"
	bucketApps    = "/apps"
	bucketApp     = "/apps/{id}"
	bucketDevices = "/devices"
	bucketLogs    = "/logs"
	bucketIAM     = "/iam"
	bucketClients = "/oauth2/v1/clients"
	bucketShares  = "/principal-rate-limits"
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
	usualConcurrency = 75
	generosity       = 10
)

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
	ends time.Time
	used int
}

// Stats are what the org has answered so far.
type Stats struct {
	Requests    map[string]int // by bucket
	Statuses    map[int]int    // by HTTP status
	Throttled   int            // 429 answers because a window was used up
	Crowded     int            // 429 answers because too much was in flight
	MaxInFlight int
	Tokens      int   // access tokens given out
	Bytes       int64 // of bodies
}

// Stats returns a copy of the counters.
func (o *Org) Stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.stats
	s.Requests, s.Statuses = make(map[string]int), make(map[int]int)
	for k, v := range o.stats.Requests {
		s.Requests[k] = v
	}
	for k, v := range o.stats.Statuses {
		s.Statuses[k] = v
	}
	return s
}

// begin counts a request in and returns its number.
func (o *Org) begin() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flying++
	o.stats.MaxInFlight = max(o.stats.MaxInFlight, o.flying)
	o.requests++
	return o.requests
}

func (o *Org) finish() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.flying--
}

func (o *Org) count(status, bodyBytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stats.Statuses[status]++
	o.stats.Bytes += int64(bodyBytes)
}

func (o *Org) crowded() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	most := o.options.RateLimits.Concurrency
	if most == 0 {
		most = usualConcurrency
	}
	return o.flying > most
}

// spend takes one request out of the bucket's window and sets the three headers, or answers 429. Too much in flight is
// the other kind of 429, whose limit and remaining are 0.
func (o *Org) spend(w http.ResponseWriter, c *call, bucket string, concurrent, hide bool) (answer, bool) {
	limits := o.options.RateLimits
	length := limits.Window
	if length <= 0 {
		length = usualWindow
	}
	share := limits.Share
	if share <= 0 || share > 100 {
		share = 100
	}
	ceiling := limits.ceiling(bucket)
	allowed := ceiling * share / 100
	shown := ceiling
	if limits.ShowShare {
		shown = allowed
	}
	now := o.Now()

	o.mu.Lock()
	win := o.buckets[bucket]
	if win == nil || !now.Before(win.ends) {
		win = &window{ends: now.Add(length)}
		o.buckets[bucket] = win
	}
	o.stats.Requests[bucket]++
	over := win.used >= allowed
	switch {
	case concurrent:
		o.stats.Crowded++
	case over:
		o.stats.Throttled++
	default:
		win.used++
	}
	remaining, ends := shown-win.used, win.ends
	o.mu.Unlock()

	if over {
		remaining = 0
	}
	if concurrent {
		shown, remaining = 0, 0
	}
	if !hide {
		rateHeaders(w, shown, remaining, ends)
	}
	if concurrent || over {
		return o.failed(c, http.StatusTooManyRequests, "E0000047", "API call exceeded rate limit due to too many requests."), false
	}
	return answer{}, true
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
