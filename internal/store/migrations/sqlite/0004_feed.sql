-- +goose Up
-- Where the feed of a connection stands.
CREATE TABLE feeds (
  connection_id INTEGER PRIMARY KEY REFERENCES connections(id),
  log           TEXT NOT NULL,               -- the stream that the feed reads by itself
  position      TEXT NOT NULL DEFAULT '',    -- state of the log up to which everything it touches was read again
  caught_up     INTEGER NOT NULL DEFAULT 0,  -- the newest run after which the feed has read again what was touched since it began
  since         INTEGER NOT NULL,            -- when the feed began
  alive_until   INTEGER NOT NULL DEFAULT 0   -- until then runs leave the log to the feed
);

-- Word of changes that came by event hook. What is settled is kept for a while, to know copies by.
CREATE TABLE nudges (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  connection_id INTEGER NOT NULL REFERENCES connections(id),
  delivery      TEXT NOT NULL,               -- id of the delivery that brought it
  uuid          TEXT NOT NULL,               -- of the event
  event         TEXT NOT NULL,               -- JSON: what of the event tells what it touches
  received_at   INTEGER NOT NULL,
  settled       INTEGER NOT NULL DEFAULT 0,
  UNIQUE (connection_id, uuid)
);
CREATE INDEX nudges_waiting ON nudges (connection_id, id) WHERE settled = 0;
CREATE INDEX nudges_by_delivery ON nudges (connection_id, delivery);
CREATE INDEX nudges_settled ON nudges (received_at) WHERE settled = 1;
