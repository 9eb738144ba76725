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
// POST /oauth2/v1/token, and GET, with a credential in Authorization:
//
//	/.well-known/okta-organization             needs none
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
// Any other verb is 405: the org is read-only, and its data does not change while it runs; only its clock does.
// Applications, devices, schemas, group rules, role targets and their expand, the projection fields= (ignored, as an
// unknown parameter), event hooks and gzip are not there: an unknown path is 404 E0000008. Of OAuth there is only the org
// authorization server's token endpoint: no consent, no introspection, no revocation endpoint, and refresh tokens do not
// rotate.
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
// [Options] say how large the org is and from which seed. [Org.Truth] is the ledger to compare a reader's result with.
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
