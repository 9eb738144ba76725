package okta

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longshore/internal/source/okta/emulator"
)

// A stream that ends well holds what the ledger says, whatever went wrong on the way; else it says that it does not.
func TestTroubleNeverLooksLikeSuccess(t *testing.T) {
	t.Parallel()
	seeds := uint64(3)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { inTrouble(t, seed) })
	}
}

// believing are the streams of whose lists an empty one contradicts nothing for sure.
var believing = []string{"client_role_assignments", "permissions", "resource_set_resources", "resource_set_bindings", "app_users", "app_groups", "devices", "group_rules", "api_tokens", "apps", "user_types", "custom_roles", "resource_sets"}

func inTrouble(t *testing.T, seed uint64) {
	options := emulator.Options{Users: 120, Seed: seed + 1, EventsPerDay: -1, BaseURL: emulator.DefaultBaseURL, InheritedAssignees: seed%2 > 0}
	for name, fault := range map[string]emulator.Fault{
		"nothing at times":         {Nothing: true, PerMille: 150},
		"nothing from a time on":   {Nothing: true, From: 3 + int(seed)*5},
		"nothing for a while":      {Nothing: true, From: 2 + int(seed)*3, Times: 30},
		"empty pages":              {Empty: true, PerMille: 300},
		"records twice":            {Duplicate: true, PerMille: 500},
		"the same page again":      {RepeatCursor: true, PerMille: 100},
		"back to the first page":   {Restart: true, PerMille: 100},
		"cursors expire":           {ExpireCursor: true, PerMille: 200},
		"gone":                     {Status: 404, Every: 13},
		"forbidden":                {Status: 403, PerMille: 100},
		"forbidden from a time on": {Status: 403, From: 3 + int(seed)*5},
		"feature absent":           {Status: 401, Code: "E0000015", PerMille: 50},
		"no service":               {Status: 503, PerMille: 200},
		"bodies cut":               {Truncate: true, PerMille: 100},
		"no JSON":                  {Malformed: true, PerMille: 100},
	} {
		org := emulator.New(options)
		for _, stream := range openEmulator(t, org).Streams() {
			if slices.Contains([]string{"standard_roles", "logs", "factors", "role_targets"}, stream.Name) {
				continue // nothing is asked, or told apart in tests of their own
			}
			if (fault.Nothing || fault.Empty) && fault.PerMille > 0 && slices.Contains(believing, stream.Name) {
				continue // a list may be empty, and twice in a row by chance: nobody can tell
			}
			org.SetFaults(emulator.Faults{fault})
			s := openEmulator(t, org, func(c *Config) { c.PageLimit = 25 })
			pages, err := readAll(t, s, stream.Name, nil)
			if err != nil || len(gaps(pages)) > 0 {
				if err == nil && strings.TrimSpace(gaps(pages)[0]) == "" {
					t.Errorf("seed %d, %s, %s: a gap without a reason", seed, name, stream.Name)
				}
				continue
			}
			sameRecords(t, fmt.Sprintf("seed %d, %s, %s", seed, name, stream.Name), held(t, s, stream.Name, pages), ledger(t, s, org, stream.Name))
		}
		time.Sleep(time.Minute) // a new window of the bubble's clock
	}
}
