// Package airbyte speaks the Airbyte protocol. A [Connector] runs a [pipeline.Source] as a connector process, whose
// commands spec, check, discover and read answer with one JSON message a line; a [Destination] takes such messages with
// its command write, and gives each state back once the records before it are stored.
//
//	c := airbyte.Connector{Specification: spec, Open: open}
//	ok := c.Run(ctx, "read", airbyte.Files{Config: "config.json", Catalog: "catalog.json"}, os.Stdout)
//
// # Messages
//
//	RECORD             a record's own bytes, never decoded, in the order of the source's pages
//	STATE              behind every page: what to hand in with --state to go on from there
//	TRACE              STREAM_STATUS (STARTED, RUNNING, then COMPLETE or INCOMPLETE), ESTIMATE, ERROR
//	LOG                the program's log: standard output holds messages alone
//	CATALOG, SPEC, CONNECTION_STATUS, CONTROL
//
// A stream that fails, or that has gaps, ends INCOMPLETE with a TRACE ERROR that names it; the others are read all the
// same, and the process ends with 1. Counts of records in a STATE are doubles with a decimal point, as the platform
// writes them.
//
// [ParseMessage] takes a line apart without decoding what it carries, [Lines] cuts lines of any length. [Validator] checks a connector's output line by line against the same rules.
package airbyte
