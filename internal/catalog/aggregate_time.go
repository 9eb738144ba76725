package catalog

import (
	"context"
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"longshore/internal/fault"
)

// maxIntervals bounds the points of one line.
const maxIntervals = 10_000

// span is a stretch of time, cut into intervals of a calendar.
type span struct {
	from, to time.Time
	unit     string
	starts   []time.Time // of the intervals; the first may lie before from
}

// spanSpec is how a request says it.
type spanSpec struct {
	TimeInterval string `json:"timeInterval"`
	TimeRange    struct {
		Preset   string `json:"preset"`
		TimeZone string `json:"timeZone"`
	} `json:"timeRange"`
}

// span reads a stretch of time up to now. Days begin at midnight in the time zone, weeks on Monday.
func (w spanSpec) span(now time.Time) (span, error) {
	zone := time.UTC
	if name := w.TimeRange.TimeZone; name != "" {
		var err error
		if zone, err = time.LoadLocation(name); err != nil || name == "Local" {
			return span{}, invalidRequest("timeRange: %q is no time zone", name)
		}
	}
	s := span{unit: w.TimeInterval, to: now.In(zone)}
	today := s.begin("day", s.to)
	switch preset := w.TimeRange.Preset; preset {
	case "today":
		s.from = today
	case "yesterday":
		s.from, s.to = s.next("day", today, -1), today.Add(-time.Millisecond)
	default:
		from, _, ok := presetRange(preset, now)
		if !ok || !strings.HasPrefix(preset, "last") {
			return s, invalidRequest("timeRange: preset is %q, want today, yesterday, lastDay, lastWeek, last2Weeks, lastMonth, last3Months, last6Months, last12Months, last2Years or last3Years", preset)
		}
		if strings.HasSuffix(preset, "Years") && s.unit != "quarter" {
			return s, invalidRequest("timeInterval: %s wants quarter, got %q", preset, s.unit)
		}
		s.from = from.In(zone)
	}
	if !slices.Contains([]string{"hour", "day", "isoWeek", "month", "quarter"}, s.unit) {
		return s, invalidRequest("timeInterval is %q, want hour, day, isoWeek, month or quarter", s.unit)
	}
	for at := s.begin(s.unit, s.from); !at.After(s.to); at = s.next(s.unit, at, 1) {
		if s.starts = append(s.starts, at); len(s.starts) > maxIntervals {
			return s, invalidRequest("timeInterval: %s of %s are more than %d points", s.unit, w.TimeRange.Preset, maxIntervals)
		}
	}
	return s, nil
}

// begin is when the unit that holds an instant began.
func (s *span) begin(unit string, at time.Time) time.Time {
	y, m, d := at.Date()
	switch unit {
	case "hour":
		return at.Add(-time.Duration(at.Minute())*time.Minute - time.Duration(at.Second())*time.Second - time.Duration(at.Nanosecond()))
	case "isoWeek":
		d -= (int(at.Weekday()) + 6) % 7
	case "month":
		d = 1
	case "quarter":
		m, d = m-(m-1)%3, 1
	}
	return time.Date(y, m, d, 0, 0, 0, 0, at.Location())
}

// next is n units later.
func (s *span) next(unit string, at time.Time, n int) time.Time {
	switch unit {
	case "hour":
		return at.Add(time.Duration(n) * time.Hour)
	case "day":
		return at.AddDate(0, 0, n)
	case "isoWeek":
		return at.AddDate(0, 0, 7*n)
	case "month":
		return at.AddDate(0, n, 0)
	}
	return at.AddDate(0, 3*n, 0)
}

// interval is the index of the interval that holds an instant, -1 outside the span.
func (s *span) interval(ms int64) int {
	at := time.UnixMilli(ms)
	if at.Before(s.from) || at.After(s.to) {
		return -1
	}
	i, found := slices.BinarySearchFunc(s.starts, at, time.Time.Compare)
	if !found {
		i--
	}
	return i
}

// answer writes {"minDate","maxDate","data"}; point gives the members of an interval beside its date.
func (s *span) answer(point func(i int, out []byte) []byte) json.RawMessage {
	date := func(t time.Time) []byte { return appendText(nil, t.UTC().Format(stampFormat)) }
	out := appendMember(appendMember([]byte{'{'}, "minDate", date(s.from)), "maxDate", date(s.to))
	data := []byte{'['}
	for i, start := range s.starts {
		if i > 0 {
			data = append(data, ',')
		}
		one := appendMember([]byte{'{'}, "date", date(start))
		data = append(data, append(point(i, one), '}')...)
	}
	return append(appendMember(out, "data", append(data, ']')), '}')
}

// overTime is what aggregate-over-time asks for.
type overTime struct {
	spanSpec
	Blueprint         string          `json:"blueprint"`
	Query             json.RawMessage `json:"query"`
	MeasureTimeBy     string          `json:"measureTimeBy"`
	AggregationType   string          `json:"aggregationType"`
	Func              string          `json:"func"`
	AverageOf         string          `json:"averageOf"`
	BreakdownProperty string          `json:"breakdownProperty"`
	Properties        []string        `json:"properties"`
}

func (w *overTime) check() error {
	byValue := w.AggregationType == "aggregatePropertiesValues"
	functions := []string{"count", "average"}
	if byValue {
		functions = []string{"average", "sum", "min", "max", "median", "last"}
	}
	if w.MeasureTimeBy == "" {
		w.MeasureTimeBy = "$createdAt"
	}
	if w.AverageOf == "" {
		w.AverageOf = "day"
	}
	switch {
	case w.Blueprint == "":
		return invalidRequest("aggregate-over-time: a blueprint is required")
	case !byValue && w.AggregationType != "countEntities":
		return invalidRequest("aggregationType: want countEntities or aggregatePropertiesValues, got %q", w.AggregationType)
	case !slices.Contains(functions, w.Func):
		return invalidRequest("func: want one of %s, got %q", strings.Join(functions, ", "), w.Func)
	case byValue && (len(w.Properties) == 0 || len(w.Properties) > maxSeries):
		return invalidRequest("properties: want 1 to %d names", maxSeries)
	case w.AverageOf == "total" || periods[w.AverageOf] == 0:
		return invalidRequest("averageOf is %q, want hour, day, week or month", w.AverageOf)
	}
	return nil
}

// maxSeries bounds the lines of one answer.
const maxSeries = 100

// AggregateOverTime counts a blueprint's entities, or calculates over values of theirs, by the interval in which the date
// in measureTimeBy ($createdAt when it is not said) lies. The result is {"minDate","maxDate","data":[{"date", series: n}]}.
// countEntities has the series "count", or one for each value of breakdownProperty; with func average it is the number for
// each averageOf (day when it is not said) of the interval. aggregatePropertiesValues has a series a property, null where
// an interval has no number. Errors: fault.Invalid, fault.NotFound.
func (c *Catalog) AggregateOverTime(ctx context.Context, spec json.RawMessage) (json.RawMessage, error) {
	var w overTime
	if err := json.Unmarshal(spec, &w); err != nil {
		return nil, invalidRequest("aggregate-over-time: %w", err)
	}
	if err := w.check(); err != nil {
		return nil, err
	}
	s, err := w.span(c.now())
	if err != nil {
		return nil, err
	}
	lines := map[string][]*tally{} // by series, then by interval
	if w.AggregationType == "countEntities" && w.BreakdownProperty == "" {
		lines["count"] = make([]*tally, len(s.starts))
	}
	for _, p := range w.Properties {
		lines[p] = make([]*tally, len(s.starts))
	}
	how := Reading{Only: append([]string{w.MeasureTimeBy, w.BreakdownProperty}, w.Properties...)}
	err = c.eachMatch(ctx, SearchRequest{Blueprint: w.Blueprint, Query: w.Query}, how, func(n *node) error {
		at, ok := instant(n.read(w.MeasureTimeBy))
		i := -1
		if ok {
			i = s.interval(at)
		}
		if i < 0 {
			return nil
		}
		return w.add(lines, len(s.starts), i, at, n)
	})
	if err != nil {
		return nil, err
	}
	series := slices.Sorted(maps.Keys(lines))
	return s.answer(func(i int, out []byte) []byte {
		for _, name := range series {
			out = appendMember(out, name, orNull(w.point(s, i, lines[name][i])))
		}
		return out
	}), nil
}

// add takes an entity into account in its interval.
func (w *overTime) add(lines map[string][]*tally, intervals, i int, at int64, n *node) error {
	slot := func(series string) *tally {
		if lines[series] == nil {
			lines[series] = make([]*tally, intervals)
		}
		if lines[series][i] == nil {
			lines[series][i] = &tally{measure: measure{fn: w.Func, averageOf: "total"}}
		}
		return lines[series][i]
	}
	if w.AggregationType == "countEntities" {
		names := []string{"count"}
		if w.BreakdownProperty != "" {
			names = seriesNames(n.read(w.BreakdownProperty))
		}
		for _, name := range names {
			slot(name).n++
		}
		if len(lines) > maxSeries {
			return invalidRequest("breakdownProperty: %q has more than %d values", w.BreakdownProperty, maxSeries)
		}
		return nil
	}
	for _, p := range w.Properties {
		t, value := slot(p), n.read(p)
		if w.Func != "last" {
			t.number(value)
		} else if _, ok := rational(value); ok && at >= t.earliest { // earliest is the latest here
			t.best, t.earliest = slices.Clone(value), at
		}
		if err := t.overflow(); err != nil {
			return err
		}
	}
	return nil
}

// point is the value of a series in an interval.
func (w *overTime) point(s span, i int, t *tally) []byte {
	if w.AggregationType != "countEntities" {
		if t == nil {
			return nil
		}
		if w.Func == "last" {
			return t.best
		}
		return t.result(s.to)
	}
	n := int64(0)
	if t != nil {
		n = t.n
	}
	if w.Func == "count" {
		return numberText(new(big.Rat).SetInt64(n))
	}
	length := s.next(s.unit, s.starts[i], 1).Sub(s.starts[i])
	return numberText(new(big.Rat).Quo(new(big.Rat).SetInt64(n*int64(periods[w.AverageOf])), new(big.Rat).SetInt64(int64(length))))
}

// PropertiesHistory answers what properties of an entity were, as of the end of each interval, from the audit log. Derived
// properties are kept nowhere: they have a value in the last interval alone. Errors: fault.NotFound; fault.Invalid, for a
// blueprint without history too.
func (c *Catalog) PropertiesHistory(ctx context.Context, spec json.RawMessage) (json.RawMessage, error) {
	const page, most = maxPage, 100_000 // entries
	var w struct {
		spanSpec
		Entity     string   `json:"entityIdentifier"`
		Blueprint  string   `json:"blueprintIdentifier"`
		Properties []string `json:"propertyNames"`
	}
	if err := json.Unmarshal(spec, &w); err != nil {
		return nil, invalidRequest("properties-history: %w", err)
	}
	if len(w.Properties) == 0 || len(w.Properties) > maxSeries || slices.Contains(w.Properties, "") {
		return nil, invalidRequest("propertyNames: want 1 to %d names", maxSeries)
	}
	s, err := w.span(c.now())
	if err != nil {
		return nil, err
	}
	points := make([]map[string][]byte, len(s.starts))
	err = c.store.InView(ctx, func(v View) error {
		m, err := c.modelOf(ctx, v)
		if err != nil {
			return err
		}
		r := m.rules[w.Blueprint]
		if r == nil {
			return missing("Blueprint", w.Blueprint)
		}
		if !r.history {
			return invalidRequest("blueprint %q keeps no history", w.Blueprint).WithHint("history:false in its document says so")
		}
		e, err := v.Entity(ctx, Key{w.Blueprint, w.Entity})
		if fault.Is(err, fault.NotFound) {
			return missing("Entity", w.Entity)
		}
		if err != nil {
			return err
		}
		one := []Entity{e}
		if err := c.deriveAs(ctx, v, m, one, Reading{Only: w.Properties}); err != nil {
			return err
		}
		past := rewind{names: w.Properties, span: s, points: points, at: len(points) - 1, now: map[string][]byte{}}
		n := readNode(&one[0])
		for _, name := range w.Properties {
			past.now[name] = n.read(name)
		}
		past.derived = r.derived
		filter := HistoryFilter{Kind: "entity", Blueprint: w.Blueprint, Identifier: w.Entity, Limit: page}
		for read := 0; read < most; read += page {
			list, err := v.History(ctx, filter)
			if err != nil {
				return err
			}
			for _, entry := range list {
				past.undo(entry)
			}
			if len(list) < page || past.at < 0 {
				break
			}
			filter.Before = list[len(list)-1].ID
		}
		past.upTo(time.Time{})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.answer(func(i int, out []byte) []byte {
		for _, name := range w.Properties {
			out = appendMember(out, name, orNull(points[i][name]))
		}
		return out
	}), nil
}

// rewind goes back in time from what an entity is now.
type rewind struct {
	span
	names   []string
	derived map[string]bool
	points  []map[string][]byte
	at      int // the newest interval without a point
	now     map[string][]byte
}

// upTo gives the intervals that end after an instant what the entity is by now.
func (r *rewind) upTo(instant time.Time) {
	for ; r.at >= 0; r.at-- {
		if end := r.next(r.unit, r.starts[r.at], 1); r.at < len(r.starts)-1 && !end.After(instant) {
			return
		}
		r.points[r.at] = maps.Clone(r.now)
		for name := range r.derived { // nothing is known of them earlier
			delete(r.now, name)
		}
	}
}

// undo takes an entry of the audit log back.
func (r *rewind) undo(entry AuditEntry) {
	r.upTo(entry.At)
	if entry.Action == "CREATE" {
		clear(r.now)
		return
	}
	before, sent := memberOf(entry.Before, "properties"), map[string]bool{}
	members(before, func(name string, value []byte) {
		sent[name] = true
		if slices.Contains(r.names, name) {
			r.now[name] = slices.Clone(value)
		}
	})
	for _, name := range r.names {
		switch {
		case name[0] != '$' && entry.Action == "DELETE" && !sent[name]:
			delete(r.now, name)
		case name[0] == '$' && memberOf(entry.Before, name[1:]) != nil:
			r.now[name] = memberOf(entry.Before, name[1:])
		}
	}
}
