package okta

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longshore/internal/pipeline"
	"longshore/internal/source/okta/emulator"
)

// chaosRuns is how many seeded runs the fault matrix gets; fewer with -short.
const chaosRuns = 1000

// trouble is one kind of fault of the matrix: how it is made, and what a reader may say of it. Without words it must be
// survived: the stream is complete.
type trouble struct {
	name  string
	make  func(r *rand.Rand) emulator.Fault
	take  func(r *rand.Rand) emulator.Withdrawal // instead of make, from a service app
	words string                                 // what the reason of a partial stream must match; "" means that no stream may be partial by it
}

func nth(r *rand.Rand, least, most int) int { return least + r.IntN(most-least+1) }

func pickOf[T any](r *rand.Rand, all ...T) T { return all[r.IntN(len(all))] }

// troubles is the matrix. Vanish is not in it: a record that moves between two pages while they are read can be found by
// nobody who reads the list once; what the log says of it later brings it.
var troubles = []trouble{
	// What passes must be survived.
	{"window used up", func(r *rand.Rand) emulator.Fault {
		return emulator.Fault{Status: 429, Every: nth(r, 3, 9), HideRateHeaders: r.IntN(3) == 0}
	}, nil, ""},
	{"too many in flight", func(r *rand.Rand) emulator.Fault {
		return emulator.Fault{Concurrency: true, Status: 429, Every: nth(r, 3, 9)}
	}, nil, ""},
	{"5xx", func(r *rand.Rand) emulator.Fault {
		return emulator.Fault{Status: pickOf(r, 500, 502, 503, 504), Every: nth(r, 3, 9), BareBody: r.IntN(2) == 0}
	}, nil, ""},
	{"connection lost", func(r *rand.Rand) emulator.Fault {
		return emulator.Fault{Drop: true, Every: nth(r, 4, 9), From: 2}
	}, nil, ""},
	{"reset in the body", func(r *rand.Rand) emulator.Fault { return emulator.Fault{Reset: true, Every: nth(r, 3, 9)} }, nil, ""},
	{"body cut off", func(r *rand.Rand) emulator.Fault { return emulator.Fault{Truncate: true, Every: nth(r, 3, 9)} }, nil, ""},
	{"gzip cut off", func(r *rand.Rand) emulator.Fault { return emulator.Fault{TruncateGzip: true, Every: nth(r, 5, 9)} }, nil, ""},
	{"no JSON, now and then", func(r *rand.Rand) emulator.Fault { return emulator.Fault{Malformed: true, Every: nth(r, 5, 9)} }, nil, ""},
	{"slow", func(r *rand.Rand) emulator.Fault {
		return emulator.Fault{Latency: time.Duration(nth(r, 50, 3000)) * time.Millisecond, Spread: 0.6}
	}, nil, ""},
	{"slow by size", func(r *rand.Rand) emulator.Fault {
		return emulator.Fault{PerItem: time.Duration(nth(r, 1, 200)) * time.Millisecond}
	}, nil, ""},
	{"stalls", func(r *rand.Rand) emulator.Fault {
		return emulator.Fault{Stall: time.Duration(nth(r, 5, 90)) * time.Second, Nth: nth(r, 1, 8)}
	}, nil, ""},
	{"empty pages", func(r *rand.Rand) emulator.Fault { return emulator.Fault{Empty: true, Every: nth(r, 2, 5)} }, nil, `does not end`}, // when other requests fall into step, one listing meets all of them
	{"records twice", func(r *rand.Rand) emulator.Fault { return emulator.Fault{Duplicate: true, Every: nth(r, 1, 3)} }, nil, ""},
	{"no rate headers", func(r *rand.Rand) emulator.Fault {
		return emulator.Fault{HideRateHeaders: true, Every: nth(r, 1, 3)}
	}, nil, ""},
	{"clock off", func(r *rand.Rand) emulator.Fault {
		return emulator.Fault{Skew: time.Duration(nth(r, -7200, 7200)) * time.Second}
	}, nil, ""},
	{"cursor expires once", func(r *rand.Rand) emulator.Fault {
		return emulator.Fault{ExpireCursor: true, Times: 1, From: nth(r, 1, 3)}
	}, nil, ""},
	// What stays must be told.
	{"scope revoked midway", func(r *rand.Rand) emulator.Fault { return emulator.Fault{Status: 403, From: nth(r, 1, 12)} }, nil, `403`},
	{"token revoked midway", func(r *rand.Rand) emulator.Fault { return emulator.Fault{Status: 401, From: nth(r, 1, 12)} }, nil, `401|credential`},
	{"feature absent", func(r *rand.Rand) emulator.Fault {
		return emulator.Fault{Status: 401, Code: "E0000015", From: nth(r, 1, 4)}
	}, nil, `E0000015|401`}, // a body that says no code leaves the status
	{"gone midway", func(r *rand.Rand) emulator.Fault { return emulator.Fault{Status: 404, Nth: nth(r, 1, 12)} }, nil, `404`},
	{"500 for good", func(r *rand.Rand) emulator.Fault {
		return emulator.Fault{Status: pickOf(r, 500, 503, 504), From: nth(r, 1, 8)}
	}, nil, `50[034]`},
	{"429 for good", func(r *rand.Rand) emulator.Fault { return emulator.Fault{Status: 429, From: nth(r, 1, 8)} }, nil, `429`},
	{"no JSON for good", func(r *rand.Rand) emulator.Fault { return emulator.Fault{Malformed: true, From: nth(r, 1, 8)} }, nil, `JSON`},
	{"400 for good", func(r *rand.Rand) emulator.Fault { return emulator.Fault{Status: 400, From: nth(r, 1, 8)} }, nil, `400`},
	{"no connection any more", func(r *rand.Rand) emulator.Fault { return emulator.Fault{Drop: true, From: nth(r, 1, 8)} }, nil, `no answer`},
	{"cursor comes again", func(r *rand.Rand) emulator.Fault { return emulator.Fault{RepeatCursor: true, From: nth(r, 1, 4)} }, nil, `circles`},
	{"cursor leads to the beginning", func(r *rand.Rand) emulator.Fault { return emulator.Fault{Restart: true, From: nth(r, 1, 4)} }, nil, `circles`},
	{"cursor expires for good", func(r *rand.Rand) emulator.Fault { return emulator.Fault{ExpireCursor: true} }, nil, `E00000(29|54)|400`},
	{"link to another host", func(r *rand.Rand) emulator.Fault {
		return emulator.Fault{ForeignLink: pickOf(r, "evil.example", "harborline.okta.example.evil.example", "other.okta.example"), From: nth(r, 1, 3)}
	}, nil, `leads to`},
	{"sees nothing", func(*rand.Rand) emulator.Fault { return emulator.Fault{Nothing: true} }, nil, blind},
}

// blind is what may be said of a credential that sees nothing, or nothing any more.
const blind = `sees nothing|sees no |cannot be told|cut short|no admin role|list is empty`

// appTroubles are those of a service app with DPoP alone.
var appTroubles = []trouble{
	{"access tokens end", func(r *rand.Rand) emulator.Fault {
		return emulator.Fault{Prefix: apiPrefix, ExpireToken: true, Every: nth(r, 6, 12)}
	}, nil, ""},
	{"nonces change", func(r *rand.Rand) emulator.Fault { return emulator.Fault{NewNonce: true, Every: nth(r, 4, 12)} }, nil, ""},
	{"a token ends", nil, func(r *rand.Rand) emulator.Withdrawal { return emulator.Withdrawal{After: nth(r, 0, 12)} }, ""},
	{"a scope is taken away", nil, func(r *rand.Rand) emulator.Withdrawal {
		return emulator.Withdrawal{After: nth(r, 0, 12), Scope: pickOf(r, "okta.users.read", "okta.groups.read", "okta.roles.read", "okta.apps.read", "okta.logs.read")}
	}, `okta\.\w+\.read|403`},
	{"the role is taken away", nil, func(r *rand.Rand) emulator.Withdrawal {
		return emulator.Withdrawal{After: nth(r, 0, 12), Role: true}
	}, blind + `|403`},
	{"the app is deactivated", nil, func(r *rand.Rand) emulator.Withdrawal {
		return emulator.Withdrawal{After: nth(r, 0, 12), Refuse: true}
	}, `/oauth2/v1/token|401|credential`},
}

// A stream that is read through any trouble is either complete and equal to the org's ledger, or told to be partial with
// the true reason. It never goes in circles, and the credential reaches no other host.
func TestChaos(t *testing.T) {
	t.Parallel()
	runs := chaosRuns
	if testing.Short() {
		runs = 100
	}
	var public map[string]any
	appKey := jwkOf(testEC(), map[string]any{"kid": "k1"})
	if err := json.Unmarshal([]byte(appKey), &public); err != nil {
		t.Fatal(err)
	}
	delete(public, "d")
	appJWKS := must(json.Marshal(map[string]any{"keys": []any{public}}))
	var complete, partial int
	for seed := range runs {
		if t.Failed() && seed > 50 {
			t.Fatalf("stopped after run %d", seed)
		}
		r := rand.New(rand.NewPCG(uint64(seed), 20))
		synctest.Test(t, func(t *testing.T) {
			if chaos(t, seed, r, appKey, appJWKS) {
				complete++
			} else {
				partial++
			}
		})
	}
	t.Logf("%d runs: %d complete, %d partial with their reason", runs, complete, partial)
	if complete < runs/4 || partial < runs/10 {
		t.Errorf("of %d runs %d were complete and %d partial: the matrix proves too little", runs, complete, partial)
	}
}

// chaos is one run: a stream, one to three troubles, and perhaps a crash on the way.
func chaos(t *testing.T, seed int, r *rand.Rand, appKey string, appJWKS []byte) (whole bool) {
	org := emulator.New(emulator.Options{
		Users: nth(r, 40, 120), Seed: uint64(1 + r.IntN(5)), EventsPerDay: 15, Days: 2, BaseURL: emulator.DefaultBaseURL, InheritedAssignees: r.IntN(2) == 0,
		OAuth: emulator.OAuth{
			Apps:       []emulator.App{{ClientID: emulator.DefaultClientID, Keys: appJWKS, Scopes: emulator.ReadScopes(), DPoP: r.IntN(2) == 0}},
			NonceAtAPI: r.IntN(2) == 0, ErrorBodies: r.IntN(2) == 0,
		},
		RateLimits: emulator.RateLimits{Profile: pickOf(r, "", "workforce", "enterprise"), Share: pickOf(r, 50, 100), ShowShare: r.IntN(2) == 0},
	})
	if r.IntN(4) == 0 {
		org.SetNoise([]emulator.Noise{{Bucket: pickOf(r, "/users", "/groups", "/iam"), PerCent: nth(r, 5, 45)}})
	}
	app := r.IntN(3) == 0
	open := func() *Source {
		return openEmulator(t, org, func(c *Config) {
			if c.PageLimit = 25; app {
				c.Token, c.ServiceApp = "", &ServiceApp{ClientID: emulator.DefaultClientID, PrivateKey: appKey, Scopes: emulator.ReadScopes()}
			}
		})
	}
	s := open()
	streams := s.Streams()
	stream := streams[r.IntN(len(streams))]
	for stream.Name == "standard_roles" {
		stream = streams[r.IntN(len(streams))]
	}
	want := ledger(t, s, org, stream.Name)
	var names, words []string
	var faults emulator.Faults
	for range 1 + r.IntN(3) {
		trouble := troubles[r.IntN(len(troubles))]
		if app && r.IntN(2) == 0 {
			trouble = appTroubles[r.IntN(len(appTroubles))]
		}
		if trouble.words != "" {
			words = append(words, trouble.words)
		}
		if trouble.take != nil {
			w := trouble.take(r)
			org.Withdraw(w)
			names = append(names, fmt.Sprintf("%s %+v", trouble.name, w))
			continue
		}
		f := trouble.make(r)
		if f.Prefix == "" {
			f.Prefix = "/"
		}
		if trouble.words != "" && r.IntN(2) == 0 && !f.Nothing {
			f.Prefix = pickOf(r, "/api/v1/users", "/api/v1/groups", "/api/v1/iam", "/api/v1/logs", "/api/v1/apps", "/oauth2")
		}
		faults, names = append(faults, f), append(names, fmt.Sprintf("%s %+v", trouble.name, f))
	}
	// An empty page that leads to itself is how a log says that it is at its end: nobody can tell the two apart.
	if slices.ContainsFunc(faults, func(f emulator.Fault) bool { return f.RepeatCursor || f.Restart }) {
		for i := range faults {
			faults[i].Empty = false
		}
	}
	org.SetFaults(faults)
	what := fmt.Sprintf("run %d, %s, app %t, troubles %s", seed, stream.Name, app, names)
	crash := 0
	if r.IntN(2) == 0 {
		crash = 1 + r.IntN(6)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour) // of the bubble's clock
	defer cancel()
	pages, err := readThrough(ctx, open, stream.Name, crash)
	if ctx.Err() != nil {
		t.Errorf("%s: no end within a day", what)
		return false
	}
	if stats := org.Stats(); stats.Leaked > 0 {
		t.Errorf("%s: the credential went to another host %d times", what, stats.Leaked)
	}
	reasons := gaps(pages)
	if err != nil {
		reasons = append(reasons, explained(err))
	}
	if strings.Contains(strings.Join(reasons, " "), emulator.DefaultToken) {
		t.Errorf("%s: the token is in a reason: %q", what, reasons)
	}
	if len(reasons) > 0 {
		known := strings.Join(words, "|")
		if known != "" && len(faults) > 1 { // the last of many failed attempts can be one of those that pass
			known += `|429|50[0234]|no answer|JSON|does not end`
		}
		if known != "" && app { // or no token is to be had any more
			known += `|/oauth2/v1/token`
		}
		for _, reason := range reasons {
			if known == "" || !regexp.MustCompile(known).MatchString(reason) {
				t.Errorf("%s: partial because of %q, which is not what was wrong (%s)", what, reason, known)
				break
			}
		}
		return false
	}
	got := held(t, s, stream.Name, pages)
	if stream.Name == "role_targets" {
		got = targetsByOne(t, pages)
		got = slices.Compact(got)
	}
	sameRecords(t, what+": called complete", got, want)
	return true
}

// readThrough reads a stream, and goes on with another Source after a crash behind so many pages.
func readThrough(ctx context.Context, open func() *Source, stream string, crash int) (pages []pipeline.Page, err error) {
	var state json.RawMessage
	for s := open(); ; s = open() {
		crashed := false
		for page, err := range s.Read(ctx, stream, state) {
			if err != nil {
				return append(pages, page), err
			}
			for i, record := range page.Records {
				page.Records[i] = slices.Clone(record)
			}
			page.State = slices.Clone(page.State)
			pages = append(pages, page)
			if crash--; crash == 0 {
				state, crashed = page.State, true
				break
			}
		}
		if !crashed {
			return pages, nil
		}
	}
}
