package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	dest "longshore/internal/destination/s3"
	"longshore/internal/fault"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
	"longshore/internal/receipt"
	"longshore/internal/source/okta"
	"longshore/internal/source/okta/emulator"
	"longshore/packs"
)

// guidePack is the pack with the guide's own documents.
const guidePack = "guide"

// newFeed follows the org for a connection. The guide's mapping knows nothing of records of what is gone, and would make
// entities of them: with its pack there are none, and what is gone stays, as the guide has it.
func (a *app) newFeed(pack packs.Pack) *pipeline.Feed {
	return &pipeline.Feed{
		NoDeletions: pack.Name == guidePack,
		Source:      a.source, Store: a.syncs, Now: time.Now, Streams: a.chosen, Recall: a.recallStream, Wanted: a.readAnew,
		Destination: &dest.Destination{Bucket: a.bucket, Layout: a.layout, TempDir: a.temp(), JournalDir: a.journals()},
	}
}

// feedPause is how long a feed rests after an error that only a person can mend.
const feedPause = 10 * time.Minute

// feed is the queue's handler of feeds.
func (w *worker) feed(ctx context.Context, connectionID int64, until time.Time) (time.Duration, error) {
	wait, err := w.follower.Work(ctx, connectionID, until)
	if fault.Is(err, fault.Denied) || fault.Is(err, fault.Invalid) {
		if w.cannotFollow.says(connectionID, err) { // the same is not said every few minutes
			w.app.log.Warn("changes cannot be followed: they come with the scheduled syncs", "error", err, "hint", fault.HintOf(err))
		}
		return feedPause, nil
	}
	if err == nil && wait == 0 {
		w.cannotFollow.forget(connectionID)
	}
	if err != nil && ctx.Err() == nil {
		w.app.log.Warn("following changes was interrupted, and goes on", "error", err, "hint", fault.HintOf(err))
	}
	return wait, err
}

// told remembers what was said of each connection last.
type told struct {
	mu   sync.Mutex
	last map[int64]string
}

// says reports whether an error is another than the one said last.
func (t *told) says(connectionID int64, err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := digits.ReplaceAllString(err.Error(), "#") // cursors and times differ
	if t.last[connectionID] == text {
		return false
	}
	if t.last == nil {
		t.last = map[int64]string{}
	}
	t.last[connectionID] = text
	return true
}

func (t *told) forget(connectionID int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.last, connectionID)
}

var digits = regexp.MustCompile(`\d+`)

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

// leftToRuns are the properties that a feed does not follow: a sign-in changes them, and happens too often.
var leftToRuns = []string{"lastLogin"}

// missed counts what a run changed although a feed had followed since before it; nil when none had, or has not caught up.
func (a *app) missed(ctx context.Context, id int64) (map[string]int64, error) {
	run, st, err := a.beside(ctx, id)
	if err != nil || run.Cause == pipeline.CauseFeed || st.Since.IsZero() || !st.Since.Before(run.StartedAt) || st.CaughtUp < run.ID {
		return nil, err
	}
	streams, err := a.chosen(run.Connection)
	if err != nil {
		return nil, err
	}
	return receipt.Missed(ctx, a.syncs, a.bucket, run, streams, leftToRuns)
}

// catchUpTime is how long after a run its receipt waits for the feed.
const catchUpTime = 5 * time.Minute

// feedBehind reports whether a feed at work still has to read again what was touched while the run was under way.
func (a *app) feedBehind(ctx context.Context, id int64) (bool, error) {
	run, st, err := a.beside(ctx, id)
	read := run.Status == pipeline.Succeeded || run.Status == pipeline.Partial
	return read && run.Cause != pipeline.CauseFeed && st.Alive && st.Since.Before(run.StartedAt) && st.CaughtUp < id && time.Since(run.FinishedAt) < catchUpTime, err
}

func (a *app) beside(ctx context.Context, id int64) (pipeline.Run, pipeline.FeedState, error) {
	run, err := a.syncs.Run(ctx, id)
	if err != nil {
		return run, pipeline.FeedState{}, err
	}
	st, err := a.syncs.Feed(ctx, run.Connection.ID)
	return run, st, err
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

// hookDemo has the demo org deliver its events to this process, as an administrator would set it up.
func (a *app) hookDemo(ctx context.Context, listening string, conn pipeline.Connection) error {
	secret, err := a.hookSecret(ctx)
	if err != nil {
		return err
	}
	made, err := a.askDemo(ctx, "", okta.Registration("longshore", listening+hookPath(conn), secret))
	if err != nil {
		return err
	}
	_, err = a.askDemo(ctx, "/"+rawjson.GetString(made, "id")+"/lifecycle/verify", nil)
	return err
}

// askDemo posts to the demo org's event hooks.
func (a *app) askDemo(ctx context.Context, path string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, demoOrg+"/api/v1/eventHooks"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "SSWS "+emulator.DefaultToken)
	r.Header.Set("Content-Type", "application/json")
	response, err := a.org.Client().Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fault.Errorf(fault.Invalid, "register an event hook: %d %s", response.StatusCode, rawjson.GetString(answer, "errorSummary"))
	}
	return answer, err
}

// maxAnswerBytes bounds an answer of the demo org about a hook.
const maxAnswerBytes = 64 << 10
