package okta

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"time"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
)

// Config is what a Source needs to know. OrgURL and one way to sign in must be given, all else has a default.
type Config struct {
	OrgURL string // the org, in any spelling that ParseOrgURL takes

	// The ways to sign in, of which one must be set:
	Token       string        // a personal API token
	ServiceApp  *ServiceApp   // an OAuth 2.0 service app with a key of its own
	Refresh     *RefreshToken // an OAuth 2.0 refresh token
	AccessToken string        // an OAuth 2.0 access token, which ends after an hour at most

	HTTPClient *http.Client  // nil means one of its own. Redirects are never followed, whatever it says
	Share      float64       // the part of each rate-limit bucket to use, up to 1; 0 means 0.5, a token's default share
	LimitOf    string        // whose ceiling X-Rate-Limit-Limit shows: LimitOfOrg, LimitOfClient, or "" to find out
	Partitions int           // cursors to list users with at a time, at most 8, where the org is large and far away; 0 or 1 means one. See listUsers for the price
	PageLimit  int           // objects asked for in one page, where Okta allows as many; 0 means as many as it allows
	Streams    []string      // the streams to offer, named as for Choose; nil means all of them
	LogHistory time.Duration // how far back the first read of the log goes; 0 means 90 days, all that Okta keeps
	LogsSince  time.Time     // where the first read of the log begins, in place of LogHistory; zero means not set
	Overlap    time.Duration // how far before its bound an incremental read begins; 0 means 2 minutes
	// Waiting is told when requests begin to wait long for a rate limit, and about when that ends. It must not block for
	// long, and may be called from any goroutine; nil means nobody.
	Waiting func(until time.Time)
	Version string       // of the product, for the User-Agent; "" means dev
	Logger  *slog.Logger // nil means none
}

// logRetention is how long Okta keeps its System Log.
const logRetention = 90 * 24 * time.Hour

// Source reads the streams of one org. It is safe for concurrent use; reads at one time share the org's rate limits.
type Source struct {
	client     *client
	notice     string
	pageLimit  int
	logHistory time.Duration
	logsSince  time.Time
	overlap    time.Duration
	offered    []streamSpec
	partitions int         // cursors for users
	share      float64     // of each rate-limit bucket
	sample     *userSample // of the users, for the check that no role holder is missed
}

var _ pipeline.Source = (*Source)(nil)

// Open checks the settings and returns a Source; it asks Okta for nothing yet. Errors are fault.Invalid.
func Open(config Config) (*Source, error) {
	org, notice, err := ParseOrgURL(config.OrgURL)
	if err != nil {
		return nil, err
	}
	if config.Share < 0 || config.Share > 1 {
		return nil, fault.Errorf(fault.Invalid, "share of the rate limit %v: want more than 0, at most 1", config.Share)
	}
	if !slices.Contains([]string{"", LimitOfOrg, LimitOfClient}, config.LimitOf) {
		return nil, fault.Errorf(fault.Invalid, "rate limits of %q: want org, client or nothing", config.LimitOf)
	}
	if config.PageLimit < 0 || config.LogHistory < 0 || config.LogHistory > logRetention {
		return nil, fault.Errorf(fault.Invalid, "page limit %d or log history %s: want a limit of 0 or more, and 0 to 90 days", config.PageLimit, config.LogHistory)
	}
	if config.Partitions < 0 || config.Partitions > maxPartitions {
		return nil, fault.Errorf(fault.Invalid, "%d partitions of the users: want 0 to %d", config.Partitions, maxPartitions)
	}
	if config.Share == 0 {
		config.Share = defaultShare
	}
	if config.Overlap < 0 || config.Overlap > maxOverlap {
		return nil, fault.Errorf(fault.Invalid, "overlap %s of incremental reads: want 0 to 24 hours", config.Overlap)
	}
	if config.Overlap == 0 {
		config.Overlap = indexOverlap
	}
	if config.LogHistory == 0 {
		config.LogHistory = logRetention
	}
	if config.Version == "" {
		config.Version = "dev"
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Source{
		client: &client{
			base: org, http: ownClient(config.HTTPClient), pace: newPacer(newShare(config.Share, config.LimitOf), config.Logger),
			agent: "longshore/" + config.Version + " (okta source; " + runtime.Version() + ")",
			flow:  newFlow(), meter: newMeter(), kept: &kept{}, log: config.Logger, hosts: map[string]bool{},
		},
		notice: notice, pageLimit: config.PageLimit, logHistory: config.LogHistory, logsSince: config.LogsSince, overlap: config.Overlap,
		partitions: config.Partitions, share: config.Share, sample: &userSample{seed: rand.Uint64()},
	}
	s.client.pace.onWait = config.Waiting
	s.client.addHost(strings.ToLower(org.Host))
	if s.offered, err = offer(s.specs(), config.Streams); err != nil {
		return nil, err
	}
	if s.client.auth, err = config.credential(s.client, s.neededScopes()); err != nil {
		return nil, err
	}
	return s, nil
}

// ownClient copies a client so that it follows no redirect: the credential must reach the configured host alone.
func ownClient(given *http.Client) *http.Client {
	own := http.Client{}
	if given != nil {
		own = *given
	} else if transport, ok := http.DefaultTransport.(*http.Transport); ok {
		transport = transport.Clone()
		transport.MaxIdleConnsPerHost = maxInFlight
		own.Transport = transport
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// OrgURL is the org's address as it is used.
func (s *Source) OrgURL() *url.URL {
	copied := *s.client.base
	return &copied
}

// Notice says what was mended in the configured URL, or "".
func (s *Source) Notice() string { return s.notice }

// Streams lists the streams that can be read, in the order to read them. Optional ones are read when they are chosen
// by name: see Choose.
func (s *Source) Streams() []pipeline.Stream { return streamsOf(s.offered) }

// Read yields the pages of a stream from a state on, as pipeline.Source says. The first page of
// user_role_assignments comes once all role holders are listed.
func (s *Source) Read(ctx context.Context, stream string, from json.RawMessage) iter.Seq2[pipeline.Page, error] {
	return func(yield func(pipeline.Page, error) bool) {
		r := &reading{source: s, client: s.client, yield: yield, statuses: s.client.kept.settle(), started: time.Now()}
		err := s.read(ctx, r, stream, from)
		if err != nil && !errors.Is(err, errStopped) {
			yield(pipeline.Page{Statuses: r.statuses, Gaps: r.gaps}, fmt.Errorf("read %s: %w", stream, err))
		}
	}
}

func (s *Source) read(ctx context.Context, r *reading, name string, from json.RawMessage) error {
	spec, err := find(s.offered, s.specs(), name)
	if err != nil {
		return err
	}
	st, err := parseState(from)
	if err != nil {
		return err
	}
	r.hide, r.watch = spec.hide, spec.watch
	r.spec, r.began, r.bound = spec, st.Began, st.bound()
	if r.hole = st.Hole && !st.Done; st.Hole && st.Done { // what was left out is read again
		st.Follow, st.Hole = "", false
		if r.bound == "" || spec.changed == nil {
			st = state{}
		}
	}
	ctx = ofRun(forStream(ctx, spec.Name))
	switch {
	case st.Done && spec.CursorField == "":
		return nil
	case spec.changed != nil && r.bound != "":
		return spec.changed(ctx, r, st)
	case st.Done: // without a bound: nothing says what is known
		st = state{}
	}
	r.resumed = st.Link != "" || st.Parent != "" || st.Phase > 0
	return spec.read(ctx, r, st)
}
