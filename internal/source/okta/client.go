package okta

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

const (
	// maxBodyBytes bounds an answer, unpacked. The largest page in practice, 1000 members with rich profiles, has 4 MB.
	maxBodyBytes = 64 << 20
	// maxRetries is how often a request is sent again before the stream fails.
	maxRetries = 8
	// maxFirstRetries is the same for a host that has never answered, or not since a request was given up: a wrong host, or
	// one that is gone, must not take minutes to tell.
	maxFirstRetries = 2
	// maxBrokenRetries is the same for answers that are no JSON, as long as there was no other: a proxy or a wrong host.
	maxBrokenRetries = 2
	// requestTimeout bounds one attempt. Okta gives a query up after 30 s.
	requestTimeout = 60 * time.Second
	// maxBackoff bounds the wait after a failure that is no 429.
	maxBackoff = 30 * time.Second
	// maxMended is how often one request is sent again after a 401 that a new nonce or a new token may get over.
	maxMended = 6
)

// client asks the API of one org for pages. It sends GET requests alone, so any may be repeated, and it sends them
// to the configured host alone. The retry loop is its own rather than go-retryablehttp's: a wait belongs to a bucket,
// not to a request, a retry may ask for less, and a broken body is retried like a broken connection.
type client struct {
	base  *url.URL
	auth  authorizer
	http  *http.Client
	agent string
	pace  *pacer
	flow  *flow
	meter *meter
	kept  *kept
	log   *slog.Logger

	read     extraction // when answers' records were read
	empty    suspicion
	answered atomic.Bool  // the host has answered before, and since the last request that got no answer was given up
	sane     atomic.Bool  // and with a whole JSON answer
	skew     atomic.Int64 // the server's clock less ours, nanoseconds; 0 before the first answer

	mu    sync.Mutex
	hosts map[string]bool // hosts that a link may name
}

// answer is what came back for a request.
type answer struct {
	path     string // the request answered; its limit may be smaller than the one asked for
	status   int
	header   http.Header
	body     []byte
	at       time.Time   // when it came, local clock
	statuses map[int]int // all statuses met on the way, 0 for a broken connection
	again    bool        // the credential was mended after it, so that the request may fare better now
	mended   int         // 401s before it that a mended credential got over
}

// patience is how long a request is repeated.
type patience struct {
	retries   int           // after failures other than a 429, which has maxRetries
	within    time.Duration // none later than this after the first attempt, but for a 429; 0 for no bound
	attempt   time.Duration // bounds one attempt once it is sent; 0 means requestTimeout
	anonymous bool          // without the credential
}

// get returns the JSON answer to a request (path and query), after as many retries as it takes. The answer is not
// nil when there was one, also beside an error: its statuses belong to the account of the page. Errors: *APIError for
// a status, fault.Unavailable for a host that cannot be reached, fault.Invalid for one that is no Okta org.
func (c *client) get(ctx context.Context, path string) (*answer, error) {
	retries := maxRetries
	if stream, _ := ctx.Value(streamKey{}).(string); stream == estimateName {
		retries = maxForeseeRetries
	}
	return c.ask(ctx, path, patience{retries: retries})
}

// ask is get with a patience of its own.
func (c *client) ask(ctx context.Context, path string, p patience) (*answer, error) {
	statuses, began, broken := map[int]int{}, time.Now(), 0
	for try := 0; ; try++ {
		a, err := c.once(ctx, path, p)
		if isBroken(err) {
			broken++
		}
		if ctx.Err() != nil && (err != nil || a.status != http.StatusOK) {
			return nil, fmt.Errorf("GET %s: %w", shown(path), context.Cause(ctx))
		}
		if a == nil {
			a = &answer{path: path, at: time.Now()}
		}
		statuses[a.status]++
		if a.mended > 0 {
			statuses[http.StatusUnauthorized] += a.mended
		}
		a.statuses = statuses
		if err == nil && a.status == http.StatusOK {
			c.sane.Store(true)
			return a, nil
		}
		if isFinal(err) {
			return a, err
		}
		if err == nil && !retriable(a.status) {
			return a, c.classify(a)
		}
		if broken > maxBrokenRetries && !c.sane.Load() || c.givesUp(a, p, try, began) {
			if a.status == 0 && p.within == 0 {
				c.answered.Store(false) // what else is asked of a host that is gone must not take minutes each
			}
			return a, c.failure(a, err)
		}
		c.meter.count(ctx, bucketOf(path), Use{Retried: 1})
		if a.status == http.StatusTooManyRequests {
			continue // the bucket is parked: waiting for it is the wait, and it tells of it
		}
		if p.within == 0 { // a probe's outcome is told at once
			c.warnRepeat(a, err, try)
		}
		if limit := limitOf(path); limit > minLimit && asksForLess(a.status, err) {
			path = withLimit(path, max(minLimit, limit/2))
		}
		if err := sleep(ctx, backoff(try)); err != nil {
			return nil, fmt.Errorf("GET %s: %w", shown(path), err)
		}
	}
}

// givesUp reports whether a failed attempt was the last one. The first attempt is number 0.
func (c *client) givesUp(a *answer, p patience, try int, began time.Time) bool {
	retries := p.retries
	switch {
	case a.status == http.StatusTooManyRequests:
		return try >= maxRetries
	case a.status == 0 && !c.answered.Load():
		retries = min(retries, maxFirstRetries)
	}
	return try >= retries || p.within > 0 && time.Since(began) >= p.within
}

// failure is the error of the last attempt.
func (c *client) failure(a *answer, err error) error {
	switch {
	case err == nil:
		return c.classify(a)
	case isBroken(err), asAPIError(err) != nil: // the second is one of the token endpoint
		return err
	}
	return unreachable(c.base, err)
}

func (c *client) warnRepeat(a *answer, err error, try int) {
	attributes := []any{"path", shown(a.path), "status", a.status, "try", try + 1}
	if err != nil {
		attributes = append(attributes, "error", err)
	}
	c.log.Warn("okta request will be repeated", attributes...)
}

// once sends a request once, and again after a 401 that a mended credential may get over. An error means that no whole
// answer came.
func (c *client) once(ctx context.Context, path string, p patience) (*answer, error) {
	for mended := 0; ; mended++ {
		a, err := c.inTurn(ctx, path, p)
		if a == nil {
			return nil, err
		}
		a.mended = mended
		if !a.again || mended == maxMended {
			return a, err
		}
	}
}

// inTurn sends a request when there is a credential for it, and its bucket and the requests under way allow.
func (c *client) inTurn(ctx context.Context, path string, p patience) (*answer, error) {
	if !p.anonymous {
		if err := c.auth.ready(ctx); err != nil {
			return nil, err
		}
	}
	bucket := c.pace.bucket(path)
	if bucket.uncertain() {
		c.askShare(ctx)
	}
	if err := bucket.wait(ctx, path); err != nil {
		return nil, err
	}
	status, header := 0, http.Header(nil)
	defer func() { bucket.done(status, header) }()
	if err := c.flow.acquire(ctx); err != nil {
		return nil, err
	}
	began := time.Now()
	a, err := c.send(sending(ctx), path, p)
	if a != nil {
		status, header = a.status, a.header
	}
	c.meter.sent(ctx, bucket.name, a)
	c.flow.release(path, began, a, sending(ctx).Err() != nil)
	return a, err
}

// send sends a request. An error means that no whole answer came.
func (c *client) send(ctx context.Context, path string, p patience) (*answer, error) {
	timeout := requestTimeout
	if p.attempt > 0 {
		timeout = p.attempt
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := c.request(ctx, path, !p.anonymous)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	a := &answer{path: path, status: response.StatusCode, header: response.Header, at: time.Now()}
	c.heard(a.header, a.at)
	if a.body, err = io.ReadAll(io.LimitReader(response.Body, maxBodyBytes+1)); err != nil {
		return a, fmt.Errorf("the answer breaks off: %w", err)
	}
	if !p.anonymous {
		a.again = c.auth.met(request, a)
	}
	if a.status != http.StatusOK {
		return a, nil
	}
	return a, checkBody(a)
}

// heard notes that the host answers, and its clock.
func (c *client) heard(header http.Header, at time.Time) {
	c.answered.Store(true)
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		c.skew.Store(int64(date.Sub(at)))
	}
}

// clockSkew is the server's clock less ours, 0 before the first answer.
func (c *client) clockSkew() time.Duration { return time.Duration(c.skew.Load()) }

// now is the server's clock as far as it is known.
func (c *client) now() time.Time { return time.Now().Add(c.clockSkew()) }

func (c *client) request(ctx context.Context, path string, withAuth bool) (*http.Request, error) {
	target, err := url.Parse(path)
	if err != nil || target.Host != "" || !strings.HasPrefix(path, "/") {
		return nil, fault.Errorf(fault.Invalid, "request %q is no path", shown(path))
	}
	target.Scheme, target.Host = c.base.Scheme, c.base.Host
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "request %q: %w", shown(path), err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", c.agent)
	if withAuth {
		if err := c.auth.authorize(request); err != nil {
			return nil, err
		}
	}
	return request, nil
}

// checkBody refuses a 200 that is no JSON: for good when it says so itself, else as a broken answer.
func checkBody(a *answer) error {
	if len(a.body) > maxBodyBytes {
		return fault.Errorf(fault.Invalid, "GET %s: the answer is larger than %d bytes", shown(a.path), maxBodyBytes)
	}
	mediaType, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	named := mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")
	if !named && (isHTML(a.header) || !looksJSON(a.body) || rawjson.Check(a.body) != nil) {
		return fault.Errorf(fault.Invalid, "GET %s: the host answers with %q instead of JSON, it is no Okta org", shown(a.path), shown(a.header.Get("Content-Type"))).
			WithHint("Check the org URL: it is the host that people sign in at, such as https://acme.okta.com. A proxy's sign-in page looks like this too.")
	}
	if err := rawjson.Check(a.body); err != nil {
		// The cause's kind says that trying again is in vain: only its text goes on.
		e := fault.Errorf(fault.Unavailable, "GET %s: the answer is no JSON: %s", shown(a.path), err)
		return &brokenError{e.WithHint("A proxy or the wrong host answers in Okta's place: check the org URL, and the proxy if there is one.")}
	}
	return nil
}

// looksJSON reports whether a body begins like a list or an object: a gateway can take away what says that it is JSON.
func looksJSON(body []byte) bool {
	body = bytes.TrimSpace(body)
	return len(body) > 0 && (body[0] == '[' || body[0] == '{')
}

// brokenError is a 200 that calls itself JSON and is none.
type brokenError struct{ fault *fault.Error }

func (e *brokenError) Error() string { return e.fault.Error() }

// Unwrap returns the *fault.Error with kind and hint.
func (e *brokenError) Unwrap() error { return e.fault }

func isBroken(err error) bool { return errors.As(err, new(*brokenError)) }

func retriable(status int) bool {
	return status == http.StatusTooManyRequests || status >= 500 || status == http.StatusLocked || status == http.StatusRequestTimeout
}

// asksForLess reports whether a failure looks like a query that took too long.
func asksForLess(status int, err error) bool {
	var timeout interface{ Timeout() bool }
	return status == http.StatusInternalServerError || status == http.StatusGatewayTimeout || errors.As(err, &timeout) && timeout.Timeout()
}

// backoff is 1, 2, 4, … seconds, at most maxBackoff, of which up to a quarter is left to chance.
func backoff(try int) time.Duration {
	d := min(maxBackoff, time.Second<<min(try, 10))
	return d - rand.N(d/4)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// unreachable names what keeps us from the host.
func unreachable(base *url.URL, err error) error {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	if sent := (*url.Error)(nil); errors.As(err, &sent) {
		err = sent.Err // without the URL, which can be long
	}
	e := fault.Errorf(fault.Unavailable, "no answer from %s: %w", base.Host, err)
	switch {
	case errors.As(err, &dns):
		return e.WithHint("The name %s is not known here. Check the spelling of the org, and this machine's DNS.", base.Hostname())
	case errors.As(err, &certificate):
		return e.WithHint("The certificate of %s is not trusted. A proxy that opens TLS needs its authority in the system's trust store.", base.Hostname())
	case errors.As(err, new(tls.RecordHeaderError)):
		return e.WithHint("%s does not speak TLS on this port. Write http:// in front of it if that is meant.", base.Host)
	}
	return e.WithHint("Check the network, the proxy and the port, and run again: reading goes on where it stopped.")
}

// serverTime is the org's clock. Before the first answer it asks the org's public document for one; a host that
// does not answer leaves the local clock.
func (c *client) serverTime(ctx context.Context) time.Time {
	if c.skew.Load() == 0 {
		_, _ = c.once(ctx, wellKnownPath, patience{anonymous: true}) // any answer has a Date, whatever else is wrong with it
	}
	return c.now().UTC()
}

// follow turns a link out of an answer into a request. Only path and query are used; a link to a host that is not
// the org's is refused, because something is then wrong with the answer.
func (c *client) follow(ctx context.Context, link string) (string, error) {
	host, path, err := splitLink(link)
	if err != nil {
		return "", err
	}
	if host == "" || c.knowsHost(host) {
		return path, nil
	}
	// An org with a custom domain may name its own okta.com host in links; its public document tells that host.
	if a, err := c.once(ctx, wellKnownPath, patience{anonymous: true}); err == nil && a.status == http.StatusOK {
		if canonical, err := url.Parse(rawjson.GetString(a.body, "_links", "organization", "href")); err == nil && canonical.Host != "" {
			c.addHost(strings.ToLower(canonical.Host))
		}
	}
	if c.knowsHost(host) {
		return path, nil
	}
	return "", fault.Errorf(fault.Invalid, "a link leads to %q, which is not the org's host %s", shown(host), c.base.Host).
		WithHint("The link was not followed and the credential not sent. If the org moved to another domain, set its new URL.")
}

func (c *client) knowsHost(host string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hosts[host]
}

// addHost lets links name a host and its admin console.
func (c *client) addHost(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hosts[host], c.hosts[adminTwin(host)] = true, true
}
