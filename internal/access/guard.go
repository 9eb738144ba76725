package access

import (
	"context"
	"encoding/json"
	"slices"

	"longshore/internal/catalog"
)

// Guard is the catalog as its callers may see it and change it. The methods of the catalog that it does not have itself
// are those that tell nothing of entities, or that a door gives to admins alone.
type Guard struct {
	*catalog.Catalog
	Teams func(ctx context.Context, user string) ([]string, error) // the teams of a person; nil for none
	Reads *Reads                                                   // nil: privileged reads are not recorded
}

// Permissions returns a blueprint's permissions as Port writes them, or fault.NotFound.
func (g *Guard) Permissions(ctx context.Context, blueprint string) (json.RawMessage, error) {
	b, err := g.Catalog.Blueprint(ctx, blueprint)
	if err != nil {
		return nil, err
	}
	set, err := keptOf(b)
	if err != nil {
		return nil, err
	}
	return render(b, set)
}

// PatchPermissions lays a patch over a blueprint's permissions, leaf by leaf, and returns them.
func (g *Guard) PatchPermissions(ctx context.Context, blueprint string, patch json.RawMessage, actor string) (json.RawMessage, error) {
	b, err := g.change(ctx, blueprint, actor, func(b catalog.Blueprint, set kept) (kept, error) { return merged(b, set, patch) })
	if err != nil {
		return nil, err
	}
	set, err := keptOf(b)
	if err != nil {
		return nil, err
	}
	return render(b, set)
}

// change sets what fn makes of the permissions that were set.
func (g *Guard) change(ctx context.Context, blueprint, actor string, fn func(b catalog.Blueprint, set kept) (kept, error)) (catalog.Blueprint, error) {
	return g.SetPermissions(ctx, blueprint, func(b catalog.Blueprint) (json.RawMessage, error) {
		set, err := keptOf(b)
		if err != nil {
			return nil, err
		}
		if set, err = fn(b, set); err != nil {
			return nil, err
		}
		return encode(set)
	}, catalog.Writer{Actor: actor})
}

// RenameProperty is the catalog's; the property keeps its permissions.
func (g *Guard) RenameProperty(ctx context.Context, blueprint, from, to string, w catalog.Writer) (catalog.Blueprint, error) {
	return g.renamed(ctx, blueprint, "updateProperties.", from, to, w, g.Catalog.RenameProperty)
}

// RenameRelation is the catalog's; the relation keeps its permissions.
func (g *Guard) RenameRelation(ctx context.Context, blueprint, from, to string, w catalog.Writer) (catalog.Blueprint, error) {
	return g.renamed(ctx, blueprint, "updateRelations.", from, to, w, g.Catalog.RenameRelation)
}

// renamed gives the new name the old one's leaf before the name is there, and takes the old one's away after: at no
// time is either as permissive as from the start.
func (g *Guard) renamed(ctx context.Context, blueprint, group, from, to string, w catalog.Writer,
	rename func(ctx context.Context, blueprint, from, to string, w catalog.Writer) (catalog.Blueprint, error),
) (catalog.Blueprint, error) {
	b, err := g.Catalog.Blueprint(ctx, blueprint)
	if err != nil {
		return rename(ctx, blueprint, from, to, w)
	}
	set, err := keptOf(b)
	if err != nil {
		return b, err
	}
	if _, ok := set[group+from]; !ok || from == to || slices.Contains(leavesOf(b), group+to) { // nothing to keep, or a rename that will be refused
		return rename(ctx, blueprint, from, to, w)
	}
	// drop takes a leaf away; what else was set meanwhile stays.
	drop := func(name string) error {
		_, err := g.change(ctx, blueprint, w.Actor, func(_ catalog.Blueprint, set kept) (kept, error) {
			delete(set, group+name)
			return set, nil
		})
		return err
	}
	_, err = g.change(ctx, blueprint, w.Actor, func(_ catalog.Blueprint, set kept) (kept, error) {
		if leaf, ok := set[group+from]; ok {
			set[group+to] = leaf
		}
		return set, nil
	})
	if err != nil {
		return catalog.Blueprint{}, err
	}
	b, err = rename(ctx, blueprint, from, to, w)
	if err != nil {
		if undo := drop(to); undo != nil {
			return b, undo
		}
		return b, err
	}
	return b, drop(from)
}
