package org

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// onPrem is the runtime of every integration: one that is told another refuses to start.
const onPrem = "OnPrem"

// Integration is a program that writes entities on its own. Members are what its clients sent, and are answered as they
// were sent: a client compares them with its own and patches what differs, at every start.
type Integration struct {
	ID                   string // installationId
	InternalID           string
	Members              Object          // among them installationId and installationType; the optional ones are null, not absent
	Resync               *ResyncRequest  // the newest, nil for none
	ResyncState          json.RawMessage // an object; its updatedAt is that of the newest state or request
	CreatedAt, UpdatedAt time.Time       // of the members: neither states nor requests change it
	CreatedBy, UpdatedBy string
}

// ResyncRequest asks an integration to read its source again. A later one has a later UpdatedAt.
type ResyncRequest struct {
	ID        string    `json:"id"`
	UpdatedAt time.Time `json:"updatedAt"`
}

// integrationDoc is an integration as it is kept. The request lies with the members, so that no change of them can be
// kept without its request.
type integrationDoc struct {
	ID        string         `json:"id"`
	Members   Object         `json:"members"`
	ChangedAt time.Time      `json:"changedAt"`
	ChangedBy string         `json:"changedBy"`
	Resync    *ResyncRequest `json:"resync,omitempty"`
	State     Object         `json:"state,omitempty"`
	StateAt   time.Time      `json:"stateAt"`
}

// unset are the members that are answered although no client has sent them.
var unset = map[string]string{
	"title": "null", "version": "null", "changelogDestination": "null", "config": "null", "spec": "{}", "installationAppType": "null",
	"actionsProcessingEnabled": "false", "incrementalSyncEnabled": "false", "processingMode": "null", "arePortResourcesInitialized": "false",
}

// served are the members that are the server's alone.
var served = []string{
	"_id", "id", "ok", "installationType", "logAttributes", "metricAttributes", "ingestAttributes", "resyncState",
	"createdAt", "createdBy", "updatedAt", "updatedBy",
}

func integrationKey(id string) catalog.DocumentKey {
	return catalog.DocumentKey{Kind: kindIntegration, Identifier: id}
}

func toIntegration(d catalog.Document) (Integration, error) {
	var doc integrationDoc
	if err := json.Unmarshal(d.Doc, &doc); err != nil {
		return Integration{}, err
	}
	i := Integration{
		ID: d.Identifier, InternalID: doc.ID, Members: maps.Clone(doc.Members), Resync: doc.Resync,
		CreatedAt: d.CreatedAt, CreatedBy: d.CreatedBy, UpdatedAt: doc.ChangedAt, UpdatedBy: doc.ChangedBy,
	}
	for name, value := range unset {
		if _, sent := i.Members[name]; !sent {
			i.Members[name] = json.RawMessage(value)
		}
	}
	i.Members.set("installationId", d.Identifier)
	i.Members.set("installationType", onPrem)
	state, at := maps.Clone(doc.State), doc.StateAt
	if state == nil {
		state = Object{}
	}
	if doc.Resync != nil && doc.Resync.UpdatedAt.After(at) {
		at = doc.Resync.UpdatedAt
	}
	state.set("updatedAt", at.UTC().Format("2006-01-02T15:04:05.000Z"))
	i.ResyncState = encode(state)
	return i, nil
}

// Integrations lists the integrations by installation id.
func (o *Org) Integrations(ctx context.Context) ([]Integration, error) {
	docs, err := o.docs.List(ctx, kindIntegration)
	if err != nil {
		return nil, err
	}
	all := make([]Integration, len(docs))
	for i, d := range docs {
		if all[i], err = toIntegration(d); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Integration returns the integration of that installation id, or else of that internal id, or fault.NotFound.
func (o *Org) Integration(ctx context.Context, id string) (Integration, error) {
	d, err := o.docs.Get(ctx, integrationKey(id))
	if err == nil {
		return toIntegration(d)
	}
	if !fault.Is(err, fault.NotFound) {
		return Integration{}, err
	}
	all, failed := o.Integrations(ctx)
	if failed != nil {
		return Integration{}, failed
	}
	for _, i := range all {
		if i.InternalID == id {
			return i, nil
		}
	}
	return Integration{}, err
}

// CreateIntegration keeps what an integration says of itself, and asks it for its first resync: it begins with none
// before it is asked. Errors: fault.Conflict when the installation id is taken.
func (o *Org) CreateIntegration(ctx context.Context, body json.RawMessage, actor string) (Integration, error) {
	sent, err := readIntegration(body)
	if err != nil {
		return Integration{}, err
	}
	id, err := sent.text("integration", "installationId")
	if err != nil {
		return Integration{}, err
	}
	if err := checkName("integration installationId", id); err != nil {
		return Integration{}, err
	}
	at := o.moment()
	doc := integrationDoc{
		ID: newID("integration_"), Members: sent, ChangedAt: at, ChangedBy: actor, StateAt: at,
		Resync: &ResyncRequest{newID("resync_"), at},
	}
	d, err := o.docs.Create(ctx, catalog.Document{DocumentKey: integrationKey(id), Doc: encode(doc), UpdatedBy: actor})
	if err != nil {
		return Integration{}, err
	}
	return toIntegration(d)
}

// PatchIntegration sets the members that body names; null clears one. It asks for a resync when the config changes, and
// when body is empty, which means just that. skipResync asks for none.
func (o *Org) PatchIntegration(ctx context.Context, id string, body json.RawMessage, skipResync bool, actor string) (Integration, error) {
	sent, err := readIntegration(body)
	if err != nil {
		return Integration{}, err
	}
	return o.updateIntegration(ctx, id, func(i *integrationDoc, id string) error {
		if other, err := sent.text("integration", "installationId"); err != nil || other != "" && other != id {
			return invalid("integration installationId: it cannot be changed from %q", id)
		}
		before := i.Members["config"]
		i.Members = i.Members.merged(sent)
		_, configured := sent["config"]
		if len(sent) == 0 || configured && !same(before, sent["config"]) {
			i.resync(o.moment(), skipResync)
		}
		i.ChangedAt, i.ChangedBy = o.moment(), actor
		return nil
	})
}

// SetConfig replaces the config: body is it, or an object with the member config.
func (o *Org) SetConfig(ctx context.Context, id string, body json.RawMessage, skipResync bool, actor string) (Integration, error) {
	sent, err := parseObject("config", body)
	if err != nil {
		return Integration{}, err
	}
	if _, wrapped := sent["config"]; !wrapped {
		sent = Object{"config": body}
	}
	return o.PatchIntegration(ctx, id, encode(Object{"config": sent["config"]}), skipResync, actor)
}

// DeleteIntegration forgets an integration and all that it sent, or answers fault.NotFound. Its entities stay.
func (o *Org) DeleteIntegration(ctx context.Context, id string) error {
	i, err := o.Integration(ctx, id)
	if err != nil {
		return err
	}
	for _, kind := range []string{kindLogs, kindMetrics, kindCursor} {
		if err := o.docs.Delete(ctx, catalog.DocumentKey{Kind: kind, Identifier: i.ID}); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	examples, err := o.docs.List(ctx, kindExamples+" "+i.ID)
	if err != nil {
		return err
	}
	for _, d := range examples {
		if err := o.docs.Delete(ctx, d.DocumentKey); err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	return o.docs.Delete(ctx, integrationKey(i.ID))
}

// SetResyncState merges what an integration tells of its resync into what it told before.
func (o *Org) SetResyncState(ctx context.Context, id string, body json.RawMessage, actor string) (Integration, error) {
	sent, err := parseObject("resync state", body)
	if err != nil {
		return Integration{}, err
	}
	sent.drop("updatedAt")
	return o.updateIntegration(ctx, id, func(i *integrationDoc, _ string) error {
		if len(encode(sent)) > maxStateBytes {
			return invalid("resync state: larger than %d KiB", maxStateBytes>>10)
		}
		i.State, i.StateAt = i.State.merged(sent), o.moment()
		return nil
	})
}

// maxStateBytes is how large a resync state or a cursor may be.
const maxStateBytes = 64 << 10

// updateIntegration changes an integration in one transaction. fn gets its installation id too.
func (o *Org) updateIntegration(ctx context.Context, id string, fn func(*integrationDoc, string) error) (Integration, error) {
	i, err := o.Integration(ctx, id)
	if err != nil {
		return i, err
	}
	d, err := o.docs.Update(ctx, integrationKey(i.ID), func(d *catalog.Document) error {
		var doc integrationDoc
		if err := json.Unmarshal(d.Doc, &doc); err != nil {
			return err
		}
		if err := fn(&doc, d.Identifier); err != nil {
			return err
		}
		d.Doc = encode(doc)
		return nil
	})
	if err != nil {
		return i, err
	}
	return toIntegration(d)
}

// resync asks for a resync, unless it is to be skipped. A request has a later time than the one before it: by that
// alone an integration knows it.
func (i *integrationDoc) resync(at time.Time, skip bool) {
	if skip {
		return
	}
	if i.Resync != nil && !at.After(i.Resync.UpdatedAt) {
		at = i.Resync.UpdatedAt.Add(time.Millisecond)
	}
	i.Resync = &ResyncRequest{newID("resync_"), at}
}

// moment is now, as precise as answers tell it.
func (o *Org) moment() time.Time { return o.now().UTC().Truncate(time.Millisecond) }

// readIntegration reads an integration as clients write it.
func readIntegration(body json.RawMessage) (Object, error) {
	const what = "integration"
	sent, err := parseObject(what, body)
	if err != nil {
		return nil, err
	}
	sent.drop(served...)
	for _, name := range []string{"installationId", "installationAppType", "title", "version", "processingMode"} {
		if _, err := sent.text(what, name); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"actionsProcessingEnabled", "incrementalSyncEnabled", "arePortResourcesInitialized"} {
		if err := sent.want(what, name, "true or false", new(bool)); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"changelogDestination", "spec"} {
		if err := sent.want(what, name, "an object", &Object{}); err != nil {
			return nil, err
		}
	}
	return sent, checkConfig(sent["config"])
}

// checkConfig checks those members of a config that have a meaning for us or for the integration before it reads its
// mappings. The mappings' expressions are not compiled: what is wrong with them shows when they run.
func checkConfig(text json.RawMessage) error {
	if isNull(text) {
		return nil
	}
	config, err := parseObject("integration config", text)
	if err != nil {
		return err
	}
	for _, name := range []string{"createMissingRelatedEntities", "deleteDependentEntities", "enableMergeEntity"} {
		if err := config.want("config", name, "true or false", new(bool)); err != nil {
			return err
		}
	}
	share := 0.0
	if err := config.want("config", "entityDeletionThreshold", "a number from 0 to 1", &share); err != nil {
		return err
	}
	if share < 0 || share > 1 {
		return invalid("config entityDeletionThreshold: want a number from 0 to 1, got %v", share)
	}
	var resources []Object
	if err := config.want("config", "resources", "a list of objects", &resources); err != nil {
		return err
	}
	for n, r := range resources {
		if _, err := r.text("config resources", "kind"); err != nil || isNull(r["kind"]) {
			return invalid("config resources: number %d has no kind", n+1)
		}
	}
	return nil
}
