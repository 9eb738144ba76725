package catalog

import (
	"encoding/json"
	"math/big"
	"slices"
	"time"
)

// measure is what is counted or calculated over entities.
type measure struct {
	fn            string // count, sum, min, max, median, average
	entities      bool   // the entities themselves; otherwise their values of property
	property      string
	averageOf     string // hour, day, week, month, total
	measureTimeBy string // property or meta-property
}

// periods are the lengths that averageOf may name. A month has 30 days.
var periods = map[string]time.Duration{
	"hour": time.Hour, "day": 24 * time.Hour, "week": 7 * 24 * time.Hour, "month": 30 * 24 * time.Hour, "total": 0,
}

// readMeasure reads func, calculationBy, property, averageOf and measureTimeBy.
func readMeasure(raw json.RawMessage) (measure, error) {
	var w struct {
		Func          string `json:"func"`
		CalculationBy string `json:"calculationBy"`
		Property      string `json:"property"`
		AverageOf     string `json:"averageOf"`
		MeasureTimeBy string `json:"measureTimeBy"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return measure{}, invalidRequest("want func and calculationBy, got %s", excerpt(raw))
	}
	x := measure{fn: w.Func, property: w.Property, averageOf: w.AverageOf, measureTimeBy: w.MeasureTimeBy}
	if x.averageOf == "" {
		x.averageOf = "total"
	}
	if x.measureTimeBy == "" {
		x.measureTimeBy = "$createdAt"
	}
	_, period := periods[x.averageOf]
	x.entities = w.CalculationBy == "entities" || w.CalculationBy == "" && w.Func == "count"
	switch {
	case w.CalculationBy != "" && w.CalculationBy != "entities" && w.CalculationBy != "property":
		return x, invalidRequest("calculationBy is %q, want entities or property", w.CalculationBy)
	case !slices.Contains([]string{"count", "sum", "min", "max", "median", "average"}, x.fn):
		return x, invalidRequest("func: want count, sum, min, max, median or average, got %q", x.fn)
	case x.entities && x.fn != "count" && x.fn != "average", !x.entities && x.fn == "count":
		return x, invalidRequest("func %q does not go with calculationBy %q", x.fn, w.CalculationBy)
	case !x.entities && x.property == "":
		return x, invalidRequest("func %q by property needs a property", x.fn)
	case !period:
		return x, invalidRequest("averageOf is %q, want hour, day, week, month or total", x.averageOf)
	}
	return x, nil
}

// timed reports whether the measure asks when entities happened.
func (x measure) timed() bool { return x.fn == "average" && x.averageOf != "total" }

// tally is a measure under way.
type tally struct {
	measure
	n        int64 // entities, or numbers found
	sum      total
	best     []byte // of min and max
	bestRat  *big.Rat
	values   []*big.Rat // of median
	earliest int64      // Unix milliseconds; 0 for none
	full     bool       // there are more values than are kept
}

func (t *tally) add(n *node) {
	if t.entities {
		t.n++
	} else if !t.number(n.read(t.property)) {
		return
	}
	if !t.timed() {
		return
	}
	if at, ok := instant(n.read(t.measureTimeBy)); ok && (t.earliest == 0 || at < t.earliest) {
		t.earliest = at
	}
}

// number takes a value into account, if it is a number.
func (t *tally) number(value []byte) bool {
	switch t.fn {
	case "sum", "average":
		if !t.sum.add(value) {
			return false
		}
	default:
		r, ok := rational(value)
		if !ok {
			return false
		}
		if t.fn == "median" {
			if t.full = len(t.values) >= maxReach; !t.full {
				t.values = append(t.values, r)
			}
		} else if t.bestRat == nil || r.Cmp(t.bestRat) == map[string]int{"min": -1, "max": 1}[t.fn] {
			t.best, t.bestRat = slices.Clone(value), r
		}
	}
	t.n++
	return true
}

// result is the value in the end, nil for none: of no numbers there is a sum, 0, but no average.
func (t *tally) result(now time.Time) []byte {
	switch t.fn {
	case "count":
		return numberText(new(big.Rat).SetInt64(t.n))
	case "sum":
		return numberText(t.sum.rat())
	case "min", "max":
		return t.best
	case "median":
		return median(t.values)
	}
	sum := t.sum.rat()
	if t.entities {
		sum.SetInt64(t.n)
	}
	switch {
	case t.averageOf == "total" && t.entities:
		return numberText(sum)
	case t.n == 0 && t.entities:
		return []byte("0")
	case t.n == 0:
		return nil
	case t.averageOf == "total":
		return ratio(sum, t.n)
	}
	// The time from the earliest of them until now, in whole periods, at least one.
	length, span := periods[t.averageOf].Milliseconds(), int64(0)
	if t.earliest != 0 {
		span = now.UnixMilli() - t.earliest
	}
	return ratio(sum, max(1, (span+length-1)/length))
}

func median(values []*big.Rat) []byte {
	if len(values) == 0 {
		return nil
	}
	slices.SortFunc(values, func(a, b *big.Rat) int { return a.Cmp(b) })
	half := len(values) / 2
	if len(values)%2 == 1 {
		return numberText(values[half])
	}
	return ratio(new(big.Rat).Add(values[half-1], values[half]), 2)
}

// instant reads a value that is a date-time.
func instant(value []byte) (ms int64, ok bool) {
	if len(value) == 0 || value[0] != '"' {
		return 0, false
	}
	return Instant(unquote(value))
}
