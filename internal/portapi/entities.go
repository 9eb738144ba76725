package portapi

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"

	"longshore/internal/catalog"
)

type entityAnswer struct {
	OK     bool    `json:"ok"`
	Entity members `json:"entity"`
}

func (a *API) getEntity(w http.ResponseWriter, r *request) error {
	e, err := a.Catalog.EntityAs(r.Context(), r.names["blueprint"], r.names["entity"], r.view().reading())
	if err != nil {
		return err
	}
	return a.writeEntity(w, r, http.StatusOK, e)
}

func (a *API) writeEntity(w http.ResponseWriter, r *request, status int, e catalog.Entity) error {
	wire, err := a.wirePage(r.Context(), []catalog.Entity{e}, r.view())
	if err != nil {
		return err
	}
	return writeJSON(w, status, entityAnswer{true, wire[0]})
}

// wirePage shows entities.
func (a *API) wirePage(ctx context.Context, list []catalog.Entity, v view) ([]members, error) {
	shapes, err := a.shapes(ctx, list)
	if err != nil {
		return nil, err
	}
	var titles map[catalog.Key]string
	if v.attachTitles {
		if titles, err = a.titles(ctx, list, shapes); err != nil {
			return nil, err
		}
	}
	out := make([]members, len(list))
	for i, e := range list {
		if out[i], err = toWireEntity(e, shapes[e.Blueprint], v, titles); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// postEntity creates, or with upsert=true creates or changes, an entity.
func (a *API) postEntity(w http.ResponseWriter, r *request) error {
	body, err := r.object()
	if err != nil {
		return err
	}
	change, err := r.upsert(body)
	if err != nil {
		return err
	}
	change.ValidateOnly = r.flag("validation_only", false)
	r.about = change.Identifier
	return a.writeChange(w, r, change)
}

// putEntity replaces an entity, and renames it when the body names it otherwise.
func (a *API) putEntity(w http.ResponseWriter, r *request) error {
	return a.changeEntity(w, r, catalog.OpReplace)
}

// patchEntity changes what the body names.
func (a *API) patchEntity(w http.ResponseWriter, r *request) error {
	return a.changeEntity(w, r, catalog.OpMerge)
}

func (a *API) changeEntity(w http.ResponseWriter, r *request, op catalog.Op) error {
	body, err := r.object()
	if err != nil {
		return err
	}
	change, err := r.change(body)
	if err != nil {
		return err
	}
	if change.IdentifierQuery == nil && change.Identifier != r.names["entity"] {
		change.Rename = change.Identifier // "" for none
	}
	change.Op, change.Exists, change.Identifier, change.IdentifierQuery = op, catalog.MustExist, r.names["entity"], nil
	return a.writeChange(w, r, change)
}

func (a *API) writeChange(w http.ResponseWriter, r *request, change catalog.Change) error {
	result, err := a.Catalog.Write(r.Context(), change)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if result.Outcome == catalog.OutcomeCreated {
		status = http.StatusCreated
	}
	if !result.Withheld {
		return a.writeEntity(w, r, status, result.Entity)
	}
	wire, err := a.wirePage(r.Context(), []catalog.Entity{result.Entity}, view{include: said(change)})
	if err != nil {
		return err
	}
	return writeJSON(w, status, entityAnswer{true, wire[0]})
}

// said names what a change says of its entity, as include does.
func said(change catalog.Change) []string {
	names := []string{"identifier"}
	for name, sent := range map[string][]byte{"title": change.Title, "icon": change.Icon, "team": change.Team} {
		if sent != nil {
			names = append(names, name)
		}
	}
	for _, f := range change.Properties {
		names = append(names, "properties."+f.Name)
	}
	for _, f := range change.Relations {
		names = append(names, "relations."+f.Name)
	}
	return names
}

// upsert is the change that a POST asks for.
func (r *request) upsert(body members) (catalog.Change, error) {
	c, err := r.change(body)
	if err != nil {
		return c, err
	}
	upsert, merge := r.flag("upsert", false), r.flag("merge", false)
	switch {
	case c.IdentifierQuery != nil: // names an entity that is there, and never creates
		c.Exists = catalog.MustExist
		if !upsert {
			c.Exists = catalog.MustNotExist
		}
	case !upsert:
		c.Exists = catalog.MustNotExist
	}
	if !upsert || !merge {
		c.Op = catalog.OpReplace
	}
	if c.Identifier == "" && c.IdentifierQuery == nil {
		c.Identifier = newEntityID()
	}
	return c, nil
}

func newEntityID() string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	id := []byte("e_")
	for len(id) < len("e_")+16 {
		var b [32]byte
		_, _ = rand.Read(b[:]) // never fails
		for _, x := range b {
			if int(x) < 4*len(alphabet) && len(id) < len("e_")+16 { // so that each letter is as likely as the others
				id = append(id, alphabet[int(x)%len(alphabet)])
			}
		}
	}
	return string(id)
}

// change reads an entity as clients write it. Members that are not an entity's are passed over; that the body's
// blueprint may differ from the path's, too.
func (r *request) change(body members) (catalog.Change, error) {
	c := catalog.Change{
		Blueprint: r.names["blueprint"], CreateMissingRelated: r.flag("create_missing_related_entities", false),
		Actor: r.who.ID, Source: r.UserAgent(), RunID: plain(r.URL.Query().Get("run_id")),
	}
	switch id := body.get("identifier"); {
	case isNull(id):
	case id[0] == '{':
		c.IdentifierQuery = id
	default:
		if err := json.Unmarshal(id, &c.Identifier); err != nil {
			return c, invalidRequest("identifier: want a string or a search query, got %s", excerpt(id))
		}
	}
	c.Title, c.Icon, c.Team = body.get("title"), body.get("icon"), body.get("team")
	for _, part := range []struct {
		name string
		into *[]catalog.Field
	}{{"properties", &c.Properties}, {"relations", &c.Relations}} {
		list, err := parseMembers(part.name, body.get(part.name))
		if err != nil {
			return c, err
		}
		for _, m := range list {
			*part.into = append(*part.into, catalog.Field{Name: m.Name, Value: m.Value})
		}
	}
	return c, nil
}

func (a *API) deleteEntity(w http.ResponseWriter, r *request) error {
	_, err := a.Catalog.Write(r.Context(), r.deletion(r.names["entity"], catalog.MustExist))
	if err != nil {
		return err
	}
	return writeOK(w)
}

func (r *request) deletion(identifier string, exists catalog.Exists) catalog.Change {
	return catalog.Change{
		Blueprint: r.names["blueprint"], Identifier: identifier, Op: catalog.OpDelete, Exists: exists,
		DeleteDependents: r.flag("delete_dependents", false), Actor: r.who.ID, Source: r.UserAgent(), RunID: plain(r.URL.Query().Get("run_id")),
	}
}

// Limits of bulk calls (Port's).
const (
	maxBulkUpsert = 20
	maxBulkDelete = 100
)

type bulkAnswer struct {
	OK       bool        `json:"ok"`
	Entities []bulkDone  `json:"entities"`
	Errors   []bulkError `json:"errors"`
}

type bulkDone struct {
	Index      int    `json:"index"`
	Identifier string `json:"identifier"`
	Created    bool   `json:"created"`
}

type bulkError struct {
	Index      int    `json:"index"`
	Identifier string `json:"identifier"`
	StatusCode int    `json:"statusCode"`
	Error      string `json:"error"`
	Message    string `json:"message"`
}

// postBulk writes up to 20 entities, each on its own: whatever is wrong with one is in its own answer.
func (a *API) postBulk(w http.ResponseWriter, r *request) error {
	body, err := r.object()
	if err != nil {
		return err
	}
	var list []json.RawMessage
	if json.Unmarshal(body.get("entities"), &list) != nil || len(list) == 0 || len(list) > maxBulkUpsert {
		return invalidRequest("entities: want a list of 1 to %d entities", maxBulkUpsert)
	}
	results := make([]catalog.Result, len(list))
	var changes []catalog.Change
	var places []int // of the changes in the list
	for i, text := range list {
		var change catalog.Change
		entity, err := parseMembers("entity", text)
		if err == nil {
			change, err = r.upsert(entity)
		}
		if err != nil {
			results[i] = catalog.Result{Identifier: change.Identifier, Err: err}
			continue
		}
		change.ValidateOnly = r.flag("validation_only", false)
		changes, places = append(changes, change), append(places, i)
	}
	made, err := a.Catalog.WriteEach(r.Context(), changes)
	if err != nil {
		return err
	}
	for n, result := range made {
		if result.Err != nil {
			result.Identifier = changes[n].Identifier
		}
		results[places[n]] = result
	}
	answer := bulkAnswer{OK: true, Entities: []bulkDone{}, Errors: []bulkError{}}
	for i, result := range results {
		if result.Err == nil {
			answer.Entities = append(answer.Entities, bulkDone{i, result.Identifier, result.Outcome == catalog.OutcomeCreated})
			continue
		}
		status, e := toAnswer(result.Err)
		id := result.Identifier
		if id == "" {
			id = "unknown"
		}
		answer.Errors = append(answer.Errors, bulkError{i, id, status, e.Error, e.Message})
	}
	if len(answer.Errors) > 0 {
		return writeJSON(w, http.StatusMultiStatus, answer)
	}
	return writeJSON(w, http.StatusOK, answer)
}

type bulkDeleteAnswer struct {
	OK              bool     `json:"ok"`
	DeletedEntities []string `json:"deletedEntities"`
}

// deleteBulk deletes up to 100 entities, all or none. Those that are not there are passed over.
func (a *API) deleteBulk(w http.ResponseWriter, r *request) error {
	body, err := r.object()
	if err != nil {
		return err
	}
	var ids []string
	if json.Unmarshal(body.get("entities"), &ids) != nil || len(ids) == 0 || len(ids) > maxBulkDelete {
		return invalidRequest("entities: want a list of 1 to %d identifiers", maxBulkDelete)
	}
	changes := make([]catalog.Change, len(ids))
	for i, id := range ids {
		changes[i] = r.deletion(id, catalog.AnyWay)
	}
	results, err := a.Catalog.WriteAll(r.Context(), changes)
	if err != nil {
		return err
	}
	answer := bulkDeleteAnswer{true, []string{}}
	for i, result := range results {
		if result.Outcome == catalog.OutcomeDeleted {
			answer.DeletedEntities = append(answer.DeletedEntities, ids[i])
		}
	}
	return writeJSON(w, http.StatusOK, answer)
}
