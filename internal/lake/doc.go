// Package lake holds the layout of the bucket between the two wings: object keys, the gzip JSON Lines format with
// Airbyte's envelope, manifests, and the [Bucket] interface. Either wing can run without the other; they meet here.
//
// # Words
//
// An object is a file in a [Bucket]. A [Layout] names objects and finds namespace and stream in a name. A [Writer]
// builds one object in a temporary file, a [Reader] takes one apart line by line. A [Manifest] says what one sync
// wrote of one stream, and whether that is all there is.
//
// # Format
//
// Key: {bucket path}/{path format}{file pattern}, as Airbyte's S3 destination 1.5 and later makes it, by default
//
//	data/okta/users/year=2025/month=03/07_1741338302034_0.jsonl.gz
//
// Line, as the Writer writes it (the Reader accepts every older form too):
//
//	{"_airbyte_raw_id":"<uuid>","_airbyte_extracted_at":1741338302034,"_airbyte_meta":{"sync_id":4211,"changes":[]},"_airbyte_generation_id":7,"_airbyte_data":{"id":"00u1"}}
//
// A webhook call is a line with one more member before the data, and its data may be any JSON value:
//
//	"_longshore_event":{"headers":{...},"queryParams":{...}}
//
// Everything of ours that is not a record lies under [OwnPrefix], which is never ingested.
package lake
