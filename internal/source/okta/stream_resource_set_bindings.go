package okta

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"longshore/internal/rawjson"
)

// resourceSetBindings has a record for every member of a binding rather than for every binding: a member is who holds
// the role over the set, has an id of its own (irb…, that of the role assignment), and comes and goes alone. Okta tells
// what a member is only by the path of its link, so memberType and memberId say it. A role bound to a set without
// members gives nobody anything and leaves no record.
func (s *Source) resourceSetBindings() streamSpec {
	return streamSpec{
		Stream: stream("resource_set_bindings", "Who holds a custom role over each resource set: one record a member, with the set's id, the role's id, and what the member is (USER, GROUP or CLIENT) and its id.",
			"resourceSetId", "roleId", "id"),
		read: children(childSpec{
			parents: s.resourceSetsRequest(), parentsKey: "resource-sets", key: "roles", member: "resourceSetId",
			path:  func(id string) string { return s.resourceSetRequest(id, "/bindings") },
			below: readMembers,
		}),
	}
}

// readMembers reads the members of each role bound to a set. Roles are visited in the order of their ids, so that the
// request in the state, which names the role, says which are done.
func readMembers(ctx context.Context, r *reading, set string, pages *pager, at, done state) error {
	var roles []string
	var last *answer
	for pages.more() {
		page, passed, err := r.fetchChild(ctx, pages)
		if err != nil {
			return err
		}
		last = page.answer
		if passed {
			return r.page(last, nil, done)
		}
		ids, err := idsOf(page, nil)
		if err != nil {
			return err
		}
		roles = append(roles, ids...)
	}
	slices.Sort(roles)
	roles = slices.Compact(roles)
	request := func(role string) string {
		return r.source.resourceSetRequest(set, "/bindings/"+url.PathEscape(role)+"/members")
	}
	begin, from := 0, at.Child
	if from != "" {
		begin = slices.IndexFunc(roles, func(role string) bool { return (state{Link: from}).belongsTo(request(role)) })
		if begin < 0 {
			begin, from = 0, "" // the role is bound no more: the set is read again
		}
	}
	if begin >= len(roles) {
		return r.page(last, nil, done)
	}
	for i := begin; i < len(roles); i++ {
		next := done
		if i+1 < len(roles) {
			next = at
			next.Child = request(roles[i+1])
		}
		members := newPager(r.client, "members", request(roles[i]), from)
		members.filled = true // a binding without a member is none
		from = ""
		if err := r.members(ctx, set, roles[i], members, at, next); err != nil {
			return err
		}
	}
	return nil
}

// members reads the members of one binding.
func (r *reading) members(ctx context.Context, set, role string, pages *pager, at, done state) error {
	quotedSet, quotedRole := rawjson.AppendString(nil, set), rawjson.AppendString(nil, role)
	for pages.more() {
		page, passed, err := r.fetchChild(ctx, pages)
		if err != nil {
			return err
		}
		if passed {
			return r.page(page.answer, nil, done)
		}
		for i, record := range page.records {
			kind, id := principalOf(rawjson.GetString(record, "_links", "self", "href"))
			if id == "" {
				r.gap("GET %s: what member %q is cannot be told from its link", shown(page.answer.path), rawjson.GetString(record, "id"))
			}
			record = rawjson.AppendMember(make([]byte, 0, len(record)+160), record, "resourceSetId", quotedSet)
			record = rawjson.AppendMember(nil, record, "roleId", quotedRole)
			record = rawjson.AppendMember(nil, record, "memberType", rawjson.AppendString(nil, kind))
			page.records[i] = rawjson.AppendMember(nil, record, "memberId", rawjson.AppendString(nil, id))
		}
		at.Child = pages.next
		next := at
		if !pages.more() {
			next = done
		}
		if err := r.page(page.answer, page.records, next); err != nil {
			return err
		}
	}
	return nil
}

// Kinds of principals, in Okta's own words (as in assignmentType).
const (
	principalUser   = "USER"
	principalGroup  = "GROUP"
	principalClient = "CLIENT"
)

// principalOf reads what a link to a user, group or client leads to. Hosts do not matter: links of IAM objects name
// the admin console's.
func principalOf(link string) (kind, id string) {
	u, err := url.Parse(link)
	if err != nil {
		return "", ""
	}
	path := strings.Split(strings.Trim(u.EscapedPath(), "/"), "/")
	for i, part := range path[:len(path)-1] {
		kind = map[string]string{"users": principalUser, "groups": principalGroup, "clients": principalClient}[part]
		if kind == "" {
			continue
		}
		if id, err = url.PathUnescape(path[i+1]); err != nil || id == "" {
			return "", ""
		}
		return kind, id
	}
	return "", ""
}

// principalPath is the path below which Okta tells of a principal.
func principalPath(kind, id string) string {
	switch kind {
	case principalUser:
		return apiPrefix + "users/" + url.PathEscape(id)
	case principalGroup:
		return apiPrefix + "groups/" + url.PathEscape(id)
	case principalClient:
		return clientsPrefix + url.PathEscape(id)
	}
	panic(fmt.Sprintf("okta: no principal is a %q", kind))
}
