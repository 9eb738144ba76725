package okta

import (
	"context"
	"sync"
)

// maxAhead is how many parents' first pages are under way at a time. A call takes 0.25 s near the org and over 1 s
// from another continent: one after the other would not use up half of a rate limit of 600 a minute.
const maxAhead = 4

// fetched is a page that was asked for ahead of its turn.
type fetched struct {
	page listPage
	next string
	err  error
}

// ahead asks for pages before their turn, a few at a time, and hands them over in order.
type ahead struct {
	client  *client
	key     string
	request func(i int) string // the request whose turn is the i-th
	count   int                // how many requests there are

	taken    int
	underWay []chan fetched // the pages of the requests from taken on
	calls    sync.WaitGroup // ended once all calls under way have; cancel their context first
}

// next hands over the page of the next request, once it is there, and keeps those behind it under way.
func (a *ahead) next(ctx context.Context) <-chan fetched {
	for len(a.underWay) < maxAhead && a.taken+len(a.underWay) < a.count {
		request := a.request(a.taken + len(a.underWay))
		page := make(chan fetched, 1) // so that a page that nobody takes holds up nothing
		a.underWay = append(a.underWay, page)
		a.calls.Go(func() {
			var f fetched
			f.page, f.next, f.err = a.client.page(ctx, request, a.key)
			page <- f
		})
	}
	page := a.underWay[0]
	a.underWay = a.underWay[1:]
	a.taken++
	return page
}
