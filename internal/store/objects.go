package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"longshore/internal/fault"
	"longshore/internal/ingest"
)

// Objects keeps the lake objects seen, how far each is taken, and the ledger of verdicts: what [ingest.Ingester] needs.
type Objects struct {
	*Store
	queue func(ctx context.Context, tx *sql.Tx, objectID, pass int64) error
	seal  *Sealer
	now   func() time.Time
}

// Objects returns the ingest side's store. queue puts the job of an object's pass beside its row.
func (s *Store) Objects(seal *Sealer, now func() time.Time, queue func(ctx context.Context, tx *sql.Tx, objectID, pass int64) error) *Objects {
	return &Objects{Store: s, queue: queue, seal: seal, now: now}
}

type newObject struct {
	bucket, key, etag, namespace, stream string
	syncID                               int64
	bytes                                int64
	rows                                 *int64
	sha256                               string
	foundAt                              time.Time
}

// insertObject records a version of an object; one that is known already keeps its state and learns what is new.
func insertObject(ctx context.Context, tx *sql.Tx, o newObject) (id, pass int64, err error) {
	var syncID any
	if o.syncID != 0 {
		syncID = o.syncID
	}
	err = tx.QueryRowContext(ctx, `INSERT INTO objects (bucket, object_key, etag, namespace, stream, sync_id, bytes, rows_written, sha256, found_at, state)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'queued')
		ON CONFLICT (bucket, object_key, etag) DO UPDATE SET sync_id = coalesce(objects.sync_id, excluded.sync_id),
			rows_written = coalesce(objects.rows_written, excluded.rows_written),
			sha256 = CASE WHEN objects.sha256 = '' THEN excluded.sha256 ELSE objects.sha256 END
		RETURNING id, pass`, o.bucket, o.key, o.etag, o.namespace, o.stream, syncID, o.bytes, o.rows, o.sha256, o.foundAt.UnixMilli()).Scan(&id, &pass)
	if err != nil {
		return 0, 0, fmt.Errorf("record object %s: %w", o.key, err)
	}
	return id, pass, nil
}

// Known implements [ingest.Finder].
func (b *Objects) Known(ctx context.Context, found []ingest.Object) (map[string]bool, error) {
	known := map[string]bool{}
	for chunk := range slices.Chunk(found, chunkKeys) {
		list, args := make([]string, len(chunk)), make([]any, len(chunk))
		for i, o := range chunk {
			list[i], args[i] = fmt.Sprintf("$%d", i+1), o.Key
		}
		if err := b.versions(ctx, strings.Join(list, ", "), args, known); err != nil {
			return nil, fmt.Errorf("look for objects: %w", err)
		}
	}
	return known, nil
}

// versions adds the recorded versions of the keys, as Key + NUL + ETag.
func (b *Objects) versions(ctx context.Context, list string, keys []any, known map[string]bool) error {
	rows, err := b.read.QueryContext(ctx, `SELECT object_key, etag FROM objects WHERE object_key IN (`+list+`)`, keys...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var key, etag string
		if err := rows.Scan(&key, &etag); err != nil {
			return err
		}
		known[key+"\x00"+etag] = true
	}
	return rows.Err()
}

// Found implements [ingest.Finder]: it queues the objects that are new and returns how many were.
func (b *Objects) Found(ctx context.Context, found []ingest.Object) (fresh int, err error) {
	err = b.InTx(ctx, func(tx *sql.Tx) error {
		for _, o := range found {
			var known int
			if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM objects WHERE bucket = $1 AND object_key = $2 AND etag = $3`,
				o.Bucket, o.Key, o.ETag).Scan(&known); err != nil {
				return err
			}
			if known > 0 {
				continue
			}
			var rows *int64
			if o.RowsWritten >= 0 {
				rows = &o.RowsWritten
			}
			id, pass, err := insertObject(ctx, tx, newObject{o.Bucket, o.Key, o.ETag, o.Namespace, o.Stream, o.SyncID, o.Bytes, rows, o.SHA256, b.now()})
			if err != nil {
				return err
			}
			if err := b.queue(ctx, tx, id, pass); err != nil {
				return err
			}
			fresh++
		}
		return nil
	})
	return fresh, err
}

// Again begins a new pass over the objects that the filter names: their lines are judged anew. It returns how many.
func (b *Objects) Again(ctx context.Context, f ingest.ObjectFilter) (n int, err error) {
	err = b.InTx(ctx, func(tx *sql.Tx) error {
		where, args := objectWhere(f)
		n, err = b.again(ctx, tx, where, args...)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("queue objects again: %w", err)
	}
	return n, nil
}

// again begins a new pass over the objects that the clause names, within a transaction.
func (b *Objects) again(ctx context.Context, tx *sql.Tx, where string, args ...any) (int, error) {
	passes, err := nextPasses(ctx, tx, where, args)
	if err != nil {
		return 0, err
	}
	for _, p := range passes {
		if err := b.queue(ctx, tx, p.object, p.number); err != nil {
			return 0, err
		}
	}
	return len(passes), nil
}

type pass struct{ object, number int64 }

func nextPasses(ctx context.Context, tx *sql.Tx, where string, args []any) ([]pass, error) {
	rows, err := tx.QueryContext(ctx, `UPDATE objects SET pass = pass + 1, state = 'queued', lines_done = 0, records = 0, error = '', ingested_at = NULL
		`+where+` RETURNING id, pass`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var passes []pass
	for rows.Next() {
		var p pass
		if err := rows.Scan(&p.object, &p.number); err != nil {
			return nil, err
		}
		passes = append(passes, p)
	}
	return passes, rows.Err()
}

func objectWhere(f ingest.ObjectFilter) (string, []any) {
	clause, args := `WHERE 1 = 1`, []any{}
	add := func(text string, arg any) {
		args = append(args, arg)
		clause += fmt.Sprintf(" AND "+text, len(args))
	}
	if len(f.States) > 0 {
		list := ""
		for i, s := range f.States {
			args = append(args, string(s))
			if i > 0 {
				list += ", "
			}
			list += fmt.Sprintf("$%d", len(args))
		}
		clause += " AND state IN (" + list + ")"
	}
	if f.Prefix != "" {
		args = append(args, f.Prefix)
		clause += fmt.Sprintf(" AND substr(object_key, 1, length(CAST($%[1]d AS TEXT))) = $%[1]d", len(args))
	}
	if !f.Since.IsZero() {
		add("found_at >= $%d", f.Since.UnixMilli())
	}
	if f.SyncID != 0 {
		add("sync_id = $%d", f.SyncID)
	}
	if f.Stream != "" {
		add("stream = $%d", f.Stream)
	}
	if len(f.Namespaces) > 0 {
		places := make([]string, len(f.Namespaces))
		for i, namespace := range f.Namespaces {
			args = append(args, namespace)
			places[i] = fmt.Sprintf("$%d", len(args))
		}
		clause += " AND namespace IN (" + strings.Join(places, ", ") + ")"
	}
	if f.Event != "" { // a call's object bears its id
		add("stream = $%d", ingest.EventStream)
		args = append(args, likePart(f.Event))
		clause += fmt.Sprintf(` AND object_key LIKE $%d ESCAPE '\'`, len(args))
	}
	return clause, args
}

const selectObjects = `SELECT id, bucket, object_key, etag, namespace, stream, coalesce(sync_id, 0), bytes, coalesce(rows_written, -1), sha256, state, pass,
	webhook, coalesce(mapping_id, 0), lines_done, records, error, found_at, ingested_at FROM objects `

func scanObject(row interface{ Scan(...any) error }) (ingest.Object, error) {
	var o ingest.Object
	var found int64
	var ingested sql.NullInt64
	err := row.Scan(&o.ID, &o.Bucket, &o.Key, &o.ETag, &o.Namespace, &o.Stream, &o.SyncID, &o.Bytes, &o.RowsWritten, &o.SHA256, &o.State, &o.Pass,
		&o.Webhook, &o.MappingID, &o.LinesDone, &o.Records, &o.Error, &found, &ingested)
	o.FoundAt, o.IngestedAt = time.UnixMilli(found).UTC(), timeOrZero(ingested)
	return o, err
}

// Object implements [ingest.Store].
func (b *Objects) Object(ctx context.Context, id int64) (ingest.Object, error) {
	o, err := scanObject(b.read.QueryRowContext(ctx, selectObjects+`WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return o, fault.Errorf(fault.NotFound, "object %d does not exist", id)
	}
	if err != nil {
		return o, fmt.Errorf("read object %d: %w", id, err)
	}
	return o, nil
}

// List returns the objects that the filter names: with a limit the newest of them, newest first; with 0 all, oldest first.
func (b *Objects) List(ctx context.Context, f ingest.ObjectFilter, limit int) ([]ingest.Object, error) {
	where, args := objectWhere(f)
	if limit > 0 {
		where += fmt.Sprintf(" ORDER BY id DESC LIMIT %d", limit)
	} else {
		where += " ORDER BY id"
	}
	rows, err := b.read.QueryContext(ctx, selectObjects+where, args...)
	if err != nil {
		return nil, fmt.Errorf("list objects: %w", err)
	}
	defer rows.Close()
	var all []ingest.Object
	for rows.Next() {
		o, err := scanObject(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, rows.Err()
}

// Progress implements [ingest.Store].
func (b *Objects) Progress(ctx context.Context, tx *sql.Tx, o ingest.Object, from int64) (bool, error) {
	var mappingID any
	if o.MappingID != 0 {
		mappingID = o.MappingID
	}
	done, err := tx.ExecContext(ctx, `UPDATE objects SET state = $4, webhook = $5, mapping_id = $6, lines_done = $7, records = $8, error = $9, ingested_at = $10
		WHERE id = $1 AND pass = $2 AND lines_done = $3 AND state NOT IN ('done', 'failed')`,
		o.ID, o.Pass, from, string(o.State), o.Webhook, mappingID, o.LinesDone, o.Records, o.Error, millisOrNull(o.IngestedAt))
	if err != nil {
		return false, fmt.Errorf("mark object %d: %w", o.ID, err)
	}
	n, err := done.RowsAffected()
	return n == 1, err
}

// Waiting sums up what is still to be taken.
func (b *Objects) Waiting(ctx context.Context) (ingest.Waiting, error) {
	var w ingest.Waiting
	err := b.read.QueryRowContext(ctx, `SELECT coalesce(sum(CASE WHEN state IN ('queued', 'reading') THEN 1 ELSE 0 END), 0), coalesce(sum(records), 0), coalesce(sum(rows_written), 0)
		FROM objects`).Scan(&w.Objects, &w.Lines, &w.Written)
	if err != nil {
		return w, fmt.Errorf("count objects: %w", err)
	}
	return w, nil
}
