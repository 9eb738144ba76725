package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"longshore/internal/fault"
	"longshore/packs"
)

// Roles of a serving process.
const (
	roleAll    = "all"
	roleAPI    = "api"
	roleWorker = "worker"
)

func newServe() *cobra.Command {
	role, packName := roleAll, packs.Default
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "the same server for production, configured by file and environment",
		Long: `Serve answers the UI and the APIs, runs connections by their schedules and takes the lake into the catalog, until it is stopped. It begins no
sync of its own: schedules do. With --role api it only answers, with --role worker it only works. Several processes share one PostgreSQL
(LONGSHORE_DATABASE_URL) and one outside bucket (LONGSHORE_S3_BUCKET); each has a data folder of its own with the same keys.json in it.`,
		Example: `  longshore serve --listen 127.0.0.1:8080
  LONGSHORE_DATABASE_URL=postgres://… LONGSHORE_S3_BUCKET=acme-lake longshore serve --role worker --data /var/lib/longshore-2`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			roles := []string{roleAll, roleAPI, roleWorker}
			if !slices.Contains(roles, role) {
				return &usageError{fault.Errorf(fault.Invalid, "there is no role %q", role).WithHint("there are %s", strings.Join(roles, ", "))}
			}
			err := runServe(cmd, role, packName)
			if interrupted(cmd.Context(), err) {
				return nil // a signal is how serve ends
			}
			return err
		},
	}
	cmd.Flags().StringVar(&role, "role", role, "what this process does: all, api or worker")
	cmd.Flags().StringVar(&packName, "pack", packName, "data model to install on first start: okta or guide")
	return cmd
}

func runServe(cmd *cobra.Command, role, packName string) error {
	ctx := cmd.Context()
	cfg, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	a, err := openApp(ctx, cfg, newLog(cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	defer a.Close()
	pack, err := a.packOf(ctx, packName, cmd.Flags().Changed("pack"))
	if err != nil {
		return err
	}
	say := newSayer(cmd, false)
	if err := a.openSource(); err != nil {
		return err
	}
	if err := a.greet(ctx, say, pack); err != nil {
		return err
	}
	if err := a.applyPack(ctx, pack); err != nil {
		return err
	}
	conn, err := a.connection(ctx)
	if err != nil {
		return err
	}
	w := &worker{app: a, say: say, follower: a.newFeed(pack)}
	w.also = func(ctx context.Context) error { <-ctx.Done(); return nil }
	if role != roleWorker {
		listener, signIn, err := a.doors(ctx, w)
		if err != nil {
			return err
		}
		w.also = listener.Run
		say.f("UI and APIs: %s (sign in once with the link below)\n  %s\n\n", listener.URL(), signIn)
	}
	if role == roleAPI {
		return w.answer(ctx)
	}
	say.f("At work. Stop with Ctrl-C.\n")
	return w.run(ctx, func(ctx context.Context) error { return w.keepSyncing(ctx, conn) })
}

// packOf is the pack of the data folder: the one that it began with, or, on first start or by name, the one asked for.
func (a *app) packOf(ctx context.Context, name string, asked bool) (packs.Pack, error) {
	if !asked {
		was, err := a.store.Setting(ctx, "pack")
		if err != nil {
			return packs.Pack{}, err
		}
		if was != "" {
			name = was
		}
	}
	pack, err := packs.Open(name)
	if err != nil {
		err = &usageError{err}
	}
	return pack, err
}

// answer keeps the doors open, and leaves all work to other processes.
func (w *worker) answer(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	tidied := make(chan error, 1)
	go func() { tidied <- w.keepTidy(ctx) }()
	err := w.also(ctx)
	stop()
	return errors.Join(err, <-tidied)
}
