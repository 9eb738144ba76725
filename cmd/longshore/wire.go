package main

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"longshore/internal/catalog"
	dest "longshore/internal/destination/s3"
	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/job"
	"longshore/internal/lake"
	lakes3 "longshore/internal/lake/s3"
	"longshore/internal/lake/s3server"
	"longshore/internal/pipeline"
	"longshore/internal/source/okta"
	"longshore/internal/source/okta/emulator"
	"longshore/internal/store"
)

const (
	demoOrg    = emulator.DefaultBaseURL
	demoBucket = "org-demo"
	// connectionName and namespace are those of the connection that up makes; the guide calls the namespace "okta".
	connectionName = "okta"
	namespace      = "okta"

	// parallelStreams is how many streams are read at one time: enough that a stream that waits for its bucket of the
	// rate limit does not hold up those of other buckets.
	parallelStreams = 4

	// s3URLSetting names the setting that says where the embedded endpoint listens: commands beside it read there.
	s3URLSetting = "s3-url"
	// folderInUse is the code of the fault of a data folder that another process works on.
	folderInUse = "folder_in_use"
)

// app is everything, built once and closed once.
type app struct {
	cfg      config
	log      *slog.Logger
	lock     *flock.Flock
	store    *store.Store
	seal     *store.Sealer
	queue    *job.Queue
	objects  *store.Objects
	syncs    *store.Syncs
	catalog  *catalog.Catalog
	entities *store.Catalog // below catalog

	s3     *s3server.Server // nil with an outside bucket, and beside another process
	s3url  string           // of the embedded endpoint
	s3keys s3Keys
	bucket lake.Bucket
	layout lake.Layout

	source *okta.Source
	org    *emulator.Org // the demo org; nil for a real one
	demo   bool
	orgID  string // of the APIs' tokens; "" until there are doors
}

type s3Keys struct{ access, secret string }

// openApp takes the data folder and opens all that lies in it. The caller closes.
func openApp(ctx context.Context, cfg config, log *slog.Logger) (_ *app, err error) {
	a := newApp(cfg, log)
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if err := a.takeFolder(); err != nil {
		return nil, err
	}
	// The keys are made before the database: a database without keys has lost them.
	if a.seal, err = openKeys(cfg); err != nil {
		return nil, err
	}
	if a.store, err = store.Open(ctx, cfg.databaseAt()); err != nil {
		return nil, err
	}
	if err := a.openQueue(ctx); err != nil {
		return nil, err
	}
	if err := a.openBucket(ctx); err != nil {
		return nil, err
	}
	a.openNouns()
	return a, nil
}

// openFor is openApp with the settings of a command.
func openFor(cmd *cobra.Command) (*app, error) {
	cfg, err := loadConfig(cmd)
	if err != nil {
		return nil, err
	}
	return openApp(cmd.Context(), cfg, newLog(cmd.ErrOrStderr()))
}

// openToRead opens the data folder for a command that only reads: alone, or beside the process that works on it. In
// the second case the embedded S3 endpoint is that process's.
func openToRead(ctx context.Context, cfg config, log *slog.Logger) (_ *app, err error) {
	if cfg.isNew() {
		return nil, fault.Errorf(fault.NotFound, "there is no catalog in %s yet", cfg.data).WithHint("run longshore up first, or name the folder with --data")
	}
	alone := cfg
	alone.s3Listen = "127.0.0.1:0" // nobody else needs to find it
	a, err := openApp(ctx, alone, log)
	var f *fault.Error
	if !errors.As(err, &f) || f.Code != folderInUse {
		return a, err
	}
	a = newApp(cfg, log)
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	if a.seal, err = openKeys(cfg); err != nil {
		return nil, err
	}
	if a.store, err = store.Attach(ctx, cfg.databaseAt()); err != nil {
		return nil, err
	}
	url, err := a.store.Setting(ctx, s3URLSetting)
	if err != nil {
		return nil, err
	}
	if a.cfg.s3Bucket == "" && url == "" {
		return nil, fault.Errorf(fault.Unavailable, "the longshore that works on %s has not started its S3 endpoint yet", cfg.data).WithHint("try again in a moment")
	}
	if a.cfg.s3Bucket == "" {
		if a.s3keys, err = a.embeddedKeys(ctx); err != nil {
			return nil, err
		}
		a.s3url = url
		var name string
		if name, err = a.embeddedBucket(ctx); err != nil {
			return nil, err
		}
		a.bucket, err = lakes3.Open(ctx, lakes3.Config{
			Endpoint: url, Region: "us-east-1", Bucket: name, AccessKey: a.s3keys.access,
			SecretKey: a.s3keys.secret, PathStyle: true,
		})
	} else {
		err = a.openBucket(ctx)
	}
	if err != nil {
		return nil, err
	}
	a.openNouns()
	return a, nil
}

// withDatabase gives fn what openDatabase opens by the command's settings.
func withDatabase(cmd *cobra.Command, fn func(a *app) error) error {
	cfg, err := loadConfig(cmd)
	if err != nil {
		return err
	}
	a, err := openDatabase(cmd.Context(), cfg, newLog(cmd.ErrOrStderr()))
	if err != nil {
		return err
	}
	defer a.Close()
	return fn(a)
}

// openDatabase opens the data folder's database and keys alone, beside the process that works on it if there is one.
func openDatabase(ctx context.Context, cfg config, log *slog.Logger) (_ *app, err error) {
	if cfg.isNew() {
		return nil, fault.Errorf(fault.NotFound, "there is no catalog in %s yet", cfg.data).WithHint("run longshore up first, or name the folder with --data")
	}
	a := newApp(cfg, log)
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	open := store.Attach
	switch err := a.takeFolder(); {
	case err == nil:
		open = store.Open // alone: an older schema is brought up to date
	case !inUse(err):
		return nil, err
	}
	if a.seal, err = openKeys(cfg); err != nil {
		return nil, err
	}
	if a.store, err = open(ctx, cfg.databaseAt()); err != nil {
		return nil, err
	}
	a.entities = a.store.Catalog()
	a.catalog = catalog.New(a.entities, time.Now)
	return a, nil
}

// inUse reports that another process works on the data folder.
func inUse(err error) bool {
	var f *fault.Error
	return errors.As(err, &f) && f.Code == folderInUse
}

func databasePath(data string) string { return filepath.Join(data, "longshore.db") }

// databaseAt is what store.Open takes.
func (c config) databaseAt() string { return cmp.Or(c.database, databasePath(c.data)) }

// isNew tells that there is no database yet. Of a server nobody knows before asking it.
func (c config) isNew() bool {
	_, err := os.Stat(databasePath(c.data))
	return c.database == "" && errors.Is(err, os.ErrNotExist)
}

// openQueue opens the job queue, which lies in the same database.
func (a *app) openQueue(ctx context.Context) (err error) {
	if listener := a.store.Listener(); listener != nil {
		a.queue, err = job.OpenPostgres(ctx, a.store.Writer(), listener)
	} else {
		a.queue, err = job.Open(ctx, a.store.Writer())
	}
	return a.store.Explain(err)
}

// startWork readies the data folder for jobs: what a killed process left is cleared or taken up.
func (a *app) startWork(ctx context.Context) error {
	if err := a.clearTemp(); err != nil {
		return err
	}
	if err := a.pruneJournals(ctx); err != nil {
		return err
	}
	alone, err := a.queue.Alone(ctx)
	if err != nil {
		return a.store.Explain(err)
	}
	if err := a.ownLake(ctx, alone); err != nil {
		return err
	}
	if alone {
		if err := a.syncs.NoFeeds(ctx); err != nil {
			return err
		}
	}
	return a.store.Explain(a.queue.Reclaim(ctx))
}

// lakeSetting names the setting that says in which lake the objects of a database server's catalog lie.
const lakeSetting = "lake-id"

// ownLake refuses to work beside processes whose lake is another: what the one writes the others would not find.
func (a *app) ownLake(ctx context.Context, alone bool) error {
	if a.cfg.database == "" {
		return nil
	}
	id, err := a.lakeID()
	if err != nil {
		return fmt.Errorf("name the lake: %w", err)
	}
	held, err := a.store.Setting(ctx, lakeSetting)
	if err != nil || held == id {
		return err
	}
	if held != "" && !alone {
		return fault.Errorf(fault.Conflict, "another longshore works on %s with another lake", a.store.Name()).
			WithHint("processes that share a database need the same outside bucket: set LONGSHORE_S3_BUCKET for each; or stop the other one first")
	}
	return a.store.SetSetting(ctx, lakeSetting, id)
}

// lakeID tells one lake from another: by the name of an outside bucket, or a word that lies beside the embedded one.
func (a *app) lakeID() (string, error) {
	if a.s3 == nil {
		return "bucket " + a.bucket.Name(), nil
	}
	path := filepath.Join(a.cfg.data, "lake.id")
	id, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		id = []byte(randomBase32(20))
		err = os.WriteFile(path, id, 0o600)
	}
	return "folder " + string(id), err
}

func newApp(cfg config, log *slog.Logger) *app {
	return &app{cfg: cfg, log: log, layout: lake.Layout{BucketPath: cfg.s3Prefix, PathFormat: lake.GuideFormat}, demo: cfg.oktaURL == ""}
}

// openNouns builds what lies over the database and the bucket.
func (a *app) openNouns() {
	queueObject := func(ctx context.Context, tx *sql.Tx, objectID, pass int64) error {
		return a.queue.EnqueueIngest(ctx, tx, job.IngestArgs{ObjectID: objectID, Pass: pass})
	}
	a.objects = a.store.Objects(a.seal, time.Now, queueObject)
	queueSync := func(ctx context.Context, tx *sql.Tx, syncID int64) error { return a.queue.EnqueueSync(ctx, tx, syncID) }
	bucket := ""
	if a.bucket != nil {
		bucket = a.bucket.Name()
	}
	a.syncs = a.store.Syncs(bucket, time.Now, queueSync, queueObject)
	if a.queue != nil {
		a.syncs.RunBy(a.queue)
	}
	a.entities = a.store.Catalog()
	a.catalog = catalog.New(a.entities, time.Now)
}

// Close gives everything back. It may be called on a half-opened app.
func (a *app) Close() error {
	var errs []error
	if a.org != nil {
		a.org.Close()
	}
	if a.s3 != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		errs = append(errs, a.s3.Stop(ctx))
	}
	if a.store != nil {
		errs = append(errs, a.store.Close())
	}
	if a.lock != nil {
		errs = append(errs, a.lock.Unlock())
	}
	return errors.Join(errs...)
}

// takeFolder makes sure that no other process works on the data folder.
func (a *app) takeFolder() error {
	if err := os.MkdirAll(a.cfg.data, 0o700); err != nil {
		return fault.Errorf(fault.Denied, "create the data folder: %w", err).WithHint("choose a folder that you can write with --data or LONGSHORE_DATA")
	}
	owner := filepath.Join(a.cfg.data, "owner.pid")
	a.lock = flock.New(filepath.Join(a.cfg.data, "lock"))
	got, err := a.lock.TryLock()
	if err != nil {
		return fault.Errorf(fault.Denied, "lock the data folder %s: %w", a.cfg.data, err).WithHint("the folder must be on a disk that you can write")
	}
	if !got {
		pid, _ := os.ReadFile(owner)
		a.lock = nil
		return fault.Errorf(fault.Conflict, "the data folder %s is in use by another longshore (process %s)", a.cfg.data, strings.TrimSpace(string(pid))).
			WithCode(folderInUse, nil).WithHint("stop that process first, or use another folder with --data; what that process serves can sync and ingest too")
	}
	if err := os.WriteFile(owner, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return fmt.Errorf("write to the data folder: %w", err)
	}
	return nil
}

// temp is where objects grow before they are put: on the data folder's disk, which has the room.
func (a *app) temp() string { return filepath.Join(a.cfg.data, "tmp") }

// clearTemp removes what a killed process left there.
func (a *app) clearTemp() error {
	if err := os.RemoveAll(a.temp()); err != nil {
		return fmt.Errorf("clear the data folder: %w", err)
	}
	for _, dir := range []string{a.temp(), a.journals()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("write to the data folder: %w", err)
		}
	}
	return nil
}

// journals is where pages that were read, and are in no object yet, are kept for the process after this one.
func (a *app) journals() string { return filepath.Join(a.cfg.data, "journal") }

// pruneJournals removes those of runs that are over.
func (a *app) pruneJournals(ctx context.Context) error {
	return dest.PruneJournals(a.journals(), func(syncID int64) bool {
		run, err := a.syncs.Run(ctx, syncID)
		return err == nil && run.Status == pipeline.Running
	})
}

// openBucket starts the embedded S3 endpoint, or opens the outside bucket.
func (a *app) openBucket(ctx context.Context) error {
	cfg := lakes3.Config{Endpoint: a.cfg.s3Endpoint, Region: a.cfg.s3Region, Bucket: a.cfg.s3Bucket, PathStyle: a.cfg.s3Endpoint != ""}
	outside := a.cfg.s3Bucket != ""
	if !outside && a.cfg.s3Endpoint != "" {
		return fault.Errorf(fault.Invalid, "an S3 endpoint is set, but no bucket").WithHint("set LONGSHORE_S3_BUCKET, or unset LONGSHORE_S3_ENDPOINT to use the embedded one")
	}
	if !outside {
		var err error
		if a.s3keys, err = a.embeddedKeys(ctx); err != nil {
			return err
		}
		name, err := a.embeddedBucket(ctx)
		if err != nil {
			return err
		}
		cfg = lakes3.Config{Region: "us-east-1", Bucket: name, AccessKey: a.s3keys.access, SecretKey: a.s3keys.secret, PathStyle: true}
		a.s3, err = s3server.Start(ctx, s3server.Config{
			Dir: filepath.Join(a.cfg.data, "lake"), Listen: a.cfg.s3Listen, AccessKey: cfg.AccessKey,
			SecretKey: cfg.SecretKey, Region: cfg.Region,
		})
		if err != nil {
			return err
		}
		a.s3url = a.s3.URL()
		cfg.Endpoint = a.s3url
		if err := a.store.SetSetting(ctx, s3URLSetting, a.s3url); err != nil {
			return err
		}
	}
	bucket, err := lakes3.Open(ctx, cfg)
	if err != nil {
		return err
	}
	if !outside {
		if err := bucket.EnsureBucket(ctx); err != nil {
			return err
		}
	}
	a.bucket = bucket
	return nil
}

// embeddedBucket is the bucket's name for the folder's org, or for the settings' where the folder has none yet: org-demo,
// or org- and the org's first label. So commands that make no Okta call need no Okta settings.
func (a *app) embeddedBucket(ctx context.Context) (string, error) {
	held, err := a.heldOrg(ctx)
	if err != nil {
		return "", err
	}
	org := cmp.Or(held, a.orgURL())
	u, _, err := okta.ParseOrgURL(org)
	if org == demoOrg || err != nil {
		return demoBucket, nil //nolint:nilerr // who opens the org tells of its URL
	}
	label, _, _ := strings.Cut(u.Hostname(), ".")
	return "org-" + strings.ToLower(label), nil
}

// heldOrg is the org that the data folder was begun with, or "".
func (a *app) heldOrg(ctx context.Context) (string, error) {
	all, err := a.store.Syncs("", time.Now, nil, nil).Connections(ctx)
	if err != nil {
		return "", err
	}
	for _, c := range all {
		if c.Name == connectionName {
			return c.Source, nil
		}
	}
	return "", nil
}

// sameOrg refuses settings that mean another org than the data folder's.
func (a *app) sameOrg(ctx context.Context) error {
	held, err := a.heldOrg(ctx)
	switch {
	case err != nil || held == "" || held == a.orgURL():
		return err
	case a.demo:
		return fault.Errorf(fault.Conflict, "the data folder %s holds the org %s, and no Okta settings are given", a.cfg.data, held).
			WithHint("set OKTA_CLIENT_ORGURL and its credential; for the demo org use another folder with --data: one folder, one org")
	}
	return fault.Errorf(fault.Conflict, "the data folder %s holds the org %s, not %s", a.cfg.data, held, a.orgURL()).
		WithHint("use another folder with --data: one folder, one org")
}

// openSource opens the org of the settings, or the demo org in this process.
func (a *app) openSource() error {
	var err error
	a.source, a.org, err = newSource(a.cfg, a.log)
	return err
}

// newSource opens the org of the settings, or starts the demo org.
func newSource(cfg config, log *slog.Logger) (*okta.Source, *emulator.Org, error) {
	oc := cfg.okta
	oc.Logger, oc.Version = log, version()
	var org *emulator.Org
	if cfg.oktaURL == "" {
		org = emulator.New(emulator.Options{BaseURL: demoOrg})
		oc.OrgURL, oc.Token, oc.HTTPClient = demoOrg, emulator.DefaultToken, org.Client()
	}
	source, err := okta.Open(oc)
	return source, org, err
}

// orgURL is the org's base URL, for people and for links.
func (a *app) orgURL() string {
	if a.demo {
		return demoOrg
	}
	if u, _, err := okta.ParseOrgURL(a.cfg.oktaURL); err == nil {
		return u.String()
	}
	return a.cfg.oktaURL
}

// ingester takes objects into the catalog.
func (a *app) ingester() *ingest.Ingester {
	return &ingest.Ingester{Store: a.objects, Catalog: inTx{a.catalog, a.entities}, Bucket: a.bucket, Now: time.Now, Log: a.log}
}

// watcher finds objects that others wrote.
func (a *app) watcher() *ingest.Watcher {
	return &ingest.Watcher{Bucket: a.bucket, Layout: a.layout, Store: a.objects, Log: a.log}
}

// sync moves records from the source to the lake.
func (a *app) sync(progress func(stream string, pages, rows int64)) *pipeline.Sync {
	return &pipeline.Sync{
		Source: a.source, Store: a.syncs, Now: time.Now, Progress: progress, Parallel: parallelStreams, Log: a.syncs.Log, Baseline: a.syncs.Baseline,
		Destination: &dest.Destination{Bucket: a.bucket, Layout: a.layout, TempDir: a.temp(), JournalDir: a.journals()},
	}
}

// ingestHandler is the queue's handler of lake objects.
func (a *app) ingestHandler() func(context.Context, job.IngestArgs, time.Time, job.Complete) (bool, error) {
	g := a.ingester()
	return func(ctx context.Context, args job.IngestArgs, until time.Time, complete job.Complete) (bool, error) {
		return g.Ingest(ctx, args.ObjectID, args.Pass, until, complete)
	}
}

// inTx lets the ingester apply changes in the SQL transaction that also holds its fence and its verdicts.
type inTx struct {
	catalog  *catalog.Catalog
	entities *store.Catalog
}

func (c inTx) Apply(ctx context.Context, tx *sql.Tx, changes []catalog.Change, results []catalog.Result) ([]catalog.Result, error) {
	return c.catalog.Apply(ctx, c.entities.Tx(tx), changes, results)
}
