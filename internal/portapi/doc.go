// Package portapi is the door that speaks Port's API: /v1/* and the webhooks' /ingest/{webhookKey}. It turns wire format
// into the catalog's nouns and back, and holds no rules of its own. What differs from Port stands in docs/compat/port.md.
//
// Paths are routed as they were escaped, segment by segment, and never cleaned: an identifier may hold a slash (%2F).
//
// Beside Port's routes there are our own, for what Port has no words for. All are GET and take the same credentials:
//
//	/v1/longshore/verdicts          what became of records, grouped: ?sync= ?stream= ?code= ?mapping= ?rollups=true ?limit=
//	/v1/longshore/records           lines with one verdict: the same filters, ?detail= (a group's detailId)
//	/v1/longshore/objects           lake objects, newest first: ?sync= ?stream= ?state= ?prefix= ?limit=
//	/v1/longshore/objects/{id}/lines/{line}   the verdicts of one record
//	/v1/longshore/syncs             runs, newest first: ?limit=
//	/v1/longshore/syncs/{id}        one run
//	/v1/longshore/receipts/{sync}   the run's stored receipt
//	/v1/longshore/pending           relations that wait for their targets: ?samples=
package portapi
