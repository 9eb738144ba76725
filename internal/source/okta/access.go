package okta

import (
	"net/url"
	"slices"
	"strings"

	"longshore/internal/rawjson"
)

// access is what it takes to read one endpoint, and what it is read for. The table of them is the only place that
// knows: the errors of requests that are refused, the scopes that a service app asks for, Check and the tables of
// docs/okta-access.md follow from it.
type access struct {
	path    string   // from the host on; a name in braces stands for an id
	what    string   // is read there, for messages
	scope   string   // an access token needs
	grant   string   // permission that a custom admin role needs; "" when none lets a custom role read it
	role    string   // the least standard role that suffices
	more    string   // what some of its objects need beyond that, or ""
	streams []string // cannot be read without it
	helps   []string // streams are read without it too, but slower or less surely
	cost    string   // of doing without, one sentence

	query string          // of the probe, which asks for as little as there is
	shows map[string]pick // ids that an answer shows, by the names that paths use
}

// pick chooses the object of a list whose id stands for a name; nil takes the first.
type pick func(object []byte) bool

// The roles that suffice, from the least one on.
const (
	roleReport   = "Report Administrator"
	roleReadOnly = "Read-Only Administrator"
	roleSuper    = "Super Administrator"
)

const (
	clientRolesPath = "/oauth2/v1/clients/{client}/roles"
	sharesPath      = "principal-rate-limits"
)

// accesses is the table. Scopes are those of Okta's API reference; permissions those of its catalog of permissions for
// custom roles, which has none for the System Log, group rules, user types, event hooks and rate limits.
var accesses = []access{ // read only
	{
		path: "/api/v1/users", what: "users", scope: "okta.users.read", grant: "okta.users.read", role: roleReadOnly, query: "limit=1",
		streams: []string{"users", "factors"}, helps: []string{"user_role_assignments", "role_targets"}, shows: map[string]pick{"user": nil},
		cost: "No users, and no roles of users where role holders cannot be listed.",
	},
	{
		path: "/api/v1/groups", what: "groups", scope: "okta.groups.read", grant: "okta.groups.read", role: roleReadOnly, query: "expand=stats&limit=1",
		streams: []string{"groups", "group_members", "group_role_assignments", "role_targets"}, helps: []string{"user_role_assignments"}, shows: map[string]pick{"group": nil},
		cost: "No groups, members or roles of groups; users that hold a role through a group alone may be missed.",
	},
	{
		path: "/api/v1/groups/{group}/users", what: "group members", scope: "okta.groups.read", grant: "okta.groups.read", role: roleReadOnly, query: "limit=1",
		streams: []string{"group_members"}, helps: []string{"user_role_assignments", "role_targets"},
		more: "for groups that hold admin roles, " + roleSuper + " or okta.iam.read",
		cost: "No group members; users that hold a role through a group alone may be missed.",
	},
	{
		path: "/api/v1/iam/assignees/users", what: "admin roles", scope: "okta.roles.read", grant: "okta.iam.read", role: roleSuper, query: "limit=1",
		helps: []string{"user_role_assignments", "role_targets"}, shows: map[string]pick{"holder": nil},
		cost: "Role holders cannot be listed: every single user is asked for roles, which takes hours in a large org.",
	},
	{
		path: "/api/v1/users/{holder}/roles", what: "admin roles", scope: "okta.roles.read", grant: "okta.iam.read", role: roleSuper,
		streams: []string{"user_role_assignments", "role_targets"}, shows: map[string]pick{"grouprole": ofType("USER_ADMIN", "HELP_DESK_ADMIN", "GROUP_MEMBERSHIP_ADMIN"), "approle": ofType("APP_ADMIN")},
		cost: "No admin roles of users.",
	},
	{
		path: "/api/v1/users/{holder}/roles/{grouprole}/targets/groups", what: "targets of admin roles", scope: "okta.roles.read", grant: "okta.iam.read", role: roleSuper, query: "limit=20",
		streams: []string{"role_targets"}, cost: "Nobody sees to which groups an admin role is limited.",
	},
	{
		path: "/api/v1/users/{holder}/roles/{approle}/targets/catalog/apps", what: "targets of admin roles", scope: "okta.roles.read", grant: "okta.iam.read", role: roleSuper, query: "limit=20",
		streams: []string{"role_targets"}, cost: "Nobody sees to which apps an admin role is limited.",
	},
	{
		path: "/api/v1/groups/{group}/roles", what: "admin roles", scope: "okta.roles.read", grant: "okta.iam.read", role: roleSuper,
		streams: []string{"group_role_assignments", "role_targets"}, cost: "No admin roles of groups.",
	},
	{
		path: clientRolesPath, what: "admin roles of apps", scope: "okta.roles.read", grant: "okta.iam.read", role: roleSuper,
		streams: []string{"client_role_assignments", "role_targets"}, cost: "No admin roles of service apps: powers that no person holds stay unseen.",
	},
	{
		path: "/api/v1/iam/roles", what: "custom admin roles", scope: "okta.roles.read", grant: "okta.iam.read", role: roleSuper, query: "limit=1",
		streams: []string{"custom_roles", "permissions"}, shows: map[string]pick{"role": nil}, cost: "No custom roles and no permissions.",
	},
	{
		path: "/api/v1/iam/roles/{role}/permissions", what: "permissions of admin roles", scope: "okta.roles.read", grant: "okta.iam.read", role: roleSuper,
		streams: []string{"permissions"}, cost: "No permissions of custom roles.",
	},
	{
		path: "/api/v1/iam/resource-sets", what: "resource sets", scope: "okta.roles.read", grant: "okta.iam.read", role: roleSuper, query: "limit=1",
		streams: []string{"resource_sets", "resource_set_resources", "resource_set_bindings"}, shows: map[string]pick{"set": nil}, cost: "No resource sets.",
	},
	{
		path: "/api/v1/iam/resource-sets/{set}/resources", what: "resources of resource sets", scope: "okta.roles.read", grant: "okta.iam.read", role: roleSuper, query: "limit=1",
		streams: []string{"resource_set_resources"}, cost: "Nobody sees what a custom role reaches.",
	},
	{
		path: "/api/v1/iam/resource-sets/{set}/bindings", what: "bindings of resource sets", scope: "okta.roles.read", grant: "okta.iam.read", role: roleSuper, query: "limit=1",
		streams: []string{"resource_set_bindings"}, shows: map[string]pick{"bound": nil}, cost: "Nobody sees which custom role is bound to which resource set.",
	},
	{
		path: "/api/v1/iam/resource-sets/{set}/bindings/{bound}/members", what: "members of bindings", scope: "okta.roles.read", grant: "okta.iam.read", role: roleSuper, query: "limit=1",
		streams: []string{"resource_set_bindings"}, cost: "Nobody sees who holds a custom role within a resource set.",
	},
	{
		path: "/api/v1/logs", what: "the System Log", scope: "okta.logs.read", role: roleReport, query: "limit=1",
		streams: []string{"logs"}, cost: "No System Log events, and changes are seen at the next full read only.",
	},
	{
		path: "/api/v1/apps", what: "apps", scope: "okta.apps.read", grant: "okta.apps.read", role: roleReadOnly, query: "limit=50",
		streams: []string{"client_role_assignments", "role_targets", "apps", "app_users", "app_groups"}, shows: map[string]pick{"app": nil, "client": isServiceApp},
		cost: "No apps, no assignments to apps, and no admin roles of service apps.",
	},
	{
		path: "/api/v1/apps/{app}/users", what: "users of apps", scope: "okta.apps.read", grant: "okta.apps.read", role: roleReadOnly, query: "limit=1",
		streams: []string{"app_users"}, cost: "No users of apps.",
	},
	{
		path: "/api/v1/apps/{app}/groups", what: "groups of apps", scope: "okta.apps.read", grant: "okta.apps.read", role: roleReadOnly, query: "limit=20",
		streams: []string{"app_groups"}, cost: "No groups of apps.",
	},
	{
		path: "/api/v1/groups/rules", what: "group rules", scope: "okta.groups.read", role: roleReadOnly, query: "limit=1",
		streams: []string{"group_rules"}, cost: "No group rules: why somebody is a member stays unexplained.",
	},
	{
		path: "/api/v1/devices", what: "devices", scope: "okta.devices.read", grant: "okta.devices.read", role: roleReadOnly, query: "limit=1",
		streams: []string{"devices"}, cost: "No devices. Classic orgs have none.",
	},
	{
		path: "/api/v1/users/{user}/factors", what: "authentication factors", scope: "okta.users.read", grant: "okta.users.read", role: roleReadOnly,
		streams: []string{"factors"}, cost: "Nobody sees who has a second factor.",
	},
	{
		path: "/api/v1/meta/types/user", what: "user types", scope: "okta.userTypes.read", role: roleReadOnly,
		streams: []string{"user_types"}, cost: "No user types.",
	},
	{
		path: "/api/v1/api-tokens", what: "API tokens", scope: "okta.apiTokens.read", grant: "okta.users.apitokens.read", role: roleSuper,
		streams: []string{"api_tokens"}, cost: "Nobody sees which API tokens are alive.",
	},
	{
		path: "/api/v1/principal-rate-limits", what: "rate limits of clients", scope: "okta.principalRateLimits.read", role: roleSuper,
		cost: "What part of the rate limits this credential is granted stays unknown, and the careful half is taken.",
	},
	{
		path: "/api/v1/eventHooks", what: "event hooks", scope: "okta.eventHooks.read", role: roleSuper,
		cost: "Check cannot tell whether Okta's event hooks reach Longshore.",
	},
}

// ofType picks a role assignment of one of the types.
func ofType(types ...string) pick {
	return func(assignment []byte) bool {
		return slices.Contains(types, rawjson.GetString(assignment, "type"))
	}
}

// accessOf returns what it takes to read a request (path and query), by Okta's table of scopes.
func accessOf(request string) access {
	path, _, _ := strings.Cut(request, "?")
	parts := strings.Split(path, "/")
	found, fixed := access{what: path, scope: "the endpoint's okta.*.read scope", role: roleReadOnly}, -1
	for _, a := range accesses {
		if n := alike(strings.Split(a.path, "/"), parts); n > fixed {
			found, fixed = a, n
		}
	}
	return found
}

// alike counts the parts that a pattern and a path have in common, -1 when they do not match. A path below a pattern
// matches too: it is the pattern's object, such as one user of /users.
func alike(pattern, parts []string) int {
	if len(parts) < len(pattern) {
		return -1
	}
	same := 0
	for i, part := range pattern {
		switch {
		case strings.HasPrefix(part, "{"):
		case part == parts[i]:
			same++
		default:
			return -1
		}
	}
	return same
}

// needs says what a caller must hold, for hints: the role, or the custom role.
func (a access) needs() string {
	needs := "the role " + a.role
	if a.grant != "" {
		needs += ", or a custom role with the permission " + a.grant
	}
	if a.more != "" {
		needs += "; " + a.more
	}
	return needs
}

// shown is the path as people know it, with {id} for every id.
func (a access) shown() string {
	return a.fill(func(string) string { return "{id}" })
}

// fill puts ids into the path.
func (a access) fill(id func(name string) string) string {
	parts := strings.Split(a.path, "/")
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			parts[i] = id(strings.TrimSuffix(name, "}"))
		}
	}
	return strings.Join(parts, "/")
}

// names are the ids that the path needs.
func (a access) names() (names []string) {
	a.fill(func(name string) string {
		names = append(names, name)
		return ""
	})
	return names
}

// scopesOf are the scopes that streams need, sorted.
func scopesOf(streams func(name string) bool) (scopes []string) {
	for _, a := range accesses {
		if slices.ContainsFunc(a.streams, streams) || slices.ContainsFunc(a.helps, streams) {
			scopes = append(scopes, a.scope)
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}

// isChosen reports whether a stream is one of those read without being named.
func (s *Source) isChosen(name string) bool {
	return slices.ContainsFunc(s.offered, func(spec streamSpec) bool { return spec.Name == name && !spec.Optional })
}

// neededScopes are those of the streams that are read without being named.
func (s *Source) neededScopes() []string { return scopesOf(s.isChosen) }

// sharesRequest asks what part of the rate limits Okta grants this client; of API tokens it tells that of all.
func (c *client) sharesRequest() string {
	filter := `principalType eq "SSWS_TOKEN"`
	if id := c.auth.identity(); id.ClientID != "" {
		filter = `principalType eq "OAUTH_CLIENT" and principalId eq "` + strings.ReplaceAll(id.ClientID, `"`, "") + `"`
	}
	return apiPrefix + sharesPath + "?filter=" + url.QueryEscape(filter)
}
