// Package s3server is the embedded S3 endpoint: versitygw's gateway over a folder, so that any S3 client can use the
// lake of a single machine. [Start] it, and open the bucket with lake/s3.
//
// On disk an object is a plain file, DIR/{bucket}/{key}; its ETag, type and metadata lie beside, in
// DIR.meta/{bucket}/{key}/meta. A put answers once all of it is durable.
//
// # Limits
//
// One server a process at a time: the gateway keeps state in globals, and changes the working directory of the whole
// process to DIR. Make every path absolute before Start; Stop goes back.
//
// As in any file system a key cannot be an object and the folder of another ("a" and "a/b"), a part of a key has at
// most 255 bytes, and runs of slashes (a leading one too) collapse.
package s3server
