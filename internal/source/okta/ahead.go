package okta

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// spareAhead is how many parents' first pages are asked for beyond what may be under way at a time, so that one slow
	// answer does not leave the others idle.
	spareAhead = 2
	// maxAheadBytes bounds the pages that have come before their turn: no further one is asked for while they are more.
	maxAheadBytes = 16 << 20
	// graceToAnswer is how long a read that stops waits for the answers to what it has sent: they cost a call each.
	graceToAnswer = 3 * time.Second
)

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
	underWay []*early     // the pages of the requests from taken on
	held     atomic.Int64 // bytes of the pages that have come and are not taken
	calls    sync.WaitGroup
}

// early is a page under way before its turn.
type early struct {
	ahead   *ahead
	request string
	page    chan fetched // holds one, so that a page that nobody takes holds up nothing
}

// take waits for the page. Once its call has ended it is there, whatever became of the call.
func (e *early) take() fetched {
	f := <-e.page
	e.ahead.held.Add(-f.size())
	return f
}

func (f fetched) size() int64 {
	if f.page.answer == nil {
		return 0
	}
	return int64(len(f.page.answer.body))
}

// sendingKey is the context's key for the context in which a request is sent, once it has its turn.
type sendingKey struct{}

// sending returns the context to send a request in: it can outlive the one to wait for its turn in.
func sending(ctx context.Context) context.Context {
	if outer, ok := ctx.Value(sendingKey{}).(context.Context); ok {
		return outer
	}
	return ctx
}

// begin returns the context for the calls, and what ends them all: those that wait at once, those that are sent with
// their answers, which are kept for a read that goes on in the same run.
func (a *ahead) begin(outer context.Context) (_ context.Context, end func()) {
	outer, abandon := context.WithCancel(outer)
	ctx, stop := context.WithCancel(context.WithValue(outer, sendingKey{}, outer))
	a.owe(a.count)
	return ctx, func() {
		a.owe(a.taken + len(a.underWay) - a.count)
		stop()
		if a.client.kept.keeps(ctx) {
			timer := time.AfterFunc(graceToAnswer, abandon)
			defer timer.Stop()
		} else {
			abandon()
		}
		a.calls.Wait()
		abandon()
		for _, e := range a.underWay {
			if f := e.take(); f.err == nil && isOfRun(ctx) {
				a.client.kept.put(e.request, f)
			}
		}
	}
}

// owe tells the bucket how many requests are certain to come; all requests are of one kind.
func (a *ahead) owe(n int) {
	if a.count > 0 {
		a.client.pace.bucket(a.request(0)).owe(n)
	}
}

// next hands over the page of the next request, once it is there, and keeps those behind it under way.
func (a *ahead) next(ctx context.Context) *early {
	for a.taken+len(a.underWay) < a.count && a.mayAsk() {
		e := &early{ahead: a, request: a.request(a.taken + len(a.underWay)), page: make(chan fetched, 1)}
		a.underWay = append(a.underWay, e)
		a.owe(-1)
		a.calls.Go(func() {
			var f fetched
			f.page, f.next, f.err = a.client.page(ctx, e.request, a.key)
			a.held.Add(f.size())
			e.page <- f
		})
	}
	e := a.underWay[0]
	a.underWay = a.underWay[1:]
	a.taken++
	return e
}

// mayAsk reports whether one more page may be asked for: always one, then as many as the org takes at a time.
func (a *ahead) mayAsk() bool {
	n := len(a.underWay)
	return n == 0 || n < a.client.flow.width()+spareAhead && a.held.Load() < maxAheadBytes
}
