package catalog

import (
	"encoding/json"
	"strings"
)

// Op is what a Change does.
type Op int

// The operations. Upsert semantics are Port's: see contracts "Create, upsert, merge, replace".
const (
	OpMerge   Op = iota // only what is sent changes; creates when absent
	OpReplace           // what is not sent is cleared and defaults apply again; creates when absent
	OpDelete            // removes; deleting what is not there succeeds with OutcomeAbsent
)

// Exists is what a Change demands of the entity before it.
type Exists int

// The demands. A MustExist that fails is fault.NotFound; a MustNotExist that fails is fault.Conflict "identifier_taken".
const (
	AnyWay Exists = iota
	MustExist
	MustNotExist
)

// Field is one property or relation as raw JSON text. Value is never nil; JSON null clears.
type Field struct {
	Name  string
	Value []byte
}

// Version orders the records that write one entity: generation, then extraction time, then object key, then line.
// The zero Version is an API write, ordered by the catalog's clock.
type Version struct {
	Generation  int64
	ExtractedAt int64 // Unix milliseconds
	ObjectKey   string
	Line        int64 // 1-based
}

// Compare returns -1, 0 or 1 as v is older than, the same as, or newer than w.
func (v Version) Compare(w Version) int {
	switch {
	case v.Generation != w.Generation:
		return cmp(v.Generation, w.Generation)
	case v.ExtractedAt != w.ExtractedAt:
		return cmp(v.ExtractedAt, w.ExtractedAt)
	case v.ObjectKey != w.ObjectKey:
		return strings.Compare(v.ObjectKey, w.ObjectKey)
	default:
		return cmp(v.Line, w.Line)
	}
}

func cmp(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Lane names the writer of an entity: "" for the API, "webhook/{identifier}/{n}" for the n-th mapping of a webhook
// (0-based). Versions order changes within a lane. Between lanes each field belongs to the lane with the newer
// version among those that wrote it, so that the result does not depend on the order of arrival.
type Lane string

// Origin is where a Change came from, for provenance: the lake object and line, and the stream it belongs to.
type Origin struct {
	ObjectID int64  // the store's id of the lake object; 0 for an API write
	Line     int64  // 1-based
	Stream   string // of the snapshot; "" for what is no part of one, such as a webhook call
}

// Change is one write that a mapping or an API call asks of the catalog. It lends its byte slices until Apply returns.
type Change struct {
	Blueprint       string
	Op              Op
	Exists          Exists
	Identifier      string
	IdentifierQuery json.RawMessage // a search that must match exactly one entity; instead of Identifier
	Rename          string          // new identifier (PUT and PATCH), "" for none

	// Title, Icon and Team are raw JSON: nil was not sent, null clears.
	Title, Icon, Team []byte
	Properties        []Field
	Relations         []Field // a string, a list, null, or a search query object

	DeleteDependents     bool
	CreateMissingRelated bool // bare targets are created for relations whose target does not exist
	ValidateOnly         bool

	// Lenient keeps what Port would reject: a required null or a value that misses its type is stored and
	// reported as a Flag, and a relation to an absent target waits for it. Otherwise Port's rules hold.
	Lenient bool

	Lane    Lane
	Version Version
	Origin  Origin
	Actor   string // createdBy / updatedBy
	Source  string // $datasource: the writer's User-Agent, or "webhook/{identifier}"
	RunID   string // what the client calls the run that this is part of; for the audit log
}

// Outcome is what became of a Change.
type Outcome int

// The outcomes.
const (
	OutcomeRejected   Outcome = iota // Err says why; nothing was written
	OutcomeCreated                   //
	OutcomeUpdated                   //
	OutcomeUnchanged                 // the entity already reads so; nothing was written
	OutcomeDeleted                   //
	OutcomeAbsent                    // delete of what is not there
	OutcomeSuperseded                // a newer record of the same lane was applied before; nothing was written
	OutcomePast                      // older than the blueprint keeps its entities: nothing was written
	OutcomeConflict                  // applied, but another record of the same generation and stream wrote other content to this identifier
)

func (o Outcome) String() string {
	return [...]string{"rejected", "created", "updated", "unchanged", "deleted", "absent", "superseded", "past-retention", "conflict"}[o]
}

// Flag is one rule that a kept entity breaks.
type Flag struct {
	Property string `json:"property"` // name, or a path such as "profile.firstName"
	Rule     string `json:"rule"`     // "required", "type", "format", "enum", "unknown-property", "many", …
	Want     string `json:"want,omitempty"`
	Value    string `json:"value"` // excerpt of the offending JSON value, at most 120 bytes
}

// Pending is a relation whose target is not in the catalog yet.
type Pending struct {
	Relation   string `json:"relation"`
	Blueprint  string `json:"blueprint"`
	Identifier string `json:"identifier"`
}

// Result is what became of one Change.
type Result struct {
	Outcome    Outcome
	Identifier string
	Flags      []Flag
	Pending    []Pending
	Healed     []Healed // relations of other entities that waited for this one
	Err        error    // a fault with Port's error code, when rejected
	Entity     Entity   // the entity after the change, when the caller asked for it (API writes)
	// Withheld: Entity holds no more than the change said, since the caller may not read what else there is.
	Withheld bool
}
