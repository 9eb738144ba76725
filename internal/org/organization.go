package org

import (
	"context"
	"encoding/json"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// theOrganization is the one document of its kind.
var theOrganization = catalog.DocumentKey{Kind: kindOrganization, Identifier: "organization"}

// Settings returns what was set for the organisation, its name among it; nothing when nothing was.
func (o *Org) Settings(ctx context.Context) (Object, error) {
	doc, err := o.docs.Get(ctx, theOrganization)
	if fault.Is(err, fault.NotFound) {
		return Object{}, nil
	}
	if err != nil {
		return nil, err
	}
	return parseObject("organization", doc.Doc)
}

// PutSettings replaces what is set. A name is required.
func (o *Org) PutSettings(ctx context.Context, body json.RawMessage, actor string) error {
	return o.setSettings(ctx, body, actor, true)
}

// PatchSettings sets the members that body names.
func (o *Org) PatchSettings(ctx context.Context, body json.RawMessage, actor string) error {
	return o.setSettings(ctx, body, actor, false)
}

func (o *Org) setSettings(ctx context.Context, body json.RawMessage, actor string, replace bool) error {
	settings, err := parseObject("organization", body)
	if err != nil {
		return err
	}
	settings.drop("id", "featureFlags", "ok", "createdAt", "updatedAt") // the server's own: flags would switch clients onto routes that are not served
	name, err := settings.text("organization", "name")
	if err != nil {
		return err
	}
	if _, sent := settings["name"]; sent || replace {
		if err := checkName("organization name", name); err != nil {
			return err
		}
	}
	_, err = o.docs.Update(ctx, theOrganization, func(d *catalog.Document) error {
		if !replace {
			before, err := parseObject("organization", d.Doc)
			if err != nil {
				return err
			}
			settings = before.merged(settings)
		}
		d.Doc, d.UpdatedBy = encode(settings), actor
		return nil
	})
	if fault.Is(err, fault.NotFound) {
		_, err = o.docs.Put(ctx, catalog.Document{DocumentKey: theOrganization, Doc: encode(settings), UpdatedBy: actor})
	}
	return err
}
