package emulator

import (
	"encoding/json"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// ledgerOf is all that Truth tells of a kind.
func ledgerOf(o *Org, kind string) (all []string) {
	for item := range o.Truth(kind) {
		all = append(all, string(item))
	}
	return all
}

func TestAfterManyChangesTruthIsWhatACrawlFinds(t *testing.T) {
	for seed := range uint64(3) {
		o := New(Options{Users: 200, Seed: seed + 1, EventsPerDay: 5})
		w := o.Workload(seed)
		for range 700 {
			if _, err := w.Step(); err != nil {
				t.Fatal(err)
			}
			if seed == 1 {
				o.Advance(time.Minute)
			}
		}
		found := crawl(t, o)
		for _, kind := range kinds {
			if truth := ledgerOf(o, kind); !slices.Equal(truth, found[kind]) {
				t.Errorf("seed %d: %s: the ledger has %d, a crawl finds %d, or they differ", seed, kind, len(truth), len(found[kind]))
			}
		}
		checkCounts(t, o)
	}
}

// checkCounts compares what is counted along the way with a count of everything.
func checkCounts(t *testing.T, o *Org) {
	t.Helper()
	gone, admins := 0, 0
	for i := range o.userCount() {
		switch {
		case o.gone(i):
			gone++
			if o.holdsAny(i) || len(o.groupsOf(i)) > 0 {
				t.Errorf("%s is gone, and holds roles or memberships", o.id(kindUser, i))
			}
		case o.holdsAny(i):
			admins++
		}
		if _, listed := slices.BinarySearch(o.holders, int32(i)); listed != (len(o.direct[i]) > 0) {
			t.Errorf("%s is listed as a holder %v", o.id(kindUser, i), listed)
		}
		for _, g := range o.groupsOf(i) {
			if _, in := slices.BinarySearch(o.groups[g].members, int32(i)); !in {
				t.Errorf("%s is in %s, which does not have them", o.id(kindUser, i), o.groups[g].name)
			}
		}
		if u := o.user(i); !o.erased(i) {
			if at, ok := o.userByLogin(u.login); !ok || at != i {
				t.Errorf("login %s leads to %d, %v, want %d", u.login, at, ok, i)
			}
		}
	}
	if gone != o.goneCount || admins != o.adminCount {
		t.Errorf("%d gone and %d administrators, counted %d and %d", gone, admins, o.goneCount, o.adminCount)
	}
}

func TestAWorkloadIsTheSameForItsSeed(t *testing.T) {
	run := func() (all []Step) {
		o := New(Options{Users: 100})
		for w := o.Workload(3); len(all) < 200; {
			s, err := w.Step()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		return all
	}
	if a, b := run(), run(); !reflect.DeepEqual(a, b) {
		t.Error("two workloads of one seed differ")
	}
}

// TestWhoFollowsTheLogKnowsTheOrg re-reads by id what events name, as the contract's table of events says, and must end
// with the ledger's state, knowing nothing else of what changed.
func TestWhoFollowsTheLogKnowsTheOrg(t *testing.T) {
	o := New(Options{Users: 150, EventsPerDay: -1})
	f := follower{o: o, users: make(map[string]string), groups: make(map[string]string), members: make(map[string]string), roles: make(map[string]string), groupRoles: make(map[string]string)}
	for _, u := range briefs(t, pages(t, o, "/api/v1/users?search=status+pr", "")) {
		f.user(t, u.ID)
		f.rolesOf(t, u.ID)
	}
	for _, g := range briefs(t, pages(t, o, "/api/v1/groups", "")) {
		f.group(t, g.ID)
		f.membersOf(t, g.ID)
	}
	w := o.Workload(5)
	for range 600 {
		if _, err := w.Step(); err != nil {
			t.Fatal(err)
		}
	}
	since := url.QueryEscape(o.options.Now.Format(time.RFC3339))
	for _, raw := range events(t, o, "limit=100&since="+since) {
		f.refresh(t, raw)
	}
	fresh := follower{o: o, users: make(map[string]string), groups: make(map[string]string), members: make(map[string]string), roles: make(map[string]string), groupRoles: make(map[string]string)}
	for _, u := range briefs(t, pages(t, o, "/api/v1/users?search=status+pr", "")) {
		fresh.user(t, u.ID)
		fresh.rolesOf(t, u.ID)
	}
	for _, g := range briefs(t, pages(t, o, "/api/v1/groups", "")) {
		fresh.group(t, g.ID)
		fresh.membersOf(t, g.ID)
	}
	for _, c := range []struct {
		what      string
		got, want map[string]string
	}{{"users", f.users, fresh.users}, {"groups", f.groups, fresh.groups}, {"members", f.members, fresh.members}, {"roles", f.roles, fresh.roles}, {"roles of groups", f.groupRoles, fresh.groupRoles}} {
		for k, v := range c.want {
			if c.got[k] != v {
				t.Errorf("%s of %s: followed\n%s\nwant\n%s", c.what, k, c.got[k], v)
			}
		}
		if extra := len(c.got) - len(c.want); extra != 0 {
			t.Errorf("%s: followed %d, want %d", c.what, len(c.got), len(c.want))
		}
	}
}

type follower struct {
	o                                         *Org
	users, groups, members, roles, groupRoles map[string]string
}

func (f *follower) read(t *testing.T, into map[string]string, key, path string) {
	t.Helper()
	r := get(t, f.o, path)
	if r.status == 404 {
		delete(into, key)
		return
	}
	into[key] = string(r.body)
}

func (f *follower) user(t *testing.T, id string) { f.read(t, f.users, id, "/api/v1/users/"+id) }
func (f *follower) rolesOf(t *testing.T, id string) {
	f.read(t, f.roles, id, "/api/v1/users/"+id+"/roles")
}

func (f *follower) group(t *testing.T, id string) {
	f.read(t, f.groups, id, "/api/v1/groups/"+id)
	f.read(t, f.groupRoles, id, "/api/v1/groups/"+id+"/roles")
}

func (f *follower) membersOf(t *testing.T, id string) {
	if r := get(t, f.o, "/api/v1/groups/"+id); r.status == 404 {
		delete(f.members, id)
		return
	}
	if id == f.o.groups[administrators].id {
		return
	}
	f.members[id] = strings.Join(memberIDs(t, f.o, id), " ")
}

func (f *follower) refresh(t *testing.T, raw json.RawMessage) {
	t.Helper()
	var e struct {
		EventType string
		Actor     struct{ ID string }
		Target    []struct{ ID, Type string }
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		t.Fatal(err)
	}
	if e.EventType == "user.session.start" {
		f.user(t, e.Actor.ID)
		return
	}
	for _, target := range e.Target {
		switch target.Type {
		case "User":
			f.user(t, target.ID)
			f.rolesOf(t, target.ID)
			if _, there := f.users[target.ID]; !there {
				delete(f.roles, target.ID)
			}
		case "UserGroup":
			f.group(t, target.ID)
			f.membersOf(t, target.ID)
		}
	}
	// Okta Administrators' time moves with privileges, which name people.
	if strings.Contains(e.EventType, "privilege") || strings.Contains(e.EventType, "lifecycle") {
		f.group(t, f.o.groups[administrators].id)
	}
	// An assignment's label is its role's.
	if strings.HasPrefix(e.EventType, "iam.role.update") {
		for id := range maps.Keys(f.roles) {
			f.rolesOf(t, id)
		}
	}
}

func TestRequestsAndChangesTogether(t *testing.T) {
	o := New(Options{Users: 100, EventsPerDay: 20, IndexLag: time.Millisecond, LogLag: time.Millisecond, RateLimits: RateLimits{Concurrency: 1000}})
	var all sync.WaitGroup
	for n := range 4 {
		all.Go(func() {
			w := o.Workload(uint64(n))
			for range 40 {
				if _, err := w.Step(); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 3 {
				for _, path := range []string{"/api/v1/users?search=status+pr", "/api/v1/groups?expand=stats", "/api/v1/logs?limit=50", "/api/v1/iam/assignees/users", "/api/v1/users/me/roles"} {
					if r := get(t, o, path); r.status != 200 {
						t.Errorf("%s: %d", path, r.status)
					}
				}
				for _, kind := range kinds {
					for range o.Truth(kind) {
						continue
					}
				}
			}
		})
	}
	all.Wait()
	checkCounts(t, o)
}
