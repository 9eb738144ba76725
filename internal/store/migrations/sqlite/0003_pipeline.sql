-- +goose Up
-- Small named values of this installation: ids, sealed credentials, the demo org's settings.
CREATE TABLE settings (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
);

CREATE TABLE connections (
  id         INTEGER PRIMARY KEY,
  name       TEXT NOT NULL UNIQUE,
  doc        TEXT NOT NULL,          -- pipeline.Connection
  created_at INTEGER NOT NULL        -- Unix milliseconds, as every time here
);

-- One run of a connection. Kept for ever.
CREATE TABLE syncs (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  connection_id INTEGER NOT NULL REFERENCES connections(id),
  started_at    INTEGER NOT NULL,    -- also the EPOCH of its object keys
  finished_at   INTEGER,
  status        TEXT NOT NULL,       -- running, succeeded, partial, failed, cancelled
  cause         TEXT NOT NULL,       -- what started it: manual, schedule, up
  error         TEXT NOT NULL DEFAULT '',
  receipt       TEXT NOT NULL DEFAULT ''  -- JSON, once drawn
);
CREATE INDEX syncs_by_connection ON syncs (connection_id, id);

-- One stream of a run: how far it is read, and what was counted on the way.
CREATE TABLE sync_streams (
  sync_id      INTEGER NOT NULL REFERENCES syncs(id),
  position     INTEGER NOT NULL,
  stream       TEXT NOT NULL,
  mode         TEXT NOT NULL,        -- full_refresh, incremental
  generation   INTEGER NOT NULL,
  status       TEXT NOT NULL,        -- pending, running, complete, partial, failed
  state        TEXT NOT NULL DEFAULT '',  -- the source's own words; opaque
  next_part    INTEGER NOT NULL DEFAULT 0,
  pages        INTEGER NOT NULL DEFAULT 0,
  api_rows     INTEGER NOT NULL DEFAULT 0,
  lake_rows    INTEGER NOT NULL DEFAULT 0,
  lake_bytes   INTEGER NOT NULL DEFAULT 0,
  first_cursor TEXT NOT NULL DEFAULT '',
  last_cursor  TEXT NOT NULL DEFAULT '',
  statuses     TEXT NOT NULL DEFAULT '{}',
  gaps         TEXT NOT NULL DEFAULT '[]',
  error        TEXT NOT NULL DEFAULT '',
  started_at   INTEGER,
  finished_at  INTEGER,
  PRIMARY KEY (sync_id, stream)
) WITHOUT ROWID;

-- Where the next run of an incremental stream goes on, and the stream's current generation.
CREATE TABLE stream_states (
  connection_id INTEGER NOT NULL REFERENCES connections(id),
  stream        TEXT NOT NULL,
  generation    INTEGER NOT NULL,
  state         TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (connection_id, stream)
) WITHOUT ROWID;
