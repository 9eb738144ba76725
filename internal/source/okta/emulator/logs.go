package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	logsUsual   = 100
	logsMost    = 1000
	logsDefault = 7 * dayMillis   // how far back since is when it is not given
	logsOldest  = 180 * dayMillis // an older since is an error
	eventBytes  = 2100            // about the size of one
)

// logQuery is what a request for events asks.
type logQuery struct {
	limit        int
	since, until int64 // Unix milliseconds
	descending   bool
	matches      func(k int) bool // nil: all
}

// listLogs answers both classes of request. Polling (no until, ascending) goes by the order of storing and always has
// a next link. Bounded goes by published, and its last page has none.
func (o *Org) listLogs(c *call) answer {
	q, bad := o.logQuery(c)
	if bad != nil {
		return *bad
	}
	if c.query.Get("until") == "" && !q.descending {
		return o.pollLogs(c, q)
	}
	return o.boundedLogs(c, q)
}

func (o *Org) logQuery(c *call) (q logQuery, bad *answer) {
	refuse := func(a answer) (logQuery, *answer) { return logQuery{}, &a }
	invalid := func(name, why string) (logQuery, *answer) {
		return refuse(o.failed(c, http.StatusBadRequest, "E0000001", "Api validation failed: '"+name+"': "+why))
	}
	now := o.Now().UnixMilli()
	q.limit = logsUsual
	if s := c.query.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > logsMost {
			return invalid("limit", fmt.Sprintf("must be between 0 and %d", logsMost))
		}
		q.limit = n
	}
	var err error
	if q.until, err = instant(c.query.Get("until"), now); err != nil {
		return invalid("until", "The date format in your query is not recognized.")
	}
	if q.since, err = instant(c.query.Get("since"), q.until-logsDefault); err != nil {
		return invalid("since", "The date format in your query is not recognized.")
	}
	if c.query.Get("since") != "" && c.query.Get("after") != "" && c.query.Get("until") == "" {
		return invalid("since", "cannot be used together with 'after'")
	}
	if q.since < now-logsOldest {
		return refuse(o.failed(c, http.StatusBadRequest, "E0000053", "Invalid filter: 'since' is more than 180 days ago"))
	}
	q.since = max(q.since, o.retained())
	switch order := c.query.Get("sortOrder"); {
	case strings.EqualFold(order, "DESCENDING"):
		q.descending = true
	case order != "" && !strings.EqualFold(order, "ASCENDING"):
		return invalid("sortOrder", "must be ASCENDING or DESCENDING")
	}
	if q.matches, err = o.logMatcher(c.query.Get("filter"), c.query.Get("q")); err != nil {
		return refuse(o.failed(c, http.StatusBadRequest, "E0000053", "Invalid filter: "+err.Error()))
	}
	return q, nil
}

func instant(s string, missing int64) (int64, error) {
	if s == "" {
		return missing, nil
	}
	at, err := time.Parse(time.RFC3339, s)
	return at.UnixMilli(), err
}

const (
	maxKeywords     = 10
	maxKeywordBytes = 40
)

// logMatcher tests an event by its number. Only what the expression names beyond the type costs decoding it.
func (o *Org) logMatcher(filter, q string) (func(int) bool, error) {
	words := strings.Fields(strings.ToLower(q))
	if len(words) > maxKeywords || slices.ContainsFunc(words, func(w string) bool { return len(w) > maxKeywordBytes }) {
		return nil, fmt.Errorf("q has at most %d words of %d characters", maxKeywords, maxKeywordBytes)
	}
	if filter == "" && len(words) == 0 {
		return nil, nil
	}
	matches := expression(func(func(string) []string) bool { return true })
	if filter != "" {
		var err error
		if matches, err = parseExpression(filter, logFilterRules); err != nil {
			return nil, err
		}
	}
	return func(k int) bool {
		var decoded any
		get := func(name string) []string {
			if strings.EqualFold(name, "eventType") {
				e := o.event(k)
				return []string{e.kind.name}
			}
			if decoded == nil {
				t := text{}
				o.writeEvent(&t, k)
				if json.Unmarshal(t.b, &decoded) != nil {
					return nil
				}
			}
			return valuesAt(decoded, strings.Split(name, "."))
		}
		if !matches(get) {
			return false
		}
		if len(words) == 0 {
			return true
		}
		t := text{}
		o.writeEvent(&t, k)
		all := strings.ToLower(string(t.b))
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(all, w) })
	}, nil
}

// valuesAt returns the scalars that a path leads to, through every item of the arrays on its way.
func valuesAt(v any, path []string) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		var all []string
		for _, item := range v {
			all = append(all, valuesAt(item, path)...)
		}
		return all
	case map[string]any:
		if len(path) == 0 {
			return []string{""}
		}
		return valuesAt(v[path[0]], path[1:])
	default:
		if len(path) > 0 {
			return nil
		}
		return []string{fmt.Sprint(v)}
	}
}

// pollLogs pages by a cursor of the form 1627500044869_1: when the next event was, or will be, stored, and its number.
func (o *Org) pollLogs(c *call, q logQuery) answer {
	k := 0
	if after := c.query.Get("after"); after != "" {
		_, number, _ := strings.Cut(after, "_")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > o.eventCount()+1 {
			return o.failed(c, http.StatusBadRequest, "E0000001", "Api validation failed: 'after': the cursor is not valid")
		}
		k = max(n-1, o.firstRetained())
	} else {
		k = o.firstStored(q.since)
	}
	count := o.eventCount()
	t, n := text{b: make([]byte, 0, eventBytes*min(q.limit, count-k))}, 0
	for ; k < count && n < q.limit; k++ {
		if q.matches == nil || q.matches(k) {
			o.writeEvent(&t, k)
			n++
		}
	}
	at := o.now * 1000
	switch {
	case k < count:
		at = o.stored(k)
	case k > o.events.count:
		at = o.stored(k - 1)
	}
	cursor := strconv.FormatInt(at, 10) + "_" + itoa(k+1)
	return paged(t.b, o.logLink(c, c.query.Get("after"), true), o.logLink(c, cursor, false))
}

// logLink re-emits the request; a polling link to the next page says no more of since.
func (o *Org) logLink(c *call, after string, since bool) string {
	from := ""
	if since || c.query.Get("until") != "" {
		from = c.query.Get("since")
	}
	return c.link("/api/v1/logs", "after", after, "since", from, "until", c.query.Get("until"), "filter", c.query.Get("filter"), "q", c.query.Get("q"),
		"sortOrder", c.query.Get("sortOrder"), "limit", c.query.Get("limit"))
}

// boundedLogs pages by published. The cursor looks like a UUID; it holds the last event's time and number.
func (o *Org) boundedLogs(c *call, q logQuery) answer {
	last := dated{at: q.since - 1}
	if q.descending {
		last = dated{at: q.until}
	}
	if after := c.query.Get("after"); after != "" {
		var ok bool
		if last, ok = readCursor(after, o.eventCount()); !ok {
			return o.failed(c, http.StatusBadRequest, "E0000001", "Api validation failed: 'after': the cursor is not valid")
		}
	} else if !q.descending {
		last.k = o.eventCount()
	}
	found := o.eventsFound(q, last)
	t, next := text{b: make([]byte, 0, eventBytes*len(found))}, ""
	for i, e := range found {
		if i == q.limit {
			if i > 0 {
				next = o.logLink(c, found[i-1].cursor(), false)
			}
			break
		}
		o.writeEvent(&t, e.k)
	}
	return paged(t.b, o.logLink(c, c.query.Get("after"), true), next)
}

// dated is an event in the order of published, ties in the order of storing.
type dated struct {
	at int64
	k  int
}

func (a dated) compare(b dated) int {
	if a.at != b.at {
		return int(max(-1, min(1, a.at-b.at)))
	}
	return a.k - b.k
}

func (a dated) cursor() string { return uuidOf(uint64(a.at), uint64(a.k)) }

func readCursor(s string, count int) (dated, bool) {
	digits := strings.ReplaceAll(s, "-", "")
	if len(digits) != 32 {
		return dated{}, false
	}
	at, err := strconv.ParseInt(digits[:16], 16, 64)
	k, err2 := strconv.ParseInt(digits[16:], 16, 64)
	return dated{at, int(k)}, err == nil && err2 == nil && k < int64(count)
}

// eventsFound returns the events after last in the query's order and bounds, of the timeline and of changes.
func (o *Org) eventsFound(q logQuery, last dated) []dated {
	found := o.between(q, last)
	sign := 1
	if q.descending {
		sign = -1
	}
	for i, s := range o.world.log.stored {
		e := dated{s.published, o.events.count + i}
		if e.at >= q.since && e.at < q.until && sign*e.compare(last) > 0 && (q.matches == nil || q.matches(e.k)) {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b dated) int { return sign * a.compare(b) })
	return found[:min(len(found), q.limit+1)]
}

// between returns the events of the timeline after last in the query's order and bounds: one more than the limit when there are more.
// An event was stored at most maxLag after it happened, so what is left of the timeline says when the page is certain.
func (o *Org) between(q logQuery, last dated) []dated {
	var found []dated
	step, k := 1, o.firstStored(last.at)
	if q.descending {
		step, k = -1, min(o.firstStored(last.at+maxLag+1), o.events.count)-1
	}
	order := func(a, b dated) int { return step * a.compare(b) }
	certain := 0
	for ; k >= 0 && k < o.events.count && certain <= q.limit; k += step {
		stored := o.stored(k)
		if step > 0 && stored-maxLag >= q.until || step < 0 && stored < q.since {
			break
		}
		e := dated{o.published(k), k}
		if e.at >= q.since && e.at < q.until && order(e, last) > 0 && (q.matches == nil || q.matches(k)) {
			found = append(found, e)
		}
		if len(found) > q.limit {
			certain = 0
			for _, e := range found {
				if step > 0 && e.at < stored-maxLag || step < 0 && e.at > stored {
					certain++
				}
			}
		}
	}
	slices.SortFunc(found, order)
	return found[:min(len(found), q.limit+1)]
}
