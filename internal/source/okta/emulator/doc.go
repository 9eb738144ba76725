// Package emulator is a stand-in Okta org: an [http.Handler] that real Okta clients can read, for demos, tests and load
// runs. Its data is made up and is a pure function of [Options]: the same options give byte-identical bodies on every
// run and platform. Objects are derived when they are asked for, so that an org of a million people with ten million
// events is made in a second or two and costs some tens of bytes a person. What changes afterwards is kept beside that,
// and costs what it is.
//
//	org := emulator.New(emulator.Options{})
//	client := org.Client()                      // no port; or http.ListenAndServe("127.0.0.1:8090", org)
//	r, _ := http.NewRequest("GET", emulator.DefaultBaseURL+"/api/v1/users?limit=200", nil)
//	r.Header.Set("Authorization", "SSWS "+emulator.DefaultToken)
//	response, err := client.Do(r)
//
// # What is served
//
// POST /oauth2/v1/token, and GET, with a credential in Authorization:
//
//	/.well-known/okta-organization             needs none
//	/api/v1/org, /api/v1/principal-rate-limits
//	/api/v1/users                              filter, search, sortBy, sortOrder, q, fields, limit, after
//	/api/v1/users/{id, login or me}            and under it /roles, /groups, /factors, /devices
//	.../roles                                  expand=targets/groups or targets/catalog/apps; and under it the same as
//	                                           /{assignment}/targets/..., of users, groups and clients
//	/api/v1/groups                             filter, search, q, expand=stats
//	/api/v1/groups/{id}                        and under it /users, /roles, /apps
//	/api/v1/groups/rules                       search, expand=groupIdToGroupNameMap; and {id}
//	/api/v1/apps                               q, filter, useOptimization; and {id}, /users, /groups
//	/api/v1/devices                            search, expand=user or userSummary; and {id}, /users
//	/api/v1/meta/types/user                    and {id}
//	/api/v1/meta/schemas/user/{default or id}
//	/api/v1/api-tokens                         and {id}
//	/api/v1/iam/assignees/users
//	/api/v1/iam/roles                          custom roles, and the three standard ones built on them
//	/api/v1/iam/roles/{id or label}            and under it /permissions
//	/api/v1/iam/resource-sets                  and {id or label}, /resources, /bindings, /bindings/{role}/members
//	/api/v1/eventHooks                         and {id}
//	/api/v1/logs                               polling and bounded; since, until, after, filter, q, sortOrder, limit
//	/oauth2/v1/clients/{id}/roles              of OAuth clients among the applications
//
// Bodies of 512 bytes and more are gzip for those who take it.
//
// With them come what clients stumble over in real orgs: DEPROVISIONED users hidden from the plain listing, Link lines
// that re-emit the query, IAM lists paged in the body, admin hosts in links, limits clamped in silence, assignment ids
// that are no identifiers, nulls by status, polling that always has a next link, events published out of order, the
// members of Okta Administrators that nobody may list (403), roles that reach people through groups alone, role targets
// that come by 20 whatever is asked for, ids of app users that are the users', and secrets in what can be listed: client
// secrets, seeds of factors that were never activated, recovery questions.
//
// What Okta does not document, and is an assumption here: an assignment id that all assignments of a role share names, under
// a user, her own assignment, and that of a group of hers only when she has none of her own; useOptimization leaves out
// credentials and settings; fields leaves out all that is not named, but for the id.
//
// # What changes
//
// The same changes are made by methods ([Org.CreateUser], [Org.Grant], [Org.Join], [Org.Delete] and so on), by name
// ([Org.Do], which the control API calls), at random ([Org.Workload], [Org.Live]) and by Okta's own
// endpoints:
//
//	POST /api/v1/users                         and POST, PUT or DELETE .../{id}: DELETE deactivates first, then erases
//	POST /api/v1/users/{id}/lifecycle/{step}   activate, reactivate, deactivate, suspend, unsuspend, unlock, expire_password, reset_password
//	POST /api/v1/users/{id}/roles              DELETE .../{id, or type}; the same under /groups/{id}
//	POST /api/v1/groups                        PUT or DELETE /groups/{id}, PUT or DELETE /groups/{id}/users/{id}
//	POST /api/v1/iam/roles                     PUT or DELETE .../{role}; POST, PUT or DELETE .../permissions/{label}
//	POST /api/v1/iam/resource-sets             PUT or DELETE .../{set}; PATCH .../resources, DELETE .../resources/{id}
//	POST /api/v1/iam/resource-sets/{set}/bindings    DELETE .../{role}; PATCH .../members, DELETE .../members/{id}
//	POST /api/v1/eventHooks                    PUT or DELETE .../{id}; .../lifecycle/verify, activate, deactivate
//
// Each change is told in the log, by the types and targets of the real one: those of a group first, then those of the
// people it reaches; privilegeGranted lists all that is held now, and a revoke says that nothing is left. Times move as
// in real orgs: a role or a membership moves no user's lastUpdated, a membership moves its group's
// lastMembershipUpdated, one more role with targets rewrites the times of all such roles of its holder. Deactivating
// ends roles and memberships. An import ([Org.ImportProfile]) changes what no event tells of. [Org.Changes] is the ledger
// of it all, [Org.Truth] the state that it led to, [Org.Advance] sets the clock forward and [Org.Reset] undoes it.
//
// Event hooks are delivered for real once they are verified: the secret in its header, 3 s for an answer, a second
// attempt after a 5xx or none. One goroutine and those it starts deliver while there is a hook; [Org.Close] ends it.
// The events of one change that a hook wants come in one envelope.
//
// Refused are roles of groups with more than 5000 members, memberships of imported and built-in groups, changes of the
// standard roles, filters of hooks; an org keeps at most a million changes.
//
// # What is not served
//
// Any verb elsewhere is 405. Policies, authorization servers and much else are not there: an unknown path is 404
// E0000008. Of OAuth there is only the org authorization server's token endpoint: no consent, no introspection, no
// revocation endpoint, and refresh tokens do not rotate.
//
// # Who is let in
//
// The API token, as "Authorization: SSWS ...", may do everything. An [App] gets access tokens at POST /oauth2/v1/token:
// with a signed client assertion (private_key_jwt; RS256 to RS512, ES256 to ES512; kid, iss, sub, aud, exp at most an hour
// ahead, jti never twice), or with a refresh token over HTTP Basic. It gets those of the scopes it asks for that it was
// granted; each endpoint wants its scope, or the .manage one, and an app without an admin role gets empty lists. DPoP
// is verified whole: the proof's form and signature, htm, htu without query, iat within five minutes, a jti that is never
// used twice, ath, the key that the token is bound to, and the nonce, which changes and for a while is taken in its old
// form too. A client may count time from its own clock or from the Date header, since the org stands at a fixed instant.
//
//	key, err := emulator.NewKey("RSA")
//	app := emulator.App{ClientID: emulator.DefaultClientID, Keys: key.JWKS(), Scopes: emulator.ReadScopes(), DPoP: true}
//	org := emulator.New(emulator.Options{OAuth: emulator.OAuth{Apps: []emulator.App{app}}})
//
//	what is wrong                                    answer
//	no Authorization                                 403 E0000005
//	a wrong API token                                401 E0000011
//	an access token that is dead, or bound and used  401, WWW-Authenticate: ... error="invalid_token", no body
//	  as a bearer token
//	a proof that is wrong; one without the nonce     401 invalid_dpop_proof; 401 use_dpop_nonce with dpop-nonce
//	a scope that is missing                          403 insufficient_scope, no body
//	the same at the token endpoint                   400 or 401 with {"error":...,"error_description":...}
//
// [Org.Withdraw] takes a token, a scope, an app or its role away while the org runs: at once, after so many requests, or
// after so much time.
//
// # Limits and noise
//
// [RateLimits] say how much the org lets through: by bucket, in windows that start with their first request, and by
// client, each of which has its share of the buckets and of what may be in flight. [Noise] is somebody else who uses the
// same buckets in the background. [Org.Stats] tells what each client did and got, and as Displaced how many 429s the
// noise got only because clients had taken its room: a considerate client keeps it at zero.
//
// # Trouble
//
// [Faults] are made by path, and by number, share or time of the request: statuses with or without JSON, both kinds of
// 429, waits (fixed, log-normal, by page size, in the middle of a body), connections that end or are reset, gzip and JSON
// that break off, lists that are empty, repeat or lose a record, and cursors that expire, lead back or lead to another
// host, where Stats then sees whether a credential was brought along; dying tokens, changing nonces and a wrong clock.
// [ParseFault] reads one from a line.
//
// # Other knobs
//
// [Options] say how large the org is and from which seed. IndexLag and LogLag let filter, search and the log stay behind;
// [HookOptions] drop, double and shuffle deliveries. [Org.Truth] is the ledger to compare a reader's result with.
// [Org.Control] is an HTTP API, for a port of its own, that does what SetFaults, SetLimits, SetNoise, Withdraw and Stats
// do.
//
// # The demo company
//
// Harborline moves freight. Of its 500 people a few are worth finding: a contractor from outside who is super
// administrator through a group with a harmless name, and whose contract has ended; the engineer who made that so, one
// night; a leaver, suspended, whose roles nobody took away; a service account with the rights of an organization
// administrator that never signed in, and whose password somebody is guessing; an emergency account nobody has used for
// months. The log tells how it came about.
package emulator
