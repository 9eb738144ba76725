package portapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// Scorecards keeps scorecards; see [catalog.Catalog] for the contracts.
type Scorecards interface {
	Scorecards(ctx context.Context, blueprint string) ([]catalog.Document, error)
	Scorecard(ctx context.Context, blueprint, id string) (catalog.Document, error)
	CreateScorecard(ctx context.Context, blueprint string, doc json.RawMessage, w catalog.Writer) (catalog.Document, error)
	ReplaceScorecard(ctx context.Context, blueprint, id string, doc json.RawMessage, w catalog.Writer) (catalog.Document, error)
	PatchScorecard(ctx context.Context, blueprint, id string, doc json.RawMessage, w catalog.Writer) (catalog.Document, error)
	DeleteScorecard(ctx context.Context, blueprint, id string, w catalog.Writer) error
}

func (a *API) scorecardRoutes(t *router) {
	t.add("GET /v1/scorecards", a.getScorecards, needRead)
	t.add("GET /v1/blueprints/{blueprint}/scorecards", a.getScorecards, needRead)
	t.add("POST /v1/blueprints/{blueprint}/scorecards", a.postScorecard, needModel)
	t.add("PUT /v1/blueprints/{blueprint}/scorecards", a.putScorecards, needModel)
	t.add("GET /v1/blueprints/{blueprint}/scorecards/{scorecard}", a.getScorecard, needRead)
	t.add("PUT /v1/blueprints/{blueprint}/scorecards/{scorecard}", a.putScorecard, needModel)
	t.add("PATCH /v1/blueprints/{blueprint}/scorecards/{scorecard}", a.patchScorecard, needModel)
	t.add("DELETE /v1/blueprints/{blueprint}/scorecards/{scorecard}", a.deleteScorecard, needModel)
}

// toWireScorecard is the document as it was sent, with its default levels and the server's own members.
func toWireScorecard(d catalog.Document) (members, error) {
	wire, err := parseMembers("scorecard", d.Doc)
	if err != nil {
		return nil, err
	}
	wire.put("blueprint", d.Blueprint)
	wire.put("createdAt", stamp(d.CreatedAt))
	wire.put("createdBy", d.CreatedBy)
	wire.put("updatedAt", stamp(d.UpdatedAt))
	wire.put("updatedBy", d.UpdatedBy)
	return wire, nil
}

func writeScorecard(w http.ResponseWriter, status int, d catalog.Document, err error) error {
	if err != nil {
		return err
	}
	wire, err := toWireScorecard(d)
	if err != nil {
		return err
	}
	answer := members{{"ok", json.RawMessage("true")}}
	answer.put("scorecard", wire)
	return writeJSON(w, status, answer)
}

func writeScorecards(w http.ResponseWriter, list []catalog.Document) (err error) {
	all := make([]members, len(list))
	for i, d := range list {
		if all[i], err = toWireScorecard(d); err != nil {
			return err
		}
	}
	return writeEnvelope(w, "scorecards", all)
}

// getScorecards lists the scorecards of a blueprint, or of all.
func (a *API) getScorecards(w http.ResponseWriter, r *request) error {
	list, err := a.Scorecards.Scorecards(r.Context(), r.names["blueprint"])
	if err != nil {
		return err
	}
	return writeScorecards(w, list)
}

func (a *API) getScorecard(w http.ResponseWriter, r *request) error {
	d, err := a.Scorecards.Scorecard(r.Context(), r.names["blueprint"], r.names["scorecard"])
	return writeScorecard(w, http.StatusOK, d, err)
}

func (a *API) postScorecard(w http.ResponseWriter, r *request) error {
	body, err := r.sent()
	if err != nil {
		return err
	}
	d, err := a.Scorecards.CreateScorecard(r.Context(), r.names["blueprint"], body, r.writer())
	return writeScorecard(w, http.StatusCreated, d, err)
}

// putScorecards creates or replaces those that the body lists, one after the other; others stay. The body is the list,
// or an object with the member scorecards.
func (a *API) putScorecards(w http.ResponseWriter, r *request) error {
	body, err := r.value()
	if err != nil {
		return err
	}
	if text := bytes.TrimSpace(body); text[0] == '{' {
		object, err := parseMembers("the body", text)
		if err != nil {
			return err
		}
		body = object.get("scorecards")
	}
	var list []json.RawMessage
	if json.Unmarshal(body, &list) != nil || len(list) == 0 {
		return invalidRequest("scorecards: want a list of scorecards")
	}
	done := make([]catalog.Document, len(list))
	for i, text := range list {
		card, err := parseMembers("scorecard", text)
		if err != nil {
			return err
		}
		id, err := card.text("identifier")
		if err != nil {
			return err
		}
		if id == "" {
			return invalidRequest("scorecards: number %d has no identifier", i+1)
		}
		done[i], err = a.Scorecards.ReplaceScorecard(r.Context(), r.names["blueprint"], id, text, r.writer())
		if fault.Is(err, fault.NotFound) { // of the blueprint, too: that is told again
			done[i], err = a.Scorecards.CreateScorecard(r.Context(), r.names["blueprint"], text, r.writer())
		}
		if err != nil {
			return err
		}
	}
	return writeScorecards(w, done)
}

func (a *API) putScorecard(w http.ResponseWriter, r *request) error {
	body, err := r.sent()
	if err != nil {
		return err
	}
	d, err := a.Scorecards.ReplaceScorecard(r.Context(), r.names["blueprint"], r.names["scorecard"], body, r.writer())
	return writeScorecard(w, http.StatusOK, d, err)
}

func (a *API) patchScorecard(w http.ResponseWriter, r *request) error {
	body, err := r.sent()
	if err != nil {
		return err
	}
	d, err := a.Scorecards.PatchScorecard(r.Context(), r.names["blueprint"], r.names["scorecard"], body, r.writer())
	return writeScorecard(w, http.StatusOK, d, err)
}

func (a *API) deleteScorecard(w http.ResponseWriter, r *request) error {
	if err := a.Scorecards.DeleteScorecard(r.Context(), r.names["blueprint"], r.names["scorecard"], r.writer()); err != nil {
		return err
	}
	return writeOK(w)
}
