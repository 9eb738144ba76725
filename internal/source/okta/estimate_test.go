package okta

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"longshore/internal/source/okta/emulator"
)

// planOf plans all streams of a source that are read by default.
func planOf(s *Source) (plan []Planned) {
	for _, stream := range s.Streams() {
		if !stream.Optional {
			plan = append(plan, Planned{Stream: stream.Name})
		}
	}
	return plan
}

func TestCallsOfRandomOrgsAreForeseen(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 14))
	t.Logf("%8s %8s %10s %10s %8s %12s %12s", "users", "admins", "foreseen", "made", "off by", "foreseen", "took")
	orgs := 20
	if testing.Short() {
		orgs = 5
	}
	for range orgs {
		users := 40 + int(random.ExpFloat64()*600)
		options := emulator.Options{
			Users: users, Admins: 20 + random.IntN(max(1, users/50)), Seed: random.Uint64(), BaseURL: emulator.DefaultBaseURL,
			EventsPerDay: random.IntN(500), Days: 1 + random.IntN(50), InheritedAssignees: random.IntN(2) == 0,
			RateLimits: emulator.RateLimits{Profile: []string{"workforce", "enterprise"}[random.IntN(2)], Share: 50, ShowShare: random.IntN(2) == 0},
			Faults:     emulator.Faults{{Latency: time.Duration(random.IntN(400)) * time.Millisecond}},
		}
		ok := t.Run("", func(t *testing.T) { synctest.Test(t, func(t *testing.T) { foreseeRun(t, options) }) })
		if !ok {
			t.Logf("%+v", options)
		}
	}
}

func foreseeRun(t *testing.T, options emulator.Options) {
	org := emulator.New(options)
	s := openEmulator(t, org)
	began := time.Now()
	estimate, err := s.Estimate(t.Context(), planOf(s))
	if err != nil || len(estimate.Unsure) > 0 {
		t.Fatalf("%+v, %v", estimate, err)
	}
	s.BeginRun(1)
	statuses := 0
	for _, planned := range planOf(s) {
		pages, err := readAll(t, s, planned.Stream, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			for _, n := range page.Statuses {
				statuses += n
			}
		}
	}
	took := time.Since(began)
	made := 0
	for bucket, n := range org.Stats().Requests {
		if bucket != "/principal-rate-limits" {
			made += n
		}
	}
	off := 100 * float64(estimate.Calls-made) / float64(made)
	t.Logf("%8d %8d %10d %10d %7.1f%% %12s %12s", options.Users, options.Admins, estimate.Calls, made, off, estimate.Time.Round(time.Second), took.Round(time.Second))
	if off < -10 || off > 10 {
		t.Errorf("%d calls were foreseen, %d were made: off by %.1f %%\n%+v", estimate.Calls, made, off, estimate)
	}
	if _, use := s.RunUsage(); use.Total(nil).Calls < int64(made) || use.Total(nil).Throttled > 0 {
		t.Errorf("the usage tells of %+v, %d calls were made", use.Total(nil), made)
	}
	if statuses < made*99/100-1 {
		t.Errorf("the pages account for %d answers of %d", statuses, made)
	}
}

func TestAnEstimateIsToldInWords(t *testing.T) {
	for want, e := range map[string]Estimate{
		"about 1,240 calls, 3 min at 50 % of the bucket": {Calls: 1240, Time: 3 * time.Minute, Share: 0.5},
		"about 12 calls": {Calls: 12},
		"about 1,001,500 calls, 5.6 h at 50 % of the bucket": {Calls: 1001500, Time: 20160 * time.Second, Share: 0.5},
	} {
		if got := e.String(); got != want {
			t.Errorf("told as %q, want %q", got, want)
		}
	}
}
