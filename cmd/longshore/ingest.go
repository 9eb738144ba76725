package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"longshore/internal/ingest"
	"longshore/internal/job"
	"longshore/internal/receipt"
	"longshore/packs"
)

type ingestOptions struct {
	replay bool
	since  string
	prefix string
	pack   string
	asJSON bool
}

func newIngest() *cobra.Command {
	var o ingestOptions
	cmd := &cobra.Command{
		Use:   "ingest",
		Short: "take what lies in the lake into the catalog; no Okta call",
		Long: `Ingest lists the bucket and takes every object that is not in the catalog yet. With --replay it reads objects again that were
taken before, under the mappings of today; --since and --prefix choose which. Exit 1 when a number does not add up.`,
		Example: `  longshore ingest
  longshore ingest --replay
  longshore ingest --replay --prefix data/okta/users/ --since 2026-11-01T00:00:00Z`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runIngest(cmd, o) },
	}
	cmd.Flags().BoolVar(&o.replay, "replay", false, "read objects again that are in the catalog already")
	cmd.Flags().StringVar(&o.since, "since", "", "with --replay: objects found at or after this time (RFC 3339, or a duration such as 24h)")
	cmd.Flags().StringVar(&o.prefix, "prefix", "", "with --replay: objects whose key starts so")
	cmd.Flags().StringVar(&o.pack, "pack", "", "data model to install when the data folder is new (default okta)")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print the account as JSON")
	return cmd
}

func runIngest(cmd *cobra.Command, o ingestOptions) error {
	ctx := cmd.Context()
	filter := ingest.ObjectFilter{Prefix: o.prefix}
	if o.since != "" {
		since, err := parseTime("--since", o.since, time.Now())
		if err != nil {
			return &usageError{err}
		}
		filter.Since = since
	}
	if !o.replay && (o.since != "" || o.prefix != "") {
		return &usageError{fmt.Errorf("--since and --prefix choose what to read again: add --replay")}
	}
	a, err := openFor(cmd)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := a.installedPack(ctx, o.pack); err != nil {
		return err
	}
	say := newSayer(cmd, o.asJSON)
	if o.replay {
		n, err := a.objects.Again(ctx, filter)
		if err != nil {
			return err
		}
		say.f("Reading %d objects again.\n", n)
	}
	w := &worker{app: a, say: say}
	return w.with(ctx, job.Handlers{Ingest: w.ingest}, func(ctx context.Context) error {
		looked, err := a.watcher().Look(ctx)
		if err != nil {
			return err
		}
		for _, reason := range slices.Sorted(maps.Keys(looked.LeftOut)) {
			say.f("Left out: %d objects: %s\n", looked.LeftOut[reason], reason)
		}
		if err := w.await(ctx, 0); err != nil {
			return err
		}
		return a.printLake(ctx, cmd, o.asJSON)
	})
}

// installedPack installs the pack that the data folder began with, or the one asked for.
func (a *app) installedPack(ctx context.Context, name string) error {
	was, err := a.store.Setting(ctx, "pack")
	if err != nil {
		return err
	}
	if name == "" {
		name = was
	}
	if name == "" {
		name = packs.Default
	}
	pack, err := packs.Open(name)
	if err != nil {
		return &usageError{err}
	}
	return a.applyPack(ctx, pack)
}

// printLake prints the account of all objects, and the receipts that can now be drawn.
func (a *app) printLake(ctx context.Context, cmd *cobra.Command, asJSON bool) error {
	r, err := receipt.OfLake(ctx, a.objects, a.catalog)
	if err != nil {
		return err
	}
	if asJSON {
		doc, err := json.Marshal(r)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n", doc)
	} else if err := r.Print(cmd.OutOrStdout()); err != nil {
		return err
	}
	if !r.OK {
		return errSilent
	}
	return nil
}

// parseTime reads the time or the duration before now that an option gives.
func parseTime(option, text string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%s %q is neither a time such as 2026-11-01T00:00:00Z nor a duration such as 24h", option, text)
	}
	return t, nil
}
