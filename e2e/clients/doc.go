// Package clients runs real clients of Port, as they are published, against the whole binary. The tests have the build
// tag clients; make port-clients runs them. They download what they run and are skipped, with the reason, where that
// cannot be had.
package clients
