-- +goose Up
-- The secret before a rotation, sealed, and until when it is good (Unix milliseconds; 0: there is none).
ALTER TABLE webhooks ADD COLUMN previous_secret BYTEA;
ALTER TABLE webhooks ADD COLUMN previous_until BIGINT NOT NULL DEFAULT 0;
-- The newest object of a webhook's stream: its latest event.
CREATE INDEX objects_by_namespace ON objects (namespace, stream, id);
