package okta_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	dest "longshore/internal/destination/s3"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
	"longshore/internal/source/okta"
	"longshore/internal/source/okta/emulator"
	"longshore/internal/store"
)

// feedBench is the stand-in org, a store and a lake, read once in full, with a feed over them. It belongs into a
// synctest bubble: time passes at once, and only while all wait.
type feedBench struct {
	t      *testing.T
	org    *emulator.Org
	source *okta.Source
	store  *store.Store
	syncs  *store.Syncs
	bucket lake.Bucket
	dest   *dest.Destination
	conn   pipeline.Connection
	feed   *pipeline.Feed
	wanted []string
}

func newFeedBench(t *testing.T, options emulator.Options) *feedBench {
	t.Helper()
	dir := t.TempDir()
	if options.Users == 0 {
		options.Users = 60
	}
	if options.EventsPerDay == 0 {
		options.EventsPerDay, options.Days = 20, 3
	}
	options.BaseURL = emulator.DefaultBaseURL
	options.Now = time.Now().UTC().Truncate(time.Second)
	b := &feedBench{t: t, org: emulator.New(options)}
	var err error
	b.source, err = okta.Open(okta.Config{OrgURL: emulator.DefaultBaseURL, Token: emulator.DefaultToken, HTTPClient: b.org.Client()})
	b.must(err)
	b.store, err = store.Open(t.Context(), filepath.Join(dir, "longshore.db"))
	b.must(err)
	b.bucket, err = lake.OpenFolder(filepath.Join(dir, "lake"))
	b.must(err)
	b.dest = &dest.Destination{Bucket: b.bucket, Layout: lake.GuideLayout(), TempDir: dir}
	b.syncs = b.store.Syncs("lake", time.Now, func(context.Context, *sql.Tx, int64) error { return nil }, func(context.Context, *sql.Tx, int64, int64) error { return nil })
	b.conn, err = b.syncs.PutConnection(t.Context(), pipeline.Connection{Name: "okta", NamespaceFormat: "okta"})
	b.must(err)
	b.fullRun()
	b.newFeed()
	return b
}

func (b *feedBench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *feedBench) close() {
	b.org.Close()
	b.must(b.store.Close())
}

// newFeed begins anew, as another process would.
func (b *feedBench) newFeed() {
	b.feed = &pipeline.Feed{
		Source: b.source, Destination: b.dest, Store: b.syncs, Now: time.Now,
		Streams: func(pipeline.Connection) ([]pipeline.Stream, error) { return b.source.Streams(), nil },
		Recall:  b.recall,
		Wanted: func(_ context.Context, _ pipeline.Connection, why string) error {
			b.wanted = append(b.wanted, why)
			return nil
		},
	}
}

func (b *feedBench) recall(ctx context.Context, conn pipeline.Connection, stream string) iter.Seq2[pipeline.Recalled, error] {
	return func(yield func(pipeline.Recalled, error) bool) {
		keys, err := b.syncs.LastOf(ctx, conn.ID, stream)
		if err != nil {
			yield(pipeline.Recalled{}, err)
			return
		}
		for line, err := range lake.Lines(ctx, b.bucket, keys) {
			if !yield(pipeline.Recalled{Record: line.Body, Generation: line.Generation, ExtractedAt: line.ExtractedAt}, err) {
				return
			}
		}
	}
}

// startRun begins a run of all streams.
func (b *feedBench) startRun() int64 {
	b.t.Helper()
	id, started, err := b.syncs.StartRun(b.t.Context(), b.conn, b.source.Streams(), false, "test")
	b.must(err)
	if !started {
		b.t.Fatalf("run %d is under way already", id)
	}
	return id
}

func (b *feedBench) finishRun(id int64) {
	b.t.Helper()
	s := &pipeline.Sync{Source: b.source, Destination: b.dest, Store: b.syncs, Now: time.Now}
	done, err := s.Work(b.t.Context(), id, time.Now().Add(time.Hour))
	b.must(err)
	if run, err := b.syncs.Run(b.t.Context(), id); err != nil || !done || run.Status != pipeline.Succeeded {
		b.t.Fatalf("the run ended %s %q, %v", run.Status, run.Error, err)
	}
}

func (b *feedBench) fullRun() { b.finishRun(b.startRun()) }

// follow lets the feed work for a while.
func (b *feedBench) follow(d time.Duration) {
	b.t.Helper()
	until := time.Now().Add(d)
	for {
		wait, err := b.feed.Work(b.t.Context(), b.conn.ID, until)
		b.must(err)
		if !time.Now().Before(until) {
			return
		}
		time.Sleep(wait)
	}
}

// fold is what the lake says of a stream: of each key the newest record, unless it tells that the object is gone.
func (b *feedBench) fold(stream string) map[string]string {
	b.t.Helper()
	type newest struct {
		generation, at int64
		key            string
		line           int64
		record         string
	}
	all := map[string]newest{}
	primary := b.primaryKey(stream)
	locator := lake.GuideLayout().Locator()
	for o, err := range b.bucket.List(b.t.Context(), "data/okta/"+stream+"/", "") {
		b.must(err)
		if _, ok := locator.Locate(o.Key); !ok {
			b.t.Fatalf("object %s is not of the layout", o.Key)
		}
		for line, err := range lake.Lines(b.t.Context(), b.bucket, []string{o.Key}) {
			b.must(err)
			key := recordKey(primary, line.Body)
			old, have := all[key]
			now := newest{line.Generation, line.ExtractedAt, o.Key, line.Number, string(line.Body)}
			if !have || now.generation > old.generation || now.generation == old.generation && (now.at > old.at || now.at == old.at && (now.key > old.key || now.key == old.key && now.line > old.line)) {
				all[key] = now
			}
		}
	}
	held := map[string]string{}
	for key, n := range all {
		if _, gone := rawjson.Get([]byte(n.record), pipeline.DeletedMember); !gone {
			held[key] = compared(stream, n.record)
		}
	}
	return held
}

func (b *feedBench) primaryKey(stream string) [][]string {
	for _, st := range b.source.Streams() {
		if st.Name == stream {
			return st.PrimaryKey
		}
	}
	b.t.Fatalf("no stream %s", stream)
	return nil
}

func recordKey(primary [][]string, record []byte) string {
	var parts []string
	for _, path := range primary {
		value, _ := rawjson.Get(record, path...)
		parts = append(parts, string(value))
	}
	return strings.Join(parts, " ")
}

// compared is a record as it is compared: what of it may be as old as the last full read is left out.
func compared(stream, record string) string {
	var m map[string]any
	if err := json.Unmarshal([]byte(record), &m); err != nil {
		return err.Error()
	}
	if stream != "role_targets" { // the ledger's own
		delete(m, "principalType")
		delete(m, "principalId")
	}
	switch stream {
	case "resource_set_bindings": // the stream's own
		delete(m, "memberType")
		delete(m, "memberId")
	case "group_members": // the user as of when the membership was read
		m = map[string]any{"groupId": m["groupId"], "id": m["id"]}
	case "users":
		delete(m, "lastLogin")
		if credentials, ok := m["credentials"].(map[string]any); ok && credentials["recovery_question"] != nil {
			credentials["recovery_question"] = map[string]any{} // its text stays out of the lake
		}
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// followed are the streams whose fold must equal the ledger.
var followed = []string{
	"users", "groups", "group_members", "user_role_assignments", "group_role_assignments", "custom_roles", "permissions", "resource_sets",
	"client_role_assignments", "role_targets", "resource_set_resources", "resource_set_bindings",
}

// compare holds the lake against the ledger.
func (b *feedBench) compare() {
	b.t.Helper()
	for _, stream := range followed {
		truth, primary := map[string]string{}, b.primaryKey(stream)
		for record := range b.org.Truth(stream) {
			truth[recordKey(primary, record)] = compared(stream, string(record))
		}
		held := b.fold(stream)
		if stream == "role_targets" { // the ledger has a record for each target, the stream one for each assignment
			truth, held = map[string]string{}, eachTarget(held)
			for r := range b.org.Truth(stream) {
				truth[strings.Join([]string{text(r, "principalType"), text(r, "principalId"), text(r, "assignmentId"), text(r, "id")}, " ")] = "a target"
			}
		}
		var wrong []string
		for key, record := range truth {
			if held[key] != record {
				wrong = append(wrong, fmt.Sprintf("%s\n  ledger %s\n  lake   %s", key, record, held[key]))
			}
		}
		for key, record := range held {
			if truth[key] == "" {
				wrong = append(wrong, fmt.Sprintf("%s\n  ledger (nothing)\n  lake   %s", key, record))
			}
		}
		slices.Sort(wrong)
		if len(wrong) > 0 {
			b.t.Errorf("%s: %d of %d records differ:\n%s", stream, len(wrong), len(truth), strings.Join(wrong[:min(len(wrong), 5)], "\n"))
		}
	}
}

func text(record []byte, name string) string { return rawjson.GetString(record, name) }

// eachTarget is the targets of assignments one by one.
func eachTarget(assignments map[string]string) map[string]string {
	all := map[string]string{}
	for _, assignment := range assignments {
		r := []byte(assignment)
		list, _ := rawjson.Get(r, "targets")
		for target := range rawjson.Elements(list) {
			all[strings.Join([]string{text(r, "principalType"), text(r, "principalId"), text(r, "id"), text(target, "id")}, " ")] = "a target"
		}
	}
	return all
}

// someUsers are the ids of active users without a story, in the ledger's order.
func (b *feedBench) someUsers(n int) []string {
	var ids []string
	for record := range b.org.Truth("users") {
		if rawjson.GetString(record, "status") == "ACTIVE" {
			ids = append(ids, rawjson.GetString(record, "id"))
		}
	}
	return ids[len(ids)-n:]
}

func TestGrantReachesTheLake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFeedBench(t, emulator.Options{})
		defer b.close()
		b.compare()
		b.follow(time.Minute)
		user := b.someUsers(1)[0]
		_, err := b.org.Grant(user, "READ_ONLY_ADMIN", "")
		b.must(err)
		b.follow(10 * time.Second)
		b.compare()
		b.must(b.org.Revoke(user, "READ_ONLY_ADMIN"))
		b.follow(10 * time.Second)
		b.compare()
	})
}

// fewer is n, or a third of it with -short: the race detector makes SQLite slow.
func fewer(n int) int {
	if testing.Short() {
		return n / 3
	}
	return n
}

// churn changes the org in a seeded way: everything that a feed must bring. It returns what was done.
func (b *feedBench) churn(seed uint64, n int) {
	b.t.Helper()
	d := rand.New(rand.NewPCG(seed, 1))
	var groups []string
	for record := range b.org.Truth("groups") {
		if rawjson.GetString(record, "type") == "OKTA_GROUP" {
			groups = append(groups, rawjson.GetString(record, "id"))
		}
	}
	users := b.someUsers(25)
	roles := []string{"READ_ONLY_ADMIN", "HELP_DESK_ADMIN", "APP_ADMIN", "USER_ADMIN", "REPORT_ADMIN"}
	for i := range n {
		user, group, role := users[d.IntN(len(users))], groups[d.IntN(len(groups))], roles[d.IntN(len(roles))]
		// What the org refuses (granting twice, leaving a group one is not in) is part of the noise.
		switch d.IntN(16) {
		case 0, 1, 2:
			_, _ = b.org.Grant(user, role, "")
		case 3, 4:
			_ = b.org.Revoke(user, role)
		case 5, 6, 7:
			_ = b.org.Join(user, group)
		case 8, 9:
			_ = b.org.Leave(user, group)
		case 10:
			_, _ = b.org.GrantGroup(group, role, "")
		case 11:
			_ = b.org.RevokeGroup(group, role)
		case 12:
			_ = b.org.UpdateProfile(user, map[string]any{"title": fmt.Sprintf("Title %d", i)})
		case 13:
			login := fmt.Sprintf("new.%d.%d@harborline.example", seed, i)
			if id, err := b.org.CreateUser(map[string]any{"firstName": "New", "lastName": "One", "login": login, "email": login}, true); err == nil {
				users = append(users, id)
			}
		case 14:
			_ = b.org.Deactivate(user)
			if d.IntN(2) == 0 {
				_ = b.org.Delete(user)
			}
		case 15:
			if d.IntN(3) == 0 {
				_ = b.org.DeleteGroup(group)
			} else if id, err := b.org.CreateGroup(fmt.Sprintf("Group %d %d", seed, i), "made by a test"); err == nil {
				groups = append(groups, id)
			}
		}
		if d.IntN(3) == 0 {
			b.follow(time.Duration(d.IntN(8000)) * time.Millisecond)
		}
	}
}

func TestFeedKeepsTheLakeTrue(t *testing.T) {
	for seed := range uint64(1) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFeedBench(t, emulator.Options{})
				defer b.close()
				b.follow(10 * time.Second)
				b.churn(seed, fewer(90))
				b.follow(time.Minute)
				b.compare()
			})
		})
	}
}
