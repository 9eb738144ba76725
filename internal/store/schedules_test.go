package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
)

// timetable is a job queue on paper, with a clock that is set by hand.
type timetable struct {
	*bench
	at    time.Time
	ticks []string // "connection@time", in the order in which they were set
}

func (b *timetable) EnqueueTick(_ context.Context, _ *sql.Tx, connectionID int64, at time.Time) error {
	tick := fmt.Sprint(connectionID, "@", at.UTC().Format(time.TimeOnly))
	if !slices.Contains(b.ticks, tick) {
		b.ticks = append(b.ticks, tick)
	}
	return nil
}

func (b *timetable) StopSync(context.Context, *sql.Tx, int64) (bool, error) { return false, nil }

func newTimetable(t *testing.T) *timetable {
	b := &timetable{bench: newBench(t), at: time.Date(2025, 3, 7, 9, 5, 2, 0, time.UTC)}
	b.syncs = b.Syncs("lake", func() time.Time { return b.at }, func(context.Context, *sql.Tx, int64) error { return nil },
		func(context.Context, *sql.Tx, int64, int64) error { return nil })
	b.syncs.RunBy(b)
	return b
}

// put makes a connection with one stream and that schedule.
func (b *timetable) put(c pipeline.Connection) pipeline.Connection {
	b.t.Helper()
	c, err := b.syncs.PutConnection(b.t.Context(), c)
	must(b.t, err)
	return c
}

// tick has a due time come, at the clock's time or at the one that the tick names.
func (b *timetable) tick(c pipeline.Connection, at time.Time) (started bool) {
	b.t.Helper()
	_, started, err := b.syncs.Tick(b.t.Context(), at, Start{Connection: c, Streams: []pipeline.Stream{{Name: "users"}}, Cause: "schedule"},
		func(context.Context, *sql.Tx) error { return nil })
	must(b.t, err)
	return started
}

func (b *timetable) next(c pipeline.Connection) string {
	b.t.Helper()
	all, err := b.syncs.NextRuns(b.t.Context())
	must(b.t, err)
	if at, ok := all[c.ID]; ok {
		return at.Format(time.TimeOnly)
	}
	return "never"
}

// finish ends the connection's run under way.
func (b *timetable) finish(c pipeline.Connection, status pipeline.Status) {
	b.t.Helper()
	runs, err := b.syncs.RunsOf(b.t.Context(), c.ID, 1)
	must(b.t, err)
	must(b.t, b.syncs.FinishRun(b.t.Context(), runs[0].ID, status, "why"))
}

func (b *timetable) set(clock string) {
	b.t.Helper()
	at, err := time.Parse(time.TimeOnly, clock)
	must(b.t, err)
	b.at = time.Date(2025, 3, 7, at.Hour(), at.Minute(), at.Second(), 0, time.UTC)
}

func TestATickStartsOneRunAndItsEndSetsTheNext(t *testing.T) {
	b := newTimetable(t)
	c := b.put(pipeline.Connection{Name: "c", Schedule: pipeline.Schedule{Type: pipeline.Cron, Cron: "0 0 * * * ?"}})
	if got := b.next(c); got != "10:00:00" {
		t.Fatalf("a new cron connection runs at %s, want the next hour", got)
	}
	due := time.Date(2025, 3, 7, 10, 0, 0, 0, time.UTC)
	b.set("10:00:01")
	if !b.tick(c, due) || b.tick(c, due) {
		t.Error("a due time is to start one run, once")
	}
	if got := b.next(c); got != "never" {
		t.Errorf("while the run is under way the next is at %s", got)
	}
	b.set("12:30:00") // it took long: 11:00 and 12:00 are not caught up
	b.finish(c, pipeline.Succeeded)
	if got := b.next(c); got != "13:00:00" {
		t.Errorf("after a run that took long the next is at %s, want 13:00", got)
	}
	c.Schedule = pipeline.Every(20 * time.Minute)
	c = b.put(c)
	if got := b.next(c); got != "12:30:00" {
		t.Errorf("with an interval that is over the next is at %s, want at once", got)
	}
	if b.tick(c, due.Add(3*time.Hour)) {
		t.Error("the tick of the schedule before started a run")
	}
	c.Status = pipeline.Inactive
	c = b.put(c)
	if b.next(c) != "never" || b.tick(c, b.at) {
		t.Error("an inactive connection runs by itself")
	}
	if _, err := b.syncs.PutConnection(t.Context(), pipeline.Connection{Name: "x", Schedule: pipeline.Schedule{Type: pipeline.Cron, Cron: "0 * * * *"}}); !fault.Is(err, fault.Invalid) {
		t.Errorf("a cron of five fields: %v, want it refused", err)
	}
}

// A run by hand is none beside the schedule's: the tick that comes meanwhile starts nothing, and the end sets the next.
func TestATickDuringARunByHandStartsNothing(t *testing.T) {
	b := newTimetable(t)
	c := b.put(pipeline.Connection{Name: "c", Schedule: pipeline.Schedule{Type: pipeline.Cron, Cron: "0 0 * * * ?"}})
	b.set("09:59:59")
	_, started, err := b.syncs.Start(t.Context(), Start{Connection: c, Streams: []pipeline.Stream{{Name: "users"}}, Cause: "manual", Actor: "ada"})
	must(t, err)
	b.set("10:00:00")
	if !started || b.tick(c, b.at) {
		t.Error("the tick started a run beside the one by hand")
	}
	b.set("10:00:30")
	b.finish(c, pipeline.Succeeded)
	if got := b.next(c); got != "11:00:00" {
		t.Errorf("the next run is at %s, want 11:00", got)
	}
	if err := b.InTx(t.Context(), func(tx *sql.Tx) error {
		for range 2 {
			if _, err := tx.Exec(`INSERT INTO syncs (connection_id, started_at, status, cause) VALUES ($1, 1, 'running', 'test')`, c.ID); err != nil {
				return err
			}
		}
		return nil
	}); err == nil {
		t.Error("the database takes two runs of one connection")
	}
}

// A schedule holds back after failures in a row, says so, and a run that succeeds ends that.
func TestAScheduleHoldsBackAfterFailures(t *testing.T) {
	b := newTimetable(t)
	c := b.put(pipeline.Connection{Name: "c", Schedule: pipeline.Every(10 * time.Minute)})
	var got []string
	for _, status := range []pipeline.Status{
		pipeline.Failed, pipeline.Failed, pipeline.Cancelled, pipeline.Failed, pipeline.Failed, pipeline.Failed, pipeline.Failed, pipeline.Partial,
	} {
		_, _, err := b.syncs.StartRun(t.Context(), c, []pipeline.Stream{{Name: "users"}}, false, "schedule")
		must(t, err)
		began := b.at
		b.finish(c, status)
		all, err := b.syncs.NextRuns(t.Context())
		must(t, err)
		got = append(got, all[c.ID].Sub(began).Round(time.Minute).String())
		b.at = all[c.ID]
	}
	if want := "10m0s 10m0s 10m0s 10m0s 10m0s 1h0m0s 2h0m0s 10m0s"; strings.Join(got, " ") != want {
		t.Errorf("the next runs were %s after, want %s", strings.Join(got, " "), want)
	}
	notices, err := b.syncs.Notices(t.Context(), c.ID, 10)
	must(t, err)
	if len(notices) != 2 || notices[1].Kind != pipeline.NoticeHeld || notices[0].Kind != pipeline.NoticeResumed {
		t.Errorf("notices %+v, want one that it holds back and one that it does no longer", notices)
	}
}

func TestEnsureTicksMendsWhatWasLost(t *testing.T) {
	b := newTimetable(t)
	c := b.put(pipeline.Connection{Name: "c", Schedule: pipeline.Every(time.Hour)})
	_, _, err := b.syncs.StartRun(t.Context(), c, nil, false, "manual")
	must(t, err)
	b.finish(c, pipeline.Succeeded)
	for name, step := range map[string]struct {
		next  string // what the row says
		clock string
		want  string
	}{
		"nothing lost":       {"10:05:02", "09:10:00", "10:05:02"},
		"no time":            {"", "09:10:00", "10:05:02"},
		"missed long ago":    {"10:05:02", "15:00:00", "15:00:00"},
		"clock was set back": {"18:00:00", "09:10:00", "10:05:02"},
	} {
		b.set(step.clock)
		var next int64
		if step.next != "" {
			at, err := time.Parse(time.DateTime, "2025-03-07 "+step.next)
			must(t, err)
			next = at.Unix()
		}
		_, err := b.write.Exec(`UPDATE connections SET next_at = $1`, next)
		must(t, err)
		must(t, b.syncs.EnsureTicks(t.Context()))
		if got := b.next(c); got != step.want {
			t.Errorf("%s: the next run is at %s, want %s", name, got, step.want)
		}
	}
}

// What each kind of run does to generations and states is a table of the contract.
func TestGenerationsByKindOfRun(t *testing.T) {
	for name, c := range map[string]struct {
		mode  string
		start Start
		want  string // mode, generation, minimum, state of the second run; the first was a sync
	}{
		"sync, overwrite":          {pipeline.FullRefreshOverwrite, Start{}, `full_refresh 2 2 ""`},
		"sync, append":             {pipeline.FullRefreshAppend, Start{}, `full_refresh 2 0 ""`},
		"sync, incremental":        {pipeline.IncrementalAppend, Start{}, `incremental 0 0 "7"`},
		"clear":                    {pipeline.IncrementalAppend, Start{Type: pipeline.JobClear}, `clear 1 1 ""`},
		"clear, full":              {pipeline.FullRefreshAppend, Start{Type: pipeline.JobClear}, `clear 2 2 ""`},
		"refresh":                  {pipeline.IncrementalAppend, Start{Type: pipeline.JobRefresh}, `full_refresh 1 1 ""`},
		"refresh that keeps":       {pipeline.IncrementalAppend, Start{Type: pipeline.JobRefresh, Keep: true}, `full_refresh 1 0 ""`},
		"sync after a first state": {pipeline.IncrementalAppend, Start{Full: true}, `full_refresh 1 0 ""`},
	} {
		t.Run(name, func(t *testing.T) {
			b := newTimetable(t)
			conn := b.put(pipeline.Connection{Name: "c", SourceID: "s", Streams: []pipeline.StreamChoice{{Name: "users", SyncMode: c.mode}}})
			streams := []pipeline.Stream{{Name: "users", CursorField: "lastUpdated"}}
			id, _, err := b.syncs.StartRun(t.Context(), conn, streams, false, "test")
			must(t, err)
			must(t, b.syncs.SaveState(t.Context(), id, "users", []byte("7")))
			must(t, b.syncs.EndRun(t.Context(), id, pipeline.Succeeded, ""))
			c.start.Connection, c.start.Streams = conn, streams
			id, _, err = b.syncs.Start(t.Context(), c.start)
			must(t, err)
			run, err := b.syncs.Run(t.Context(), id)
			must(t, err)
			st := run.Streams[0]
			if got := fmt.Sprintf("%s %d %d %q", st.Mode, st.Generation, st.Minimum, st.State); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			generation, err := b.syncs.NewGeneration(t.Context(), id, "users")
			must(t, err)
			if generation != st.Generation+1 {
				t.Errorf("begun over it has generation %d, want %d", generation, st.Generation+1)
			}
		})
	}
}

func TestTheLogOfARunIsBounded(t *testing.T) {
	b := newTimetable(t)
	c := b.put(pipeline.Connection{Name: "c"})
	id, _, err := b.syncs.StartRun(t.Context(), c, nil, false, "test")
	must(t, err)
	must(t, b.InTx(t.Context(), func(tx *sql.Tx) error {
		for i := range maxLogLines - 2 {
			if _, err := tx.Exec(`INSERT INTO sync_log (sync_id, at, level, text) VALUES ($1, 0, 'info', $2)`, id, fmt.Sprint(i)); err != nil {
				return err
			}
		}
		return nil
	}))
	for range 4 {
		must(t, b.syncs.Log(t.Context(), id, pipeline.LogLine{Level: pipeline.LevelInfo, Text: strings.Repeat("ä", maxLogText)}))
	}
	lines, err := b.syncs.LogOf(t.Context(), id)
	must(t, err)
	last, before := lines[len(lines)-1], lines[len(lines)-2]
	if len(lines) != maxLogLines || !strings.Contains(last.Text, "there was more") || len(before.Text) > maxLogText+8 {
		t.Errorf("%d lines, the last %q and one of %d bytes before it", len(lines), last.Text, len(before.Text))
	}
}

func TestADiscoveryTellsWhatHasChanged(t *testing.T) {
	b := newTimetable(t)
	c := b.put(pipeline.Connection{Name: "c"})
	var got []string
	for _, d := range []pipeline.Discovery{
		{"users": {"id": "string", "age": "integer", "bio": "string"}, "roles": {}},
		{"users": {"id": "string", "age": "integer", "bio": "string"}, "roles": {}},
		{"users": {"id": "string", "age": "string", "login": "string"}, "groups": {}},
	} {
		notices, err := b.syncs.SaveDiscovery(t.Context(), c.ID, 0, d)
		must(t, err)
		for _, n := range notices {
			got = append(got, n.Kind+" "+n.Stream)
		}
	}
	if want := "stream-added groups,field-changed users,field-added users,field-removed users,stream-removed roles"; strings.Join(got, ",") != want {
		t.Errorf("notices %s, want %s", strings.Join(got, ","), want)
	}
	kept, err := b.syncs.Notices(t.Context(), c.ID, 10)
	must(t, err)
	if len(kept) != 5 {
		t.Errorf("%d notices are kept, want 5", len(kept))
	}
}

// A row as the migration leaves it of a connection that was made before is read with its name, namespace and interval.
func TestAMigratedConnectionIsRead(t *testing.T) {
	b := newBench(t)
	must(t, b.InTx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO connections (uuid, name, doc, created_at) VALUES ('u', 'okta', '{"source":"https://a","namespaceDefinition":"custom_format","namespaceFormat":"okta","schedule":{"type":"basic","every":900000000000}}', 5)`)
		return err
	}))
	c, err := b.syncs.Connection(t.Context(), "u")
	must(t, err)
	if c.Name != "okta" || c.Namespace() != "okta" || c.Schedule.Every != 15*time.Minute || c.Source != "https://a" || c.Status != pipeline.Active {
		t.Errorf("read %+v", c)
	}
	c.Status = pipeline.Deprecated
	_, err = b.syncs.PutConnection(t.Context(), c)
	must(t, err)
	if all, err := b.syncs.Connections(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("%d connections, %v; want none: it is deleted", len(all), err)
	}
}
