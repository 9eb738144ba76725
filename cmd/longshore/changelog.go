package main

import (
	"context"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/changelog"
	"longshore/internal/portapi"
)

// sender tells the changelog destinations what changed.
func (a *app) sender() *changelog.Sender {
	return &changelog.Sender{
		Catalog: a.catalog, Documents: a.store.Documents(nil, time.Now), Log: a.log, Local: a.cfg.changelogLocal,
		Client: changelog.NewClient(a.cfg.changelogLocal),
		Render: func(e catalog.AuditEntry) ([]byte, error) { return portapi.Audit(a.orgID, e) },
		Secret: func(ctx context.Context) (string, error) {
			_, secret, err := a.apiCredentials(ctx)
			return secret, err
		},
	}
}

// changelog is the queue's handler of a blueprint's changes.
func (w *worker) changelog(ctx context.Context, blueprint string, until time.Time) (time.Duration, bool, error) {
	wait, done, err := w.app.sender().Deliver(ctx, blueprint, until)
	return wait, done, w.failed(ctx, err)
}

// ensureChangelogs sees to it that the changes of each blueprint with a destination are being told.
func (w *worker) ensureChangelogs(ctx context.Context) error {
	list, err := w.app.sender().Destined(ctx)
	if err != nil {
		return err
	}
	for _, blueprint := range list {
		if err := w.app.queue.EnsureChangelog(ctx, blueprint); err != nil {
			return err
		}
	}
	return nil
}

// retain is the queue's handler of what blueprints keep no longer.
func (w *worker) retain(ctx context.Context, until time.Time) (time.Duration, error) {
	wait, err := w.app.catalog.Retain(ctx, until)
	return wait, w.failed(ctx, err)
}
