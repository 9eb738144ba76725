package org

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"longshore/internal/catalog"
	"longshore/internal/fault"
)

// Limits of what integrations report. What is older goes.
const (
	maxLogs        = 1000      // lines of an integration
	maxLogsBytes   = 256 << 10 // of them together
	maxMetrics     = 200       // kinds of syncs
	maxMetricBytes = 16 << 10  // of one of them
	maxKinds       = 200       // with examples
	maxExamples    = 10        // of a kind
)

// LogLine is one line that an integration logged. Members are as it sent them, with an id of ours when it has none.
type LogLine struct {
	ID     string
	At     time.Time // the zero time when the line does not say
	Level  string
	Event  string
	Object Object
}

// LogFilter chooses lines. Zero members choose all.
type LogFilter struct {
	At    time.Time // lines before (or, with Newer, after) that time
	Line  string    // lines before (or after) the one of that id
	Newer bool
	Event string
	Level string
	Limit int // 0 means 100, at most 300
}

// Limits of a page of lines (Port's).
const (
	defaultLogPage = 100
	MaxLogPage     = 300
)

// AddLogs keeps lines of {logs: […]}; the oldest make room.
func (o *Org) AddLogs(ctx context.Context, id string, body json.RawMessage) error {
	var sent struct {
		Logs []Object `json:"logs"`
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return invalid("logs: want a list of objects")
	}
	i, err := o.Integration(ctx, id)
	if err != nil {
		return err
	}
	return o.keep(ctx, catalog.DocumentKey{Kind: kindLogs, Identifier: i.ID}, func(doc *ring) {
		for _, line := range sent.Logs {
			if line == nil {
				continue
			}
			doc.Last++
			line.set("_seq", doc.Last)
			doc.Rows = append(doc.Rows, encode(line))
		}
		doc.trim(maxLogs, maxLogsBytes)
	})
}

// ring is a bounded list of rows, oldest first.
type ring struct {
	Last int64             `json:"last"` // number of the newest row ever
	Rows []json.RawMessage `json:"rows"`
}

func (r *ring) trim(rows, bytes int) {
	first, size := len(r.Rows), 0
	for first > 0 && len(r.Rows)-first < rows && size+len(r.Rows[first-1]) <= bytes {
		first--
		size += len(r.Rows[first])
	}
	r.Rows = slices.Clone(r.Rows[first:])
}

// keep changes the ring of that key, which begins empty.
func (o *Org) keep(ctx context.Context, key catalog.DocumentKey, fn func(*ring)) error {
	change := func(d *catalog.Document) error {
		var r ring
		if len(d.Doc) > 0 {
			if err := json.Unmarshal(d.Doc, &r); err != nil {
				return err
			}
		}
		fn(&r)
		d.Doc = encode(r)
		return nil
	}
	for {
		_, err := o.docs.Update(ctx, key, change)
		if !fault.Is(err, fault.NotFound) {
			return err
		}
		first := catalog.Document{DocumentKey: key}
		if err := change(&first); err != nil {
			return err
		}
		if _, err = o.docs.Create(ctx, first); !fault.Is(err, fault.Conflict) {
			return err
		} // another has just made it
	}
}

func (o *Org) ring(ctx context.Context, key catalog.DocumentKey) (r ring, err error) {
	d, err := o.docs.Get(ctx, key)
	if fault.Is(err, fault.NotFound) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	err = json.Unmarshal(d.Doc, &r)
	return r, err
}

// Logs returns lines of an integration, newest first.
func (o *Org) Logs(ctx context.Context, id string, f LogFilter) ([]LogLine, error) {
	i, err := o.Integration(ctx, id)
	if err != nil {
		return nil, err
	}
	kept, err := o.ring(ctx, catalog.DocumentKey{Kind: kindLogs, Identifier: i.ID})
	if err != nil {
		return nil, err
	}
	if f.Limit == 0 {
		f.Limit = defaultLogPage
	}
	lines := make([]LogLine, 0, min(f.Limit, len(kept.Rows)))
	all := make([]LogLine, len(kept.Rows))
	mark := -1 // of the line that the filter names
	for n, row := range kept.Rows {
		if all[n], err = toLogLine(row); err != nil {
			return nil, err
		}
		if all[n].ID == f.Line && f.Line != "" {
			mark = n
		}
	}
	for n := len(all) - 1; n >= 0; n-- {
		if line := all[n]; f.takes(line, n, mark) {
			lines = append(lines, line)
		}
	}
	if f.Newer && len(lines) > f.Limit { // those that follow the mark directly
		return lines[len(lines)-f.Limit:], nil
	}
	return lines[:min(f.Limit, len(lines))], nil
}

func (f LogFilter) takes(line LogLine, n, mark int) bool {
	switch {
	case f.Event != "" && line.Event != f.Event, f.Level != "" && line.Level != f.Level:
		return false
	case mark >= 0 && n == mark, mark >= 0 && n > mark != f.Newer:
		return false
	case mark < 0 && !f.At.IsZero() && (line.At.IsZero() || line.At.Equal(f.At) || line.At.After(f.At) != f.Newer):
		return false
	}
	return true
}

func toLogLine(row json.RawMessage) (LogLine, error) {
	o, err := parseObject("log line", row)
	if err != nil {
		return LogLine{}, err
	}
	var seq int64
	_ = json.Unmarshal(o["_seq"], &seq) // written by AddLogs
	o.drop("_seq")
	text := func(names ...string) (s string) {
		for _, name := range names {
			if json.Unmarshal(o[name], &s) == nil && s != "" {
				return s
			}
		}
		return ""
	}
	line := LogLine{ID: text("id", "_id"), Level: text("level"), Event: text("eventId", "event_id"), Object: o}
	if line.ID == "" {
		line.ID = strconv.FormatInt(seq, 10)
		o.set("id", line.ID)
	}
	if at, err := time.Parse(time.RFC3339Nano, text("timestamp")); err == nil {
		line.At = at
	}
	return line, nil
}

// SyncMetric is what an integration reported of one kind in one resync; Object is as it sent it.
type SyncMetric struct {
	Event, Kind string
	Object      Object
}

// AddMetrics keeps the metrics of {syncKindsMetrics: […]} or {syncKindMetrics: {…}}: the newest of each resync and kind.
// What has another shape is passed over: figures are no reason to fail an integration.
func (o *Org) AddMetrics(ctx context.Context, id string, body json.RawMessage) error {
	i, err := o.Integration(ctx, id)
	if err != nil {
		return err
	}
	var sent struct {
		Many []Object `json:"syncKindsMetrics"`
		One  Object   `json:"syncKindMetrics"`
	}
	_ = json.Unmarshal(body, &sent) // what could be read of it, perhaps nothing
	if sent.One != nil {
		sent.Many = append(sent.Many, sent.One)
	}
	if len(sent.Many) == 0 {
		return nil
	}
	return o.keep(ctx, catalog.DocumentKey{Kind: kindMetrics, Identifier: i.ID}, func(doc *ring) {
		for _, m := range sent.Many {
			row := encode(m)
			if m == nil || len(row) > maxMetricBytes {
				continue
			}
			event, kind := metricName(m)
			doc.Rows = slices.DeleteFunc(doc.Rows, func(row json.RawMessage) bool {
				var other Object
				if json.Unmarshal(row, &other) != nil {
					return true
				}
				e, k := metricName(other)
				return e == event && k == kind
			})
			doc.Rows = append(doc.Rows, row)
		}
		doc.trim(maxMetrics, maxMetrics*maxMetricBytes)
	})
}

func metricName(m Object) (event, kind string) {
	_ = json.Unmarshal(m["eventId"], &event) // without a name, all are one
	_ = json.Unmarshal(m["kindIdentifier"], &kind)
	if kind == "" {
		_ = json.Unmarshal(m["kind"], &kind)
	}
	return event, kind
}

// Metrics returns what an integration reported, newest first.
func (o *Org) Metrics(ctx context.Context, id string) ([]SyncMetric, error) {
	i, err := o.Integration(ctx, id)
	if err != nil {
		return nil, err
	}
	kept, err := o.ring(ctx, catalog.DocumentKey{Kind: kindMetrics, Identifier: i.ID})
	if err != nil {
		return nil, err
	}
	list := make([]SyncMetric, len(kept.Rows))
	for n, row := range kept.Rows {
		m, err := parseObject("metric", row)
		if err != nil {
			return nil, err
		}
		event, kind := metricName(m)
		list[len(list)-1-n] = SyncMetric{event, kind, m}
	}
	return list, nil
}

// SetExamples keeps the first examples of {examples: […]} of a kind. Over the limit of kinds they are passed over.
func (o *Org) SetExamples(ctx context.Context, id, kind string, body json.RawMessage) error {
	var sent struct {
		Examples []json.RawMessage `json:"examples"`
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return invalid("examples: want a list")
	}
	if err := checkName("kind", kind); err != nil {
		return err
	}
	i, err := o.Integration(ctx, id)
	if err != nil {
		return err
	}
	kinds, err := o.docs.List(ctx, kindExamples+" "+i.ID)
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(kinds, func(d catalog.Document) bool { return d.Identifier == kind })
	if len(kinds) >= maxKinds && !known {
		return nil
	}
	key := catalog.DocumentKey{Kind: kindExamples + " " + i.ID, Identifier: kind}
	_, err = o.docs.Put(ctx, catalog.Document{DocumentKey: key, Doc: encode(sent.Examples[:min(len(sent.Examples), maxExamples)])})
	return err
}

// Kind is a kind of record that an integration reads.
type Kind struct {
	Name     string
	Examples json.RawMessage // a list
}

// Kinds returns the kinds that an integration gave examples of.
func (o *Org) Kinds(ctx context.Context, id string) ([]Kind, error) {
	i, err := o.Integration(ctx, id)
	if err != nil {
		return nil, err
	}
	docs, err := o.docs.List(ctx, kindExamples+" "+i.ID)
	if err != nil {
		return nil, err
	}
	kinds := make([]Kind, len(docs))
	for n, d := range docs {
		kinds[n] = Kind{d.Identifier, d.Doc}
	}
	return kinds, nil
}

// SetCursor keeps an object for an integration: where its incremental sync goes on.
func (o *Org) SetCursor(ctx context.Context, id string, body json.RawMessage) error {
	i, err := o.Integration(ctx, id)
	if err != nil {
		return err
	}
	cursor, err := parseObject("cursor", body)
	if err != nil {
		return err
	}
	if len(body) > maxStateBytes {
		return invalid("cursor: larger than %d KiB", maxStateBytes>>10)
	}
	cursor.drop("ok")
	_, err = o.docs.Put(ctx, catalog.Document{DocumentKey: catalog.DocumentKey{Kind: kindCursor, Identifier: i.ID}, Doc: encode(cursor)})
	return err
}

// Cursor returns the object that was kept, and nothing when none was.
func (o *Org) Cursor(ctx context.Context, id string) (Object, error) {
	i, err := o.Integration(ctx, id)
	if err != nil {
		return nil, err
	}
	d, err := o.docs.Get(ctx, catalog.DocumentKey{Kind: kindCursor, Identifier: i.ID})
	if fault.Is(err, fault.NotFound) {
		return Object{}, nil
	}
	if err != nil {
		return nil, err
	}
	return parseObject("cursor", d.Doc)
}
