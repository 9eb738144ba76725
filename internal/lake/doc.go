// Package lake holds the layout of the bucket between the two wings: object keys, the gzip JSON Lines format with
// Airbyte's envelope, manifests, and the [Bucket] interface. Either wing can run without the other; they meet here.
package lake
