package emulator

import (
	"fmt"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBoundsPassNobodyOverWhoMatches(t *testing.T) {
	o := New(Options{Users: 2000})
	w := o.Workload(1)
	for range 200 {
		if _, err := w.Step(); err != nil {
			t.Fatal(err)
		}
	}
	at := func(ago int64) string { return `"` + stamp(o.now-ago) + `"` }
	for _, query := range []string{
		`status eq "LOCKED_OUT"`, `status eq "deprovisioned"`, `status eq "NOTHING"`, `status eq "ACTIVE" and lastUpdated gt ` + at(30*day),
		`status eq "STAGED" or status eq "SUSPENDED"`, `created ge ` + at(2000*day) + ` and created lt ` + at(1000*day), `lastUpdated ge ` + at(day) + ` or created lt ` + at(2100*day),
		`lastUpdated eq ` + at(0), `(status eq "ACTIVE" or status eq "RECOVERY") and profile.department eq "Finance"`, `lastUpdated le "2026-01-01T00:00:00.500Z"`, `status sw "A"`,
	} {
		matches, within, err := parseBounded(query, userSearchRules)
		if err != nil {
			t.Fatal(err)
		}
		got, want := o.scanUsers(0, 3000, matches, within), o.scanUsers(0, 3000, matches, anything)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d found within bounds, %d in all", query, len(got), len(want))
		}
	}
}

func TestTimesAreThoseOfTheWholeAccount(t *testing.T) {
	o := New(Options{Users: 4000, Seed: 3})
	for i := range o.staff.count {
		if u, times := o.drawn(i), o.times(i); u.created != times.created || u.lastUpdated != times.lastUpdated || o.joined(i) != u.created {
			t.Fatalf("%s: created %d, updated %d, and alone %d, %d", u.id, u.created, u.lastUpdated, times.created, times.lastUpdated)
		}
	}
}

func TestALargeOrgCostsFewBytesAPerson(t *testing.T) {
	before := heap()
	const n = 200_000
	o := New(Options{Users: n, EventsPerDay: 100_000, Days: 90})
	if each := (heap() - before) / n; each > 80 {
		t.Errorf("%d bytes a person, want at most 80", each)
	}
	runtime.KeepAlive(o)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// peak is the most memory that this process had resident, in MiB; 0 where the system does not tell.
func peak() (mib int) {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	_, _ = fmt.Sscan(rest, &mib)
	return mib / 1024
}

// BenchmarkMillionPeople tells what an org of a million with ten million events costs: run it with -benchtime 1x.
func BenchmarkMillionPeople(b *testing.B) {
	for b.Loop() {
		begin := time.Now()
		o := New(Options{Users: 1_000_000, EventsPerDay: 120_000, Days: 90, RateLimits: RateLimits{Buckets: map[string]int{bucketUsers: 1 << 40, bucketLogs: 1 << 40, bucketGroups: 1 << 40}}})
		b.ReportMetric(float64(time.Since(begin).Milliseconds()), "ms/new")
		b.ReportMetric(float64(o.events.count), "events")
		for _, c := range []struct{ name, path string }{
			{"list", "/api/v1/users?limit=200"},
			{"deprovisioned", "/api/v1/users?limit=200&filter=" + url.QueryEscape(`status eq "DEPROVISIONED"`)},
			{"locked_out", "/api/v1/users?limit=200&filter=" + url.QueryEscape(`status eq "LOCKED_OUT"`)},
			{"updated_first", "/api/v1/users?limit=200&filter=" + url.QueryEscape(`lastUpdated gt "`+stamp(o.now-7200)+`"`)},
			{"updated", "/api/v1/users?limit=200&filter=" + url.QueryEscape(`lastUpdated gt "`+stamp(o.now-7200)+`"`)},
			{"created", "/api/v1/users?limit=200&search=" + url.QueryEscape(`created ge "`+stamp(o.now-100*day)+`" and created lt "`+stamp(o.now-50*day)+`"`)},
			{"logs", "/api/v1/logs?limit=1000"},
		} {
			begin, n := time.Now(), 0
			for path := c.path; path != "" && n < 20; n++ {
				r := get(b, o, path)
				path = r.links(b)["next"]
			}
			b.ReportMetric(float64(time.Since(begin).Microseconds())/1000/float64(n), "ms/page_"+c.name)
		}
		w := o.Workload(1)
		begin = time.Now()
		for range 10_000 {
			if _, err := w.Step(); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(time.Since(begin).Microseconds())/10_000, "us/change")
		begin, listed := time.Now(), 0
		for path := "/api/v1/users?limit=200"; path != ""; listed++ {
			path = get(b, o, path).links(b)["next"]
		}
		b.ReportMetric(time.Since(begin).Seconds(), "s/listed")
		b.ReportMetric(float64(listed), "pages")
		b.ReportMetric(float64(heap())/(1<<20), "MiB_heap")
		b.ReportMetric(float64(peak()), "MiB_peak")
		runtime.KeepAlive(o)
	}
}
