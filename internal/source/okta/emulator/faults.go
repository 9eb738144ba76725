package emulator

import (
	"context"
	"math"
	"net/http"
	"strings"
	"time"
)

// Faults are the troubles to make. A request meets all that fire for it, together.
type Faults []Fault

// Fault is one trouble. Which requests it meets: those under Prefix, and of these the Nth, every Every-th, or a share;
// all of them when none of the three is set. What it does: the fields below, together where they can be. ParseFault reads
// one from a line of text.
type Fault struct {
	Prefix   string        // of the path, such as "/api/v1/users"; "" is every path
	Contains string        // the path must also contain this, such as "/roles"; "" is any
	Nth      int           // the Nth matching request alone, from 1
	Every    int           // each Every-th matching request
	PerMille int           // this many of 1000 matching requests, the same ones for the same seed
	From     int           // not before the From-th matching request
	Times    int           // stop after this many times; 0 never
	After    time.Duration // not before so much time has passed since the fault was set
	For      time.Duration // and for so long; 0 is for good

	Status          int           // answer this status with Okta's body for it; 429 is a window used up, 401 a revoked token
	Code            string        // instead of the status's usual errorCode: E0000015 with 401 is an absent feature
	BareBody        bool          // with Status: an HTML page as gateways send it, no JSON
	Latency         time.Duration // wait before answering
	Spread          float64       // Latency is the median of a log-normal distribution with this sigma; 0 is always Latency, 0.6 usual
	PerItem         time.Duration // wait for each item of a list, so that larger pages take longer
	Stall           time.Duration // half the body, then nothing for so long, then the rest
	Truncate        bool          // half the body, then the connection ends
	TruncateGzip    bool          // a whole answer whose gzip body lacks its end; half the JSON where gzip is not accepted
	Reset           bool          // half the body, then the connection is reset
	Drop            bool          // the connection ends without an answer
	Malformed       bool          // a body that is no JSON
	Empty           bool          // an empty page whose next link leads to the items
	Nothing         bool          // an empty list, as for an app without an admin role
	Duplicate       bool          // the page's last item comes again as the first of the next page
	Vanish          bool          // the next page's first item is not there: it moved while the list was read
	RepeatCursor    bool          // a next link that leads to the same page again
	Restart         bool          // a next link that leads to the first page
	ForeignLink     string        // a next link that leads to this host: Stats tells whether a credential went there. Over a socket it must be a name that leads here too, such as localhost:8090 beside 127.0.0.1:8090
	ExpireCursor    bool          // a request with a cursor is 400 E0000029 (or Code); others do not meet this fault
	Concurrency     bool          // the 429 of too many requests in flight
	HideRateHeaders bool          // no X-Rate-Limit headers
	Skew            time.Duration // the server's clock, in Date and X-Rate-Limit-Reset, goes wrong by so much
	ExpireToken     bool          // the credential dies with this request: an access token for good, the API token for once
	NewNonce        bool          // the DPoP nonce changes before this request, and the older ones are refused
}

// firing is how often a fault was met and fired.
type firing struct{ met, fired int }

// SetFaults replaces the troubles to make; their counts begin anew. Cursors that older faults gave out keep working.
func (o *Org) SetFaults(faults Faults) {
	now := o.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.setFaults(faults, now)
}

func (o *Org) setFaults(faults Faults, now time.Time) {
	o.faults, o.firing, o.faultsSet = faults, make([]firing, len(faults)), now
	for _, f := range faults {
		if f.ForeignLink != "" {
			o.foreign[f.ForeignLink] = true
		}
	}
}

// Faults are the troubles that are made now.
func (o *Org) Faults() Faults {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append(Faults{}, o.faults...)
}

// meet returns all the trouble planned for a request, as one fault.
func (o *Org) meet(r *http.Request) (all Fault) {
	now := o.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, f := range o.faults {
		if !strings.HasPrefix(r.URL.Path, f.Prefix) || !strings.Contains(r.URL.Path, f.Contains) {
			continue
		}
		if f.ExpireCursor && r.URL.Query().Get("after") == "" {
			continue
		}
		since := now.Sub(o.faultsSet)
		if since < f.After || f.For > 0 && since >= f.After+f.For {
			continue
		}
		o.firing[i].met++
		met := o.firing[i].met
		d := newDraw(o.seed, saltFault+salt(i)<<8, met)
		fires := f.Nth == 0 && f.Every == 0 && f.PerMille == 0 || met == f.Nth ||
			f.Every > 0 && met%f.Every == 0 || f.PerMille > 0 && d.chance(f.PerMille)
		if fires && met >= f.From && (f.Times == 0 || o.firing[i].fired < f.Times) {
			o.firing[i].fired++
			f.Latency = spread(&d, f.Latency, f.Spread)
			all.join(f)
		}
	}
	return all
}

// join adds another fault's trouble. Of two statuses, codes or hosts the first stays; durations add up.
func (f *Fault) join(more Fault) {
	if f.Status == 0 && f.Code == "" {
		f.Status, f.Code, f.BareBody = more.Status, more.Code, more.BareBody
	}
	f.Latency += more.Latency
	f.PerItem += more.PerItem
	f.Stall += more.Stall
	f.Skew += more.Skew
	if f.ForeignLink == "" {
		f.ForeignLink = more.ForeignLink
	}
	mine, others := f.switches(), more.switches()
	for i := range mine {
		*mine[i].on = *mine[i].on || *others[i].on
	}
}

// faultSwitch is a trouble that is on or off, and its name in ParseFault.
type faultSwitch struct {
	name string
	on   *bool
}

func (f *Fault) switches() []faultSwitch {
	return []faultSwitch{
		{"truncate", &f.Truncate},
		{"truncate-gzip", &f.TruncateGzip},
		{"reset", &f.Reset},
		{"drop", &f.Drop},
		{"malformed", &f.Malformed},
		{"empty", &f.Empty},
		{"nothing", &f.Nothing},
		{"duplicate", &f.Duplicate},
		{"vanish", &f.Vanish},
		{"repeat", &f.RepeatCursor},
		{"restart", &f.Restart},
		{"expired-cursor", &f.ExpireCursor},
		{"concurrency", &f.Concurrency},
		{"no-rate-headers", &f.HideRateHeaders},
		{"expired-token", &f.ExpireToken},
		{"new-nonce", &f.NewNonce},
	}
}

// spread draws from a log-normal distribution round a median. The 12 uniform numbers add up to a normal one.
func spread(d *draw, median time.Duration, sigma float64) time.Duration {
	if sigma <= 0 || median <= 0 {
		return median
	}
	sum := 0
	for range 12 {
		sum += d.below(1 << 20)
	}
	normal := float64(sum)/(1<<20) - 6
	return time.Duration(float64(median) * math.Exp(sigma*normal))
}

// usualErrors are the code and summary that Okta sends with a status.
var usualErrors = map[int][2]string{
	400: {"E0000001", "Api validation failed"},
	401: {"E0000011", "Invalid token provided"},
	403: {"E0000006", "You do not have permission to perform the requested action"},
	404: {"E0000007", "Not found: Resource not found"},
	409: {"E0000145", "The search result cannot be parsed"},
	410: {"E0000215", "The endpoint has been retired"},
	423: {"E0000239", "Policy priorities are being reconciled. Please try again later."},
	429: {"E0000047", "API call exceeded rate limit due to too many requests."},
	500: {"E0000009", "Internal Server Error"},
	502: {"E0000181", "Bad gateway"},
	503: {"E0000010", "Service is in read only mode"},
	504: {"E0000181", "Gateway timeout"},
}

// planned is the answer of a fault with a Status.
func (o *Org) planned(w http.ResponseWriter, c *call) answer {
	f := c.fault
	if f.Status == http.StatusUnauthorized && f.Code == "" && !f.BareBody && c.who != nil && c.who.app != nil {
		return o.challenge(c, refuse(f.Status, "invalid_token", "The access token provided is expired, revoked, malformed, or invalid for other reasons."), "")
	}
	usual := usualErrors[f.Status]
	if f.Code != "" {
		usual[0] = f.Code
	}
	if f.Code == "E0000015" {
		usual[1] = "You do not have permission to access the feature you are requesting"
	}
	if f.Status == http.StatusTooManyRequests {
		o.tally(c.client(), func(s *ClientStats) { s.Planned++ })
		if !f.HideRateHeaders {
			w.Header().Set("X-Rate-Limit-Remaining", "0")
		}
	}
	a := o.failed(c, f.Status, usual[0], usual[1])
	if f.BareBody {
		a.body = []byte("<html><body><h1>" + http.StatusText(f.Status) + "</h1></body></html>")
		a.header("Content-Type", "text/html")
	}
	return a
}

// wait waits for d; false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
