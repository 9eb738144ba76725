package okta

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
)

// streamSpec is a stream: what is told of it, and how it is read.
type streamSpec struct {
	pipeline.Stream
	read func(ctx context.Context, r *reading, from state) error
}

// childSpec is a sub-stream: a listing below each object of another listing.
type childSpec struct {
	parents    string                   // the request for the parents
	parentsKey string                   // the member that holds their list, or ""
	wanted     func(parent []byte) bool // whether a parent is visited; nil for all
	path       func(id string) string   // the request for the children of a parent
	key        string                   // the member that holds their list, or ""
	member     string                   // the member that each child gets, holding the parent's id
}

// The pages that Okta gives at most, and for group members 1000 where everything else has 200: one call for what
// would be five. A page that takes Okta too long is asked for again in halves.
const (
	listLimit   = 200
	memberLimit = 1000
	iamLimit    = 100
	logLimit    = 1000
)

const everyUserPath = apiPrefix + "users"

// specs lists the streams in the order to read them: what others point at comes first.
func (s *Source) specs() []streamSpec {
	list := func(limit int, path string, query ...string) string { return s.listRequest(limit, path, query...) }
	groups := list(listLimit, "groups", "expand=stats")
	groupRoles := childSpec{
		parents: groups, wanted: mayHoldRoles, member: "groupId",
		path: func(id string) string { return apiPrefix + "groups/" + url.PathEscape(id) + "/roles" },
	}
	return []streamSpec{
		{
			Stream: stream("users", "Every user, in any status: the org's listing, then its deactivated users.", "id"),
			// A user deactivated between the two listings is in both, the second time as it is now; asking in the
			// other order would miss it. Ids are not remembered, so such a user is two records of one key.
			read: listings("", list(listLimit, "users"), list(listLimit, "users", "filter="+url.QueryEscape(`status eq "DEPROVISIONED"`))),
		},
		{
			Stream: stream("groups", "Every group: the org's own, built-in and imported ones.", "id"),
			read:   listings("", list(listLimit, "groups")),
		},
		{
			Stream: stream("group_members", "The members of every group (but the built-in Okta Administrators, which Okta lists for nobody), as users with the group's id.", "groupId", "id"),
			read: children(childSpec{
				parents: groups, wanted: hasMembers, member: "groupId",
				path: func(id string) string { return list(memberLimit, "groups/"+url.PathEscape(id)+"/users") },
			}),
		},
		// Okta's ids of assignments are not unique: a role with targets has the same id for all users, and for all
		// groups through which one user has it.
		{
			Stream: stream("user_role_assignments", "The admin roles that reach each user, given directly or through a group.",
				"userId", "assignmentType", "id", "_links.assignee.href"),
			read: readUserRoles,
		},
		{Stream: stream("group_role_assignments", "The admin roles given to each group.", "groupId", "id"), read: children(groupRoles)},
		{
			Stream: stream("custom_roles", "The org's custom admin roles, and the standard roles built on the same system.", "id"),
			read:   listings("roles", list(iamLimit, "iam/roles")),
		},
		// The same label occurs in many roles, so the role's id is added although Airbyte's records do not have it.
		{
			Stream: stream("permissions", "The permissions of each custom role, with the role's id.", "roleId", "label"),
			read: children(childSpec{
				parents: list(iamLimit, "iam/roles"), parentsKey: "roles", key: "permissions", member: "roleId",
				path: func(id string) string { return apiPrefix + "iam/roles/" + url.PathEscape(id) + "/permissions" },
			}),
		},
		{
			Stream: stream("resource_sets", "The sets of resources that custom roles are limited to.", "id"),
			read:   listings("resource-sets", list(iamLimit, "iam/resource-sets")),
		},
		{Stream: logStream(), read: readLogs},
	}
}

func stream(name, doc string, keys ...string) pipeline.Stream {
	s := pipeline.Stream{Name: name, Doc: doc}
	for _, key := range keys {
		s.PrimaryKey = append(s.PrimaryKey, strings.Split(key, "."))
	}
	return s
}

func logStream() pipeline.Stream {
	s := stream("logs", "The System Log: who did what, at most 90 days back.", "uuid")
	s.CursorField, s.Incremental = "published", true
	return s
}

// listRequest makes the request for the first page of a listing, as large as Okta and the settings allow.
func (s *Source) listRequest(limit int, path string, query ...string) string {
	if s.pageLimit > 0 {
		limit = min(limit, s.pageLimit)
	}
	return apiPrefix + path + "?" + strings.Join(append(query, "limit="+strconv.Itoa(limit)), "&")
}

// administrators is the built-in group whose members Okta lists for nobody. Who is in it is no secret: those who hold
// an admin role, in user_role_assignments. So it is no gap that is passed over here.
const administrators = "Okta Administrators"

// hasMembers skips the groups that are known to be empty, and the one that cannot be listed.
func hasMembers(group []byte) bool {
	if rawjson.GetString(group, "profile", "name") == administrators && rawjson.GetString(group, "type") == "BUILT_IN" {
		return false
	}
	count, ok := rawjson.Get(group, "_embedded", "stats", "usersCount")
	return !ok || string(count) != "0"
}

// mayHoldRoles skips the groups that are known to hold no role.
func mayHoldRoles(group []byte) bool {
	held, ok := holdsRoles(group)
	return held || !ok
}

// holdsRoles reads the flag that Okta spells hasAdminPrivlege; ok is false when the group came without.
func holdsRoles(group []byte) (held, ok bool) {
	for _, name := range []string{"hasAdminPrivlege", "hasAdminPrivilege"} {
		if value, found := rawjson.Get(group, "_embedded", "stats", name); found && !rawjson.IsNull(value) {
			return string(value) == "true", true
		}
	}
	return false, false
}
