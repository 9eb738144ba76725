// Package mapping turns an Event into catalog Changes: Port's webhook mappings, compiled once and applied to many.
//
// [Compile] makes a webhook's list of mappings into a [Set], which goroutines share. Each of them applies it through a
// [Runner] of its own, and gets an [Outcome] for every mapping: a Change for the catalog, or the verdict that ends the
// record there, with the clause, expression and value that decided. Expressions are jq in Port's dialect (package jq)
// over {"body", "headers", "queryParams"} and, with itemsToParse, "item".
//
// What fails is never an error of Apply. An expression that fails becomes null with a note, as in Port; in a filter or
// an identifier, or anywhere in strict mode, it is the outcome.
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
	// Stream is what the kind of an Ocean config's resource is held against.
	Stream string
	// ObjectKey, when set, appears in the body as "_PORT_SOURCE_OBJECT_KEY" (Port's S3 integration adds it).
	ObjectKey string
}

// Outcome is what one mapping (and one item of it) made of an Event: a Change to apply, or a verdict that ends it here.
type Outcome struct {
	Mapping int // 0-based index in the webhook's list
	Item    int // 0-based index when the mapping has itemsToParse, else -1
	Change  *catalog.Change
	Code    verdict.Code   // set when Change is nil: Filtered, ExpressionError, SchemaReject (an illegal identifier), OverLimit, MalformedLine
	Detail  verdict.Detail // for Code; for a Change, notes such as expressions that failed and became null
}
