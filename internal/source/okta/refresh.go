package okta

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	g.pages = append(g.pages, pipeline.StreamPage{Stream: stream, Page: pipeline.Page{Records: records, EmittedAt: a.at, Cursor: a.path}})
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

// read asks Okta for a unit.
func (f *following) read(ctx context.Context, u unit) outcome {
	c := &calls{client: f.client, statuses: map[int]int{}}
	apply, err := f.readers()[u.touch.of](ctx, c, u)
	return outcome{statuses: c.statuses, apply: apply, err: err}
}

type reader func(ctx context.Context, c *calls, u unit) (func(*gathered), error)

func (f *following) readers() [ofWhole]reader {
	return [ofWhole]reader{
		ofUser: f.readUser, ofUserRoles: f.readUserRoles, ofMembership: f.readMemberships, ofUserGroups: f.readUserGroups, ofUserJoins: f.readUserGroups,
		ofGroup: f.readGroup, ofGroupRoles: f.readGroupRoles, ofMembers: f.readMembers, ofClientRoles: f.readClientRoles,
		ofRole: f.readRole, ofAllRoles: f.readAll(ofRole, "roles", iamRolesPath, rolePermissions),
		ofAdmins: f.readAdmins, ofSet: f.readSet, ofAllSets: f.readAll(ofSet, "resource-sets", iamResourceSetsPath, setResources),
	}
}

// calls are the calls of one unit.
type calls struct {
	client   *client
	statuses map[int]int
}

func (c *calls) met(a *answer) {
	if a != nil {
		for status, n := range a.statuses {
			c.statuses[status] += n
		}
	}
}

// one reads an object; gone is true when Okta says that there is none, and the answer is then that one.
func (c *calls) one(ctx context.Context, path string) (a *answer, record []byte, gone bool, err error) {
	a, err = c.client.get(ctx, path)
	c.met(a)
	if err != nil {
		return a, nil, a != nil && asGone(err), err
	}
	if !rawjson.IsObject(a.body) {
		return a, nil, false, fault.Errorf(fault.Invalid, "GET %s: the answer is no object", shown(path))
	}
	return a, rawjson.OneLine(a.body), false, nil
}

// all reads a list whole; gone is true when its parent is not there.
func (c *calls) all(ctx context.Context, path, key string) (last *answer, records [][]byte, gone bool, err error) {
	pages := newPager(c.client, key, path, "")
	for n := 0; pages.more(); n++ {
		if n == maxListPages {
			return last, nil, false, fault.Errorf(fault.Invalid, "GET %s: the list has more than %d pages", shown(path), maxListPages)
		}
		page, err := pages.fetch(ctx)
		c.met(page.answer)
		if err != nil {
			return page.answer, nil, page.answer != nil && asGone(err), err
		}
		last, records = page.answer, append(records, page.records...)
	}
	return last, records, false, nil
}

// tooMany says that a group has more members than are read one by one.
type tooMany struct{ group string }

func (t *tooMany) Error() string {
	return fmt.Sprintf("group %s has more than %d members, too many to be read one by one", t.group, maxMembers)
}

// membersOf reads the members of a group; keep makes of each what is kept of it.
func (f *following) membersOf(ctx context.Context, c *calls, group string, keep func(user []byte) []byte) (last *answer, members [][]byte, gone bool, err error) {
	pages := newPager(c.client, "", f.source.listRequest(memberLimit, "groups/"+url.PathEscape(group)+"/users"), "")
	for pages.more() {
		page, err := pages.fetch(ctx)
		c.met(page.answer)
		if err != nil {
			return page.answer, nil, page.answer != nil && asGone(err), err
		}
		last = page.answer
		for _, user := range page.records {
			members = append(members, keep(user))
		}
		if len(members) > maxMembers {
			return last, nil, false, &tooMany{group}
		}
	}
	return last, members, false, nil
}

// seen returns why an empty list proves nothing: to an app that has lost its admin role Okta shows empty lists.
func (f *following) seen(ctx context.Context, c *calls, empty *answer) error {
	reason, err := f.client.emptyIsSuspicious(ctx, empty.at, c.met)
	if err != nil || reason == nil {
		return err
	}
	return fault.Errorf(fault.Denied, "GET %s: the list is empty, but %w", shown(empty.path), reason).WithHint("%s", reason.Hint)
}

// listed is a user as listings show it: read by id it comes with more links, and these would make it look changed.
func listed(user []byte) []byte {
	self, ok := rawjson.Get(user, "_links", "self")
	if !ok {
		return user
	}
	return rawjson.SetMember(user, "_links", rawjson.AppendMember(nil, []byte("{}"), "self", self))
}

func (f *following) readUser(ctx context.Context, c *calls, u unit) (func(*gathered), error) {
	id := u.touch.id
	a, record, gone, err := c.one(ctx, everyUserPath+"/"+url.PathEscape(id))
	if gone {
		return func(g *gathered) {
			g.bring(usersStream, a, tombstone(object("id", id), a.at))
			g.follow(ofUserRoles, id)
			g.follow(ofUserGroups, id)
		}, nil
	}
	return func(g *gathered) { g.bring(usersStream, a, listed(record)) }, err
}

func (f *following) readUserRoles(ctx context.Context, c *calls, u unit) (func(*gathered), error) {
	return f.readRoles(ctx, c, userRoles, principalUser, u.touch.id)
}

func (f *following) readClientRoles(ctx context.Context, c *calls, u unit) (func(*gathered), error) {
	return f.readRoles(ctx, c, clientRoles, principalClient, u.touch.id)
}

// readRoles reads the roles of a principal, and what they are limited to. A principal that is gone has none.
func (f *following) readRoles(ctx context.Context, c *calls, stream listStream, kind, id string) (func(*gathered), error) {
	if !f.wanted[stream.name] && !f.wanted[roleTargetsStream] {
		return nil, nil
	}
	a, records, gone, err := c.all(ctx, stream.path(id), stream.key)
	if err != nil && !gone {
		return nil, err
	}
	if !gone && len(records) == 0 && (f.known.holds(stream.name, id) || f.known.holds(roleTargetsStream, id)) {
		if err := f.seen(ctx, c, a); err != nil {
			return nil, err
		}
	}
	targets, err := f.readTargets(ctx, c, kind, id, records)
	if err != nil {
		return nil, err
	}
	records = withMember(records, stream.parent, rawjson.AppendString(nil, id))
	return func(g *gathered) {
		g.bringList(stream, id, a, records)
		g.bringFound(roleTargets, id, a, targets)
	}, nil
}

// found are records that were read as their stream reads them; gaps tell what could not be.
type found struct {
	records [][]byte
	gaps    []string
}

// asStream reads with a stream's own code.
func (f *following) asStream(c *calls, read func(r *reading) error) (all found, err error) {
	r := &reading{source: f.source, client: f.client, statuses: map[int]int{}}
	r.yield = func(p pipeline.Page, _ error) bool {
		for _, record := range p.Records {
			all.records = append(all.records, slices.Clone(record))
		}
		all.gaps = append(all.gaps, p.Gaps...)
		for status, n := range p.Statuses {
			c.statuses[status] += n
		}
		return true
	}
	err = read(r)
	all.gaps = append(all.gaps, r.gaps...)
	return all, err
}

// bringFound is bringList for records that were read as their stream reads them. With a gap nothing counts as gone.
func (g *gathered) bringFound(stream listStream, parent string, a *answer, all found) {
	if len(all.gaps) > 0 {
		g.bring(stream.name, a, all.records...)
		return
	}
	g.bringList(stream, parent, a, all.records)
}

// readTargets reads what the roles of a principal are limited to.
func (f *following) readTargets(ctx context.Context, c *calls, kind, id string, roles [][]byte) (found, error) {
	if !f.wanted[roleTargetsStream] {
		return found{}, nil
	}
	return f.asStream(c, func(r *reading) error {
		for _, role := range r.scopedRoles(roles, kind, id) {
			if err := r.targets(ctx, role, kind, id, state{}); err != nil {
				return err
			}
		}
		return nil
	})
}

// groupsOf reads the groups that a user is in, and the user for the records of these memberships.
func (f *following) groupsOf(ctx context.Context, c *calls, id string) (a *answer, groups []string, user []byte, err error) {
	a, records, gone, err := c.all(ctx, f.source.listRequest(listLimit, "users/"+url.PathEscape(id)+"/groups"), "")
	if gone {
		return a, nil, nil, nil
	}
	if err != nil {
		return a, nil, nil, err
	}
	for _, group := range records {
		if group := rawjson.GetString(group, "id"); group != "" {
			groups = append(groups, group)
		}
	}
	if len(groups) == 0 {
		return a, nil, nil, f.seen(ctx, c, a)
	}
	b, user, gone, err := c.one(ctx, everyUserPath+"/"+url.PathEscape(id))
	if gone {
		return b, nil, nil, nil
	}
	return a, groups, listed(user), err
}

// membership is the record of a user in a group.
func membership(user []byte, group string) []byte {
	return rawjson.AppendMember(nil, user, "groupId", rawjson.AppendString(nil, group))
}

// noMembership is the record of a user who is in a group no more.
func noMembership(user, group string, at time.Time) []byte {
	return tombstone(object("id", user, "groupId", group), at)
}

// readMemberships reads whether a user is in the groups of the unit. Roles come and go with a membership.
func (f *following) readMemberships(ctx context.Context, c *calls, u unit) (func(*gathered), error) {
	id := u.touch.id
	a, groups, user, err := f.groupsOf(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return func(g *gathered) {
		var records [][]byte
		for _, group := range u.groups {
			if slices.Contains(groups, group) {
				records = append(records, membership(user, group))
			} else {
				records = append(records, noMembership(id, group, a.at))
			}
			if f.known.holds(groupRolesStream, group) || slices.Contains(f.known.through(group), id) || f.known.full[groupRolesStream] || !f.wanted[groupRolesStream] {
				g.follow(ofUserRoles, id)
			}
		}
		g.bring(groupMembersStream, a, records...)
	}, nil
}

// readUserGroups reads all groups of a user; what else the lake knows of the user's memberships is over.
func (f *following) readUserGroups(ctx context.Context, c *calls, u unit) (func(*gathered), error) {
	if !f.wanted[groupMembersStream] {
		return nil, nil
	}
	id := u.touch.id
	a, groups, user, err := f.groupsOf(ctx, c, id)
	if err != nil {
		return nil, err
	}
	return func(g *gathered) {
		for _, group := range groups {
			g.bring(groupMembersStream, a, membership(user, group))
		}
		if u.touch.of == ofUserGroups {
			g.scan.user(id, groups, a)
		}
	}, nil
}

func (f *following) readGroup(ctx context.Context, c *calls, u unit) (func(*gathered), error) {
	id := u.touch.id
	a, record, gone, err := c.one(ctx, apiPrefix+"groups/"+url.PathEscape(id))
	if gone {
		return func(g *gathered) {
			g.bring(groupsStream, a, tombstone(object("id", id), a.at))
			g.follow(ofGroupRoles, id)
			g.follow(ofMembers, id)
			limited := f.known.limitedTo(id)
			g.follow(ofUserRoles, limited[principalUser]...)
			g.follow(ofGroupRoles, limited[principalGroup]...)
			g.follow(ofClientRoles, limited[principalClient]...)
		}, nil
	}
	return func(g *gathered) { g.bring(groupsStream, a, record) }, err
}

// readAdmins lets the built-in group of administrators follow: Okta tells of no one who joins or leaves it.
func (f *following) readAdmins(ctx context.Context, c *calls, _ unit) (func(*gathered), error) {
	if !f.wanted[groupsStream] {
		return nil, nil
	}
	if f.admins != "" {
		return func(g *gathered) { g.follow(ofGroup, f.admins) }, nil
	}
	_, groups, _, err := c.all(ctx, f.source.listRequest(listLimit, "groups", "filter="+url.QueryEscape(`type eq "BUILT_IN"`)), "")
	if err != nil {
		return nil, err
	}
	return func(g *gathered) {
		for _, group := range groups {
			if !hasMembers(group) {
				f.admins = rawjson.GetString(group, "id")
				g.follow(ofGroup, f.admins)
			}
		}
	}, nil
}

// readGroupRoles reads the roles of a group, and lets those of its members follow: of all who are in it, and of all who
// were known to hold a role through it.
func (f *following) readGroupRoles(ctx context.Context, c *calls, u unit) (func(*gathered), error) {
	id := u.touch.id
	a, records, gone, err := c.all(ctx, groupRoles.path(id), "")
	if err != nil && !gone {
		return nil, err
	}
	if !gone && len(records) == 0 && f.known.holds(groupRolesStream, id) {
		if err := f.seen(ctx, c, a); err != nil {
			return nil, err
		}
	}
	var members []string
	if !gone && f.wanted[userRolesStream] {
		_, users, left, err := f.membersOf(ctx, c, id, func(user []byte) []byte { return []byte(rawjson.GetString(user, "id")) })
		if err != nil && !left {
			return nil, err
		}
		for _, user := range users {
			members = append(members, string(user))
		}
	}
	targets, err := f.readTargets(ctx, c, principalGroup, id, records)
	if err != nil {
		return nil, err
	}
	records = withMember(records, groupRoles.parent, rawjson.AppendString(nil, id))
	return func(g *gathered) {
		g.bringList(groupRoles, id, a, records)
		g.bringFound(roleTargets, id, a, targets)
		g.follow(ofUserRoles, members...)
		g.follow(ofUserRoles, f.known.through(id)...)
	}, nil
}

// readMembers reads the members of a group; whoever else the lake knows as one is none any more.
func (f *following) readMembers(ctx context.Context, c *calls, u unit) (func(*gathered), error) {
	if !f.wanted[groupMembersStream] {
		return nil, nil
	}
	id := u.touch.id
	a, users, gone, err := f.membersOf(ctx, c, id, rawjson.OneLine)
	if err != nil && !gone {
		return nil, err
	}
	if !gone && len(users) == 0 {
		if err := f.seen(ctx, c, a); err != nil {
			return nil, err
		}
	}
	return func(g *gathered) {
		var ids []string
		for i, user := range users {
			ids = append(ids, rawjson.GetString(user, "id"))
			users[i] = membership(user, id)
		}
		g.bring(groupMembersStream, a, users...)
		g.scan.group(id, ids, a)
		if f.known.holds(groupRolesStream, id) {
			g.follow(ofUserRoles, ids...)
		}
		g.follow(ofUserRoles, f.known.through(id)...)
	}, nil
}

func (f *following) readRole(ctx context.Context, c *calls, u unit) (func(*gathered), error) {
	return f.readWithList(ctx, c, u.touch.id, customRolesStream, iamRolesPath, rolePermissions)
}

func (f *following) readSet(ctx context.Context, c *calls, u unit) (func(*gathered), error) {
	id := u.touch.id
	bring, err := f.readWithList(ctx, c, id, resourceSetsStream, iamResourceSetsPath, setResources)
	if err != nil || !f.wanted[setBindingsStream] {
		return bring, err
	}
	set := &answer{at: time.Now(), path: f.source.resourceSetRequest(id, "/bindings")}
	bindings, err := f.asStream(c, func(r *reading) error {
		return readMembers(ctx, r, id, newPager(f.client, "roles", f.source.resourceSetRequest(id, "/bindings"), ""), state{}, state{})
	})
	if err != nil && !asGone(err) {
		return nil, err
	}
	if err == nil && len(bindings.records) == 0 && f.known.holds(setBindingsStream, id) {
		if err := f.seen(ctx, c, set); err != nil {
			return nil, err
		}
	}
	return func(g *gathered) {
		bring(g)
		g.bringFound(setBindings, id, &answer{at: time.Now(), path: set.path}, bindings)
	}, nil
}

// readWithList reads an object and the list below it.
func (f *following) readWithList(ctx context.Context, c *calls, id, stream, path string, list listStream) (func(*gathered), error) {
	a, record, gone, err := c.one(ctx, path+"/"+url.PathEscape(id))
	if err != nil && !gone {
		return nil, err
	}
	if gone {
		record = tombstone(object("id", id), a.at)
	}
	b, records := a, [][]byte(nil)
	if !gone && f.wanted[list.name] {
		var left bool
		if b, records, left, err = c.all(ctx, list.path(id), list.key); err != nil && !left {
			return nil, err
		}
		if !left && len(records) == 0 && f.known.holds(list.name, id) {
			if err := f.seen(ctx, c, b); err != nil {
				return nil, err
			}
		}
		records = withMember(records, list.parent, rawjson.AppendString(nil, id))
	}
	return func(g *gathered) {
		g.bring(stream, a, record)
		g.bringList(list, id, b, records)
	}, nil
}

// readAll lists the objects of a kind and lets each follow, and those that were known before.
func (f *following) readAll(of aspect, key, path string, below listStream) reader {
	return func(ctx context.Context, c *calls, _ unit) (func(*gathered), error) {
		_, records, _, err := c.all(ctx, path+"?limit=100", key)
		if err != nil {
			return nil, err
		}
		return func(g *gathered) {
			for _, record := range records {
				g.follow(of, rawjson.GetString(record, "id"))
			}
			for parent := range f.known.lists[below.name] {
				g.follow(of, parent)
			}
		}, nil
	}
}

// scan is what the lake is asked about memberships: those of these users and groups, and which of them still are.
type scan struct {
	users, groups map[string]map[string]bool
	last          *answer
}

func (s *scan) user(id string, groups []string, a *answer) {
	s.users = addTo(s.users, id, groups)
	s.last = a
}

func (s *scan) group(id string, users []string, a *answer) {
	s.groups = addTo(s.groups, id, users)
	s.last = a
}

func addTo(m map[string]map[string]bool, id string, members []string) map[string]map[string]bool {
	if m == nil {
		m = map[string]map[string]bool{}
	}
	m[id] = map[string]bool{}
	for _, member := range members {
		m[id][member] = true
	}
	return m
}

// runScan looks through the memberships in the lake for those that are over. They are too many to be remembered; a
// deleted user or group is rare.
func (f *following) runScan(ctx context.Context, g *gathered) error {
	if g.scan.last == nil || f.opts.Recall == nil {
		return nil
	}
	began := time.Now()
	type pair struct{ user, group string }
	type seen struct {
		generation, at int64
		gone           bool
	}
	newest := map[pair]seen{}
	for r, err := range f.opts.Recall(ctx, groupMembersStream) {
		if err != nil {
			return fmt.Errorf("recall memberships: %w", err)
		}
		p := pair{rawjson.GetString(r.Record, "id"), rawjson.GetString(r.Record, "groupId")}
		groups, isUser := g.scan.users[p.user]
		users, isGroup := g.scan.groups[p.group]
		if !isUser && !isGroup || groups[p.group] || users[p.user] {
			continue
		}
		if old, ok := newest[p]; ok && (old.generation > r.Generation || old.generation == r.Generation && old.at > r.ExtractedAt) {
			continue
		}
		_, gone := rawjson.Get(r.Record, pipeline.DeletedMember)
		newest[p] = seen{r.Generation, r.ExtractedAt, gone}
	}
	var records [][]byte
	for p, s := range newest {
		if !s.gone {
			records = append(records, noMembership(p.user, p.group, g.scan.last.at))
		}
	}
	slices.SortFunc(records, func(a, b []byte) int { return strings.Compare(string(a), string(b)) })
	g.bring(groupMembersStream, g.scan.last, records...)
	f.nextScan = time.Now().Add(scanRest * time.Since(began))
	return nil
}
