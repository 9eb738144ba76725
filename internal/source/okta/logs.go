package okta

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"longshore/internal/rawjson"
)

const (
	logsPath = apiPrefix + "logs"
	// logOverlap is how far before the newest event a log is read again when its cursor is refused, or when only a time
	// is known of the read before.
	logOverlap = 10 * time.Minute
	// recentEvents is how many uuids a state holds: enough for a page boundary, few enough for its 1,500 bytes.
	recentEvents = 32
	uuidBytes    = 16
	// maxStampBytes bounds an event's time, which goes into states.
	maxStampBytes = len("2006-01-02T15:04:05.000000000Z")
)

// readLogs reads the System Log from a state on. The state is the request to poll next; beside it stands, for
// Airbyte's source, the time up to which everything was read when the read before ended.
//
// What is known to be missing is a gap: events past Okta's retention, and, where Okta refuses the stored cursor, events
// between the newest ones known and what the log still has.
func readLogs(ctx context.Context, r *reading, from state) error {
	if !from.belongsTo(logsPath) {
		return foreignState()
	}
	started := r.client.serverTime(ctx)
	l := &logReading{reading: r, started: started, latest: from.Latest, polled: from.Polled, bound: from.Published, recent: newRecentUUIDs(from.Recent)}
	seen := false
	p := &poller{client: r.client, started: started, next: l.begin(from), resumed: from.Link != "", restart: l.restart}
	for {
		page, next, ended, err := p.fetch(ctx)
		r.met(page.answer)
		if err != nil {
			return err
		}
		seen = seen || len(page.records) > 0
		if ended && len(page.records) == 0 {
			// In 90 days somebody did something; and a service app that lost its role sees no event any more.
			look := r.blindEnd
			if !seen && from.Link == "" && l.source.logHistory == logRetention {
				look = r.emptyHanded
			}
			if err := look(ctx, page.answer); err != nil {
				return err
			}
		}
		if err := l.page(page, next, ended); err != nil || ended {
			return err
		}
	}
}

// logReading is a reading of the log, with what its state remembers.
type logReading struct {
	*reading
	started time.Time // the org's time when the read began
	latest  string    // the newest published time seen
	polled  string    // the org's time when a read last came to the log's end
	bound   string    // for Airbyte's source: everything before is read
	recent  *recentUUIDs

	lost      map[[uuidBytes]byte]struct{} // after a refused cursor: the newest events known, to be met again; nil when met
	lostAfter string                       // the newest published time then
}

// begin is the request to begin with.
func (l *logReading) begin(from state) string {
	oldest := l.started.Add(-logRetention)
	last, err := time.Parse(time.RFC3339, from.Latest)
	if from.Latest == "" {
		last, err = time.Parse(time.RFC3339, from.Published)
	}
	known := err == nil
	seen := last
	if polled, err := time.Parse(time.RFC3339, from.Polled); err == nil {
		seen = laterOf(seen, polled) // a quiet org: there was nothing newer then
	}
	if known && seen.Before(oldest) {
		l.gap("log events between %s and %s are past Okta's retention of 90 days", seen.UTC().Format(time.RFC3339), oldest.Format(time.RFC3339))
	}
	if l.bound == "" && known { // a state from before the bound was kept
		l.bound = last.UTC().Format(wholeLayout)
	}
	if from.Link != "" {
		return from.Link
	}
	since := l.started.Add(-l.source.logHistory)
	if asked := l.source.logsSince; asked.After(oldest) {
		since = asked
	}
	if known {
		since = laterOf(oldest, last.Add(-logOverlap))
	}
	if l.bound == "" {
		l.bound = since.UTC().Format(wholeLayout)
	}
	return l.since(since)
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// since is the request for the log from a time on.
func (l *logReading) since(t time.Time) string { return l.source.logRequest(t) }

// logRequest polls the log from a time on, with a filter or without.
func (s *Source) logRequest(t time.Time, query ...string) string {
	return s.listRequest(logLimit, "logs", append([]string{"since=" + url.QueryEscape(t.UTC().Format(stampLayout)), "sortOrder=ASCENDING"}, query...)...)
}

// restart is the request to go on with when the stored one is refused. From then on the newest events known are looked
// for: as long as none of them is met, events behind them may be gone.
func (l *logReading) restart() string {
	since := l.started.Add(-logRetention)
	if latest, err := time.Parse(time.RFC3339, l.latest); err == nil && latest.After(since) {
		since = laterOf(since, latest.Add(-logOverlap))
		if l.lost = l.recent.known(); len(l.lost) == 0 {
			l.lost = nil
		}
		l.lostAfter = l.latest
	}
	l.client.log.Warn("okta refuses the stored log cursor, the log is read again by time", "latest", l.latest, "since", since.Format(time.RFC3339))
	return l.since(since)
}

// page yields the events that were not among the last ones before.
func (l *logReading) page(page listPage, next string, ended bool) error {
	fresh := page.records[:0]
	for _, event := range page.records {
		uuid := rawjson.GetString(event, "uuid")
		published := rawjson.GetString(event, "published")
		l.look(uuid, published)
		if l.recent.add(uuid) {
			fresh = append(fresh, rawjson.OneLine(event))
		}
		if published > l.latest && len(published) <= maxStampBytes {
			l.latest = published
		}
	}
	l.recent.turn()
	if ended {
		l.nothingMet("")
		l.polled = l.started.Format(time.RFC3339)
		if at, err := time.Parse(time.RFC3339, l.latest); err == nil {
			l.bound = at.UTC().Format(wholeLayout)
		}
	}
	return l.reading.page(page.answer, fresh, state{Link: next, Latest: l.latest, Recent: l.recent.String(), Published: l.bound, Polled: l.polled})
}

// look looks for the events that were the newest ones before a refused cursor.
func (l *logReading) look(uuid, published string) {
	if l.lost == nil {
		return
	}
	if id, ok := parseUUID(uuid); ok {
		if _, found := l.lost[id]; found {
			l.lost = nil
			return
		}
	}
	l.nothingMet(published)
}

// nothingMet tells a gap when the log has come past the newest events known ("": to its end) without one of them.
func (l *logReading) nothingMet(published string) {
	if l.lost == nil {
		return
	}
	at, err := time.Parse(time.RFC3339, published)
	known, _ := time.Parse(time.RFC3339, l.lostAfter) // it was parsed in restart
	if published != "" && (err != nil || at.Before(known.Add(logOverlap))) {
		return
	}
	l.lost = nil
	l.gap("log events after %s may be missing: Okta refused the stored cursor, and the newest events known are no longer in its log", l.lostAfter)
}

// cursorRefused reports whether an error says that a stored request is no longer taken, rather than that the
// credential is not, or that Okta fails.
func cursorRefused(err error) bool {
	refused := asAPIError(err)
	if refused == nil {
		return false
	}
	switch refused.Status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity:
		return true
	}
	return false
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
	id, ok := parseUUID(text)
	if !ok {
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

func parseUUID(text string) (id [uuidBytes]byte, ok bool) {
	compact := strings.ReplaceAll(text, "-", "")
	if len(text) != 36 || len(compact) != 2*uuidBytes {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(compact))
	return id, err == nil
}

// turn begins a new page. An empty page forgets nothing.
func (r *recentUUIDs) turn() {
	if len(r.now) > 0 {
		r.before, r.now = r.now, map[[uuidBytes]byte]struct{}{}
	}
}

// known are the newest events.
func (r *recentUUIDs) known() map[[uuidBytes]byte]struct{} {
	ids := map[[uuidBytes]byte]struct{}{}
	for _, id := range r.newest() {
		ids[id] = struct{}{}
	}
	return ids
}

func (r *recentUUIDs) newest() [][uuidBytes]byte { return r.order[max(0, len(r.order)-recentEvents):] }

func (r *recentUUIDs) String() string {
	return base64.RawURLEncoding.EncodeToString(slices.Concat(bytesOf(r.newest())...))
}

func bytesOf(ids [][uuidBytes]byte) [][]byte {
	all := make([][]byte, len(ids))
	for i := range ids {
		all[i] = ids[i][:]
	}
	return all
}
