package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"longshore/internal/fault"
	"longshore/internal/job"
	"longshore/internal/pipeline"
	"longshore/internal/store"
)

func newClear() *cobra.Command {
	var streams []string
	var refresh, keep bool
	cmd := &cobra.Command{
		Use:   "clear CONNECTION",
		Short: "begin a connection's streams anew: take back what they left in the lake, or read all of it again",
		Long: `Clear begins a new generation of a connection's streams and forgets how far they are read. Nothing is asked of the source, and a cleared stream
proves nothing gone. With --refresh everything is read again from its start in the same run; --keep leaves what older generations brought.`,
		Example: `  longshore clear okta --stream users
  longshore clear okta --refresh --keep`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if keep && !refresh {
				return &usageError{errors.New("--keep goes with --refresh")}
			}
			start := store.Start{Type: pipeline.JobClear, Cause: causeManual, Actor: localUser(), Keep: keep}
			if refresh {
				start.Type = pipeline.JobRefresh
			}
			return runClear(cmd, args[0], streams, start)
		},
	}
	cmd.Flags().StringArrayVar(&streams, "stream", nil, "this stream only (may be given more than once)")
	cmd.Flags().BoolVar(&refresh, "refresh", false, "read everything again from its start")
	cmd.Flags().BoolVar(&keep, "keep", false, "with --refresh: keep what older generations brought")
	return cmd
}

func runClear(cmd *cobra.Command, name string, streams []string, start store.Start) error {
	ctx := cmd.Context()
	a, err := openFor(cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := a.openSource(); err != nil {
		return err
	}
	if start.Connection, err = a.named(ctx, name); err != nil {
		return err
	}
	if len(streams) > 0 {
		start.Connection = only(start.Connection, streams)
	}
	say := newSayer(cmd, false)
	w := &worker{app: a, say: say}
	if start, err = w.ready(ctx, start); err != nil {
		return err
	}
	if start.Failed != "" {
		return fault.Errorf(fault.Invalid, "%s", start.Failed)
	}
	return w.with(ctx, job.Handlers{Sync: w.sync}, func(ctx context.Context) error {
		id, started, err := a.syncs.Start(ctx, start)
		if err != nil {
			return err
		}
		if !started {
			return fault.Errorf(fault.Conflict, "sync %d of %q is under way", id, name).WithHint("wait for it, or end it: longshore runs cancel %d", id)
		}
		if err := w.awaitRun(ctx, id); err != nil {
			return err
		}
		run, err := a.syncs.Run(ctx, id)
		if err != nil {
			return err
		}
		say.f("Sync %d: %s, %s\n", id, run.Type, run.Status)
		if run.Status != pipeline.Succeeded {
			return fmt.Errorf("sync %d is %s: %s", id, run.Status, run.Error)
		}
		return nil
	})
}
