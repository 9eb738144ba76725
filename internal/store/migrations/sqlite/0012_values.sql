-- +goose Up
-- What searches ask for often: a blueprint's property whose values are kept in order below.
CREATE TABLE property_indexes (
  id           INTEGER PRIMARY KEY,
  blueprint_id INTEGER NOT NULL,
  property     TEXT NOT NULL,
  path         TEXT NOT NULL,             -- its JSON path
  filled       TEXT NOT NULL DEFAULT '',  -- entities up to this identifier were taken in
  done         INTEGER NOT NULL DEFAULT 0,
  UNIQUE (blueprint_id, property)
);

-- The values of those properties, a row each, those of a list's elements too. Triggers keep them, from the moment that the
-- index is begun. kind: 0 text, 1 number, 2 date-time as search reads it (Unix milliseconds), 3 boolean; 4 more for an
-- element of a list; 8 the beginning of a long text.
CREATE TABLE property_values (
  index_id   INTEGER NOT NULL,
  kind       INTEGER NOT NULL,
  value,
  identifier TEXT NOT NULL,
  entity_id  INTEGER NOT NULL,
  PRIMARY KEY (index_id, kind, value, identifier, entity_id)
) WITHOUT ROWID;

-- What property_values holds of an entity.
CREATE VIEW entity_values AS
SELECT i.id AS index_id,
  CASE el.type WHEN 'text' THEN CASE WHEN octet_length(el.value) <= 800 THEN 0 ELSE 8 END WHEN 'integer' THEN 1 WHEN 'real' THEN 1 ELSE 3 END
    + CASE substr(e.properties -> i.path, 1, 1) WHEN '[' THEN 4 ELSE 0 END AS kind,
  CASE el.type WHEN 'text' THEN CASE WHEN octet_length(el.value) <= 800 THEN el.value ELSE substr(el.value, 1, 200) END
    WHEN 'integer' THEN CAST(el.value AS REAL) WHEN 'real' THEN longshore_number(el.json -> el.fullkey) WHEN 'true' THEN 1 ELSE 0 END AS value,
  e.identifier AS identifier, e.id AS entity_id, e.blueprint_id AS blueprint_id
FROM entities e CROSS JOIN property_indexes i CROSS JOIN json_each(e.properties -> i.path) el
WHERE i.blueprint_id = e.blueprint_id AND el.type IN ('text', 'integer', 'real', 'true', 'false')
  AND substr(e.properties -> i.path, 1, 1) <> '{' AND NOT (el.type = 'text' AND octet_length(el.value) > 800 AND substr(e.properties -> i.path, 1, 1) = '[')
UNION ALL
SELECT i.id, CASE substr(e.properties -> i.path, 1, 1) WHEN '[' THEN 6 ELSE 2 END, longshore_millis(el.value), e.identifier, e.id, e.blueprint_id
FROM entities e CROSS JOIN property_indexes i CROSS JOIN json_each(e.properties -> i.path) el
WHERE i.blueprint_id = e.blueprint_id AND el.type = 'text' AND el.value GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T*' AND octet_length(el.value) <= 800
  AND substr(e.properties -> i.path, 1, 1) <> '{' AND longshore_millis(el.value) IS NOT NULL;

-- +goose StatementBegin
CREATE TRIGGER values_of_new AFTER INSERT ON entities
WHEN EXISTS (SELECT 1 FROM property_indexes i WHERE i.blueprint_id = new.blueprint_id) BEGIN
  INSERT INTO property_values (index_id, kind, value, identifier, entity_id)
  SELECT v.index_id, v.kind, v.value, v.identifier, v.entity_id FROM entity_values v WHERE v.entity_id = new.id ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER values_of_old BEFORE UPDATE OF blueprint_id, identifier, properties ON entities
WHEN (old.properties <> new.properties OR old.identifier <> new.identifier OR old.blueprint_id <> new.blueprint_id)
  AND EXISTS (SELECT 1 FROM property_indexes i WHERE i.blueprint_id = old.blueprint_id) BEGIN
  DELETE FROM property_values WHERE (index_id, kind, value, identifier, entity_id) IN
  (SELECT v.index_id, v.kind, v.value, v.identifier, v.entity_id FROM entity_values v WHERE v.entity_id = old.id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER values_of_changed AFTER UPDATE OF blueprint_id, identifier, properties ON entities
WHEN (old.properties <> new.properties OR old.identifier <> new.identifier OR old.blueprint_id <> new.blueprint_id)
  AND EXISTS (SELECT 1 FROM property_indexes i WHERE i.blueprint_id = new.blueprint_id) BEGIN
  INSERT INTO property_values (index_id, kind, value, identifier, entity_id)
  SELECT v.index_id, v.kind, v.value, v.identifier, v.entity_id FROM entity_values v WHERE v.entity_id = new.id ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER values_of_gone BEFORE DELETE ON entities
WHEN EXISTS (SELECT 1 FROM property_indexes i WHERE i.blueprint_id = old.blueprint_id) BEGIN
  DELETE FROM property_values WHERE (index_id, kind, value, identifier, entity_id) IN
  (SELECT v.index_id, v.kind, v.value, v.identifier, v.entity_id FROM entity_values v WHERE v.entity_id = old.id);
END;
-- +goose StatementEnd

-- The same of entities that live apart.
CREATE VIEW event_values AS
SELECT i.id AS index_id,
  CASE el.type WHEN 'text' THEN CASE WHEN octet_length(el.value) <= 800 THEN 0 ELSE 8 END WHEN 'integer' THEN 1 WHEN 'real' THEN 1 ELSE 3 END
    + CASE substr(e.properties -> i.path, 1, 1) WHEN '[' THEN 4 ELSE 0 END AS kind,
  CASE el.type WHEN 'text' THEN CASE WHEN octet_length(el.value) <= 800 THEN el.value ELSE substr(el.value, 1, 200) END
    WHEN 'integer' THEN CAST(el.value AS REAL) WHEN 'real' THEN longshore_number(el.json -> el.fullkey) WHEN 'true' THEN 1 ELSE 0 END AS value,
  e.identifier AS identifier, e.id AS entity_id, e.blueprint_id AS blueprint_id
FROM event_entities e CROSS JOIN property_indexes i CROSS JOIN json_each(e.properties -> i.path) el
WHERE i.blueprint_id = e.blueprint_id AND el.type IN ('text', 'integer', 'real', 'true', 'false')
  AND substr(e.properties -> i.path, 1, 1) <> '{' AND NOT (el.type = 'text' AND octet_length(el.value) > 800 AND substr(e.properties -> i.path, 1, 1) = '[')
UNION ALL
SELECT i.id, CASE substr(e.properties -> i.path, 1, 1) WHEN '[' THEN 6 ELSE 2 END, longshore_millis(el.value), e.identifier, e.id, e.blueprint_id
FROM event_entities e CROSS JOIN property_indexes i CROSS JOIN json_each(e.properties -> i.path) el
WHERE i.blueprint_id = e.blueprint_id AND el.type = 'text' AND el.value GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T*' AND octet_length(el.value) <= 800
  AND substr(e.properties -> i.path, 1, 1) <> '{' AND longshore_millis(el.value) IS NOT NULL;

-- +goose StatementBegin
CREATE TRIGGER values_of_new_event AFTER INSERT ON event_entities
WHEN EXISTS (SELECT 1 FROM property_indexes i WHERE i.blueprint_id = new.blueprint_id) BEGIN
  INSERT INTO property_values (index_id, kind, value, identifier, entity_id)
  SELECT v.index_id, v.kind, v.value, v.identifier, v.entity_id FROM event_values v WHERE v.entity_id = new.id ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER values_of_old_event BEFORE UPDATE OF blueprint_id, identifier, properties ON event_entities
WHEN (old.properties <> new.properties OR old.identifier <> new.identifier OR old.blueprint_id <> new.blueprint_id)
  AND EXISTS (SELECT 1 FROM property_indexes i WHERE i.blueprint_id = old.blueprint_id) BEGIN
  DELETE FROM property_values WHERE (index_id, kind, value, identifier, entity_id) IN
  (SELECT v.index_id, v.kind, v.value, v.identifier, v.entity_id FROM event_values v WHERE v.entity_id = old.id);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER values_of_changed_event AFTER UPDATE OF blueprint_id, identifier, properties ON event_entities
WHEN (old.properties <> new.properties OR old.identifier <> new.identifier OR old.blueprint_id <> new.blueprint_id)
  AND EXISTS (SELECT 1 FROM property_indexes i WHERE i.blueprint_id = new.blueprint_id) BEGIN
  INSERT INTO property_values (index_id, kind, value, identifier, entity_id)
  SELECT v.index_id, v.kind, v.value, v.identifier, v.entity_id FROM event_values v WHERE v.entity_id = new.id ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER values_of_gone_event BEFORE DELETE ON event_entities
WHEN EXISTS (SELECT 1 FROM property_indexes i WHERE i.blueprint_id = old.blueprint_id) BEGIN
  DELETE FROM property_values WHERE (index_id, kind, value, identifier, entity_id) IN
  (SELECT v.index_id, v.kind, v.value, v.identifier, v.entity_id FROM event_values v WHERE v.entity_id = old.id);
END;
-- +goose StatementEnd

-- The words that entity_words knows, in the order of the alphabet.
CREATE VIRTUAL TABLE entity_terms USING fts5vocab(entity_words, row);
