package portapi

import (
	"context"
	"encoding/json"
	"net/http"

	"longshore/internal/fault"
)

// Permissions keeps who may do what with the entities of a blueprint; see [access.Guard], which also is a [Catalog].
type Permissions interface {
	// Permissions returns {"entities":{…}} of a blueprint, or fault.NotFound.
	Permissions(ctx context.Context, blueprint string) (json.RawMessage, error)
	// PatchPermissions lays a patch over them, leaf by leaf, and returns them.
	PatchPermissions(ctx context.Context, blueprint string, patch json.RawMessage, actor string) (json.RawMessage, error)
	// SeesAll refuses a caller from whom entities of some blueprint are kept.
	SeesAll(ctx context.Context) error
	// SeesBlueprint refuses a caller from whom entities of the blueprint are kept.
	SeesBlueprint(ctx context.Context, blueprint string) error
}

type permissionsAnswer struct {
	OK          bool            `json:"ok"`
	Permissions json.RawMessage `json:"permissions"`
}

func (a *API) getPermissions(w http.ResponseWriter, r *request) error {
	if a.Permissions == nil {
		return noPermissions()
	}
	doc, err := a.Permissions.Permissions(r.Context(), r.names["blueprint"])
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, permissionsAnswer{true, doc})
}

func noPermissions() error {
	return fault.Errorf(fault.NotFound, "permissions are not served here").WithCode("not_found", map[string]any{"resource": "Permissions"})
}

func (a *API) patchPermissions(w http.ResponseWriter, r *request) error {
	if a.Permissions == nil {
		return noPermissions()
	}
	body, err := r.object()
	if err != nil {
		return err
	}
	patch, err := encode(body)
	if err != nil {
		return err
	}
	doc, err := a.Permissions.PatchPermissions(r.Context(), r.names["blueprint"], patch, r.who.ID)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, permissionsAnswer{true, doc})
}
