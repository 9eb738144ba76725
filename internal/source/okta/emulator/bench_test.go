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
	begin := time.Now()
	New(Options{})
	if took := time.Since(begin); took > 50*time.Millisecond {
		t.Errorf("500 users took %v, want less than 50 ms", took)
	}
}
