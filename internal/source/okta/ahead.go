package okta

import (
	"context"
	"sync"
	"sync/atomic"
)

const (
	// spareAhead is how many parents' first pages are asked for beyond what may be under way at a time, so that one slow
	// answer does not leave the others idle.
	spareAhead = 2
	// maxAheadBytes bounds the pages that have come before their turn: no further one is asked for while they are more.
	maxAheadBytes = 16 << 20
)

// fetched is a page that was asked for ahead of its turn.
type fetched struct {
	page listPage
	next string
	err  error

	taken func() // says that the page has been taken
}

// ahead asks for pages before their turn, a few at a time, and hands them over in order.
type ahead struct {
	client  *client
	key     string
	request func(i int) string // the request whose turn is the i-th
	count   int                // how many requests there are

	taken    int
	underWay []chan fetched // the pages of the requests from taken on
	held     atomic.Int64   // bytes of the pages that have come and are not taken
	calls    sync.WaitGroup // ended once all calls under way have; cancel their context first
}

// next hands over the page of the next request, once it is there, and keeps those behind it under way.
func (a *ahead) next(ctx context.Context) <-chan fetched {
	for a.taken+len(a.underWay) < a.count && a.mayAsk() {
		request := a.request(a.taken + len(a.underWay))
		page := make(chan fetched, 1) // so that a page that nobody takes holds up nothing
		a.underWay = append(a.underWay, page)
		a.calls.Go(func() {
			var f fetched
			f.page, f.next, f.err = a.client.page(ctx, request, a.key)
			size := int64(0)
			if f.page.answer != nil {
				size = int64(len(f.page.answer.body))
			}
			a.held.Add(size)
			f.taken = func() { a.held.Add(-size) }
			page <- f
		})
	}
	page := a.underWay[0]
	a.underWay = a.underWay[1:]
	a.taken++
	return page
}

// mayAsk reports whether one more page may be asked for: always one, then as many as the org takes at a time.
func (a *ahead) mayAsk() bool {
	n := len(a.underWay)
	return n == 0 || n < a.client.flow.width()+spareAhead && a.held.Load() < maxAheadBytes
}
