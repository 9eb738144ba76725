package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"longshore/internal/job"
	"longshore/internal/pipeline"
)

func newSync() *cobra.Command {
	var streams []string
	var full, changes bool
	cmd := &cobra.Command{
		Use:   "sync [CONNECTION]",
		Short: "read the org into the lake now, and wait for it",
		Long: `Sync runs a connection once: every chosen stream is read from Okta into the lake. What is in the lake then waits for ingest;
longshore ingest or longshore up takes it into the catalog. The connection made by up is called okta.

Users, groups, members and roles are read whole every time, the log from where it was left. With --incremental only what changed since
the last run is read of users, groups, group_members, user_role_assignments and group_role_assignments. That is quick, but it proves
nothing gone: a user deleted, a member taken out of a group or a role taken away is seen by the next run without --incremental.`,
		Example: `  longshore sync
  longshore sync okta --stream users --stream groups
  longshore sync --full        # read incremental streams from their start again
  longshore sync --incremental # read only what changed, where Okta can tell`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := connectionName
			if len(args) == 1 {
				name = args[0]
			}
			if full && changes {
				return &usageError{errors.New("--full and --incremental exclude each other")}
			}
			return runSync(cmd, name, streams, full, changes)
		},
	}
	cmd.Flags().StringArrayVar(&streams, "stream", nil, "read this stream only (may be given more than once)")
	cmd.Flags().BoolVar(&full, "full", false, "read incremental streams from their start again")
	cmd.Flags().BoolVar(&changes, "incremental", false, "read only what changed since the last run, where that can be told")
	return cmd
}

func runSync(cmd *cobra.Command, name string, streams []string, full, changes bool) error {
	ctx := cmd.Context()
	a, err := openFor(cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := a.openSource(); err != nil {
		return err
	}
	say := newSayer(cmd, false)
	if err := a.preflight(ctx, say); err != nil {
		return err
	}
	conn, err := a.named(ctx, name)
	if err != nil {
		return err
	}
	if len(streams) > 0 {
		conn = only(conn, streams)
	}
	chosen, err := a.chosen(conn)
	if err != nil {
		return &usageError{err}
	}
	if changes {
		conn = changesOf(conn, chosen) // of this run alone
	}
	w := &worker{app: a, say: say}
	return w.with(ctx, job.Handlers{Sync: w.sync}, func(ctx context.Context) error {
		id, started, err := a.syncs.StartRun(ctx, conn, chosen, full, causeManual)
		if err != nil {
			return err
		}
		if !started {
			say.f("Taking up sync %d where it was interrupted.\n", id)
		}
		if err := w.awaitRun(ctx, id); err != nil {
			return err
		}
		return a.tellRun(ctx, say, id)
	})
}

// only is the connection with these of its streams, each as it was chosen.
func only(conn pipeline.Connection, streams []string) pipeline.Connection {
	var choices []pipeline.StreamChoice
	for _, name := range streams {
		choices = append(choices, conn.Choice(name))
	}
	conn.Streams = choices
	return conn
}

// changesOf is the connection with only changes read of the streams, where the source can tell them.
func changesOf(conn pipeline.Connection, chosen []pipeline.Stream) pipeline.Connection {
	var choices []pipeline.StreamChoice
	for _, st := range chosen {
		choice := conn.Choice(st.Name)
		choice.SyncMode = pipeline.IncrementalAppend
		choices = append(choices, choice)
	}
	conn.Streams = choices
	return conn
}

// named returns the connection of that name; the one that up makes is made here too.
func (a *app) named(ctx context.Context, name string) (pipeline.Connection, error) {
	if name == connectionName {
		return a.connection(ctx)
	}
	return a.byName(ctx, name)
}

// tellRun says how a run ended; one that failed is an error.
func (a *app) tellRun(ctx context.Context, say *sayer, id int64) error {
	run, err := a.syncs.Run(ctx, id)
	if err != nil {
		return err
	}
	var rows, bytes int64
	for _, st := range run.Streams {
		rows, bytes = rows+st.LakeRows, bytes+st.LakeBytes
	}
	say.f("Sync %d: %s; %d rows, %d bytes in the lake. Next: longshore ingest\n", run.ID, run.Status, rows, bytes)
	if run.Status == pipeline.Failed {
		return fmt.Errorf("sync %d failed: %s", run.ID, run.Error)
	}
	return nil
}

func connectionsHint(names []string) string {
	if len(names) == 0 {
		return "there is no connection here yet: longshore up makes the one called " + connectionName
	}
	return "there is " + strings.Join(names, ", ")
}
