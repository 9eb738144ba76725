package okta

import (
	"context"
	"fmt"
	"maps"
	"net/http"

	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

// maxRestarts is how often a listing begins again because Okta does not know its own cursor any more.
const maxRestarts = 3

// cleanPages is after how many good pages a shrunk listing asks for twice as much again.
const cleanPages = 5

// maxEmptyPages is how many pages in a row may be empty and still name a next one. One or a few are legal: Okta cuts a
// page first, and then takes out what the credential may not see. Without end they are a fault, and a loop that no
// cursor gives away.
const maxEmptyPages = 1000

// maxLooks is how often in a row a listing's last page is asked for again because it is empty: see lookAgain. What is
// asked for again may name a next page that is empty and the last one once more.
const maxLooks = 3

// pager walks a listing page by page. It follows both of Okta's styles, the Link header and _links.next of the body,
// whichever an answer has.
type pager struct {
	client *client
	key    string // the member of the body that holds the list; "" when the body is the list
	first  string // the request for the first page
	next   string // the request for the next page; "" after the last

	filled bool // the list cannot be empty, as far as is known
	// mayBeEmpty, if set, reports whether it is empty after all: see childSpec.
	mayBeEmpty func(ctx context.Context) bool

	hollow   bool   // the last page is empty where that surprises, and was so when asked for again
	denies   bool   // that page is the first one, so that the list is empty although it cannot be
	kept     *kept  // where the listing is shared with other streams; nil for nowhere
	ready    *early // brings the page of next, which was asked for ahead; nil for none
	restarts int
	clean    int
	empty    int // pages in a row
	looks    int // since the last page that was not empty
	guard    loopGuard
}

// listPage is a page of a listing.
type listPage struct {
	answer  *answer
	records [][]byte // the elements, as they stand in the answer's body
}

// newPager begins at the request from, or at first when from is "".
func newPager(c *client, key, first, from string) *pager {
	p := &pager{client: c, key: key, first: first, next: from}
	if from == "" {
		p.next = first
	}
	return p
}

// shared makes the pager one of outlines, which the streams of a run share: see kept.
func (p *pager) shared() *pager {
	p.kept = p.client.kept
	return p
}

// more reports whether there is a page to fetch.
func (p *pager) more() bool { return p.next != "" }

// fetch returns the next page and moves on. Beside an error the page holds the answer, if there was one. A cursor
// that Okta no longer takes (they live for days, not for ever) starts the listing again, a few times: records come twice
// then, but none is missed.
func (p *pager) fetch(ctx context.Context) (listPage, error) {
	asked := p.next
	page, next, err := p.take(ctx)
	if refused := asAPIError(err); refused != nil && refused.Status == http.StatusBadRequest && asked != p.first && p.restarts < maxRestarts {
		p.client.log.Warn("okta refuses a stored cursor, the listing starts again", "path", shown(asked), "code", refused.Code)
		p.restarts, p.guard, p.empty = p.restarts+1, loopGuard{}, 0
		asked = p.first
		page, next, err = p.client.page(ctx, asked, p.key)
	}
	if err == nil && next == "" && len(page.records) == 0 && (p.filled || asked != p.first) {
		if p.looks++; p.looks > maxLooks {
			p.hollow, p.denies = true, asked == p.first
		} else {
			page, next, err = p.lookAgain(ctx, page, asked)
		}
	}
	if err != nil {
		return page, err
	}
	if next != "" {
		if key := cursorKey(next); key == cursorKey(asked) || p.guard.repeats(key) {
			return page, loops(next)
		}
	}
	if p.empty++; len(page.records) > 0 {
		p.empty, p.looks = 0, 0
	}
	if p.empty > maxEmptyPages {
		return page, fault.Errorf(fault.Unavailable, "the listing does not end: %d pages in a row are empty, at %q", p.empty, shown(asked))
	}
	p.next = p.grow(page.answer.path, next)
	return page, nil
}

// lookAgain asks once more for a page that is empty and the last one, where that surprises: the list was known to hold
// something, or a page before has promised more. Okta may have lost sight of it for a moment, or the credential its
// role; and a listing must not end with what looks like its end. The account holds both answers.
func (p *pager) lookAgain(ctx context.Context, empty listPage, asked string) (listPage, string, error) {
	page, next, err := p.client.fetchAnew(ctx, asked, p.key)
	if page.answer != nil {
		both := *page.answer
		both.statuses = maps.Clone(both.statuses)
		if both.statuses == nil {
			both.statuses = map[int]int{}
		}
		for status, n := range empty.answer.statuses {
			both.statuses[status] += n
		}
		page.answer = &both
	}
	p.hollow = err == nil && len(page.records) == 0 && next == ""
	p.denies = p.hollow && asked == p.first
	return page, next, err
}

// take asks for the next page, or waits for it when it was asked for ahead.
func (p *pager) take(ctx context.Context) (listPage, string, error) {
	if p.kept != nil {
		return p.kept.list(ctx, p.client, p.next, p.key)
	}
	if p.ready == nil {
		return p.client.page(ctx, p.next, p.key)
	}
	got := p.ready.take()
	p.ready = nil
	return got.page, got.next, got.err
}

// grow lets a listing whose pages had to shrink ask for more again.
func (p *pager) grow(answered, next string) string {
	want, got := limitOf(p.first), limitOf(answered)
	if limit := limitOf(next); next == "" || got >= want || limit == 0 || limit != got {
		return next
	}
	if p.clean++; p.clean < cleanPages {
		return next
	}
	p.clean = 0
	return withLimit(next, min(want, 2*got))
}

func loops(next string) error {
	return fault.Errorf(fault.Unavailable, "the listing goes in circles: %q was asked for before", shown(next)).
		WithHint("Okta repeated a page link. Run again; if it happens again, a proxy may be caching answers.")
}

// page asks for one page of a listing and cuts it into its records; next is the request for the page behind it.
// Within a run it may have come for another stream.
func (c *client) page(ctx context.Context, path, key string) (page listPage, next string, err error) {
	if isOfRun(ctx) && c.kept.whole(path) {
		return c.kept.list(ctx, c, path, key)
	}
	return c.fetch(ctx, path, key)
}

// fetch is page without what came for other streams, but for pages that nobody has taken.
func (c *client) fetch(ctx context.Context, path, key string) (page listPage, next string, err error) {
	if isOfRun(ctx) {
		if f, ok := c.kept.take(path); ok {
			return f.page, f.next, nil
		}
	}
	return c.fetchAnew(ctx, path, key)
}

// fetchAnew is page without anything that came before.
func (c *client) fetchAnew(ctx context.Context, path, key string) (page listPage, next string, err error) {
	defer func() {
		if err == nil && isOfRun(ctx) {
			c.kept.note(path, page, next)
		}
	}()
	page.answer, err = c.get(ctx, path)
	if err != nil {
		return page, "", err
	}
	body := page.answer.body
	link, _ := linkTarget(page.answer.header.Values("Link"), "next")
	if rawjson.IsObject(body) {
		if link == "" {
			link = rawjson.GetString(body, "_links", "next", "href")
		}
		list, ok := rawjson.Get(body, key)
		if !ok && !isBare(body) {
			return page, "", fault.Errorf(fault.Invalid, "GET %s: the answer is an object without the list %q", shown(path), key)
		}
		if body = list; !ok {
			body = []byte("null")
		}
	}
	if !rawjson.IsNull(body) {
		for record, err := range rawjson.Elements(body) {
			if err == nil && !rawjson.IsObject(record) {
				err = fault.Errorf(fault.Invalid, "element %d is no object", len(page.records))
			}
			if err != nil {
				return page, "", fmt.Errorf("GET %s: %w", shown(path), err)
			}
			page.records = append(page.records, record)
		}
	}
	if link != "" {
		if next, err = c.follow(ctx, link); err != nil {
			return page, "", fmt.Errorf("GET %s: %w", shown(path), err)
		}
	}
	return page, next, nil
}

// isBare reports whether an object has nothing but links: a list that is null can be absent as well.
func isBare(object []byte) bool {
	for name := range rawjson.Members(object) {
		if !rawjson.NameIs(name, "_links") {
			return false
		}
	}
	return true
}
