package job

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/riverqueue/river"
)

// A job whose end could not be written (the database was away, or its disk full) says that it runs. Its process takes it
// up again, and leaves alone what it does work on.
func TestAJobWhoseEndWasNotKeptIsTakenUpAgain(t *testing.T) {
	b := newBench(t)
	b.lookEvery = time.Second / 2 // above what writing an end takes
	b.tx(func(tx *sql.Tx) error { return b.EnqueueSync(t.Context(), tx, 1) })
	b.tx(func(tx *sql.Tx) error { return b.EnqueueSync(t.Context(), tx, 2) })
	calls, release := make(chan int64, 99), make(chan bool)
	b.run(Handlers{Sync: func(_ context.Context, id int64, _ time.Time) (time.Duration, bool, error) {
		calls <- id
		if id == 2 {
			<-release
		}
		return 0, true, nil
	}})
	if first := receive(t, calls) + receive(t, calls); first != 3 {
		t.Fatalf("worked on runs that add up to %d, want 1 and 2", first)
	}
	for b.jobs("sync", "completed") == 0 {
		<-time.After(time.Millisecond)
	}
	_, err := b.store.Writer().Exec(`UPDATE river_job SET state = 'running', finalized_at = NULL WHERE state = 'completed'`)
	must(t, err)
	if again := receive(t, calls); again != 1 {
		t.Errorf("run %d was taken up again, want 1 alone: the other is being worked on", again)
	}
	close(release)
	for b.jobs("sync", "completed") < 2 {
		<-time.After(time.Millisecond)
	}
	select {
	case id := <-calls:
		t.Errorf("run %d was worked on once more", id)
	default:
	}
}

// What a clock that was set back has put far ahead is done now; what is to wait waits.
func TestJobsThatAClockPutFarAheadAreDue(t *testing.T) {
	for state, ahead := range map[string][2]time.Duration{
		"available": {time.Hour, 0}, "retryable": {time.Hour, time.Minute}, "scheduled": {time.Hour, 10 * time.Minute},
	} {
		t.Run(state, func(t *testing.T) {
			b := newBench(t)
			b.tx(func(tx *sql.Tx) error { return b.EnqueueTick(t.Context(), tx, 1, time.Now().Add(24*time.Hour)) })
			for id, at := range map[int64]time.Duration{1: ahead[0], 2: ahead[1]} {
				b.tx(func(tx *sql.Tx) error { return b.EnqueueSync(t.Context(), tx, id) })
				b.putAhead(id, state, time.Now().Add(at))
			}
			before := b.dues()
			must(t, b.pullBack(t.Context()))
			after := b.dues()
			if due := after["sync 1"]; due.After(time.Now().Add(time.Second)) {
				t.Errorf("the job that lay an hour ahead is due in %s, want now", time.Until(due))
			}
			if !after["sync 2"].Equal(before["sync 2"]) {
				t.Errorf("the other job was moved from %s to %s", before["sync 2"], after["sync 2"])
			}
			if !after["tick 1"].Equal(before["tick 1"]) {
				t.Errorf("the tick was moved from %s to %s", before["tick 1"], after["tick 1"])
			}
		})
	}
}

// dues are the times at which jobs are due, by their kind and subject.
func (b *bench) dues() map[string]time.Time {
	b.t.Helper()
	list, err := b.insert.JobList(b.t.Context(), river.NewJobListParams().First(100))
	must(b.t, err)
	dues := map[string]time.Time{}
	for _, j := range list.Jobs {
		var args struct {
			Sync       int64 `json:"sync_id"`
			Connection int64 `json:"connection_id"`
		}
		must(b.t, json.Unmarshal(j.EncodedArgs, &args))
		dues[fmt.Sprint(j.Kind, " ", args.Sync+args.Connection)] = j.ScheduledAt
	}
	return dues
}

// putAhead gives a run's job a state and a time at which it is due.
func (b *bench) putAhead(syncID int64, state string, at time.Time) {
	b.t.Helper()
	list, err := b.insert.JobList(b.t.Context(), river.NewJobListParams().Kinds("sync").First(100))
	must(b.t, err)
	for _, j := range list.Jobs {
		var args SyncArgs
		must(b.t, json.Unmarshal(j.EncodedArgs, &args))
		if args.SyncID != syncID {
			continue
		}
		var due any = at
		if !b.postgres {
			due = at.UTC().Format("2006-01-02 15:04:05.000")
		}
		_, err := b.store.Writer().Exec(`UPDATE river_job SET state = '`+state+`', attempt = 1, scheduled_at = $1 WHERE id = $2`, due, j.ID)
		must(b.t, err)
	}
}
