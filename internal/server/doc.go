// Package server is the listener that all doors share: timeouts, trace ids, recovery, limits, cross-origin protection,
// health and metrics. The doors are handed to it; it knows none of them.
//
// A [Door] is a handler under a path prefix. Paths are matched as they were escaped and never cleaned: identifiers may
// hold slashes (%2F) and empty segments. One thing is normalised, a doubled slash at the very start, which comes from a
// base URL that ends in one.
package server
