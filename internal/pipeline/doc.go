// Package pipeline moves records from a Source to a Destination: [Source], [Stream], Page, State and [Sync].
// It knows nothing of Okta, S3 or the catalog.
package pipeline
