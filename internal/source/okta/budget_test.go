package okta

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
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
	name      string
	showShare bool // rate headers show our share, not the org's ceiling
	noise     []emulator.Noise
}

var budgetCases = []budgetCase{
	{"limit of the org", false, nil},
	{"limit of the client", true, nil},
	{"limit of the org, neighbour takes 40 %", false, []emulator.Noise{{Bucket: "/users", PerCent: 40}}},
	{"limit of the client, neighbour takes 40 %", true, []emulator.Noise{{Bucket: "/users", PerCent: 40}}},
	{"limit of the org, 40 % in bursts of 40", false, []emulator.Noise{{Bucket: "/users", PerCent: 40, Burst: 40}}},
	{"limit of the org, neighbours take 75 %", false, []emulator.Noise{{Bucket: "/users", PerCent: 40}, {Name: "another", Bucket: "/users", PerCent: 35}}},
}

func largeOrg(c budgetCase, users, admins int) *emulator.Org {
	return emulator.New(emulator.Options{
		Users: users, Admins: admins, EventsPerDay: -1, BaseURL: emulator.DefaultBaseURL, Noise: c.noise,
		RateLimits: emulator.RateLimits{Profile: "workforce", Share: 50, ShowShare: c.showShare},
		Faults:     emulator.Faults{{Latency: answerLatency}},
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

// spent is what a way of reading took.
type spent struct {
	calls   int
	took    time.Duration
	refused int // our answers of 429

	others    int // requests of other clients
	displaced int // of these, answered 429 because of us
	most      int // of our requests to /users in one window
}

// measure runs do on an org.
func measure(org *emulator.Org, do func()) spent {
	began, before := time.Now(), org.Stats()
	do()
	took, after := time.Since(began), org.Stats()
	cost := spent{took: took, refused: after.Throttled + after.Crowded - before.Throttled - before.Crowded}
	for bucket, count := range after.Requests {
		cost.calls += count - before.Requests[bucket]
	}
	for _, noise := range after.Noise {
		cost.displaced += noise.Displaced
		cost.others += noise.Sent
	}
	for _, client := range after.Clients {
		cost.most = max(cost.most, client.MostInWindow["/users"])
	}
	return cost
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
	t.Parallel()
	users, admins, cases := largeUsers, largeAdmins, budgetCases
	if testing.Short() {
		users, cases = largeUsers/2, []budgetCase{budgetCases[0], budgetCases[3]}
	}
	t.Logf("%-42s %8s %8s %8s %12s %12s %6s %10s", fmt.Sprintf("%d users, %d admins", users, admins), "calls", "least", "foreseen", "time", "foreseen", "429", "displaced")
	for _, c := range cases {
		synctest.Test(t, func(t *testing.T) {
			org := largeOrg(c, users, admins)
			want := ledgerOfRoles(org)
			holders := holdersIn(want)
			least := pagesOf(users, 200) + holders + pagesOf(holders, 100)
			s := openEmulator(t, org)
			var got []string
			count := 0
			var foreseen Estimate
			cost := measure(org, func() {
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
			if cost.refused > 0 || cost.displaced > 0 || cost.most > 300 {
				t.Errorf("%s: %d answers were 429, of others' %d requests %d because of us; %d of ours in one window of 300", c.name, cost.refused, cost.others, cost.displaced, cost.most)
			}
			if len(c.noise) > 0 && cost.others == 0 {
				t.Errorf("%s: nobody else was there", c.name)
			}
			t.Logf("%-42s %8d %8d %8d %12s %12s %6d %10d", c.name, cost.calls, least, foreseen.Calls, cost.took.Round(time.Second), foreseen.Time.Round(time.Second), cost.refused, cost.displaced)
		})
	}
	if testing.Short() {
		return // what follows is for comparison
	}
	synctest.Test(t, func(t *testing.T) {
		org := largeOrg(budgetCases[0], users, admins)
		cost := measure(org, func() { fanOut(t, org) })
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
