package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"longshore/internal/pipeline"
	"longshore/internal/receipt"
	"longshore/internal/server"
	"longshore/internal/source/okta"
)

// beginRun tells the source which run it reads for. Before a run's first page it has the source foresee its calls, and
// says so: a run that is taken up goes on without.
func (a *app) beginRun(ctx context.Context, say *sayer, id int64) error {
	run, err := a.syncs.Run(ctx, id)
	if err != nil || run.Status != pipeline.Running {
		return err
	}
	if current, _ := a.source.RunUsage(); current != id && begins(run) {
		plan, err := a.plan(ctx, run)
		if err != nil {
			return err
		}
		estimate, err := a.source.Estimate(ctx, plan)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil: // the run will meet it too, and tell
			a.log.Info("the calls of a sync could not be foreseen", "sync", id, "error", err)
		default:
			say.f("Sync %d: %s.\n", id, estimate)
			if err := a.keepCalls(ctx, id, receipt.Calls{
				Foreseen: estimate.Calls, ForeseenTime: estimate.Time, Unsure: estimate.Unsure, Buckets: foreseen(estimate),
			}); err != nil {
				return err
			}
		}
	}
	a.source.BeginRun(id)
	return nil
}

func foreseen(e okta.Estimate) (all []receipt.BucketCalls) {
	for _, b := range e.Buckets {
		all = append(all, receipt.BucketCalls{Bucket: b.Bucket, Foreseen: b.Calls, Share: b.Share})
	}
	return all
}

// begins reports whether nothing of a run has been read yet, and some stream is read from its start.
func begins(run pipeline.Run) bool {
	whole := false
	for _, st := range run.Streams {
		if st.Pages > 0 || st.Status != pipeline.Pending {
			return false
		}
		whole = whole || len(st.State) == 0
	}
	return whole
}

// runsToLearnFrom is how many runs back counts are taken from.
const runsToLearnFrom = 50

// plan is what a run will read, with the counts of the run before.
func (a *app) plan(ctx context.Context, run pipeline.Run) ([]okta.Planned, error) {
	before, err := a.syncs.Own(ctx, runsToLearnFrom)
	if err != nil {
		return nil, err
	}
	var plan []okta.Planned
	for _, st := range run.Streams {
		p := okta.Planned{Stream: st.Stream, State: st.State}
		var records []int64 // of the runs before, newest first
		for _, b := range before {
			i := slices.IndexFunc(b.Streams, func(was pipeline.StreamRun) bool {
				return was.Stream == st.Stream && was.Mode == st.Mode && was.Status == pipeline.Complete
			})
			if i >= 0 && b.ID != run.ID && b.Cause != pipeline.CauseFeed && b.Connection.ID == run.Connection.ID {
				records = append(records, b.Streams[i].APIRows)
			}
		}
		if len(st.State) > 0 && len(records) == 1 {
			records = nil // that run read from the start, this one does not
		}
		if len(records) > 0 {
			p.Records = records[0]
		}
		plan = append(plan, p)
	}
	return plan, nil
}

func callsSetting(id int64) string { return fmt.Sprintf("calls/%d", id) }

// keepCalls keeps a run's account of calls until its receipt is drawn, which may be another process's.
func (a *app) keepCalls(ctx context.Context, id int64, calls receipt.Calls) error {
	text, err := json.Marshal(calls)
	if err != nil {
		return err
	}
	return a.store.SetSetting(ctx, callsSetting(id), string(text))
}

// callsOf returns the account kept, or nil.
func (a *app) callsOf(ctx context.Context, id int64) (*receipt.Calls, error) {
	text, err := a.store.Setting(ctx, callsSetting(id))
	if err != nil || text == "" {
		return nil, err
	}
	var calls receipt.Calls
	if err := json.Unmarshal([]byte(text), &calls); err != nil {
		return nil, fmt.Errorf("account of the calls of sync %d: %w", id, err)
	}
	return &calls, nil
}

// endRun keeps what a run has used so far in its account of calls.
func (a *app) endRun(ctx context.Context, id int64, done bool) error {
	current, usage := a.source.RunUsage()
	if current != id {
		return nil
	}
	if done {
		a.source.EndRun()
	}
	calls, err := a.callsOf(ctx, id)
	if err != nil {
		return err
	}
	if calls == nil {
		calls = &receipt.Calls{}
	}
	sum := usage.Total(func(u okta.Use) bool { return u.Stream != okta.FeedUse }) // the feed works beside the run
	calls.Made, calls.Throttled, calls.Failed, calls.Retried, calls.Bytes = sum.Calls, sum.Throttled, sum.Failed, sum.Retried, sum.Bytes
	for _, b := range usage.Buckets {
		made := usage.Total(func(u okta.Use) bool { return u.Bucket == b.Bucket && u.Stream != okta.FeedUse }).Calls
		i := slices.IndexFunc(calls.Buckets, func(c receipt.BucketCalls) bool { return c.Bucket == b.Bucket })
		if i < 0 {
			if made == 0 {
				continue
			}
			i = len(calls.Buckets)
			calls.Buckets = append(calls.Buckets, receipt.BucketCalls{Bucket: b.Bucket})
		}
		c := &calls.Buckets[i]
		c.Made, c.Limit, c.Share, c.Waited = made, b.Limit, b.Share, b.Waited.Round(time.Millisecond)
	}
	return a.keepCalls(ctx, id, *calls)
}

// sourceUse is the source's part of the metrics.
func (a *app) sourceUse() server.SourceUse {
	usage := a.source.Usage()
	use := server.SourceUse{Width: usage.Width}
	for _, b := range usage.Buckets {
		use.Buckets = append(use.Buckets, server.SourceBucket(b))
	}
	for _, u := range usage.Uses {
		use.Calls = append(use.Calls, server.SourceCalls{
			Bucket: u.Bucket, Stream: u.Stream, Calls: u.Calls, Throttled: u.Throttled, Retried: u.Retried, Failed: u.Failed, Bytes: u.Bytes,
		})
	}
	return use
}
