package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
)

// Syncs keeps connections and their runs: what [pipeline.Sync] needs, and what people ask about past runs.
type Syncs struct {
	s *Store
	// queueSync and queueObject put a job beside the rows they are about, in the same transaction.
	queueSync   func(ctx context.Context, tx *sql.Tx, syncID int64) error
	queueObject func(ctx context.Context, tx *sql.Tx, objectID, pass int64) error
	bucket      string
	now         func() time.Time
	jobs        RunJobs // nil: nothing is run by a schedule
}

// Syncs returns the runs' store. bucket is the name under which written objects are recorded.
func (s *Store) Syncs(bucket string, now func() time.Time, queueSync func(context.Context, *sql.Tx, int64) error,
	queueObject func(context.Context, *sql.Tx, int64, int64) error,
) *Syncs {
	return &Syncs{s: s, queueSync: queueSync, queueObject: queueObject, bucket: bucket, now: now}
}

// Seen is what the lake remembers of a stream: how far runs and generations had come.
type Seen struct {
	Stream             string
	SyncID, Generation int64
}

// Recall lets a connection without runs go on counting where the lake says that an earlier database had come: its
// records must be newer than those that lie there. It does nothing for a connection that has run.
func (y *Syncs) Recall(ctx context.Context, connectionID int64, seen []Seen) error {
	err := y.s.InTx(ctx, func(tx *sql.Tx) error {
		var runs, last int64
		if err := tx.QueryRowContext(ctx, `SELECT count(*), coalesce(max(id), 0) FROM syncs`).Scan(&runs, &last); err != nil || runs > 0 {
			return err
		}
		for _, s := range seen {
			last = max(last, s.SyncID)
			if _, err := tx.ExecContext(ctx, `INSERT INTO stream_states (connection_id, stream, generation, state) VALUES ($1, $2, $3, '')
				ON CONFLICT (connection_id, stream) DO NOTHING`, connectionID, s.Stream, s.Generation); err != nil {
				return err
			}
		}
		if last == 0 {
			return nil
		}
		if move := y.s.engine.moveSyncs; move != "" {
			_, err := tx.ExecContext(ctx, move, last)
			return err
		}
		// The counter of run ids moves on only when a row is written.
		if _, err := tx.ExecContext(ctx, `INSERT INTO syncs (id, connection_id, started_at, status, cause) VALUES ($1, $2, 0, 'cancelled', 'recall')`, last, connectionID); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM syncs WHERE id = $1`, last)
		return err
	})
	if err != nil {
		return fmt.Errorf("recall earlier runs: %w", err)
	}
	return nil
}

// StartRun is Start of a sync, or with full of one that reads everything from its start.
func (y *Syncs) StartRun(ctx context.Context, c pipeline.Connection, streams []pipeline.Stream, full bool, cause string,
	also ...func(ctx context.Context, tx *sql.Tx) error,
) (id int64, started bool, err error) {
	return y.Start(ctx, Start{Connection: c, Streams: streams, Full: full, Cause: cause}, also...)
}

// Start is a run that is to be.
type Start struct {
	Connection pipeline.Connection
	Streams    []pipeline.Stream
	Type       string // "" is a sync
	Full       bool   // a sync reads all streams from their start
	Keep       bool   // a refresh keeps what is there of older generations
	Cause      string
	Actor      string
	Failed     string // why the run cannot even begin: it is recorded as one that failed
}

// Start creates a run of the connection over the streams and queues it, or returns the one under way (started false): a
// connection has at most one. Streams are read in the connection's mode, or with Full all in full: that begins a new
// generation. Incremental ones go on where the last run left them; one that is a full refresh by default and was never
// read begins with one. The steps in also run in the same transaction.
func (y *Syncs) Start(ctx context.Context, start Start, also ...func(ctx context.Context, tx *sql.Tx) error) (id int64, started bool, err error) {
	err = y.s.InTx(ctx, func(tx *sql.Tx) error {
		for _, step := range also {
			if err := step(ctx, tx); err != nil {
				return err
			}
		}
		id, started, err = y.start(ctx, tx, start)
		return err
	})
	if err != nil {
		return 0, false, fmt.Errorf("start a run of %q: %w", start.Connection.Name, err)
	}
	return id, started, nil
}

func (y *Syncs) start(ctx context.Context, tx *sql.Tx, start Start) (id int64, started bool, err error) {
	c := start.Connection
	if id, err = underWay(ctx, tx, c.ID); err != nil {
		return 0, false, err
	}
	if id != 0 {
		return id, false, y.queueSync(ctx, tx, id)
	}
	began, err := y.began(ctx, tx)
	if err != nil {
		return 0, false, err
	}
	if err := tx.QueryRowContext(ctx, `INSERT INTO syncs (connection_id, started_at, status, cause, job_type, actor)
		VALUES ($1, $2, 'running', $3, $4, $5) RETURNING id`,
		c.ID, began, start.Cause, cmp.Or(start.Type, pipeline.JobSync), start.Actor).Scan(&id); err != nil {
		return 0, false, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE connections SET next_at = 0 WHERE id = $1`, c.ID); err != nil { // FinishRun sets the next time
		return 0, false, err
	}
	followed, err := y.logOfFeed(ctx, tx, c.ID)
	if err != nil {
		return 0, false, err
	}
	for i, st := range start.Streams {
		if st.Name == followed && start.Type == "" { // the feed reads it
			continue
		}
		if err := startStream(ctx, tx, start, id, i, st); err != nil {
			return 0, false, err
		}
	}
	if start.Failed != "" {
		return id, true, errors.Join(beginAttempt(ctx, tx, id, 1, began), y.finish(ctx, tx, id, pipeline.Failed, start.Failed))
	}
	return id, true, y.queueSync(ctx, tx, id)
}

// underWay is the run of the connection that is under way, beside its feed's; 0 for none.
func underWay(ctx context.Context, tx *sql.Tx, connectionID int64) (id int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT id FROM syncs WHERE connection_id = $1 AND status = 'running' AND cause <> $2 ORDER BY id LIMIT 1`,
		connectionID, pipeline.CauseFeed).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return id, err
}

// Requeue queues the runs under way, but for a feed's, and returns how many there are.
func (y *Syncs) Requeue(ctx context.Context) (n int, err error) {
	err = y.s.InTx(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT id FROM syncs WHERE status = 'running' AND cause <> $1 ORDER BY id`, pipeline.CauseFeed)
		if err != nil {
			return err
		}
		ids, err := column[int64](rows)
		for _, id := range ids {
			if err := y.queueSync(ctx, tx, id); err != nil {
				return err
			}
		}
		n = len(ids)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("queue the runs under way: %w", err)
	}
	return n, nil
}

// began is the start of a run that begins now. It names the run's objects, so no two runs have the same.
func (y *Syncs) began(ctx context.Context, tx *sql.Tx) (at int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT coalesce(max(started_at), 0) + 1 FROM syncs`).Scan(&at)
	return max(at, y.now().UnixMilli()), err
}

// startStream sets where a stream of the run begins: its generation, the oldest one that stays, and its state. The first
// incremental read of a stream is a full one, and begins a generation, where the source is the one of the settings; with
// others it begins none, as with Airbyte.
func startStream(ctx context.Context, tx *sql.Tx, start Start, syncID int64, position int, st pipeline.Stream) error {
	var generation, minimum int64
	var state string
	conn := start.Connection
	err := tx.QueryRowContext(ctx, `SELECT generation, state FROM stream_states WHERE connection_id = $1 AND stream = $2`,
		conn.ID, st.Name).Scan(&generation, &state)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	mode := conn.Mode(st)
	switch {
	case start.Type == pipeline.JobClear:
		mode, state, generation = pipeline.Clear, "", generation+1
		minimum = generation
	case start.Type == pipeline.JobRefresh:
		mode, state, generation = pipeline.FullRefresh, "", generation+1
		if !start.Keep {
			minimum = generation
		}
	case start.Full || mode == pipeline.FullRefresh || state == "" && !st.Incremental && conn.SourceID == "":
		mode, state, generation = pipeline.FullRefresh, "", generation+1
		if conn.Overwrites(st) {
			minimum = generation
		}
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO stream_states (connection_id, stream, generation, state) VALUES ($1, $2, $3, $4)
		ON CONFLICT (connection_id, stream) DO UPDATE SET generation = excluded.generation, state = excluded.state`,
		conn.ID, st.Name, generation, state); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO sync_streams (sync_id, position, stream, mode, generation, minimum_generation, status, state)
		VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7)`, syncID, position, st.Name, mode, generation, minimum, state)
	return err
}

// SaveCommit implements [pipeline.Store].
func (y *Syncs) SaveCommit(ctx context.Context, part pipeline.Part, c pipeline.Commit) error {
	err := y.s.InTx(ctx, func(tx *sql.Tx) error {
		objectRows := 0
		if c.LakeRows > 0 {
			objectRows = 1
			id, pass, err := insertObject(ctx, tx, newObject{
				bucket: y.bucket, key: c.Key, etag: c.ETag, namespace: part.Namespace, stream: part.Stream,
				syncID: part.SyncID, bytes: c.Bytes, rows: &c.LakeRows, sha256: c.SHA256, foundAt: y.now(),
			})
			if err != nil {
				return err
			}
			if err := y.queueObject(ctx, tx, id, pass); err != nil {
				return err
			}
		}
		var old pipeline.StreamRun
		if err := scanStream(tx.QueryRowContext(ctx, selectStreams+` WHERE sync_id = $1 AND stream = $2`, part.SyncID, part.Stream), &old); err != nil {
			return err
		}
		statuses := map[int]int{}
		for _, m := range []map[int]int{old.Statuses, c.Statuses} {
			for k, v := range m {
				statuses[k] += v
			}
		}
		if old.FirstCursor == "" {
			old.FirstCursor = c.FirstCursor
		}
		if c.LastCursor == "" {
			c.LastCursor = old.LastCursor
		}
		if _, err := tx.ExecContext(ctx, `UPDATE sync_streams SET state = CASE WHEN $3 = '' THEN state ELSE $3 END, next_part = next_part + $4, pages = pages + $5, api_rows = api_rows + $6,
			lake_rows = lake_rows + $7, lake_bytes = lake_bytes + $8, first_cursor = $9, last_cursor = $10, statuses = $11, gaps = $12,
			status = CASE WHEN $13 THEN 'ended' ELSE status END
			WHERE sync_id = $1 AND stream = $2`, part.SyncID, part.Stream, string(c.State), objectRows, c.Pages, c.APIRows, c.LakeRows, c.Bytes,
			old.FirstCursor, c.LastCursor, mustJSON(statuses), mustJSON(append(old.Gaps, c.Gaps...)), c.End); err != nil {
			return err
		}
		if len(c.State) == 0 { // objects read one by one say nothing of how far the stream is read
			return nil
		}
		_, err := tx.ExecContext(ctx, `UPDATE stream_states SET state = $3 WHERE stream = $2
			AND connection_id = (SELECT connection_id FROM syncs WHERE id = $1)`, part.SyncID, part.Stream, string(c.State))
		return err
	})
	if err != nil {
		return fmt.Errorf("record %s: %w", c.Key, err)
	}
	return nil
}

// SaveStream implements [pipeline.Store].
func (y *Syncs) SaveStream(ctx context.Context, runID int64, st pipeline.StreamRun) error {
	err := y.s.exec(ctx, `UPDATE sync_streams SET status = $3, error = $4, started_at = $5, finished_at = $6 WHERE sync_id = $1 AND stream = $2`,
		runID, st.Stream, string(st.Status), st.Error, millisOrNull(st.StartedAt), millisOrNull(st.FinishedAt))
	if err != nil {
		return fmt.Errorf("record stream %s of sync %d: %w", st.Stream, runID, err)
	}
	return nil
}

// FinishRun implements [pipeline.Store]. The connection's next run is set in the same transaction.
func (y *Syncs) FinishRun(ctx context.Context, runID int64, status pipeline.Status, message string) error {
	err := y.s.InTx(ctx, func(tx *sql.Tx) error { return y.finish(ctx, tx, runID, status, message) })
	if err != nil {
		return fmt.Errorf("finish sync %d: %w", runID, err)
	}
	return nil
}

// Run implements [pipeline.Store].
func (y *Syncs) Run(ctx context.Context, id int64) (pipeline.Run, error) {
	runs, err := y.runs(ctx, `WHERE s.id = $1`, id)
	if err != nil {
		return pipeline.Run{}, err
	}
	if len(runs) == 0 {
		return pipeline.Run{}, fault.Errorf(fault.NotFound, "sync %d does not exist", id)
	}
	return runs[0], nil
}

// Own lists the newest runs that are none of a feed's, at most limit, and before them the newest of the feeds' while it is
// under way. A feed makes a run an hour, and more beside a schedule: among them the others would not be found.
func (y *Syncs) Own(ctx context.Context, limit int) ([]pipeline.Run, error) {
	return y.runs(ctx, `WHERE s.cause <> '`+pipeline.CauseFeed+`' OR s.status = 'running' ORDER BY s.id DESC LIMIT $1`, int64(limit))
}

// Runs lists the newest runs, at most limit.
func (y *Syncs) Runs(ctx context.Context, limit int) ([]pipeline.Run, error) {
	return y.runs(ctx, `ORDER BY s.id DESC LIMIT $1`, int64(limit))
}

// RunsOf lists the newest runs of a connection that are none of its feed's, at most limit.
func (y *Syncs) RunsOf(ctx context.Context, connectionID int64, limit int) ([]pipeline.Run, error) {
	return y.runs(ctx, `WHERE s.connection_id = $1 AND s.cause <> '`+pipeline.CauseFeed+`' ORDER BY s.id DESC LIMIT $2`, connectionID, limit)
}

func (y *Syncs) runs(ctx context.Context, tail string, args ...any) ([]pipeline.Run, error) {
	rows, err := y.s.read.QueryContext(ctx, `SELECT s.id, s.started_at, s.finished_at, s.status, s.cause, s.error,
		s.job_type, s.actor, s.cancel_at, s.cancel_by, `+connectionColumns+`
		FROM syncs s JOIN connections c ON c.id = s.connection_id `+tail, args...)
	if err != nil {
		return nil, fmt.Errorf("list syncs: %w", err)
	}
	defer rows.Close()
	var all []pipeline.Run
	for rows.Next() {
		var r pipeline.Run
		var started int64
		var finished sql.NullInt64
		var cancel int64
		if err := scanConnection(rows, &r.Connection, &r.ID, &started, &finished, &r.Status, &r.Cause, &r.Error,
			&r.Type, &r.Actor, &cancel, &r.CancelBy); err != nil {
			return nil, err
		}
		r.CancelAt = timeOrZero(sql.NullInt64{Int64: cancel, Valid: cancel != 0})
		r.StartedAt, r.FinishedAt = time.UnixMilli(started).UTC(), timeOrZero(finished)
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Streams, err = y.streams(ctx, all[i].ID); err != nil {
			return nil, err
		}
		if all[i].Attempts, err = y.attempts(ctx, all[i].ID); err != nil {
			return nil, err
		}
	}
	return all, nil
}

const selectStreams = `SELECT stream, mode, generation, minimum_generation, status, state, next_part, pages, api_rows, lake_rows, lake_bytes, first_cursor, last_cursor,
	statuses, gaps, error, started_at, finished_at FROM sync_streams`

func (y *Syncs) streams(ctx context.Context, syncID int64) ([]pipeline.StreamRun, error) {
	rows, err := y.s.read.QueryContext(ctx, selectStreams+` WHERE sync_id = $1 ORDER BY position`, syncID)
	if err != nil {
		return nil, fmt.Errorf("list streams of sync %d: %w", syncID, err)
	}
	defer rows.Close()
	var all []pipeline.StreamRun
	for rows.Next() {
		var st pipeline.StreamRun
		if err := scanStream(rows, &st); err != nil {
			return nil, err
		}
		all = append(all, st)
	}
	return all, rows.Err()
}

func scanStream(row interface{ Scan(...any) error }, st *pipeline.StreamRun) error {
	var state, statuses, gaps string
	var started, finished sql.NullInt64
	if err := row.Scan(&st.Stream, &st.Mode, &st.Generation, &st.Minimum, &st.Status, &state, &st.NextPart, &st.Pages, &st.APIRows, &st.LakeRows, &st.LakeBytes,
		&st.FirstCursor, &st.LastCursor, &statuses, &gaps, &st.Error, &started, &finished); err != nil {
		return err
	}
	if state != "" {
		st.State = json.RawMessage(state)
	}
	st.StartedAt, st.FinishedAt = timeOrZero(started), timeOrZero(finished)
	return errors.Join(json.Unmarshal([]byte(statuses), &st.Statuses), json.Unmarshal([]byte(gaps), &st.Gaps))
}

// Commits implements [pipeline.Store].
func (y *Syncs) Commits(ctx context.Context, runID int64, stream string) ([]pipeline.Commit, error) {
	rows, err := y.s.read.QueryContext(ctx, `SELECT object_key, etag, bytes, coalesce(rows_written, 0), sha256 FROM objects
		WHERE sync_id = $1 AND stream = $2 ORDER BY id`, runID, stream)
	if err != nil {
		return nil, fmt.Errorf("list objects of sync %d: %w", runID, err)
	}
	defer rows.Close()
	var all []pipeline.Commit
	for rows.Next() {
		var c pipeline.Commit
		if err := rows.Scan(&c.Key, &c.ETag, &c.Bytes, &c.LakeRows, &c.SHA256); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

func mustJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // maps of numbers and lists of strings always marshal
	}
	return string(text)
}

func millisOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMilli()
}

func timeOrZero(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64).UTC()
}

// WithoutReceipt lists finished runs whose receipt was never drawn, oldest first.
func (y *Syncs) WithoutReceipt(ctx context.Context) ([]int64, error) {
	rows, err := y.s.read.QueryContext(ctx, `SELECT id FROM syncs WHERE status <> 'running' AND receipt = '' ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("list syncs: %w", err)
	}
	return column[int64](rows)
}

// SaveReceipt keeps a run's receipt; an earlier one is replaced.
func (y *Syncs) SaveReceipt(ctx context.Context, runID int64, doc string) error {
	if err := y.s.exec(ctx, `UPDATE syncs SET receipt = $2 WHERE id = $1`, runID, doc); err != nil {
		return fmt.Errorf("keep the receipt of sync %d: %w", runID, err)
	}
	return nil
}
