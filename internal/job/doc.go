// Package job runs what runs later, again or on time, and hides what lies below the queue.
//
// River does the work: claims, retries, unique jobs, cancellation, resumption. Its tables lie in the same database as
// the catalog, so a job's effects and its completion commit in one transaction. Six kinds of job exist: sync (one
// connection's run, worked in quanta), feed (a connection's source, followed in quanta), ingest_object (one lake object),
// tick (a due time of a connection's schedule), changelog (a blueprint's changes, told to its changelog destination), and retention
// (entities that blueprints keep no longer, let go). Others see [Queue] and [Handlers].
package job
