package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/lake"
	"longshore/internal/mapping"
	"longshore/internal/verdict"
)

// chunk gathers the records of one transaction: what the mappings made of them, and where each change belongs.
type chunk struct {
	plan      *plan
	run       *mapping.Runner
	object    *Object
	objectKey string // leading slashes stripped: mappings split it by position
	judged    []Judged
	changes   []catalog.Change
	places    []place // of changes: which cell a change decides
	results   []catalog.Result
	lastLine  int64
	bytes     int              // of the changes
	now       func() time.Time // nil: no limit of time
	asOf      time.Time        // later records are left out; zero leaves out none
}

type place struct{ record, mapping int }

func (p *plan) newChunk(o *Object) *chunk {
	return &chunk{plan: p, run: p.set.NewRunner(), object: o, objectKey: strings.TrimLeft(o.Key, "/")}
}

// fill reads records after line from until the chunk is full (end nil) or the object ends: end is io.EOF or its damage.
func (c *chunk) fill(ctx context.Context, r *lake.Reader, from int64) (end, err error) {
	c.judged, c.changes, c.places, c.lastLine, c.bytes = c.judged[:0], c.changes[:0], c.places[:0], from, 0
	var begun time.Time
	if c.now != nil {
		begun = c.now()
	}
	for size := 0; len(c.judged) < maxChunkRecords && size < maxChunkRawBytes && len(c.changes) < maxChunkChanges && c.bytes < maxChangeBytes; {
		if c.now != nil && len(c.judged) > 0 && c.now().Sub(begun) > maxChunkTime {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		line, end := r.Next()
		if end != nil {
			if damaged(end) || errors.Is(end, io.EOF) {
				return end, nil
			}
			return nil, end // the bucket did not answer: tried again
		}
		c.lastLine = line.Number
		size += len(line.Body)
		if err := c.add(ctx, line); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// damaged reports whether the error lies in the object itself: reading it again would give the same.
func damaged(err error) bool {
	var short *lake.TruncatedError
	var corrupt *lake.CorruptError
	return errors.As(err, &short) || errors.As(err, &corrupt) || altered(err)
}

func (c *chunk) add(ctx context.Context, line lake.Line) error {
	if !c.asOf.IsZero() && line.ExtractedAt > c.asOf.UnixMilli() {
		return nil
	}
	record := len(c.judged)
	if line.Err != nil {
		c.judged = append(c.judged, Judged{Line: line.Number, RollUp: Verdict{
			Code:   lineCode(line.Err),
			Detail: verdict.Detail{Message: line.Err.Message, Value: excerpt([]byte(line.Err.Excerpt))},
		}})
		return nil //nolint:nilerr // the verdict tells of it
	}
	c.judged = append(c.judged, Judged{Line: line.Number, Verdict: make([]Verdict, c.plan.set.Len())})
	ev := eventOf(line, c.object.Stream, c.objectKey)
	stream := c.object.Stream
	if line.Headers != nil { // a webhook call: the next one may well say something else of the same entity
		stream = ""
	}
	version := catalog.Version{Generation: line.Generation, ExtractedAt: line.ExtractedAt, ObjectKey: c.object.Key, Line: line.Number}
	return c.run.Apply(ctx, ev, func(out mapping.Outcome) error {
		if out.Change == nil {
			c.merge(record, out.Mapping, Verdict{out.Code, out.Detail})
			return nil
		}
		change := clone(out.Change)
		change.Version, change.Actor = version, change.Source
		change.Origin = catalog.Origin{ObjectID: c.object.ID, Line: line.Number, Stream: stream}
		c.bytes += changeBytes(&change)
		c.changes = append(c.changes, change)
		c.places = append(c.places, place{record, out.Mapping})
		if !out.Detail.Empty() { // an expression failed and its null was written
			c.merge(record, out.Mapping, Verdict{verdict.KeptWithFlags, out.Detail})
		}
		return nil
	})
}

// eventOf is the event that a line of the lake is. Mappings split the key by position: leading slashes do not count.
func eventOf(line lake.Line, stream, key string) mapping.Event {
	return mapping.Event{Body: line.Body, Headers: line.Headers, Query: line.Query, Stream: stream, ObjectKey: strings.TrimLeft(key, "/")}
}

func lineCode(e *lake.LineError) verdict.Code {
	if e.Code == lake.OverLimit {
		return verdict.OverLimit
	}
	return verdict.MalformedLine
}

// merge folds another verdict into a record's cell of a mapping: the most telling one stays, the others go beside it.
func (c *chunk) merge(record, m int, v Verdict) {
	cell := &c.judged[record].Verdict[m]
	switch {
	case cell.Code == verdict.None:
		*cell = v
	case verdict.Worse(cell.Code, v.Code) == v.Code && cell.Code != v.Code:
		old := cell.Detail
		*cell = v
		cell.Detail.More = appendDetail(cell.Detail.More, old)
	default:
		cell.Detail.More = appendDetail(cell.Detail.More, v.Detail)
	}
}

// maxMore is how many further explanations one verdict keeps.
const maxMore = 20

func appendDetail(more []verdict.Detail, d verdict.Detail) []verdict.Detail {
	if d.Empty() || len(more) >= maxMore {
		return more
	}
	return append(more, d)
}

// judge turns the catalog's results into verdicts and rolls each record up.
func (c *chunk) judge() []Judged {
	for i := range c.results {
		c.merge(c.places[i].record, c.places[i].mapping, ofResult(&c.results[i], c.changes[i].Blueprint))
	}
	for i := range c.judged {
		j := &c.judged[i]
		if j.RollUp.Code != verdict.None {
			continue
		}
		codes := make([]verdict.Code, 0, 16)
		for _, v := range j.Verdict {
			codes = append(codes, v.Code)
		}
		j.RollUp = Verdict{Code: verdict.RollUp(codes)}
	}
	return c.judged
}

// ofResult is the verdict of a written (or refused) change. A pending relation is not stored here: the catalog knows
// which entities wait, and the ledger's reader lays that over "upserted", so that it heals when the target lands.
func ofResult(r *catalog.Result, blueprint string) Verdict {
	flags := flagDetail(r.Flags)
	switch r.Outcome {
	case catalog.OutcomeCreated, catalog.OutcomeUpdated, catalog.OutcomeDeleted:
		if len(r.Flags) > 0 {
			return Verdict{verdict.KeptWithFlags, flags}
		}
		return Verdict{verdict.Upserted, flags}
	case catalog.OutcomeUnchanged, catalog.OutcomeAbsent:
		return Verdict{verdict.Unchanged, flags}
	case catalog.OutcomePast:
		return Verdict{verdict.PastRetention, flags}
	case catalog.OutcomeSuperseded:
		return Verdict{Code: verdict.SupersededByNewer}
	case catalog.OutcomeConflict:
		d := verdict.Detail{
			Property: "identifier", Rule: "unique", Value: excerpt([]byte(r.Identifier)),
			Message: "another record of the same stream and generation wrote other content to this " + blueprint,
		}
		d.More = appendDetail(d.More, flags) // it was written, and may break rules as well
		return Verdict{verdict.IdentifierConflict, d}
	default:
		return rejected(r.Err)
	}
}

func rejected(err error) Verdict {
	d := verdict.Detail{Message: err.Error(), Rule: "schema"}
	var f *fault.Error
	if errors.As(err, &f) {
		if f.Code != "" {
			d.Rule = f.Code
		}
		d.Property, d.Value = text(f.Details["property"]), text(f.Details["value"])
	}
	return Verdict{verdict.SchemaReject, d}
}

func text(v any) string {
	if v == nil {
		return ""
	}
	return excerpt(fmt.Append(nil, v))
}

func flagDetail(flags []catalog.Flag) verdict.Detail {
	var d verdict.Detail
	for i, f := range flags {
		one := verdict.Detail{Property: f.Property, Rule: f.Rule, Value: f.Value}
		if f.Want != "" {
			one.Message = "want " + f.Want
		}
		if i == 0 {
			d = one
		} else {
			d.More = appendDetail(d.More, one)
		}
	}
	return d
}

// maxExcerptBytes is how much of a value an explanation shows.
const maxExcerptBytes = 120

func excerpt(b []byte) string {
	if len(b) <= maxExcerptBytes {
		return string(bytes.ToValidUTF8(b, []byte("?")))
	}
	return string(bytes.ToValidUTF8(b[:maxExcerptBytes], nil)) + "…"
}

// clone copies a change out of the mapping's buffers, to live until the chunk is written.
func clone(in *catalog.Change) catalog.Change {
	out := *in
	out.Title, out.Icon, out.Team = bytes.Clone(in.Title), bytes.Clone(in.Icon), bytes.Clone(in.Team)
	out.IdentifierQuery = bytes.Clone(in.IdentifierQuery)
	out.Properties, out.Relations = cloneFields(in.Properties), cloneFields(in.Relations)
	return out
}

// changeBytes is about what a change holds.
func changeBytes(c *catalog.Change) int {
	n := len(c.Title) + len(c.Icon) + len(c.Team) + len(c.IdentifierQuery) + len(c.Identifier)
	for _, list := range [][]catalog.Field{c.Properties, c.Relations} {
		for _, f := range list {
			n += len(f.Value)
		}
	}
	return n
}

func cloneFields(in []catalog.Field) []catalog.Field {
	if in == nil {
		return nil
	}
	out := make([]catalog.Field, len(in))
	for i, f := range in {
		out[i] = catalog.Field{Name: f.Name, Value: bytes.Clone(f.Value)}
	}
	return out
}

// endOf is nil for an object's ordinary end, and its damage otherwise.
func endOf(end error) error {
	if errors.Is(end, io.EOF) {
		return nil
	}
	return end
}
