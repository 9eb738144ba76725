package job

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/riverqueue/river"

	dest "longshore/internal/destination/s3"
	"longshore/internal/fault"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
	"longshore/internal/store"
	"longshore/internal/store/storetest"
)

// speed is how many times faster than a clock on the wall the servers of these tests live.
const speed = 120

// fastClock is a time that goes fast.
type fastClock struct{ base, began time.Time }

func newFastClock() fastClock {
	return fastClock{time.Date(2025, 3, 7, 9, 58, 0, 0, time.UTC), time.Now()}
}

func (c fastClock) now() time.Time { return c.base.Add(time.Since(c.began) * speed) }

// real is when the wall's clock has that time.
func (c fastClock) real(at time.Time) time.Time { return c.began.Add(at.Sub(c.base) / speed) }

// fastTicks sets ticks by the fast clock.
type fastTicks struct {
	*Queue
	clock fastClock
}

func (f fastTicks) EnqueueTick(ctx context.Context, tx *sql.Tx, connectionID int64, at time.Time) error {
	res, err := f.insert.InsertTx(ctx, tx, TickArgs{ConnectionID: connectionID, At: at.Unix()}, &river.InsertOpts{ScheduledAt: f.clock.real(at)})
	if err != nil {
		return err
	}
	// The queue looks every five seconds for what is due: half of a cron's interval here.
	_, err = tx.ExecContext(ctx, `UPDATE river_job SET state = 'available' WHERE id = $1 AND state = 'scheduled'`, res.Job.ID)
	return err
}

// server is one process's part in the work: its own pool and queue on the same database.
type server struct {
	*Queue
	store *store.Store
	syncs *store.Syncs
}

func newServer(t *testing.T, where string, clock fastClock) *server {
	t.Helper()
	s, err := store.Open(t.Context(), where)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	var q *Queue
	if storetest.OnPostgres() {
		q, err = OpenPostgres(t.Context(), s.Writer(), s.Listener())
	} else {
		q, err = Open(t.Context(), s.Writer())
	}
	must(t, err)
	syncs := s.Syncs("lake", clock.now, q.EnqueueSync, func(context.Context, *sql.Tx, int64, int64) error { return nil })
	syncs.RunBy(fastTicks{q, clock})
	return &server{q, s, syncs}
}

// yard is the sources of the test's connections, and who reads them.
type yard struct {
	t    *testing.T
	mu   sync.Mutex
	at   map[string]int // readers of a source at this moment
	hold chan struct{}  // closed: the slow source goes on
	slow chan int64     // told when the slow source is read
}

// yardSource is one connection's source: "cron" has a record, "broken" does not answer, "slow" waits.
type yardSource struct {
	yard *yard
	name string
}

func (s yardSource) Streams() []pipeline.Stream { return []pipeline.Stream{{Name: "users"}} }

func (s yardSource) Read(ctx context.Context, _ string, _ json.RawMessage) iter.Seq2[pipeline.Page, error] {
	return func(yield func(pipeline.Page, error) bool) {
		y := s.yard
		y.mu.Lock()
		y.at[s.name]++
		if y.at[s.name] > 1 {
			y.t.Errorf("%s is read by %d at a time", s.name, y.at[s.name])
		}
		y.mu.Unlock()
		defer func() { y.mu.Lock(); y.at[s.name]--; y.mu.Unlock() }()
		switch s.name {
		case "broken":
			yield(pipeline.Page{}, fault.Errorf(fault.Unavailable, "503 from the org"))
			return
		case "slow":
			select {
			case y.slow <- 1:
			default:
			}
			select {
			case <-y.hold:
			case <-ctx.Done():
				yield(pipeline.Page{}, ctx.Err())
				return
			}
		}
		yield(pipeline.Page{Records: [][]byte{[]byte(`{"id":"1"}`)}, EmittedAt: time.UnixMilli(1), State: json.RawMessage(`1`)}, nil)
	}
}

// handlers are what a server does with runs and ticks.
func (s *server) handlers(y *yard, bucket lake.Bucket, dir string, clock fastClock) Handlers {
	route := func(ctx context.Context, runID int64) (*pipeline.Attempts, error) {
		run, err := s.syncs.Run(ctx, runID)
		if err != nil {
			return nil, err
		}
		moving := &pipeline.Sync{
			Source: yardSource{y, run.Connection.Name}, Store: s.syncs, Now: clock.now, Log: s.syncs.Log, Again: func(pipeline.Run) bool { return true },
			Destination: &dest.Destination{Bucket: bucket, Layout: lake.GuideLayout(), TempDir: dir},
		}
		retry := pipeline.AirbyteRetry()
		retry.InRow, retry.First = 3, 0
		return &pipeline.Attempts{Store: s.syncs, Retry: retry, Now: clock.now, Work: moving.Work, GiveUp: moving.GiveUp}, nil
	}
	return Handlers{
		Sync: func(ctx context.Context, id int64, _ time.Time) (time.Duration, bool, error) {
			a, err := route(ctx, id)
			if err != nil {
				return 0, false, err
			}
			return a.Run(ctx, id, clock.now().Add(time.Hour))
		},
		Tick: func(ctx context.Context, id int64, at time.Time, complete Complete) error {
			conn, err := s.syncs.ConnectionByID(ctx, id)
			if err != nil {
				return err
			}
			_, _, err = s.syncs.Tick(ctx, at, store.Start{Connection: conn, Streams: []pipeline.Stream{{Name: "users"}}, Cause: "schedule"}, complete)
			return err
		},
	}
}

// Several connections, two servers on one database where it can have two: cron and interval, one run cancelled, one
// connection failing. The timeline tells what was, and nothing starts twice.
func TestTheTimelineTellsTheTruth(t *testing.T) {
	where, dir, clock := storetest.Where(t), t.TempDir(), newFastClock()
	bucket, err := lake.OpenFolder(dir + "/lake")
	must(t, err)
	servers := []*server{newServer(t, where, clock)}
	if storetest.OnPostgres() {
		servers = append(servers, newServer(t, where, clock))
	}
	y := &yard{t: t, at: map[string]int{}, hold: make(chan struct{}), slow: make(chan int64, 1)}
	one := servers[0]
	for name, schedule := range map[string]pipeline.Schedule{
		"cron": {Type: pipeline.Cron, Cron: "0 */5 * * * ?"}, "broken": pipeline.Every(3 * time.Minute), "slow": pipeline.Every(4 * time.Minute),
	} {
		_, err := one.syncs.PutConnection(t.Context(), pipeline.Connection{Name: name, Schedule: schedule, NamespaceFormat: name})
		must(t, err)
	}
	for _, s := range servers {
		b := &bench{s.Queue, t, s.store}
		b.run(s.handlers(y, bucket, dir, clock))
		go func() { // what a process that stays does once a minute
			for t.Context().Err() == nil {
				_ = s.syncs.EnsureTicks(t.Context())
				time.Sleep(100 * time.Millisecond)
			}
		}()
	}
	receive(t, y.slow)
	running := one.of(t, "slow")
	if len(running) != 1 || running[0].JobStatus() != "running" {
		t.Fatalf("the slow connection has %d runs, want the one at work", len(running))
	}
	must(t, servers[len(servers)-1].syncs.Cancel(t.Context(), running[0].ID, "ada"))
	one.wait(t, "the cancelled run ends", func() bool { return one.of(t, "slow")[0].Status == pipeline.Cancelled })
	close(y.hold)
	one.wait(t, "3 runs by cron, 2 failed ones and one after the cancelled one", func() bool {
		return ended(one.of(t, "cron")) >= 3 && ended(one.of(t, "broken")) >= 2 && ended(one.of(t, "slow")) >= 2
	})

	slots := map[int64]bool{}
	for _, r := range one.of(t, "cron") {
		slot := r.StartedAt.Truncate(5 * time.Minute).Unix()
		if slots[slot] {
			t.Errorf("two runs of cron at %s", time.Unix(slot, 0).UTC())
		}
		slots[slot] = true
		if r.Status == pipeline.Running {
			continue
		}
		if rows, _ := r.Rows(); r.Status != pipeline.Succeeded || rows != 1 || len(r.Attempts) != 1 || r.Attempts[0].Rows != 1 {
			t.Errorf("run %d of cron %s with %d rows after %d attempts", r.ID, r.Status, rows, len(r.Attempts))
		}
	}
	for i, r := range one.of(t, "broken") {
		if r.Status == pipeline.Running {
			continue
		}
		if r.Status != pipeline.Failed || len(r.Attempts) != 3 || r.Attempts[2].Status != pipeline.Failed || r.Attempts[0].Error != "sync "+fmt.Sprint(r.ID)+", stream users: 503 from the org" {
			t.Errorf("run %d of the broken one %s after %d attempts: %+v", i, r.Status, len(r.Attempts), r.Attempts)
		}
	}
	slow := one.of(t, "slow")
	if slow[0].CancelBy != "ada" || slow[0].Attempts[0].Status != pipeline.Cancelled || slow[1].Status != pipeline.Succeeded {
		t.Errorf("the slow one: %s by %q, then %s; want cancelled by ada, then succeeded", slow[0].Status, slow[0].CancelBy, slow[1].Status)
	}
	for _, name := range []string{"cron", "broken", "slow"} {
		runs := one.of(t, name)
		for i, r := range runs[1:] {
			if before := runs[i]; r.StartedAt.Before(before.FinishedAt) || before.FinishedAt.IsZero() {
				t.Errorf("%s: run %d began at %s, before run %d ended at %s", name, r.ID, r.StartedAt, before.ID, before.FinishedAt)
			}
		}
		if gap := runs[1].StartedAt.Sub(runs[0].StartedAt); name != "cron" && gap < 3*time.Minute {
			t.Errorf("%s ran again after %s, before its interval was over", name, gap)
		}
	}
}

// of lists the runs of a connection, the oldest first.
func (s *server) of(t *testing.T, name string) []pipeline.Run {
	t.Helper()
	all, err := s.syncs.Runs(t.Context(), 1000)
	must(t, err)
	slices.Reverse(all)
	return slices.DeleteFunc(all, func(r pipeline.Run) bool { return r.Connection.Name != name })
}

func ended(runs []pipeline.Run) (n int) {
	for _, r := range runs {
		if r.Status != pipeline.Running {
			n++
		}
	}
	return n
}

// wait asks until it is so, with a limit that only a broken queue reaches.
func (s *server) wait(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			runs, _ := s.syncs.Runs(t.Context(), 20)
			for _, r := range runs {
				t.Logf("run %d of %s: %s, %d attempts, %s to %s", r.ID, r.Connection.Name, r.Status, len(r.Attempts), r.StartedAt, r.FinishedAt)
			}
			t.Fatalf("waited 30 s: %s", what)
		}
	}
}
