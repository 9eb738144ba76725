package ingest

import (
	"bytes"
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
	maxChunkChanges  = 50_000
	// maxChangeBytes bounds what the mappings may make of a chunk: a list of items can repeat its record many times.
	maxChangeBytes = 64 << 20
	// maxChunkTime keeps a chunk of slow expressions far below a job's time: what is judged so far is committed.
	maxChunkTime = 15 * time.Second
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
	// AsOf leaves out the records that were read from their source, or came, after that time; zero leaves out none. It is
	// for a catalog beside the live one: what is left out has no verdict.
	AsOf  time.Time
	plans plans
}

// Ingest takes the object from where it stands, chunk by chunk, until its end (done) or until has passed.
// complete is called inside the transaction that ends the object. Damage to the object is recorded with it and is no
// error; an error means that the bucket or the database did not answer, and the next call goes on. A worker that finds
// its place taken by another one is not done either: the next call finds out what is left.
func (g *Ingester) Ingest(ctx context.Context, objectID, pass int64, until time.Time, complete func(context.Context, *sql.Tx) error) (done bool, err error) {
	o, err := g.Store.Object(ctx, objectID)
	if err != nil {
		return false, err
	}
	if o.Pass != pass || o.State == Done || o.State == Failed {
		return true, g.Store.InTx(ctx, func(tx *sql.Tx) error { return complete(ctx, tx) })
	}
	hook, plan, unrouted, err := g.route(ctx, o.Namespace)
	if err != nil {
		return false, err
	}
	if unrouted != "" {
		return g.leave(ctx, &o, hook, unrouted, complete)
	}
	o.Webhook, o.MappingID = hook.Identifier, plan.mappingID
	body, got, err := g.Bucket.Get(ctx, o.Key)
	if fault.Is(err, fault.NotFound) {
		// A bucket that is gone says the same of every object: that is no news of this one.
		for _, err := range g.Bucket.List(ctx, o.Key, "") {
			if err != nil {
				return false, fmt.Errorf("get %s: %w", o.Key, err)
			}
			break
		}
		return g.end(ctx, &o, Gone, "the object is no longer in the bucket", complete)
	}
	if err != nil {
		return false, fmt.Errorf("get %s: %w", o.Key, err)
	}
	defer body.Close()
	if got.ETag != "" && o.ETag != "" && got.ETag != o.ETag {
		return g.end(ctx, &o, Gone, "the object was replaced by another version before it was read", complete)
	}
	o.State, o.Error = Reading, ""
	return g.read(ctx, &o, body, plan, until, complete)
}

// route finds the webhook of a namespace and its compiled mappings; unrouted says why there is none to take.
func (g *Ingester) route(ctx context.Context, namespace string) (hook Webhook, p *plan, unrouted string, err error) {
	hook, err = g.Store.Route(ctx, namespace)
	if fault.Is(err, fault.NotFound) {
		return hook, nil, fmt.Sprintf("no webhook has the key or identifier %q", namespace), nil
	}
	if err != nil {
		return hook, nil, "", err
	}
	if !hook.Enabled {
		return hook, nil, fmt.Sprintf("webhook %q is disabled", hook.Identifier), nil
	}
	p, err = g.plans.of(ctx, g.Store, hook)
	if fault.Is(err, fault.Invalid) {
		return hook, nil, err.Error(), nil
	}
	return hook, p, "", err
}

// leave marks the object as unrouted, unless the webhook that was looked at has changed meanwhile: a change queues only
// objects that are marked already, so the mark and a second look are one transaction.
func (g *Ingester) leave(ctx context.Context, o *Object, seen Webhook, why string, complete func(context.Context, *sql.Tx) error) (done bool, err error) {
	return g.end(ctx, o, Unrouted, why, func(ctx context.Context, tx *sql.Tx) error {
		now, err := g.Store.Route(ctx, o.Namespace)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if now.ID != seen.ID || !bytes.Equal(now.Doc, seen.Doc) {
			return errTaken
		}
		return complete(ctx, tx)
	})
}

// end ends the object in a state other than done. What an earlier pass told of it is told no more.
func (g *Ingester) end(ctx context.Context, o *Object, state State, message string, complete func(context.Context, *sql.Tx) error) (done bool, err error) {
	from := o.LinesDone
	o.State, o.Error, o.IngestedAt = state, message, g.Now()
	return g.commit(ctx, o, from, nil, complete)
}

// read takes the lines after o.LinesDone.
func (g *Ingester) read(ctx context.Context, o *Object, body io.Reader, plan *plan, until time.Time, complete func(context.Context, *sql.Tx) error) (bool, error) {
	stored := newStoredBytes(body, o.SHA256)
	r, err := lake.OpenReader(stored, lake.ReaderOptions{From: o.LinesDone + 1})
	if err != nil && !damaged(err) {
		return false, fmt.Errorf("read %s: %w", o.Key, err)
	}
	if err != nil {
		return g.end(ctx, o, Failed, err.Error(), complete)
	}
	c := plan.newChunk(o)
	c.now, c.asOf = g.Now, g.AsOf
	for {
		from := o.LinesDone
		end, err := c.fill(ctx, r, from)
		if err != nil {
			return false, err
		}
		o.LinesDone, o.Records = max(from, c.lastLine), o.Records+int64(len(c.judged))
		if end != nil {
			o.State, o.IngestedAt = Done, g.Now()
			if errors.Is(end, io.EOF) {
				end = stored.check()
			}
			if end != nil && !damaged(end) {
				return false, fmt.Errorf("read %s: %w", o.Key, end)
			}
			if end != nil {
				o.State, o.Error = Failed, end.Error()
			}
			return g.commit(ctx, o, from, c, complete)
		}
		if ok, err := g.commit(ctx, o, from, c, nil); !ok || err != nil {
			return false, err
		}
		if g.Now().After(until) {
			return false, nil
		}
	}
}

// errTaken means that another worker has taken the chunk, or that what was decided no longer holds: nothing is
// written, and the next call looks anew.
var errTaken = errors.New("another worker took this part of the object")

// commit writes a chunk: the fence, the catalog's changes, the ledger, and at the end the job's completion, all or
// nothing. It is not ok when another worker was quicker.
func (g *Ingester) commit(ctx context.Context, o *Object, from int64, c *chunk, complete func(context.Context, *sql.Tx) error) (ok bool, err error) {
	err = g.Store.InTx(ctx, func(tx *sql.Tx) error {
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
		} else if from == 0 {
			if err := g.Store.SaveVerdicts(ctx, tx, *o, from, nil); err != nil {
				return err
			}
		}
		if complete != nil {
			return complete(ctx, tx)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errTaken) {
		return false, fmt.Errorf("ingest %s after line %d: %w", o.Key, from, err)
	}
	if err != nil && g.Log != nil {
		g.Log.Warn("chunk taken by another worker", "object", o.Key, "after line", from)
	}
	return err == nil, nil
}
