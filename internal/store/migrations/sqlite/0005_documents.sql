-- +goose Up
-- What is kept whole, as JSON, and looked up by its name alone: teams, scorecards, integrations, pages, …
CREATE TABLE documents (
  kind       TEXT NOT NULL,
  blueprint  TEXT NOT NULL DEFAULT '',  -- that it belongs to: it is renamed and goes with it; '' for none
  identifier TEXT NOT NULL,
  doc        TEXT NOT NULL,
  secret     BLOB,                      -- sealed; NULL for none
  created_at INTEGER NOT NULL,
  created_by TEXT NOT NULL DEFAULT '',
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (kind, blueprint, identifier)
) WITHOUT ROWID;
CREATE INDEX documents_by_blueprint ON documents (blueprint) WHERE blueprint <> '';
