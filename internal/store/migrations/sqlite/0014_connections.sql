-- +goose Up
-- Connections are known by a UUID; two may have one name, as one that is deleted and one made after it.
ALTER TABLE connections RENAME COLUMN name TO uuid;
ALTER TABLE connections ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE connections ADD COLUMN workspace_id TEXT NOT NULL DEFAULT '';
ALTER TABLE connections ADD COLUMN source_id TEXT NOT NULL DEFAULT '';       -- '': the source of the settings
ALTER TABLE connections ADD COLUMN destination_id TEXT NOT NULL DEFAULT '';  -- '': the bucket of the settings
ALTER TABLE connections ADD COLUMN status TEXT NOT NULL DEFAULT 'active';    -- active, inactive, deprecated
UPDATE connections SET name = uuid, uuid = lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))),
  doc = json_object('source', doc ->> 'source', 'namespaceDefinition', 'custom_format', 'namespaceFormat', doc ->> 'namespace',
    'schedule', json_object('type', CASE WHEN coalesce(doc ->> 'every', 0) > 0 THEN 'basic' ELSE 'manual' END, 'every', coalesce(doc ->> 'every', 0)));
