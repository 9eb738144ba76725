package main

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
	"longshore/internal/source/okta/connector"
	"longshore/internal/store"
)

// route is how the runs of one connection are worked on: what they read, and what moves it.
type route struct {
	streams func(ctx context.Context, conn pipeline.Connection) ([]pipeline.Stream, error) // those that the connection wants
	work    func(ctx context.Context, runID int64, until time.Time) (done bool, err error)
	giveUp  func(ctx context.Context, runID int64, cause error) error // ends streams that failed; may be nil
	// discover tells what the source has; may be nil.
	discover func(ctx context.Context) (pipeline.Discovery, error)
}

// route finds the way of a connection. Its ends are those of the settings, or configured ones.
func (w *worker) route(ctx context.Context, conn pipeline.Connection) (route, error) {
	if conn.SourceID == "" && conn.DestinationID == "" {
		return w.ownRoute(), nil
	}
	return w.configuredRoute(ctx, conn)
}

// ownRoute is the way from the org of the settings to their bucket.
func (w *worker) ownRoute() route {
	a := w.app
	moving := a.sync(w.say.page)
	if w.also != nil { // where somebody waits for one run, a stream that fails ends it
		moving.Again = again
	}
	return route{
		streams: func(_ context.Context, conn pipeline.Connection) ([]pipeline.Stream, error) {
			left, err := skipGone(a.source.Streams(), conn)
			if err != nil {
				return nil, err
			}
			return a.chosen(left)
		},
		work: func(ctx context.Context, runID int64, until time.Time) (bool, error) {
			if err := a.beginRun(ctx, w.say, runID); err != nil {
				return false, err
			}
			done, err := moving.Work(ctx, runID, until)
			if told := a.endRun(ctx, runID, done); err == nil {
				err = told
			}
			return done, err
		},
		giveUp:   moving.GiveUp,
		discover: func(context.Context) (pipeline.Discovery, error) { return discovered(a.source.Streams()) },
	}
}

// again says which runs are tried again when the source does not answer for a stream: those that a schedule or another
// program has begun. Who has begun one by hand is told at once.
func again(run pipeline.Run) bool { return run.Cause == causeSchedule || run.Cause == causeAPI }

// discovered is what the built-in source has: its streams, and the fields of their schemas.
func discovered(streams []pipeline.Stream) (pipeline.Discovery, error) {
	d := pipeline.Discovery{}
	for _, st := range streams {
		schema, err := connector.Schema(st)
		if err != nil {
			return nil, err
		}
		if d[st.Name], err = fieldsOf(schema); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// fieldsOf are the top fields of a JSON schema, with their types.
func fieldsOf(schema json.RawMessage) (map[string]string, error) {
	var s struct {
		Properties map[string]struct {
			Type any `json:"type"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(schema, &s); err != nil {
		return nil, fault.Errorf(fault.Invalid, "read a stream's schema: %w", err)
	}
	fields := map[string]string{}
	for name, p := range s.Properties {
		fields[name] = typeName(p.Type)
	}
	return fields, nil
}

func typeName(t any) string {
	switch t := t.(type) {
	case string:
		return t
	case []any:
		var names string
		for _, one := range t {
			if name, ok := one.(string); ok && name != "null" {
				names += " " + name
			}
		}
		if names != "" {
			return names[1:]
		}
	}
	return "any"
}

// attempts works on runs of any connection, attempt by attempt.
func (w *worker) attempts(r route) *pipeline.Attempts {
	retry := pipeline.AirbyteRetry()
	if w.also == nil {
		retry.First = time.Second // somebody waits
	}
	return &pipeline.Attempts{Store: w.app.syncs, Retry: retry, Now: time.Now, Work: r.work, GiveUp: r.giveUp, Away: store.Away}
}

// sync is the queue's handler of runs.
func (w *worker) sync(ctx context.Context, runID int64, until time.Time) (time.Duration, bool, error) {
	run, err := w.app.syncs.Run(ctx, runID)
	if err != nil {
		return 0, false, w.failed(ctx, err)
	}
	r, err := w.route(ctx, run.Connection)
	if err != nil {
		r.work = func(context.Context, int64, time.Time) (bool, error) { return false, err }
	} else if err := w.look(ctx, run, r); err != nil {
		return 0, false, w.failed(ctx, err)
	}
	work := r.work
	r.work = func(ctx context.Context, runID int64, until time.Time) (bool, error) { // what fails is told where it fails
		done, err := work(ctx, runID, until)
		return done, w.failed(ctx, err)
	}
	wait, done, err := w.attempts(r).Run(ctx, runID, until)
	if done && err == nil {
		err = w.tellEnd(ctx, runID)
	}
	return wait, done, err
}

// tellEnd says loudly that a run has failed, and that a schedule holds back.
func (w *worker) tellEnd(ctx context.Context, runID int64) error {
	run, err := w.app.syncs.Run(ctx, runID)
	if err != nil || run.Status != pipeline.Failed || w.also == nil {
		return err
	}
	w.app.log.Warn("a sync has failed", "connection", run.Connection.Name, "sync", runID, "attempts", len(run.Attempts), "error", run.Error)
	notices, err := w.app.syncs.Notices(ctx, run.Connection.ID, 1)
	for _, n := range notices {
		if n.RunID == runID && n.Kind == pipeline.NoticeHeld {
			w.app.log.Warn("a connection is held back", "connection", run.Connection.Name, "why", n.Text)
		}
	}
	return err
}

// look keeps what the source of a run that begins has, and tells of changes.
func (w *worker) look(ctx context.Context, run pipeline.Run, r route) error {
	if r.discover == nil || len(run.Attempts) > 0 || run.Status != pipeline.Running {
		return nil
	}
	d, err := r.discover(ctx)
	if err != nil {
		return w.app.syncs.Log(ctx, run.ID, pipeline.LogLine{Level: pipeline.LevelWarn, Text: "the source could not tell what it has: " + err.Error()})
	}
	notices, err := w.app.syncs.SaveDiscovery(ctx, run.Connection.ID, run.ID, d)
	for _, n := range notices {
		w.app.log.Warn("the source has changed", "connection", run.Connection.Name, "stream", n.Stream, "change", n.Text)
	}
	return err
}

// start begins a run of a connection, or joins the one under way. What keeps it from beginning makes a run that failed,
// so that the history has it.
func (w *worker) start(ctx context.Context, start store.Start) (id int64, err error) {
	if start, err = w.ready(ctx, start); err != nil {
		return 0, err
	}
	id, _, err = w.app.syncs.Start(ctx, start)
	return id, err
}

// ready finds the streams of a run that is to start.
func (w *worker) ready(ctx context.Context, start store.Start) (store.Start, error) {
	r, err := w.route(ctx, start.Connection)
	if err == nil && start.Streams == nil {
		start.Streams, err = r.streams(ctx, start.Connection)
	}
	if err != nil && ctx.Err() == nil && !store.Away(err) {
		start.Failed, err = inOneLine(err), nil
	}
	return start, err
}

// inOneLine is an error with its hint, in one line.
func inOneLine(err error) string {
	if hint := fault.HintOf(err); hint != "" {
		return err.Error() + " (" + hint + ")"
	}
	return err.Error()
}

// skipGone leaves out the chosen streams that the source does not have: drift fails no run.
func skipGone(has []pipeline.Stream, conn pipeline.Connection) (pipeline.Connection, error) {
	chosen := len(conn.Streams)
	conn.Streams = slices.DeleteFunc(slices.Clone(conn.Streams), func(c pipeline.StreamChoice) bool {
		return !slices.ContainsFunc(has, func(st pipeline.Stream) bool { return st.Name == c.Name })
	})
	if chosen > 0 && len(conn.Streams) == 0 {
		return conn, fault.Errorf(fault.Invalid, "the source has none of the streams of connection %q", conn.Name)
	}
	return conn, nil
}
