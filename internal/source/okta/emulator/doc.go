// Package emulator is a stand-in Okta org: an [http.Handler] that real Okta clients can read, for demos, tests and load
// runs. Its data is made up and is a pure function of [Options]: the same options give byte-identical bodies on every
// run and platform. Objects are derived when they are asked for, so an org of 100,000 people costs a few bytes each.
package emulator
