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
ALTER TABLE connections ADD COLUMN next_at INTEGER NOT NULL DEFAULT 0;    -- Unix seconds of the tick that counts; 0: none
ALTER TABLE connections ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;   -- failed runs in a row
ALTER TABLE connections ADD COLUMN paused_at INTEGER NOT NULL DEFAULT 0;  -- since when its schedule holds back; 0: it does not
ALTER TABLE connections ADD COLUMN discovered TEXT NOT NULL DEFAULT '';   -- pipeline.Discovery: what the source was seen to have
CREATE INDEX connections_by_source ON connections (source_id);
CREATE INDEX connections_by_destination ON connections (destination_id);

ALTER TABLE syncs ADD COLUMN job_type TEXT NOT NULL DEFAULT 'sync';       -- sync, clear, refresh
ALTER TABLE syncs ADD COLUMN actor TEXT NOT NULL DEFAULT '';              -- who started it
ALTER TABLE syncs ADD COLUMN cancel_at INTEGER NOT NULL DEFAULT 0;        -- when it was asked to end; 0: never
ALTER TABLE syncs ADD COLUMN cancel_by TEXT NOT NULL DEFAULT '';
-- Of a connection at most one run is under way, beside that of its feed.
CREATE UNIQUE INDEX syncs_under_way ON syncs (connection_id) WHERE status = 'running' AND cause <> 'feed';
ALTER TABLE sync_streams ADD COLUMN minimum_generation INTEGER NOT NULL DEFAULT 0; -- older ones go once the stream is complete

-- The attempts of a run. Kept for ever.
CREATE TABLE attempts (
  sync_id     INTEGER NOT NULL REFERENCES syncs(id),
  number      INTEGER NOT NULL,          -- from 1
  status      TEXT NOT NULL,             -- running, failed, succeeded, cancelled
  started_at  INTEGER NOT NULL,
  finished_at INTEGER,
  error       TEXT NOT NULL DEFAULT '',
  row_count   INTEGER NOT NULL DEFAULT 0, -- rows and bytes that were in the lake before it; what it brought, once it is over
  byte_count  INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (sync_id, number)
) WITHOUT ROWID;

-- What happened in a run, in lines for people. So many a run are kept.
CREATE TABLE sync_log (
  id      INTEGER PRIMARY KEY,
  sync_id INTEGER NOT NULL REFERENCES syncs(id),
  at      INTEGER NOT NULL,
  level   TEXT NOT NULL,                 -- debug, info, warn, error
  stream  TEXT NOT NULL DEFAULT '',
  text    TEXT NOT NULL
);
CREATE INDEX sync_log_by_sync ON sync_log (sync_id, id);

-- What is to be known about a connection: its source has changed, its schedule holds back, a stream came empty. Kept for ever.
CREATE TABLE notices (
  id            INTEGER PRIMARY KEY,
  connection_id INTEGER NOT NULL REFERENCES connections(id),
  sync_id       INTEGER NOT NULL DEFAULT 0,  -- of the run in which it was seen; 0: none
  at            INTEGER NOT NULL,
  kind          TEXT NOT NULL,
  stream        TEXT NOT NULL DEFAULT '',
  text          TEXT NOT NULL
);
CREATE INDEX notices_by_connection ON notices (connection_id, id);
