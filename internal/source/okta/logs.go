package okta

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"

	"longshore/internal/rawjson"
)

const (
	logsPath = apiPrefix + "logs"
	// logOverlap is how far before the newest event a log is read again when its cursor is refused.
	logOverlap = 10 * time.Minute
	// recentEvents is how many uuids a state holds: enough for a page boundary, few enough for its 1,500 bytes.
	recentEvents = 32
	uuidBytes    = 16
	// maxEmpty is after how many empty pages in a row a log counts as read to its end.
	maxEmpty = 3
)

// readLogs reads the System Log by polling, the only mode that misses no event: without an until, oldest first, in
// the order in which Okta stored them, each page naming the next. Polling never ends by itself: the read ends at a
// link to itself, after several empty pages, or with a page that is not full and reaches into the time after the read
// began, since an org that is never quiet has no empty page. The state is the request to poll next.
func readLogs(ctx context.Context, r *reading, from state) error {
	if !from.belongsTo(logsPath) {
		return foreignState()
	}
	log := &logReading{reading: r, latest: from.Latest, recent: newRecentUUIDs(from.Recent)}
	started := r.client.serverTime(ctx)
	next, resumed := from.Link, from.Link != ""
	if next == "" {
		next = log.since(started.Add(-r.source.logHistory))
	} else if latest, err := time.Parse(time.RFC3339, from.Latest); err == nil && started.Sub(latest) > logRetention {
		r.gap("log events between %s and %s are past Okta's retention", from.Latest, started.Add(-logRetention).Format(time.RFC3339))
	}
	var guard loopGuard
	empty := 0 // pages in a row: one alone may stand before more events
	for {
		asked := next
		page, after, err := r.client.page(ctx, asked, "")
		r.met(page.answer)
		if refused := asAPIError(err); refused != nil && refused.Status == http.StatusBadRequest && resumed {
			r.client.log.Warn("okta refuses the stored log cursor, the log is read again by time", "code", refused.Code, "latest", log.latest)
			next, resumed = log.restart(started, r.source.logHistory), false
			continue
		}
		if err != nil {
			return err
		}
		resumed = false
		if after == "" { // a bounded query's last page has no next link; ask the same again next time
			after = asked
		}
		count := len(page.records)
		if empty++; count > 0 {
			empty = 0
		}
		ended := empty == maxEmpty || cursorKey(after) == cursorKey(asked) || count > 0 && count < limitOf(page.answer.path) && log.reaches(page.records, started)
		if err := log.page(page, after); err != nil || ended {
			return err
		}
		if guard.repeats(cursorKey(after)) {
			return loops(after)
		}
		next = after
	}
}

// logReading is a reading of the log, with what its state remembers.
type logReading struct {
	*reading
	latest string // the newest published time seen
	recent *recentUUIDs
}

// since is the request for the log from a time on.
func (l *logReading) since(t time.Time) string {
	return l.source.listRequest(logLimit, "logs", "since="+url.QueryEscape(t.UTC().Format("2006-01-02T15:04:05.000Z")), "sortOrder=ASCENDING")
}

// restart is the request to go on with when the stored one is refused.
func (l *logReading) restart(started time.Time, history time.Duration) string {
	if latest, err := time.Parse(time.RFC3339, l.latest); err == nil && started.Sub(latest) < logRetention {
		return l.since(latest.Add(-logOverlap))
	}
	return l.since(started.Add(-history))
}

// reaches reports whether any of the events was published at or after t.
func (l *logReading) reaches(events [][]byte, t time.Time) bool {
	for i := len(events) - 1; i >= 0; i-- {
		published, err := time.Parse(time.RFC3339, rawjson.GetString(events[i], "published"))
		if err == nil && !published.Before(t) {
			return true
		}
	}
	return false
}

// page yields the events that were not among the last ones before.
func (l *logReading) page(page listPage, next string) error {
	fresh := page.records[:0]
	for _, event := range page.records {
		if l.recent.add(rawjson.GetString(event, "uuid")) {
			fresh = append(fresh, rawjson.OneLine(event))
		}
		if published := rawjson.GetString(event, "published"); published > l.latest && len(published) <= len("2006-01-02T15:04:05.000000000Z") {
			l.latest = published
		}
	}
	l.recent.turn()
	return l.reading.page(page.answer, fresh, state{Link: next, Latest: l.latest, Recent: l.recent.String()})
}

// recentUUIDs tells events of this page and the one before apart from new ones. Only uuids of the usual form are
// remembered: an event without one always counts as new.
type recentUUIDs struct {
	before, now map[[uuidBytes]byte]struct{}
	order       [][uuidBytes]byte // the newest, at most recentEvents
}

// newRecentUUIDs takes what String gave. What is not of that form is forgotten, which can only repeat an event.
func newRecentUUIDs(text string) *recentUUIDs {
	r := &recentUUIDs{before: map[[uuidBytes]byte]struct{}{}, now: map[[uuidBytes]byte]struct{}{}}
	data, err := base64.RawURLEncoding.DecodeString(text)
	for err == nil && len(data) >= uuidBytes {
		id := [uuidBytes]byte(data)
		r.before[id] = struct{}{}
		r.order = append(r.order, id)
		data = data[uuidBytes:]
	}
	return r
}

// add remembers a uuid and reports whether it was not known.
func (r *recentUUIDs) add(text string) bool {
	var id [uuidBytes]byte
	if compact := strings.ReplaceAll(text, "-", ""); len(text) != 36 || len(compact) != 2*uuidBytes || !decodeHex(id[:], compact) {
		return true
	}
	if _, ok := r.now[id]; ok {
		return false
	}
	r.now[id] = struct{}{}
	if _, ok := r.before[id]; ok {
		return false
	}
	r.order = append(r.order, id)
	if len(r.order) > 2*recentEvents {
		r.order = append(r.order[:0], r.order[len(r.order)-recentEvents:]...)
	}
	return true
}

func decodeHex(dst []byte, text string) bool {
	_, err := hex.Decode(dst, []byte(text))
	return err == nil
}

// turn begins a new page. An empty page forgets nothing.
func (r *recentUUIDs) turn() {
	if len(r.now) > 0 {
		r.before, r.now = r.now, map[[uuidBytes]byte]struct{}{}
	}
}

func (r *recentUUIDs) String() string {
	newest := r.order[max(0, len(r.order)-recentEvents):]
	data := make([]byte, 0, len(newest)*uuidBytes)
	for _, id := range newest {
		data = append(data, id[:]...)
	}
	return base64.RawURLEncoding.EncodeToString(data)
}
