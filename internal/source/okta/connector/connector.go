package connector

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"longshore/internal/airbyte"
	"longshore/internal/fault"
	"longshore/internal/source/okta"
)

const (
	documentationURL = "https://docs.airbyte.com/integrations/sources/okta"
	protocolVersion  = "0.18.0"
)

// Options are what a connector's surroundings decide.
type Options struct {
	Version    string       // of the product; "" means dev
	HTTPClient *http.Client // nil means one of its own
}

// New returns the connector.
func New(o Options) *airbyte.Connector {
	return &airbyte.Connector{
		Specification: airbyte.Specification{Documentation: documentationURL, Schema: spec, Incremental: true, Protocol: protocolVersion},
		Open: func(config json.RawMessage, e airbyte.Environment) (*airbyte.Session, error) {
			return open(o, config, e)
		},
	}
}

func open(o Options, config json.RawMessage, e airbyte.Environment) (*airbyte.Session, error) {
	s, migrated, err := parseSettings(config)
	if err != nil {
		return nil, err
	}
	start, err := s.startDate()
	if err != nil {
		return nil, err
	}
	if migrated != nil {
		config = migrated
	}
	c, err := s.sourceConfig(func(token string) {
		if renewed, err := withRefreshToken(config, token); err == nil {
			e.Reconfigured(renewed)
		}
	})
	if err != nil {
		return nil, err
	}
	c.Version, c.HTTPClient, c.Logger, c.Waiting, c.LogsSince = o.Version, o.HTTPClient, e.Log, e.Throttled, start
	source, err := okta.Open(c)
	if err != nil {
		return nil, err
	}
	if notice := source.Notice(); notice != "" {
		e.Log.Info(notice)
	}
	catalog, err := catalogOf(source.Streams())
	if err != nil {
		return nil, err
	}
	if migrated != nil {
		e.Reconfigured(migrated)
	}
	return &airbyte.Session{
		Source: source, Catalog: catalog, AcceptGaps: s.AcceptGaps,
		Foresee: func(ctx context.Context, streams []airbyte.Begun) map[string]int64 {
			return foresee(ctx, source, streams, s.PageLimit, e.Log)
		},
		Check: func(ctx context.Context) error { return check(ctx, source) },
		Begin: func(stream, mode string, from json.RawMessage) (json.RawMessage, bool) {
			return begin(start, stream, mode, from)
		},
	}, nil
}

// maxPage is how many users or groups a page has when no setting makes it smaller.
const maxPage = 200

// foresee lets the Source foresee the run's calls and pace itself by them, and tells about how many users and groups a
// full read brings: what the foreseen pages hold, which can be almost a page more. How many records the others bring,
// nothing tells.
func foresee(ctx context.Context, source *okta.Source, streams []airbyte.Begun, pageLimit int, log *slog.Logger) map[string]int64 {
	if pageLimit <= 0 || pageLimit > maxPage {
		pageLimit = maxPage
	}
	plan := make([]okta.Planned, len(streams))
	whole := map[string]bool{}
	for i, st := range streams {
		plan[i] = okta.Planned{Stream: st.Stream, State: st.From}
		whole[st.Stream] = okta.IsStart(st.From)
	}
	estimate, err := source.Estimate(ctx, plan)
	source.BeginRun(1)
	if err != nil { // the streams will tell of it themselves
		log.Info("the calls of this run could not be foreseen", "error", err)
		return nil
	}
	log.Info("foreseen: " + estimate.String())
	rows := map[string]int64{}
	for _, st := range estimate.Streams {
		if (st.Stream == "users" || st.Stream == "groups") && whole[st.Stream] {
			rows[st.Stream] = int64(st.Calls) * int64(pageLimit)
		}
	}
	return rows
}

// check reads a page of users, the stream that Airbyte's source checks with too.
func check(ctx context.Context, source *okta.Source) error {
	for _, err := range source.Read(ctx, "users", nil) {
		return err
	}
	return fault.Errorf(fault.Unavailable, "the org answered without a page of users")
}

// begin decides where a read begins. The start date bounds the first incremental read of users and groups, never a
// full refresh of them.
func begin(start time.Time, stream, mode string, from json.RawMessage) (json.RawMessage, bool) {
	if mode != airbyte.Incremental {
		return okta.ResumeFull(from)
	}
	if okta.IsStart(from) && !start.IsZero() && incremental[stream] == "lastUpdated" {
		from, _ = json.Marshal(map[string]string{"lastUpdated": start.Format("2006-01-02T15:04:05.000Z")}) // text always marshals
	}
	return okta.ResumeChanges(from), false
}
