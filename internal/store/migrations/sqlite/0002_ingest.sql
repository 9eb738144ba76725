-- +goose Up
-- Doors with a key and mappings (Port's webhooks). doc holds what was sent, the secret sealed.
CREATE TABLE webhooks (
  id          INTEGER PRIMARY KEY,
  identifier  TEXT NOT NULL UNIQUE,
  webhook_key TEXT NOT NULL UNIQUE,
  doc         TEXT NOT NULL,
  secret      BLOB,                  -- sealed
  created_at  INTEGER NOT NULL,
  created_by  TEXT NOT NULL DEFAULT '',
  updated_at  INTEGER NOT NULL,
  updated_by  TEXT NOT NULL DEFAULT ''
);

-- Every version of a webhook's mappings that has judged a record.
CREATE TABLE mapping_versions (
  id         INTEGER PRIMARY KEY,
  webhook    TEXT NOT NULL,
  digest     TEXT NOT NULL,
  doc        TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (webhook, digest)
);

-- One version of a lake object. The unique key is the fence: an object's lines are taken once a pass.
CREATE TABLE objects (
  id            INTEGER PRIMARY KEY,
  bucket        TEXT NOT NULL,
  object_key    TEXT NOT NULL,
  etag          TEXT NOT NULL,
  namespace     TEXT NOT NULL,
  stream        TEXT NOT NULL,
  sync_id       INTEGER,             -- the run that wrote it, when it was ours
  bytes         INTEGER NOT NULL,
  rows_written  INTEGER,             -- lines our writer counted; unknown for a foreign writer
  sha256        TEXT NOT NULL DEFAULT '',
  found_at      INTEGER NOT NULL,
  state         TEXT NOT NULL,       -- queued, reading, done, failed, unrouted, gone
  pass          INTEGER NOT NULL DEFAULT 1,
  webhook       TEXT NOT NULL DEFAULT '',
  mapping_id    INTEGER,             -- mapping_versions.id of the pass under way or done
  lines_done    INTEGER NOT NULL DEFAULT 0,  -- last line taken in this pass, blank lines included
  records       INTEGER NOT NULL DEFAULT 0,  -- lines that are records, bad ones included
  error         TEXT NOT NULL DEFAULT '',
  ingested_at   INTEGER,
  UNIQUE (bucket, object_key, etag)
);
CREATE INDEX objects_by_key ON objects (object_key);
CREATE INDEX objects_by_sync ON objects (sync_id, stream);
CREATE INDEX objects_by_state ON objects (state);

-- Explanations, stored once each.
CREATE TABLE verdict_details (
  id   INTEGER PRIMARY KEY,
  doc  TEXT NOT NULL UNIQUE          -- verdict.Detail
);

-- The ledger: for each record of an object, in line order, its line, its roll-up and one verdict a mapping; packed.
CREATE TABLE verdict_chunks (
  object_id  INTEGER NOT NULL REFERENCES objects(id),
  first_line INTEGER NOT NULL,
  last_line  INTEGER NOT NULL,
  records    INTEGER NOT NULL,
  mapping_id INTEGER NOT NULL,
  cells      BLOB NOT NULL,
  PRIMARY KEY (object_id, first_line)
) WITHOUT ROWID;

-- The ledger's sums, grouped by explanation. mapping -1 is the record's roll-up.
CREATE TABLE verdict_counts (
  object_id  INTEGER NOT NULL REFERENCES objects(id),
  mapping    INTEGER NOT NULL,
  code       INTEGER NOT NULL,
  detail_id  INTEGER NOT NULL,       -- 0: none
  n          INTEGER NOT NULL,
  first_line INTEGER NOT NULL,
  PRIMARY KEY (object_id, mapping, code, detail_id)
) WITHOUT ROWID;
