-- +goose Up
-- What is kept whole, as JSON, and looked up by its name alone: teams, scorecards, integrations, pages, …
CREATE TABLE documents (
  kind       TEXT COLLATE "C" NOT NULL,
  blueprint  TEXT COLLATE "C" NOT NULL DEFAULT '',  -- that it belongs to: it is renamed and goes with it; '' for none
  identifier TEXT COLLATE "C" NOT NULL,
  doc        TEXT NOT NULL,
  secret     BYTEA,                                 -- sealed; NULL for none
  created_at BIGINT NOT NULL,
  created_by TEXT NOT NULL DEFAULT '',
  updated_at BIGINT NOT NULL,
  updated_by TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (kind, blueprint, identifier)
);
CREATE INDEX documents_by_blueprint ON documents (blueprint) WHERE blueprint <> '';
