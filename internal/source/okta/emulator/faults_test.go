package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestStatusFaults(t *testing.T) {
	for _, c := range []struct {
		fault Fault
		code  string
	}{
		{Fault{Status: 500}, "E0000009"},
		{Fault{Status: 503}, "E0000010"},
		{Fault{Status: 429}, "E0000047"},
		{Fault{Status: 403}, "E0000006"},
		{Fault{Status: 401}, "E0000011"},
		{Fault{Status: 401, Code: "E0000015"}, "E0000015"},
	} {
		c.fault.Prefix, c.fault.Nth = "/api/v1/groups", 2
		o := New(Options{Faults: Faults{c.fault}})
		var got []int
		for range 3 {
			got = append(got, get(t, o, "/api/v1/groups?limit=1").status)
			get(t, o, "/api/v1/users?limit=1")
		}
		if got[0] != 200 || got[1] != c.fault.Status || got[2] != 200 {
			t.Errorf("%+v: statuses %v", c.fault, got)
		}
		o = New(Options{Faults: Faults{{Status: c.fault.Status, Code: c.fault.Code}}})
		if r := get(t, o, "/api/v1/users"); !strings.Contains(string(r.body), c.code) || c.fault.Status == 429 && r.header.Get("X-Rate-Limit-Remaining") != "0" {
			t.Errorf("%+v: %s %v", c.fault, r.body, r.header)
		}
	}
	o := New(Options{Faults: Faults{{Status: 502, BareBody: true, HideRateHeaders: true, Every: 2, Times: 1}}})
	get(t, o, "/api/v1/users")
	if r := get(t, o, "/api/v1/users"); r.status != 502 || r.body[0] != '<' || r.header.Get("X-Rate-Limit-Limit") != "" {
		t.Errorf("a gateway's answer: %d %s %v", r.status, r.body, r.header)
	}
	get(t, o, "/api/v1/users")
	if r := get(t, o, "/api/v1/users"); r.status != 200 {
		t.Errorf("the fault fires again after its time: %d", r.status)
	}
}

func TestAShareOfRequestsFailsTheSameForASeed(t *testing.T) {
	run := func(seed uint64) (failed string) {
		o := New(Options{Seed: seed, Faults: Faults{{PerMille: 300, Status: 500}}})
		for range 60 {
			failed += map[int]string{200: ".", 500: "x"}[get(t, o, "/api/v1/org").status]
		}
		return failed
	}
	first := run(1)
	if n := strings.Count(first, "x"); n < 8 || n > 30 || first != run(1) || first == run(2) {
		t.Errorf("failures %s, again %s, other seed %s", first, run(1), run(2))
	}
}

func TestAnEmptyPageWithNextLosesNothing(t *testing.T) {
	for _, c := range []struct{ path, key string }{{"/api/v1/users?limit=100", ""}, {"/api/v1/iam/roles?limit=4", "roles"}, {"/api/v1/groups/EVERYONE/users?limit=60", ""}} {
		for nth := 1; nth <= 3; nth++ {
			plain, o := New(Options{}), New(Options{Faults: Faults{{Prefix: "/api/v1", Nth: nth, Empty: true}}})
			path := strings.Replace(c.path, "EVERYONE", o.groups[everyone].id, 1)
			want, got := pages(t, plain, path, c.key), pages(t, o, path, c.key)
			if len(got) != len(want) || o.Stats().Statuses[200] != plain.Stats().Statuses[200]+1 {
				t.Errorf("%s, page %d empty: %d items in %d answers, want %d in one more than %d", path, nth, len(got), o.Stats().Statuses[200], len(want), plain.Stats().Statuses[200])
			}
		}
	}
}

func TestARepeatedCursorLeadsToTheSamePage(t *testing.T) {
	o := New(Options{Faults: Faults{{Prefix: "/api/v1/users", Nth: 2, RepeatCursor: true}}})
	second := get(t, o, "/api/v1/users?limit=5").links(t)["next"]
	if next := get(t, o, second).links(t)["next"]; next != second {
		t.Errorf("next is %s, want the request's own %s", next, second)
	}
}

func TestFaultsOfOneRequestAddUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Options{Faults: Faults{{Latency: time.Second}, {Prefix: "/api/v1/users", Nth: 1, Concurrency: true}, {Contains: "/roles", Status: 503, Latency: time.Second}}})
		begin := time.Now()
		if r := get(t, o, "/api/v1/users"); r.status != 429 || r.header.Get("X-Rate-Limit-Limit") != "0" || time.Since(begin) != time.Second {
			t.Errorf("status %d, headers %v after %v", r.status, r.header, time.Since(begin))
		}
		begin = time.Now()
		if r := get(t, o, "/api/v1/users/me/roles"); r.status != 503 || time.Since(begin) != 2*time.Second {
			t.Errorf("status %d after %v", r.status, time.Since(begin))
		}
	})
}

func TestMalformedBody(t *testing.T) {
	o := New(Options{Faults: Faults{{Malformed: true}}})
	if r := get(t, o, "/api/v1/users"); r.status != 200 || json.Valid(r.body) {
		t.Errorf("status %d, body %s", r.status, r.body)
	}
}

func TestATruncatedBodyIsAnErrorOverEitherTransport(t *testing.T) {
	o := New(Options{Faults: Faults{{Truncate: true}}})
	server := httptest.NewServer(o)
	defer server.Close()
	for name, client := range map[string]*http.Client{"in process": o.Client(), "socket": server.Client()} {
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/api/v1/users", nil)
		r.Header.Set("Authorization", "SSWS "+DefaultToken)
		response, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if !errors.Is(err, io.ErrUnexpectedEOF) || len(body) < 1000 {
			t.Errorf("%s: %d bytes and error %v, want half a body and an unexpected end", name, len(body), err)
		}
	}
}

func TestLatencyEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Options{Faults: Faults{{Prefix: "/api/v1/users", Latency: 30 * time.Second}}})
		begin := time.Now()
		if r := get(t, o, "/api/v1/users?limit=1"); r.status != 200 || time.Since(begin) != 30*time.Second {
			t.Errorf("status %d after %v", r.status, time.Since(begin))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		r, _ := http.NewRequestWithContext(ctx, http.MethodGet, DefaultBaseURL+"/api/v1/users", nil)
		begin = time.Now()
		answer, err := o.Client().Do(r)
		if err == nil {
			_ = answer.Body.Close()
		}
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != time.Second {
			t.Errorf("error %v after %v, want the deadline after a second", err, time.Since(begin))
		}
		synctest.Wait()
		if o.Stats().MaxInFlight != 1 || o.flying != 0 {
			t.Errorf("%d requests are still in flight", o.flying)
		}
	})
}
