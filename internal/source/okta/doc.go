// Package okta is the Okta Source: it reads an org's users, groups, memberships, admin roles and System Log as raw
// JSON records, page by page.
//
//	source, err := okta.Open(okta.Config{OrgURL: "acme", Token: token})
//	for page, err := range source.Read(ctx, "users", nil) { … }
//
// Records are the bytes that Okta sent. Only this ever touches them: a record with line breaks is written as one line,
// a record of a sub-stream gets its parents' ids as last members (userId, groupId, roleId and so on), an event repeated
// by a replayed log page is dropped, and what could help somebody to get in is cut out (see Secrets).
//
// # Streams
//
//	stream                   request                                          parents
//	users                    /users, then its DEPROVISIONED users             -
//	groups                   /groups                                          -
//	group_members            /groups/{id}/users                               groups that have members
//	user_role_assignments    /users/{id}/roles                                users that hold a role
//	group_role_assignments   /groups/{id}/roles                               groups that hold a role
//	client_role_assignments  /oauth2/v1/clients/{id}/roles                    apps that are OAuth service apps
//	role_targets             …/roles/{id}/targets/groups, …/catalog/apps      their assignments of roles that take targets
//	custom_roles             /iam/roles                                       -
//	standard_roles           none: a table of this program                    -
//	permissions              /iam/roles/{id}/permissions                      custom roles
//	resource_sets            /iam/resource-sets                               -
//	resource_set_resources   /iam/resource-sets/{id}/resources                resource sets
//	resource_set_bindings    …/bindings/{role}/members                        resource sets and the roles bound to each
//	logs                     /logs, polling                                   -
//
// Optional, which is to say read only when chosen by name (see [Source.Choose]):
//
//	apps                     /apps                                            -
//	app_users                /apps/{id}/users                                 apps
//	app_groups               /apps/{id}/groups                                apps
//	group_rules              /groups/rules                                    -
//	devices                  /devices                                         -
//	factors                  /users/{id}/factors                              users, each of them
//	user_types               /meta/types/user                                 -
//	api_tokens               /api-tokens                                      -
//
// Their members beside Okta's own, and their keys:
//
//	stream                   members added                                    primary key
//	group_members            groupId                                          groupId, id
//	user_role_assignments    userId                                           userId, assignmentType, id, _links.assignee.href
//	group_role_assignments   groupId                                          groupId, id
//	client_role_assignments  clientId                                         clientId, id
//	role_targets             principalType, principalId, unrestricted,        principalType, principalId, id
//	                         targets (all of them, as Okta tells each)
//	standard_roles           tableDate                                        id (the role's type)
//	permissions              roleId                                           roleId, label
//	resource_set_resources   resourceSetId                                    resourceSetId, id
//	resource_set_bindings    resourceSetId, roleId, memberType, memberId      resourceSetId, roleId, id
//	app_users, app_groups    appId                                            appId, id
//	factors                  userId                                           userId, id
//	logs                     -                                                uuid
//	all others               -                                                id
//
// Names, parents' ids and keys are those of Airbyte's Okta source where it has the stream, with three differences:
// permissions get roleId, without which their labels repeat; user_role_assignments has a longer key, because Okta
// repeats the ids of assignments; and published keeps its milliseconds. No stream is cut off by a start date but the
// log, which Okta keeps for 90 days.
//
// # What is missing is said
//
// A stream ends in one of three ways: to its end, to its end with gaps (a parent gone or not to be read, named), or
// with the error that says which scope or role it lacks. Some answers look like an end and are none:
//
//   - A list that is empty because the credential holds no admin role, or lost it on the way: no org is without users, so
//     they tell. Before a stream ends that had empty lists below its parents, it looks whether users are still seen.
//   - A list that is empty against what other lists say (a page that a link promised, members that a group counts, the
//     roles of a role holder, the members of a binding) is asked for again, and is a gap if it stays so.
//   - A list of role holders that lacks some: a few other users are asked as well, and if need be everyone.
//   - A listing that goes in circles, or on for ever with empty pages, is ended.
//
// What nobody can tell is one object that moved across a page while the listing was read.
//
// # Secrets
//
// Cut out, by stream: of users and group_members credentials.recovery_question.question and .answer and the values of
// credentials.password; of apps the credentials but for kinds, ids and the user name template, settings.app, and any
// member at any depth whose name tells of a secret or password; of app_users the value of credentials.password; of
// factors profile.question, .questionText and .answer, and what belongs to an enrolment under way; of api_tokens a
// token, should one ever come. The rest of such a record is what Okta sent.
//
// # State
//
// A state is a small JSON object: the request (path and query) to go on with and, in a sub-stream, the parents' page
// and the last parent done. A resumed read lists that page of parents again, so the state never grows with the org.
// Users listed with several cursors ([Config.Partitions]) leave the ranges of creation times that are still to be read.
// What a resumed read may do is repeat records, never skip them. A stream read to its end leaves {"done":true}, and
// reading on from there yields nothing; the log has no end, and always leaves the request to poll next.
//
// # Signing in
//
// By an API token, by a service app with a key of its own ([ServiceApp]: private_key_jwt, with DPoP once Okta demands it),
// by a refresh token, or by an access token that somebody else keeps fresh. Access tokens are renewed after 80 % of
// their life by one request, while the others go on with the old one; a 401 renews once and repeats. Times in
// assertions and proofs are those of Okta's Date. What each endpoint needs is one table (access.go), from which
// errors, default scopes, [Source.Check] and docs/okta-access.md follow.
//
// # Manners
//
// A client spends at most [Config.Share] of each of the org's rate-limit buckets, waits by the server's clock, and
// sends its credential to the configured host alone: of a link it takes path and query, and refuses other hosts.
package okta
