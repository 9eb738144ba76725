package job

import (
	"context"
	"database/sql"
	"testing"
	"time"
)

// A run that nobody works on loses its job; one at work keeps it, and its worker is told another way.
func TestStopSyncDropsAJobThatNobodyIsAt(t *testing.T) {
	b := newBench(t)
	b.tx(func(tx *sql.Tx) error { return b.EnqueueSync(t.Context(), tx, 1) })
	b.tx(func(tx *sql.Tx) error { return b.EnqueueSync(t.Context(), tx, 2) })
	stopped := func(id int64) (atWork bool) {
		t.Helper()
		b.tx(func(tx *sql.Tx) (err error) {
			atWork, err = b.StopSync(t.Context(), tx, id)
			return err
		})
		return atWork
	}
	if stopped(2) {
		t.Error("a job that waits counts as at work")
	}
	begun, end := make(chan int64, 2), make(chan bool)
	b.run(Handlers{Sync: func(_ context.Context, id int64, _ time.Time) (time.Duration, bool, error) {
		begun <- id
		<-end
		return 0, true, nil
	}})
	if id := receive(t, begun); id != 1 {
		t.Errorf("worked on run %d, want 1: 2 was stopped", id)
	}
	if !stopped(1) {
		t.Error("a job at work counts as idle")
	}
	if b.jobs("sync", "cancelled") != 1 || b.jobs("sync", "running") != 1 {
		t.Errorf("%d jobs are cancelled and %d run, want one each", b.jobs("sync", "cancelled"), b.jobs("sync", "running"))
	}
	close(end)
}
