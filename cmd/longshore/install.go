package main

import (
	"context"
	"fmt"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/ingest"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
	"longshore/internal/store"
	"longshore/packs"
)

// actor is who writes what this program writes on its own.
const actor = "longshore"

// applyPack makes the pack's blueprints and its webhook, unless they are there: what people changed stays changed.
// A data folder keeps the pack that it began with.
func (a *app) applyPack(ctx context.Context, pack packs.Pack) error {
	was, err := a.store.Setting(ctx, "pack")
	if err != nil {
		return err
	}
	if was != "" && was != pack.Name {
		return fault.Errorf(fault.Conflict, "the data folder %s was begun with pack %s, not %s", a.cfg.data, was, pack.Name).
			WithHint("use another folder with --data, or leave --pack %s", was)
	}
	for _, b := range pack.Blueprints {
		_, err := a.catalog.Blueprint(ctx, b.Identifier)
		if err == nil {
			continue
		}
		if !fault.Is(err, fault.NotFound) {
			return err
		}
		// Another process that begins on the same database may make it first.
		// The guide creates okta_user before the blueprint that it points at: the relation waits for its target.
		if _, err := a.catalog.CreateBlueprint(ctx, b.JSON, catalog.Writer{Actor: actor, Source: actor, AllowPendingTargets: true}); err != nil && !fault.Is(err, fault.Conflict) {
			return fmt.Errorf("pack %s: blueprint %s: %w", pack.Name, b.Identifier, err)
		}
	}
	if _, err := a.objects.Webhook(ctx, pack.Webhook.Identifier); fault.Is(err, fault.NotFound) {
		if _, err := a.objects.PutWebhook(ctx, ingest.Webhook{Doc: pack.Webhook.JSON, UpdatedBy: actor}); err != nil {
			if _, missing := a.objects.Webhook(ctx, pack.Webhook.Identifier); missing != nil { // nobody else has made it meanwhile
				return fmt.Errorf("pack %s: %w", pack.Name, err)
			}
		}
	} else if err != nil {
		return err
	}
	return a.store.SetSetting(ctx, "pack", pack.Name)
}

// ownConnection is the UUID of the connection that this program makes: processes that start at once make one.
const ownConnection = "0f1e7c5a-6b0e-4b55-9d3c-0a6c6f6b7a01"

// connection makes the connection between the org and the lake, or returns the one that is there.
func (a *app) connection(ctx context.Context) (pipeline.Connection, error) {
	all, err := a.syncs.Connections(ctx)
	if err != nil {
		return pipeline.Connection{}, err
	}
	for _, c := range all {
		if c.Name != connectionName {
			continue
		}
		return c, a.sameOrg(ctx)
	}
	made, err := a.syncs.PutConnection(ctx, pipeline.Connection{
		UUID: ownConnection, Name: connectionName, Source: a.orgURL(), NamespaceDefinition: pipeline.CustomFormat, NamespaceFormat: namespace,
		Schedule: pipeline.Every(defaultEvery),
	})
	if err != nil {
		return made, err
	}
	return made, a.recall(ctx, made)
}

// recall tells a new connection how far an earlier database had come with this lake.
func (a *app) recall(ctx context.Context, conn pipeline.Connection) error {
	manifests, err := lake.LastManifests(ctx, a.bucket)
	if err != nil {
		return err
	}
	var seen []store.Seen
	for _, m := range manifests {
		if m.Namespace == conn.Namespace() {
			seen = append(seen, store.Seen{Stream: m.Stream, SyncID: m.SyncID, Generation: m.Generation})
		}
	}
	return a.syncs.Recall(ctx, conn.ID, seen)
}
