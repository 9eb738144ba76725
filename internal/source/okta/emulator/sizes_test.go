package emulator

import "testing"

func TestOrgsOfAllSizes(t *testing.T) {
	for users := minUsers; users < 400; users += 7 {
		for seed := range uint64(4) {
			o := New(Options{Users: users, Seed: seed + 1, EventsPerDay: 1, Days: 90})
			kinds := make(map[string]bool)
			for i := range users {
				kinds[o.statusOf(i)] = true
			}
			if len(kinds) != len(statuses) || len(o.bindings) == 0 || o.memberCount(administrators) < 15 {
				t.Errorf("%d users, seed %d: %d statuses, %d bindings, %d administrators", users, seed+1, len(kinds), len(o.bindings), o.memberCount(administrators))
			}
			for k := range o.events.count {
				if k > 0 && o.stored(k) < o.stored(k-1) || o.published(k) > o.now*1000 {
					t.Fatalf("event %d is stored at %d, before the one before it, or after now", k, o.stored(k))
				}
			}
		}
	}
}

func TestALargeOrgIsListedToItsEnd(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 20,000 users")
	}
	o := New(Options{Users: 20_000, Seed: 5})
	n, seen := 0, make(map[string]bool)
	for _, u := range briefs(t, pages(t, o, "/api/v1/users", "")) {
		n++
		if seen[u.ID] {
			t.Fatalf("%s twice", u.ID)
		}
		seen[u.ID] = true
	}
	if want := o.memberCount(everyone); n != want {
		t.Errorf("%d users listed, want %d", n, want)
	}
	largest := o.groups[departmentHome]
	if got := len(pages(t, o, "/api/v1/groups/"+largest.id+"/users?limit=1000", "")); got != len(largest.members) || got < 2000 {
		t.Errorf("%s lists %d members, has %d", largest.name, got, len(largest.members))
	}
}
