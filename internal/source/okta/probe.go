package okta

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

// wellKnownPath is the org's public document: it tells host and org before any credential is spent.
const wellKnownPath = "/.well-known/okta-organization"

// What a probe takes at most at an endpoint that fails: somebody is waiting for what Check says.
const (
	probeRetries = 2
	probeWithin  = 8 * time.Second
)

// Probe is what one cheap request told of one endpoint.
type Probe struct {
	Endpoint string   // the path, with {id} where an object's id stood
	OK       bool     // the endpoint can be read
	Skipped  bool     // not asked, because there was no object to ask for; Problem says which
	Status   int      // the HTTP status; 0 if not asked, or without an answer
	Code     string   // Okta's error code, such as E0000006
	Streams  []string // the streams that need the endpoint
	Cost     string   // what a missing endpoint costs, one sentence
	Scope    string   // the OAuth scope that the endpoint needs; "" for none
	Role     string   // the administrator role that suffices
	Problem  string   // what is wrong, or ""
	Mend     string   // what an operator can do, or ""
	Limit    int      // requests a window that Okta grants there, 0 if not told

	// Of the public document alone:
	Host     string // the org's canonical host
	OrgID    string // the org's id, 00o…
	Pipeline string // idx (Identity Engine) or v1 (Classic)
}

// endpoint is what Check asks for. Its path may hold {id}, filled with the first id that the endpoint from has shown.
type endpoint struct {
	path, query, from string
	streams           []string
	cost              string
}

var endpoints = []endpoint{ // read only
	{path: "/api/v1/users", query: "limit=1", streams: []string{"users"}, cost: "No users, and no roles of users where role holders cannot be listed."},
	{
		path: "/api/v1/groups", query: "expand=stats&limit=1", streams: []string{"groups", "group_members", "group_role_assignments"},
		cost: "No groups, members or roles of groups; users that hold a role through a group alone may be missed.",
	},
	{path: "/api/v1/groups/{id}/users", query: "limit=1", from: "/api/v1/groups", streams: []string{"group_members"}, cost: "No group members."},
	{
		path: "/api/v1/iam/assignees/users", query: "limit=1", streams: []string{"user_role_assignments"},
		cost: "Role holders cannot be listed: user_role_assignments asks for every single user, which takes hours in a large org.",
	},
	{path: "/api/v1/users/{id}/roles", from: "/api/v1/users", streams: []string{"user_role_assignments"}, cost: "No admin roles of users."},
	{path: "/api/v1/groups/{id}/roles", from: "/api/v1/groups", streams: []string{"group_role_assignments"}, cost: "No admin roles of groups."},
	{path: "/api/v1/iam/roles", query: "limit=1", streams: []string{"custom_roles", "permissions"}, cost: "No custom roles and no permissions."},
	{path: "/api/v1/iam/roles/{id}/permissions", from: "/api/v1/iam/roles", streams: []string{"permissions"}, cost: "No permissions of custom roles."},
	{path: "/api/v1/iam/resource-sets", query: "limit=1", streams: []string{"resource_sets"}, cost: "No resource sets."},
	{path: "/api/v1/logs", query: "limit=1", streams: []string{"logs"}, cost: "No System Log events."},
}

// Check asks every endpoint once, with as little as it can, and tells what this credential can and cannot see. The
// first probe is of the org's public document. The error, beside the probes made so far, is what makes all further
// asking pointless: the host cannot be reached (fault.Unavailable), is no Okta org (fault.Invalid), or does not
// accept the credential at all (fault.Denied).
func (s *Source) Check(ctx context.Context) ([]Probe, error) {
	org, err := s.probeOrg(ctx)
	probes := []Probe{org}
	if err != nil {
		return probes, err
	}
	ids := map[string]string{}
	for _, e := range endpoints {
		streams := s.offeredOf(e.streams)
		if len(streams) == 0 && e.path != "/api/v1/users" && e.path != "/api/v1/groups" {
			continue // nobody needs it, not even for an id
		}
		p, err := s.probe(ctx, e, ids)
		p.Streams = streams
		probes = append(probes, p)
		if fatal(err) {
			return probes, err
		}
	}
	return probes, nil
}

func (s *Source) offeredOf(names []string) []string {
	var offered []string
	for _, name := range names {
		if slices.ContainsFunc(s.offered, func(spec streamSpec) bool { return spec.Name == name }) {
			offered = append(offered, name)
		}
	}
	return offered
}

// fatal reports whether an error will be met at every other endpoint too.
func fatal(err error) bool {
	if err == nil {
		return false
	}
	refused := asAPIError(err)
	if refused == nil {
		return true // no answer, or no Okta
	}
	return refused.Status < 400 || refused.Status == http.StatusUnauthorized && !refused.FeatureAbsent()
}

// probeOrg reads the public document. An org that hides it is no error as long as the host answers in JSON.
func (s *Source) probeOrg(ctx context.Context) (Probe, error) {
	p := Probe{Endpoint: wellKnownPath, Cost: "The org's id and canonical host stay unknown."}
	a, err := s.client.ask(ctx, wellKnownPath, patience{retries: probeRetries, within: probeWithin, anonymous: true})
	if a != nil {
		p.Status = a.status
	}
	if err == nil {
		p.OK = true
		p.OrgID, p.Pipeline = rawjson.GetString(a.body, "id"), rawjson.GetString(a.body, "pipeline")
		if canonical, err := url.Parse(rawjson.GetString(a.body, "_links", "organization", "href")); err == nil && canonical.Host != "" {
			p.Host = strings.ToLower(canonical.Host)
			s.client.addHost(p.Host)
		}
		return p, nil
	}
	p.describe(err)
	if refused := asAPIError(err); refused == nil || fault.Is(err, fault.Invalid) {
		return p, err
	}
	return p, nil
}

// probe asks one endpoint and keeps the id of the first object that it shows.
func (s *Source) probe(ctx context.Context, e endpoint, ids map[string]string) (Probe, error) {
	n := needOf(e.path)
	p := Probe{Endpoint: e.path, Cost: e.cost, Scope: n.scope, Role: n.role}
	path := e.path
	if e.from != "" {
		id, ok := ids[e.from]
		if !ok {
			p.Skipped, p.Problem = true, e.from+" shows no object to ask for"
			return p, nil
		}
		path = strings.Replace(path, "{id}", url.PathEscape(id), 1)
	}
	if e.query != "" {
		path += "?" + e.query
	}
	a, err := s.client.ask(ctx, path, patience{retries: probeRetries, within: probeWithin})
	if a != nil {
		p.Status = a.status
		p.Limit, _ = headerInt(a.header, "X-Rate-Limit-Limit")
	}
	if err != nil {
		p.describe(err)
		return p, err
	}
	p.OK = true
	if id := firstID(a.body); id != "" {
		ids[e.path] = id
	}
	return p, nil
}

// describe takes an error's code, message and hint into the probe.
func (p *Probe) describe(err error) {
	p.Problem, p.Mend = err.Error(), fault.HintOf(err)
	if refused := asAPIError(err); refused != nil {
		p.Code = refused.Code
	}
}

// firstID returns the id of the first object of a list, which is the body or its member roles.
func firstID(body []byte) string {
	if list, ok := rawjson.Get(body, "roles"); ok {
		body = list
	}
	for object, err := range rawjson.Elements(body) {
		if err != nil {
			return ""
		}
		if id := rawjson.GetString(object, "id"); id != "" {
			return id
		}
	}
	return ""
}
