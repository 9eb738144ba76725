// Package auth says who is calling: a machine by an access token, or the browser on this machine by a session.
//
// A [Keeper] checks client credentials and hands out access tokens, makes one-time sign-in links and the session cookies
// that they turn into, and names the [Principal] behind a request. Tokens and sessions are JSON Web Tokens (HS256) under
// two keys derived from one secret, so that neither passes for the other; they outlive a restart.
package auth
