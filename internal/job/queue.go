package job

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
)

const (
	queueSync   = "sync"
	queueIngest = "ingest"
	queueTick   = "tick" // its own: a process without a tick handler must not fetch ticks
	queueFeed   = "feed"

	// A job works at most this long before it gives its place back: a killed worker's job is found again soon.
	quantum     = 60 * time.Second
	jobTimeout  = 2 * time.Minute
	rescueAfter = 3 * time.Minute

	// maxFeeds is how many connections one process follows at a time: each waits most of the time.
	maxFeeds = 16

	// slowPoll is for jobs that are taken up once a minute, or not for minutes.
	slowPoll = time.Second

	// SQLite has no notifications: this is how soon a job inserted in a transaction is seen.
	pollInterval = 200 * time.Millisecond
	// PostgreSQL has; this is for what one that got lost told of.
	listenPoll = 2 * time.Second

	lookEvery = 20 * time.Second
)

// SyncArgs names the run to work on.
type SyncArgs struct {
	SyncID int64 `json:"sync_id" river:"unique"`
}

// Kind is the job's name in the queue.
func (SyncArgs) Kind() string { return "sync" }

// InsertOpts makes a run's job unique for as long as the row exists.
func (SyncArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueSync, UniqueOpts: river.UniqueOpts{ByArgs: true}, MaxAttempts: 100}
}

// IngestArgs names one version of a lake object.
type IngestArgs struct {
	ObjectID int64 `json:"object_id" river:"unique"`
	Pass     int64 `json:"pass" river:"unique"` // counts the times the object is to be read (a replay is a new pass)
}

// Kind is the job's name in the queue.
func (IngestArgs) Kind() string { return "ingest_object" }

// InsertOpts makes an object's pass unique for as long as the row exists.
func (IngestArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueIngest, UniqueOpts: river.UniqueOpts{ByArgs: true}, MaxAttempts: 100}
}

// TickArgs is one due time of a connection's schedule.
type TickArgs struct {
	ConnectionID int64 `json:"connection_id" river:"unique"`
	At           int64 `json:"at" river:"unique"` // Unix seconds
}

// Kind is the job's name in the queue.
func (TickArgs) Kind() string { return "tick" }

// InsertOpts makes a due time unique while it has not come.
func (TickArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueTick, MaxAttempts: 100, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
}

// FeedArgs names the connection whose source is followed.
type FeedArgs struct {
	ConnectionID int64 `json:"connection_id" river:"unique"`
}

// Kind is the job's name in the queue.
func (FeedArgs) Kind() string { return "feed" }

// InsertOpts makes a connection's feed unique: one worker at a time follows it.
func (FeedArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueFeed, UniqueOpts: river.UniqueOpts{ByArgs: true}, MaxAttempts: 1 << 14}
}

// Complete marks the job at hand as done in tx.
type Complete func(ctx context.Context, tx *sql.Tx) error

// Handlers work the jobs. A nil handler leaves its kind in the queue for another process.
type Handlers struct {
	// Sync works on a run until until; done false means there is more to do, and the job is taken up again after wait.
	Sync func(ctx context.Context, syncID int64, until time.Time) (wait time.Duration, done bool, err error)
	// Ingest takes one object, or goes on with it, until until. complete marks the job as done inside the handler's
	// last transaction; done false means that the object has more to give.
	Ingest func(ctx context.Context, args IngestArgs, until time.Time, complete Complete) (done bool, err error)
	// Tick starts a run in the transaction in which it calls complete. at is the due time, to the second.
	Tick func(ctx context.Context, connectionID int64, at time.Time, complete Complete) error
	// Feed follows a connection's source until until, or says how long there is nothing to do. It never ends by itself.
	Feed func(ctx context.Context, connectionID int64, until time.Time) (wait time.Duration, err error)
	// Changelog tells a blueprint's changes until until, or says how long there is nothing to tell; done once nobody is
	// to be told any more.
	Changelog func(ctx context.Context, blueprint string, until time.Time) (wait time.Duration, done bool, err error)
	// Retain lets go of what blueprints keep no longer until until, or says how long there is nothing to do. It never ends by itself.
	Retain func(ctx context.Context, until time.Time) (wait time.Duration, err error)
	// IngestWorkers is how many objects are taken at once; 0 means 1: in the order in which they were found, so that
	// which of two equal records "upserted" and which was "unchanged" is the same in every run.
	IngestWorkers int
}

// Queue is the durable queue. Enqueue methods are safe for concurrent use, also while no Run is under way.
type Queue struct {
	db       *sql.DB
	driver   riverdriver.Driver[*sql.Tx]
	postgres bool
	log      *slog.Logger
	insert   *river.Client[*sql.Tx]

	lookEvery time.Duration // how often a Run sees to jobs that were lost
}

// Open brings the queue's tables in a SQLite database up to date. db must be the writing pool.
func Open(ctx context.Context, db *sql.DB) (*Queue, error) {
	return open(ctx, &Queue{db: db, driver: riversqlite.New(db)})
}

// OpenPostgres is Open for a PostgreSQL database, on which other processes may work too. listener is a pool of
// connections to it: each Run takes one and waits on it for word of new jobs.
func OpenPostgres(ctx context.Context, db *sql.DB, listener *pgxpool.Pool) (*Queue, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("open job queue: %w", err)
	}
	defer tx.Rollback() // it only holds the lock: of processes that start at once, one migrates
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(7309453471520583)`); err != nil {
		return nil, fmt.Errorf("open job queue: %w", err)
	}
	return open(ctx, &Queue{db: db, driver: riverdatabasesql.NewWithPgxListener(db, listener), postgres: true})
}

func open(ctx context.Context, q *Queue) (*Queue, error) {
	q.lookEvery = lookEvery
	q.log = slog.New(slog.DiscardHandler) // handlers tell what goes wrong; the queue's own words say nothing to an operator
	m, err := rivermigrate.New(q.driver, &rivermigrate.Config{Logger: q.log})
	if err != nil {
		return nil, fmt.Errorf("open job queue: %w", err)
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, fmt.Errorf("migrate job queue: %w", err)
	}
	if q.insert, err = river.NewClient(q.driver, &river.Config{Logger: q.log}); err != nil {
		return nil, fmt.Errorf("open job queue: %w", err)
	}
	return q, nil
}

// EnqueueSync inserts the job of a run in tx; a second one for the same run is dropped.
func (q *Queue) EnqueueSync(ctx context.Context, tx *sql.Tx, syncID int64) error {
	if _, err := q.insert.InsertTx(ctx, tx, SyncArgs{SyncID: syncID}, nil); err != nil {
		return fmt.Errorf("enqueue sync %d: %w", syncID, err)
	}
	return nil
}

// StopSync drops the job of a run in tx, unless a worker is at it.
func (q *Queue) StopSync(ctx context.Context, tx *sql.Tx, syncID int64) (atWork bool, err error) {
	id := `json_extract(args, '$.sync_id')`
	if q.postgres {
		id = `(args ->> 'sync_id')::bigint`
	}
	rows, err := tx.QueryContext(ctx, `SELECT CAST(state AS TEXT) FROM river_job WHERE kind = 'sync' AND `+id+` = $1`, syncID)
	if err != nil {
		return false, fmt.Errorf("find the job of sync %d: %w", syncID, err)
	}
	defer rows.Close()
	for rows.Next() {
		var state string
		if err := rows.Scan(&state); err != nil {
			return false, err
		}
		atWork = atWork || state == string(rivertype.JobStateRunning)
	}
	if err := rows.Err(); err != nil || atWork {
		return atWork, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE river_job SET state = 'cancelled', finalized_at = CURRENT_TIMESTAMP WHERE kind = 'sync' AND `+id+` = $1
		AND state IN ('available', 'pending', 'retryable', 'scheduled')`, syncID)
	if err != nil {
		return false, fmt.Errorf("drop the job of sync %d: %w", syncID, err)
	}
	return false, nil
}

// EnqueueIngest inserts the job of an object's pass in tx; a second one for the same pass is dropped.
func (q *Queue) EnqueueIngest(ctx context.Context, tx *sql.Tx, args IngestArgs) error {
	if _, err := q.insert.InsertTx(ctx, tx, args, nil); err != nil {
		return fmt.Errorf("enqueue ingest of object %d: %w", args.ObjectID, err)
	}
	return nil
}

// EnqueueTick inserts a connection's next due time in tx.
func (q *Queue) EnqueueTick(ctx context.Context, tx *sql.Tx, connectionID int64, at time.Time) error {
	if _, err := q.insert.InsertTx(ctx, tx, TickArgs{ConnectionID: connectionID, At: at.Unix()}, &river.InsertOpts{ScheduledAt: at}); err != nil {
		return fmt.Errorf("enqueue the next tick of connection %d: %w", connectionID, err)
	}
	return nil
}

// EnsureFeed enqueues the feed of a connection, unless it is there.
func (q *Queue) EnsureFeed(ctx context.Context, connectionID int64) error {
	if _, err := q.insert.Insert(ctx, FeedArgs{ConnectionID: connectionID}, nil); err != nil {
		return fmt.Errorf("enqueue the feed of connection %d: %w", connectionID, err)
	}
	return nil
}

// Reclaim puts jobs that a killed process left as running back into the queue, without waiting for the rescuer, and
// those that failed or were given up.
// On SQLite the caller must know that no other process works on this database (it holds the data folder's lock). On
// PostgreSQL others may: what their jobs are at is left to them, and what waits out a back-off is left to wait.
func (q *Queue) Reclaim(ctx context.Context) error {
	if q.postgres {
		_, err := q.db.ExecContext(ctx, `UPDATE river_job SET scheduled_at = now(), state = 'available', attempt = 0, finalized_at = NULL WHERE state = 'discarded'`)
		if err == nil {
			err = q.reclaimDead(ctx)
		}
		if err != nil {
			return fmt.Errorf("reclaim jobs: %w", err)
		}
		return nil
	}
	if _, err := q.db.ExecContext(ctx, `UPDATE river_job SET state = 'available' WHERE state = 'running'`); err != nil {
		return fmt.Errorf("reclaim jobs: %w", err)
	}
	// Work that failed and waits out its back-off, or was given up, is tried at once and with new attempts: the operator
	// has just started us again, and what it is about would wait for ever.
	if _, err := q.db.ExecContext(ctx, `UPDATE river_job SET scheduled_at = CURRENT_TIMESTAMP, state = 'available', attempt = 0, finalized_at = NULL
		WHERE state IN ('retryable', 'discarded')`); err != nil {
		return fmt.Errorf("reclaim jobs: %w", err)
	}
	return nil
}

// Run works jobs until ctx ends, then lets running ones stop, and returns once all have.
func (q *Queue) Run(ctx context.Context, h Handlers) error {
	workers := river.NewWorkers()
	queues := map[string]river.QueueConfig{}
	poll, slowPoll := pollInterval, slowPoll
	if q.postgres {
		poll, slowPoll = listenPoll, listenPoll
	}
	if h.Sync != nil {
		river.AddWorker(workers, &syncWorker{handle: h.Sync})
		queues[queueSync] = river.QueueConfig{MaxWorkers: 2, FetchCooldown: pollInterval, FetchPollInterval: poll}
	}
	if h.Tick != nil {
		river.AddWorker(workers, &tickWorker{handle: h.Tick})
		queues[queueTick] = river.QueueConfig{MaxWorkers: 1, FetchCooldown: pollInterval, FetchPollInterval: slowPoll}
	}
	if h.Feed != nil {
		river.AddWorker(workers, &feedWorker{handle: h.Feed})
		queues[queueFeed] = river.QueueConfig{MaxWorkers: maxFeeds, FetchCooldown: pollInterval, FetchPollInterval: slowPoll}
	}
	if h.Changelog != nil {
		river.AddWorker(workers, &changelogWorker{handle: h.Changelog})
		queues[queueChangelog] = river.QueueConfig{MaxWorkers: maxChangelogs, FetchCooldown: pollInterval, FetchPollInterval: slowPoll}
	}
	if h.Retain != nil {
		river.AddWorker(workers, &retentionWorker{handle: h.Retain})
		queues[queueRetention] = river.QueueConfig{MaxWorkers: 1, FetchCooldown: pollInterval, FetchPollInterval: slowPoll}
	}
	if h.Ingest != nil {
		n := h.IngestWorkers
		if n == 0 {
			n = 1
		}
		river.AddWorker(workers, &ingestWorker{handle: h.Ingest})
		queues[queueIngest] = river.QueueConfig{MaxWorkers: n, FetchCooldown: pollInterval, FetchPollInterval: poll}
	}
	care := look{queue: q, work: &atWork{}}
	var name string // "": one of the queue's making
	if q.postgres {
		a := newAlive(q.db)
		if err := a.hold(ctx); err != nil {
			return err
		}
		defer a.end(context.WithoutCancel(ctx))
		care.alive, name = a, a.name()
	}
	var caring sync.WaitGroup
	careful, enough := context.WithCancel(ctx)
	defer func() { enough(); caring.Wait() }()
	caring.Go(func() { care.run(careful) })
	client, err := river.NewClient(q.driver, &river.Config{
		ID: name, Logger: q.log, Queues: queues, Workers: workers, SkipUnknownJobCheck: true,
		JobTimeout: jobTimeout, RescueStuckJobsAfter: rescueAfter, RetryPolicy: retryPolicy{},
		Middleware: []rivertype.Middleware{care.work},
	})
	if err != nil {
		return fmt.Errorf("start job queue: %w", err)
	}
	if err := client.Start(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("start job queue: %w", err)
	}
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := client.StopAndCancel(stop); err != nil {
		return fmt.Errorf("stop job queue: %w", err)
	}
	return nil
}

// retryPolicy tries a failed job again after 1, 2, 4, … seconds, at most a minute: what fails here is a bucket or a
// database that does not answer, and every attempt goes on where the last one committed.
type retryPolicy struct{}

func (retryPolicy) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().Add(min(time.Second<<min(job.Attempt-1, 6), time.Minute))
}
