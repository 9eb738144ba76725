// Package emulator is a stand-in Okta org: an [http.Handler] that real Okta clients can read, for demos, tests and load
// runs. Its data is made up and is a pure function of [Options]: the same options give byte-identical bodies on every
// run and platform. Objects are derived when they are asked for, so that an org of 100,000 people is made in some tens
// of milliseconds and costs some tens of bytes a person.
//
//	org := emulator.New(emulator.Options{})
//	client := org.Client()                      // no port; or http.ListenAndServe("127.0.0.1:8090", org)
//	r, _ := http.NewRequest("GET", emulator.DefaultBaseURL+"/api/v1/users?limit=200", nil)
//	r.Header.Set("Authorization", "SSWS "+emulator.DefaultToken)
//	response, err := client.Do(r)
//
// # What is served
//
// GET, with the token as "Authorization: SSWS ...":
//
//	/.well-known/okta-organization             needs no token
//	/api/v1/org, /api/v1/principal-rate-limits
//	/api/v1/users                              filter, search, sortBy, sortOrder, q, limit, after
//	/api/v1/users/{id, login or me}            and under it /roles, /groups, /factors (nobody has any)
//	/api/v1/groups                             filter, search, q, expand=stats
//	/api/v1/groups/{id}                        and under it /users, /roles
//	/api/v1/iam/assignees/users
//	/api/v1/iam/roles                          custom roles, and the three standard ones built on them
//	/api/v1/iam/roles/{id or label}            and under it /permissions
//	/api/v1/iam/resource-sets                  and {id or label}, /resources, /bindings, /bindings/{role}/members
//	/api/v1/logs                               polling and bounded; since, until, after, filter, q, sortOrder, limit
//	/oauth2/v1/clients/{id}/roles              always []
//
// With them come what clients stumble over in real orgs: DEPROVISIONED users hidden from the plain listing, Link lines
// that re-emit the query, IAM lists paged in the body, admin hosts in links, limits clamped in silence, assignment ids
// that are no identifiers, nulls by status, polling that always has a next link, events published out of order, the
// members of Okta Administrators that nobody may list (403), roles that reach people through groups alone.
//
// # What is not served
//
// Any other verb is 405: the org is read-only, and its data does not change while it runs; only its clock does. OAuth
// (tokens, DPoP), applications, devices, schemas, group rules, role targets and their expand, the projection fields=
// (ignored, as an unknown parameter), event hooks and gzip are not there: an unknown path is 404 E0000008.
//
// # Knobs
//
// [Options] say how large the org is and from which seed; [RateLimits] how much it lets through; [Faults] what trouble
// it makes, by path prefix: statuses, both kinds of 429, latency, truncated and malformed bodies, empty pages and
// repeated cursors. [Org.Truth] is the ledger to compare a reader's result with, [Org.Stats] what was asked of it.
//
// # The demo company
//
// Harborline moves freight. Of its 500 people a few are worth finding: a contractor from outside who is super
// administrator through a group with a harmless name, and whose contract has ended; the engineer who made that so, one
// night; a leaver, suspended, whose roles nobody took away; a service account with the rights of an organization
// administrator that never signed in, and whose password somebody is guessing; an emergency account nobody has used for
// months. The log tells how it came about.
package emulator
