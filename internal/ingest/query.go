package ingest

import (
	"time"

	"longshore/internal/verdict"
)

// VerdictGroup is how often one code with one explanation was given.
type VerdictGroup struct {
	Stream    string         `json:"stream"`
	Webhook   string         `json:"webhook"`
	Mapping   int            `json:"mapping"` // -1: the records' roll-up
	Code      verdict.Code   `json:"-"`
	CodeName  string         `json:"code"`
	DetailID  int64          `json:"-"`
	Detail    verdict.Detail `json:"detail"`
	N         int64          `json:"n"`
	ObjectID  int64          `json:"-"` // of a sample
	ObjectKey string         `json:"sampleObject"`
	Line      int64          `json:"sampleLine"`
}

// VerdictFilter chooses verdicts; the zero value chooses the roll-ups of all objects.
type VerdictFilter struct {
	SyncID   int64
	Stream   string
	Code     verdict.Code
	Mapping  *int // nil: every mapping, roll-ups left out; RollUps takes them alone
	RollUps  bool
	DetailID *int64
}

// RecordVerdict is what the ledger says of one line of an object.
type RecordVerdict struct {
	Object  Object
	Line    int64
	RollUp  Verdict
	Verdict []Verdict // one a mapping
}

// Place is a line of an object.
type Place struct {
	ObjectID  int64
	ObjectKey string
	Line      int64
}

// ObjectFilter chooses objects; the zero value chooses all.
type ObjectFilter struct {
	States []State
	Prefix string
	Since  time.Time // found at or after
	SyncID int64
	Stream string
	// Namespaces, when there are any, are those of the objects.
	Namespaces []string
	Event      string // of a webhook call: the id that it was given
}
