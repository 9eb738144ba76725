package main

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	dest "longshore/internal/destination/s3"
	"longshore/internal/fault"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
	"longshore/internal/source/okta"
)

// newFeed follows the org for a connection.
func (a *app) newFeed() *pipeline.Feed {
	return &pipeline.Feed{
		Source: a.source, Store: a.syncs, Now: time.Now, Streams: a.chosen, Recall: a.recallStream, Wanted: a.readAnew,
		Destination: &dest.Destination{Bucket: a.bucket, Layout: a.layout, TempDir: a.temp(), JournalDir: a.journals()},
	}
}

// feedPause is how long a feed rests after an error that only a person can mend.
const feedPause = 10 * time.Minute

// feed is the queue's handler of feeds.
func (w *worker) feed(ctx context.Context, connectionID int64, until time.Time) (time.Duration, error) {
	wait, err := w.follower.Work(ctx, connectionID, until)
	if fault.Is(err, fault.Denied) || fault.Is(err, fault.Invalid) {
		w.app.log.Warn("changes cannot be followed: they come with the next full read", "error", err, "hint", fault.HintOf(err), "again in", feedPause)
		return feedPause, nil
	}
	if err != nil && ctx.Err() == nil {
		w.app.log.Warn("following changes was interrupted, and goes on", "error", err, "hint", fault.HintOf(err))
	}
	return wait, err
}

// recallStream yields what the lake knows of a stream, from its newest whole reading on.
func (a *app) recallStream(ctx context.Context, conn pipeline.Connection, stream string) iter.Seq2[pipeline.Recalled, error] {
	return func(yield func(pipeline.Recalled, error) bool) {
		keys, err := a.syncs.LastOf(ctx, conn.ID, stream)
		if err != nil {
			yield(pipeline.Recalled{}, err)
			return
		}
		for line, err := range lake.Lines(ctx, a.bucket, keys) {
			if !yield(pipeline.Recalled{Record: line.Body, Generation: line.Generation, ExtractedAt: line.ExtractedAt}, err) {
				return
			}
		}
	}
}

// anewPause is how long after a run that read everything another one may be asked for.
const anewPause = 10 * time.Minute

// readAnew begins a run because something has changed that cannot be followed, unless there was one just now.
func (a *app) readAnew(ctx context.Context, conn pipeline.Connection, why string) error {
	st, err := a.syncs.Feed(ctx, conn.ID)
	if err != nil || st.LastRun != nil && time.Since(st.LastRun.StartedAt) < anewPause {
		return err // the schedule reads everything soon enough
	}
	streams, err := a.chosen(conn)
	if err != nil {
		return err
	}
	a.log.Info("everything is read anew", "why", why)
	_, _, err = a.syncs.StartRun(ctx, conn, streams, false, "feed asks")
	return err
}

// hookSecret is what Okta must send with every delivery of an event hook; made on first start.
func (a *app) hookSecret(ctx context.Context) (string, error) {
	return a.made(ctx, "okta-hook-secret", randomSecret)
}

// hook is the door for Okta's event hooks.
func (a *app) hook(ctx context.Context) (*okta.Hook, error) {
	secret, err := a.hookSecret(ctx)
	if err != nil {
		return nil, err
	}
	return okta.NewHook(a.syncs, secret, a.log), nil
}

// hookPath is where the hooks of a connection are taken.
func hookPath(conn pipeline.Connection) string {
	return okta.HookPath + strconv.FormatInt(conn.ID, 10)
}

// printHook says what to register as an event hook in Okta.
func (a *app) printHook(ctx context.Context, w io.Writer) error {
	conn, err := a.connection(ctx)
	if err != nil {
		return err
	}
	secret, err := a.hookSecret(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "Okta event hook URI https://YOUR-ADDRESS%s (where Okta reaches http://%s)   header Authorization %s\n", hookPath(conn), a.cfg.listen, secret)
	return err
}
