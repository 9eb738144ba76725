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
	// restart is the request to go on with when the stored one is refused.
	restart func() string

	guard loopGuard
	empty int
}

// fetch returns the next page, and the request to poll behind it. With ended there is nothing more for now.
func (p *poller) fetch(ctx context.Context) (page listPage, next string, ended bool, err error) {
	asked := p.next
	page, next, err = p.client.page(ctx, asked, "")
	if p.resumed && cursorRefused(err) {
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
	if p.empty++; count > 0 {
		p.empty = 0
	}
	ended = p.empty == maxEmpty || cursorKey(next) == cursorKey(asked) || count > 0 && count < limitOf(page.answer.path) && reaches(page.records, p.started)
	if !ended && p.guard.repeats(cursorKey(next)) {
		return page, "", false, loops(next)
	}
	p.next = next
	return page, next, ended, nil
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
