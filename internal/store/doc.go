// Package store keeps what the nouns' packages need kept, in one SQL database: SQLite embedded.
//
// A method of [Store] is one transaction made of unexported functions that take the transaction, so that they combine.
// Rules stay above: nothing here knows what a valid entity is. Placeholders are written $1, $2, … in SQL that both
// SQLite and PostgreSQL read. Migrations only go forward, numbered, under migrations/.
//
// One connection writes, a pool of others reads: in WAL mode readers never wait for the writer.
package store
