package okta

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"longshore/internal/fault"
)

// asApp signs in as the service app of an oauthOrg, by its EC key.
func asApp(change ...func(*ServiceApp)) func(*Config) {
	return func(c *Config) {
		app := &ServiceApp{ClientID: "0oa1", PrivateKey: pkcs8(testEC()), KeyID: "k1", Scopes: strings.Fields("okta.groups.read okta.users.read")}
		for _, f := range change {
			f(app)
		}
		c.Token, c.ServiceApp = "", app
	}
}

func TestServiceAppReads(t *testing.T) {
	for name, app := range map[string]func(*ServiceApp){
		"EC":  func(*ServiceApp) {},
		"RSA": func(a *ServiceApp) { a.PrivateKey, a.KeyID = pkcs8(testRSA()), "k2" },
		"JWK": func(a *ServiceApp) {
			a.PrivateKey, a.KeyID = jwkOf(testRSA(), map[string]any{"kid": "k2", "alg": "RS384"}), ""
		},
		"DPoP": func(a *ServiceApp) { a.DPoP = true },
	} {
		org := newOAuthOrg(t)
		s := open(t, org, asApp(app))
		pages, err := readAll(t, s, "groups", nil)
		dpop := name == "DPoP"
		want := 1
		if dpop {
			want = 2 // the first proof has no nonce
		}
		if err != nil || len(lines(pages)) != 9 || org.asked != want {
			t.Errorf("%s: %d groups after %d token requests, %v, want 9 after %d", name, len(lines(pages)), org.asked, err, want)
		}
		if id := s.client.auth.identity(); id.DPoP != dpop || id.ClientID != "0oa1" || len(id.Granted) != 2 {
			t.Errorf("%s: identity %+v", name, id)
		}
	}
}

func TestDPoPIsDancedWhenDemanded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := newOAuthOrg(t)
		org.dpop, org.life = true, 10*time.Minute
		s := open(t, org, asApp())
		if pages, err := readAll(t, s, "groups", nil); err != nil || len(lines(pages)) != 9 || org.asked != 3 {
			t.Errorf("%d groups after %d token requests, %v, want 9 after 3: without proof, with one, with the nonce", len(lines(pages)), org.asked, err)
		}
		time.Sleep(11 * time.Minute)
		if _, err := readAll(t, s, "groups", nil); err != nil || org.asked != 4 {
			t.Errorf("%d token requests, %v, want one more: the nonce is remembered", org.asked, err)
		}
		time.Sleep(11 * time.Minute)
		org.nonce = "n2"
		if _, err := readAll(t, s, "groups", nil); err != nil || org.asked != 6 {
			t.Errorf("%d token requests, %v, want two more for a nonce that rotated", org.asked, err)
		}
		org.apiNonce = "a1"
		pages, err := readAll(t, s, "groups", nil)
		if err != nil || len(lines(pages)) != 9 || pages[0].Statuses[401] != 1 || pages[1].Statuses[401] != 0 {
			t.Errorf("%d groups, %v, statuses %v, want one 401 for the API's nonce", len(lines(pages)), err, pages[0].Statuses)
		}
	})
}

func TestTokenIsRenewedInAdvanceWhileOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := newOAuthOrg(t)
		org.life = 10 * time.Minute
		org.trouble = func(_ http.ResponseWriter, _ *http.Request, n int) bool {
			if n > 1 {
				time.Sleep(20 * time.Second) // a slow renewal
			}
			return false
		}
		s := open(t, org, asApp(), func(c *Config) { c.Share = 1 })
		var slow, failed atomic.Int64
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Minute)
		defer cancel()
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				for ctx.Err() == nil {
					began := time.Now()
					if _, err := s.client.get(ctx, "/api/v1/groups?limit=1"); err != nil && ctx.Err() == nil {
						failed.Add(1)
						t.Error(err)
					}
					if time.Since(began) > time.Second {
						slow.Add(1)
					}
					_ = sleep(ctx, 7*time.Second)
				}
			})
		}
		all.Wait()
		renewals := org.asked - 1
		if org.most != 1 || renewals < 6 || renewals > 7 || int(slow.Load()) != renewals || failed.Load() > 0 {
			t.Errorf("%d renewals, %d at one time, %d requests slow, %d failed: want 6 or 7, one at a time, one slow request each", renewals, org.most, slow.Load(), failed.Load())
		}
	})
}

func TestFirstTokenIsAskedForOnce(t *testing.T) {
	org := newOAuthOrg(t)
	s := open(t, org, asApp())
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			if err := s.client.auth.ready(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if org.asked != 1 {
		t.Errorf("%d token requests, want 1", org.asked)
	}
}

func TestAGivenUpRenewalDoesNotFailTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := newOAuthOrg(t)
		org.trouble = func(_ http.ResponseWriter, r *http.Request, _ int) bool {
			_ = sleep(r.Context(), 5*time.Second)
			return r.Context().Err() != nil
		}
		s := open(t, org, asApp())
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			if err := s.client.auth.ready(short); err == nil {
				t.Error("the short one got a token")
			}
		})
		synctest.Wait()
		all.Go(func() {
			if err := s.client.auth.ready(t.Context()); err != nil {
				t.Errorf("the patient one: %v", err)
			}
		})
		all.Wait()
	})
}

func TestARefusedTokenIsRenewedAFewTimes(t *testing.T) {
	org := newOAuthOrg(t)
	s := open(t, org, asApp())
	if _, err := readAll(t, s, "groups", nil); err != nil {
		t.Fatal(err)
	}
	org.revoke()
	pages, err := readAll(t, s, "groups", nil)
	if err != nil || len(lines(pages)) != 9 || org.asked != 2 || pages[0].Statuses[401] != 1 {
		t.Errorf("%d groups after %d token requests, %v, statuses %v", len(lines(pages)), org.asked, err, pages[0].Statuses)
	}
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != apiPrefix+"groups" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(401)
		return true
	}
	_, err = readAll(t, s, "groups", nil)
	if refused := asAPIError(err); refused == nil || refused.Status != 401 || refused.Code != "invalid_token" || org.asked > 2+1+maxRefusals {
		t.Errorf("%v after %d token requests, want the refusal after a few more: the old token was good, new ones never", err, org.asked)
	}
	before := org.asked
	org.fault = func(w http.ResponseWriter, r *http.Request) bool {
		refuse(w, 401, "E0000015", "You do not have permission to access the feature you are requesting")
		return true
	}
	if _, err = readAll(t, s, "groups", nil); asAPIError(err) == nil || !asAPIError(err).FeatureAbsent() || org.asked > before+1 {
		t.Errorf("%v after %d token requests: an absent feature says nothing of the token", err, org.asked-before)
	}
}

func TestTheServersClockIsTaken(t *testing.T) {
	for _, offset := range []time.Duration{20 * time.Minute, -20 * time.Minute, 3 * time.Second} {
		org := newOAuthOrg(t)
		org.offset, org.dpop = offset, true
		pages, err := readAll(t, open(t, org, asApp()), "groups", nil)
		if err != nil || len(lines(pages)) != 9 || org.asked > 4 {
			t.Errorf("clock %v off: %d groups after %d token requests, %v", offset, len(lines(pages)), org.asked, err)
		}
	}
	org := newOAuthOrg(t)
	org.offset, org.noDate = 20*time.Minute, true
	_, err := readAll(t, open(t, org, asApp()), "groups", nil)
	if !fault.Is(err, fault.Denied) || !strings.Contains(fault.HintOf(err), "clock") {
		t.Errorf("a clock that cannot be known: %v, hint %q", err, fault.HintOf(err))
	}
}

func TestScopesThatAreNotGrantedCostTheirStreamsAlone(t *testing.T) {
	for _, silent := range []bool{false, true} {
		org := newOAuthOrg(t)
		org.granted, org.silent = strings.Fields("okta.groups.read okta.logs.read"), silent
		s := open(t, org, asApp(func(a *ServiceApp) { a.Scopes = strings.Fields("okta.users.read okta.groups.read okta.logs.read") }))
		pages, err := readAll(t, s, "groups", nil)
		if err != nil || len(lines(pages)) != 9 {
			t.Errorf("silent %t: %d groups, %v", silent, len(lines(pages)), err)
		}
		if got := s.client.auth.identity().Granted; !slices.Equal(got, org.granted) {
			t.Errorf("silent %t: granted %q, want %q", silent, got, org.granted)
		}
	}
}

func TestRefusalsOfTheTokenEndpointAreExplained(t *testing.T) {
	other := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	answers := func(status int, code, text string) func(*oauthOrg) {
		return func(o *oauthOrg) {
			o.trouble = func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				oauthError(w, status, code, text)
				return true
			}
		}
	}
	for name, c := range map[string]struct {
		app       func(*ServiceApp)
		org       func(*oauthOrg)
		want, cue string // of message and hint
	}{
		"unknown client": {app: func(a *ServiceApp) { a.ClientID = "0oaX" }, want: `no app with the client id "0oaX"`, cue: "OKTA_CLIENT_CLIENTID"},
		"unknown, Okta's": {org: func(o *oauthOrg) {
			o.trouble = oktaRefuses(401, "invalid_client", "Invalid value for 'client_id' parameter.")
		}, want: "no app with the client id", cue: "inactive"},
		"wrong key":        {app: func(a *ServiceApp) { a.PrivateKey = pkcs8(other) }, want: "not the one registered", cue: "same pair"},
		"wrong kid":        {app: func(a *ServiceApp) { a.KeyID = "k9" }, want: `no active key with the id "k9"`, cue: "OKTA_CLIENT_PRIVATEKEYID"},
		"no keys":          {org: answers(401, "invalid_client", "The client does not have a JWKSet configured, but the client_assertion requires one"), want: "no public key is registered", cue: "Public key / Private key"},
		"no scope":         {org: func(o *oauthOrg) { o.granted = nil }, want: "no scope", cue: "Okta API Scopes"},
		"no service app":   {org: answers(400, "unauthorized_client", "The client is not authorized to use the provided grant type."), want: "may not sign in on its own", cue: "API Services"},
		"audience":         {org: answers(401, "invalid_client", "The audience claim for client_assertion must be the endpoint invoked for the request."), want: "another address", cue: "custom domain"},
		"policy":           {org: answers(403, "access_denied", "Policy evaluation failed for this request, please check the policy configurations."), want: "refused by policy", cue: "inactive"},
		"nonce for ever":   {org: func(o *oauthOrg) { o.trouble = freshNonces }, want: "one DPoP nonce after the other", cue: "proxy"},
		"proof refused":    {org: answers(400, "invalid_dpop_proof", "The DPoP proof JWT is invalid."), want: "proof is not accepted", cue: "DPoP"},
		"something else":   {org: answers(418, "teapot", "short and stout"), want: "short and stout", cue: "client id"},
		"something silent": {org: answers(400, "", ""), want: "no access token", cue: "client id"},
	} {
		org := newOAuthOrg(t)
		if c.org != nil {
			c.org(org)
		}
		if c.app == nil {
			c.app = func(*ServiceApp) {}
		}
		_, err := readAll(t, open(t, org, asApp(c.app)), "groups", nil)
		refused := asAPIError(err)
		if refused == nil || refused.Status != 401 || !fault.Is(err, fault.Denied) || !strings.Contains(err.Error(), c.want) || !strings.Contains(fault.HintOf(err), c.cue) {
			t.Errorf("%s: %v\n\thint %q\n\twant %q, hint %q", name, err, fault.HintOf(err), c.want, c.cue)
		}
		if org.asked > 2*maxSteps {
			t.Errorf("%s: %d token requests", name, org.asked)
		}
		if n := len(org.requests()); n > 0 {
			t.Errorf("%s: the API was asked %d times without a token", name, n)
		}
	}
}

func oktaRefuses(status int, code, summary string) func(http.ResponseWriter, *http.Request, int) bool {
	return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		refuse(w, status, code, summary)
		return true
	}
}

func freshNonces(w http.ResponseWriter, _ *http.Request, n int) bool {
	w.Header().Set(nonceHeader, fmt.Sprint("n", n))
	oauthError(w, 400, "use_dpop_nonce", "Authorization server requires nonce in DPoP proof.")
	return true
}

func TestTokenEndpointInTroubleIsWaitedFor(t *testing.T) {
	for name, status := range map[string]int{"rate limit": 429, "server": 503} {
		synctest.Test(t, func(t *testing.T) {
			org := newOAuthOrg(t)
			began := time.Now()
			org.trouble = func(w http.ResponseWriter, _ *http.Request, n int) bool {
				if n > 2 || status == 429 && time.Since(began) > 40*time.Second {
					return false
				}
				window(w, 300, 0, time.Now().Add(30*time.Second))
				refuse(w, status, "E0000047", "no")
				return true
			}
			pages, err := readAll(t, open(t, org, asApp()), "groups", nil)
			took := time.Since(began)
			if err != nil || len(lines(pages)) != 9 || org.asked > 3 || took > 2*time.Minute || status == 429 && took < 30*time.Second {
				t.Errorf("%s: %d groups after %d token requests and %v, %v", name, len(lines(pages)), org.asked, took, err)
			}
			org.trouble = oktaRefuses(status, "E0000047", "no")
			org.revoke()
			_, err = readAll(t, open(t, org, asApp()), "groups", nil)
			if !fault.Is(err, fault.Unavailable) || fault.HintOf(err) == "" || !strings.Contains(err.Error(), tokenPath) {
				t.Errorf("%s that lasts: %v, hint %q", name, err, fault.HintOf(err))
			}
		})
	}
}

func TestARenewalThatFailsLeavesTheOldToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := newOAuthOrg(t)
		org.life = 10 * time.Minute
		s := open(t, org, asApp())
		if _, err := s.client.get(t.Context(), "/api/v1/groups?limit=1"); err != nil {
			t.Fatal(err)
		}
		org.trouble = oktaRefuses(503, "E0000010", "down")
		time.Sleep(8*time.Minute + time.Second)
		for range 10 {
			if _, err := s.client.get(t.Context(), "/api/v1/groups?limit=1"); err != nil {
				t.Error(err)
			}
		}
		if org.asked != 2 {
			t.Errorf("%d token requests, want 2: a failed renewal is not repeated at once", org.asked)
		}
		time.Sleep(2 * time.Minute)
		org.trouble = nil
		if _, err := s.client.get(t.Context(), "/api/v1/groups?limit=1"); err != nil {
			t.Errorf("after the trouble: %v", err)
		}
	})
}

func TestTokenEndpointOfAnotherHostIsNeverAsked(t *testing.T) {
	var other atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { other.Add(1) }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 307, 308} {
		org := newOAuthOrg(t)
		org.trouble = func(w http.ResponseWriter, r *http.Request, _ int) bool {
			http.Redirect(w, r, elsewhere.URL+"/oauth2/v1/token", status)
			return true
		}
		here := httptest.NewServer(org)
		_, err := readAll(t, open(t, org, asApp(), func(c *Config) { c.OrgURL, c.HTTPClient = here.URL, nil }), "groups", nil)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(fmt.Sprint(err), "redirect") || org.asked != 1 {
			t.Errorf("%d: %v after %d token requests", status, err, org.asked)
		}
		here.Close()
	}
	if other.Load() > 0 {
		t.Errorf("the other host was asked %d times", other.Load())
	}
}

func TestNoSecretIsTold(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request, _ int) bool {
		_ = r.ParseForm()
		secrets := r.PostForm.Get("client_assertion") + r.PostForm.Get("refresh_token")
		oauthError(w, 400, "invalid_request "+secrets, "cannot read "+secrets)
		return true
	}
	for name, trouble := range map[string]func(http.ResponseWriter, *http.Request, int) bool{
		"echoed": echo,
		"no token": func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			_, _ = io.WriteString(w, `{"access_token":"very secret","token_type":"x"}`)
			return true
		},
		"no JSON": func(w http.ResponseWriter, _ *http.Request, _ int) bool {
			_, _ = io.WriteString(w, `access_token=very-secret`)
			return true
		},
	} {
		for _, way := range []func(*Config){asApp(), func(c *Config) {
			c.Token, c.Refresh = "", &RefreshToken{ClientID: "0oa1", ClientSecret: "client-secret", Token: "refresh-1"}
		}} {
			synctest.Test(t, func(t *testing.T) { // broken answers are asked for again, with waits
				org := newOAuthOrg(t)
				org.trouble = trouble
				var log bytes.Buffer
				s := open(t, org, way, func(c *Config) {
					c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
				})
				_, err := readAll(t, s, "groups", nil)
				told := log.String() + explained(err) + fmt.Sprintf("%v %+v", err, asAPIError(err))
				if err == nil {
					t.Errorf("%s: no error", name)
				}
				for _, secret := range append(org.assertion, "client-secret", "refresh-1", "very secret", "very-secret", "secret-token") {
					if strings.Contains(told, secret) {
						t.Errorf("%s: %q is told: %s", name, secret, told)
					}
				}
			})
		}
	}
}

func TestRefreshTokenReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := newOAuthOrg(t)
		var rotated []string
		s := open(t, org, func(c *Config) {
			c.Token, c.Refresh = "", &RefreshToken{
				ClientID: "0oa1", ClientSecret: "client-secret", Token: " refresh-1\n", Rotated: func(token string) { rotated = append(rotated, token) },
			}
		})
		for range 3 {
			if pages, err := readAll(t, s, "groups", nil); err != nil || len(lines(pages)) != 9 {
				t.Errorf("%d groups, %v", len(lines(pages)), err)
			}
			time.Sleep(time.Hour)
		}
		if org.asked != 3 || len(rotated) != 3 || rotated[2] != org.refresh {
			t.Errorf("%d token requests, rotated %q, want 3 and the last one %q", org.asked, rotated, org.refresh)
		}
		_, err := readAll(t, open(t, org, func(c *Config) {
			c.Token, c.Refresh = "", &RefreshToken{ClientID: "0oa1", ClientSecret: "client-secret", Token: "old"}
		}), "groups", nil)
		if !fault.Is(err, fault.Denied) || !strings.Contains(fmt.Sprint(err), "refresh token is not accepted") {
			t.Errorf("an old refresh token: %v", err)
		}
	})
}

func TestAccessTokenIsSentAsBearer(t *testing.T) {
	org := newOAuthOrg(t)
	org.issued["mine"] = issuedToken{ends: time.Now().Add(time.Hour)}
	pages, err := readAll(t, open(t, org, func(c *Config) { c.Token, c.AccessToken = "", "Bearer mine" }), "groups", nil)
	if err != nil || len(lines(pages)) != 9 || org.asked != 0 {
		t.Errorf("%d groups after %d token requests, %v", len(lines(pages)), org.asked, err)
	}
}

func TestOpenRefusesBadWaysToSignIn(t *testing.T) {
	key := pkcs8(testEC())
	for name, change := range map[string]func(*Config){
		"both":             func(c *Config) { c.ServiceApp = &ServiceApp{ClientID: "0oa1", PrivateKey: key} },
		"token and bearer": func(c *Config) { c.AccessToken = "x" },
		"no client":        func(c *Config) { c.Token, c.ServiceApp = "", &ServiceApp{PrivateKey: key} },
		"no key":           func(c *Config) { c.Token, c.ServiceApp = "", &ServiceApp{ClientID: "0oa1"} },
		"no scope": func(c *Config) {
			c.Token, c.ServiceApp = "", &ServiceApp{ClientID: "0oa1", PrivateKey: key, Scopes: []string{}}
		},
		"bad scope": func(c *Config) {
			c.Token, c.ServiceApp = "", &ServiceApp{ClientID: "0oa1", PrivateKey: key, Scopes: []string{"a b"}}
		},
		"no secret":  func(c *Config) { c.Token, c.Refresh = "", &RefreshToken{ClientID: "0oa1", Token: "t"} },
		"line break": func(c *Config) { c.Token, c.AccessToken = "", "a\r\nX-Evil: 1" },
	} {
		config := Config{OrgURL: "acme", Token: "t"}
		change(&config)
		if _, err := Open(config); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v, hint %q, want fault.Invalid", name, err, fault.HintOf(err))
		}
	}
}

// FuzzTokenAnswer has the token endpoint answer anything: that ends in a token or an error, soon, and tells no secret.
func FuzzTokenAnswer(f *testing.F) {
	f.Add(200, "application/json", "", `{"access_token":"a","token_type":"Bearer","expires_in":3600,"scope":"x"}`)
	f.Add(200, "application/json", "n", `{"access_token":"a","token_type":"DPoP","expires_in":-1e300}`)
	f.Add(400, "application/json", "n", `{"error":"use_dpop_nonce"}`)
	f.Add(400, "text/html", "", `{"error":"invalid_dpop_proof","error_description":"x"}`)
	f.Add(401, "", "", `{"errorCode":"invalid_client","errorSummary":"kid"}`)
	f.Add(400, "", "", `{"error":"invalid_scope"}`)
	f.Add(302, "", "", ``)
	f.Fuzz(func(t *testing.T, status int, kind, nonce, body string) {
		if status < 200 || status > 599 {
			return
		}
		asked := 0
		var assertions []string
		s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked++
			_ = r.ParseForm()
			assertions = append(assertions, r.PostForm.Get("client_assertion"))
			w.Header()["Content-Type"], w.Header()[nonceHeader] = []string{kind}, []string{nonce}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}), asApp())
		err := s.client.auth.ready(t.Context())
		if err == nil {
			access, again := s.client.auth.(*tokens).take(t.Context())
			if again != nil || !isToken(access.value) || access.expires.Sub(access.renew) < 0 || !access.expires.Before(time.Now().Add(25*time.Hour)) {
				t.Errorf("a token %+v, %v", access, again)
			}
		}
		if asked > 4*maxSteps {
			t.Errorf("%d requests", asked)
		}
		for _, assertion := range assertions {
			if err != nil && strings.Contains(explained(err), assertion) {
				t.Errorf("the assertion is told: %v", err)
			}
		}
	})
}
