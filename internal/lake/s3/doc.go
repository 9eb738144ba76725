// Package s3 is a lake.Bucket over S3 or any store that speaks its protocol: [Open] it, and [Bucket.Check] what the
// credential may do.
//
// Objects are put in one request, so that they are whole or not there, and so that the store can refuse an existing
// key (If-None-Match). Some stores pass that header over; Check says so.
package s3
