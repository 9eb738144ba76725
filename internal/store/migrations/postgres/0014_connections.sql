-- +goose Up
-- Connections are known by a UUID; two may have one name, as one that is deleted and one made after it.
ALTER TABLE connections RENAME COLUMN name TO uuid;
ALTER TABLE connections ADD COLUMN name TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE connections ADD COLUMN workspace_id TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE connections ADD COLUMN source_id TEXT COLLATE "C" NOT NULL DEFAULT '';       -- '': the source of the settings
ALTER TABLE connections ADD COLUMN destination_id TEXT COLLATE "C" NOT NULL DEFAULT '';  -- '': the bucket of the settings
ALTER TABLE connections ADD COLUMN status TEXT COLLATE "C" NOT NULL DEFAULT 'active';    -- active, inactive, deprecated
UPDATE connections SET name = uuid, uuid = gen_random_uuid()::text,
  doc = jsonb_build_object('source', doc::jsonb ->> 'source', 'namespaceDefinition', 'custom_format', 'namespaceFormat', doc::jsonb ->> 'namespace',
    'schedule', jsonb_build_object('type', CASE WHEN coalesce((doc::jsonb ->> 'every')::bigint, 0) > 0 THEN 'basic' ELSE 'manual' END,
      'every', coalesce((doc::jsonb ->> 'every')::bigint, 0)))::text;
