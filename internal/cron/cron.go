// Package cron tells the times of schedules written in Quartz's syntax, in UTC.
package cron

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adhocore/gronx"

	"longshore/internal/fault"
)

// maxLength is far above any schedule that a person writes.
const maxLength = 256

// Schedule is a parsed expression. The zero one has no times.
type Schedule struct{ expression string } // as gronx takes it

// field is what one of the fields may hold. Names stand for numbers from first on.
type field struct {
	name        string
	first, last int
	names       []string
}

var fields = []field{ // read only
	{name: "second", last: 59},
	{name: "minute", last: 59},
	{name: "hour", last: 23},
	{name: "day of month", first: 1, last: 31},
	{name: "month", first: 1, last: 12, names: []string{"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"}},
	{name: "day of week", first: 1, last: 7, names: []string{"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"}},
	{name: "year", first: 1970, last: 2099},
}

const (
	dayOfMonth = 3
	dayOfWeek  = 5
)

// Parse reads an expression of 6 or 7 fields: second, minute, hour, day of month, month, day of week and perhaps year.
// One of the days is "?". The seconds are one number, and with a year the minutes too. A trailing UTC is taken for what it
// says; other time zones are not.
func Parse(text string) (Schedule, error) {
	if len(text) > maxLength {
		return Schedule{}, fault.Errorf(fault.Invalid, "cron expression of %d characters: at most %d are read", len(text), maxLength)
	}
	parts := strings.Fields(strings.ToUpper(text))
	if n := len(parts); n > 0 && parts[n-1] == "UTC" {
		parts = parts[:n-1]
	}
	if len(parts) != 6 && len(parts) != 7 {
		return Schedule{}, fault.Errorf(fault.Invalid, "cron expression %q has %d fields; 6 or 7 are needed", text, len(parts)).
			WithHint("second minute hour day-of-month month day-of-week [year], as in \"0 0 * * * ?\"")
	}
	if _, err := strconv.Atoi(parts[0]); err != nil {
		return Schedule{}, fault.Errorf(fault.Invalid, "cron expression %q: the seconds must be one number, not %q", text, parts[0])
	}
	if _, err := strconv.Atoi(parts[1]); err != nil && len(parts) == 7 {
		return Schedule{}, fault.Errorf(fault.Invalid, "cron expression %q: with a year the minutes must be one number, not %q", text, parts[1])
	}
	if (parts[dayOfMonth] == "?") == (parts[dayOfWeek] == "?") {
		return Schedule{}, fault.Errorf(fault.Invalid, "cron expression %q: one of day of month and day of week must be \"?\", and the other not", text)
	}
	if len(parts) == 6 {
		parts = append(parts, "*")
	}
	for i, part := range parts {
		out, err := fields[i].translate(i, part)
		if err != nil {
			return Schedule{}, fault.Errorf(fault.Invalid, "cron expression %q: %w", text, err)
		}
		parts[i] = out
	}
	s := Schedule{strings.Join(parts, " ")}
	if !gronx.New().IsValid(s.expression) {
		return Schedule{}, fault.Errorf(fault.Invalid, "cron expression %q cannot be read", text)
	}
	return s, nil
}

// Next is the first time after the given one; the zero time when there is none.
func (s Schedule) Next(after time.Time) time.Time {
	if s.expression == "" {
		return time.Time{}
	}
	at, err := gronx.NextTickAfter(s.expression, after.UTC(), false)
	if err != nil || !at.After(after) {
		return time.Time{}
	}
	return at
}

// translate spells a field out: lists of numbers, which every reader of such expressions understands alike, and where
// there can be no list (the last day, the weekday nearest to one, the second Friday) what the library takes for it.
func (f field) translate(i int, text string) (string, error) {
	if text == "*" || text == "?" && (i == dayOfMonth || i == dayOfWeek) {
		return text, nil
	}
	var out []string
	for item := range strings.SplitSeq(text, ",") {
		var words []string
		var err error
		switch {
		case i == dayOfMonth && strings.ContainsAny(item, "LW"):
			words, err = f.specialDay(item)
		case i == dayOfWeek && (strings.HasSuffix(item, "L") || strings.Contains(item, "#")):
			words, err = f.specialWeekday(item)
		default:
			words, err = f.numbers(i, item)
		}
		if err != nil {
			return "", err
		}
		for _, w := range words {
			if !slices.Contains(out, w) {
				out = append(out, w)
			}
		}
	}
	return strings.Join(out, ","), nil
}

// numbers spells out a number, a range, or either with a step. A range may run over the end: FRI-MON.
func (f field) numbers(i int, item string) ([]string, error) {
	span, stepText, stepped := strings.Cut(item, "/")
	from, to, step := f.first, f.last, 1
	var err error
	if stepped {
		if step, err = strconv.Atoi(stepText); err != nil || step < 1 {
			return nil, fmt.Errorf("%q is no step of the field %s", stepText, f.name)
		}
	}
	if span != "*" {
		low, high, ranged := strings.Cut(span, "-")
		if from, err = f.number(low); err != nil {
			return nil, err
		}
		switch {
		case ranged:
			if to, err = f.number(high); err != nil {
				return nil, err
			}
		case !stepped:
			to = from
		}
	}
	if to < from && f.name == "year" {
		return nil, fmt.Errorf("%q is no range of the field %s", item, f.name)
	}
	if to < from {
		to += f.last - f.first + 1
	}
	var out []string
	for n := from; n <= to; n += step {
		at := (n-f.first)%(f.last-f.first+1) + f.first
		if i == dayOfWeek {
			at-- // the library counts from Sunday as 0, Quartz from Sunday as 1
		}
		out = append(out, strconv.Itoa(at))
	}
	return out, nil
}

func (f field) number(text string) (int, error) {
	if at := slices.Index(f.names, text); at >= 0 {
		return f.first + at, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < f.first || n > f.last {
		return 0, fmt.Errorf("%q is no %s (%d to %d)", text, f.name, f.first, f.last)
	}
	return n, nil
}

// specialDay is L, the last day of the month, or nW, the weekday nearest to day n.
func (f field) specialDay(item string) ([]string, error) {
	if item == "L" {
		return []string{item}, nil
	}
	if n, ok := strings.CutSuffix(item, "W"); ok {
		if at, err := f.number(n); err == nil {
			return []string{strconv.Itoa(at) + "W"}, nil
		}
	}
	return nil, fmt.Errorf("%q is not supported as a %s: L and a day with W are", item, f.name)
}

// specialWeekday is L, Saturday, or nL, the last such day of the month, or n#k, the k-th such day of the month.
func (f field) specialWeekday(item string) ([]string, error) {
	if item == "L" {
		return []string{"6"}, nil
	}
	if name, ok := strings.CutSuffix(item, "L"); ok {
		n, err := f.number(name)
		if err != nil {
			return nil, err
		}
		return []string{strconv.Itoa(n-1) + "L"}, nil
	}
	name, nth, _ := strings.Cut(item, "#")
	n, err := f.number(name)
	if err != nil {
		return nil, err
	}
	if k, err := strconv.Atoi(nth); err != nil || k < 1 || k > 5 {
		return nil, fmt.Errorf("%q: a month has the 1st to the 5th of a weekday", item)
	}
	return []string{strconv.Itoa(n-1) + "#" + nth}, nil
}
