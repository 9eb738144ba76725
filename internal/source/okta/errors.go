package okta

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

// maxSummaryBytes is how much of Okta's error text a message repeats.
const maxSummaryBytes = 300

// maxShownBytes is how much of a URL a message repeats: a cursor can have kilobytes.
const maxShownBytes = 200

// shown is a path, link or host as messages repeat it.
func shown(text string) string {
	if len(text) <= maxShownBytes {
		return text
	}
	return strings.ToValidUTF8(text[:maxShownBytes], "") + "…"
}

// explained is an error with its hint, for an account that has no place of its own for hints.
func explained(err error) string {
	if hint := fault.HintOf(err); hint != "" {
		return err.Error() + ". " + hint
	}
	return err.Error()
}

// APIError is an answer other than 200. It wraps the fault.Error that says what can be done about it.
type APIError struct {
	Status int    // the HTTP status; 401 for every refusal of an access token, whatever it came with
	Code   string // Okta's error code (E0000006), or that of WWW-Authenticate (insufficient_scope), or ""
	Path   string // the request, path and query
	Scope  string // the OAuth scope that the access token lacks, "" when that is not the reason
	fault  *fault.Error
	wait   time.Duration // until a rate limit ends that no bucket of ours waits for
}

func (e *APIError) Error() string { return e.fault.Error() }

// Unwrap returns the *fault.Error with kind and hint.
func (e *APIError) Unwrap() error { return e.fault }

// FeatureAbsent reports whether the org's edition lacks what was asked for: a 401 that says nothing about the
// credential.
func (e *APIError) FeatureAbsent() bool {
	return e.Status == http.StatusUnauthorized && e.Code == "E0000015"
}

// classify makes the error of an answer that is not 200. It reads no body on trust: any may be empty, or HTML.
func classify(a *answer) *APIError {
	e := &APIError{Status: a.status, Code: errorCode(a), Path: a.path}
	name := strings.TrimSpace(fmt.Sprintf("%d %s", a.status, e.Code))
	if summary := rawjson.GetString(a.body, "errorSummary"); summary != "" {
		name += fmt.Sprintf(" %.*q", maxSummaryBytes, summary)
	}
	n := accessOf(a.path)
	say := func(kind fault.Kind, why string) *fault.Error {
		return fault.Errorf(kind, "GET %s: %s: %s", shown(a.path), why, name).
			WithCode(e.Code, map[string]any{"status": a.status, "path": shown(a.path)})
	}
	switch {
	case a.status < 300:
		e.fault = say(fault.Invalid, "want an answer with status 200")
	case a.status < 400:
		e.fault = say(fault.Invalid, "the host answers with a redirect, which is not followed").
			WithHint("Use the org's own address; it points to %q.", shown(a.header.Get("Location")))
	case e.FeatureAbsent():
		e.fault = say(fault.Denied, "this org does not have the feature for "+n.what).
			WithHint("The credential is fine: the org's edition lacks %s. Leave out the streams that need it, or ask Okta to enable it.", n.what)
	case a.status == http.StatusUnauthorized:
		e.fault = say(fault.Denied, "the credential is not accepted").
			WithHint("The API token is wrong, revoked or expired (30 days without use), or the administrator who made it was deactivated. Make a new one under Security > API > Tokens.")
	case a.status == http.StatusForbidden:
		e.fault = say(fault.Denied, "the credential may not read "+n.what).
			WithHint("An API token needs %s; an OAuth app also needs the scope %s.", n.needs(), n.scope)
	case a.status == http.StatusNotFound && isHTML(a.header):
		e.fault = say(fault.Invalid, "the host answers with a web page, it is no Okta org").
			WithHint("Check the org URL: it is the host that people sign in at, such as https://acme.okta.com.")
	case a.status == http.StatusNotFound || a.status == http.StatusGone:
		e.fault = say(fault.NotFound, "not there")
	case a.status == http.StatusTooManyRequests:
		e.fault = say(fault.Unavailable, "the rate limit still holds after all retries").
			WithHint("Other clients use up the org's rate limit. Read at another time, or lower their share.")
	case a.status >= 500 || a.status == http.StatusLocked || a.status == http.StatusRequestTimeout:
		e.fault = say(fault.Unavailable, "Okta fails after all retries").WithHint("See status.okta.com, and run again later: reading goes on where it stopped.")
	default:
		e.fault = say(fault.Invalid, "Okta refuses the request")
	}
	return e
}

// classify is classify with the hints that go with the credential at hand.
func (c *client) classify(a *answer) *APIError {
	e, id, n := classify(a.without(c.auth.secret())), c.auth.identity(), accessOf(a.path)
	switch {
	case e.FeatureAbsent() || id.Kind == KindToken && a.status == http.StatusUnauthorized:
	case a.status == http.StatusUnauthorized && id.Kind == KindAccessToken:
		e.fault = e.fault.WithHint("The access token has ended (they live an hour at most), or was revoked. Sign in with a service app and its key: then Longshore renews it.")
	case a.status == http.StatusUnauthorized:
		e.fault = e.fault.WithHint("Okta gave the %s an access token and does not take it. The app may have been deactivated just now; see its state, and run again.", id.Kind)
	case a.status != http.StatusForbidden:
	case id.Kind == KindToken:
		e.fault = e.fault.WithHint("The administrator who made the API token needs %s. A token can do what its maker can; a service app would also need the scope %s.", n.needs(), n.scope)
	case e.Code == "insufficient_scope" || id.lacks(n.scope):
		e.Scope = n.scope
		e.fault.Message += ", scope " + n.scope
		e.fault = e.fault.WithHint("%s", id.toGrant(n.scope))
	default:
		e.fault = e.fault.WithHint("Scopes are not enough: the %s also needs %s.", id.Kind, n.needs())
	}
	return e
}

// without is the answer less a secret that the host may have repeated.
func (a *answer) without(secret string) *answer {
	if secret == "" || a.status == http.StatusOK {
		return a
	}
	clean := *a
	clean.body = bytes.ReplaceAll(a.body, []byte(secret), []byte("…"))
	clean.header = http.Header{}
	for name, values := range a.header {
		for _, value := range values {
			clean.header.Add(name, strings.ReplaceAll(value, secret, "…"))
		}
	}
	return &clean
}

// lacks reports whether the access token is known to lack a scope.
func (id Identity) lacks(scope string) bool {
	return id.Granted != nil && !slices.Contains(id.Granted, scope)
}

// toGrant says how an access token comes by a scope.
func (id Identity) toGrant(scope string) string {
	if id.Kind == KindServiceApp && !slices.Contains(id.Wanted, scope) {
		return "The scope " + scope + " is not asked for: add it to OKTA_CLIENT_SCOPES (or choose the streams that need it by name), and grant it under Applications > the app > Okta API Scopes."
	}
	return "Grant the app the scope " + scope + " under Applications > the app > Okta API Scopes."
}

// errorCode is Okta's error code, or the error of WWW-Authenticate when the body is empty, as OAuth failures are.
func errorCode(a *answer) string {
	if code := rawjson.GetString(a.body, "errorCode"); code != "" {
		return code
	}
	return challengeOf(a.header)
}

// challengeOf is the error that WWW-Authenticate tells, such as invalid_token, or "".
func challengeOf(header http.Header) string {
	for _, challenge := range header.Values("WWW-Authenticate") {
		if _, after, ok := strings.Cut(challenge, `error="`); ok {
			code, _, _ := strings.Cut(after, `"`)
			return code
		}
	}
	return ""
}

// isFinal reports whether an error stays the same however often the request is sent again.
func isFinal(err error) bool {
	refused := asAPIError(err)
	return fault.Is(err, fault.Invalid) || refused != nil && !retriable(refused.Status)
}

func isHTML(header http.Header) bool {
	return strings.Contains(strings.ToLower(header.Get("Content-Type")), "html")
}

// asAPIError returns the APIError in err's chain, or nil.
func asAPIError(err error) *APIError {
	var e *APIError
	if errors.As(err, &e) {
		return e
	}
	return nil
}
