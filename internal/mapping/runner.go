package mapping

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"longshore/internal/catalog"
	"longshore/internal/fault"
	"longshore/internal/jq"
	"longshore/internal/verdict"
)

// Runner applies a Set to one event after another. It belongs to one goroutine.
type Runner struct {
	set    *Set
	input  jq.Input  // of webhooks' mappings: body, headers, queryParams, item
	ocean  jq.Input  // of Ocean's: the record
	in     *jq.Input // of the mapping at hand
	bare   []byte    // the body without its object key
	stream string
	body   []byte // buffer of a body with its object key
	change catalog.Change
	notes  []verdict.Detail
	unsaid int             // notes over maxNotes
	failed *verdict.Detail // the first expression that failed, which decides in strict mode
	slow   int             // runs of this event that the time limit ended

	answers []answer  // of the set's distinct clauses
	round   uint64    // of the answers that hold for the input as it stands
	shown   [4]string // the excerpts that were made last
}

// NewRunner returns a Runner for the calling goroutine.
func (s *Set) NewRunner() *Runner {
	r := &Runner{set: s, answers: make([]answer, s.distinct)}
	r.in = &r.input
	return r
}

// The texts of an event that has none of its own.
var noHeaders = []byte("{}")

// Apply runs the mappings on the event, in order and independently, and emits what came of each: one Outcome a
// mapping, or one an item for a mapping with itemsToParse, and never none. What an Outcome points to is valid until
// emit returns. The error is emit's or ctx's; whatever is wrong with the event is an Outcome.
func (r *Runner) Apply(ctx context.Context, ev Event, emit func(Outcome) error) error {
	if size := len(ev.Body) + len(ev.Headers) + len(ev.Query); size > r.set.opts.MaxBodyBytes {
		return r.emitAll(emit, verdict.OverLimit, verdict.Detail{
			Rule:    "bytes",
			Message: fmt.Sprintf("the record has %d bytes, at most %d are allowed", size, r.set.opts.MaxBodyBytes),
		})
	}
	r.slow = 0
	if err := r.load(ev); err != nil {
		code, rule := verdict.MalformedLine, "json"
		if f := (*fault.Error)(nil); errors.As(err, &f) && f.Code == "too_deep" {
			code, rule = verdict.OverLimit, "depth"
		}
		return r.emitAll(emit, code, verdict.Detail{Rule: rule, Message: err.Error(), Value: jq.Excerpt(ev.Body)})
	}
	for i := range r.set.mappings {
		if err := r.applyMapping(ctx, i, emit); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) emitAll(emit func(Outcome) error, code verdict.Code, detail verdict.Detail) error {
	for i := range r.set.mappings {
		if err := emit(Outcome{Mapping: i, Item: -1, Code: code, Detail: detail}); err != nil {
			return err
		}
	}
	return nil
}

// load makes the event the input of the expressions: {"body", "headers", "queryParams"}.
func (r *Runner) load(ev Event) error {
	r.round++
	r.stream = ev.Stream
	r.input.Reset()
	r.ocean.Reset()
	for _, part := range []struct {
		name string
		text []byte
	}{{"body", ev.Body}, {"headers", ev.Headers}, {"queryParams", ev.Query}} {
		text := part.text
		if text == nil && part.name != "body" {
			text = noHeaders
		}
		text, err := jq.Check(text)
		if err != nil {
			return err
		}
		if part.name == "body" {
			r.bare = text
		}
		if part.name == "body" && ev.ObjectKey != "" {
			text = r.withObjectKey(text, ev.ObjectKey)
		}
		r.input.SetMember(part.name, text)
	}
	return nil
}

// objectKeyName is the member that Port's S3 integration adds to each record.
const objectKeyName = `"_PORT_SOURCE_OBJECT_KEY":`

// withObjectKey returns the body with the object key as its last member, so that it stands even where the record
// brings one of its own. A body that is no object has no place for it.
func (r *Runner) withObjectKey(body []byte, key string) []byte {
	body = bytes.TrimSpace(body)
	if body[0] != '{' {
		return body
	}
	quoted, _ := json.Marshal(key) // a string always encodes
	open := bytes.TrimRight(body[:len(body)-1], " \t\r\n")
	r.body = append(r.body[:0], open...)
	if len(open) > 1 {
		r.body = append(r.body, ',')
	}
	r.body = append(append(r.body, objectKeyName...), quoted...)
	r.body = append(r.body, '}')
	return r.body
}

// applyMapping emits the outcomes of the i-th mapping.
func (r *Runner) applyMapping(ctx context.Context, i int, emit func(Outcome) error) error {
	m := &r.set.mappings[i]
	if m.kind != "" {
		if m.kind != r.stream {
			return emit(Outcome{Mapping: i, Item: -1, Code: verdict.Filtered, Detail: r.otherKind(m)})
		}
		r.in = &r.ocean
		r.ocean.SetText(r.bare)
		r.round++
		defer func() {
			r.in = &r.input
			r.round++
		}()
	}
	if m.items == nil {
		return r.applyOnce(ctx, i, -1, emit)
	}
	list, failure, err := r.run(ctx, m.items)
	if err != nil {
		return err
	}
	if failure == nil && (list == nil || list[0] != '[') {
		failure = &verdict.Detail{
			Field: m.items.field, Expression: m.items.shown, Rule: "type",
			Message: "want a list, got " + kindOfJSON(list), Value: jq.Excerpt(list),
		}
	}
	if failure != nil {
		return emit(Outcome{Mapping: i, Item: -1, Code: verdict.ExpressionError, Detail: *failure})
	}
	return r.applyItems(ctx, i, list, emit)
}

// otherKind tells that the record is of another stream than the resource's.
func (r *Runner) otherKind(m *compiled) verdict.Detail {
	value, _ := json.Marshal(r.stream) // a string always encodes
	return verdict.Detail{Field: m.where + "kind", Clause: "kind: " + m.kind, Value: jq.Excerpt(value), Message: "the resource is of another kind"}
}

func (r *Runner) applyItems(ctx context.Context, i int, list []byte, emit func(Outcome) error) error {
	m := &r.set.mappings[i]
	items, limit := 0, r.set.opts.MaxItems
	var err error
	if m.kind != "" {
		// The record's members stand beside the item, or it stands alone.
		list = bytes.Clone(list)
		if r.ocean.Reset(); m.topLevel {
			r.ocean.SetMembers(r.bare)
		}
	}
	jq.Elements(list, func(n int, item []byte) bool {
		if items = n + 1; n >= limit {
			return true // only counted
		}
		r.in.SetMember(m.itemName, item)
		r.round++
		err = r.applyOnce(ctx, i, n, emit)
		return err == nil
	})
	r.in.DropMember(m.itemName)
	r.round++
	switch {
	case err != nil:
		return err
	case items == 0:
		return emit(Outcome{Mapping: i, Item: -1, Code: verdict.Filtered, Detail: verdict.Detail{
			Field:      m.items.field,
			Expression: m.items.shown, Clause: m.items.shown, Message: "the list has no items", Value: "[]",
		}})
	case items > limit:
		return emit(Outcome{Mapping: i, Item: -1, Code: verdict.OverLimit, Detail: verdict.Detail{
			Field:      m.items.field,
			Expression: m.items.shown, Rule: "items",
			Message: fmt.Sprintf("the list has %d items; the first %d were applied, %d were left out", items, limit, items-limit),
		}})
	}
	return nil
}

// applyOnce emits the outcome of the i-th mapping for the event, or for its item as it stands in the input.
func (r *Runner) applyOnce(ctx context.Context, i, item int, emit func(Outcome) error) error {
	m := &r.set.mappings[i]
	o := Outcome{Mapping: i, Item: item}
	var err error
	if o.Code, o.Detail, err = r.pass(ctx, m); err != nil {
		return err
	}
	if o.Code == verdict.None {
		if o.Code, o.Detail, err = r.entity(ctx, m); err != nil {
			return err
		}
	}
	if o.Code == verdict.None {
		o.Change = &r.change
	}
	return emit(o)
}

// maxSlowRuns is how many runs of one event may reach their time limit before the others are not tried any more:
// an endless expression in a mapping with 500 items must not hold up the stream for minutes.
const maxSlowRuns = 8

// run runs one expression. failure tells of one that does not compile or failed; err is ctx's.
func (r *Runner) run(ctx context.Context, e *expression) (value []byte, failure *verdict.Detail, err error) {
	if e.program == nil {
		return nil, &verdict.Detail{Field: e.field, Expression: e.shown, Message: e.message}, nil
	}
	return r.runProgram(ctx, e, e.program)
}

// runProgram runs the expression's program, or that of one of its clauses.
func (r *Runner) runProgram(ctx context.Context, e *expression, p *jq.Program) (value []byte, failure *verdict.Detail, err error) {
	if r.slow >= maxSlowRuns {
		return nil, &verdict.Detail{
			Field: e.field, Expression: e.shown, Rule: "limit",
			Message: fmt.Sprintf("not run: %d expressions had used up the event's time", r.slow),
		}, nil
	}
	value, err = p.Run(ctx, r.in)
	if err == nil {
		return value, nil, nil
	}
	failed, ok := err.(*jq.RunError) //nolint:errorlint // Run returns it bare
	if !ok {
		return nil, nil, err
	}
	detail := &verdict.Detail{Field: e.field, Expression: e.shown, Message: failed.Message, Value: failed.Value}
	if failed.Timeout {
		r.slow++
	}
	if failed.Limit {
		detail.Rule = "limit"
	}
	return nil, detail, nil
}
