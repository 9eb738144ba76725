package job

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// On PostgreSQL several processes work one queue, and the queue itself tells a job of a killed process from one that is
// at work only by its age: half an hour for a run. So each process holds an advisory lock of its own number while it
// works, which the server frees with its connection, and bears the number in its name, which its jobs keep. A job whose
// process holds no lock is taken up again. Where the number is held or the lock is lost to a broken connection, a job
// may run twice: its fences are made for that.

const (
	clientPrefix = "longshore-"
	aliveClass   = 19539 // the locks' first key
)

// alive holds this process's lock.
type alive struct {
	db     *sql.DB
	number int32
	conn   *sql.Conn
}

func newAlive(db *sql.DB) *alive {
	var b [4]byte
	_, _ = rand.Read(b[:])                                                 // never fails
	return &alive{db: db, number: int32(binary.LittleEndian.Uint32(b[:]))} //nolint:gosec // any number will do
}

// name is the process's name in the queue.
func (a *alive) name() string { return clientPrefix + strconv.FormatInt(int64(a.number), 10) }

// hold takes the lock, or sees to it that it is held still.
func (a *alive) hold(ctx context.Context) error {
	if a.conn != nil {
		if a.conn.PingContext(ctx) == nil {
			return nil
		}
		_ = a.conn.Close() // broken
		a.conn = nil
	}
	conn, err := a.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("tell that this process works: %w", err)
	}
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1, $2)`, aliveClass, a.number); err != nil {
		_ = conn.Close() // the first error counts
		return fmt.Errorf("tell that this process works: %w", err)
	}
	a.conn = conn
	return nil
}

// end gives the lock back.
func (a *alive) end(ctx context.Context) {
	if a.conn != nil {
		_, _ = a.conn.ExecContext(ctx, `SELECT pg_advisory_unlock($1, $2)`, aliveClass, a.number) // closing it does the same
		_ = a.conn.Close()
	}
}

// Alone tells whether no other process works this queue. On SQLite the data folder's lock has told that already.
func (q *Queue) Alone(ctx context.Context) (bool, error) {
	if !q.postgres {
		return true, nil
	}
	return Alone(ctx, q.db)
}

// Alone tells whether no process works the queue of this PostgreSQL database.
func Alone(ctx context.Context, db *sql.DB) (bool, error) {
	var others int
	err := db.QueryRowContext(ctx, `SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = $1::bigint::oid AND granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, aliveClass).Scan(&others)
	if err != nil {
		return false, fmt.Errorf("look for other processes: %w", err)
	}
	return others == 0, nil
}

// reclaimDead puts the running jobs of processes that are no more back into the queue.
func (q *Queue) reclaimDead(ctx context.Context) error {
	tx, err := q.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit it does nothing
	rows, err := tx.QueryContext(ctx, `SELECT DISTINCT attempted_by[array_upper(attempted_by, 1)] FROM river_job
		WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] LIKE '`+clientPrefix+`%'`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, name := range names {
		number, err := strconv.ParseInt(strings.TrimPrefix(name, clientPrefix), 10, 32)
		if err != nil {
			continue // another's name
		}
		var dead bool
		if err := tx.QueryRowContext(ctx, `SELECT pg_try_advisory_xact_lock($1, $2)`, aliveClass, int32(number)).Scan(&dead); err != nil {
			return err
		}
		if !dead {
			continue
		}
		if _, err := tx.ExecContext(ctx, `UPDATE river_job SET state = 'available', scheduled_at = now()
			WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)] = $1`, name); err != nil {
			return err
		}
	}
	return tx.Commit()
}
