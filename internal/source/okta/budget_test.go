package okta

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"longshore/internal/rawjson"
	"longshore/internal/source/okta/emulator"
)

// The org of the proof: 100,000 people of whom 500 hold a role, the limits of a workforce org, 0.25 s an answer.
const (
	largeUsers    = 100_000
	largeAdmins   = 500
	answerLatency = 250 * time.Millisecond
)

// budgetCase is one way in which an org may show and share its limits.
type budgetCase struct {
	name   string
	limits emulator.RateLimits
	noise  time.Duration // pause between the calls of a second client; 0 for no such client
}

var budgetCases = []budgetCase{
	{"limit of the org", emulator.RateLimits{Profile: "workforce", Share: 50}, 0},
	{"limit of the client", emulator.RateLimits{Profile: "workforce", Share: 50, ShowShare: true}, 0},
	{"limit of the org, noisy neighbour", emulator.RateLimits{Profile: "workforce"}, 250 * time.Millisecond},
	{"limit of the org, very noisy neighbour", emulator.RateLimits{Profile: "workforce"}, 180 * time.Millisecond},
	{"limit of the client, noisy neighbour", emulator.RateLimits{Profile: "workforce", Share: 50, ShowShare: true}, time.Second},
}

func largeOrg(limits emulator.RateLimits, users, admins int) *emulator.Org {
	return emulator.New(emulator.Options{
		Users: users, Admins: admins, EventsPerDay: -1, BaseURL: emulator.DefaultBaseURL, RateLimits: limits,
		Faults: emulator.Faults{{Latency: answerLatency}},
	})
}

func openEmulator(t testing.TB, org *emulator.Org, change ...func(*Config)) *Source {
	t.Helper()
	config := Config{OrgURL: emulator.DefaultBaseURL, Token: emulator.DefaultToken, HTTPClient: org.Client()}
	for _, c := range change {
		c(&config)
	}
	s, err := Open(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// neighbour is another client of the org, with habits of its own.
type neighbour struct {
	calls, refused atomic.Int64
	stop           context.CancelFunc
	ended          sync.WaitGroup
}

// moveIn starts a neighbour that asks every pause for something of the bucket /users, waiting for no limit.
func moveIn(ctx context.Context, org *emulator.Org, pause time.Duration) *neighbour {
	n := &neighbour{}
	ctx, n.stop = context.WithCancel(ctx)
	if pause == 0 {
		return n
	}
	n.ended.Go(func() {
		for tick := time.NewTicker(pause); ctx.Err() == nil; {
			n.ended.Go(func() { n.ask(ctx, org) })
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	return n
}

func (n *neighbour) ask(ctx context.Context, org *emulator.Org) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, emulator.DefaultBaseURL+"/api/v1/users/me/groups", nil)
	if err != nil {
		panic(err)
	}
	request.Header.Set("Authorization", "SSWS "+emulator.DefaultToken)
	response, err := org.Client().Do(request)
	if err != nil {
		return // moving out
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	n.calls.Add(1)
	if response.StatusCode == http.StatusTooManyRequests {
		n.refused.Add(1)
	}
}

func (n *neighbour) moveOut() {
	n.stop()
	n.ended.Wait()
}

// spent is what a way of reading took.
type spent struct {
	calls   int
	took    time.Duration
	refused int // 429 answers, to whichever client
}

// measure runs do on an org beside a neighbour.
func measure(ctx context.Context, org *emulator.Org, noise time.Duration, do func()) spent {
	n := moveIn(ctx, org, noise)
	began, before := time.Now(), org.Stats()
	do()
	took := time.Since(began)
	n.moveOut()
	after := org.Stats()
	calls := -int(n.calls.Load())
	for bucket, count := range after.Requests {
		calls += count - before.Requests[bucket]
	}
	return spent{calls, took, after.Throttled + after.Crowded - before.Throttled - before.Crowded}
}

// ledgerOfRoles is what Read must give, of the emulator's own account.
func ledgerOfRoles(org *emulator.Org) (all []string) {
	for record := range org.Truth("user_role_assignments") {
		plain, _, _ := strings.Cut(string(record), `,"principalType":`)
		all = append(all, plain+"}")
	}
	slices.Sort(all)
	return all
}

func holdersIn(ledger []string) int {
	seen := map[string]bool{}
	for _, record := range ledger {
		seen[rawjson.GetString([]byte(record), "userId")] = true
	}
	return len(seen)
}

func pagesOf(n, size int) int { return (n + size - 1) / size }

// TestRolesOfALargeOrg is the proof of the rate budget: every role assignment, next to no call more than the least
// there could be, no 429 for anybody, and the prediction.
func TestRolesOfALargeOrg(t *testing.T) {
	users, admins := largeUsers, largeAdmins
	if testing.Short() {
		users, admins = largeUsers/2, largeAdmins
	}
	t.Logf("%-42s %8s %8s %8s %12s %12s %6s", fmt.Sprintf("%d users, %d admins", users, admins), "calls", "least", "foreseen", "time", "foreseen", "429")
	for _, c := range budgetCases {
		synctest.Test(t, func(t *testing.T) {
			org := largeOrg(c.limits, users, admins)
			want := ledgerOfRoles(org)
			holders := holdersIn(want)
			least := pagesOf(users, 200) + holders + pagesOf(holders, 100)
			s := openEmulator(t, org)
			var got []string
			count := 0
			var foreseen Estimate
			cost := measure(t.Context(), org, c.noise, func() {
				var err error
				if foreseen, err = s.Estimate(t.Context(), []Planned{{Stream: "users"}, {Stream: "user_role_assignments"}}); err != nil {
					t.Error(err)
				}
				s.BeginRun(1)
				pages, err := readAll(t, s, "users", nil)
				for _, page := range pages {
					count += len(page.Records)
				}
				if err != nil || count != users || len(gaps(pages)) > 0 {
					t.Errorf("%s: %d users, gaps %q, %v, want %d", c.name, count, gaps(pages), err, users)
				}
				pages, err = readAll(t, s, "user_role_assignments", nil)
				if got = lines(pages); err != nil || len(gaps(pages)) > 0 {
					t.Errorf("%s: gaps %q, %v", c.name, gaps(pages), err)
				}
			})
			slices.Sort(got)
			if holders != admins || !slices.Equal(got, want) {
				t.Errorf("%s: %d role assignments of %d holders, the ledger has %d of %d", c.name, len(got), holders, len(want), admins)
			}
			if bound := float64(least) * 1.05; float64(cost.calls) > bound {
				t.Errorf("%s: %d calls, want at most %.0f", c.name, cost.calls, bound)
			}
			if off := float64(foreseen.Calls)/float64(cost.calls) - 1; off < -0.1 || off > 0.1 || len(foreseen.Unsure) > 0 {
				t.Errorf("%s: %d calls were foreseen, %d were made: %v", c.name, foreseen.Calls, cost.calls, foreseen.Unsure)
			}
			if cost.refused > 0 {
				t.Errorf("%s: %d answers were 429", c.name, cost.refused)
			}
			t.Logf("%-42s %8d %8d %8d %12s %12s %6d", c.name, cost.calls, least, foreseen.Calls, cost.took.Round(time.Second), foreseen.Time.Round(time.Second), cost.refused)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		org := largeOrg(budgetCases[0].limits, users, admins)
		cost := measure(t.Context(), org, 0, func() { fanOut(t, org) })
		t.Logf("%-42s %8d %8s %8s %12s %12s %6d", "per-user fan-out, limit of the org", cost.calls, "", "", cost.took.Round(time.Second), "", cost.refused)
	})
}

// fanOut reads roles as connectors usually do: list the users, then ask for the roles of each, one after the other.
func fanOut(t *testing.T, org *emulator.Org) {
	c := openEmulator(t, org).client
	users := newPager(c, "", everyUserPath+"?limit=200", "")
	for users.more() {
		page, err := users.fetch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range page.records {
			if _, _, err := c.page(t.Context(), everyUserPath+"/"+url.PathEscape(rawjson.GetString(user, "id"))+"/roles", ""); err != nil {
				t.Fatal(err)
			}
		}
	}
}
