package okta

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

const (
	// maxPartitions bounds Config.Partitions: their bounds stand in the state, and Okta allows few calls at a time.
	maxPartitions = 8
	// maxSplits bounds how often parts of the users are divided again, for each partition.
	maxSplits = 32
	// narrowest is the shortest time that is divided, and fewPages the least work.
	narrowest = time.Minute
	fewPages  = 4
	// tailOverlap is how far before the beginning of the read its last search begins.
	tailOverlap = 10 * time.Minute
	// worthwhile is how many cursors the rate limit must be able to feed before more than one is used.
	worthwhile = 2

	// The phases of users behind those of its listings.
	phasePartitioned = 20
	phaseTail        = 21
)

// epoch is before the creation of any user.
var epoch = time.Unix(0, 0).UTC() // read only

// listUsers lists the users with one cursor, or, when the settings allow and it helps, with several at a time: each
// searches a range of creation times. The ranges are half open and cover all times, and a user's creation time never
// changes, so nobody falls between two.
//
// It helps only where the way to the org, not its rate limit, is what takes the time: one cursor waits for a page
// before it can ask for the next. And it has a price, which is why it is off unless asked for: the search index lags
// behind what the plain listing shows, mostly by less than a second, at times by minutes. So the last thing read is
// everyone created since shortly before the read began, by when the index has had the time of the whole read to catch
// up. A user whose creation the index still lacks then is missing from the read, and a change that it still lacks is
// told as it was before. The next read of changes begins before this one, and brings both.
func listUsers(ctx context.Context, r *reading, from state) error {
	plain := listings("", r.source.listRequest(listLimit, "users"), r.source.deactivatedUsers())
	switch {
	case from.Phase == phasePartitioned || from.Phase == phaseTail:
		ranges, err := parseRanges(from.Ranges)
		if err != nil {
			return err
		}
		return r.partitions(ctx, from.Phase, ranges, plain)
	case r.source.partitions < worthwhile || from.Phase != 0 || from.Link != "":
		return plain(ctx, r, from)
	}
	began := time.Now()
	pages := newPager(r.client, "", r.source.listRequest(listLimit, "users"), "")
	page, err := pages.fetch(ctx)
	r.met(page.answer)
	if err != nil {
		return err
	}
	if !pages.more() || !r.source.latencyBound(page.answer, time.Since(began)) {
		if len(page.records) == 0 && !pages.more() {
			return r.emptyHanded(ctx, page.answer)
		}
		next := state{Link: pages.next}
		if !pages.more() {
			next = state{Phase: 1}
		}
		if err := r.page(page.answer, page.records, next); err != nil {
			return err
		}
		return plain(ctx, r, next)
	}
	r.client.log.Info("okta lists users with several cursors", "partitions", r.source.partitions)
	whole := []span{{from: epoch}}
	if err := r.page(page.answer, page.records, state{Phase: phasePartitioned, Ranges: formatRanges(whole)}); err != nil {
		return err
	}
	return r.partitions(ctx, phasePartitioned, whole, plain)
}

// latencyBound reports whether one cursor would leave most of what the rate limit allows unused.
func (s *Source) latencyBound(a *answer, took time.Duration) bool {
	limit, known := headerInt(a.header, "X-Rate-Limit-Limit")
	if !known || limit <= 0 {
		return true
	}
	return float64(limit)*s.share*took.Seconds() >= worthwhile*windowLength.Seconds()
}

// span is a range of creation times that is still to be read; the zero time ends none.
type span struct{ from, to time.Time }

func (s span) request(source *Source) string {
	search := `created ge "` + s.from.Format(stampLayout) + `"`
	if !s.to.IsZero() {
		search += ` and created lt "` + s.to.Format(stampLayout) + `"`
	}
	return source.listRequest(listLimit, "users", "search="+url.QueryEscape(search), "sortBy=created", "sortOrder=asc")
}

// formatRanges writes ranges as seconds to the base of 36: what a state has room for.
func formatRanges(ranges []span) string {
	var parts []string
	for _, s := range ranges {
		part := strconv.FormatInt(s.from.Unix(), 36) + "-"
		if !s.to.IsZero() {
			part += strconv.FormatInt(s.to.Unix(), 36)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ",")
}

func parseRanges(text string) (ranges []span, err error) {
	for part := range strings.SplitSeq(text, ",") {
		begin, end, ok := strings.Cut(part, "-")
		from, err := strconv.ParseInt(begin, 36, 64)
		if err != nil || !ok || len(ranges) == maxPartitions {
			return nil, foreignState()
		}
		s := span{from: time.Unix(from, 0).UTC()}
		if end != "" {
			to, err := strconv.ParseInt(end, 36, 64)
			if err != nil || to <= from {
				return nil, foreignState()
			}
			s.to = time.Unix(to, 0).UTC()
		}
		ranges = append(ranges, s)
	}
	return ranges, nil
}

// errUnsorted means that the org's search cannot be divided: it does not keep to the order or the range asked for.
var errUnsorted = fault.Errorf(fault.Invalid, "the search for users keeps neither to the range nor to the order asked for")

// partitions reads the ranges at a time and then the tail. An org whose search does not do what it must is listed
// plainly, from the start.
func (r *reading) partitions(ctx context.Context, phase int, ranges []span, plain func(context.Context, *reading, state) error) error {
	for ; phase <= phaseTail; phase++ {
		next := state{Done: true}
		if phase == phasePartitioned {
			began, err := time.Parse(time.RFC3339, r.began)
			if err != nil {
				return foreignState()
			}
			ranges := []span{{from: began.Add(-tailOverlap)}}
			next = state{Phase: phaseTail, Ranges: formatRanges(ranges)}
		}
		p := &partitioned{reading: r, phase: phase, next: next, arrived: make(chan arrival)}
		err := p.read(ctx, ranges)
		if refused := asAPIError(err); errors.Is(err, errUnsorted) || refused != nil && refused.Status == http.StatusBadRequest {
			r.client.log.Warn("okta users cannot be listed with several cursors, the plain listing starts", "error", explained(err))
			return plain(ctx, r, state{})
		}
		if err != nil {
			return err
		}
		if phase == phasePartitioned {
			if ranges, err = parseRanges(next.Ranges); err != nil {
				return err
			}
		}
	}
	return nil
}

// partitioned is a listing under way with several cursors.
type partitioned struct {
	*reading
	phase   int
	next    state // behind the last page
	chains  []*chain
	arrived chan arrival
	splits  int
	calls   sync.WaitGroup
}

// chain is one cursor: what is left of its range, and the pages of it.
type chain struct {
	left  span
	asked span // the range that pages searches
	pages *pager
	pace  time.Duration // how much of creation time its last page spanned; 0 before the first
}

// rest is how many pages the chain has still to read, by its last page.
func (c *chain) rest(now time.Time) float64 {
	end := c.left.to
	if end.IsZero() {
		end = now
	}
	if c.pace <= 0 {
		return 0
	}
	return float64(end.Sub(c.left.from)) / float64(c.pace)
}

type arrival struct {
	chain *chain
	page  listPage
	err   error
}

func (p *partitioned) read(ctx context.Context, ranges []span) error {
	ctx, cancel := context.WithCancel(ctx)
	defer p.calls.Wait() // no call outlives the read
	defer cancel()
	for _, s := range ranges {
		p.begin(ctx, &chain{left: s})
	}
	p.spread(ctx)
	for len(p.chains) > 0 {
		var got arrival
		select {
		case got = <-p.arrived:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		p.met(got.page.answer)
		if got.err != nil {
			return got.err
		}
		if err := p.take(ctx, got.chain, got.page); err != nil {
			return err
		}
		p.spread(ctx)
	}
	return nil
}

// begin searches what is left of a chain's range.
func (p *partitioned) begin(ctx context.Context, c *chain) {
	if !slices.Contains(p.chains, c) {
		p.chains = append(p.chains, c)
	}
	c.asked = c.left
	c.pages = newPager(p.client, "", c.left.request(p.source), "")
	p.ask(ctx, c)
}

func (p *partitioned) ask(ctx context.Context, c *chain) {
	p.calls.Go(func() {
		page, err := c.pages.fetch(ctx)
		select {
		case p.arrived <- arrival{c, page, err}:
		case <-ctx.Done():
		}
	})
}

// take yields a page and goes on behind it. What is left of the range begins at the last user's time of creation, not
// behind it: others may have been created in the same second.
func (p *partitioned) take(ctx context.Context, c *chain, page listPage) error {
	first, last := c.asked.from, c.left.from
	for i, user := range page.records {
		created, err := time.Parse(time.RFC3339, rawjson.GetString(user, "created"))
		if err != nil || created.Before(last) || !c.asked.to.IsZero() && !created.Before(c.asked.to) {
			return errUnsorted
		}
		if last = created; i == 0 {
			first = created
		}
	}
	c.pace = max(time.Second, last.Sub(first))
	if last = last.Truncate(time.Second); last.After(c.left.from) {
		c.left.from = last
	}
	ended := !c.pages.more() || !c.left.to.IsZero() && !c.left.from.Before(c.left.to)
	if ended && len(page.records) == 0 { // a range may be empty, or the credential has lost its sight
		if err := p.emptyHanded(ctx, page.answer); err != nil {
			return err
		}
	}
	if ended {
		p.chains = slices.DeleteFunc(p.chains, func(other *chain) bool { return other == c })
	}
	next := p.next
	if len(p.chains) > 0 {
		var ranges []span
		for _, other := range p.chains {
			ranges = append(ranges, other.left)
		}
		next = state{Phase: p.phase, Ranges: formatRanges(ranges)}
	}
	if err := p.page(page.answer, page.records, next); err != nil || ended {
		return err
	}
	if c.asked.to != c.left.to { // the rest was given to another cursor
		p.begin(ctx, c)
	} else {
		p.ask(ctx, c)
	}
	return nil
}

// spread gives idle cursors the later half of the range that takes longest. Halves of time are not halves of the users,
// but a cursor that finds little is soon idle again.
func (p *partitioned) spread(ctx context.Context) {
	now := time.Now().Add(time.Duration(p.client.skew.Load())).UTC()
	for len(p.chains) > 0 && len(p.chains) < p.source.partitions && p.phase == phasePartitioned && p.splits < maxSplits*p.source.partitions {
		longest := slices.MaxFunc(p.chains, func(a, b *chain) int { return cmp.Compare(a.rest(now), b.rest(now)) })
		end := longest.left.to
		if end.IsZero() {
			end = now
		}
		length := end.Sub(longest.left.from)
		if longest.rest(now) < fewPages || length < narrowest {
			return
		}
		p.splits++
		middle := longest.left.from.Add(length / 2).Truncate(time.Second)
		later := span{from: middle, to: longest.left.to}
		longest.left.to = middle
		p.begin(ctx, &chain{left: later})
	}
}
