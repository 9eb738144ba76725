-- +goose Up
-- Who an entity points at: relations the other way. The primary key comes with it, so it answers alone.
CREATE INDEX relations_by_entity ON relations (entity_id, relation_id);
