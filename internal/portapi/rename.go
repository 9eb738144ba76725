package portapi

import (
	"context"
	"net/http"

	"longshore/internal/catalog"
)

type rename func(ctx context.Context, blueprint, from, to string, w catalog.Writer) (catalog.Blueprint, error)

func (a *API) renameProperty(w http.ResponseWriter, r *request) error {
	return renameMember(w, r, "newPropertyName", a.Catalog.RenameProperty)
}

func (a *API) renameMirror(w http.ResponseWriter, r *request) error {
	return renameMember(w, r, "newMirrorName", a.Catalog.RenameMirror)
}

func (a *API) renameRelation(w http.ResponseWriter, r *request) error {
	return renameMember(w, r, "newRelationIdentifier", a.Catalog.RenameRelation)
}

// renameMember gives a part of a blueprint the name that the body's member says.
func renameMember(w http.ResponseWriter, r *request, member string, rename rename) error {
	body, err := r.object()
	if err != nil {
		return err
	}
	to, err := body.text(member)
	if err != nil {
		return err
	}
	if to == "" {
		return invalidRequest("%s is required", member)
	}
	b, err := rename(r.Context(), r.names["blueprint"], r.names["name"], to, r.writer())
	return writeBlueprint(w, http.StatusOK, b, err)
}
