// Package ingest turns what lies in the lake, or arrives at a webhook, into catalog changes and verdicts.
//
// There are two ways in and one way on. A lake object is found by our own writer or by listing; a webhook call is first
// made durable as a lake object, so that the catalog stays a fold of the lake. [Ingester] reads an object line by line,
// applies the mappings of the webhook that its namespace names, writes the catalog and the ledger of verdicts, and marks
// how far it came, all in one transaction a chunk: killed at any point, it goes on where the last chunk ended.
package ingest
