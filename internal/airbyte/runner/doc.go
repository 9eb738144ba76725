// Package runner runs connectors of the Airbyte protocol as processes of their own: it asks one for its specification,
// whether a configuration works and what streams there are, and it moves records from a source to a destination.
//
//	r := &runner.Runner{Folder: "DATA/runs", Path: "/usr/bin:/bin", Log: log}
//	outcome, err := r.Run(ctx, runner.Job{
//		ID: 4211, Source: &runner.Side{Command: runner.Command{Args: []string{"./my-source"}}, Config: config},
//		Destination: runner.Side{Command: runner.Command{Image: "airbyte/destination-s3:1.5.0"}, Config: s3},
//		Streams: streams, States: kept,
//	}, sink)
//
// # What stands between the two
//
//	RECORD              forwarded, under the destination's name of its stream; of other streams dropped and counted
//	STATE               forwarded; kept only when the destination gives it back, in order and none left out
//	TRACE, LOG, CONTROL stop here: statuses, estimates and errors to the Sink, configurations to be kept
//	anything else       log text
//
// When the source ended well, every stream that is not resumable, was read in full and told no state gets the state {}, and
// every stream of the catalog the status COMPLETE. When it did not, there is none of these: what the destination has made
// durable by then is kept, and nothing more. The run succeeded only if both processes ended with 0.
//
// A state is kept in the bytes of its source, whatever the destination made of its spelling. One that comes back out of
// order, changed, or with fewer records than were sent is not kept, and ends the run.
//
// # Isolation
//
// A process has a folder of its own, which is gone after the run; an environment of the few variables that the protocol
// names; limits of files, memory and time; and a process group, which is ended with it. It shares the machine's user and
// network: code that nobody trusts belongs into a container image. Nothing is buffered between the two but a line.
package runner
