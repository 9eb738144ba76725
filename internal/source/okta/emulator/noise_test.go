package emulator

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestNoiseTakesItsPartOfEachWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Options{RateLimits: RateLimits{Profile: "workforce"}, Noise: []Noise{{Bucket: "/users", PerCent: 25}, {Name: "batch", Bucket: "/logs", Requests: 30, Burst: 30}}})
		time.Sleep(30*time.Second + time.Millisecond)
		if r := get(t, o, "/api/v1/users?limit=1"); r.header.Get("X-Rate-Limit-Remaining") != "523" {
			t.Errorf("half a window on, remaining is %s: want 600 less 76 of the noise, less one", r.header.Get("X-Rate-Limit-Remaining"))
		}
		if r := get(t, o, "/api/v1/logs?limit=1"); r.header.Get("X-Rate-Limit-Remaining") != "89" {
			t.Errorf("after a burst, remaining is %s: want 120 less 30, less one", r.header.Get("X-Rate-Limit-Remaining"))
		}
		time.Sleep(10 * time.Hour)
		if s := o.Stats(); s.Noise["noise"].Sent < 600*150 || s.Noise["noise"].Throttled != 0 || s.Displaced != 0 || s.Requests["/users"] != 1 {
			t.Errorf("ten hours on: %+v, displaced %d, requests of clients %v", s.Noise, s.Displaced, s.Requests)
		}
	})
}

// drain sends requests as fast as they are answered, n of them or until a 429.
func drain(t *testing.T, o *Org, n int) (sent int) {
	t.Helper()
	for ; sent < n; sent++ {
		if get(t, o, "/api/v1/logs?limit=0").status == http.StatusTooManyRequests {
			break
		}
	}
	return sent
}

func TestNoiseIsDisplacedOnlyByWhoTakesTooMuch(t *testing.T) {
	org := func(perCent, share int) *Org {
		return New(Options{RateLimits: RateLimits{Profile: "workforce", Share: share}, Noise: []Noise{{Bucket: "/logs", PerCent: perCent}}})
	}
	synctest.Test(t, func(t *testing.T) {
		o := org(40, 0)
		drain(t, o, 72) // with the noise's 48 it is 120 in all
		time.Sleep(time.Minute)
		if s := o.Stats(); s.Displaced != 0 || s.Throttled != 0 {
			t.Errorf("a client that left room: displaced %d, throttled %d", s.Displaced, s.Throttled)
		}
		drain(t, o, 119) // the first of this window is the noise's
		time.Sleep(59 * time.Second)
		if s := o.Stats(); s.Displaced < 40 || s.Noise["noise"].Throttled != s.Displaced {
			t.Errorf("a client that took it all: %+v", s.Noise)
		}
		time.Sleep(100 * time.Hour)
		if s := o.Stats(); s.Displaced > 48 {
			t.Errorf("%d displaced long after the client has gone", s.Displaced)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		o := org(120, 0) // more than there is, whoever else is there
		time.Sleep(61 * time.Second)
		drain(t, o, 0)
		get(t, o, "/api/v1/org")
		if s := o.Stats(); s.Noise["noise"].Throttled == 0 || s.Displaced != 0 {
			t.Errorf("noise that is too much by itself: %+v", s.Noise)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		o := org(80, 50)
		sent := drain(t, o, 1000)
		time.Sleep(59 * time.Second)
		s := o.Stats()
		if sent != 60 || s.Throttled != 1 || s.Clients[APIToken].Throttled != 1 || s.Clients[APIToken].MostInWindow["/logs"] != 60 {
			t.Errorf("a client that used its share up: %d sent, %+v", sent, s.Clients[APIToken])
		}
		if n := s.Noise["noise"]; n.Throttled == 0 || n.Displaced != 0 {
			t.Errorf("noise beyond its own share: %+v", n)
		}
	})
}

func TestNoiseInFlightCounts(t *testing.T) {
	o := New(Options{RateLimits: RateLimits{Concurrency: 10}, Noise: []Noise{{InFlight: 10}}})
	if r := get(t, o, "/api/v1/users?limit=1"); r.status != http.StatusTooManyRequests || r.header.Get("X-Rate-Limit-Limit") != "0" {
		t.Errorf("where others hold all places: %d %v", r.status, r.header)
	}
	o.SetNoise(nil)
	if r := get(t, o, "/api/v1/users?limit=1"); r.status != http.StatusOK || len(o.Noise()) != 0 {
		t.Errorf("once they have gone: %d", r.status)
	}
}
