package okta_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"longshore/internal/lake"
	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
	"longshore/internal/source/okta/emulator"
)

// tombstones counts the lake's records of what is gone.
func (b *feedBench) tombstones() (n int) {
	b.t.Helper()
	for _, st := range b.source.Streams() {
		for _, record := range b.records(st.Name) {
			if _, gone := rawjson.Get([]byte(record), pipeline.DeletedMember); gone {
				n++
			}
		}
	}
	return n
}

// records are all records of a stream in the lake.
func (b *feedBench) records(stream string) (all []string) {
	b.t.Helper()
	for o, err := range b.bucket.List(b.t.Context(), "data/okta/"+stream+"/", "") {
		b.must(err)
		for line, err := range lake.Lines(b.t.Context(), b.bucket, []string{o.Key}) {
			b.must(err)
			all = append(all, string(line.Body))
		}
	}
	return all
}

// nudge has the feed read again what concerns a user, a group and a resource set.
func (b *feedBench) nudge(eventType, target, id string) {
	b.t.Helper()
	uuid := fmt.Sprintf("nudge-%s-%s-%d", eventType, id, time.Now().UnixNano())
	event := fmt.Sprintf(`{"uuid":%q,"eventType":%q,"target":[{"id":%q,"type":%q}]}`, uuid, eventType, id, target)
	_, err := b.syncs.PutNudges(b.t.Context(), b.conn.ID, uuid, []pipeline.NewNudge{{UUID: uuid, Event: []byte(event)}})
	b.must(err)
}

// nudgeAll has everything that holds a role read again.
func (b *feedBench) nudgeAll() {
	b.t.Helper()
	for r := range b.org.Truth("user_role_assignments") {
		b.nudge("user.lifecycle.deactivate", "User", rawjson.GetString(r, "userId"))
	}
	for r := range b.org.Truth("group_role_assignments") {
		b.nudge("group.privilege.revoke", "UserGroup", rawjson.GetString(r, "groupId"))
	}
	for r := range b.org.Truth("resource_sets") {
		b.nudge("iam.resourceset.update", "ResourceSet", rawjson.GetString(r, "id"))
	}
	for r := range b.org.Truth("groups") {
		b.nudge("group.user_membership.rule.trigger", "UserGroup", rawjson.GetString(r, "id"))
	}
}

// Hooks go on telling while the credential can see nothing: nothing may count as gone then.
func TestBlindCredentialDeletesNothing(t *testing.T) {
	for name, blind := range map[string]emulator.Faults{
		"empty lists": {
			{Prefix: "/api/v1/users", Nothing: true},
			{Prefix: "/api/v1/groups", Nothing: true},
			{Prefix: "/api/v1/iam", Nothing: true},
		},
		"forbidden": {{Prefix: "/api/v1/users/", Status: 403}, {Prefix: "/api/v1/groups/", Status: 403}, {Prefix: "/api/v1/iam", Status: 403}},
		"failing":   {{Prefix: "/api/v1/users/", Status: 503}, {Prefix: "/api/v1/groups/", Status: 503}, {Prefix: "/api/v1/iam", Status: 503}},
		"an unknown path": {
			{Prefix: "/api/v1/users/", Status: 404, Code: "E0000008"},
			{Prefix: "/api/v1/groups/", Status: 404, Code: "E0000008"},
			{Prefix: "/api/v1/iam", Status: 404, Code: "E0000008"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFeedBench(t, emulator.Options{})
				defer b.close()
				b.follow(30 * time.Second)
				b.org.SetFaults(blind)
				b.nudgeAll()
				b.follow(6 * time.Minute) // longer than an object is tried again for
				if n := b.tombstones(); n > 0 {
					t.Errorf("%d objects count as gone, and none has", n)
				}
				b.org.SetFaults(nil)
				b.fullRun()
				b.settle()
				b.compare()
			})
		})
	}
}

// A cursor that Okta refuses while the feed is at work costs no more than reading a little of the log again.
func TestRefusedCursorDoesNotStopTheFeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFeedBench(t, emulator.Options{LogLag: time.Second})
		defer b.close()
		work := b.org.Workload(5)
		b.change(work, 10, 0)
		b.follow(time.Minute)
		b.org.SetFaults(emulator.Faults{{Prefix: "/api/v1/logs", ExpireCursor: true, Times: 2}})
		b.change(work, 10, time.Second)
		b.settle()
		b.compare()
	})
}

// What changed while no feed was at work, and a run has read since, log included, is gone all the same; and the log is
// not read twice for it.
func TestFeedBehindARunThatReadTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFeedBench(t, emulator.Options{LogLag: time.Second})
		defer b.close()
		work := b.org.Workload(9)
		b.change(work, 20, 0)
		b.follow(time.Minute)
		for range 2 {
			b.must(b.syncs.NoFeeds(b.t.Context())) // the process ends, and another begins
			b.newFeed()
			b.change(work, 60, time.Second)
			time.Sleep(time.Hour)
			b.fullRun()
			b.settle()
			b.compare()
			b.eventsOnce()
		}
		all, err := b.syncs.Runs(b.t.Context(), 100)
		b.must(err)
		own, err := b.syncs.Own(b.t.Context(), 100)
		b.must(err)
		feeds := 0
		for _, run := range own {
			if run.Cause == pipeline.CauseFeed {
				feeds++
			}
		}
		if len(own) != 4 || feeds != 1 || len(all) <= len(own) {
			t.Errorf("of %d runs %d are shown, %d of them the feed's, want 3 and the feed's last", len(all), len(own), feeds)
		}
	})
}

// A role that only a run has told of goes like any other.
func TestWhatTheFeedMissedIsGoneInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFeedBench(t, emulator.Options{})
		defer b.close()
		b.follow(30 * time.Second)
		user, group := b.someUsers(1)[0], ""
		for g := range b.org.Truth("group_role_assignments") {
			group = rawjson.GetString(g, "groupId")
		}
		before := b.fold("user_role_assignments")
		b.must(b.org.ImportMembership(user, group, true)) // the log says nothing of it
		b.follow(30 * time.Second)
		b.fullRun()
		if got := b.fold("user_role_assignments"); len(got) <= len(before) {
			t.Skipf("group %s brings no role to %s", group, user)
		}
		b.follow(30 * time.Second)
		b.must(b.org.Leave(user, group))
		b.settle()
		b.compare()
	})
}

// Of streams that nobody wants nothing is asked, and what cannot be read is told on a stream that there is.
func TestFeedAsksForNothingUnwanted(t *testing.T) {
	for name, c := range map[string]struct {
		streams []string
		calls   bool
	}{"the log alone": {[]string{"logs"}, false}, "users": {[]string{"logs", "users"}, true}, "roles of users": {[]string{"logs", "user_role_assignments"}, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFeedBench(t, emulator.Options{LogLag: time.Second})
				defer b.close()
				b.feed.Streams = func(pipeline.Connection) ([]pipeline.Stream, error) {
					return slices.DeleteFunc(b.source.Streams(), func(s pipeline.Stream) bool { return !slices.Contains(c.streams, s.Name) }), nil
				}
				b.follow(10 * time.Second)
				before := b.calls()
				b.org.SetFaults(emulator.Faults{{Prefix: "/api/v1/groups", Status: 403}})
				b.change(b.org.Workload(3), 60, 0)
				b.follow(2 * time.Minute)
				if made := b.calls() - before; made > 0 != c.calls {
					t.Errorf("%d calls beside the log's, want some: %t", made, c.calls)
				}
			})
		})
	}
}

// A credential that may not read the log leaves no empty run behind, and the log to the runs, which tell.
func TestFeedWithoutTheLogLeavesItToRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFeedBench(t, emulator.Options{})
		defer b.close()
		b.org.SetFaults(emulator.Faults{{Prefix: "/api/v1/logs", Status: 403, Code: "E0000006"}})
		for range 3 {
			if _, err := b.feed.Work(t.Context(), b.conn.ID, time.Now().Add(time.Minute)); err == nil || !strings.Contains(err.Error(), "403") {
				t.Fatalf("the feed works without the log: %v", err)
			}
		}
		id := b.startRun()
		runs, err := b.syncs.Runs(t.Context(), 10)
		b.must(err)
		if len(runs) != 2 || runs[0].ID != id {
			t.Errorf("there are %d runs, want the first and the one just begun", len(runs))
		}
		if !slices.ContainsFunc(runs[0].Streams, func(s pipeline.StreamRun) bool { return s.Stream == "logs" }) {
			t.Error("the run does not read the log, and nobody tells that it may not be read")
		}
	})
}

func (b *feedBench) calls() (n int) {
	for bucket, requests := range b.org.Stats().Requests {
		if !strings.HasSuffix(bucket, "/logs") {
			n += requests
		}
	}
	return n
}
