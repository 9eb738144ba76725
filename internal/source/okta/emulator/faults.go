package emulator

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// Faults are the troubles to make. A request meets all that fire for it, together.
type Faults []Fault

// Fault is one trouble. Which requests it meets: those under Prefix, and of these the Nth, every Every-th, or a share;
// all of them when none of the three is set. What it does: the fields below, together where they can be.
type Fault struct {
	Prefix   string // of the path, such as "/api/v1/users"; "" is every path
	Contains string // the path must also contain this, such as "/roles"; "" is any
	Nth      int    // the Nth matching request alone, from 1
	Every    int    // each Every-th matching request
	PerMille int    // this many of 1000 matching requests, the same ones for the same seed
	Times    int    // stop after this many times; 0 never

	Status          int           // answer this status with Okta's body for it; 429 is a window used up, 401 a revoked token
	Code            string        // instead of the status's usual errorCode: E0000015 with 401 is an absent feature
	BareBody        bool          // with Status: an HTML page as gateways send it, no JSON
	Latency         time.Duration // wait before answering
	Truncate        bool          // half the body, then the connection ends
	Malformed       bool          // a body that is no JSON
	Empty           bool          // an empty page whose next link leads to the items
	RepeatCursor    bool          // a next link that leads to the same page again
	Concurrency     bool          // the 429 of too many requests in flight
	HideRateHeaders bool          // no X-Rate-Limit headers
	Skew            time.Duration // the server's clock, in Date and X-Rate-Limit-Reset, goes wrong by so much
	ExpireToken     bool          // the credential dies with this request: an access token for good, the API token for once
	NewNonce        bool          // the DPoP nonce changes before this request, and the older ones are refused
}

// meet returns all the trouble planned for a request, as one fault.
func (o *Org) meet(path string) (all Fault) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, f := range o.options.Faults {
		if !strings.HasPrefix(path, f.Prefix) || !strings.Contains(path, f.Contains) {
			continue
		}
		o.firing[i].met++
		met := o.firing[i].met
		d := newDraw(o.seed, saltFault+salt(i)<<8, met)
		fires := f.Nth == 0 && f.Every == 0 && f.PerMille == 0 || met == f.Nth ||
			f.Every > 0 && met%f.Every == 0 || f.PerMille > 0 && d.chance(f.PerMille)
		if fires && (f.Times == 0 || o.firing[i].fired < f.Times) {
			o.firing[i].fired++
			all.join(f)
		}
	}
	return all
}

// join adds another fault's trouble. Of two statuses the first stays, latencies add up.
func (f *Fault) join(more Fault) {
	if f.Status == 0 {
		f.Status, f.Code, f.BareBody = more.Status, more.Code, more.BareBody
	}
	f.Latency += more.Latency
	f.Truncate = f.Truncate || more.Truncate
	f.Malformed = f.Malformed || more.Malformed
	f.Empty = f.Empty || more.Empty
	f.RepeatCursor = f.RepeatCursor || more.RepeatCursor
	f.Concurrency = f.Concurrency || more.Concurrency
	f.Skew += more.Skew
	f.ExpireToken = f.ExpireToken || more.ExpireToken
	f.NewNonce = f.NewNonce || more.NewNonce
	f.HideRateHeaders = f.HideRateHeaders || more.HideRateHeaders
}

type firing struct{ met, fired int }

// usualErrors are the code and summary that Okta sends with a status.
var usualErrors = map[int][2]string{
	400: {"E0000001", "Api validation failed"},
	401: {"E0000011", "Invalid token provided"},
	403: {"E0000006", "You do not have permission to perform the requested action"},
	404: {"E0000007", "Not found: Resource not found"},
	410: {"E0000215", "The endpoint has been retired"},
	423: {"E0000239", "Policy priorities are being reconciled. Please try again later."},
	429: {"E0000047", "API call exceeded rate limit due to too many requests."},
	500: {"E0000009", "Internal Server Error"},
	502: {"E0000181", "Bad gateway"},
	503: {"E0000010", "Service is in read only mode"},
	504: {"E0000181", "Gateway timeout"},
}

// planned is the answer of a fault with a Status.
func (o *Org) planned(w http.ResponseWriter, c *call, f Fault) answer {
	usual := usualErrors[f.Status]
	if f.Code != "" {
		usual[0] = f.Code
	}
	if f.Code == "E0000015" {
		usual[1] = "You do not have permission to access the feature you are requesting"
	}
	if f.Status == http.StatusTooManyRequests && !f.HideRateHeaders {
		w.Header().Set("X-Rate-Limit-Remaining", "0")
	}
	a := o.failed(c, f.Status, usual[0], usual[1])
	if f.BareBody {
		a.body = []byte("<html><body><h1>" + http.StatusText(f.Status) + "</h1></body></html>")
	}
	return a
}

// bend changes an answer that the endpoint gave.
func (f Fault) bend(c *call, a *answer) {
	if a.list && f.Empty {
		a.items, a.next = nil, c.sameAgain(cursorMark+"1")
	}
	if a.list && f.RepeatCursor {
		a.next = c.sameAgain("")
	}
	if f.Malformed {
		*a = answer{status: a.status, body: []byte(`[{"id":"00u`), self: a.self}
	}
}

// sameAgain is the link of the request itself, its cursor extended by mark.
func (c *call) sameAgain(mark string) string {
	q := c.r.URL.Query()
	if mark != "" {
		q.Set("after", q.Get("after")+mark)
	}
	u := *c.r.URL
	u.RawQuery = q.Encode()
	return c.base + u.RequestURI()
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
