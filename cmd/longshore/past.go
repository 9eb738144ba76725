package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/ingest"
	"longshore/internal/store"
)

// past is the catalog as it was, rebuilt from the lake in a database of its own that goes with Close.
type past struct {
	store   *store.Store
	catalog *catalog.Catalog
	dir     string
}

// openPast rebuilds the catalog as of a time: of every object in the lake the records that had been read by then, under
// the blueprints and the mappings of today. The live catalog is only asked for these.
func (a *app) openPast(ctx context.Context, at time.Time) (p *past, err error) {
	dir, err := os.MkdirTemp(a.cfg.data, "past-*")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	p = &past{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	if p.store, err = store.Open(ctx, filepath.Join(dir, "longshore.db")); err != nil {
		return p, err
	}
	entities := p.store.Catalog()
	p.catalog = catalog.New(entities, time.Now)
	type queued struct{ object, pass int64 }
	var waiting []queued
	objects := p.store.Objects(a.seal, time.Now, func(_ context.Context, _ *sql.Tx, object, pass int64) error {
		waiting = append(waiting, queued{object, pass})
		return nil
	})
	if err := a.copyModel(ctx, p.catalog, objects); err != nil {
		return p, err
	}
	watcher := a.watcher()
	watcher.Store = objects
	if _, err := watcher.Look(ctx); err != nil {
		return p, err
	}
	g := &ingest.Ingester{Store: objects, Catalog: inTx{p.catalog, entities}, Bucket: a.bucket, Now: time.Now, Log: a.log, AsOf: at}
	ended := func(context.Context, *sql.Tx) error { return nil }
	for len(waiting) > 0 {
		next := waiting[0]
		waiting = waiting[1:]
		for done := false; !done; {
			if done, err = g.Ingest(ctx, next.object, next.pass, time.Now().Add(time.Hour), ended); err != nil {
				return p, err
			}
		}
	}
	return p, nil
}

// copyModel gives another catalog the blueprints and the webhooks of this one.
func (a *app) copyModel(ctx context.Context, to *catalog.Catalog, objects *store.Objects) error {
	blueprints, err := a.catalog.Blueprints(ctx)
	if err != nil {
		return err
	}
	for _, b := range blueprints {
		if catalog.IsSystem(b.Identifier) {
			continue
		}
		if _, err := to.CreateBlueprint(ctx, b.Doc, catalog.Writer{Actor: actor, Source: actor, AllowPendingTargets: true}); err != nil {
			return fmt.Errorf("blueprint %s: %w", b.Identifier, err)
		}
	}
	hooks, err := a.objects.Webhooks(ctx)
	if err != nil {
		return err
	}
	for _, hook := range hooks {
		hook.ID = 0
		if _, err := objects.PutWebhook(ctx, hook); err != nil {
			return err
		}
	}
	return nil
}

// Close lets go of it all.
func (p *past) Close() error {
	var err error
	if p.store != nil {
		err = p.store.Close()
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}
