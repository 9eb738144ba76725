package okta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"longshore/internal/fault"
)

const (
	// tokenPath is the org's own authorization server; no other one grants scopes of Okta's API.
	tokenPath = "/oauth2/v1/token"
	// tokenTimeout bounds one request to the token endpoint.
	tokenTimeout = 15 * time.Second
	// maxTokenAnswerBytes bounds an answer of the token endpoint.
	maxTokenAnswerBytes = 1 << 20
	// usualLife is how long an access token lives when Okta does not say: it is always an hour.
	usualLife = time.Hour
	// renewAt is the part of a token's life after which it is renewed.
	renewAt = 0.8
	// maxSteps bounds the requests of one dance: without proof, with one, with the nonce, with a newer nonce, by another clock.
	maxSteps = 5
	// clockSlack is a difference of clocks that no server minds.
	clockSlack = 30 * time.Second
	// maxScopes bounds the scopes of one client.
	maxScopes = 100
)

// tokens keeps the access token of an OAuth client fresh. Of the requests that find it due one renews it, and the
// others go on with the old token as long as that lives: there is one renewal at a time, and no gap.
type tokens struct {
	client *client
	grant  grant
	wanted []string // scopes to ask for; nil leaves it to the grant
	dpop   *prover

	mu       sync.Mutex
	proves   bool         // token requests carry a proof
	current  *accessToken // nil before the first, and after Okta refused it
	renewal  *renewal     // under way, or nil
	after    time.Time    // no renewal before, because the last one failed
	failures int          // in a row
	last     error        // of them
	taken    string       // the token that Okta took last
	refusals int          // of tokens in a row that Okta gave and never took
}

// grant is what an access token is given for.
type grant interface {
	// fill completes a token request. A request sent again is filled anew. The time is the server's.
	fill(r *http.Request, form url.Values, now time.Time) error
	// took is told of the answer that brought an access token.
	took(answer tokenAnswer)
	// secrets are texts of a filled request that no message may repeat.
	secrets(form url.Values) []string
	// explain says what a refusal means and what to do, in a fault.Denied.
	explain(refusal tokenRefusal) *fault.Error
	identity() Identity
}

// accessToken is a token and how long it may be used. It is never changed.
type accessToken struct {
	value          string
	scheme         string // Bearer or DPoP
	scopes         []string
	renew, expires time.Time // local clock
}

// renewal is a request for a token under way. Its outcome is written before done is closed.
type renewal struct {
	done      chan struct{}
	err       error
	abandoned bool // by its own caller, which says nothing to those who waited for it
}

// tokenAnswer is what the token endpoint says.
type tokenAnswer struct {
	AccessToken  string  `json:"access_token"`
	TokenType    string  `json:"token_type"`
	ExpiresIn    float64 `json:"expires_in"`
	Scope        *string `json:"scope"`
	RefreshToken string  `json:"refresh_token"`

	// Refusals come in OAuth's form, or in Okta's own.
	Error        string `json:"error"`
	Description  string `json:"error_description"`
	ErrorCode    string `json:"errorCode"`
	ErrorSummary string `json:"errorSummary"`
}

// tokenRefusal is an answer of the token endpoint that brought no token.
type tokenRefusal struct {
	status      int
	code        string // such as invalid_client
	description string // in Okta's words, no secret in it
	proved      bool   // a DPoP proof went with the request
	skew        time.Duration
	header      http.Header
}

// noToken is a token endpoint that does not answer.
type noToken struct{ err error }

func (e *noToken) Error() string { return "POST " + tokenPath + ": " + e.err.Error() }
func (e *noToken) Unwrap() error { return e.err }

// newTokens makes the keeper of a grant's tokens. It asks Okta for nothing yet.
func newTokens(c *client, g grant, wanted []string, proves bool) (*tokens, error) {
	p, err := newProver()
	if err != nil {
		return nil, err
	}
	return &tokens{client: c, grant: g, wanted: wanted, dpop: p, proves: proves}, nil
}

func (t *tokens) ready(ctx context.Context) error {
	_, err := t.take(ctx)
	return err
}

func (t *tokens) authorize(r *http.Request) error {
	access, err := t.take(r.Context())
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", access.scheme+" "+access.value)
	if access.scheme == "DPoP" {
		proof, err := t.dpop.prove(r.Method, r.URL, access.value, t.client.now())
		if err != nil {
			return fault.Errorf(fault.Internal, "make a DPoP proof: %w", err)
		}
		r.Header.Set("DPoP", proof)
	}
	return nil
}

// met drops the token of a request that Okta refused, so that the next one is renewed, and remembers nonces.
func (t *tokens) met(r *http.Request, a *answer) bool {
	t.dpop.learn(a.header, false)
	_, used, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if a.status != http.StatusUnauthorized {
		t.took(used)
		return false
	}
	challenge := challengeOf(a.header)
	switch {
	case challenge == "use_dpop_nonce":
		return a.header.Get(nonceHeader) != ""
	case challenge == "invalid_dpop_proof":
		return true // by the clock that the answer's Date has just put right
	case challenge == "" && errorCode(a) == "E0000015":
		return false // the org lacks the feature: that says nothing of the token
	}
	return t.drop(used)
}

// took notes that Okta takes a token.
func (t *tokens) took(used string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != nil && t.current.value == used {
		t.taken, t.refusals = used, 0
	}
}

// maxRefusals is how many fresh tokens in a row may be refused: one ends early now and then, an app that is no more
// gets none that is taken.
const maxRefusals = 3

// drop gives up a token that Okta refuses, and reports whether another one is worth a try: when this one was taken
// before, when it has been renewed by now, and a few times when a fresh one is refused.
func (t *tokens) drop(used string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == nil || t.current.value != used {
		return true
	}
	t.current = nil
	if t.taken != used {
		t.refusals++
	}
	return t.refusals <= maxRefusals
}

func (t *tokens) secret() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == nil {
		return ""
	}
	return t.current.value
}

func (t *tokens) identity() Identity {
	id := t.grant.identity()
	t.mu.Lock()
	defer t.mu.Unlock()
	id.Wanted, id.DPoP = t.wanted, t.proves
	if t.current != nil {
		id.Granted, id.DPoP = t.current.scopes, t.current.scheme == "DPoP"
	}
	return id
}

// take returns an access token that Okta still takes, renewing it when that is due.
func (t *tokens) take(ctx context.Context) (*accessToken, error) {
	for {
		t.mu.Lock()
		now, held, flight := time.Now(), t.current, t.renewal
		if held != nil && now.Before(held.expires) && (now.Before(held.renew) || flight != nil || now.Before(t.after)) {
			t.mu.Unlock()
			return held, nil
		}
		if flight == nil {
			flight = &renewal{done: make(chan struct{})}
			t.renewal = flight
			t.mu.Unlock()
			return t.lead(ctx, flight, held)
		}
		t.mu.Unlock()
		select {
		case <-flight.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if flight.err != nil && !flight.abandoned {
			return nil, flight.err
		}
	}
}

// lead renews the token for all who wait. When that fails while the old token still lives, the old one is used on.
func (t *tokens) lead(ctx context.Context, flight *renewal, held *accessToken) (*accessToken, error) {
	t.mu.Lock()
	pause, last := time.Until(t.after), t.last
	t.mu.Unlock()
	var fresh *accessToken
	err := sleep(ctx, max(0, pause))
	if err == nil {
		fresh, err = t.fetch(ctx)
	} else if last != nil {
		err = last // tells more than that somebody did not wait for the next try
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.renewal, flight.err, flight.abandoned = nil, err, ctx.Err() != nil
	close(flight.done)
	if err == nil {
		t.current, t.failures, t.last = fresh, 0, nil
		return fresh, nil
	}
	if ctx.Err() == nil {
		t.last = err
	}
	if ctx.Err() == nil && retriableToken(err) {
		t.after = time.Now().Add(backoff(t.failures) + retryAfter(err))
		t.failures++
	}
	if held != nil && t.current == held && time.Now().Before(held.expires) {
		if ctx.Err() == nil {
			t.after = later(t.after, time.Now().Add(time.Minute))
			t.client.log.Warn("okta access token cannot be renewed yet, the old one is still good", "until", held.expires.UTC().Format(time.RFC3339), "error", explained(err))
		}
		return held, nil
	}
	return nil, err
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// retriableToken reports whether a failed request for a token may fare better later.
func retriableToken(err error) bool {
	refused := asAPIError(err)
	return refused == nil && !fault.Is(err, fault.Invalid) || refused != nil && retriable(refused.Status)
}

// retryAfter is how long the token endpoint's rate limit still holds, 0 when that is not why it failed.
func retryAfter(err error) time.Duration {
	refused := asAPIError(err)
	if refused == nil || refused.Status != http.StatusTooManyRequests {
		return 0
	}
	return refused.wait
}

// fetch asks for a token with all scopes wanted. When one of them is not granted Okta refuses them all without naming
// it; then each is tried alone, and the token is for those granted: a stream that needs another fails by that scope's
// name, instead of all of them.
func (t *tokens) fetch(ctx context.Context) (*accessToken, error) {
	access, err := t.dance(ctx, t.wanted)
	if !hasCode(err, "invalid_scope") || len(t.wanted) < 2 {
		return access, err
	}
	var granted, missing []string
	for _, scope := range t.wanted {
		_, alone := t.dance(ctx, []string{scope})
		switch {
		case alone == nil:
			granted = append(granted, scope)
		case hasCode(alone, "invalid_scope"):
			missing = append(missing, scope)
		default:
			return nil, alone
		}
	}
	if len(granted) == 0 {
		return nil, err
	}
	t.client.log.Warn("okta scopes are not granted to the app, streams that need them will fail", "missing", strings.Join(missing, " "))
	return t.dance(ctx, granted)
}

func hasCode(err error, code string) bool {
	refused := asAPIError(err)
	return refused != nil && refused.Path == tokenPath && refused.Code == code
}

// dance asks for a token as often as it takes: Okta first says that it wants a DPoP proof, then which nonce it must
// hold. Every request has an assertion and a proof of its own.
func (t *tokens) dance(ctx context.Context, scopes []string) (*accessToken, error) {
	other := false // the other clock has been tried
	skew := t.client.clockSkew()
	for step := 1; ; step++ {
		access, refusal, err := t.ask(ctx, scopes, skew)
		if err != nil || access != nil {
			return access, err
		}
		again := false
		switch {
		case step == maxSteps:
		case refusal.code == "use_dpop_nonce" && refusal.header.Get(nonceHeader) != "",
			refusal.code == "invalid_dpop_proof" && !refusal.proved:
			t.mu.Lock()
			t.proves, again = true, true
			t.mu.Unlock()
		case !other && refusal.status < 500 && (refusal.code == "invalid_client" || refusal.code == "invalid_dpop_proof"):
			// It may be the clock: this machine's when the server's was not known yet, else the one in its Date.
			before := skew
			if skew = t.client.clockSkew(); before.Abs() > clockSlack {
				skew = 0
			}
			other, again = true, (skew-before).Abs() > clockSlack
		}
		if !again {
			return nil, t.refused(*refusal)
		}
	}
}

// ask sends one request to the token endpoint, by a clock that is skew ahead of ours.
func (t *tokens) ask(ctx context.Context, scopes []string, skew time.Duration) (*accessToken, *tokenRefusal, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	began := time.Now()
	request, form, err := t.request(ctx, scopes, began.Add(skew))
	if err != nil {
		return nil, nil, err
	}
	response, err := t.client.http.Do(request)
	if err != nil {
		if sent := (*url.Error)(nil); errors.As(err, &sent) {
			err = sent.Err
		}
		return nil, nil, &noToken{err}
	}
	defer response.Body.Close()
	t.client.heard(response.Header, time.Now())
	body, err := io.ReadAll(io.LimitReader(response.Body, maxTokenAnswerBytes))
	if err != nil {
		return nil, nil, &noToken{err}
	}
	t.dpop.learn(response.Header, true)
	var answer tokenAnswer
	parsed := json.Unmarshal(body, &answer) == nil
	secrets := t.grant.secrets(form)
	for _, text := range []*string{&answer.TokenType, &answer.Error, &answer.Description, &answer.ErrorCode, &answer.ErrorSummary} {
		*text = scrubbed(*text, secrets)
	}
	if response.StatusCode == http.StatusOK && isHTML(response.Header) {
		return nil, nil, notOkta(response)
	}
	if !parsed && len(body) > 0 && !isHTML(response.Header) { // it broke off on the way, as pages do
		return nil, nil, &noToken{fmt.Errorf("the answer with status %d is no JSON", response.StatusCode)}
	}
	if response.StatusCode == http.StatusOK {
		access, err := t.accept(answer, scopes, began)
		return access, nil, err
	}
	refusal := &tokenRefusal{
		status: response.StatusCode, code: answer.Error, description: answer.Description, header: response.Header,
		proved: request.Header.Get("DPoP") != "", skew: t.client.clockSkew(),
	}
	if refusal.code == "" {
		refusal.code, refusal.description = answer.ErrorCode, answer.ErrorSummary
	}
	return nil, refusal, nil
}

// request makes a token request. It goes to the configured host, whatever any answer said.
func (t *tokens) request(ctx context.Context, scopes []string, now time.Time) (*http.Request, url.Values, error) {
	target := *t.client.base
	target.Path = tokenPath
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), nil)
	if err != nil {
		return nil, nil, fault.Errorf(fault.Invalid, "POST %s: %w", tokenPath, err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("User-Agent", t.client.agent)
	form := url.Values{}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	if err := t.grant.fill(request, form, now); err != nil {
		return nil, nil, err
	}
	t.mu.Lock()
	proves := t.proves
	t.mu.Unlock()
	if proves {
		proof, err := t.dpop.prove(http.MethodPost, request.URL, "", now)
		if err != nil {
			return nil, nil, fault.Errorf(fault.Internal, "make a DPoP proof: %w", err)
		}
		request.Header.Set("DPoP", proof)
	}
	encoded := form.Encode()
	request.ContentLength = int64(len(encoded))
	request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(encoded)), nil }
	request.Body, _ = request.GetBody()
	return request, form, nil
}

// accept takes a token out of an answer. Its life counts from when it was asked for.
func (t *tokens) accept(answer tokenAnswer, asked []string, began time.Time) (*accessToken, error) {
	scheme := map[string]string{"bearer": "Bearer", "dpop": "DPoP"}[strings.ToLower(answer.TokenType)]
	if !isToken(answer.AccessToken) || scheme == "" {
		return nil, fault.Errorf(fault.Invalid, "POST %s: the answer holds no access token of a known type: %q", tokenPath, shown(answer.TokenType)).
			WithHint("Check the org URL: something answers in Okta's place.")
	}
	life := time.Duration(min(max(answer.ExpiresIn, 0), (24*time.Hour).Seconds()) * float64(time.Second))
	if life == 0 {
		life = usualLife
	}
	access := &accessToken{
		value: answer.AccessToken, scheme: scheme, scopes: asked, expires: began.Add(life),
		renew: began.Add(time.Duration(renewAt * float64(life))),
	}
	if answer.Scope != nil {
		access.scopes = strings.Fields(*answer.Scope)
		slices.Sort(access.scopes)
	}
	t.grant.took(answer)
	return access, nil
}

// refused is the error of a refusal: one that a caller can pass on as that of the request that needed the token.
func (t *tokens) refused(r tokenRefusal) error {
	e := &APIError{Status: r.status, Code: r.code, Path: tokenPath}
	said := strings.TrimSpace(fmt.Sprintf("%d %s", r.status, shown(r.code)))
	if r.description != "" {
		said += fmt.Sprintf(" %.*q", maxSummaryBytes, r.description)
	}
	switch {
	case r.status == http.StatusTooManyRequests:
		e.wait = resetWait(r.header)
		e.fault = fault.Errorf(fault.Unavailable, "POST %s: the rate limit of the token endpoint is used up: %s", tokenPath, said).
			WithHint("Other clients sign in too often. Run again in a minute.")
	case retriable(r.status):
		e.fault = fault.Errorf(fault.Unavailable, "POST %s: Okta fails to give an access token: %s", tokenPath, said).
			WithHint("See status.okta.com, and run again later: reading goes on where it stopped.")
	case r.status >= 300 && r.status < 400:
		e.fault = fault.Errorf(fault.Invalid, "POST %s: the host answers with a redirect, which is not followed: %s", tokenPath, said).
			WithHint("Nothing was sent there. Use the org's own address; it points to %q.", shown(r.header.Get("Location")))
	case isHTML(r.header) || r.code == "" && r.status == http.StatusNotFound:
		e.fault = fault.Errorf(fault.Invalid, "POST %s: the host answers with a web page, it is no Okta org: %s", tokenPath, said).
			WithHint("Check the org URL: it is the host that people sign in at, such as https://acme.okta.com.")
	default:
		// Whatever status it came with: to those who asked for a page it is a credential that is not accepted.
		e.Status = http.StatusUnauthorized
		e.fault = t.grant.explain(r)
		e.fault.Message = "POST " + tokenPath + ": " + e.fault.Message + ": " + said
	}
	e.fault = e.fault.WithCode(e.Code, map[string]any{"status": r.status, "path": tokenPath})
	return e
}

// resetWait is how long a rate limit holds by the server's clock.
func resetWait(header http.Header) time.Duration {
	reset, ok := headerInt(header, "X-Rate-Limit-Reset")
	if !ok {
		return minPark
	}
	return clampPark(time.Duration(int64(reset)-serverNow(time.Now(), header).Unix()) * time.Second)
}

func notOkta(response *http.Response) error {
	return fault.Errorf(fault.Invalid, "POST %s: the host answers with %q and no access token, it is no Okta org", tokenPath, shown(response.Header.Get("Content-Type"))).
		WithHint("Check the org URL: it is the host that people sign in at, such as https://acme.okta.com. A proxy's sign-in page looks like this too.")
}

// scrubbed is a text of the server's without the secrets that it may have repeated.
func scrubbed(text string, secrets []string) string {
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return text
}
