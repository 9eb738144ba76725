package pipeline_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"testing"
	"time"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
)

func TestRetryWaitsAsAirbyteDoes(t *testing.T) {
	complete, partial := pipeline.Attempt{Status: pipeline.Failed}, pipeline.Attempt{Status: pipeline.Failed, Rows: 1}
	of := func(a pipeline.Attempt, n int) (all []pipeline.Attempt) {
		for range n {
			all = append(all, a)
		}
		return all
	}
	var nine []pipeline.Attempt
	for range 3 {
		nine = append(append(nine, of(complete, 3)...), partial)
	}
	for name, c := range map[string]struct {
		attempts []pipeline.Attempt
		want     string
	}{
		"1 complete":                        {of(complete, 1), "10s true"},
		"2 complete":                        {of(complete, 2), "30s true"},
		"3 complete":                        {of(complete, 3), "1m30s true"},
		"4 complete":                        {of(complete, 4), "4m30s true"},
		"5 complete":                        {of(complete, 5), "0s false"},
		"19 partial":                        {of(partial, 19), "0s true"},
		"20 partial":                        {of(partial, 20), "0s false"},
		"a partial one ends the row":        {append(of(complete, 4), partial, complete), "10s true"},
		"9 complete":                        {nine, "0s true"},
		"10 complete, never 5 in a row":     {append(nine[:len(nine):len(nine)], complete), "0s false"},
		"after a partial one there is none": {append(of(complete, 2), partial), "0s true"},
	} {
		wait, again := pipeline.AirbyteRetry().After(c.attempts)
		if got := fmt.Sprint(wait, again); got != c.want {
			t.Errorf("after %s: %s, want %s", name, got, c.want)
		}
	}
}

func TestNextTimeOfASchedule(t *testing.T) {
	at := func(text string) time.Time {
		if text == "" {
			return time.Time{}
		}
		parsed, err := time.Parse(time.DateTime, "2025-03-07 "+text)
		must(t, err)
		return parsed
	}
	hourly := pipeline.Schedule{Type: pipeline.Cron, Cron: "0 0 * * * ?"}
	minutely := pipeline.Schedule{Type: pipeline.Cron, Cron: "0 * * * * ?"}
	for name, c := range map[string]struct {
		schedule            pipeline.Schedule
		now, previous, want string
	}{
		"by hand":                             {pipeline.Schedule{}, "09:00:00", "", ""},
		"basic, first":                        {pipeline.Every(time.Hour), "09:00:00", "", "09:00:00"},
		"basic":                               {pipeline.Every(time.Hour), "09:10:00", "09:00:00", "10:00:00"},
		"basic, late":                         {pipeline.Every(time.Hour), "12:10:00", "09:00:00", "12:10:00"},
		"basic, clock set back":               {pipeline.Every(time.Hour), "09:10:00", "15:00:00", "10:10:00"},
		"cron, first":                         {hourly, "09:10:00", "", "10:00:00"},
		"cron, missed ones are not caught up": {hourly, "12:10:00", "09:00:00", "13:00:00"},
		"cron, a minute after the previous start": {minutely, "09:10:01", "09:10:00", "09:12:00"},
		"cron, long ago": {minutely, "09:10:01", "08:10:00", "09:11:00"},
	} {
		if got := c.schedule.Next(at(c.now), at(c.previous)); !got.Equal(at(c.want)) {
			t.Errorf("%s: %s, want %s", name, got, at(c.want))
		}
	}
	for failures, want := range map[int]time.Duration{0: 0, 4: 0, 5: time.Hour, 6: 2 * time.Hour, 9: 16 * time.Hour, 10: 24 * time.Hour, 1000: 24 * time.Hour} {
		if got := pipeline.HoldBack(failures); got != want {
			t.Errorf("after %d failures held back for %s, want %s", failures, got, want)
		}
	}
}

// attempts works on the bench's runs; the clock does not move by itself.
func (b *bench) attempts(sync *pipeline.Sync, now func() time.Time) *pipeline.Attempts {
	sync.Again = func(pipeline.Run) bool { return true }
	sync.Log, sync.Baseline = b.syncs.Log, b.syncs.Baseline
	return &pipeline.Attempts{Store: b.syncs, Retry: pipeline.AirbyteRetry(), Now: now, Work: sync.Work, GiveUp: sync.GiveUp}
}

// A source that does not answer for one stream fails the attempt, not the others; the next attempt reads on from there.
func TestAnAttemptThatFailsIsFollowedByOneThatReadsOn(t *testing.T) {
	gone := fault.Errorf(fault.Unavailable, "503 from the org")
	source := &numbers{rows: map[string]int{"a": 6, "b": 4, "logs": 2}, fails: map[string]map[int]error{"a": {1: gone}}}
	b := newBench(t, source)
	now := time.UnixMilli(1_700_000_001_000)
	a := b.attempts(b.sync(), func() time.Time { return now })
	wait, done, err := a.Run(t.Context(), b.run, now.Add(time.Hour))
	if err != nil || done || wait != 0 {
		t.Fatalf("the first attempt: %s, %t, %v; want to be tried again at once, for it has brought something", wait, done, err)
	}
	run, err := b.syncs.Run(t.Context(), b.run)
	must(t, err)
	if run.JobStatus() != "incomplete" || run.Streams[1].Status != pipeline.Complete || run.Streams[0].Status != pipeline.Running {
		t.Errorf("job %s, streams %s and %s; want b whole and a to go on", run.JobStatus(), run.Streams[0].Status, run.Streams[1].Status)
	}
	_, _, err = a.Run(t.Context(), b.run, now.Add(time.Hour)) // brings nothing: a complete failure
	must(t, err)
	if wait, done, err = a.Run(t.Context(), b.run, now.Add(time.Hour)); err != nil || done || wait <= 0 {
		t.Fatalf("within the pause: %s, %t, %v; want to wait", wait, done, err)
	}
	source.fails = nil
	now = now.Add(time.Minute)
	if _, done, err = a.Run(t.Context(), b.run, now.Add(time.Hour)); err != nil || !done {
		t.Fatalf("the third attempt: %t, %v", done, err)
	}
	run, err = b.syncs.Run(t.Context(), b.run)
	must(t, err)
	var got string
	for _, at := range run.Attempts {
		got += fmt.Sprint(at.Number, at.Status, at.Rows, " ")
	}
	if got != "1failed8 2failed0 3succeeded4 " || run.Status != pipeline.Succeeded {
		t.Errorf("attempts %sof a run that %s, want 8, 0 and 4 rows and success", got, run.Status)
	}
	if reads := fmt.Sprint(source.reads); reads != "[a/0 b/0 b/1 logs/0 a/1 a/2]" {
		t.Errorf("read %s, want every page once", reads)
	}
	lines, err := b.syncs.LogOf(t.Context(), b.run)
	must(t, err)
	if len(lines) == 0 {
		t.Error("the log of the run is empty")
	}
}

func TestARunWhoseAttemptsAreSpentHasFailed(t *testing.T) {
	source := &numbers{rows: map[string]int{"a": 6, "b": 4, "logs": 2}, fails: map[string]map[int]error{"a": {0: fault.Errorf(fault.Unavailable, "503 from the org")}}}
	b := newBench(t, source)
	now := time.UnixMilli(1_700_000_100_000)
	a := b.attempts(b.sync(), func() time.Time { return now })
	tries := 0
	for done := false; !done; tries++ {
		if tries > 30 {
			t.Fatal("tried for ever")
		}
		var err error
		_, done, err = a.Run(t.Context(), b.run, now.Add(time.Hour))
		must(t, err)
		now = now.Add(time.Hour)
	}
	run, err := b.syncs.Run(t.Context(), b.run)
	must(t, err)
	if run.Status != pipeline.Failed || len(run.Attempts) != 6 || run.Streams[0].Status != pipeline.Failed || run.Streams[1].Status != pipeline.Complete {
		t.Errorf("the run %s after %d attempts, a %s and b %s; want failed after a partial failure and 5 complete ones", run.Status, len(run.Attempts),
			run.Streams[0].Status, run.Streams[1].Status)
	}
}

// A run at work that is cancelled stops, keeps what is in the lake, and is not taken up again.
func TestACancelledRunStops(t *testing.T) {
	b := newBench(t, &numbers{rows: map[string]int{"a": 6}})
	b.syncs.RunBy(busy{})
	now := time.Now
	a := b.attempts(b.sync(), now)
	a.Work = func(ctx context.Context, _ int64, _ time.Time) (bool, error) {
		must(t, b.syncs.Cancel(ctx, b.run, "ada"))
		<-ctx.Done()
		return false, fmt.Errorf("read: %w", ctx.Err())
	}
	wait, done, err := a.Run(t.Context(), b.run, now().Add(time.Hour))
	if err != nil || !done || wait != 0 {
		t.Fatalf("%s, %t, %v; want the run ended", wait, done, err)
	}
	run, err := b.syncs.Run(t.Context(), b.run)
	must(t, err)
	if run.Status != pipeline.Cancelled || run.Error != "cancelled by ada" || run.Attempts[0].Status != pipeline.Cancelled || run.Streams[0].Status != pipeline.Cancelled {
		t.Errorf("run %s (%s), attempt %s, stream %s; want all cancelled by ada", run.Status, run.Error, run.Attempts[0].Status, run.Streams[0].Status)
	}
	if err := b.syncs.Cancel(t.Context(), b.run, "ada"); !fault.Is(err, fault.Conflict) {
		t.Errorf("cancelling it again: %v, want a conflict", err)
	}
}

// An error of the store says nothing of the run: no attempt fails.
func TestAnErrorOfTheStoreFailsNoAttempt(t *testing.T) {
	b := newBench(t, &numbers{rows: map[string]int{"a": 6}})
	away := errors.New("the database is away")
	a := b.attempts(b.sync(), time.Now)
	a.Work = func(context.Context, int64, time.Time) (bool, error) { return false, away }
	a.Away = func(err error) bool { return errors.Is(err, away) }
	if _, done, err := a.Run(t.Context(), b.run, time.Now()); !errors.Is(err, away) || done {
		t.Errorf("%t, %v; want the error", done, err)
	}
	run, err := b.syncs.Run(t.Context(), b.run)
	must(t, err)
	if run.JobStatus() != "running" {
		t.Errorf("the job is %s, want running: it is taken up again", run.JobStatus())
	}
}

// A stream that comes empty where it had records is not believed at once.
func TestAStreamThatComesEmptyIsPartialUntilItStaysSo(t *testing.T) {
	source := &numbers{rows: map[string]int{"a": 12, "b": 4}}
	b := newBench(t, source)
	var got []string
	for i, rows := range []int{12, 0, 0, 0, 12, 9, 0} {
		source.rows["a"] = rows
		if i > 0 {
			b.start()
		}
		_, done, err := b.attempts(b.sync(), time.Now).Run(t.Context(), b.run, time.Now().Add(time.Hour))
		must(t, err)
		run, err := b.syncs.Run(t.Context(), b.run)
		must(t, err)
		if !done {
			t.Fatalf("run %d is %s", i, run.Status)
		}
		got = append(got, fmt.Sprint(rows, run.Streams[0].Status))
	}
	want := "[12complete 0partial 0partial 0complete 12complete 9complete 0complete]"
	if fmt.Sprint(got) != want {
		t.Errorf("%s, want %s", got, want)
	}
}

type busy struct{}

func (busy) EnqueueTick(context.Context, *sql.Tx, int64, time.Time) error { return nil }
func (busy) StopSync(context.Context, *sql.Tx, int64) (bool, error)       { return true, nil }
