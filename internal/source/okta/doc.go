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
// with the error that says which scope or role it lacks. Three kinds of answers look like an end and are none: a list
// that is empty because the credential holds no admin role is told from an org without such objects by the org's users;
// a list of role holders that lacks some is found out by asking a few others; and a listing that never ends is ended.
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
// What a resumed read may do is repeat records, never skip them.
//
//	v                        version, 1; a state without it is of Airbyte's source
//	n, l, p, c               listing, request to go on with, parent begun, request inside of it
//	b                        when the read under way began, by the org's clock
//	done                     the stream is read to its end
//	lastUpdated (users,      the bound: everything before it is known. It stands still until a read is complete, and is
//	groups), s (others)      then the time at which that read began, less a second
//	f                        roles: the request for the log's events behind those that are accounted for
//	published                logs: the bound for Airbyte's source, in whole seconds; it moves on with a whole read
//	r, t                     logs: the newest events' uuids and time
//
// States of Airbyte's source, {"lastUpdated":"…"} and {"published":"…Z"}, are taken over, and its source finds these
// two members in ours.
//
// # Incremental reads
//
// To read on from a state with a bound is an incremental read: what changed since the bound less an overlap, by default
// 2 minutes, because Okta's index lags. Records in the overlap come twice, without change within one read once.
//
//	users                    /users?search=lastUpdated ge bound, in any status
//	groups                   /groups?filter=lastUpdated ge bound or lastMembershipUpdated ge bound
//	group_members            all members of the groups whose lastMembershipUpdated is ge bound
//	user_role_assignments    all roles of whom the log's events about privileges, bindings and memberships name
//	group_role_assignments   all roles of the groups that they name
//	logs                     the stored next link, always
//
// Where the log does not tell whose roles changed (an event without a principal, a bound past its retention, a log that
// may not be read), roles are read in full. What an incremental read never tells is what is gone: a user or group
// deleted, a member taken out, an assignment taken away. That a full read proves, and the feed of changes tells.
//
// The log is polled, the only mode in which no late event is missed. Gaps in it are told: a state older than Okta's 90
// days, and a cursor refused of which the newest events known are not met again.
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
// A client sends its credential to the configured host alone: of a link it takes path and query, and refuses other
// hosts. Of each of the org's rate-limit buckets it spends at most [Config.Share], it leaves a tenth and what other
// clients are seen to need, and it waits by the server's clock: a 429 is a defect. What fits into a window goes as fast
// as it can, what does not is spread over it. How many requests are under way at one time is found out by trying: one
// more after 20 clean answers, half as many after a failure. A bucket that is used up holds up no other.
//
// [Source.Estimate] foresees the calls of a run, [Source.BeginRun] lets the run's streams share what they need in
// common, so that no call of a run is made twice, and [Source.Usage] tells what was spent.
package okta
