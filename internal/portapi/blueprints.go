package portapi

import (
	"encoding/json"
	"net/http"

	"longshore/internal/catalog"
)

// derivedMaps are the members of a blueprint that define calculated values. They and relations are always answered.
var derivedMaps = []string{"mirrorProperties", "calculationProperties", "aggregationProperties"}

type blueprintAnswer struct {
	OK        bool    `json:"ok"`
	Blueprint members `json:"blueprint"`
	// Warnings are derived properties that can never have a value.
	Warnings []derivedWarning `json:"warnings,omitempty"`
}

type derivedWarning struct {
	Property string `json:"property"`
	Rule     string `json:"rule"`
	Message  string `json:"message"`
}

type blueprintsAnswer struct {
	OK         bool      `json:"ok"`
	Blueprints []members `json:"blueprints"`
}

// toWireBlueprint is the document as it was sent, with the maps that clients count on and the server's own members.
func toWireBlueprint(b catalog.Blueprint) (members, error) {
	doc, err := parseMembers("blueprint", b.Doc)
	if err != nil {
		return nil, err
	}
	for _, name := range append([]string{"relations"}, derivedMaps...) {
		if isNull(doc.get(name)) {
			doc.set(name, json.RawMessage("{}"))
		}
	}
	schema, err := parseMembers("schema", doc.get("schema"))
	if err != nil {
		return nil, err
	}
	if isNull(schema.get("properties")) {
		schema.set("properties", json.RawMessage("{}"))
	}
	if isNull(schema.get("required")) {
		schema.set("required", json.RawMessage("[]"))
	}
	doc.put("schema", schema)
	doc.put("createdAt", stamp(b.CreatedAt))
	doc.put("createdBy", b.CreatedBy)
	doc.put("updatedAt", stamp(b.UpdatedAt))
	doc.put("updatedBy", b.UpdatedBy)
	return doc, nil
}

// writer is who writes. To a program a relation to a blueprint that does not exist is Port's 404. A person in a
// browser's session may paste documents in any order, as Port's Okta guide has it; pending_targets says otherwise.
func (r *request) writer() catalog.Writer {
	return catalog.Writer{Actor: r.who.ID, Source: r.UserAgent(), AllowPendingTargets: r.flag("pending_targets", !r.who.Machine)}
}

func (a *API) getBlueprints(w http.ResponseWriter, r *request) error {
	list, err := a.Catalog.Blueprints(r.Context())
	if err != nil {
		return err
	}
	answer := blueprintsAnswer{true, make([]members, len(list))}
	for i, b := range list {
		if answer.Blueprints[i], err = toWireBlueprint(b); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, answer)
}

func (a *API) getBlueprint(w http.ResponseWriter, r *request) error {
	b, err := a.Catalog.Blueprint(r.Context(), r.names["blueprint"])
	return writeBlueprint(w, http.StatusOK, b, err)
}

// getStructure answers the part of a system blueprint that users may not touch.
func (a *API) getStructure(w http.ResponseWriter, r *request) error {
	b, err := catalog.SystemStructure(r.names["blueprint"])
	return writeBlueprint(w, http.StatusOK, b, err)
}

func (a *API) postBlueprint(w http.ResponseWriter, r *request) error {
	doc, err := r.document()
	if err != nil {
		return err
	}
	who := r.writer()
	who.Page = r.flag("create_catalog_page", true)
	b, err := a.Catalog.CreateBlueprint(r.Context(), doc, who)
	return writeBlueprint(w, http.StatusCreated, b, err)
}

func (a *API) putBlueprint(w http.ResponseWriter, r *request) error {
	doc, err := r.document()
	if err != nil {
		return err
	}
	b, err := a.Catalog.ReplaceBlueprint(r.Context(), r.names["blueprint"], doc, r.writer())
	return writeBlueprint(w, http.StatusOK, b, err)
}

func (a *API) patchBlueprint(w http.ResponseWriter, r *request) error {
	doc, err := r.document()
	if err != nil {
		return err
	}
	b, err := a.Catalog.PatchBlueprint(r.Context(), r.names["blueprint"], doc, r.writer())
	return writeBlueprint(w, http.StatusOK, b, err)
}

// document returns the body as it was sent, checked to be an object, without the members that the server sets: clients
// send back what they were given.
func (r *request) document() (json.RawMessage, error) {
	doc, err := r.object()
	if err != nil {
		return nil, err
	}
	doc.drop("createdAt", "createdBy", "updatedAt", "updatedBy", "id", "ok")
	return encode(doc)
}

func writeBlueprint(w http.ResponseWriter, status int, b catalog.Blueprint, err error) error {
	if err != nil {
		return err
	}
	wire, err := toWireBlueprint(b)
	if err != nil {
		return err
	}
	answer := blueprintAnswer{OK: true, Blueprint: wire}
	for _, f := range b.Warnings {
		answer.Warnings = append(answer.Warnings, derivedWarning{f.Property, f.Rule, f.Want})
	}
	return writeJSON(w, status, answer)
}

func (a *API) deleteBlueprint(w http.ResponseWriter, r *request) error {
	if err := a.Catalog.DeleteBlueprint(r.Context(), r.names["blueprint"], r.writer()); err != nil {
		return err
	}
	return writeOK(w)
}

type countAnswer struct {
	OK    bool  `json:"ok"`
	Count int64 `json:"count"`
}

func (a *API) getEntitiesCount(w http.ResponseWriter, r *request) error {
	n, err := a.Catalog.CountEntities(r.Context(), r.names["blueprint"])
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, countAnswer{true, n})
}
