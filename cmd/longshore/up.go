package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"longshore/internal/fault"
	"longshore/internal/job"
	lakes3 "longshore/internal/lake/s3"
	"longshore/internal/pipeline"
	"longshore/internal/server"
	"longshore/packs"
)

// defaultEvery is the pause between two runs of the connection that up makes.
const defaultEvery = 15 * time.Minute

type upOptions struct {
	once   bool
	pack   string
	asJSON bool
	full   bool
}

func newUp() *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "read Okta into the catalog and show it: everything in one process",
		Long: `Up starts everything in one process on embedded defaults: the Okta source (or, without Okta settings, a demo org), the lake on an
embedded S3 endpoint, the catalog and the UI. It syncs, ingests, prints a receipt and the UI's address, and then keeps syncing
until it is stopped. With --once it ends after the first sync: exit 0 only if every number adds up.`,
		Example: `  longshore up                                          # the demo org
  OKTA_CLIENT_ORGURL=acme.okta.com OKTA_CLIENT_TOKEN=… longshore up
  longshore up --once --pack guide --data ./guide-data  # the guide's own blueprints and mapping`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := runUp(cmd, o)
			if !o.once && interrupted(cmd.Context(), err) {
				return nil // a signal is how up ends, during its first sync too
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&o.once, "once", false, "end after the first sync; exit 0 only if every number adds up")
	cmd.Flags().StringVar(&o.pack, "pack", packs.Default, "data model to install on first start: okta or guide")
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print the receipt as JSON (with --once)")
	cmd.Flags().BoolVar(&o.full, "full", false, "read incremental streams from their start again")
	return cmd
}

func runUp(cmd *cobra.Command, o upOptions) error {
	ctx := cmd.Context()
	cfg, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	if _, err := packs.Open(o.pack); err != nil {
		return &usageError{err}
	}
	say := newSayer(cmd, o.asJSON)
	a, err := openApp(ctx, cfg, newLog(cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	defer a.Close()
	pack, err := a.packOf(ctx, o.pack, cmd.Flags().Changed("pack")) // a folder keeps the pack that it began with
	if err != nil {
		return err
	}
	if err := a.openSource(); err != nil {
		return err
	}
	if err := a.greet(ctx, say, pack); err != nil {
		return err
	}
	if err := a.preflight(ctx, say); err != nil {
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
	var listener *server.Server
	signIn := ""
	if !o.once {
		if listener, signIn, err = a.doors(ctx, w); err != nil {
			return err
		}
		w.also = listener.Run
		say.f("UI and APIs: %s (sign in once with the link below)\n  %s\n\n", listener.URL(), signIn)
	}
	return w.run(ctx, func(ctx context.Context) error {
		ids, err := w.syncAndIngest(ctx, conn, o.full, "up")
		if err != nil {
			return err
		}
		ok, err := a.printReceipts(ctx, cmd.OutOrStdout(), ids, o.asJSON)
		if err != nil {
			return err
		}
		if o.once {
			if !ok {
				return errSilent
			}
			say.f("\nLook at it: longshore up --data %s shows the screens on http://%s\n", cfg.data, cfg.listen)
			return nil
		}
		say.f("\nOpen %s\nKeeps syncing %s. Stop with Ctrl-C.\n", signIn, conn.Schedule)
		if a.org != nil {
			if err := a.hookDemo(ctx, listener.URL(), conn); err != nil {
				a.log.Warn("the demo org delivers no events: its log is followed all the same", "error", err)
			}
		}
		return w.keepSyncing(ctx, conn)
	})
}

// greet says what is about to happen, and on first start the credentials, once.
func (a *app) greet(ctx context.Context, say *sayer, pack packs.Pack) error {
	if a.demo {
		say.f("No Okta settings found: this is the demo org (%s). Set OKTA_CLIENT_ORGURL and OKTA_CLIENT_TOKEN for a real one.\n", demoOrg)
	} else {
		say.f("Okta org: %s\n", a.orgURL())
		if n := a.source.Notice(); n != "" {
			say.f("Note: %s\n", n)
		}
	}
	say.f("Data: %s   pack: %s\n", a.cfg.data, pack.Name)
	if a.cfg.database != "" {
		say.f("Catalog: %s\n", a.store.Name())
	}
	if a.s3url != "" {
		say.f("Lake: bucket %s at %s\n", a.bucket.Name(), a.s3url)
	} else {
		say.f("Lake: bucket %s\n", a.bucket.Name())
	}
	id, secret, err := a.apiCredentials(ctx)
	if err != nil {
		return err
	}
	told, err := a.store.Setting(ctx, "credentials-told")
	if err != nil || told != "" {
		return err
	}
	say.f("\nCredentials, made now, shown once and kept sealed by the key in the data folder (show them again: longshore check --credentials):\n")
	if a.s3url != "" {
		say.f("  S3   access key %s   secret key %s\n", a.s3keys.access, a.s3keys.secret)
	}
	if a.cfg.clientID == "" {
		say.f("  API  client id %s   client secret %s\n", id, secret)
	}
	say.f("\n")
	return a.store.SetSetting(ctx, "credentials-told", "yes")
}

// preflight asks the org what this credential can see, and an outside bucket what it may do, so that a wrong token,
// domain or key ends in one clear error.
func (a *app) preflight(ctx context.Context, say *sayer) error {
	if bucket, ok := a.bucket.(*lakes3.Bucket); ok && a.s3 == nil {
		for _, right := range bucket.Check(ctx, a.cfg.s3Prefix) {
			if right.Err != nil && right.Name != lakes3.RightConditional {
				return fmt.Errorf("the bucket cannot be used: %s: %w", right.Name, right.Err)
			}
		}
	}
	caps, err := a.source.Check(ctx, false)
	if err != nil {
		return err
	}
	for _, f := range caps.Findings {
		say.f("Note: %s. %s\n", f.Problem, f.Mend)
	}
	for _, p := range caps.Probes {
		if !p.OK && !p.Skipped {
			say.f("Note: %s answers %d: %s. %s %s\n", p.Endpoint, p.Status, p.Problem, p.Cost, p.Mend)
		}
	}
	return nil
}

// worker runs the queue and the watcher beside whatever the command does.
type worker struct {
	app     *app
	say     *sayer
	also    func(ctx context.Context) error                    // runs beside the jobs; may be nil
	tidy    func(ctx context.Context, age time.Duration) error // see keepTidy; nil without doors
	trouble trouble

	cannotFollow told
	actors       actors // nil: there are no configured sources and destinations
	opened       openedSources

	follower *pipeline.Feed // follows changes while the program keeps running; nil for not at all
}

// run works jobs until do returns, then stops everything.
func (w *worker) run(ctx context.Context, do func(ctx context.Context) error) error {
	handlers := job.Handlers{Sync: w.sync, Ingest: w.ingest}
	if w.also != nil { // a run that ends after one sync leaves the schedule to a process that stays
		handlers.Tick, handlers.Changelog, handlers.Retain = w.tick, w.changelog, w.retain
		if w.follower != nil {
			handlers.Feed = w.feed
		}
	}
	return w.with(ctx, handlers, do)
}

func (w *worker) with(ctx context.Context, handlers job.Handlers, do func(ctx context.Context) error) error {
	if err := w.app.startWork(ctx); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.app.queue.Run(ctx, handlers) })
	if handlers.Ingest != nil {
		g.Go(func() error { return w.app.watcher().Run(ctx) })
	}
	g.Go(func() error {
		return w.app.entities.Follow(ctx, func(err error) { w.app.log.Warn("what searches use lags behind", "error", err) })
	})
	if w.also != nil {
		g.Go(func() error { return w.also(ctx) })
	}
	if w.tidy != nil {
		g.Go(func() error { return w.keepTidy(ctx) })
	}
	if handlers.Tick != nil {
		g.Go(func() error { return w.keepTicking(ctx) })
	}
	g.Go(func() error {
		defer stop()
		return do(ctx)
	})
	return g.Wait()
}

func (w *worker) ingest(ctx context.Context, args job.IngestArgs, until time.Time, complete job.Complete) (bool, error) {
	done, err := w.app.ingestHandler()(ctx, args, until, complete)
	return done, w.failed(ctx, err)
}

// failed notes a job's end. While the program keeps running, a failure is logged: the job is tried again.
func (w *worker) failed(ctx context.Context, err error) error {
	err = w.app.store.Explain(err)
	if err != nil && ctx.Err() == nil && w.also != nil {
		w.app.log.Warn("job failed, and will be tried again", "error", err, "hint", fault.HintOf(err))
	}
	return w.trouble.note(ctx, err)
}

// syncAndIngest starts a run (or takes up the one that was interrupted), waits until all its objects are in the
// catalog, and returns the runs that have no receipt yet.
func (w *worker) syncAndIngest(ctx context.Context, conn pipeline.Connection, full bool, cause string) ([]int64, error) {
	streams, err := w.app.chosen(conn)
	if err != nil {
		return nil, err
	}
	id, started, err := w.app.syncs.StartRun(ctx, conn, streams, full, cause)
	if err != nil {
		return nil, err
	}
	if !started {
		w.say.f("Taking up sync %d where it was interrupted.\n", id)
	}
	if err := w.await(ctx, id); err != nil {
		return nil, err
	}
	return w.app.syncs.WithoutReceipt(ctx)
}

// pollEvery is how often a waiting command looks at the database.
const pollEvery = 100 * time.Millisecond

// await waits until the run (0: none) is finished and no object waits to be read.
func (w *worker) await(ctx context.Context, syncID int64) error {
	return w.until(ctx, func() (bool, error) {
		ended, err := w.ended(ctx, syncID)
		if err != nil {
			return false, err
		}
		waiting, err := w.app.objects.Waiting(ctx)
		if err != nil {
			return false, err
		}
		w.say.waiting(waiting)
		return ended && waiting.Objects == 0, nil
	})
}

// awaitRun waits until the run is finished; what it brought may wait in the lake.
func (w *worker) awaitRun(ctx context.Context, syncID int64) error {
	return w.until(ctx, func() (bool, error) { return w.ended(ctx, syncID) })
}

func (w *worker) ended(ctx context.Context, syncID int64) (bool, error) {
	if syncID == 0 {
		return true, nil
	}
	run, err := w.app.syncs.Run(ctx, syncID)
	if err != nil {
		return false, err
	}
	w.say.run(run)
	return run.Status != pipeline.Running, nil
}

// patience is how long a database is waited for that does not answer.
func (w *worker) patience() time.Duration {
	if w.also != nil {
		return 0 // up goes on until it is stopped
	}
	return maxOutage
}

// until asks again and again whether it is done. It gives up when jobs keep failing. A database server that does not answer
// is waited for: it may be starting again.
func (w *worker) until(ctx context.Context, done func() (bool, error)) error {
	turn := time.NewTicker(pollEvery)
	defer turn.Stop()
	defer w.say.done()
	out := outage{longest: w.patience(), log: w.app.log}
	for {
		ok, err := done()
		err = w.app.store.Explain(err)
		if err := out.note(time.Now(), err); err != nil {
			return err
		}
		if ok && err == nil {
			return nil
		}
		if err := w.trouble.hopeless(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-turn.C:
		}
	}
}

// chosen is the source's streams that the connection wants.
func (a *app) chosen(conn pipeline.Connection) ([]pipeline.Stream, error) {
	return a.source.Choose(conn.StreamNames())
}

// newLog is the product's log: warnings and worse on standard error.
func newLog(w io.Writer) *slog.Logger {
	return slog.New(calm{slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}), new(atomic.Int64)})
}
