package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"longshore/internal/job"
	"longshore/internal/pipeline"
	"longshore/internal/receipt"
	"longshore/internal/store"
)

// keepSyncing lets the connection's schedule run, and prints a receipt for every run that ends, until ctx ends.
func (w *worker) keepSyncing(ctx context.Context, conn pipeline.Connection) error {
	if err := w.app.syncs.EnsureTicks(ctx); err != nil {
		return err
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

// Causes of runs.
const (
	causeSchedule = "schedule"
	causeManual   = "manual"
	causeAPI      = "api"
)

// tick is the handler of a due time: it starts the run, unless one is under way or the schedule has changed since.
func (w *worker) tick(ctx context.Context, connectionID int64, at time.Time, complete job.Complete) error {
	conn, err := w.app.syncs.ConnectionByID(ctx, connectionID)
	if err != nil {
		return err
	}
	start, err := w.ready(ctx, store.Start{Connection: conn, Cause: causeSchedule})
	if err != nil {
		return err
	}
	_, _, err = w.app.syncs.Tick(ctx, at, start, complete)
	return err
}

// ensureEvery is how often a process that stays looks whether each connection has its next time.
const ensureEvery = time.Minute

// keepTicking sees to it that no schedule is lost, until ctx ends: a clock may be set back, a tick's row deleted.
func (w *worker) keepTicking(ctx context.Context) error {
	turn := time.NewTicker(ensureEvery)
	defer turn.Stop()
	for {
		if err := w.app.syncs.EnsureTicks(ctx); err != nil && ctx.Err() == nil {
			w.app.log.Warn("schedules wait", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-turn.C:
		}
	}
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
