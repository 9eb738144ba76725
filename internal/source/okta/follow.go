package okta

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"time"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
)

const (
	// coalesce is how long a touched object waits for further events about it: one change is often several events.
	coalesce = time.Second
	// minPollPause and maxPollPause bound the pause between two looks at a log that had nothing more.
	minPollPause = 5 * time.Second
	maxPollPause = 15 * time.Second
	// pollShare is the part of our share of the log's rate limit that looking for news may take.
	pollShare = 0.2
	// nudgePause is the pause between two looks for nudges.
	nudgePause = 250 * time.Millisecond
	// maxHeldPages bounds the pages of the log whose objects are not all read yet: 1,000 events of some 2 kB each.
	maxHeldPages = 16
	// maxPending bounds the objects that wait to be read; above it the log waits too.
	maxPending = 100_000
	// maxRemembered bounds the events that were taken as nudges, whose copies in the log need nothing more.
	maxRemembered = 1 << 16
)

// FeedUse is the stream under which a [Usage] accounts for the calls of a feed.
const FeedUse = "feed"

// apart returns a client of the same org, limits and account that shares no listings with the streams of a run: what a
// follower reads must be as it is now.
func (c *client) apart() *client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &client{
		base: c.base, auth: c.auth, http: c.http, agent: c.agent, pace: c.pace, flow: c.flow, meter: c.meter, kept: &kept{},
		log: c.log, hosts: maps.Clone(c.hosts),
	}
}

// following is the org being followed. The log is the truth: its state moves only behind a page of which everything
// has been read. Nudges say the same earlier, and nothing is lost without them.
type following struct {
	source  *Source
	client  *client
	opts    pipeline.FollowOptions
	wanted  map[string]bool
	hide    map[string]trim // what of each stream's records stays out of the lake
	effects effectIndex
	known   *memory
	folded  bool // known holds what the lake tells

	from     state // where the log stood
	log      *logReading
	page     *pipeline.Page // the last one that log made
	next     string         // the request to poll; "" before the first
	resumed  bool           // next comes from a stored state
	restarts int            // in a row, because the cursor was refused
	nextPoll time.Time
	rewinds  []rewind

	nextNudge time.Time
	nudged    *remembered
	pending   map[touch]*due
	number    uint64     // of the last thing noted
	held      []heldBack // in order
	wantsAll  string
	admins    string    // id of the built-in group of administrators; "" until it is needed
	nextScan  time.Time // no scan of the lake before
}

// rewind is a second reading of the log, for what its events touch.
type rewind struct {
	next  string    // the request to begin with; "" for since
	since time.Time // also when next is refused
	mark  int64
	poll  *poller // nil before the first page
}

// due is when a touched object is to be read.
type due struct {
	number uint64 // of the oldest event that waits for it
	at     time.Time
	tries  int
	// follows is 1 for what follows from a touched object, such as the members of a group, else 0.
	follows int
}

// heldBack waits until everything noted up to its number is read.
type heldBack struct {
	number uint64
	page   *pipeline.Page
	nudge  int64
	mark   int64
}

var _ pipeline.Follower = (*Source)(nil)

// Follow implements [pipeline.Follower].
func (s *Source) Follow(opts pipeline.FollowOptions) (pipeline.Following, error) {
	from, err := parseState(opts.State)
	if err != nil {
		return nil, err
	}
	if !from.belongsTo(logsPath) {
		return nil, foreignState()
	}
	f := &following{
		source: s, client: s.client.apart(), opts: opts, wanted: map[string]bool{}, hide: map[string]trim{}, effects: newEffectIndex(), pending: map[touch]*due{},
		nudged: newRemembered(maxRemembered), from: from,
	}
	keys := map[string][][]string{}
	for _, spec := range s.offered {
		keys[spec.Name], f.hide[spec.Name] = spec.PrimaryKey, spec.hide
	}
	for _, name := range opts.Streams {
		f.wanted[name] = true
	}
	f.known = newMemory(keys)
	r := &reading{source: s, client: f.client, statuses: map[int]int{}}
	r.yield = func(p pipeline.Page, _ error) bool {
		f.page = &p
		return true
	}
	f.log = &logReading{reading: r, latest: from.Latest, bound: from.Published, recent: newRecentUUIDs(from.Recent)}
	return f, nil
}

// Rewind implements [pipeline.Following]. What was brought beside, and by what the log does not tell of, is learned from
// the lake again: else nobody would notice when it goes.
func (f *following) Rewind(since time.Time, mark int64) {
	f.folded = false
	f.rewinds = append(f.rewinds, rewind{since: since, mark: mark})
}

// RewindState implements [pipeline.Following].
func (f *following) RewindState(from json.RawMessage, mark int64) {
	st, err := parseState(from)
	if err != nil || st.Link == "" || !st.belongsTo(logsPath) {
		f.Rewind(time.Now().Add(-f.source.logHistory), mark)
		return
	}
	since, err := time.Parse(time.RFC3339, st.Latest)
	if err != nil {
		since = time.Now().Add(-f.source.logHistory)
	}
	f.rewinds = append(f.rewinds, rewind{next: st.Link, since: since, mark: mark})
}

// Next implements [pipeline.Following].
func (f *following) Next(ctx context.Context, until time.Time) (pipeline.Brought, error) {
	ctx = forStream(ctx, FeedUse)
	if !f.folded {
		if err := f.known.fold(ctx, f.listStreams(), f.opts); err != nil {
			return pipeline.Brought{}, err
		}
		f.folded = true
		for stream := range f.known.full {
			f.client.log.Warn("okta has more than a feed remembers: of some that are taken away only a full read will tell", "stream", stream, "remembered", maxKnown)
		}
	}
	for {
		b, err := f.step(ctx)
		if err != nil || !b.Empty() {
			return b, err
		}
		now := time.Now()
		if !now.Before(until) {
			return b, nil
		}
		if err := sleep(ctx, max(0, min(until.Sub(now), f.idle(now)))); err != nil {
			return b, err
		}
	}
}

// step does what is due now.
func (f *following) step(ctx context.Context) (b pipeline.Brought, err error) {
	if err := f.takeNudges(ctx); err != nil {
		return b, err
	}
	if f.mayPoll() {
		if err := f.rewindOnce(ctx); err != nil {
			return b, err
		}
		if err := f.poll(ctx); err != nil {
			return b, err
		}
	}
	if b.Pages, err = f.refresh(ctx); err != nil {
		return b, err
	}
	f.release(&b)
	b.Wanted, f.wantsAll = f.wantsAll, ""
	return b, nil
}

// idle is how long nothing is due.
func (f *following) idle(now time.Time) time.Duration {
	first := now.Add(maxPollPause)
	earlier := func(t time.Time) {
		if t.Before(first) {
			first = t
		}
	}
	if f.opts.Nudges != nil {
		earlier(f.nextNudge)
	}
	if f.mayPoll() {
		earlier(f.nextPoll)
		if len(f.rewinds) > 0 {
			earlier(now)
		}
	}
	for t, d := range f.pending {
		at := d.at
		if scans(t) && f.nextScan.After(at) {
			at = f.nextScan
		}
		earlier(at)
	}
	return first.Sub(now)
}

func (f *following) mayPoll() bool { return len(f.held) < maxHeldPages && len(f.pending) < maxPending }

// note puts down what an event touches, to be read soon, and returns the number under which it stands.
func (f *following) note(touches []touch) uint64 {
	f.number++
	at := time.Now().Add(coalesce)
	for _, t := range touches {
		if t.of == ofWhole {
			f.wantsAll = "an import changed users or groups"
			continue
		}
		if !f.matters(t.of) {
			continue
		}
		if f.pending[t] == nil {
			f.pending[t] = &due{number: f.number, at: at}
		}
	}
	return f.number
}

// takeNudges notes what the nudges touch.
func (f *following) takeNudges(ctx context.Context) error {
	now := time.Now()
	if f.opts.Nudges == nil || now.Before(f.nextNudge) || len(f.pending) >= maxPending {
		return nil
	}
	f.nextNudge = now.Add(nudgePause)
	nudges, err := f.opts.Nudges(ctx)
	if err != nil {
		return fmt.Errorf("take nudges: %w", err)
	}
	for _, n := range nudges {
		var touches []touch
		if f.nudged.add(rawjson.GetString(n.Event, "uuid")) {
			touches = f.effects.touches(n.Event)
		}
		f.held = append(f.held, heldBack{number: f.note(touches), nudge: n.ID})
	}
	return nil
}

// poll looks once for news in the log, if it is time to.
func (f *following) poll(ctx context.Context) error {
	now := time.Now()
	if now.Before(f.nextPoll) {
		return nil
	}
	f.log.started = f.client.serverTime(ctx)
	if f.next == "" {
		f.next, f.resumed = f.log.begin(f.from), f.from.Link != ""
	}
	page, after, err := f.client.page(ctx, f.next, "")
	f.log.met(page.answer)
	if cursorRefused(err) && (f.resumed || hasCursor(f.next)) && f.restarts < maxRestarts {
		f.next, f.resumed, f.restarts = f.log.restart(), false, f.restarts+1
		return nil // polled at once by the next step
	}
	if err != nil {
		return fmt.Errorf("follow the log: %w", err)
	}
	if f.resumed = false; hasCursor(f.next) {
		f.restarts = 0
	}
	if after == "" {
		after = f.next
	}
	count := len(page.records)
	var touches []touch
	for _, event := range page.records {
		if !f.nudged.has(rawjson.GetString(event, "uuid")) {
			touches = append(touches, f.effects.touches(event)...)
		}
	}
	full := count >= limitOf(page.answer.path)
	if err := f.log.page(page, after, !full); err != nil {
		return err
	}
	if count > 0 || after != f.next {
		copied := *f.page
		if len(copied.Gaps) > 0 {
			f.wantsAll = "a part of the log is missing"
		}
		f.held = append(f.held, heldBack{number: f.note(touches), page: &copied})
	}
	f.next = after
	f.nextPoll = now
	if !full {
		f.nextPoll = time.Now().Add(f.source.pollPause())
	}
	return nil
}

// rewindOnce reads one page of a rewind.
func (f *following) rewindOnce(ctx context.Context) error {
	if len(f.rewinds) == 0 {
		return nil
	}
	w := &f.rewinds[0]
	if w.poll == nil {
		server := f.client.serverTime(ctx)
		since := f.log.since(laterOf(server.Add(-time.Since(w.since)), server.Add(-logRetention)))
		w.poll = &poller{client: f.client, started: server, next: since, restart: func() string { return since }}
		if w.next != "" {
			w.poll.next, w.poll.resumed = w.next, true
		}
	}
	page, _, ended, err := w.poll.fetch(ctx)
	f.log.met(page.answer)
	if err != nil {
		return fmt.Errorf("read the log again: %w", err)
	}
	var touches []touch
	for _, event := range page.records {
		touches = append(touches, f.effects.touches(event)...)
	}
	if number := f.note(touches); ended {
		f.held = append(f.held, heldBack{number: number, mark: w.mark})
		f.rewinds = f.rewinds[1:]
	}
	return nil
}

// release hands over, in order, what waits for nothing any more.
func (f *following) release(b *pipeline.Brought) {
	oldest := f.number + 1
	for _, d := range f.pending {
		oldest = min(oldest, d.number)
	}
	for len(f.held) > 0 && f.held[0].number < oldest {
		switch h := f.held[0]; {
		case h.page != nil:
			b.Log = append(b.Log, *h.page)
		case h.nudge != 0:
			b.Settled = append(b.Settled, h.nudge)
		default:
			b.Rewound = append(b.Rewound, h.mark)
		}
		f.held = f.held[1:]
	}
}

// pollPause is the pause between two looks at the log: short where the rate limit of logs is large.
func (s *Source) pollPause() time.Duration {
	b := s.client.pace.bucket(logsPath)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.limit == 0 { // answers show no limit
		return minPollPause
	}
	pause := time.Duration(float64(time.Minute) / (pollShare * float64(b.cap())))
	return min(max(pause, minPollPause), maxPollPause)
}

// remembered is a bounded set of uuids; the oldest are forgotten first.
type remembered struct {
	have  map[string]struct{}
	order []string
	at    int
}

func newRemembered(limit int) *remembered {
	return &remembered{have: map[string]struct{}{}, order: make([]string, 0, min(limit, 1024)), at: -limit}
}

// add reports whether the uuid was not there.
func (r *remembered) add(uuid string) bool {
	if uuid == "" || len(uuid) > maxIDBytes {
		return true
	}
	if r.has(uuid) {
		return false
	}
	if r.at < 0 {
		r.order = append(r.order, uuid)
	} else {
		r.at %= len(r.order)
		delete(r.have, r.order[r.at])
		r.order[r.at] = uuid
	}
	r.at++
	r.have[uuid] = struct{}{}
	return true
}

func (r *remembered) has(uuid string) bool {
	_, ok := r.have[uuid]
	return ok
}

// asGone reports whether an object's answer proves that it is not there any more: Okta's own word that there is no such
// object. A path that Okta does not know, or an answer of something that stands before it, is no proof.
func asGone(err error) bool {
	refused := asAPIError(err)
	if refused == nil || !fault.Is(err, fault.NotFound) {
		return false
	}
	switch refused.Code {
	case "E0000007", "E0000048":
		return refused.Status == http.StatusNotFound
	case "E0000156":
		return refused.Status == http.StatusGone
	}
	return false
}
