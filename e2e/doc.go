// Package e2e tests the whole binary, as a person would use it: killed processes, damaged objects, S3 tools. The tests
// have the build tag e2e; make e2e runs them.
package e2e
