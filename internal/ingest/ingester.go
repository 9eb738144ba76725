package ingest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/lake"
	"longshore/internal/verdict"
)

const (
	// A chunk is what one transaction takes.
	maxChunkRecords  = 2000
	maxChunkRawBytes = 8 << 20
)

// Store is what ingest needs kept. Methods with a tx run inside the caller's transaction.
type Store interface {
	Object(ctx context.Context, id int64) (Object, error)
	// Route returns the webhook whose key or identifier is the namespace, or fault.NotFound.
	Route(ctx context.Context, namespace string) (Webhook, error)
	// MappingVersion returns the id of the version of the webhook's mappings, recording it when it is new.
	MappingVersion(ctx context.Context, webhook, digest string, doc []byte) (int64, error)

	InTx(ctx context.Context, fn func(tx *sql.Tx) error) error
	// Progress sets how far the object is taken, provided that it stands at from in this pass; otherwise ok is false:
	// somebody else took the chunk.
	Progress(ctx context.Context, tx *sql.Tx, o Object, from int64) (ok bool, err error)
	// SaveVerdicts adds a chunk to the ledger. The first chunk of a pass (from 0) replaces what earlier passes left.
	SaveVerdicts(ctx context.Context, tx *sql.Tx, o Object, from int64, judged []Judged) error
}

// Catalog is what ingest writes to.
type Catalog interface {
	Apply(ctx context.Context, tx *sql.Tx, changes []catalog.Change, results []catalog.Result) ([]catalog.Result, error)
}

// Judged is one record with its verdicts: one a mapping, in the webhook's order, and the roll-up.
type Judged struct {
	Line    int64
	RollUp  Verdict
	Verdict []Verdict
}

// Verdict is a code and its explanation.
type Verdict struct {
	Code   verdict.Code
	Detail verdict.Detail
}

// Ingester takes lake objects into the catalog. It is safe for concurrent use.
type Ingester struct {
	Store   Store
	Catalog Catalog
	Bucket  lake.Bucket
	Now     func() time.Time
	Log     *slog.Logger
	plans   plans
}

// Ingest takes the object from where it stands, chunk by chunk, until its end (done) or until has passed.
// complete is called inside the transaction that ends the object. Damage to the object is recorded with it and is no
// error; an error means that the bucket or the database did not answer, and the next call goes on.
func (g *Ingester) Ingest(ctx context.Context, objectID, pass int64, until time.Time, complete func(context.Context, *sql.Tx) error) (done bool, err error) {
	o, err := g.Store.Object(ctx, objectID)
	if err != nil {
		return false, err
	}
	if o.Pass != pass || o.State == Done || o.State == Failed {
		return true, g.Store.InTx(ctx, func(tx *sql.Tx) error { return complete(ctx, tx) })
	}
	end := func(state State, message string) error {
		from := o.LinesDone
		o.State, o.Error, o.IngestedAt = state, message, g.Now()
		return g.commit(ctx, &o, from, nil, complete)
	}
	hook, err := g.Store.Route(ctx, o.Namespace)
	if fault.Is(err, fault.NotFound) {
		return true, end(Unrouted, fmt.Sprintf("no webhook has the key or identifier %q", o.Namespace))
	}
	if err != nil {
		return false, err
	}
	if !hook.Enabled {
		return true, end(Unrouted, fmt.Sprintf("webhook %q is disabled", hook.Identifier))
	}
	plan, err := g.plans.of(ctx, g.Store, hook)
	if err != nil {
		return true, end(Unrouted, err.Error())
	}
	body, got, err := g.Bucket.Get(ctx, o.Key)
	if fault.Is(err, fault.NotFound) {
		return true, end(Gone, "the object is no longer in the bucket")
	}
	if err != nil {
		return false, fmt.Errorf("get %s: %w", o.Key, err)
	}
	defer body.Close()
	if got.ETag != "" && o.ETag != "" && got.ETag != o.ETag {
		return true, end(Gone, "the object was replaced by another version before it was read")
	}
	o.Webhook, o.MappingID, o.State, o.Error = hook.Identifier, plan.mappingID, Reading, ""
	return g.read(ctx, &o, body, plan, until, complete)
}

// read takes the lines after o.LinesDone.
func (g *Ingester) read(ctx context.Context, o *Object, body io.Reader, plan *plan, until time.Time, complete func(context.Context, *sql.Tx) error) (bool, error) {
	r, err := lake.OpenReader(body, lake.ReaderOptions{From: o.LinesDone + 1})
	if err != nil && !damaged(err) {
		return false, fmt.Errorf("read %s: %w", o.Key, err)
	}
	if err != nil {
		from := o.LinesDone
		o.State, o.Error, o.IngestedAt = Failed, err.Error(), g.Now()
		return true, g.commit(ctx, o, from, nil, complete)
	}
	c := plan.newChunk(o)
	for {
		from := o.LinesDone
		end, err := c.fill(ctx, r, from)
		if err != nil {
			return false, err
		}
		o.LinesDone, o.Records = max(from, c.lastLine), o.Records+int64(len(c.judged))
		if end != nil {
			o.State, o.IngestedAt = Done, g.Now()
			if !errors.Is(end, io.EOF) {
				o.State, o.Error = Failed, end.Error()
			}
			return true, g.commit(ctx, o, from, c, complete)
		}
		if err := g.commit(ctx, o, from, c, nil); err != nil {
			return false, err
		}
		if g.Now().After(until) {
			return false, nil
		}
	}
}

// errTaken means that another worker has taken the chunk: this one has nothing left to do.
var errTaken = errors.New("another worker took this part of the object")

// commit writes a chunk: the fence, the catalog's changes, the ledger, and at the end the job's completion, all or nothing.
func (g *Ingester) commit(ctx context.Context, o *Object, from int64, c *chunk, complete func(context.Context, *sql.Tx) error) error {
	err := g.Store.InTx(ctx, func(tx *sql.Tx) error {
		ok, err := g.Store.Progress(ctx, tx, *o, from)
		if err != nil {
			return err
		}
		if !ok {
			return errTaken
		}
		if c != nil {
			if c.results, err = g.Catalog.Apply(ctx, tx, c.changes, c.results[:0]); err != nil {
				return err
			}
			if err := g.Store.SaveVerdicts(ctx, tx, *o, from, c.judge()); err != nil {
				return err
			}
		}
		if complete != nil {
			return complete(ctx, tx)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errTaken) {
		return fmt.Errorf("ingest %s after line %d: %w", o.Key, from, err)
	}
	if errors.Is(err, errTaken) && g.Log != nil {
		g.Log.Warn("chunk taken by another worker", "object", o.Key, "after line", from)
	}
	return nil
}
