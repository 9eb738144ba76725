package okta

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// What an estimate reads at most. What it reads is needed for the run and is not asked for again, the samples of users
// and of the log aside; beyond these bounds it goes by the counts of the run before.
const (
	maxEstimatePages = 50 // of one listing
	maxRoleSamples   = 40 // holders asked for their roles
	maxUserSamples   = 5  // pages of users, to learn how many are deactivated
	maxLogSamples    = 25 // pages of the log
	minLogSamples    = 5
	minLogPages      = 3 // a log of fewer is not sampled
)

const (
	// estimateName stands in the place of a stream's name for the calls of an estimate.
	estimateName = "estimate"
	// maxForeseeRetries is how often an estimate's request is sent again: what fails longer is for the stream that needs it
	// to wait for, once.
	maxForeseeRetries = 2
)

// assumedLatency is how long an answer takes when none has been timed.
const assumedLatency = 300 * time.Millisecond

// Planned is a stream that is to be read.
type Planned struct {
	Stream  string
	State   json.RawMessage // where the read begins; nil at the start
	Records int64           // what the run before brought in the same mode; 0 for not known
}

// Estimate is what reading some streams will cost.
type Estimate struct {
	Calls   int              `json:"calls"`
	Time    time.Duration    `json:"time"`  // at the limits known now
	Share   float64          `json:"share"` // the part of the scarcest bucket's limit that is ours
	Buckets []BucketEstimate `json:"buckets"`
	Streams []StreamEstimate `json:"streams"`
	Unsure  []string         `json:"unsure,omitempty"` // what could not be foreseen, for people

	crowded bool // some bucket takes more than one window
}

// BucketEstimate is one bucket's part.
type BucketEstimate struct {
	Bucket string `json:"bucket"`
	Calls  int    `json:"calls"`
	Share  int    `json:"share"` // requests of ours a window; 0 for not known
}

// StreamEstimate is one stream's part. What several streams need is the first one's.
type StreamEstimate struct {
	Stream string `json:"stream"`
	Calls  int    `json:"calls"`
}

func (e Estimate) String() string {
	if e.Share == 0 {
		return fmt.Sprintf("about %s calls", grouped(e.Calls))
	}
	return fmt.Sprintf("about %s calls, %s at %.0f %% of the bucket", grouped(e.Calls), roundTime(e.Time), 100*e.Share)
}

func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// roundTime is a duration as people say it.
func roundTime(d time.Duration) string {
	switch {
	case d < 100*time.Second:
		return fmt.Sprintf("%d s", max(1, int(d.Round(time.Second).Seconds())))
	case d < 100*time.Minute:
		return fmt.Sprintf("%d min", int(d.Round(time.Minute).Minutes()))
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}

// Estimate foresees the calls of a run that is about to begin, and makes the source pace itself by it. It asks for some
// of what the run needs first, which BeginRun then takes over: the calls made are part of what is foreseen. What cannot
// be foreseen is in Unsure; an error is one that the run will meet too, or the end of ctx.
func (s *Source) Estimate(ctx context.Context, plan []Planned) (Estimate, error) {
	s.BeginRun(0)
	began := s.Usage()
	e := &estimating{
		r:    &reading{source: s, client: s.client, statuses: map[int]int{}},
		plan: map[string]Planned{}, calls: map[string]map[string]int{}, wide: map[string]bool{},
	}
	for _, p := range plan {
		e.plan[p.Stream] = p
	}
	ctx = ofRun(forStream(ctx, estimateName))
	for _, step := range []func(context.Context) error{e.groups, e.users, e.roles, e.iam, e.apps, e.rest, e.logs} {
		if err := step(ctx); err != nil {
			if ctx.Err() != nil || fatal(err) {
				return Estimate{}, fmt.Errorf("estimate the calls: %w", err)
			}
			e.unsure("%s", err)
		}
	}
	s.client.kept.owe(e.r.statuses)
	made := map[string]int{}
	now := s.Usage()
	now.subtract(began)
	for _, use := range now.Uses {
		made[use.Bucket] += int(use.Calls)
	}
	result := e.result()
	if result.crowded {
		s.client.askShare(ctx) // how long it takes depends on it
		result = e.result()
	}
	ahead := map[string]int{}
	for _, b := range result.Buckets {
		ahead[b.Bucket] = max(0, b.Calls-made[b.Bucket])
	}
	s.client.pace.foresee(ahead)
	return result, nil
}

// estimating is an estimate under way.
type estimating struct {
	r     *reading
	plan  map[string]Planned
	calls map[string]map[string]int // by stream and bucket
	wide  map[string]bool           // streams whose calls go side by side
	notes []string

	listed    [][]byte // outlines of groups
	allGroups bool     // listed holds every group
	everyone  int      // users that are not deactivated; -1 for not known
	holders   int
}

func (e *estimating) unsure(format string, args ...any) {
	e.notes = append(e.notes, fmt.Sprintf(format, args...))
}

// fresh reports whether a stream is to be read from its start.
func (e *estimating) fresh(names ...string) bool {
	for _, name := range names {
		p, ok := e.plan[name]
		if st, err := parseState(p.State); ok && err == nil && st == (state{Version: stateVersion}) {
			return true
		}
	}
	return false
}

// first is the first of the streams that is to be read from its start: what they share is its.
func (e *estimating) first(names ...string) string {
	for _, name := range names {
		if e.fresh(name) {
			return name
		}
	}
	return ""
}

// add counts calls of a stream, if it is to be read from its start.
func (e *estimating) add(stream, bucket string, calls int) {
	if !e.fresh(stream) || calls <= 0 {
		return
	}
	if e.calls[stream] == nil {
		e.calls[stream] = map[string]int{}
	}
	e.calls[stream][bucket] += calls
}

// pagesFor is how many pages a number of objects takes.
func (e *estimating) pagesFor(objects, limit int) int {
	if e.r.source.pageLimit > 0 {
		limit = min(limit, e.r.source.pageLimit)
	}
	return max(1, (objects+limit-1)/limit)
}

// list reads a listing's outlines; whole is false when there were too many pages.
func (e *estimating) list(ctx context.Context, key, request string) (all [][]byte, pages int, whole bool, err error) {
	p := newPager(e.r.client, key, request, "").shared()
	for p.more() {
		if pages == maxEstimatePages {
			return all, pages, false, nil
		}
		page, err := p.fetch(ctx)
		e.r.met(page.answer)
		if err != nil {
			return all, pages, false, err
		}
		pages++
		for _, record := range page.records {
			all = append(all, appendOutline(nil, record))
		}
	}
	return all, pages, true, nil
}

// result adds up, and says how long it takes: as long as the scarcest bucket makes it, or as long as the answers take.
func (e *estimating) result() Estimate {
	result := Estimate{Unsure: e.notes}
	buckets := map[string]int{}
	latency := e.r.client.flow.latency()
	inTurn, besides := 0, 0
	for _, stream := range slices.Sorted(maps.Keys(e.calls)) {
		calls := 0
		for bucket, n := range e.calls[stream] {
			buckets[bucket] += n
			calls += n
		}
		result.Streams = append(result.Streams, StreamEstimate{stream, calls})
		result.Calls += calls
		if e.wide[stream] {
			besides += calls
		} else {
			inTurn += calls
		}
	}
	longest := time.Duration(0)
	for _, name := range slices.Sorted(maps.Keys(buckets)) {
		calls := buckets[name]
		b := e.r.client.pace.named(name)
		takes, share := b.timeFor(calls)
		result.Buckets = append(result.Buckets, BucketEstimate{name, calls, share})
		result.crowded = result.crowded || takes > 0
		if part := b.part(); takes > longest || result.Share == 0 {
			longest, result.Share = takes, part
		}
	}
	rounds := inTurn
	for width := e.r.client.flow.width(); besides > 0; width = min(width+1, maxInFlight) {
		calls := cleanAnswers // until the width grows
		if width == maxInFlight {
			calls = besides
		}
		rounds += (min(calls, besides) + width - 1) / width
		besides -= calls
	}
	result.Time = max(longest, time.Duration(rounds)*latency)
	return result
}

// timeFor is how long the bucket makes a number of calls take, and how many of ours a window may hold.
func (b *bucket) timeFor(calls int) (time.Duration, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.limit == 0 {
		return 0, 0
	}
	share := b.cap()
	room := min(share, max(1, b.limit-int(float64(b.limit)*reserveShare)-b.usual))
	if calls <= room {
		return 0, share
	}
	return time.Duration(float64(windowLength+windowSlack) * float64(calls-1) / float64(room)), share
}

// part is the part of the limit shown that is ours.
func (b *bucket) part() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.limit == 0 {
		return 0
	}
	return b.share.part()
}

// latency is how long an answer usually takes.
func (f *flow) latency() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	sum, n := time.Duration(0), 0
	for _, l := range f.kinds {
		sum, n = sum+l.usual*time.Duration(l.answers), n+l.answers
	}
	if n == 0 {
		return assumedLatency
	}
	return sum / time.Duration(n)
}
