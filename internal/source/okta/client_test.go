package okta

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longshore/internal/fault"
)

// window writes the headers of a rate-limit window.
func window(w http.ResponseWriter, limit, rest int, reset time.Time) {
	w.Header().Set("X-Rate-Limit-Limit", fmt.Sprint(limit))
	w.Header().Set("X-Rate-Limit-Remaining", fmt.Sprint(rest))
	w.Header().Set("X-Rate-Limit-Reset", fmt.Sprint(reset.Unix()))
}

func TestRateLimitIsWaitedOutByTheServersClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := sampleOrg()
		began, clock := time.Now(), time.Now().Add(-3*time.Hour) // the server's clock is three hours behind
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Date", clock.Add(time.Since(began)).UTC().Format(http.TimeFormat))
			if len(org.requests()) > 1 {
				return false
			}
			window(w, 600, 0, clock.Add(30*time.Second))
			refuse(w, 429, "E0000047", "API call exceeded rate limit due to too many requests.")
			return true
		}
		pages, err := readAll(t, open(t, org), "groups", nil)
		took := time.Since(began)
		if err != nil || len(lines(pages)) != 9 || took < 30*time.Second || took > 33*time.Second {
			t.Errorf("%d groups after %v, %v, want 9 after 30 s", len(lines(pages)), took, err)
		}
		if pages[0].Statuses[429] != 1 || pages[0].Statuses[200] != 1 {
			t.Errorf("the first page met %v, want a 429 and a 200", pages[0].Statuses)
		}
	})
}

func TestConcurrencyLimitIsNotLearnt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := sampleOrg()
		began := time.Now()
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if len(org.requests()) != 2 {
				window(w, 600, 590, began.Add(time.Minute))
				return false
			}
			window(w, 0, 0, began.Add(time.Minute))
			refuse(w, 429, "E0000047", "API call exceeded rate limit due to too many requests.")
			return true
		}
		pages, err := readAll(t, open(t, org), "groups", nil)
		if took := time.Since(began); err != nil || len(lines(pages)) != 9 || took < time.Second || took > 6*time.Second {
			t.Errorf("%d groups after %v, %v, want 9 after 1 to 5 s", len(lines(pages)), took, err)
		}
	})
}

// limiter counts requests in windows as Okta does, and refuses what is too much.
type limiter struct {
	limit, ceiling int // of the org, and of one token
	used           int
	end            time.Time
	refused        int
}

func (l *limiter) allow(w http.ResponseWriter) bool {
	if now := time.Now(); !now.Before(l.end) {
		l.used, l.end = 0, now.Add(time.Minute)
	}
	l.used++
	window(w, l.limit, max(0, l.limit-l.used), l.end)
	if l.used > l.ceiling {
		l.refused++
		refuse(w, 429, "E0000047", "API call exceeded rate limit due to too many requests.")
		return false
	}
	return true
}

func TestFullReadMeetsNo429(t *testing.T) {
	for _, share := range []struct{ limit, ceiling int }{{600, 300}, {20, 10}, {100, 50}, {3, 1}} {
		synctest.Test(t, func(t *testing.T) {
			org := &testOrg{clamp: 1}
			for i := range 150 {
				org.groups = append(org.groups, fmt.Sprintf("00g%03d", i))
			}
			l := &limiter{limit: share.limit, ceiling: share.ceiling}
			org.fault = func(w http.ResponseWriter, r *http.Request) bool { return !l.allow(w) }
			began := time.Now()
			pages, err := readAll(t, open(t, org), "groups", nil)
			windows := float64(150-1) / float64(share.ceiling)
			if err != nil || len(lines(pages)) != 150 || l.refused > 0 {
				t.Errorf("limit %d: %d groups, %d refused, %v", share.limit, len(lines(pages)), l.refused, err)
			}
			if took := time.Since(began); took > time.Duration((windows+1)*64)*time.Second {
				t.Errorf("limit %d: took %v for %.1f windows", share.limit, took, windows)
			}
		})
	}
}

func TestOwnCeilingIsLearntFromA429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := &testOrg{clamp: 1}
		for i := range 200 {
			org.groups = append(org.groups, fmt.Sprintf("00g%03d", i))
		}
		l := &limiter{limit: 100, ceiling: 20} // less than the half that we count on
		org.fault = func(w http.ResponseWriter, r *http.Request) bool { return !l.allow(w) }
		pages, err := readAll(t, open(t, org), "groups", nil)
		if err != nil || len(lines(pages)) != 200 || l.refused > 6 {
			t.Errorf("%d groups, %d refused in 10 windows, %v; want hardly any", len(lines(pages)), l.refused, err)
		}
	})
}

func TestEarly429DoesNotStarveTheRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := &testOrg{clamp: 1}
		for i := range 400 {
			org.groups = append(org.groups, fmt.Sprintf("00g%03d", i))
		}
		l := &limiter{limit: 600, ceiling: 600}
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if n := len(org.requests()); n == 3 || n == 6 {
				l.used = l.limit // another client took all that was left
			}
			return !l.allow(w)
		}
		began := time.Now()
		if pages, err := readAll(t, open(t, org), "groups", nil); err != nil || len(lines(pages)) != 400 {
			t.Errorf("%d groups, %v, want 400", len(lines(pages)), err)
		}
		if took := time.Since(began); took > 10*time.Minute {
			t.Errorf("400 groups took %v", took)
		}
	})
}

func TestOthersKeepTheirReserve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := &testOrg{clamp: 1, groups: strings.Fields(strings.Repeat("00g1 ", 30))}
		lowest, used := 100, 0
		end := time.Now().Add(time.Minute)
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if !time.Now().Before(end) {
				used, end = 0, end.Add(time.Minute)
			}
			if used++; used == 5 {
				used += 80 // others come in
			}
			lowest = min(lowest, 100-used)
			window(w, 100, 100-used, end)
			return false
		}
		if _, err := readAll(t, open(t, org), "groups", nil); err != nil || lowest < 10 {
			t.Errorf("%d of 100 were left to others, %v, want 10", lowest, err)
		}
	})
}

func TestSecondRunCountsWhatTheFirstHasSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := &testOrg{clamp: 1}
		for i := range 40 {
			org.groups = append(org.groups, fmt.Sprintf("00g%03d", i))
		}
		l := &limiter{limit: 100, ceiling: 50}
		org.fault = func(w http.ResponseWriter, r *http.Request) bool { return !l.allow(w) }
		for run := range 3 { // each in a process of its own, within one window
			if pages, err := readAll(t, open(t, org), "groups", nil); err != nil || len(lines(pages)) != 40 || l.refused > 0 {
				t.Errorf("run %d: %d groups, %d refused, %v", run, len(lines(pages)), l.refused, err)
			}
		}
	})
}

func TestParentsAreAskedAheadOfTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := &testOrg{members: map[string][]string{}, users: []string{"00u1"}}
		for i := range 100 {
			id := fmt.Sprintf("00g%03d", i)
			org.groups = append(org.groups, id)
			org.members[id] = org.users
		}
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			time.Sleep(time.Second)
			return false
		}
		began := time.Now()
		pages, err := readAll(t, open(t, org), "group_members", nil)
		if err != nil || len(lines(pages)) != 100 {
			t.Fatalf("%d members, %v, want 100", len(lines(pages)), err)
		}
		if took := time.Since(began); took > 35*time.Second {
			t.Errorf("100 calls of 1 s took %v, want a third: two at a time at first, then more", took)
		}
		for i, line := range lines(pages) {
			if !strings.Contains(line, fmt.Sprintf(`"groupId":"00g%03d"`, i)) {
				t.Fatalf("record %d is out of order: %s", i, line)
			}
		}
		for range open(t, org).Read(t.Context(), "group_members", nil) {
			break // leaves no call behind: the bubble would not end
		}
	})
}

func TestOneBucketsWaitLeavesOthersAlone(t *testing.T) {
	for path, want := range map[string]string{
		"/api/v1/users?limit=200": "users", "/api/v1/users/00u1/roles": "users", "/api/v1/users/00u1": "users/{id}",
		"/api/v1/groups": "groups", "/api/v1/groups/00g1/users?limit=1": "groups", "/api/v1/groups/rules": "groups", "/api/v1/groups/00g1": "groups/{id}",
		"/api/v1/iam/roles/cr01/permissions": "iam", "/api/v1/logs?since=x": "logs", "/api/v1/org": "api", wellKnownPath: "other",
	} {
		if got := bucketOf(path); got != want {
			t.Errorf("bucketOf(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestFailingPageIsAskedForInHalves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := &testOrg{}
		for i := range 900 {
			org.groups = append(org.groups, fmt.Sprintf("00g%03d", i))
		}
		slow := true
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if limit := limitOf(r.URL.RequestURI()); slow && limit > 50 {
				refuse(w, 500, "E0000009", "Internal Server Error")
				return true
			}
			slow = false
			return false
		}
		pages, err := readAll(t, open(t, org), "groups", nil)
		if err != nil || len(lines(pages)) != 900 {
			t.Fatalf("%d groups, %v, want 900", len(lines(pages)), err)
		}
		if first, last := len(pages[0].Records), limitOf(pages[len(pages)-1].Cursor); first != 50 || last != 200 {
			t.Errorf("a first page of %d, and %d asked for at last, want 50 growing to 200", first, last)
		}
		if pages[0].Statuses[500] != 2 {
			t.Errorf("the first page met %v, want two 500", pages[0].Statuses)
		}
	})
}

func TestPassingFailuresAreRetried(t *testing.T) {
	for name, trouble := range map[string]func(http.ResponseWriter){
		"502 with HTML": func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(502)
			fmt.Fprint(w, "<html>bad gateway")
		},
		"503":         func(w http.ResponseWriter) { refuse(w, 503, "E0000010", "Service is in read only mode") },
		"504 empty":   func(w http.ResponseWriter) { w.WriteHeader(504) },
		"423":         func(w http.ResponseWriter) { refuse(w, 423, "E0000239", "reconciled") },
		"broken JSON": func(w http.ResponseWriter) { fmt.Fprint(w, `[{"id":"00g`) },
	} {
		synctest.Test(t, func(t *testing.T) {
			org := sampleOrg()
			org.fault = func(w http.ResponseWriter, r *http.Request) bool {
				if n := len(org.requests()); n == 2 || n == 3 {
					trouble(w)
					return true
				}
				return false
			}
			pages, err := readAll(t, open(t, org), "groups", nil)
			if err != nil || len(lines(pages)) != 9 {
				t.Errorf("%s: %d groups, %v, want 9", name, len(lines(pages)), err)
			}
		})
	}
}

func TestRetriesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := sampleOrg()
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if len(org.requests()) < 2 {
				return false
			}
			refuse(w, 503, "E0000010", "read only")
			return true
		}
		pages, err := readAll(t, open(t, org), "groups", nil)
		if !fault.Is(err, fault.Unavailable) || fault.HintOf(err) == "" || len(pages) != 1 || len(org.requests()) != 2+maxRetries {
			t.Errorf("%d pages, %d requests, %v", len(pages), len(org.requests()), err)
		}
	})
}

func TestCancelEndsAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := sampleOrg()
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			window(w, 600, 0, time.Now().Add(time.Minute))
			refuse(w, 429, "E0000047", "too many")
			return true
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		began := time.Now()
		for _, err := range open(t, org).Read(ctx, "groups", nil) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v, want the deadline", err)
			}
		}
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("the wait ended after %v, want 5 s", took)
		}
	})
}

func TestAnswersAreClassified(t *testing.T) {
	plain := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { refuse(w, status, code, "summary of "+code) }
	}
	page := func(status int, contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Location", "https://login.evil.test/")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	bearer := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer authorization_uri="x", error="insufficient_scope", error_description="y"`)
		w.WriteHeader(403)
	}
	for name, c := range map[string]struct {
		answer     http.HandlerFunc
		stream     string
		kind       fault.Kind
		text, hint string
	}{
		"bad token":          {plain(401, "E0000011"), "users", fault.Denied, "E0000011", "expired"},
		"401 without body":   {page(401, "", ""), "users", fault.Denied, "401", "expired"},
		"feature absent":     {plain(401, "E0000015"), "custom_roles", fault.Denied, "does not have the feature for custom admin roles", "credential is fine"},
		"no session":         {plain(403, "E0000005"), "users", fault.Denied, "E0000005", "okta.users.read"},
		"roles denied":       {plain(403, "E0000006"), "resource_sets", fault.Denied, "resource sets", "okta.iam.read"},
		"logs denied":        {plain(403, "E0000006"), "logs", fault.Denied, "System Log", "Report Administrator"},
		"scope missing":      {bearer, "groups", fault.Denied, "insufficient_scope", "okta.groups.read"},
		"bad request":        {plain(400, "E0000001"), "logs", fault.Invalid, "summary of E0000001", ""},
		"gone":               {plain(410, "E0000215"), "groups", fault.NotFound, "E0000215", ""},
		"web page":           {page(200, "text/html; charset=utf-8", "<html>"), "users", fault.Invalid, "no Okta org", "org URL"},
		"web page 404":       {page(404, "text/html", "<html>"), "users", fault.Invalid, "no Okta org", "org URL"},
		"redirect":           {page(302, "text/html", ""), "users", fault.Invalid, "redirect", "login.evil.test"},
		"no list":            {page(200, "application/json", `{"value":[]}`), "custom_roles", fault.Invalid, `"roles"`, ""},
		"no objects":         {page(200, "application/json", `[1]`), "users", fault.Invalid, "no object", ""},
		"parents without id": {page(200, "application/json", `{"roles":[{"label":"x"}]}`), "permissions", fault.Invalid, "no id", ""},
	} {
		_, err := readAll(t, open(t, c.answer), c.stream, nil)
		if fault.KindOf(err) != c.kind || err == nil || !strings.Contains(err.Error(), c.text) || !strings.Contains(fault.HintOf(err), c.hint) {
			t.Errorf("%s: %v (%v), hint %q; want %v with %q, hint %q", name, err, fault.KindOf(err), fault.HintOf(err), c.kind, c.text, c.hint)
		}
		if strings.Contains(fmt.Sprint(err, fault.HintOf(err)), "secret-token") {
			t.Errorf("%s: the error holds the token: %v", name, err)
		}
	}
}

func TestLinksToOtherHostsAreRefused(t *testing.T) {
	for host, ok := range map[string]bool{
		"acme.okta.com": true, "ACME.okta.com": true, "acme-admin.okta.com": true, "evil.test": false, "acme.okta.com.evil.test": false,
		"acme.okta.com:8443": false, "acme-admin.okta.com.evil.test": false, "other.okta.com": false,
	} {
		org := sampleOrg()
		org.linkHost = host
		for _, stream := range []string{"groups", "resource_sets"} {
			pages, err := readAll(t, open(t, org), stream, nil)
			if ok && (err != nil || len(lines(pages)) != 9) {
				t.Errorf("links to %s: %d %s, %v, want 9", host, len(lines(pages)), stream, err)
			}
			if !ok && (!fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), strings.ToLower(host))) {
				t.Errorf("links to %s: %d %s, %v, want fault.Invalid", host, len(lines(pages)), stream, err)
			}
		}
	}
}

func TestLinksToTheCanonicalHostOfACustomDomainAreFollowed(t *testing.T) {
	org := sampleOrg()
	org.linkHost = "acme-admin.okta.com"
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != wellKnownPath {
			if r.Host != "id.acme.test" {
				t.Errorf("a request went to %q", r.Host)
			}
			return false
		}
		fmt.Fprint(w, `{"id":"00o1","_links":{"organization":{"href":"https://acme.okta.com"}}}`)
		return true
	}
	s := open(t, org, func(c *Config) { c.OrgURL = "https://id.acme.test" })
	pages, err := readAll(t, s, "custom_roles", nil)
	if err != nil || len(lines(pages)) != 9 {
		t.Errorf("%d roles, %v, want 9", len(lines(pages)), err)
	}
}

func TestCredentialStaysWithTheHost(t *testing.T) {
	var leaked bool
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { leaked = true }))
	defer other.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+r.URL.RequestURI(), http.StatusTemporaryRedirect)
	}))
	defer server.Close()
	s, err := Open(Config{OrgURL: server.URL, Token: "secret-token"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(t, s, "users", nil); !fault.Is(err, fault.Invalid) || leaked {
		t.Errorf("the redirect gave %v, followed: %v", err, leaked)
	}
}

func TestListingInCirclesIsAnError(t *testing.T) {
	for name, follow := range map[string]func(after string) string{
		"itself": func(string) string { return "1" },
		"two": func(after string) string {
			return map[string]string{"1": "2"}[after] + map[string]string{"2": "1", "": "1"}[after]
		},
		"five": func(after string) string {
			return map[string]string{"": "1", "1": "2", "2": "3", "3": "4", "4": "5", "5": "1"}[after]
		},
	} {
		n := 0
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n++
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Link", `<http://acme.okta.com/api/v1/groups?limit=200&after=`+follow(r.FormValue("after"))+`>; rel="next"`)
			fmt.Fprint(w, `[]`)
		})
		_, err := readAll(t, open(t, handler), "groups", nil)
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "circles") || n > 20 {
			t.Errorf("%s: %v after %d requests", name, err, n)
		}
	}
}

func TestUnreachableHosts(t *testing.T) {
	for hint, err := range map[string]error{
		"DNS":              &net.DNSError{Err: "no such host", Name: "acme.okta.com", IsNotFound: true},
		"certificate":      &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}},
		"http://":          tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"},
		"the network":      errors.New("connection refused"),
		"where it stopped": io.ErrUnexpectedEOF,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := open(t, nil, func(c *Config) { c.HTTPClient = &http.Client{Transport: failing{err}} })
			began := time.Now()
			_, got := readAll(t, s, "users", nil)
			if !fault.Is(got, fault.Unavailable) || !errors.Is(got, err) || !strings.Contains(fault.HintOf(got), hint) {
				t.Errorf("%v gives %v, hint %q, want one with %q", err, got, fault.HintOf(got), hint)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%v: a host that never answered was told of after %v", err, took)
			}
			if caps, got := s.Check(t.Context(), true); !fault.Is(got, fault.Unavailable) || len(caps.Probes) != 0 || caps.OK() {
				t.Errorf("Check with %v: %+v, %v", err, caps, got)
			}
		})
	}
}

// A host that goes away in the middle is waited for once, not once for every stream that is still to come.
func TestHostThatGoesAwayIsWaitedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := sampleOrg()
		gone := false
		s := open(t, nil, func(c *Config) {
			c.HTTPClient = &http.Client{Transport: &leaving{inProcess{org}, &gone}}
		})
		if _, err := readAll(t, s, "groups", nil); err != nil {
			t.Fatal(err)
		}
		gone = true
		for i, most := range []time.Duration{5 * time.Minute, 5 * time.Second, 5 * time.Second} {
			began := time.Now()
			_, err := readAll(t, s, "custom_roles", nil)
			took := time.Since(began)
			if !fault.Is(err, fault.Unavailable) || took > most || i == 0 && took < 30*time.Second {
				t.Errorf("stream %d after the host went: %v after %v", i, err, took)
			}
		}
		gone = false
		if _, err := readAll(t, s, "custom_roles", nil); err != nil {
			t.Errorf("the host is back: %v", err)
		}
	})
}

// leaving is the way to a host that may be gone.
type leaving struct {
	next http.RoundTripper
	gone *bool
}

func (l *leaving) RoundTrip(r *http.Request) (*http.Response, error) {
	if *l.gone {
		return nil, errors.New("connection refused")
	}
	return l.next.RoundTrip(r)
}

type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

func TestLongWaitIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := sampleOrg()
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			if len(org.requests()) > 1 {
				return false
			}
			window(w, 600, 0, time.Now().Add(30*time.Second))
			refuse(w, 429, "E0000047", "too many")
			return true
		}
		var log strings.Builder
		_, err := readAll(t, open(t, org, func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) }), "groups", nil)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(log.String(), "\n") != 1 {
			t.Errorf("want one line, got:\n%s", log.String())
		}
		for _, want := range []string{"level=WARN", "bucket=groups", "wait=3", "until=", "429", "path=\"/api/v1/groups?"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, log.String())
			}
		}
	})
}

func TestBrokenJSONIsNamedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := sampleOrg()
		org.fault = func(w http.ResponseWriter, r *http.Request) bool {
			fmt.Fprint(w, `{nope`)
			return true
		}
		_, err := readAll(t, open(t, org), "groups", nil)
		if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "the answer is no JSON") || strings.Contains(err.Error(), "no answer") ||
			!strings.Contains(fault.HintOf(err), "proxy") || len(org.requests()) != 1+maxBrokenRetries {
			t.Errorf("%v, hint %q, after %d requests", err, fault.HintOf(err), len(org.requests()))
		}
	})
}

func TestLongURLsAreCutInMessages(t *testing.T) {
	long := strings.Repeat("x", 3000)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Link", `<http://acme.okta.com/api/v1/groups?limit=200&after=`+long+`>; rel="next"`)
		fmt.Fprint(w, `[]`)
	})
	if _, err := readAll(t, open(t, handler), "groups", nil); err == nil || len(err.Error()) > 500 || !strings.Contains(err.Error(), "circles") {
		t.Errorf("error of %d bytes: %.300v", len(fmt.Sprint(err)), err)
	}
}

func TestGapsNameWhatIsMissing(t *testing.T) {
	org := sampleOrg()
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/users") || !strings.Contains(r.URL.Path, "/groups/") {
			return false
		}
		refuse(w, 403, "E0000006", "You do not have permission")
		return true
	}
	pages, _ := readAll(t, open(t, org), "group_members", nil)
	gaps := 0
	for _, page := range pages {
		gaps += len(page.Gaps)
		for _, gap := range page.Gaps {
			if !strings.Contains(gap, "okta.groups.read") || !strings.Contains(gap, "Super Administrator") {
				t.Errorf("gap %q names no scope or role", gap)
			}
		}
	}
	if gaps == 0 {
		t.Error("no gap")
	}
}
