// Package verdict holds the closed set of what can become of a record under a mapping.
//
// Every (record × mapping) ends in exactly one Code, every record in one roll-up ([RollUp]). A [Detail] says which
// clause, expression, property or value decided.
package verdict

import "strings"

// Code is one verdict. Codes are stored as one byte: never renumber, only append.
type Code uint8

// The closed set. NoMappingMatched is a roll-up only: the record was filtered by every mapping.
const (
	None               Code = iota
	Upserted                // written (created, updated, or deleted by a mapping's delete operation)
	Unchanged               // the catalog already reads so; nothing was written
	KeptWithFlags           // written although a rule is broken; the flags name property, rule and value
	PendingRelation         // written; a relation waits for its target
	SupersededByNewer       // a newer record had written the entity
	Filtered                // the mapping's filter did not answer true; the detail names the clause
	NoMappingMatched        // roll-up: filtered by every mapping
	ExpressionError         // an expression failed where its value decides (filter, identifier), or in strict mode anywhere
	SchemaReject            // the entity does not fit its blueprint, or the blueprint or a required target is missing
	IdentifierConflict      // written, but another record of the same generation and stream claimed the same identifier
	OverLimit               // larger, longer or more than a named limit allows
	MalformedLine           // not a JSON record
	QuarantinedDelete       // a deletion waits for a person
	PastRetention           // older than the blueprint keeps its entities; nothing was written, the record stays in the lake
	numCodes
)

// Names are the codes' names as people and APIs see them.
var names = [numCodes]string{
	"none", "upserted", "unchanged", "kept-with-flags", "pending-relation", "superseded-by-newer", "filtered",
	"no-mapping-matched", "expression-error", "schema-reject", "identifier-conflict", "over-limit", "malformed-line", "quarantined-delete",
	"past-retention",
}

func (c Code) String() string {
	if int(c) < len(names) {
		return names[c]
	}
	return "unknown"
}

// Parse returns the code of that name, or None.
func Parse(name string) Code {
	for i, n := range names {
		if n == name {
			return Code(i)
		}
	}
	return None
}

// All lists the codes of the closed set, in order.
func All() []Code {
	all := make([]Code, 0, numCodes-1)
	for c := Upserted; c < numCodes; c++ {
		all = append(all, c)
	}
	return all
}

// Lost reports whether the code means that the mapping wanted the record and the catalog does not have it.
func (c Code) Lost() bool {
	switch c {
	case ExpressionError, SchemaReject, OverLimit, MalformedLine, QuarantinedDelete:
		return true
	}
	return false
}

// rank orders codes for roll-ups: the most telling first.
var rank = [numCodes]int{
	MalformedLine: 14, OverLimit: 13, ExpressionError: 12, SchemaReject: 11, IdentifierConflict: 10, QuarantinedDelete: 9,
	KeptWithFlags: 8, PendingRelation: 7, Upserted: 6, PastRetention: 5, SupersededByNewer: 4, Unchanged: 3, NoMappingMatched: 2, Filtered: 1,
}

// Worse returns the more telling of two codes, the order of roll-ups.
func Worse(a, b Code) Code {
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// RollUp is the verdict of a record, given that of each mapping: the most telling one, or NoMappingMatched when
// every mapping filtered it (or there is no mapping).
func RollUp(codes []Code) Code {
	worst := None
	for _, c := range codes {
		worst = Worse(worst, c)
	}
	if worst == None || worst == Filtered {
		return NoMappingMatched
	}
	return worst
}

// Detail explains one verdict. Only the members that apply are set. Values are excerpts of at most 120 bytes.
type Detail struct {
	Clause     string `json:"clause,omitempty"`     // the part of the filter that was not true, as written
	Field      string `json:"field,omitempty"`      // where in the mapping: "filter", "identifier", "properties.created", "relations.user"
	Expression string `json:"expression,omitempty"` // the jq text
	Property   string `json:"property,omitempty"`
	Rule       string `json:"rule,omitempty"` // "required", "type", "format", …
	Value      string `json:"value,omitempty"`
	Message    string `json:"message,omitempty"`
	// More holds further flags or notes of the same record and mapping.
	More []Detail `json:"more,omitempty"`
}

// Group returns the detail without what differs from record to record: the key under which verdicts are counted.
func (d Detail) Group() Detail {
	g := d
	g.Value = ""
	if g.Rule != "" || g.Clause != "" || g.Field != "" {
		g.Message = ""
	}
	if len(d.More) > 0 {
		g.More = make([]Detail, len(d.More))
		for i, m := range d.More {
			g.More[i] = m.Group()
		}
	}
	return g
}

// Empty reports whether the detail says nothing.
func (d Detail) Empty() bool {
	return d.Clause == "" && d.Field == "" && d.Expression == "" && d.Property == "" && d.Rule == "" && d.Value == "" && d.Message == "" && len(d.More) == 0
}

// String is the explanation in one line.
func (d Detail) String() string {
	var b strings.Builder
	part := func(label, text string) {
		if text == "" {
			return
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		b.WriteString(label)
		b.WriteString(text)
	}
	part("clause ", d.Clause)
	part("field ", d.Field)
	part("expression ", d.Expression)
	part("property ", d.Property)
	part("rule ", d.Rule)
	part("value ", d.Value)
	part("", d.Message)
	for _, m := range d.More {
		part("also ", m.String())
	}
	return b.String()
}
