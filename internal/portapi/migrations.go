package portapi

import (
	"encoding/json"
	"net/http"

	"longshore/internal/catalog"
)

type migratedAnswer struct {
	OK          bool   `json:"ok"`
	MigrationID string `json:"migrationId"`
}

type migrationAnswer struct {
	OK        bool      `json:"ok"`
	Migration migration `json:"migration"`
}

type migrationsAnswer struct {
	OK         bool        `json:"ok"`
	Migrations []migration `json:"migrations"`
}

// migration is Port's, with counts of ours at its end.
type migration struct {
	ID              string          `json:"id"`
	Actor           string          `json:"actor"`
	SourceBlueprint string          `json:"sourceBlueprint"`
	Mapping         json.RawMessage `json:"mapping"`
	Status          string          `json:"status"`
	CreatedAt       stamp           `json:"createdAt"`
	UpdatedAt       stamp           `json:"updatedAt"`
	Entities        int64           `json:"entities"`
	Failed          int64           `json:"failed"`
	Message         string          `json:"message,omitempty"`
}

func toWireMigration(m catalog.Migration) migration {
	return migration{
		m.ID, m.Actor, m.Source, m.Mapping, string(m.Status), stamp(m.CreatedAt), stamp(m.UpdatedAt), m.Done, m.Failed, m.Message,
	}
}

// deleteAllEntities does at once what Port does in a migration, and answers one that is completed.
func (a *API) deleteAllEntities(w http.ResponseWriter, r *request) error {
	m, err := a.Catalog.DeleteAllEntities(r.Context(), r.names["blueprint"], r.flag("delete_blueprint", false), r.writer())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, migratedAnswer{true, m.ID})
}

// postMigration makes entities of another blueprint of one blueprint's, and answers when that is done.
func (a *API) postMigration(w http.ResponseWriter, r *request) error {
	body, err := r.object()
	if err != nil {
		return err
	}
	source, err := body.text("sourceBlueprint")
	if err != nil {
		return err
	}
	if source == "" {
		return invalidRequest("sourceBlueprint is required")
	}
	m, err := a.Catalog.Migrate(r.Context(), source, body.get("mapping"), r.writer())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, migrationAnswer{true, toWireMigration(m)})
}

func (a *API) getMigrations(w http.ResponseWriter, r *request) error {
	list, err := a.Catalog.Migrations(r.Context())
	if err != nil {
		return err
	}
	answer := migrationsAnswer{true, make([]migration, len(list))}
	for i, m := range list {
		answer.Migrations[i] = toWireMigration(m)
	}
	return writeJSON(w, http.StatusOK, answer)
}

func (a *API) getMigration(w http.ResponseWriter, r *request) error {
	m, err := a.Catalog.Migration(r.Context(), r.names["id"])
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, migrationAnswer{true, toWireMigration(m)})
}

func (a *API) cancelMigration(w http.ResponseWriter, r *request) error {
	m, err := a.Catalog.CancelMigration(r.Context(), r.names["id"])
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, migrationAnswer{true, toWireMigration(m)})
}
