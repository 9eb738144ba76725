// Package okta is the Okta Source: it reads an org's users, groups, memberships, admin roles and System Log as raw
// JSON records, page by page.
//
//	source, err := okta.Open(okta.Config{OrgURL: "acme", Token: token})
//	for page, err := range source.Read(ctx, "users", nil) { … }
//
// Records are the bytes that Okta sent. Only three things ever touch them: a record with line breaks is written as
// one line, a record of a sub-stream gets its parent's id as last member (userId, groupId, roleId), and an event
// repeated by a replayed log page is dropped.
//
// # Streams
//
//	stream                   request                                          parents
//	users                    /users, then its DEPROVISIONED users             -
//	groups                   /groups                                          -
//	group_members            /groups/{id}/users                               groups that have members
//	user_role_assignments    /users/{id}/roles                                users that hold a role
//	group_role_assignments   /groups/{id}/roles                               groups that hold a role
//	custom_roles             /iam/roles                                       -
//	permissions              /iam/roles/{id}/permissions                      custom roles
//	resource_sets            /iam/resource-sets                               -
//	logs                     /logs, polling                                   -
//
// Names, parents' ids and keys are those of Airbyte's Okta source, with three differences: permissions get roleId,
// without which their labels repeat; user_role_assignments has a longer key, because Okta repeats the ids of
// assignments; and published keeps its milliseconds. No stream is cut off by a start date but the log, which Okta
// keeps for 90 days.
//
// # State
//
// A state is a small JSON object: the request (path and query) to go on with and, in a sub-stream, the parents' page
// and the last parent done. A resumed read lists that page of parents again, so the state never grows with the org.
// What a resumed read may do is repeat records, never skip them. A stream read to its end leaves {"done":true}, and
// reading on from there yields nothing; the log has no end, and always leaves the request to poll next.
//
// # Manners
//
// A client spends at most [Config.Share] of each of the org's rate-limit buckets, waits by the server's clock, and
// sends its credential to the configured host alone: of a link it takes path and query, and refuses other hosts.
package okta
