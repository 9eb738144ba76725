package store

import (
	"strings"

	"longshore/internal/catalog"
)

func (q *query) contains(s subject, v catalog.Value) string {
	var parts []string
	if v.Kind == catalog.TextValue && s.text != none {
		parts = append(parts, "coalesce("+q.sql.position(s.text, q.text(v.Text))+" > 0, 1 = 0)")
	}
	if s.list != "" {
		parts = append(parts, q.among(s, []catalog.Value{v}))
	}
	if len(parts) == 0 {
		return "1 = 0"
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

func (q *query) equal(s subject, v catalog.Value) string {
	switch v.Kind {
	case catalog.NullValue:
		return "(" + s.missing + ")"
	case catalog.JSONValue:
		switch {
		case s.equalsList != nil:
			return s.equalsList(v.Text)
		case s.json == none:
			return "1 = 0"
		}
		return "(" + s.json + " = " + q.text(v.Text) + ")"
	}
	return q.scalar(s.text, s.num, s.truth, s.instant(), []catalog.Value{v})
}

// scalar compares single values: text, num and truth are three readings of one.
func (q *query) scalar(text, num, truth, millis string, values []catalog.Value) string {
	var texts, nums, truths, times []string
	for _, v := range values {
		if v.IsTime && millis != none {
			times = append(times, q.integer(v.Time))
		}
		switch {
		case v.Kind == catalog.TextValue && text != none:
			texts = append(texts, v.Text)
		case v.Kind == catalog.NumberValue && num != none:
			nums = append(nums, q.number(v.Number))
		case v.Kind == catalog.BoolValue && truth != none:
			truths = append(truths, map[bool]string{true: "1", false: "0"}[v.Bool])
		}
	}
	var parts []string
	if len(texts) > 0 {
		parts = append(parts, "coalesce("+text+" IN "+q.texts(texts)+", 1 = 0)")
	}
	for _, p := range []struct {
		expr  string
		marks []string
	}{{num, nums}, {truth, truths}, {millis, times}} {
		if len(p.marks) > 0 {
			parts = append(parts, "coalesce("+p.expr+" IN ("+strings.Join(p.marks, ",")+"), 1 = 0)")
		}
	}
	if len(parts) == 0 {
		return "1 = 0"
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

// among holds when an element of the list is one of the values.
func (q *query) among(s subject, values []catalog.Value) string {
	millis := none
	if s.dated {
		millis = q.sql.millis("(" + s.elementText + ")")
	}
	return "EXISTS (SELECT 1 FROM " + s.list + " WHERE " + q.scalar(s.elementText, s.elementNum, s.elementTruth, millis, values) + ")"
}

func (q *query) in(s subject, values []catalog.Value) string {
	if len(values) == 0 {
		return "1 = 0"
	}
	parts := []string{q.scalar(s.text, s.num, s.truth, s.instant(), values)}
	if s.list != "" {
		parts = append(parts, q.among(s, values))
	}
	for _, v := range values {
		if v.Kind == catalog.NullValue {
			parts = append(parts, q.equal(s, v))
			break
		}
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

func (q *query) compare(s subject, operator string, v catalog.Value) string {
	switch {
	case v.Kind == catalog.NumberValue && s.num != none:
		return "(" + s.num + " " + operator + " " + q.number(v.Number) + ")"
	case v.Kind != catalog.NumberValue && s.millis != none:
		return "(" + s.millis + " " + operator + " " + q.integer(v.Time) + ")"
	}
	return "1 = 0"
}
