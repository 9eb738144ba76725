package web

import (
	"longshore/internal/ingest"
	"longshore/internal/verdict"
)

// The tones of a verdict: what a person should feel about it. Colour never stands alone: each has a word and a shape.
const (
	toneKept  = "kept"  // it is in the catalog
	toneAmber = "amber" // it is in the catalog, with something to look at
	toneGrey  = "grey"  // it was not wanted, or is old
	toneRed   = "red"   // it was wanted and is not in the catalog: a person must act
)

// explanation is a verdict in words.
type explanation struct {
	Code  verdict.Code
	Name  string
	Tone  string
	Label string // what a person calls it
	Means string // one sentence
	Fix   string // what to do about it, "" when nothing
}

// explain returns a verdict's words. It takes a code or its name.
func explain(v any) explanation {
	c, ok := v.(verdict.Code)
	if !ok {
		name, _ := v.(string)
		c = verdict.Parse(name)
	}
	e := explanation{Code: c, Name: c.String(), Tone: toneGrey}
	switch c {
	case verdict.Upserted:
		e.Tone, e.Label, e.Means = toneKept, "Written", "The entity was created, updated or deleted as the mapping says."
	case verdict.Unchanged:
		e.Tone, e.Label, e.Means = toneKept, "Unchanged", "The catalog already reads like this record, so nothing had to be written."
	case verdict.KeptWithFlags:
		e.Tone, e.Label = toneAmber, "Kept with flags"
		e.Means = "The entity was written although it breaks a rule of its blueprint; the flag names property, rule and value."
		e.Fix = "Relax the property in the blueprint (drop required, widen the type), or mend the expression that fills it."
	case verdict.PendingRelation:
		e.Tone, e.Label = toneAmber, "Waiting for a relation"
		e.Means = "The entity was written; a relation points at an entity that is not in the catalog yet and connects itself when it comes."
		e.Fix = "Nothing, when the target's stream is still to be read. Otherwise choose that stream in the connection."
	case verdict.SupersededByNewer:
		e.Label, e.Means = "Older than the catalog", "A newer record had already written this entity; the newest wins."
	case verdict.PastRetention:
		e.Label, e.Means = "Older than is kept", "The blueprint keeps its entities for a while only, and this one is older. The record stays in the lake."
		e.Fix = "Only if it is wanted: give the blueprint a longer retention, then replay the object."
	case verdict.Filtered:
		e.Label, e.Means = "Filtered", "The mapping's filter did not answer true for this record; the clause that decided is named."
		e.Fix = "Only if the record was wanted: change the named clause of the filter."
	case verdict.NoMappingMatched:
		e.Label, e.Means = "No mapping wanted it", "Every mapping of the webhook filtered this record. It stays in the lake."
		e.Fix = "Add a mapping for this kind of record, or loosen the filter clause that decided."
	case verdict.ExpressionError:
		e.Label, e.Means = "Expression failed", "A jq expression that decides (the filter or the identifier) failed on this record, so nothing was written."
		e.Fix = "Mend the named expression so that it bears this value, for example with // or ?."
	case verdict.SchemaReject:
		e.Label, e.Means = "Rejected by the blueprint", "The entity does not fit its blueprint, or the blueprint or a required target is missing."
		e.Fix = "Relax the named property, create the missing blueprint, or let the webhook keep and flag (strict: false)."
	case verdict.IdentifierConflict:
		e.Tone, e.Label = toneAmber, "Identifier claimed twice"
		e.Means = "The entity was written, but another record of the same stream and generation claims the same identifier."
		e.Fix = "Make the identifier expression unique, for example by joining two ids."
	case verdict.OverLimit:
		e.Label, e.Means = "Over a limit", "The record is larger, deeper or longer than a named limit allows."
		e.Fix = "Trim the record at its source, or map fewer elements."
	case verdict.MalformedLine:
		e.Label, e.Means = "Not a record", "The line is not a JSON object, so no mapping could read it."
		e.Fix = "Look at the line and at what wrote it; write the object again."
	case verdict.QuarantinedDelete:
		e.Label, e.Means = "Deletion held", "A deletion waits for a person, because its completeness is not proven or it is too large."
		e.Fix = "Check that the stream was read completely, then approve or drop the deletion."
	default:
		e.Label, e.Means = e.Name, "This verdict is not known to this version."
	}
	if c.Lost() {
		e.Tone = toneRed
	}
	return e
}

// severity orders verdicts on a page: what needs a person first.
func severity(c verdict.Code) int {
	switch explain(c).Tone {
	case toneRed:
		return 0
	case toneAmber:
		return 1
	case toneKept:
		return 2
	}
	return 3
}

// groupTone is the tone of a group of verdicts. A record that changed nothing still breaks the rules that its entity
// was kept with: it stays something to look at.
func groupTone(g ingest.VerdictGroup) string {
	if g.Code == verdict.Unchanged && len(brokenRules(g.Detail)) > 0 {
		return toneAmber
	}
	return explain(g.Code).Tone
}
