package emulator

import (
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAWindowUsedUpAnswers429UntilItsReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Options{RateLimits: RateLimits{Profile: "free", Share: 50}})
		time.Sleep(7300 * time.Millisecond) // the window starts with the first request, not with the minute
		for i := range 10 {
			r := get(t, o, "/api/v1/logs?limit=1")
			if r.status != http.StatusOK || r.header.Get("X-Rate-Limit-Limit") != "20" || r.header.Get("X-Rate-Limit-Remaining") != strconv.Itoa(19-i) {
				t.Fatalf("request %d: status %d, headers %v", i+1, r.status, r.header)
			}
		}
		r := get(t, o, "/api/v1/logs?limit=1")
		var body struct{ ErrorCode string }
		r.into(t, &body)
		if r.status != http.StatusTooManyRequests || body.ErrorCode != "E0000047" || r.header.Get("X-Rate-Limit-Limit") != "20" || r.header.Get("X-Rate-Limit-Remaining") != "0" {
			t.Fatalf("the eleventh: status %d, %s, headers %v", r.status, r.body, r.header)
		}
		date, _ := http.ParseTime(r.header.Get("Date"))
		reset, _ := strconv.ParseInt(r.header.Get("X-Rate-Limit-Reset"), 10, 64)
		wait := time.Unix(reset, 0).Sub(date)
		if wait < 59*time.Second || wait > 62*time.Second {
			t.Errorf("reset is %v after Date, want about a minute", wait)
		}
		if r := get(t, o, "/api/v1/users?limit=1"); r.status != http.StatusOK {
			t.Errorf("another bucket answers %d", r.status)
		}
		time.Sleep(wait)
		if r := get(t, o, "/api/v1/logs?limit=1"); r.status != http.StatusOK {
			t.Errorf("after the reset: status %d", r.status)
		}
		s := o.Stats()
		if s.Throttled != 1 || s.Requests[bucketLogs] != 12 || s.Requests[bucketUsers] != 1 || s.Statuses[429] != 1 || s.Bytes == 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestTheShareCanShowInTheHeader(t *testing.T) {
	o := New(Options{RateLimits: RateLimits{Profile: "workforce", Share: 50, ShowShare: true}})
	if r := get(t, o, "/api/v1/logs?limit=1"); r.header.Get("X-Rate-Limit-Limit") != "60" || r.header.Get("X-Rate-Limit-Remaining") != "59" {
		t.Errorf("headers %v", r.header)
	}
	if r := get(t, o, "/api/v1/principal-rate-limits?filter=x"); r.status != 200 || string(r.body[:1]) != "[" {
		t.Errorf("principal rate limits: %d %s", r.status, r.body)
	}
}

func TestBucketOfEachPath(t *testing.T) {
	for path, want := range map[string]string{
		"/api/v1/users": bucketUsers, "/api/v1/users/00u1": bucketUser, "/api/v1/users/00u1/roles": bucketUsers, "/api/v1/groups": bucketGroups,
		"/api/v1/groups/00g1": bucketGroup, "/api/v1/groups/00g1/users": bucketGroups, "/api/v1/groups/rules": bucketGroups, "/api/v1/iam/roles/x/permissions": bucketIAM,
		"/api/v1/logs": bucketLogs, "/api/v1/org": bucketRest, "/oauth2/v1/clients/0oa1/roles": bucketClients,
	} {
		if got := bucketOf(path); got != want {
			t.Errorf("%s falls under %s, want %s", path, got, want)
		}
	}
}

func TestTooMuchInFlightIsTheOther429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Options{RateLimits: RateLimits{Concurrency: 2}, Faults: Faults{{Latency: time.Second}}})
		var wg sync.WaitGroup
		replies := make([]reply, 5)
		for i := range replies {
			wg.Go(func() { replies[i] = get(t, o, "/api/v1/org") })
		}
		wg.Wait()
		refused := 0
		for _, r := range replies {
			if r.status == http.StatusTooManyRequests {
				refused++
				if r.header.Get("X-Rate-Limit-Limit") != "0" || r.header.Get("X-Rate-Limit-Remaining") != "0" || r.header.Get("X-Rate-Limit-Reset") == "" {
					t.Errorf("headers of a concurrency 429: %v", r.header)
				}
			}
		}
		if s := o.Stats(); refused == 0 || s.Crowded != refused || s.MaxInFlight != 5 {
			t.Errorf("%d refused, stats %+v", refused, s)
		}
	})
}

func TestEachClientHasAShareOfItsOwn(t *testing.T) {
	key := testKeys()["P-256"]
	for _, show := range []bool{false, true} {
		o := New(Options{RateLimits: RateLimits{Profile: "free", Share: 60, ShowShare: show}, OAuth: OAuth{Apps: []App{appOf(key, "okta.logs.read")}}})
		v := newVisitor(t, o, key, "ES256")
		a, _ := v.ask("okta.logs.read", nil)
		app := func() reply { return v.get("/api/v1/logs?limit=0", "Bearer", a.Token, nil) }
		for i := range 12 {
			r := get(t, o, "/api/v1/logs?limit=0")
			limit, left := "20", 19-i
			if show {
				limit, left = "12", 11-i
			}
			if r.status != http.StatusOK || r.header.Get("X-Rate-Limit-Limit") != limit || r.header.Get("X-Rate-Limit-Remaining") != strconv.Itoa(left) {
				t.Fatalf("request %d of the token: %d %v", i+1, r.status, r.header)
			}
		}
		if r := get(t, o, "/api/v1/logs?limit=0"); r.status != http.StatusTooManyRequests || r.header.Get("X-Rate-Limit-Remaining") != "0" {
			t.Errorf("beyond the token's share: %d %v", r.status, r.header)
		}
		for i := range 8 {
			if r := app(); r.status != http.StatusOK {
				t.Fatalf("request %d of the app, whose share is unused: %d", i+1, r.status)
			}
		}
		if r := app(); r.status != http.StatusTooManyRequests {
			t.Errorf("beyond the org's ceiling: %d", r.status)
		}
		s := o.Stats()
		if s.Clients[APIToken].Throttled != 1 || s.Clients[DefaultClientID].Throttled != 1 || s.Clients[DefaultClientID].Requests[bucketLogs] != 9 || s.Clients[Nobody].Requests[bucketOther] != 1 {
			t.Errorf("stats by client: %+v", s.Clients)
		}
	}
}

func TestTheConcurrencyShareOfAClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Options{RateLimits: RateLimits{Concurrency: 8, ConcurrencyShare: 50}, Faults: Faults{{Prefix: "/api/v1/users", Latency: time.Second}}})
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { get(t, o, "/api/v1/users?limit=1") })
		}
		wg.Wait()
		if s := o.Stats(); s.Crowded == 0 || s.Clients[APIToken].Crowded != s.Crowded || s.Clients[APIToken].MaxInFlight != 5 || s.Throttled != 0 {
			t.Errorf("five in flight where one client may have four of eight: %+v", s)
		}
		var body []struct{ DefaultConcurrencyPercentage int }
		get(t, o, "/api/v1/principal-rate-limits").into(t, &body)
		if len(body) != 1 || body[0].DefaultConcurrencyPercentage != 50 {
			t.Errorf("principal rate limits tell %+v", body)
		}
	})
}

func TestLimitsChangeAndWindowsShrink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Options{RateLimits: RateLimits{Buckets: map[string]int{"/logs": 1}, Window: time.Second}})
		if w := o.Limits().Window; w != 2*time.Second {
			t.Errorf("a window of a second is %v", w)
		}
		get(t, o, "/api/v1/logs?limit=0")
		if r := get(t, o, "/api/v1/logs?limit=0"); r.status != http.StatusTooManyRequests {
			t.Errorf("the second in a window of one: %d", r.status)
		}
		time.Sleep(2 * time.Second)
		if r := get(t, o, "/api/v1/logs?limit=0"); r.status != http.StatusOK {
			t.Errorf("in the next window: %d", r.status)
		}
		o.SetLimits(RateLimits{Profile: "free"})
		if r := get(t, o, "/api/v1/logs?limit=0"); r.header.Get("X-Rate-Limit-Limit") != "20" {
			t.Errorf("after SetLimits: %v", r.header)
		}
	})
}
