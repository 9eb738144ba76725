-- +goose Up
-- Who an entity points at: relations the other way. The primary key comes with it, so it answers alone.
CREATE INDEX relations_by_entity ON relations (entity_id, relation_id);

-- The words of entities, for global search: cut in Go, so that both databases know the same. They follow the entities in
-- the background: words_queue holds those that changed since.
CREATE VIRTUAL TABLE entity_words USING fts5(words, content='', contentless_delete=1, detail='none', tokenize='ascii');
CREATE TABLE words_queue (
  entity_id INTEGER PRIMARY KEY
);
INSERT INTO words_queue SELECT id FROM entities;
-- +goose StatementBegin
CREATE TRIGGER words_of_new AFTER INSERT ON entities BEGIN
  INSERT INTO words_queue (entity_id) VALUES (new.id) ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER words_of_changed AFTER UPDATE OF identifier, title, properties ON entities BEGIN
  INSERT INTO words_queue (entity_id) VALUES (new.id) ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER words_of_gone AFTER DELETE ON entities BEGIN
  INSERT INTO words_queue (entity_id) VALUES (old.id) ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
-- A blueprint that enters or leaves global search.
-- +goose StatementBegin
CREATE TRIGGER words_of_blueprint AFTER UPDATE OF doc ON blueprints
WHEN json_extract(old.doc, '$.includeInGlobalSearch') IS NOT json_extract(new.doc, '$.includeInGlobalSearch')
  OR json_extract(old.doc, '$.history') IS NOT json_extract(new.doc, '$.history') BEGIN
  INSERT INTO words_queue (entity_id) SELECT id FROM entities WHERE blueprint_id = new.id ON CONFLICT DO NOTHING;
END;
-- +goose StatementEnd
