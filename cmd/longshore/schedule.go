package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"longshore/internal/fault"
	"longshore/internal/job"
	"longshore/internal/pipeline"
	"longshore/internal/receipt"
)

// keepSyncing lets the connection's schedule run, and prints a receipt for every run that ends, until ctx ends.
func (w *worker) keepSyncing(ctx context.Context, conn pipeline.Connection) error {
	if conn.Schedule.Every > 0 {
		if err := w.app.queue.EnsureTick(ctx, conn.ID, time.Now().Add(conn.Schedule.Every)); err != nil {
			return err
		}
	}
	if w.follower != nil {
		if err := w.app.queue.EnsureFeed(ctx, conn.ID); err != nil {
			return err
		}
	}
	turn := time.NewTicker(time.Second)
	defer turn.Stop()
	out := outage{log: w.app.log}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-turn.C:
		}
		err := w.app.store.Explain(w.tellNewReceipts(ctx))
		if ctx.Err() != nil || out.note(time.Now(), err) == nil {
			continue
		}
		w.app.log.Warn("drawing receipts failed, and will be tried again", "error", err)
	}
}

// tellNewReceipts draws the receipts of runs that have ended, once no object waits.
func (w *worker) tellNewReceipts(ctx context.Context) error {
	waiting, err := w.app.objects.Waiting(ctx)
	if err != nil || waiting.Objects > 0 {
		return err
	}
	ids, err := w.app.syncs.WithoutReceipt(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if behind, err := w.app.feedBehind(ctx, id); err != nil || behind {
			return err
		}
		if err := w.app.tellReceipt(ctx, w.say, id); err != nil {
			return fmt.Errorf("sync %d: %w", id, err)
		}
	}
	return nil
}

// tick is the handler of a due time: it starts the run, unless one is under way, and sets the next due time, in the
// transaction that ends the tick.
func (w *worker) tick(ctx context.Context, connectionID int64, complete job.Complete) error {
	all, err := w.app.syncs.Connections(ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.ID != connectionID {
			continue
		}
		streams, err := w.app.chosen(c)
		if err != nil {
			return err
		}
		next := func(ctx context.Context, tx *sql.Tx) error {
			if c.Schedule.Every <= 0 {
				return nil
			}
			return w.app.queue.EnqueueTick(ctx, tx, c.ID, time.Now().Add(c.Schedule.Every))
		}
		_, _, err = w.app.syncs.StartRun(ctx, c, streams, false, "schedule", next, complete)
		return err
	}
	return fault.Errorf(fault.NotFound, "connection %d does not exist", connectionID)
}

// tellReceipt keeps the receipt of a run and says in a line how it went; one that does not add up is told whole.
func (a *app) tellReceipt(ctx context.Context, say *sayer, id int64) error {
	var text strings.Builder
	ok, err := a.printReceipts(ctx, &text, []int64{id}, false)
	if err != nil {
		return err
	}
	if !ok {
		say.f("%s", text.String())
		return nil
	}
	run, err := a.syncs.Run(ctx, id)
	if err != nil || run.Cause == pipeline.CauseFeed { // it ends every hour, and says nothing then
		return err
	}
	missed, err := a.missed(ctx, id)
	if err != nil {
		return err
	}
	if missed == nil {
		say.f("Sync %d: every number adds up.\n", id)
	} else {
		say.f("Sync %d: every number adds up. Missed by the feed: %s.\n", id, receipt.Counts(missed))
	}
	return nil
}
