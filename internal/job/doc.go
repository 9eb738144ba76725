// Package job runs what runs later, again or on time, and hides what lies below the queue.
//
// River does the work: claims, retries, unique jobs, cancellation, resumption. Its tables lie in the same database as
// the catalog, so a job's effects and its completion commit in one transaction. Two kinds of job exist: sync (one
// connection's run, worked in quanta) and ingest_object (one lake object). Others see [Queue] and [Handlers].
package job
