package job

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"longshore/internal/store"
	"longshore/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// bench is a queue over a new database.
type bench struct {
	*Queue
	t     *testing.T
	store *store.Store
}

func newBench(t *testing.T) *bench {
	t.Helper()
	s := storetest.Open(t)
	var q *Queue
	var err error
	if storetest.OnPostgres() {
		q, err = OpenPostgres(t.Context(), s.Writer(), s.Listener())
	} else {
		q, err = Open(t.Context(), s.Writer())
	}
	must(t, err)
	return &bench{q, t, s}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tx runs an enqueue in a transaction.
func (b *bench) tx(enqueue func(tx *sql.Tx) error) {
	b.t.Helper()
	must(b.t, b.store.InTx(b.t.Context(), enqueue))
}

// jobs counts the rows of a kind in a state.
func (b *bench) jobs(kind, state string) (n int) {
	b.t.Helper()
	must(b.t, b.store.Reader().QueryRow(`SELECT count(*) FROM river_job WHERE kind = $1 AND ($2 = '' OR CAST(state AS TEXT) = $2)`, kind, state).Scan(&n))
	return n
}

// run works until stop is called, and returns a function that stops and waits.
func (b *bench) run(h Handlers) (stop func()) {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx, h) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				b.t.Errorf("run ended with %v", err)
			}
		})
	}
	b.t.Cleanup(stop)
	return stop
}

// receive waits for a value, with a limit that only a broken queue reaches.
func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(30 * time.Second):
		t.Fatal("nothing happened in 30 seconds")
		panic("unreachable")
	}
}

func TestJobIsUniqueForAsLongAsItsRowExists(t *testing.T) {
	b := newBench(t)
	b.tx(func(tx *sql.Tx) error {
		return errors.Join(b.EnqueueSync(t.Context(), tx, 1), b.EnqueueSync(t.Context(), tx, 1), b.EnqueueSync(t.Context(), tx, 2),
			b.EnqueueIngest(t.Context(), tx, IngestArgs{7, 1}), b.EnqueueIngest(t.Context(), tx, IngestArgs{7, 1}), b.EnqueueIngest(t.Context(), tx, IngestArgs{7, 2}))
	})
	if s, i := b.jobs("sync", ""), b.jobs("ingest_object", ""); s != 2 || i != 2 {
		t.Errorf("%d sync and %d ingest jobs, want one a run and one an object's pass: 2 and 2", s, i)
	}
	done := make(chan IngestArgs, 9)
	stop := b.run(Handlers{Ingest: func(ctx context.Context, args IngestArgs, _ time.Time, complete Complete) (bool, error) {
		err := b.store.InTx(ctx, func(tx *sql.Tx) error { return complete(ctx, tx) })
		done <- args
		return true, err
	}})
	got := fmt.Sprint(receive(t, done), receive(t, done))
	stop()
	if got != "{7 1} {7 2}" {
		t.Errorf("worked on %s, want the passes in order", got)
	}
	b.tx(func(tx *sql.Tx) error { return b.EnqueueIngest(t.Context(), tx, IngestArgs{7, 1}) })
	if n := b.jobs("ingest_object", "completed"); n != 2 || b.jobs("ingest_object", "") != 2 {
		t.Errorf("%d completed of %d jobs, want the finished pass not queued again", n, b.jobs("ingest_object", ""))
	}
	if n := b.jobs("sync", "available"); n != 2 {
		t.Errorf("%d sync jobs wait, want both: no handler took them", n)
	}
}

func TestEnqueueIsUndoneWithItsTransaction(t *testing.T) {
	b := newBench(t)
	undo := errors.New("undo")
	err := b.store.InTx(t.Context(), func(tx *sql.Tx) error {
		must(t, b.EnqueueSync(t.Context(), tx, 1))
		return undo
	})
	if !errors.Is(err, undo) || b.jobs("sync", "") != 0 {
		t.Errorf("%v and %d jobs, want none of an undone transaction", err, b.jobs("sync", ""))
	}
}

// A job that is not done comes again at once, as the same row.
func TestQuantumThatIsNotDoneComesAgain(t *testing.T) {
	b := newBench(t)
	b.tx(func(tx *sql.Tx) error { return b.EnqueueSync(t.Context(), tx, 5) })
	calls := make(chan int64, 9)
	n := 0
	stop := b.run(Handlers{Sync: func(_ context.Context, id int64, until time.Time) (time.Duration, bool, error) {
		n++
		if left := time.Until(until); left > quantum || left < quantum-10*time.Second {
			t.Errorf("the quantum is %s, want %s", left, quantum)
		}
		calls <- id
		return 0, n == 3, nil
	}})
	for range 3 {
		if id := receive(t, calls); id != 5 {
			t.Errorf("worked on run %d, want 5", id)
		}
	}
	stop()
	if all, done := b.jobs("sync", ""), b.jobs("sync", "completed"); all != 1 || done != 1 {
		t.Errorf("%d jobs, %d completed; want the one row, completed", all, done)
	}
}

// The completion commits or is undone with what the handler wrote.
func TestCompletionBelongsToTheHandlersTransaction(t *testing.T) {
	b := newBench(t)
	b.tx(func(tx *sql.Tx) error { return b.EnqueueIngest(t.Context(), tx, IngestArgs{1, 1}) })
	calls := make(chan int, 9)
	n := 0
	stop := b.run(Handlers{Ingest: func(ctx context.Context, _ IngestArgs, _ time.Time, complete Complete) (bool, error) {
		n++
		broken := errors.New("the database went away")
		if n > 1 {
			broken = nil
		}
		err := b.store.InTx(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, `INSERT INTO settings (name, value) VALUES ($1, 'x')`, fmt.Sprint("try", n)); err != nil {
				return err
			}
			return errors.Join(complete(ctx, tx), broken)
		})
		calls <- n
		return true, err
	}})
	receive(t, calls)
	receive(t, calls) // tried again after a second
	stop()
	var names string
	must(t, b.store.Reader().QueryRow(`SELECT min(name) || max(name) FROM settings WHERE name LIKE 'try%'`).Scan(&names))
	if names != "try2try2" || b.jobs("ingest_object", "completed") != 1 {
		t.Errorf("kept %s with %d jobs completed, want try2 alone and the job completed", names, b.jobs("ingest_object", "completed"))
	}
}

// What a killed process left as running, or what waits out its back-off, is taken up at once.
func TestReclaimTakesUpWhatAKilledProcessLeft(t *testing.T) {
	b := newBench(t)
	b.tx(func(tx *sql.Tx) error {
		return errors.Join(b.EnqueueSync(t.Context(), tx, 1), b.EnqueueSync(t.Context(), tx, 2))
	})
	by, next := "", "2999-01-01 00:00:00"
	if storetest.OnPostgres() {
		next = "2000-01-01 00:00:00"            // another process may be alive: a back-off is waited out
		by = ", attempted_by = '{longshore-1}'" // nobody holds the lock of that number
	}
	_, err := b.store.Writer().Exec(`UPDATE river_job SET state = 'running', attempt = 1, attempted_at = CURRENT_TIMESTAMP` + by + ` WHERE id = 1`)
	must(t, err)
	_, err = b.store.Writer().Exec(`UPDATE river_job SET state = 'retryable', attempt = 1, scheduled_at = '` + next + `' WHERE id = 2`)
	must(t, err)
	must(t, b.Reclaim(t.Context()))
	calls := make(chan int64, 9)
	b.run(Handlers{Sync: func(_ context.Context, id int64, _ time.Time) (time.Duration, bool, error) {
		calls <- id
		return 0, true, nil
	}})
	if a, c := receive(t, calls), receive(t, calls); a+c != 3 {
		t.Errorf("worked on runs %d and %d, want 1 and 2", a, c)
	}
}

// On PostgreSQL another process may be at work: its jobs are left to it.
func TestReclaimLeavesTheJobsOfTheLiving(t *testing.T) {
	if !storetest.OnPostgres() {
		t.Skip("SQLite has one process")
	}
	b := newBench(t)
	b.tx(func(tx *sql.Tx) error { return b.EnqueueSync(t.Context(), tx, 1) })
	begun, end := make(chan bool, 2), make(chan bool)
	b.run(Handlers{Sync: func(ctx context.Context, _ int64, _ time.Time) (time.Duration, bool, error) {
		begun <- true
		<-end
		return 0, true, nil
	}})
	receive(t, begun)
	must(t, b.Reclaim(t.Context()))
	if n := b.jobs("sync", "running"); n != 1 {
		t.Errorf("%d jobs run after another process has started, want the one of the living", n)
	}
	close(end)
}

// An object whose job was given up after all its attempts would wait for ever: the next start tries again.
func TestReclaimTakesUpWhatWasGivenUp(t *testing.T) {
	b := newBench(t)
	b.tx(func(tx *sql.Tx) error { return b.EnqueueIngest(t.Context(), tx, IngestArgs{1, 1}) })
	_, err := b.store.Writer().Exec(`UPDATE river_job SET state = 'discarded', attempt = max_attempts, finalized_at = CURRENT_TIMESTAMP`)
	must(t, err)
	must(t, b.Reclaim(t.Context()))
	calls := make(chan IngestArgs, 9)
	b.run(Handlers{Ingest: func(ctx context.Context, args IngestArgs, _ time.Time, complete Complete) (bool, error) {
		calls <- args
		return true, b.store.InTx(ctx, func(tx *sql.Tx) error { return complete(ctx, tx) })
	}})
	if got := receive(t, calls); got != (IngestArgs{1, 1}) {
		t.Errorf("worked on %+v", got)
	}
}

// A process without a tick handler leaves ticks to one that has it, untried.
func TestTickWaitsForAProcessThatHandlesTicks(t *testing.T) {
	b := newBench(t)
	b.tx(func(tx *sql.Tx) error { return b.EnqueueTick(t.Context(), tx, 4, time.Now().Add(-time.Minute)) })
	b.tx(func(tx *sql.Tx) error { return b.EnqueueSync(t.Context(), tx, 1) })
	synced := make(chan int64, 9)
	stop := b.run(Handlers{Sync: func(_ context.Context, id int64, _ time.Time) (time.Duration, bool, error) {
		synced <- id
		return 0, true, nil
	}})
	receive(t, synced)
	stop()
	var attempts int
	must(t, b.store.Reader().QueryRow(`SELECT attempt FROM river_job WHERE kind = 'tick'`).Scan(&attempts))
	if attempts != 0 {
		t.Errorf("the tick was tried %d times by a process that has no handler for it", attempts)
	}
	ticked := make(chan int64, 9)
	b.run(Handlers{Tick: func(ctx context.Context, id int64, _ time.Time, complete Complete) error {
		defer func() { ticked <- id }()
		return b.store.InTx(ctx, func(tx *sql.Tx) error {
			return errors.Join(b.EnqueueTick(ctx, tx, id, time.Now().Add(time.Hour)), complete(ctx, tx))
		})
	}})
	if id := receive(t, ticked); id != 4 {
		t.Errorf("tick of connection %d, want 4", id)
	}
	if n := b.jobs("tick", "scheduled"); n != 1 {
		t.Errorf("%d ticks lie ahead, want the next one", n)
	}
}

func TestRunReturnsOnceItsJobsHaveStopped(t *testing.T) {
	b := newBench(t)
	b.tx(func(tx *sql.Tx) error { return b.EnqueueSync(t.Context(), tx, 1) })
	begun, ended := make(chan bool, 1), false
	stop := b.run(Handlers{Sync: func(ctx context.Context, _ int64, _ time.Time) (time.Duration, bool, error) {
		begun <- true
		<-ctx.Done()
		ended = true
		return 0, false, ctx.Err()
	}})
	receive(t, begun)
	stop()
	if !ended {
		t.Error("Run returned while its job was at work")
	}
	must(t, b.Reclaim(t.Context()))
	if n := b.jobs("sync", "available"); n != 1 {
		t.Errorf("%d jobs wait after the stop, want the interrupted one", n)
	}
}
