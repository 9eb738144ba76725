package okta

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
)

const (
	// minBatch and maxBatch bound the objects that one step reads: few, so that what is read reaches the lake soon; more
	// when many wait, so that they make fewer objects there.
	minBatch = 16
	maxBatch = 200
	// maxReading is how many objects are read at a time.
	maxReading = 4
	// maxTries is how often an object is read again after Okta failed, each time after the client's own retries.
	maxTries = 8
	// scanRest is how much longer than a scan of the lake took the next one waits.
	scanRest = 10
	// maxListPages bounds the pages of one list below a parent.
	maxListPages = 1000
	// maxMembers bounds the members of a group that are read at once, some 50 MB: for more everything is read anew.
	maxMembers = 20_000
)

// The streams whose records are read again one by one.
const (
	usersStream         = "users"
	groupsStream        = "groups"
	groupMembersStream  = "group_members"
	userRolesStream     = "user_role_assignments"
	groupRolesStream    = "group_role_assignments"
	clientRolesStream   = "client_role_assignments"
	roleTargetsStream   = "role_targets"
	customRolesStream   = "custom_roles"
	permissionsStream   = "permissions"
	resourceSetsStream  = "resource_sets"
	setResourcesStream  = "resource_set_resources"
	setBindingsStream   = "resource_set_bindings"
	resourceSetPrefix   = "iam" // of the ids of resource sets; standard roles have policies in their place
	iamRolesPath        = apiPrefix + "iam/roles"
	iamResourceSetsPath = apiPrefix + "iam/resource-sets"
)

var (
	userRoles = listStream{userRolesStream, "userId", "", func(id string) string {
		return everyUserPath + "/" + url.PathEscape(id) + "/roles"
	}}
	groupRoles = listStream{groupRolesStream, "groupId", "", func(id string) string {
		return apiPrefix + "groups/" + url.PathEscape(id) + "/roles"
	}}
	clientRoles = listStream{clientRolesStream, "clientId", "", func(id string) string {
		return "/oauth2/v1/clients/" + url.PathEscape(id) + "/roles"
	}}
	rolePermissions = listStream{permissionsStream, "roleId", "permissions", func(id string) string {
		return iamRolesPath + "/" + url.PathEscape(id) + "/permissions"
	}}
	roleTargets = listStream{name: roleTargetsStream, parent: "principalId"}
	setBindings = listStream{name: setBindingsStream, parent: "resourceSetId"}

	setResources = listStream{setResourcesStream, "resourceSetId", "resources", func(id string) string {
		return iamResourceSetsPath + "/" + url.PathEscape(id) + "/resources?limit=100"
	}}
)

// listStreams are the lists that the follower must remember.
func (f *following) listStreams() []listStream {
	return slices.DeleteFunc([]listStream{userRoles, groupRoles, clientRoles, roleTargets, rolePermissions, setResources, setBindings}, func(l listStream) bool {
		return !f.wanted[l.name] && l.name != groupRolesStream || f.known.keys[l.name] == nil
	})
}

// unit is what is read together: a touch, or all memberships of one user.
type unit struct {
	touch  touch
	groups []string // with ofMembership
	number uint64
	tries  int
}

// outcome is what came of a unit. apply takes it in; it runs alone.
type outcome struct {
	statuses map[int]int
	apply    func(g *gathered)
	err      error
}

// gathered is what a step brings.
type gathered struct {
	f      *following
	number uint64 // of the unit that is taken in
	pages  []pipeline.StreamPage
	scan   scan
}

// refresh reads what is due, a batch of it, and returns it as pages of its streams.
func (f *following) refresh(ctx context.Context) ([]pipeline.StreamPage, error) {
	units := f.due(time.Now())
	if len(units) == 0 {
		return nil, nil
	}
	outcomes := make([]outcome, len(units))
	var calls sync.WaitGroup
	places := make(chan struct{}, maxReading)
	for i, u := range units {
		places <- struct{}{}
		calls.Go(func() {
			defer func() { <-places }()
			outcomes[i] = f.read(ctx, u)
		})
	}
	calls.Wait()
	g := &gathered{f: f}
	for i, u := range units {
		if err := f.take(ctx, g, u, outcomes[i]); err != nil {
			return nil, err
		}
	}
	if err := f.runScan(ctx, g); err != nil {
		return nil, err
	}
	return g.pages, nil
}

// due picks what is to be read now: what events named before what follows from it, the oldest first.
func (f *following) due(now time.Time) []unit {
	var ready []touch
	for t, d := range f.pending {
		if !d.at.After(now) && (!scans(t) || !f.nextScan.After(now)) {
			ready = append(ready, t)
		}
	}
	slices.SortFunc(ready, func(a, b touch) int {
		x, y := f.pending[a], f.pending[b]
		return cmp.Or(cmp.Compare(x.follows, y.follows), cmp.Compare(x.number, y.number), cmp.Compare(a.of, b.of),
			strings.Compare(a.id, b.id), strings.Compare(a.group, b.group))
	})
	var units []unit
	at := map[string]int{} // user → the unit of its memberships
	for _, t := range ready {
		d := f.pending[t]
		if i, ok := at[t.id]; ok && t.of == ofMembership {
			units[i].groups = append(units[i].groups, t.group)
			units[i].number = min(units[i].number, d.number)
			continue
		}
		if len(units) == min(max(len(f.pending)/4, minBatch), maxBatch) {
			continue // but memberships of users in the batch still join
		}
		u := unit{touch: t, number: d.number, tries: d.tries}
		if t.of == ofMembership {
			at[t.id], u.groups = len(units), []string{t.group}
		}
		units = append(units, u)
	}
	return units
}

// scans reports whether a touch needs a scan of the lake.
func scans(t touch) bool { return t.of == ofUserGroups || t.of == ofMembers }

// touches are those of a unit.
func (u unit) touches() []touch {
	if u.touch.of != ofMembership {
		return []touch{u.touch}
	}
	var all []touch
	for _, group := range u.groups {
		all = append(all, touch{ofMembership, u.touch.id, group})
	}
	return all
}

// take takes in what came of a unit. An object that could not be read is tried again later; what may not be read is
// passed over, and changes nothing: no answer but a 404 or a list proves that something has gone.
func (f *following) take(ctx context.Context, g *gathered, u unit, o outcome) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	refused := asAPIError(o.err)
	var many *tooMany
	switch {
	case o.err == nil:
	case errors.As(o.err, &many):
		f.wantsAll = many.Error()
	case refused != nil && refused.Status == http.StatusUnauthorized && !refused.FeatureAbsent():
		return o.err
	case refused != nil && refused.Status < 500 && refused.Status != http.StatusTooManyRequests && !fault.Is(o.err, fault.Unavailable),
		refused == nil && fault.Is(o.err, fault.Denied), u.tries+1 >= maxTries:
		f.client.log.Warn("a changed object could not be read again: the next full read will tell", "object", u.touch.id, "error", explained(o.err))
		g.pages = append(g.pages, pipeline.StreamPage{Stream: f.streamOf(u.touch.of), Page: pipeline.Page{
			EmittedAt: time.Now(), Gaps: []string{explained(o.err)}, Statuses: o.statuses,
		}})
	default:
		for _, t := range u.touches() {
			f.pending[t].at, f.pending[t].tries = time.Now().Add(backoff(u.tries)), u.tries+1
		}
		return nil
	}
	for _, t := range u.touches() {
		delete(f.pending, t)
	}
	if o.err == nil && o.apply != nil {
		g.number = u.number
		before := len(g.pages)
		o.apply(g)
		if len(g.pages) > before {
			g.pages[before].Statuses = o.statuses
		}
	}
	return nil
}

// aspectStreams are the streams that reading an aspect can bring records of, by itself or by what follows from it. The first
// is the aspect's own.
var aspectStreams = [ofWhole][]string{
	ofUser:        {usersStream},
	ofUserRoles:   {userRolesStream, roleTargetsStream},
	ofMembership:  {groupMembersStream, userRolesStream},
	ofUserGroups:  {groupMembersStream},
	ofUserJoins:   {groupMembersStream},
	ofGroup:       {groupsStream, groupMembersStream, userRolesStream, groupRolesStream, clientRolesStream, roleTargetsStream},
	ofGroupRoles:  {groupRolesStream, userRolesStream, roleTargetsStream},
	ofMembers:     {groupMembersStream, userRolesStream},
	ofClientRoles: {clientRolesStream, roleTargetsStream},
	ofRole:        {customRolesStream, permissionsStream},
	ofAllRoles:    {customRolesStream, permissionsStream},
	ofAdmins:      {groupsStream},
	ofSet:         {resourceSetsStream, setResourcesStream, setBindingsStream},
	ofAllSets:     {resourceSetsStream, setResourcesStream, setBindingsStream},
}

// matters reports whether anything that is wanted can come of reading an aspect.
func (f *following) matters(of aspect) bool { return f.streamOf(of) != "" }

// streamOf is the wanted stream that tells of what could not be read, or "".
func (f *following) streamOf(of aspect) string {
	for _, name := range aspectStreams[of] {
		if f.wanted[name] {
			return name
		}
	}
	return ""
}

// follow notes what follows from a unit, under the unit's number: what waits for the unit waits for it too.
func (g *gathered) follow(of aspect, ids ...string) {
	for _, id := range ids {
		t := touch{of: of, id: id}
		if !g.f.matters(of) {
			continue
		}
		if d := g.f.pending[t]; d != nil {
			d.number = min(d.number, g.number)
			continue
		}
		g.f.pending[t] = &due{number: g.number, at: time.Now(), follows: 1}
	}
}

// bring adds records of a stream, if the stream is wanted.
func (g *gathered) bring(stream string, a *answer, records ...[]byte) {
	if g.f.opts.NoDeletions {
		records = slices.DeleteFunc(records, func(r []byte) bool { _, gone := rawjson.Get(r, pipeline.DeletedMember); return gone })
	}
	if !g.f.wanted[stream] || len(records) == 0 {
		return
	}
	for i, record := range records {
		records[i] = g.f.hide[stream].apply(record)
	}
	g.pages = append(g.pages, pipeline.StreamPage{Stream: stream, Page: pipeline.Page{Records: records, EmittedAt: g.f.client.read.time(a.at), Cursor: a.path}})
}

// bringList makes the records the list of a parent, and brings them with tombstones of those that are gone.
func (g *gathered) bringList(stream listStream, parent string, a *answer, records [][]byte) {
	for _, gone := range g.f.known.replace(stream, parent, records) {
		records = append(records, tombstone(gone, a.at))
		// With an assignment of a custom role its binding goes, and no event tells of that when the principal is gone.
		if set := rawjson.GetString(gone, "resource-set"); strings.HasPrefix(set, resourceSetPrefix) && g.f.wanted[setBindingsStream] {
			g.follow(ofSet, set)
		}
	}
	g.bring(stream.name, a, records...)
}
