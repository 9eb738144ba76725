package okta

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
	"longshore/internal/source/okta/emulator"
)

// record is a record as a map, without what only one side has: secrets, and what ledger and source add for themselves.
func record(t *testing.T, s *Source, stream string, line []byte) string {
	t.Helper()
	spec, err := find(s.offered, s.offered, stream)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(spec.hide.apply(line), &members); err != nil {
		t.Fatalf("%s: %v in %s", stream, err, line)
	}
	for _, own := range map[string][]string{
		"user_role_assignments": {"principalType", "principalId"},
		"resource_set_bindings": {"memberType", "memberId"},
	}[stream] {
		delete(members, own)
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// ledger is what the org says that a stream must hold, sorted.
func ledger(t *testing.T, s *Source, org *emulator.Org, stream string) (list []string) {
	for line := range org.Truth(stream) {
		list = append(list, record(t, s, stream, line))
	}
	slices.Sort(list)
	return list
}

// held is what pages hold, sorted and each once: a listing may repeat a record.
func held(t *testing.T, s *Source, stream string, pages []pipeline.Page) (list []string) {
	for _, page := range pages {
		for _, line := range page.Records {
			list = append(list, record(t, s, stream, line))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// targetsByOne makes of each assignment with targets a line for each target, as the ledger has them.
func targetsByOne(t *testing.T, pages []pipeline.Page) (list []string) {
	for _, line := range lines(pages) {
		var role struct {
			ID, Type, PrincipalType, PrincipalID string
			Targets                              []map[string]any
			Unrestricted                         bool
		}
		if err := json.Unmarshal([]byte(line), &role); err != nil || role.Unrestricted != (len(role.Targets) == 0) {
			t.Fatalf("%v in %s: want unrestricted where there are no targets", err, line)
		}
		kind := "GROUP"
		if role.Type == "APP_ADMIN" {
			kind = "APP"
		}
		for _, target := range role.Targets {
			target["principalType"], target["principalId"], target["assignmentId"] = role.PrincipalType, role.PrincipalID, role.ID
			target["roleType"], target["targetType"] = role.Type, kind
			text, err := json.Marshal(target)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, string(text))
		}
	}
	slices.Sort(list)
	return list
}

func TestEveryStreamHoldsWhatTheLedgerSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, everyStreamHoldsWhatTheLedgerSays)
}

func everyStreamHoldsWhatTheLedgerSays(t *testing.T) {
	for _, inherited := range []bool{false, true} {
		org := emulator.New(emulator.Options{Users: 260, EventsPerDay: 20, Days: 3, BaseURL: emulator.DefaultBaseURL, InheritedAssignees: inherited})
		s := openEmulator(t, org)
		for _, stream := range s.Streams() {
			if stream.Name == "standard_roles" {
				continue // asks for nothing
			}
			pages, err := readAll(t, s, stream.Name, nil)
			if err != nil || len(gaps(pages)) > 0 {
				t.Errorf("%s: %v, gaps %q", stream.Name, err, gaps(pages))
				continue
			}
			got := held(t, s, stream.Name, pages)
			if stream.Name == "role_targets" {
				got = targetsByOne(t, pages)
			}
			want := ledger(t, s, org, stream.Name)
			if len(want) == 0 {
				t.Errorf("the ledger of %s is empty: this proves nothing", stream.Name)
			}
			sameRecords(t, fmt.Sprintf("%s (assignees inherited: %t)", stream.Name, inherited), got, want)
			if strings.Contains(strings.Join(lines(pages), ""), "client_secret\":") {
				t.Errorf("%s tells a client secret", stream.Name)
			}
		}
	}
}

func sameRecords(t *testing.T, what string, got, want []string) {
	t.Helper()
	missing, extra := []string{}, []string{}
	for _, line := range want {
		if _, ok := slices.BinarySearch(got, line); !ok {
			missing = append(missing, line)
		}
	}
	for _, line := range got {
		if _, ok := slices.BinarySearch(want, line); !ok {
			extra = append(extra, line)
		}
	}
	if len(missing)+len(extra) > 0 {
		t.Errorf("%s: %d records, want %d; missing %d: %.2q; not in the ledger %d: %.2q",
			what, len(got), len(want), len(missing), missing[:min(2, len(missing))], len(extra), extra[:min(2, len(extra))])
	}
}

func TestPrimaryKeysAreUnique(t *testing.T) { synctest.Test(t, primaryKeysAreUnique) }

func primaryKeysAreUnique(t *testing.T) {
	org := emulator.New(emulator.Options{Users: 260, EventsPerDay: 20, Days: 3, BaseURL: emulator.DefaultBaseURL})
	s := openEmulator(t, org)
	for _, stream := range s.Streams() {
		pages, err := readAll(t, s, stream.Name, nil)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]string{}
		for _, line := range lines(pages) {
			key := primaryKey(t, stream, line)
			if before, ok := seen[key]; ok {
				t.Errorf("%s: two records have the key %q:\n%s\n%s", stream.Name, key, before, line)
			}
			seen[key] = line
		}
	}
}

func primaryKey(t *testing.T, stream pipeline.Stream, line string) (key string) {
	t.Helper()
	for _, path := range stream.PrimaryKey {
		value := rawjson.GetString([]byte(line), path...)
		if value == "" {
			t.Errorf("%s: key %v is not in %s", stream.Name, path, line)
		}
		key += value + "|"
	}
	return key
}

func TestEveryStreamResumedAtAnyPageHoldsTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, everyStreamResumedAtAnyPageHoldsTheSame)
}

func everyStreamResumedAtAnyPageHoldsTheSame(t *testing.T) {
	org := emulator.New(emulator.Options{Users: 90, EventsPerDay: 10, Days: 2, BaseURL: emulator.DefaultBaseURL})
	small := func(c *Config) { c.PageLimit = 25 }
	for _, stream := range openEmulator(t, org).Streams() {
		whole, err := readAll(t, openEmulator(t, org, small), stream.Name, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := openEmulator(t, org)
		want := held(t, s, stream.Name, whole)
		resumes := 12 // behind every page of most streams, some of the long ones
		if testing.Short() {
			resumes = 3
		}
		step := max(1, len(whole)/resumes)
		for i := 0; i < len(whole); i += step {
			rest, err := readAll(t, openEmulator(t, org, small), stream.Name, slices.Clone(whole[i].State))
			if err != nil {
				t.Errorf("%s resumed at %s: %v", stream.Name, whole[i].State, err)
			}
			sameRecords(t, fmt.Sprintf("%s resumed behind page %d at %s", stream.Name, i, whole[i].State), held(t, s, stream.Name, append(slices.Clone(whole[:i+1]), rest...)), want)
		}
	}
}
