// Package connector makes the S3 destination an Airbyte connector: its specification, its check and its write.
package connector

import (
	"context"
	"encoding/json"
	"time"

	"longshore/internal/airbyte"
	"longshore/internal/destination/s3"
	"longshore/internal/lake"
)

// Options are the settings of a connector. OpenBucket must be set.
type Options struct {
	// OpenBucket opens the bucket that the settings name, without asking the store for anything yet.
	OpenBucket func(ctx context.Context, s s3.Settings) (lake.Bucket, error)
	Connection string            // which connection is written; "" when the platform does not tell
	TempDir    string            // where objects grow; "" means the system's
	Now        func() time.Time  // nil means time.Now
	Writing    s3.WritingOptions // Connection is filled in
}

// Specification is what the connector tells of itself.
func Specification() airbyte.Specification {
	return airbyte.Specification{
		Documentation: "https://docs.airbyte.com/integrations/destinations/s3", Schema: s3.Spec(), Incremental: true,
		Modes: []string{airbyte.Overwrite, airbyte.Append},
	}
}

// New returns the connector.
func New(o Options) *airbyte.Destination {
	return &airbyte.Destination{
		Specification: Specification(),
		Now:           o.Now,
		Open: func(config json.RawMessage, e airbyte.Environment) (*airbyte.Target, error) {
			settings, err := s3.ParseSettings(config)
			if err != nil {
				return nil, err
			}
			return o.target(settings, e), nil
		},
	}
}

func (o Options) target(settings s3.Settings, e airbyte.Environment) *airbyte.Target {
	open := func(ctx context.Context) (*s3.Destination, error) {
		bucket, err := o.OpenBucket(ctx, settings)
		if err != nil {
			return nil, err
		}
		return &s3.Destination{Bucket: bucket, Layout: settings.Layout, Format: settings.Format, TempDir: o.TempDir, Now: o.Now, Log: e.Log}, nil
	}
	return &airbyte.Target{
		Check: func(ctx context.Context) error {
			d, err := open(ctx)
			if err != nil {
				return err
			}
			return d.Check(ctx)
		},
		Begin: func(ctx context.Context, streams []airbyte.WrittenStream, start time.Time) (airbyte.Writer, error) {
			d, err := open(ctx)
			if err != nil {
				return nil, err
			}
			targets := make([]s3.Target, len(streams))
			for i, st := range streams {
				targets[i] = s3.Target{Namespace: st.Namespace, Stream: st.Name, Generation: st.Generation, Minimum: st.Minimum, SyncID: st.SyncID}
			}
			options := o.Writing
			options.Connection = o.Connection
			return writer{d.Begin(targets, start, options)}, nil
		},
	}
}

// writer is a Writing in the protocol's words.
type writer struct{ *s3.Writing }

// Write implements [airbyte.Writer].
func (w writer) Write(ctx context.Context, stream int, r airbyte.Record) (stored bool, err error) {
	return w.Writing.Write(ctx, stream, r.Data, r.Changes, r.EmittedAt)
}

// Supersede implements [airbyte.Writer].
func (w writer) Supersede(ctx context.Context, stream int) error {
	_, err := w.Writing.Supersede(ctx, stream)
	return err
}
