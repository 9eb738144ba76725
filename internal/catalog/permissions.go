package catalog

import (
	"context"
	"encoding/json"
	"time"
)

// KindPermissions is the kind of the documents that hold permissions. One belongs to a blueprint, and comes with it.
const KindPermissions = "permissions"

// permissionsID is the identifier of the document that holds the permissions on a blueprint's entities.
const permissionsID = "entities"

// kindFormerPermissions is the kind of the documents that hold what permissions a blueprint had that was deleted, by its
// identifier: what it was made from is there still.
const kindFormerPermissions = "former-permissions"

// SetPermissions gives a blueprint the permissions that change makes of those that it has; nil stands for none. Whoever
// writes next is held against them. Errors: those of change, fault.NotFound.
func (c *Catalog) SetPermissions(ctx context.Context, blueprint string, change func(Blueprint) (json.RawMessage, error), w Writer) (b Blueprint, err error) {
	err = c.store.InTx(ctx, func(tx Tx) error {
		m, err := c.wholeModel(ctx, tx)
		if err != nil {
			return err
		}
		if m.rules[blueprint] == nil {
			return missing("Blueprint", blueprint)
		}
		b = m.rules[blueprint].Blueprint
		if b.Permissions, err = change(b); err != nil {
			return err
		}
		now := c.now().UTC().Truncate(time.Millisecond)
		doc := Document{
			DocumentKey: DocumentKey{KindPermissions, blueprint, permissionsID}, Doc: b.Permissions,
			CreatedAt: now, CreatedBy: w.Actor, UpdatedAt: now, UpdatedBy: w.Actor,
		}
		if err := tx.PutDocument(ctx, doc); err != nil {
			return err
		}
		// The blueprint is as it was; its token is renewed, so that nobody goes on with the permissions of before.
		return tx.PutBlueprint(ctx, m.rules[blueprint].Blueprint)
	})
	return b, err
}

// FormerPermissions returns the permissions of the blueprints that are no more, as far as some were set.
func (c *Catalog) FormerPermissions(ctx context.Context) (list []Document, err error) {
	err = c.store.InView(ctx, func(v View) (err error) {
		list, err = v.Documents(ctx, kindFormerPermissions, "")
		return err
	})
	return list, err
}

// keepPermissions remembers the permissions of a blueprint that goes.
func keepPermissions(ctx context.Context, tx Tx, b Blueprint, now time.Time, w Writer) error {
	if b.Permissions == nil {
		return nil
	}
	return tx.PutDocument(ctx, Document{
		DocumentKey: DocumentKey{Kind: kindFormerPermissions, Identifier: b.Identifier}, Doc: b.Permissions,
		CreatedAt: now, CreatedBy: w.Actor, UpdatedAt: now, UpdatedBy: w.Actor,
	})
}

// forgetPermissions lets go of what permissions a blueprint of that identifier had before: there is one again.
func forgetPermissions(ctx context.Context, tx Tx, id string) error {
	return tx.DeleteDocument(ctx, DocumentKey{Kind: kindFormerPermissions, Identifier: id})
}
