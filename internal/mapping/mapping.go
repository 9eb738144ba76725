// Package mapping turns an Event into catalog Changes: Port's webhook mappings, compiled once and applied to many.
package mapping

import (
	"longshore/internal/catalog"
	"longshore/internal/verdict"
)

// Event is one thing that arrived: a lake line or a webhook call. Raw JSON; Headers and Query may be nil ({}).
type Event struct {
	Body    []byte // the record as it came, without Airbyte's envelope
	Headers []byte // JSON object, lower-case names
	Query   []byte // JSON object
	// ObjectKey, when set, appears in the body as "_PORT_SOURCE_OBJECT_KEY" (Port's S3 integration adds it).
	ObjectKey string
}

// Outcome is what one mapping (and one item of it) made of an Event: a Change to apply, or a verdict that ends it here.
type Outcome struct {
	Mapping int // 0-based index in the webhook's list
	Item    int // 0-based index when the mapping has itemsToParse, else -1
	Change  *catalog.Change
	Code    verdict.Code   // set when Change is nil: Filtered, ExpressionError, OverLimit
	Detail  verdict.Detail // for Code; for a Change, notes such as expressions that failed and became null
}
