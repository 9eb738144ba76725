package main

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"longshore/internal/airbyte"
	dest "longshore/internal/destination/s3"
	"longshore/internal/fault"
	"longshore/internal/pipeline"
	"longshore/internal/source/okta/connector"
)

// Definitions of the connectors that are built in, as Airbyte has them.
const (
	oktaDefinition = "1d4fdb25-64fc-4569-92da-fcdca79a8372"
	s3Definition   = "4816b78f-1489-44c1-9060-4b19d5fa9362"
)

// configuredActor is a configured source or destination.
type configuredActor struct {
	id, name   string
	definition string          // of its connector
	config     json.RawMessage // with its secrets
}

// actors are the configured sources and destinations.
type actors interface {
	// actor returns one by its id, or fault.NotFound.
	actor(ctx context.Context, id string) (configuredActor, error)
	// reconfigure keeps a configuration in place of the actor's own.
	reconfigure(ctx context.Context, id string, config json.RawMessage) error
}

// configuredRoute is the way of a connection whose source or destination is configured on its own.
func (w *worker) configuredRoute(ctx context.Context, conn pipeline.Connection) (route, error) {
	source, err := w.sourceOf(ctx, conn)
	if err != nil {
		return route{}, err
	}
	destination, err := w.destinationOf(ctx, conn)
	if err != nil {
		return route{}, err
	}
	a := w.app
	moving := a.sync(w.say.page)
	moving.Source, moving.Destination = source.Source, destination
	if w.also != nil {
		moving.Again = again
	}
	return route{
		streams: func(_ context.Context, conn pipeline.Connection) ([]pipeline.Stream, error) {
			return chooseFrom(source.Source.Streams(), conn)
		},
		work: moving.Work, giveUp: moving.GiveUp,
		discover: func(context.Context) (pipeline.Discovery, error) { return discovered(source.Source.Streams()) },
	}, nil
}

// chooseFrom are the streams that a connection wants of a source, in the source's order.
func chooseFrom(has []pipeline.Stream, conn pipeline.Connection) ([]pipeline.Stream, error) {
	left, err := skipGone(has, conn)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(has), func(st pipeline.Stream) bool {
		if len(left.Streams) == 0 {
			return st.Optional
		}
		return !slices.Contains(left.StreamNames(), st.Name)
	}), nil
}

// actorOf is a configured actor of one of the built-in connectors.
func (w *worker) actorOf(ctx context.Context, what, id, definition string) (configuredActor, error) {
	if w.actors == nil {
		return configuredActor{}, fault.Errorf(fault.NotFound, "there is no configured %s %s", what, id)
	}
	found, err := w.actors.actor(ctx, id)
	if err == nil && found.definition != definition {
		err = fault.Errorf(fault.Invalid, "the %s %q is of the connector %s, which is not run in this process: only Okta and S3 are", what, found.name, found.definition)
	}
	return found, err
}

// sourceOf opens the source of a connection. It stays open while its configuration stays.
func (w *worker) sourceOf(ctx context.Context, conn pipeline.Connection) (*airbyte.Session, error) {
	if conn.SourceID == "" {
		return &airbyte.Session{Source: w.app.source}, nil
	}
	found, err := w.actorOf(ctx, "source", conn.SourceID, oktaDefinition)
	if err != nil {
		return nil, err
	}
	return w.opened.open(found, func() (*airbyte.Session, error) {
		return connector.New(connector.Options{Version: version()}).Open(found.config, airbyte.Environment{
			Log: w.app.log, Throttled: func(time.Time) {},
			Reconfigured: func(config json.RawMessage) { // a refresh token is good once: what is not kept is lost
				if err := w.actors.reconfigure(context.WithoutCancel(ctx), found.id, config); err != nil {
					w.app.log.Error("the new configuration of a source could not be kept", "source", found.name, "error", err)
				}
			},
		})
	})
}

// openedSources are the configured sources that are open, by their id: what they know of rate limits outlives a quantum.
type openedSources struct {
	mu  sync.Mutex
	all map[string]openedSource
}

type openedSource struct {
	config  json.RawMessage
	session *airbyte.Session
}

func (o *openedSources) open(a configuredActor, open func() (*airbyte.Session, error)) (*airbyte.Session, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if held, ok := o.all[a.id]; ok && bytes.Equal(held.config, a.config) {
		return held.session, nil
	}
	session, err := open()
	if err != nil {
		return nil, err
	}
	if o.all == nil {
		o.all = map[string]openedSource{}
	}
	o.all[a.id] = openedSource{bytes.Clone(a.config), session}
	return session, nil
}

// destinationOf opens the destination of a connection. It writes into the lake that is taken into the catalog, under
// names of its own.
func (w *worker) destinationOf(ctx context.Context, conn pipeline.Connection) (pipeline.Destination, error) {
	a := w.app
	own := &dest.Destination{Bucket: a.bucket, Layout: a.layout, TempDir: a.temp(), JournalDir: a.journals(), Log: a.log}
	if conn.DestinationID == "" {
		return own, nil
	}
	found, err := w.actorOf(ctx, "destination", conn.DestinationID, s3Definition)
	if err != nil {
		return nil, err
	}
	settings, err := dest.ParseSettings(found.config)
	if err != nil {
		return nil, err
	}
	if settings.Bucket != a.bucket.Name() {
		return nil, fault.Errorf(fault.Invalid, "the destination %q is the bucket %s, and the lake of this longshore is %s", found.name, settings.Bucket, a.bucket.Name()).
			WithHint("a run in this process writes to the bucket that is taken into the catalog: name that one, or start longshore with LONGSHORE_S3_BUCKET=%s", settings.Bucket)
	}
	own.Layout, own.Format = settings.Layout, settings.Format
	return own, nil
}
