package emulator

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"sort"
	"sync"
	"time"
)

const (
	maxWaiting    = 10_000 // deliveries in the queue
	maxEnvelope   = 100    // events of one change in one envelope
	maxDelivering = 8      // at once
	latest        = 2 * time.Second
)

// delivery is one envelope on its way to one hook.
type delivery struct {
	due    time.Time // on the org's clock
	hook   string    // id
	number int
	id     string // of the envelope: the same for its double
	at     int64  // when it was made, Unix milliseconds
	events []*logEvent
}

func (o *Org) hookClient() *http.Client {
	if c := o.options.Hooks.Client; c != nil {
		return c
	}
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// startHooks begins to deliver, unless somebody does already. The hooks are locked.
func (o *Org) startHooks() {
	hs := &o.hooks
	if hs.wake != nil || hs.closed {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	hs.wake, hs.stop, hs.running = make(chan struct{}, 1), stop, new(sync.WaitGroup)
	wake, running := hs.wake, hs.running
	running.Go(func() { o.deliverAll(ctx, wake, running) })
}

// stopHooks ends delivery, and returns when nothing is on its way any more.
func (o *Org) stopHooks() {
	hs := &o.hooks
	hs.mu.Lock()
	stop, running := hs.stop, hs.running
	hs.wake, hs.stop, hs.running = nil, nil, nil
	hs.queue = nil
	hs.mu.Unlock()
	if stop != nil {
		stop()
		running.Wait()
	}
}

// Close ends what runs by itself: the delivery of event hooks, and a workload that Live began. The org still answers; an
// org with neither needs no Close.
func (o *Org) Close() {
	_ = o.Live(0, 0) // a rate of 0 is never refused
	o.hooks.mu.Lock()
	o.hooks.closed = true
	o.hooks.mu.Unlock()
	o.stopHooks()
}

// notify puts the events of one change on their way to the hooks that want them.
func (o *Org) notify(events []*logEvent) {
	hs := &o.hooks
	hs.mu.Lock()
	defer hs.mu.Unlock()
	if hs.wake == nil {
		return
	}
	for _, h := range hs.list {
		if h.inactive || !h.verified {
			continue
		}
		var wanted []*logEvent
		for _, e := range events {
			if !silent[e.kind.name] && slices.Contains(h.types, e.kind.name) {
				wanted = append(wanted, e)
			}
		}
		for part := range slices.Chunk(wanted, maxEnvelope) {
			o.enqueue(h, part)
		}
	}
	o.wakeLocked()
}

// enqueue decides what becomes of a delivery. The hooks are locked.
func (o *Org) enqueue(h *hook, events []*logEvent) {
	hs, knobs := &o.hooks, o.options.Hooks
	hs.sent++
	d := newDraw(o.seed, saltHook, hs.sent)
	now := o.Now()
	e := delivery{due: now.Add(knobs.Delay), hook: h.id, number: hs.sent, id: uuidOf(d.next(), d.next()), at: now.UnixMilli(), events: events}
	if d.chance(knobs.Dropped) {
		hs.stats.Dropped++
		return
	}
	late := knobs.Late
	if late <= 0 {
		late = latest
	}
	if d.chance(knobs.Shuffled) {
		hs.stats.Shuffled++
		e.due = e.due.Add(time.Duration(d.between(int64(late/100), int64(late))))
	}
	hs.push(e)
	if d.chance(knobs.Duplicated) {
		hs.stats.Duplicated++
		e.due = e.due.Add(time.Duration(d.between(0, int64(late))))
		hs.push(e)
	}
}

func (hs *hooks) push(e delivery) {
	if len(hs.queue) >= maxWaiting {
		hs.stats.Dropped++
		return
	}
	at := sort.Search(len(hs.queue), func(i int) bool { return hs.queue[i].due.After(e.due) })
	hs.queue = slices.Insert(hs.queue, at, e)
}

func (o *Org) wakeHooks() {
	o.hooks.mu.Lock()
	defer o.hooks.mu.Unlock()
	o.wakeLocked()
}

func (o *Org) wakeLocked() {
	select {
	case o.hooks.wake <- struct{}{}: // nil while nobody delivers: never ready
	default:
	}
}

// deliverAll sends what is due until the context ends.
func (o *Org) deliverAll(ctx context.Context, wake <-chan struct{}, running *sync.WaitGroup) {
	slots := make(chan struct{}, maxDelivering)
	for {
		due, wait := o.takeDue()
		for _, d := range due {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			running.Go(func() {
				defer func() { <-slots }()
				o.deliver(ctx, d)
			})
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// takeDue returns a few deliveries that are due, and how long until there are more.
func (o *Org) takeDue() (due []delivery, wait time.Duration) {
	hs := &o.hooks
	hs.mu.Lock()
	defer hs.mu.Unlock()
	now, n := o.Now(), 0
	for n < len(hs.queue) && n < maxDelivering && !hs.queue[n].due.After(now) {
		n++
	}
	due = slices.Clone(hs.queue[:n])
	hs.queue = slices.Delete(hs.queue, 0, n)
	wait = time.Hour // somebody wakes it before
	if len(hs.queue) > 0 {
		wait = max(0, hs.queue[0].due.Sub(now))
	}
	return due, wait
}

// deliver sends an envelope: a second time when there was no answer within 3 s or a 5xx, never after a 4xx. What could
// not be delivered is told in the log.
func (o *Org) deliver(ctx context.Context, d delivery) {
	o.hooks.mu.Lock()
	h, err := o.hooks.hook(d.hook)
	var to hook
	if err == nil {
		to = *h
	}
	o.hooks.mu.Unlock()
	if err != nil || to.inactive {
		return
	}
	body := o.envelope(&to, d)
	again, delivered := o.post(ctx, &to, body)
	retried := false
	if !delivered && again && ctx.Err() == nil {
		retried = true
		_, delivered = o.post(ctx, &to, body)
	}
	o.hooks.mu.Lock()
	switch {
	case delivered:
		o.hooks.stats.Delivered++
	case ctx.Err() == nil:
		o.hooks.stats.Failed++
	}
	if retried {
		o.hooks.stats.Retried++
	}
	o.hooks.mu.Unlock()
	if !delivered && ctx.Err() == nil {
		o.tellFailure(&to)
	}
}

func (o *Org) post(ctx context.Context, h *hook, body []byte) (again, delivered bool) {
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.uri, bytes.NewReader(body))
	if err != nil {
		return false, false
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "Okta-Event-Hooks")
	for _, header := range h.headers {
		r.Header.Set(header[0], header[1])
	}
	if h.secretHeader != "" {
		r.Header.Set(h.secretHeader, h.secret)
	}
	response, err := o.hookClient().Do(r)
	if err != nil {
		return true, false
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, maxHookResponse))
	delivered = err == nil && (response.StatusCode == http.StatusOK || response.StatusCode == http.StatusNoContent)
	return err != nil || response.StatusCode >= 500, delivered
}

// tellFailure puts into the log that a hook could not be delivered.
func (o *Org) tellFailure(h *hook) {
	_ = o.change("hook_failed", func(m *mutation) error { // refused only when the ledger is full
		e := m.newEvent(hookFailed, [][2]string{{"url", h.uri}}, []target{{h.id, "EventHook", "unknown", h.name, ""}})
		e.job, e.actor, e.result, e.reason = true, m.system(), "FAILURE", "Delivery failed"
		m.events = append(m.events, e)
		return nil
	})
}

// envelope is what a receiver is sent.
func (o *Org) envelope(h *hook, d delivery) []byte {
	t := text{}
	t.object("")
	t.raw("eventType", `"com.okta.event_hook"`)
	t.raw("eventTypeVersion", `"1.0"`)
	t.raw("cloudEventsVersion", `"0.1"`)
	t.strs("source", h.base, "/api/v1/eventHooks/", h.id)
	t.strs("eventId", d.id)
	t.object("data")
	t.array("events")
	for _, e := range d.events {
		o.writeLogEvent(&t, *e, d.at)
	}
	t.endArray()
	t.end()
	t.millis("eventTime", d.at)
	t.raw("contentType", `"application/json"`)
	t.end()
	return t.b
}
