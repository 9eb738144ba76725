package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"syscall"
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

// reading is a request over either transport, whose outcome may be an error.
func reading(t *testing.T, client *http.Client, address string) ([]byte, error) {
	t.Helper()
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	r.Header.Set("Authorization", "SSWS "+DefaultToken)
	response, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	return io.ReadAll(response.Body)
}

func TestConnectionsThatBreak(t *testing.T) {
	for line, want := range map[string][]error{
		"/=reset":         {syscall.ECONNRESET},
		"/=drop":          {io.EOF, io.ErrUnexpectedEOF},
		"/=truncate-gzip": {io.ErrUnexpectedEOF},
	} {
		f, err := ParseFault(line)
		if err != nil {
			t.Fatal(err)
		}
		o := New(Options{Faults: Faults{f}})
		server := httptest.NewServer(o)
		for name, client := range map[string]*http.Client{"in process": o.Client(), "socket": server.Client()} {
			if f.TruncateGzip && name == "in process" {
				continue // nobody asks for gzip there: see below
			}
			_, err := reading(t, client, server.URL+"/api/v1/users")
			if !slices.ContainsFunc(want, func(e error) bool { return errors.Is(err, e) }) {
				t.Errorf("%s, %s: error %v, want one of %v", line, name, err, want)
			}
		}
		server.Close()
	}
	o := New(Options{Faults: Faults{{TruncateGzip: true}}})
	if r := get(t, o, "/api/v1/users"); r.status != 200 || json.Valid(r.body) || len(r.body) < 1000 {
		t.Errorf("half the JSON where gzip is not accepted: %d, %d bytes", r.status, len(r.body))
	}
}

func TestAStallBreaksOffInTheMiddleAndGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Options{Faults: Faults{{Nth: 1, Stall: 40 * time.Second}}})
		begin := time.Now()
		body, err := reading(t, o.Client(), DefaultBaseURL+"/api/v1/users")
		if err != nil || !json.Valid(body) || time.Since(begin) != 40*time.Second {
			t.Errorf("%d bytes after %v, error %v", len(body), time.Since(begin), err)
		}
	})
}

func TestLatencySpreadsAndGrowsWithThePage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Options{Faults: Faults{{Latency: 200 * time.Millisecond, Spread: 0.6}}})
		var took []time.Duration
		for range 101 {
			begin := time.Now()
			get(t, o, "/api/v1/users?limit=1")
			took = append(took, time.Since(begin))
		}
		slices.Sort(took)
		if m := took[50]; m < 150*time.Millisecond || m > 260*time.Millisecond || took[100] < 2*m || took[0] > m/2 {
			t.Errorf("least %v, median %v, most %v of a distribution round 200ms", took[0], m, took[100])
		}
		o.SetFaults(Faults{{PerItem: 10 * time.Millisecond}})
		for _, n := range []int{10, 100} {
			begin := time.Now()
			get(t, o, "/api/v1/users?limit="+itoa(n))
			if got := time.Since(begin); got != time.Duration(n)*10*time.Millisecond {
				t.Errorf("a page of %d took %v", n, got)
			}
		}
	})
}

func TestARecordTwiceOrNeverAcrossAPageBoundary(t *testing.T) {
	for _, c := range []struct{ path, key string }{{"/api/v1/users?limit=100", ""}, {"/api/v1/iam/roles?limit=4", "roles"}} {
		want := pages(t, New(Options{}), c.path, c.key)
		o := New(Options{Faults: Faults{{Nth: 1, Duplicate: true}, {Nth: 3, Vanish: true}}})
		got := pages(t, o, c.path, c.key)
		count := make(map[string]int)
		for _, item := range got {
			count[string(item)]++
		}
		twice, missing := 0, 0
		for _, item := range want {
			switch count[string(item)] {
			case 0:
				missing++
			case 2:
				twice++
			}
		}
		if twice != 1 || missing != 1 || len(got) != len(want) {
			t.Errorf("%s: %d records twice and %d missing of %d, want one each", c.path, twice, missing, len(want))
		}
	}
}

func TestCursorsThatExpireOrLeadAstray(t *testing.T) {
	o := New(Options{Faults: Faults{{Prefix: "/api/v1/users", ExpireCursor: true, Nth: 2}, {Prefix: "/api/v1/groups", ExpireCursor: true, Code: "E0000054"}}})
	first := get(t, o, "/api/v1/users?limit=5")
	second := get(t, o, first.links(t)["next"])
	third := get(t, o, second.links(t)["next"])
	if first.status != 200 || second.status != 200 || third.status != 400 || !strings.Contains(string(third.body), "E0000029") {
		t.Errorf("statuses %d %d %d, body %s", first.status, second.status, third.status, third.body)
	}
	if r := get(t, o, get(t, o, "/api/v1/groups?limit=1").links(t)["next"]); r.status != 400 || !strings.Contains(string(r.body), "E0000054") {
		t.Errorf("groups: %d %s", r.status, r.body)
	}

	o = New(Options{Faults: Faults{{Nth: 2, Restart: true}}})
	second = get(t, o, get(t, o, "/api/v1/users?limit=5").links(t)["next"])
	if next := second.links(t)["next"]; next != DefaultBaseURL+"/api/v1/users?limit=5" {
		t.Errorf("the second page leads to %s, want the first", next)
	}

	o = New(Options{Faults: Faults{{Nothing: true}}})
	if r := get(t, o, "/api/v1/users?limit=5"); r.status != 200 || string(r.body) != "[]" || r.links(t)["next"] != "" {
		t.Errorf("nothing: %d %s", r.status, r.body)
	}
}

func TestACredentialThatGoesAbroadIsSeen(t *testing.T) {
	o := New(Options{Faults: Faults{{Prefix: "/api/v1/users", Nth: 1, ForeignLink: "elsewhere.example"}, {Prefix: "/api/v1/iam", Nth: 1, ForeignLink: "elsewhere.example"}}})
	next := get(t, o, "/api/v1/users?limit=5").links(t)["next"]
	if !strings.HasPrefix(next, "https://elsewhere.example/api/v1/users?after=") {
		t.Fatalf("next is %s", next)
	}
	if r := get(t, o, "/api/v1/iam/roles?limit=2"); !strings.Contains(string(r.body), `"next":{"href":"https://elsewhere.example/`) {
		t.Errorf("IAM: %s", r.body)
	}
	if s := o.Stats(); s.Foreign != 0 || s.Leaked != 0 {
		t.Errorf("before anybody followed: %d requests, %d with a credential", s.Foreign, s.Leaked)
	}
	send(t, o, http.MethodGet, next, "")
	if s := o.Stats(); s.Foreign != 1 || s.Leaked != 0 {
		t.Errorf("followed without a credential: %d requests, %d with one", s.Foreign, s.Leaked)
	}
	get(t, o, next)
	if s := o.Stats(); s.Foreign != 2 || s.Leaked != 1 {
		t.Errorf("followed with a credential: %d requests, %d with one", s.Foreign, s.Leaked)
	}
}

func TestTheServersClockGoesWrong(t *testing.T) {
	o := New(Options{Faults: Faults{{Skew: -time.Hour}}})
	r := get(t, o, "/api/v1/users?limit=1")
	date, err := http.ParseTime(r.header.Get("Date"))
	if err != nil || o.Now().Sub(date).Round(time.Minute) != time.Hour {
		t.Errorf("Date %s at %s", r.header.Get("Date"), o.Now())
	}
	if reset, _ := strconv.ParseInt(r.header.Get("X-Rate-Limit-Reset"), 10, 64); time.Unix(reset, 0).Sub(date) > 62*time.Second {
		t.Errorf("Reset %s is not by the clock of Date %s", time.Unix(reset, 0), date)
	}
}

func TestFaultsThatComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := New(Options{Faults: Faults{{Status: 429, From: 2, Times: 2}, {Prefix: "/api/v1/groups", Status: 503, After: time.Minute, For: time.Minute}}})
		var got []int
		for range 4 {
			got = append(got, get(t, o, "/api/v1/users?limit=1").status)
		}
		for range 3 {
			got = append(got, get(t, o, "/api/v1/groups?limit=1").status)
			time.Sleep(time.Minute)
		}
		if want := []int{200, 429, 429, 200, 200, 503, 200}; !slices.Equal(got, want) {
			t.Errorf("statuses %v, want %v", got, want)
		}
		o.SetFaults(Faults{{Status: 500}})
		if r := get(t, o, "/api/v1/users"); r.status != 500 || len(o.Faults()) != 1 {
			t.Errorf("after SetFaults: %d, %v", r.status, o.Faults())
		}
		o.SetFaults(nil)
		if r := get(t, o, "/api/v1/users"); r.status != 200 {
			t.Errorf("without faults: %d", r.status)
		}
		if s := o.Stats().Clients[APIToken]; s.Planned != 2 || s.Throttled != 0 || s.Statuses[429] != 2 {
			t.Errorf("429s by plan: %+v", s)
		}
	})
}

func TestFaultLines(t *testing.T) {
	for line, want := range map[string]Fault{
		"/api/v1/iam=403":                         {Prefix: "/api/v1/iam", Status: 403},
		"/api/v1/users=429/3":                     {Prefix: "/api/v1/users", Status: 429, Every: 3},
		"/=401:E0000015,at:2":                     {Prefix: "/", Status: 401, Code: "E0000015", Nth: 2},
		"/=502,html,no-rate-headers":              {Prefix: "/", Status: 502, BareBody: true, HideRateHeaders: true},
		"/x=3s":                                   {Prefix: "/x", Latency: 3 * time.Second},
		"/x=lognormal:300ms,per-item:2ms":         {Prefix: "/x", Latency: 300 * time.Millisecond, Spread: spreadUsual, PerItem: 2 * time.Millisecond},
		"/x=lognormal:300ms:1.5,per-mille:20":     {Prefix: "/x", Latency: 300 * time.Millisecond, Spread: 1.5, PerMille: 20},
		"/x=429,from:20,times:15,after:2m,for:5s": {Prefix: "/x", Status: 429, From: 20, Times: 15, After: 2 * time.Minute, For: 5 * time.Second},
		"/x=foreign":                              {Prefix: "/x", ForeignLink: foreignHost},
		"/x=foreign:localhost:8090":               {Prefix: "/x", ForeignLink: "localhost:8090"},
		"/x=expired-cursor,code:E0000054":         {Prefix: "/x", ExpireCursor: true, Code: "E0000054"},
		"/x=skew:-5m,has:/roles":                  {Prefix: "/x", Skew: -5 * time.Minute, Contains: "/roles"},
		"/x=truncate,stall:40s,duplicate,vanish":  {Prefix: "/x", Truncate: true, Stall: 40 * time.Second, Duplicate: true, Vanish: true},
	} {
		f, err := ParseFault(line)
		if err != nil || f != want {
			t.Errorf("%s: %+v, error %v, want %+v", line, f, err, want)
			continue
		}
		if again, err := ParseFault(f.String()); err != nil || again != f {
			t.Errorf("%s comes back as %s: %+v, error %v", line, f, again, err)
		}
	}
	for _, line := range []string{"", "500", "x=500", "/x", "/x=", "/x=200", "/x=600", "/x=trunkate", "/x=500/0", "/x=500/x", "/x=every:3", "/x=stall:long", "/x=-3s", "/x=lognormal:0s", "/x=500,at:-1"} {
		if f, err := ParseFault(line); err == nil || !strings.Contains(err.Error(), strconv.Quote(line)) {
			t.Errorf("%q: %+v, error %v", line, f, err)
		}
	}
}

func FuzzParseFault(f *testing.F) {
	for _, line := range []string{"/api/v1/iam=403", "/x=lognormal:300ms:1.5,per-mille:20", "/x=foreign:localhost:8090,has:/a", "/x=skew:-5m,500:E1/3"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		fault, err := ParseFault(line)
		if err != nil {
			return
		}
		if again, err := ParseFault(fault.String()); err != nil || again.String() != fault.String() {
			t.Errorf("%q is %s, which is %s, error %v", line, fault, again, err)
		}
	})
}

// Whatever comes together, a request ends: with a status that Okta has, or with a broken connection.
func TestAllTroubleTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		words := []string{"500", "503,html", "429", "401:E0000015", "404", "3s", "lognormal:100ms", "per-item:1ms", "stall:40s", "foreign", "skew:-5m", "expired-cursor"}
		for _, s := range new(Fault).switches() {
			words = append(words, s.name)
		}
		o := New(Options{Noise: []Noise{{Bucket: "/users", PerCent: 50, Burst: 7}}})
		var all Faults
		for i, w := range words {
			f, err := ParseFault("/=" + w + ",per-mille:" + itoa(60+i))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, f)
		}
		o.SetFaults(all)
		next := ""
		for i := range 600 {
			address := next
			if address == "" {
				address = DefaultBaseURL + []string{"/api/v1/users?limit=9", "/api/v1/iam/roles?limit=2", "/api/v1/groups?limit=3&expand=stats", "/api/v1/logs?limit=5", "/api/v1/users/me", "/api/v1/org"}[i%6]
			}
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
			r.Header.Set("Authorization", "SSWS "+DefaultToken)
			next = ""
			response, err := o.Client().Do(r)
			if err != nil {
				continue
			}
			_, _ = io.ReadAll(response.Body)
			_ = response.Body.Close()
			if s := response.StatusCode; s != 200 && (s < 400 || usualErrors[s][0] == "") {
				t.Errorf("%s: status %d", address, s)
			}
			next = (&reply{response.StatusCode, response.Header, nil}).links(t)["next"]
		}
		if s := o.Stats(); s.Foreign == 0 || s.Leaked != s.Foreign || s.Noise["noise"].Sent == 0 || len(s.Statuses) < 7 {
			t.Errorf("stats %+v", s)
		}
	})
}
