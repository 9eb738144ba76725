package emulator

import (
	"testing"
	"time"
)

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		New(Options{})
	}
}

func BenchmarkNew100k(b *testing.B) {
	for b.Loop() {
		New(Options{Users: 100_000})
	}
}

func BenchmarkUserPage(b *testing.B) {
	o := New(Options{Users: 100_000, RateLimits: RateLimits{Buckets: map[string]int{bucketUsers: 1 << 40}}})
	for b.Loop() {
		get(b, o, "/api/v1/users?limit=200")
	}
}

func BenchmarkSearchPage(b *testing.B) {
	o := New(Options{Users: 100_000, RateLimits: RateLimits{Buckets: map[string]int{bucketUsers: 1 << 40}}})
	for b.Loop() {
		get(b, o, "/api/v1/users?limit=200&search=status+pr")
	}
}

func BenchmarkLogPage(b *testing.B) {
	o := New(Options{RateLimits: RateLimits{Buckets: map[string]int{bucketLogs: 1 << 40}}})
	for b.Loop() {
		get(b, o, "/api/v1/logs?limit=1000")
	}
}

func TestTheDemoOrgIsMadeAtOnce(t *testing.T) {
	quickest := time.Hour // other work on the machine may stretch one try, not all of them
	for range 20 {
		begin := time.Now()
		New(Options{})
		quickest = min(quickest, time.Since(begin))
	}
	if quickest > 50*time.Millisecond {
		t.Errorf("500 users took %v, want less than 50 ms", quickest)
	}
}

// Pages of what hangs on people and groups, in an org of a million.
func BenchmarkMore(b *testing.B) {
	o := New(Options{Users: 1_000_000, EventsPerDay: -1})
	app, late := o.id(kindApp, appServiceNow), o.id(kindApp, 7000)
	for _, path := range []string{
		"/api/v1/apps?limit=200", "/api/v1/apps/" + app + "/users?limit=500", "/api/v1/apps/" + late + "/users?limit=500", "/api/v1/apps/" + app + "/groups?limit=200",
		"/api/v1/apps/" + o.id(kindApp, appAdminConsole) + "/users", "/api/v1/devices?limit=200&expand=userSummary", "/api/v1/groups/rules?limit=200",
		"/api/v1/users/" + o.id(kindUser, 500_000) + "/factors",
	} {
		b.Run(path, func(b *testing.B) {
			o.SetLimits(RateLimits{Buckets: map[string]int{bucketApps: 1 << 40, bucketDevices: 1 << 40, bucketUsers: 1 << 40, bucketGroups: 1 << 40}})
			for b.Loop() {
				get(b, o, path)
			}
		})
	}
}
