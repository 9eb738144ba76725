// Package s3 is the S3 Destination: JSON Lines with Airbyte's envelope, under Airbyte's keys.
//
// [ParseSettings] reads a configuration of Airbyte's S3 destination; [Spec] is its JSON schema. A [Destination] writes
// the batches of a sync, one object each; a [Writing] writes streams of records that come mixed, as the connector does,
// and closes objects by size and age.
//
// # Names
//
// No object is ever written over another. In a folder of its own run (the path format has an epoch) parts count from 0;
// elsewhere they go on behind the highest number that is there. A name that is taken all the same gets -1, -2, … behind
// its extension.
//
// # What an object says of itself
//
//	ab-generation-id   the generation of its stream in its connection, as Airbyte's S3 destination notes it
//	longshore-commit   {"rows":…,"sha256":…,"sync":…,"part":…} and, of a sync, how far its stream is read with it
//	longshore-owner    which connection's stream it is of: compared, never read
//
// # Overwriting
//
// [Destination.Supersede] deletes what a whole generation of a stream takes the place of: objects under the names of this
// stream, of a lower generation, that say of no other connection or stream that they are its own.
package s3
