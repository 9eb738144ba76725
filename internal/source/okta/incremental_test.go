package okta

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longshore/internal/rawjson"
)

// movingOrg is a testOrg that changes: it answers the requests of incremental reads, by the bubble's clock.
type movingOrg struct {
	*testOrg
	updated map[string]time.Time // users and groups
	moved   map[string]time.Time // groups, by membership
	lag     time.Duration        // how long search and filter do not show a change
	log     []logged
}

type logged struct {
	kind    string
	targets []string // Type:id
	at      time.Time
}

func newMovingOrg() *movingOrg {
	o := &movingOrg{testOrg: sampleOrg(), updated: map[string]time.Time{}, moved: map[string]time.Time{}}
	for _, id := range slices.Concat(o.users, o.groups) {
		o.updated[id] = time.Now().Add(-24 * time.Hour)
	}
	for _, id := range o.groups {
		o.moved[id] = time.Now().Add(-24 * time.Hour)
	}
	o.fault = o.answer
	return o
}

var (
	sincePattern = regexp.MustCompile(`(\w+) ge "([^"]+)"`)
	kindPattern  = regexp.MustCompile(`eventType sw "([^"]+)"`)
)

// since reports whether one of the times that the expression names is reached, and shown.
func (o *movingOrg) since(expression string, times map[string]time.Time) bool {
	for _, part := range sincePattern.FindAllStringSubmatch(expression, -1) {
		bound, err := time.Parse(stampLayout, part[2])
		at := times[part[1]].Truncate(time.Second)
		if err == nil && !at.Before(bound) && !time.Now().Before(times[part[1]].Add(o.lag)) {
			return true
		}
	}
	return false
}

func (o *movingOrg) answer(w http.ResponseWriter, r *http.Request) bool {
	path := strings.Split(strings.TrimPrefix(r.URL.Path, apiPrefix), "/")
	switch {
	case r.URL.Path == apiPrefix+"users" && r.FormValue("search") != "":
		var list []string
		for _, id := range o.users {
			if o.since(r.FormValue("search"), map[string]time.Time{"lastUpdated": o.updated[id]}) {
				list = append(list, fmt.Sprintf(`{"id":%q,"lastUpdated":%q}`, id, o.updated[id].UTC().Format(stampLayout)))
			}
		}
		o.linkPage(w, r, list)
	case r.URL.Path == apiPrefix+"groups" && r.FormValue("filter") != "":
		var ids []string
		for _, id := range o.groups {
			if o.since(r.FormValue("filter"), map[string]time.Time{"lastUpdated": o.updated[id], "lastMembershipUpdated": o.moved[id]}) {
				ids = append(ids, id)
			}
		}
		all := o.testOrg.groups
		o.testOrg.groups = ids
		list := o.groupsOf(r.FormValue("expand") == "stats")
		o.testOrg.groups = all
		o.linkPage(w, r, list)
	case path[0] == "logs" && len(path) == 1:
		o.pollLog(w, r)
	default:
		return false
	}
	return true
}

// pollLog polls the log with a cursor that is a position.
func (o *movingOrg) pollLog(w http.ResponseWriter, r *http.Request) {
	at, _ := strconv.Atoi(r.FormValue("after"))
	limit, _ := strconv.Atoi(r.FormValue("limit"))
	since, _ := time.Parse(stampLayout, r.FormValue("since"))
	kinds := kindPattern.FindAllStringSubmatch(r.FormValue("filter"), -1)
	var list []string
	for ; at < len(o.log) && len(list) < limit; at++ {
		e := o.log[at]
		if e.at.Before(since) || !slices.ContainsFunc(kinds, func(kind []string) bool { return strings.HasPrefix(e.kind, kind[1]) }) && kinds != nil {
			continue
		}
		var targets []string
		for _, target := range e.targets {
			kind, id, _ := strings.Cut(target, ":")
			targets = append(targets, fmt.Sprintf(`{"id":%q,"type":%q}`, id, kind))
		}
		list = append(list, fmt.Sprintf(`{"uuid":"00000000-0000-4000-8000-%012d","eventType":%q,"published":%q,"target":[%s]}`,
			at, e.kind, e.at.UTC().Format(stampLayout), strings.Join(targets, ",")))
	}
	next := r.URL.Query()
	next.Del("since")
	next.Set("after", strconv.Itoa(at))
	w.Header().Add("Link", fmt.Sprintf(`<http://%s%s?%s>; rel="next"`, r.Host, r.URL.Path, next.Encode()))
	fmt.Fprint(w, "["+strings.Join(list, ",")+"]")
}

func (o *movingOrg) happens(kind string, targets ...string) {
	o.log = append(o.log, logged{kind, targets, time.Now()})
}

// asked lists the ids whose children of that name were asked for since the last call, each once.
func (o *movingOrg) asked(kind, below string) []string {
	ids := map[string]bool{}
	for _, hit := range o.requests() {
		path, _, _ := strings.Cut(strings.TrimPrefix(hit, apiPrefix), "?")
		if parts := strings.Split(path, "/"); len(parts) == 3 && parts[0] == kind && parts[2] == below {
			ids[parts[1]] = true
		}
	}
	o.mu.Lock()
	o.hits = nil
	o.mu.Unlock()
	return slices.Sorted(maps.Keys(ids))
}

// readOn reads a stream from a state on, and returns its records' member and the state that it ends with.
func readOn(t *testing.T, s *Source, stream string, from json.RawMessage, member string) (values []string, state json.RawMessage) {
	t.Helper()
	pages, err := readAll(t, s, stream, from)
	if err != nil || len(pages) == 0 || len(gaps(pages)) > 0 {
		t.Fatalf("%s from %s: %d pages, gaps %q, %v", stream, from, len(pages), gaps(pages), err)
	}
	for _, line := range lines(pages) {
		values = append(values, rawjson.GetString([]byte(line), member))
	}
	slices.Sort(values)
	return slices.Compact(values), pages[len(pages)-1].State
}

func TestIncrementalReadOfUsersAndGroupsTellsWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := newMovingOrg()
		s := open(t, org, func(c *Config) { c.PageLimit = 2 })
		time.Sleep(time.Hour)
		for _, c := range []struct {
			stream string
			change map[string]time.Time
			ids    []string
		}{
			{"users", org.updated, []string{org.users[1], org.users[3], org.users[4], org.users[len(org.users)-1]}},
			{"groups", org.updated, []string{org.groups[2]}},
			{"groups", org.moved, []string{org.groups[0], org.groups[5]}},
		} {
			_, state := readOn(t, s, c.stream, nil, "id")
			time.Sleep(time.Hour)
			if got, _ := readOn(t, s, c.stream, state, "id"); len(got) > 0 {
				t.Errorf("%s: %q changed, want nothing", c.stream, got)
			}
			for _, id := range c.ids {
				c.change[id] = time.Now()
			}
			got, after := readOn(t, s, c.stream, state, "id")
			if want := slices.Sorted(slices.Values(c.ids)); !slices.Equal(got, want) {
				t.Errorf("%s: %q changed, want %q", c.stream, got, want)
			}
			time.Sleep(time.Hour)
			_, after = readOn(t, s, c.stream, after, "id") // the overlap reaches back to the change
			time.Sleep(time.Hour)
			if got, _ := readOn(t, s, c.stream, after, "id"); len(got) > 0 {
				t.Errorf("%s: %q changed again", c.stream, got)
			}
			for _, page := range mustPages(t, s, c.stream, state) { // and from each state on the way
				var st struct {
					LastUpdated string
					Done        bool
				}
				if err := json.Unmarshal(page, &st); err != nil {
					t.Fatal(err)
				}
				if earlier := rawjson.GetString(state, "lastUpdated"); !st.Done && st.LastUpdated != earlier || st.Done && st.LastUpdated <= earlier {
					t.Errorf("%s: state %s, want the bound %s until it is done", c.stream, page, earlier)
				}
			}
		}
	})
}

func mustPages(t *testing.T, s *Source, stream string, from json.RawMessage) (states []json.RawMessage) {
	t.Helper()
	pages, err := readAll(t, s, stream, from)
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		states = append(states, page.State)
	}
	return states
}

// Whatever an index shows late, within the overlap, is found by a later read.
func TestIncrementalReadMissesNothingThatTheIndexShowsLate(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			org := newMovingOrg()
			org.lag = time.Duration(r.Int64N(int64(indexOverlap - 2*time.Second)))
			s := open(t, org, func(c *Config) { c.PageLimit = 2 })
			_, state := readOn(t, s, "users", nil, "id")
			pending := map[string]time.Time{} // changes that no read has told yet
			tell := func() {
				pages, err := readAll(t, s, "users", state)
				if err != nil {
					t.Fatal(err)
				}
				for _, line := range lines(pages) {
					if id := rawjson.GetString([]byte(line), "id"); rawjson.GetString([]byte(line), "lastUpdated") >= pending[id].UTC().Format(stampLayout) {
						delete(pending, id)
					}
				}
				state = pages[len(pages)-1].State
			}
			for range 40 {
				time.Sleep(time.Duration(r.Int64N(int64(30 * time.Second))))
				if id := org.users[r.IntN(len(org.users))]; r.IntN(3) > 0 {
					org.updated[id] = time.Now()
					pending[id] = time.Now().Truncate(time.Second)
				} else {
					tell()
				}
			}
			time.Sleep(org.lag + time.Second)
			tell()
			if len(pending) > 0 {
				t.Errorf("seed %d, lag %s: never told of %v", seed, org.lag, pending)
			}
		})
	}
}

func TestIncrementalReadOfMembersAsksTheGroupsThatMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := newMovingOrg()
		s := open(t, org)
		_, state := readOn(t, s, "group_members", nil, "groupId")
		time.Sleep(time.Hour)
		org.asked("groups", "users")
		org.moved["00g4"] = time.Now()
		org.members["00g4"] = append(org.members["00g4"], "00u8")
		org.updated["00g5"] = time.Now() // another name
		got, after := readOn(t, s, "group_members", state, "groupId")
		if asked := org.asked("groups", "users"); !slices.Equal(got, []string{"00g4"}) || !slices.Equal(asked, got) {
			t.Errorf("members of %q were read, %q asked for; want 00g4", got, asked)
		}
		time.Sleep(time.Hour)
		_, after = readOn(t, s, "group_members", after, "groupId") // the overlap reaches back to the change
		time.Sleep(time.Hour)
		if got, _ := readOn(t, s, "group_members", after, "groupId"); len(got) > 0 {
			t.Errorf("members of %q were read again", got)
		}
	})
}

func TestIncrementalReadOfRolesAsksWhomTheLogTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := newMovingOrg()
		s := open(t, org)
		_, state := readOn(t, s, "user_role_assignments", nil, "userId")
		_, groupState := readOn(t, s, "group_role_assignments", nil, "groupId")
		for _, c := range []struct {
			name    string
			kind    string
			targets []string
			users   []string
			groups  []string
		}{
			{"nothing", "user.session.start", []string{"User:00u3"}, nil, nil},
			{"a grant", "user.account.privilege.grant", []string{"User:00u8"}, []string{"00u8"}, nil},
			{"a grant, with the role among the targets", "user.account.privilege.grant", []string{"ROLE:cr01", "User:00u8"}, []string{"00u8"}, nil},
			{"a grant to a group", "group.privilege.grant", []string{"UserGroup:00g4"}, org.members["00g4"], []string{"00g4"}},
			{"a binding", "iam.resourceset.bindings.add", []string{"User:00u2", "UserGroup:00g1"}, append([]string{"00u2"}, org.members["00g1"]...), []string{"00g1"}},
			{"who joined a group with roles", "group.user_membership.add", []string{"User:00u6", "UserGroup:00g4"}, []string{"00u6"}, nil},
			{"who joined a group without", "group.user_membership.add", []string{"User:00u6", "UserGroup:00g5"}, nil, nil},
		} {
			time.Sleep(time.Hour)
			org.asked("users", "roles")
			org.happens(c.kind, c.targets...)
			_, next := readOn(t, s, "user_role_assignments", state, "userId")
			want := slices.Compact(slices.Sorted(slices.Values(c.users)))
			if got := org.asked("users", "roles"); !slices.Equal(got, want) {
				t.Errorf("%s: the roles of %q were asked for, want %q", c.name, got, want)
			}
			_, nextGroups := readOn(t, s, "group_role_assignments", groupState, "groupId")
			if got := org.asked("groups", "roles"); !slices.Equal(got, slices.Sorted(slices.Values(c.groups))) {
				t.Errorf("%s: the roles of the groups %q were asked for, want %q", c.name, got, c.groups)
			}
			state, groupState = next, nextGroups
		}
		// An event that Okta stores an hour late stands behind the ones that were read.
		time.Sleep(time.Hour)
		org.happens("user.account.privilege.grant", "User:00u8")
		_, state = readOn(t, s, "user_role_assignments", state, "userId")
		org.asked("users", "roles")
		org.log = append(org.log, logged{"user.account.privilege.revoke", []string{"User:00u5"}, time.Now().Add(-time.Hour)})
		readOn(t, s, "user_role_assignments", state, "userId")
		if got := org.asked("users", "roles"); !slices.Equal(got, []string{"00u5"}) {
			t.Errorf("an event stored late: %q asked for, want 00u5", got)
		}
	})
}

func TestIncrementalReadOfRolesResumedAtAnyPageGivesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := newMovingOrg()
		s := open(t, org, func(c *Config) { c.PageLimit = 2 }) // two events a page
		_, state := readOn(t, s, "user_role_assignments", nil, "userId")
		time.Sleep(time.Hour)
		for i := range 7 {
			org.happens("user.account.privilege.grant", "User:"+org.users[i])
		}
		org.happens("group.privilege.grant", "UserGroup:00g4")
		whole, err := readAll(t, s, "user_role_assignments", state)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Compact(slices.Sorted(slices.Values(lines(whole))))
		for i, page := range whole[:len(whole)-1] {
			rest, err := readAll(t, open(t, org, func(c *Config) { c.PageLimit = 2 }), "user_role_assignments", page.State)
			got := slices.Compact(slices.Sorted(slices.Values(append(lines(whole[:i+1]), lines(rest)...))))
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("resumed behind page %d at %s: %d records, %v, want %d", i, page.State, len(got), err, len(want))
			}
		}
	})
}

func TestRolesAreReadInFullWhenTheLogDoesNotTell(t *testing.T) {
	for name, change := range map[string]func(*movingOrg){
		"an event without a principal": func(o *movingOrg) { o.happens("user.account.privilege.grant", "ROLE:cr01") },
		"a bound past the retention":   func(*movingOrg) { time.Sleep(logRetention) },
		"a log that is refused": func(o *movingOrg) {
			o.fault = func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == logsPath {
					refuse(w, 403, "E0000006", "no permission")
					return true
				}
				return o.answer(w, r)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				org := newMovingOrg()
				s := open(t, org)
				full, state := readOn(t, s, "user_role_assignments", nil, "userId")
				time.Sleep(time.Hour)
				change(org)
				got, _ := readOn(t, s, "user_role_assignments", state, "userId")
				if !slices.Equal(got, full) {
					t.Errorf("the roles of %q were read, want all: %q", got, full)
				}
			})
		})
	}
}

func TestStatesOfAirbytesSourceAreTakenOver(t *testing.T) {
	for text, want := range map[string]state{
		`{"lastUpdated":"2026-01-02T03:04:05.000Z"}`:                                           {Version: 1, Done: true, LastUpdated: "2026-01-02T03:04:05Z"},
		`{"lastUpdated":"2026-01-02T03:04:05.000+00:00"}`:                                      {Version: 1, Done: true, LastUpdated: "2026-01-02T03:04:05Z"},
		`{"lastUpdated":"2026-01-02T03:04:05.250000"}`:                                         {Version: 1, Done: true, LastUpdated: "2026-01-02T03:04:05.25Z"},
		`{"published":"2026-01-02T03:04:05Z"}`:                                                 {Version: 1, Published: "2026-01-02T03:04:05Z"},
		`{"published":"2026-01-02T03:04:05+0100"}`:                                             {Version: 1, Published: "2026-01-02T02:04:05Z"},
		`{"__ab_full_refresh_sync_complete":true}`:                                             {Version: 1, Done: true},
		`{"__ab_full_refresh_sync_complete":false}`:                                            {Version: 1},
		`{"__ab_no_cursor_state_message":true}`:                                                {Version: 1},
		`{"lastUpdated":null,"__ab_x":1,"published":null,"__ab_no_cursor_state_message":true}`: {Version: 1},
		`{}`: {Version: 1}, `null`: {Version: 1}, ``: {Version: 1},
	} {
		if got, err := parseState(json.RawMessage(text)); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, bad := range []string{`{"lastUpdated":"yesterday"}`, `{"published":7}`, `{"other":1}`, `{"v":1,"lastUpdated":"yesterday"}`, `{"v":1,"f":"https://evil.test/api/v1/logs"}`} {
		if got, err := parseState(json.RawMessage(bad)); err == nil {
			t.Errorf("%s was taken for %+v", bad, got)
		}
	}
}

func TestResumeFullTakesStatesOfFullReadsAlone(t *testing.T) {
	for text, want := range map[string]struct {
		from string
		done bool
	}{
		``:   {``, false},
		`{}`: {`{}`, false},
		`{"v":1,"n":1,"b":"2026-01-02T03:04:05.000Z"}`:                                        {`{"v":1,"n":1,"b":"2026-01-02T03:04:05.000Z"}`, false},
		`{"v":1,"done":true,"lastUpdated":"2026-01-02T03:04:05.000Z"}`:                        {`{"v":1,"done":true,"lastUpdated":"2026-01-02T03:04:05.000Z"}`, true},
		`{"__ab_full_refresh_sync_complete":true}`:                                            {`{"__ab_full_refresh_sync_complete":true}`, true},
		`{"v":1,"n":100,"b":"2026-01-02T03:04:05Z","lastUpdated":"2026-01-01T03:04:05.000Z"}`: {``, false},
		`{"lastUpdated":"2026-01-02T03:04:05.000Z"}`:                                          {``, false},
		`{"published":"2026-01-02T03:04:05Z"}`:                                                {``, false},
		`{"v":1,"l":"/api/v1/logs?after=1","published":"2026-01-02T03:04:05Z"}`:               {`{"v":1,"l":"/api/v1/logs?after=1","published":"2026-01-02T03:04:05Z"}`, false},
	} {
		if from, done := ResumeFull(json.RawMessage(text)); string(from) != want.from && (len(from) > 0 || want.from != "{}") || done != want.done {
			t.Errorf("%s: from %s, done %t; want %s, %t", text, from, done, want.from, want.done)
		}
	}
}
