package okta

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
)

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
