package okta

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

// wellKnownPath is the org's public document: it tells host and org before any credential is spent.
const wellKnownPath = "/.well-known/okta-organization"

// What a probe takes at most at an endpoint that fails: somebody is waiting for what Check says.
const (
	probeRetries = 2
	probeWithin  = 8 * time.Second  // no attempt later, and none longer
	probeTimeout = 30 * time.Second // of one probe, waiting for its turn included
	maxProbing   = 4                // probes at a time

	signInTimeout = 20 * time.Second
)

// Capabilities are what a credential can and cannot see.
type Capabilities struct {
	Org       string        `json:"org"`
	OrgID     string        `json:"orgId,omitempty"`    // 00o…
	Host      string        `json:"host,omitempty"`     // the org's canonical host
	Pipeline  string        `json:"pipeline,omitempty"` // idx (Identity Engine) or v1 (Classic)
	Identity  Identity      `json:"identity"`
	ClockSkew time.Duration `json:"clockSkewNanoseconds"` // the org's clock less ours
	Share     float64       `json:"share"`                // the part of each rate limit that the settings let a read use
	Granted   float64       `json:"grantedShare"`         // the part that Okta grants this credential; 0 when not known
	Probes    []Probe       `json:"endpoints"`
	Findings  []Finding     `json:"findings,omitempty"`
	// Unreadable are the chosen streams that cannot be read, or not in full.
	Unreadable []string `json:"unreadableStreams,omitempty"`
}

// Finding is what is wrong beyond any one endpoint.
type Finding struct {
	Problem string `json:"problem"`
	Mend    string `json:"mend"`
}

// Probe is what one cheap request told of one endpoint.
type Probe struct {
	Endpoint string   `json:"endpoint"`          // the path, with {id} where an object's id stood
	What     string   `json:"what"`              // is read there
	OK       bool     `json:"ok"`                // the endpoint can be read
	Skipped  bool     `json:"skipped,omitempty"` // not asked, because there was no object to ask for; Problem says which
	Empty    bool     `json:"empty,omitempty"`   // it answered with a list of nothing
	Status   int      `json:"status"`            // the HTTP status; 0 if not asked, or without an answer
	Code     string   `json:"code,omitempty"`    // Okta's error code, such as E0000006
	Needed   []string `json:"neededBy"`          // the chosen streams that cannot be read without it
	Streams  []string `json:"streams"`           // all streams that cannot be read without it, optional ones included
	Helps    []string `json:"helps,omitempty"`   // the streams that are read without it too, but slower or less surely
	Cost     string   `json:"cost"`              // what a missing endpoint costs, one sentence
	Scope    string   `json:"scope"`             // the OAuth scope that the endpoint needs; "" for none
	Role     string   `json:"role"`              // the least standard administrator role that suffices
	Grant    string   `json:"permission"`        // the permission that a custom role needs; "" when no custom role can
	Problem  string   `json:"problem,omitempty"` // what is wrong, or ""
	Mend     string   `json:"mend,omitempty"`    // what an operator can do, or ""
	Limit    int      `json:"limit,omitempty"`   // requests a minute that Okta shows there, 0 if not told
	Uses     int      `json:"uses,omitempty"`    // requests a minute of them that a read may use
}

// OK reports whether every chosen stream can be read.
func (c Capabilities) OK() bool { return len(c.Unreadable) == 0 }

// Check asks every endpoint that a stream needs once, with as little as it can, and tells what this credential can
// and cannot see: of all streams, or of the chosen ones alone. The error, beside what was found so far, is what makes
// all further asking pointless: the host cannot be reached (fault.Unavailable), is no Okta org (fault.Invalid), or does
// not accept the credential at all (fault.Denied). Trouble at one endpoint is that endpoint's.
func (s *Source) Check(ctx context.Context, all bool) (Capabilities, error) {
	c := &checking{source: s, all: all, ids: map[string]string{}}
	if id := s.client.auth.identity(); id.Kind == KindServiceApp {
		c.ids["self"] = id.ClientID
	}
	err := c.run(ctx)
	c.caps.Org, c.caps.Identity, c.caps.ClockSkew = s.client.base.String(), s.client.auth.identity(), s.client.clockSkew()
	c.caps.Share, c.caps.Granted = s.client.pace.share.known()
	if err == nil {
		c.judge(ctx)
	}
	c.unreadable(err)
	return c.caps, err
}

// checking is one Check under way.
type checking struct {
	source *Source
	all    bool
	caps   Capabilities
	hangs  bool // the public document did not come in time

	mu    sync.Mutex
	ids   map[string]string // by the names that paths use
	blind *fault.Error      // why all that the credential sees is empty lists
}

func (c *checking) run(ctx context.Context) error {
	if err := c.probeOrg(ctx); err != nil {
		return err
	}
	wanted := slices.DeleteFunc(slices.Clone(accesses), func(a access) bool { return !c.wants(a) })
	c.caps.Probes = make([]Probe, len(wanted))
	if err := c.signIn(ctx); err != nil {
		c.caps.Probes = nil
		return err
	}
	// The first goes alone: a credential that is not accepted is refused once, not everywhere.
	if err := c.probe(ctx, wanted[0], &c.caps.Probes[0]); fatal(err) || c.hangs && timedOut(err) {
		c.caps.Probes = c.caps.Probes[:1]
		return err
	}
	done := make([]bool, len(wanted))
	done[0] = true
	for {
		errs, asked := c.wave(ctx, wanted, done)
		if i := slices.IndexFunc(errs, fatal); i >= 0 {
			c.drop(done)
			return errs[i]
		}
		if err := ctx.Err(); err != nil {
			c.drop(done)
			return context.Cause(ctx)
		}
		if !asked {
			break
		}
	}
	for i, a := range wanted {
		if !done[i] {
			c.skip(a, &c.caps.Probes[i])
		}
	}
	return nil
}

// wants reports whether an endpoint is worth a probe: somebody needs it, or it shows ids that others need.
func (c *checking) wants(a access) bool {
	if c.all || slices.ContainsFunc(a.streams, c.source.isChosen) || slices.ContainsFunc(a.helps, c.source.isChosen) {
		return true
	}
	return a.path == "/api/v1/users" || a.path == "/api/v1/groups" && slices.ContainsFunc(accesses, func(b access) bool {
		return slices.Contains(b.names(), "group") && slices.ContainsFunc(b.streams, c.source.isChosen)
	})
}

// wave probes what has not been and can be by now, a few at a time.
func (c *checking) wave(ctx context.Context, wanted []access, done []bool) (errs []error, asked bool) {
	errs = make([]error, len(wanted))
	var probes errgroup.Group
	probes.SetLimit(maxProbing)
	known := maps.Clone(c.ids)
	for i, a := range wanted {
		if done[i] || slices.ContainsFunc(a.names(), func(name string) bool { return idOf(known, name) == "" }) {
			continue
		}
		done[i], asked = true, true
		probes.Go(func() error {
			errs[i] = c.probe(ctx, a, &c.caps.Probes[i])
			return nil
		})
	}
	_ = probes.Wait()
	return errs, asked
}

// idOf is a known id. Any user stands in for one that holds a role, and a service app that asks for any other.
func idOf(known map[string]string, name string) string {
	if id := known[name]; id != "" {
		return id
	}
	return known[map[string]string{"holder": "user", "client": "self"}[name]]
}

// drop leaves out what has not been probed.
func (c *checking) drop(done []bool) {
	var made []Probe
	for i, p := range c.caps.Probes {
		if done[i] {
			made = append(made, p)
		}
	}
	c.caps.Probes = made
}

// fatal reports whether an error will be met at every other endpoint too.
func fatal(err error) bool {
	if errors.As(err, new(*noToken)) {
		return true
	}
	refused := asAPIError(err)
	return refused != nil && (refused.Path == tokenPath || refused.Status == http.StatusUnauthorized && !refused.FeatureAbsent())
}

// timedOut reports whether an error is that no answer came in time.
func timedOut(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, errProbeTimeout)
}

// probeOrg reads the public document. An org that hides it is no error as long as the host answers in JSON.
func (c *checking) probeOrg(ctx context.Context) error {
	client := c.source.client
	ctx, cancel := context.WithTimeoutCause(ctx, probeTimeout, errProbeTimeout)
	defer cancel()
	how := patient
	how.anonymous = true
	a, err := client.ask(ctx, wellKnownPath, how)
	if err == nil {
		c.caps.OrgID, c.caps.Pipeline = rawjson.GetString(a.body, "id"), rawjson.GetString(a.body, "pipeline")
		if canonical, err := url.Parse(rawjson.GetString(a.body, "_links", "organization", "href")); err == nil && canonical.Host != "" {
			c.caps.Host = strings.ToLower(canonical.Host)
			client.addHost(c.caps.Host)
		}
		return nil
	}
	if refused := asAPIError(err); refused == nil && !timedOut(err) && !isBroken(err) || fault.Is(err, fault.Invalid) {
		return err
	}
	c.hangs = timedOut(err)
	c.caps.Findings = append(c.caps.Findings, Finding{
		Problem: "the org's public document cannot be read, so its id and canonical host stay unknown: " + err.Error(), Mend: fault.HintOf(err),
	})
	return nil
}

// signIn gets the credential ready: what hinders that hinders everything.
func (c *checking) signIn(ctx context.Context) error {
	client := c.source.client
	ctx, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	var err error
	for range probeRetries + 1 {
		if err = client.auth.ready(ctx); err == nil || isFinal(err) || ctx.Err() != nil {
			break
		}
	}
	if err == nil || asAPIError(err) != nil || fault.Is(err, fault.Invalid) {
		return err
	}
	return unreachable(client.base, err)
}

// errProbeTimeout ends a probe whose turn does not come.
var errProbeTimeout = fault.Errorf(fault.Unavailable, "not asked within %s", probeTimeout).
	WithHint("The rate limit has no room left, or other requests hang. Run the check again in a minute.")

// patient is how a probe asks.
var patient = patience{retries: probeRetries, within: probeWithin, attempt: probeWithin} // read only

// describe begins the probe of an endpoint.
func (c *checking) describe(a access) Probe {
	absent := func(name string) bool {
		return !slices.ContainsFunc(c.source.offered, func(spec streamSpec) bool { return spec.Name == name })
	}
	p := Probe{
		Endpoint: a.shown(), What: a.what, Cost: a.cost, Scope: a.scope, Role: a.role, Grant: a.grant,
		Streams: slices.DeleteFunc(slices.Clone(a.streams), absent), Helps: slices.DeleteFunc(slices.Clone(a.helps), absent),
	}
	for _, name := range p.Streams {
		if c.source.isChosen(name) {
			p.Needed = append(p.Needed, name)
		}
	}
	return p
}

func (c *checking) skip(a access, p *Probe) {
	*p = c.describe(a)
	p.Skipped = true
	for _, name := range a.names() {
		if idOf(c.ids, name) == "" {
			p.Problem = "no " + nouns[name] + " was seen to ask for"
			return
		}
	}
}

// nouns say what the names in paths stand for.
var nouns = map[string]string{ // read only
	"user": "user", "holder": "user", "group": "group", "client": "service app", "role": "custom role", "set": "resource set", "bound": "binding",
	"app": "app", "grouprole": "role that can be limited to groups", "approle": "role that can be limited to apps",
}

// probe asks one endpoint and keeps the ids that it shows.
func (c *checking) probe(ctx context.Context, a access, p *Probe) error {
	*p = c.describe(a)
	client := c.source.client
	c.mu.Lock()
	path := a.fill(func(name string) string { return url.PathEscape(idOf(c.ids, name)) })
	c.mu.Unlock()
	if a.query != "" {
		path += "?" + a.query
	}
	if strings.HasSuffix(a.path, sharesPath) {
		path = client.sharesRequest()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, probeTimeout, errProbeTimeout)
	defer cancel()
	answer, err := client.ask(ctx, path, patient)
	if answer != nil {
		p.Status = answer.status
		if limit, _ := headerInt(answer.header, "X-Rate-Limit-Limit"); limit > 0 {
			p.Limit, p.Uses = limit, max(1, int(client.pace.share.part()*float64(limit)))
		}
	}
	if err != nil {
		p.Problem, p.Mend = err.Error(), fault.HintOf(err)
		if timedOut(err) && !errors.Is(err, errProbeTimeout) {
			p.Problem, p.Mend = fmt.Sprintf("GET %s: no answer within %s", shown(path), probeWithin), "Okta is slow there, or a proxy holds the request up. Run the check again in a minute."
		}
		if refused := asAPIError(err); refused != nil {
			p.Code = refused.Code
		}
		if p.Status == http.StatusNotFound && len(a.names()) > 0 {
			p.Skipped, p.Problem = true, "the "+nouns[a.names()[0]]+" asked for is not there" // that says nothing of the endpoint
		}
		return err
	}
	p.OK = true
	if strings.HasSuffix(a.path, sharesPath) {
		client.pace.share.grants(answer.body)
	}
	list := listOf(answer.body)
	p.Empty = isEmpty(list)
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, wanted := range a.shows {
		c.ids[name] = idAmong(list, wanted, c.ids[name])
	}
	return nil
}

// listOf is the list that a body is, or holds.
func listOf(body []byte) []byte {
	for _, key := range []string{"value", "roles", "resource-sets", "permissions", "members", "resources"} {
		if list, ok := rawjson.Get(body, key); ok {
			return list
		}
	}
	return body
}

// isEmpty reports whether a list has no elements.
func isEmpty(list []byte) bool {
	for _, err := range rawjson.Elements(list) {
		return err != nil
	}
	return true
}

// idAmong returns the id of the first object of a list that is wanted, or what is known.
func idAmong(list []byte, wanted pick, known string) string {
	if known != "" {
		return known
	}
	for object, err := range rawjson.Elements(list) {
		if err != nil {
			return ""
		}
		if id := rawjson.GetString(object, "id"); id != "" && (wanted == nil || wanted(object)) {
			return id
		}
	}
	return ""
}

// judge finds what is wrong beyond any one endpoint.
func (c *checking) judge(ctx context.Context) {
	id := c.source.client.auth.identity()
	find := func(problem, mend string) {
		c.caps.Findings = append(c.caps.Findings, Finding{Problem: problem, Mend: mend})
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	// Without an error it is known; with one the endpoint at fault has told of it.
	if users := c.caps.Probes[0]; users.Empty || !users.OK && id.Kind == KindServiceApp {
		if c.blind, _ = c.source.client.emptyIsSuspicious(ctx, time.Now(), func(*answer) {}); c.blind != nil {
			find(c.blind.Message, c.blind.Hint)
		}
	}
	for _, scope := range id.Wanted {
		if id.lacks(scope) {
			find(fmt.Sprintf("the scope %s was asked for and is not granted: %s", scope, c.without(scope)), id.toGrant(scope))
		}
	}
	if id.Kind == KindServiceApp {
		for _, scope := range c.source.neededScopes() {
			if !slices.Contains(id.Wanted, scope) {
				find(fmt.Sprintf("the scope %s is not asked for: %s", scope, c.without(scope)), id.toGrant(scope))
			}
		}
	}
	if skew := c.source.client.clockSkew(); id.Kind == KindServiceApp && skew.Abs() > clockTolerance {
		e := clockFault(tokenRefusal{skew: skew})
		find(e.Message+"; requests are made by Okta's clock", "Set this machine's clock right, for example with an NTP service.")
	}
}

// without says which chosen streams a scope costs.
func (c *checking) without(scope string) string {
	var lost []string
	for _, p := range c.caps.Probes {
		if p.Scope == scope {
			lost = append(lost, p.Needed...)
		}
	}
	slices.Sort(lost)
	if lost = slices.Compact(lost); len(lost) == 0 {
		return "no chosen stream fails, some are read slower or less surely"
	}
	return "no " + strings.Join(lost, ", ")
}

// unreadable names the chosen streams that an endpoint's failure costs. A credential that sees nothing costs them all.
func (c *checking) unreadable(err error) {
	lost := map[string]bool{}
	for _, a := range accesses {
		for _, name := range a.streams {
			lost[name] = false // asks Okta for something
		}
	}
	for _, p := range c.caps.Probes {
		for _, name := range p.Needed {
			lost[name] = lost[name] || !p.OK && !p.Skipped
		}
	}
	blind := err != nil || c.blind != nil
	for _, spec := range c.source.offered {
		if failed, asks := lost[spec.Name]; !spec.Optional && asks && (blind || failed) {
			c.caps.Unreadable = append(c.caps.Unreadable, spec.Name)
		}
	}
}
