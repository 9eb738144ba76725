-- +goose Up
-- Interned blueprint identifiers. A relation may name a blueprint that does not exist yet, so this outlives blueprints.
CREATE TABLE blueprint_names (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
);

CREATE TABLE blueprints (
  id         INTEGER PRIMARY KEY REFERENCES blueprint_names(id),
  doc        TEXT NOT NULL,          -- as sent, merged by PATCH
  created_at INTEGER NOT NULL,       -- Unix milliseconds, as every time here
  created_by TEXT NOT NULL DEFAULT '',
  updated_at INTEGER NOT NULL,
  updated_by TEXT NOT NULL DEFAULT '',
  entities   INTEGER NOT NULL DEFAULT 0  -- how many it has: kept, not counted
);

-- Interned relations: a row for each name that a blueprint has, or had while entities used it.
CREATE TABLE relation_names (
  id           INTEGER PRIMARY KEY,
  blueprint_id INTEGER NOT NULL REFERENCES blueprint_names(id),
  name         TEXT NOT NULL,
  UNIQUE (blueprint_id, name)
);

-- One row. token changes, at random, with every change of a blueprint: whoever has cached what hangs on blueprints compares it.
CREATE TABLE catalog_state (
  id    INTEGER PRIMARY KEY CHECK (id = 1),
  token INTEGER NOT NULL
);
INSERT INTO catalog_state (id, token) VALUES (1, 1);

CREATE TABLE entities (
  id           INTEGER PRIMARY KEY,
  blueprint_id INTEGER NOT NULL,
  identifier   TEXT NOT NULL,
  title        TEXT NOT NULL DEFAULT '',
  icon         TEXT NOT NULL DEFAULT '',
  team         TEXT,                 -- JSON list
  properties   TEXT NOT NULL,        -- canonical JSON, nulls left out
  relations    TEXT NOT NULL,        -- the same: a string or a list of strings each
  created_at   INTEGER NOT NULL,
  created_by   TEXT NOT NULL DEFAULT '',
  updated_at   INTEGER NOT NULL,
  updated_by   TEXT NOT NULL DEFAULT '',
  source       TEXT NOT NULL DEFAULT '',
  UNIQUE (blueprint_id, identifier)
);

-- What decides whether a record is newer and whether it changes anything, apart from the wide rows so that looking,
-- and noting a newer version of the same content, touches few pages.
CREATE TABLE entity_heads (
  entity_id    INTEGER PRIMARY KEY,
  writer_id    INTEGER NOT NULL,     -- texts: lane, stream and fields of the newest change
  generation   INTEGER NOT NULL,
  extracted_at INTEGER NOT NULL,
  key_id       INTEGER NOT NULL,     -- texts: object key; 0 for ''
  line         INTEGER NOT NULL,
  object_id    INTEGER NOT NULL,
  origin_line  INTEGER NOT NULL,
  digest       BLOB,                 -- of the newest change; NULL once the entity was changed by other means
  flags        TEXT,                 -- JSON list of catalog.Flag; NULL for none
  older        TEXT                  -- JSON: older changes that still own fields, and the clearing watermark
);

-- Deleted entities, so that an older record does not bring one back.
CREATE TABLE tombstones (
  blueprint_id INTEGER NOT NULL,
  identifier   TEXT NOT NULL,
  writer_id    INTEGER NOT NULL,
  generation   INTEGER NOT NULL,
  extracted_at INTEGER NOT NULL,
  key_id       INTEGER NOT NULL,
  line         INTEGER NOT NULL,
  entity_id    INTEGER NOT NULL,     -- the row it had, 0 for none
  PRIMARY KEY (blueprint_id, identifier)
) WITHOUT ROWID;

-- Interned texts. id is a hash of the text, so that a cache of them is right whatever transaction was rolled back.
CREATE TABLE texts (
  id   INTEGER PRIMARY KEY,
  body TEXT NOT NULL
);

-- Who points where. The entity's own JSON tells the other direction.
CREATE TABLE relations (
  target_blueprint_id INTEGER NOT NULL,
  target_identifier   TEXT NOT NULL,
  relation_id         INTEGER NOT NULL,
  entity_id           INTEGER NOT NULL,
  PRIMARY KEY (target_blueprint_id, target_identifier, relation_id, entity_id)
) WITHOUT ROWID;

-- The relations whose target is not here yet: exactly the rows above without an entity to point at.
CREATE TABLE pending_relations (
  target_blueprint_id INTEGER NOT NULL,
  target_identifier   TEXT NOT NULL,
  relation_id         INTEGER NOT NULL,
  entity_id           INTEGER NOT NULL,
  PRIMARY KEY (target_blueprint_id, target_identifier, relation_id, entity_id)
) WITHOUT ROWID;
CREATE INDEX pending_by_entity ON pending_relations (entity_id);
CREATE INDEX pending_by_relation ON pending_relations (relation_id);

-- Every change of a blueprint or entity that changed something. before and after hold the changed members alone.
CREATE TABLE history (
  id         INTEGER PRIMARY KEY,
  at         INTEGER NOT NULL,
  kind       TEXT NOT NULL,          -- entity, blueprint
  action     TEXT NOT NULL,          -- CREATE, UPDATE, DELETE
  blueprint  TEXT NOT NULL,
  identifier TEXT NOT NULL,
  actor      TEXT NOT NULL DEFAULT '',
  source     TEXT NOT NULL DEFAULT '',
  object_id  INTEGER NOT NULL DEFAULT 0,
  line       INTEGER NOT NULL DEFAULT 0,
  before     TEXT,                   -- JSON object; NULL for CREATE
  after      TEXT                    -- JSON object; NULL for DELETE
);
CREATE INDEX history_by_entity ON history (blueprint, identifier, id);
