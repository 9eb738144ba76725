-- +goose Up
-- Small named values of this installation: ids, sealed credentials, the demo org's settings.
CREATE TABLE settings (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
