-- +goose Up
-- Blueprints without history (events: many, hardly ever changed, let go after a while) have their rows in tables of their
-- own, of the same columns. ids tell the table: those of event_entities begin at 2^40.
-- apart: 0 in entities, 1 in event_entities, 2 on the way there, 3 on the way back. worded: whether global search finds them.
ALTER TABLE blueprints ADD COLUMN apart INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blueprints ADD COLUMN worded INTEGER NOT NULL DEFAULT 1;

CREATE TABLE event_entities (
  id           INTEGER PRIMARY KEY AUTOINCREMENT,
  blueprint_id INTEGER NOT NULL,
  identifier   TEXT NOT NULL,
  title        TEXT NOT NULL DEFAULT '',
  icon         TEXT NOT NULL DEFAULT '',
  team         TEXT,
  properties   TEXT NOT NULL,
  relations    TEXT NOT NULL,
  created_at   INTEGER NOT NULL,
  created_by   TEXT NOT NULL DEFAULT '',
  updated_at   INTEGER NOT NULL,
  updated_by   TEXT NOT NULL DEFAULT '',
  source       TEXT NOT NULL DEFAULT '',
  UNIQUE (blueprint_id, identifier)
);
INSERT INTO sqlite_sequence (name, seq) VALUES ('event_entities', 1099511627776);

CREATE TABLE event_heads (
  entity_id    INTEGER PRIMARY KEY,
  writer_id    INTEGER NOT NULL,
  generation   INTEGER NOT NULL,
  extracted_at INTEGER NOT NULL,
  key_id       INTEGER NOT NULL,
  line         INTEGER NOT NULL,
  object_id    INTEGER NOT NULL,
  origin_line  INTEGER NOT NULL,
  digest       BLOB,
  flags        TEXT,
  older        TEXT
);

CREATE TABLE event_relations (
  target_blueprint_id INTEGER NOT NULL,
  target_identifier   TEXT NOT NULL,
  relation_id         INTEGER NOT NULL,
  entity_id           INTEGER NOT NULL,
  PRIMARY KEY (target_blueprint_id, target_identifier, relation_id, entity_id)
) WITHOUT ROWID;
CREATE INDEX event_relations_by_entity ON event_relations (entity_id, relation_id);

CREATE TABLE event_pending (
  target_blueprint_id INTEGER NOT NULL,
  target_identifier   TEXT NOT NULL,
  relation_id         INTEGER NOT NULL,
  entity_id           INTEGER NOT NULL,
  PRIMARY KEY (target_blueprint_id, target_identifier, relation_id, entity_id)
) WITHOUT ROWID;
CREATE INDEX event_pending_by_entity ON event_pending (entity_id);
CREATE INDEX event_pending_by_relation ON event_pending (relation_id);

-- Both places together, for what asks across blueprints.
CREATE VIEW all_entities AS
  SELECT id, blueprint_id, identifier, title, icon, team, properties, relations, created_at, created_by, updated_at, updated_by, source FROM entities
  UNION ALL
  SELECT id, blueprint_id, identifier, title, icon, team, properties, relations, created_at, created_by, updated_at, updated_by, source FROM event_entities;
CREATE VIEW all_heads AS
  SELECT entity_id, writer_id, generation, extracted_at, key_id, line, object_id, origin_line, digest, flags, older FROM entity_heads
  UNION ALL
  SELECT entity_id, writer_id, generation, extracted_at, key_id, line, object_id, origin_line, digest, flags, older FROM event_heads;
CREATE VIEW all_relations AS
  SELECT target_blueprint_id, target_identifier, relation_id, entity_id FROM relations
  UNION ALL
  SELECT target_blueprint_id, target_identifier, relation_id, entity_id FROM event_relations;
CREATE VIEW all_pending AS
  SELECT target_blueprint_id, target_identifier, relation_id, entity_id FROM pending_relations
  UNION ALL
  SELECT target_blueprint_id, target_identifier, relation_id, entity_id FROM event_pending;

-- The rows of one step of a move between the two places; empty outside its transaction.
CREATE TABLE event_moves (
  old_id INTEGER PRIMARY KEY,
  new_id INTEGER NOT NULL
);

-- What retention let go: one walk through a blueprint's entities a row. A row without an end goes on where it stands.
CREATE TABLE retention_runs (
  id           INTEGER PRIMARY KEY,
  blueprint_id INTEGER NOT NULL,
  days         INTEGER NOT NULL,
  property     TEXT NOT NULL,        -- that tells an entity's time; '' for when it was read
  cutoff       INTEGER NOT NULL,     -- older ones go
  begun_at     INTEGER NOT NULL,
  finished_at  INTEGER,
  walked       INTEGER NOT NULL,     -- the last id looked at
  pruned       INTEGER NOT NULL
);
CREATE INDEX retention_runs_by_blueprint ON retention_runs (blueprint_id, id);

UPDATE blueprints SET apart = 2 WHERE json_extract(doc, '$.history') = 0;
UPDATE blueprints SET worded = coalesce(json_extract(doc, '$.includeInGlobalSearch'), json_extract(doc, '$.history'), 1);

-- Words: those of events are kept for the blueprints alone that global search looks through.
-- +goose StatementBegin
CREATE TRIGGER words_of_new_event AFTER INSERT ON event_entities WHEN (SELECT worded FROM blueprints WHERE id = new.blueprint_id) BEGIN
  INSERT INTO words_queue (entity_id) VALUES (new.id) ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER words_of_changed_event AFTER UPDATE OF identifier, title, properties ON event_entities
WHEN (SELECT worded FROM blueprints WHERE id = new.blueprint_id) BEGIN
  INSERT INTO words_queue (entity_id) VALUES (new.id) ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER words_of_gone_event AFTER DELETE ON event_entities WHEN (SELECT worded FROM blueprints WHERE id = old.blueprint_id) BEGIN
  INSERT INTO words_queue (entity_id) VALUES (old.id) ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
-- A blueprint that enters or leaves global search. Where its entities move too, the move sees to their words.
DROP TRIGGER words_of_blueprint;
-- +goose StatementBegin
CREATE TRIGGER words_of_blueprint AFTER UPDATE OF doc ON blueprints WHEN old.worded <> new.worded BEGIN
  INSERT INTO words_queue (entity_id) SELECT id FROM entities WHERE blueprint_id = new.id AND new.apart <> 2 ON CONFLICT DO NOTHING;
  INSERT INTO words_queue (entity_id) SELECT id FROM event_entities WHERE blueprint_id = new.id AND new.apart <> 3 ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
