package okta

import (
	"context"
	"time"

	"longshore/internal/rawjson"
)

// maxEmpty is after how many empty pages in a row a log counts as read to its end: one alone may stand before more
// events.
const maxEmpty = 3

// poller reads the System Log by polling, the only mode that misses no event: without an until, oldest first, in the
// order in which Okta stored them, each page naming the next. Polling never ends by itself: a read ends at a link to
// itself, after several empty pages, or with a page that is not full and reaches into the time after the read began,
// since an org that is never quiet has no empty page.
type poller struct {
	client  *client
	started time.Time // the org's time when the read began
	next    string    // the request to poll
	resumed bool      // next is a stored one, and may be refused
	// restart is the request to go on with when the cursor is refused, the stored one or one of this read.
	restart  func() string
	restarts int

	guard  loopGuard
	empty  int                 // pages in a row that brought nothing
	before map[string]struct{} // uuids of the last page that had any
}

// fetch returns the next page, and the request to poll behind it. With ended there is nothing more for now.
func (p *poller) fetch(ctx context.Context) (page listPage, next string, ended bool, err error) {
	asked := p.next
	page, next, err = p.client.page(ctx, asked, "")
	if cursorRefused(err) && (p.resumed || hasCursor(asked)) && p.restarts < maxRestarts {
		p.restarts, p.guard, p.empty = p.restarts+1, loopGuard{}, 0
		asked = p.restart()
		page, next, err = p.client.page(ctx, asked, "")
	}
	if err != nil {
		return page, "", false, err
	}
	p.resumed = false
	if next == "" { // a bounded query's last page has no next link; ask the same again next time
		next = asked
	}
	count := len(page.records)
	if p.empty++; p.news(page.records) {
		p.empty = 0
	}
	full := count > 0 && count >= limitOf(page.answer.path)
	if full && cursorKey(next) == cursorKey(asked) { // there is more, and no way to it
		return page, "", false, loops(next)
	}
	ended = p.empty == maxEmpty || cursorKey(next) == cursorKey(asked) || count > 0 && count < limitOf(page.answer.path) && reaches(page.records, p.started)
	if !ended && p.guard.repeats(cursorKey(next)) {
		if p.empty == 0 {
			return page, "", false, loops(next)
		}
		ended = true // a circle of empty pages is what a link to itself is, in more steps
	}
	p.next = next
	return page, next, ended, nil
}

// news reports whether a page has an event that the one before had not: a server that repeats its last event behind
// ever new cursors has come to its end.
func (p *poller) news(events [][]byte) bool {
	if len(events) == 0 {
		return false
	}
	news, seen := false, make(map[string]struct{}, len(events))
	for _, event := range events {
		uuid := rawjson.GetString(event, "uuid")
		_, known := p.before[uuid]
		news = news || uuid == "" || !known
		seen[uuid] = struct{}{}
	}
	p.before = seen
	return news
}

// reaches reports whether any of the events was published at or after t.
func reaches(events [][]byte, t time.Time) bool {
	for i := len(events) - 1; i >= 0; i-- {
		published, err := time.Parse(time.RFC3339, rawjson.GetString(events[i], "published"))
		if err == nil && !published.Before(t) {
			return true
		}
	}
	return false
}
