-- +goose Up
ALTER TABLE history ADD COLUMN status  TEXT NOT NULL DEFAULT 'SUCCESS';  -- SUCCESS, FAILURE
ALTER TABLE history ADD COLUMN message TEXT NOT NULL DEFAULT '';
ALTER TABLE history ADD COLUMN run_id  TEXT NOT NULL DEFAULT '';         -- the client's own, of the call that changed it
ALTER TABLE history ADD COLUMN data    TEXT;                             -- JSON object; NULL for none
ALTER TABLE history ADD COLUMN hash    BLOB;                             -- of this row and the hash before it; NULL in rows older than the chain
CREATE INDEX history_but_entities ON history (kind, id) WHERE kind <> 'entity';
CREATE INDEX history_failures ON history (id) WHERE status = 'FAILURE';
CREATE INDEX history_reads ON history (id) WHERE action = 'READ';
CREATE INDEX history_by_run ON history (run_id, id) WHERE run_id <> '';

-- One row: where the chain of hashes begins and ends. Rows up to floor_id may be let go; the chain is then walked from floor_hash.
CREATE TABLE history_chain (
  id         INTEGER PRIMARY KEY CHECK (id = 1),
  first_id   INTEGER NOT NULL,       -- rows up to this one are older than the chain
  floor_id   INTEGER NOT NULL,
  floor_hash BLOB NOT NULL,
  last_id    INTEGER NOT NULL,
  last_hash  BLOB NOT NULL
);
INSERT INTO history_chain (id, first_id, floor_id, floor_hash, last_id, last_hash)
SELECT 1, coalesce(max(id), 0), 0, zeroblob(32), coalesce(max(id), 0), zeroblob(32) FROM history;

-- What was called otherwise before. History keeps the name of its time: until is the last row that bears the old one.
-- An empty identifier is a blueprint itself.
CREATE TABLE history_names (
  id             INTEGER PRIMARY KEY,
  blueprint      TEXT NOT NULL,
  identifier     TEXT NOT NULL DEFAULT '',
  old_blueprint  TEXT NOT NULL,
  old_identifier TEXT NOT NULL DEFAULT '',
  until          INTEGER NOT NULL
);
CREATE INDEX history_names_new ON history_names (blueprint, identifier);
CREATE INDEX history_names_old ON history_names (old_blueprint, old_identifier);

-- +goose StatementBegin
CREATE TRIGGER history_stays BEFORE UPDATE ON history BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER history_is_kept BEFORE DELETE ON history WHEN OLD.id > (SELECT floor_id FROM history_chain) BEGIN
  SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- +goose StatementEnd
