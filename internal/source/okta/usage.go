package okta

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Usage is what a Source has asked of the org's rate limits.
type Usage struct {
	Uses    []Use         `json:"uses"`    // by bucket and stream
	Buckets []BucketState `json:"buckets"` // by name
	Width   int           `json:"width"`   // requests that may be under way at one time
	Highest int           `json:"highest"` // most requests that were under way at one time
}

// Use is what one stream has spent of one bucket.
type Use struct {
	Bucket    string `json:"bucket"`
	Stream    string `json:"stream"`    // "" for what belongs to none
	Calls     int64  `json:"calls"`     // all that were sent
	Throttled int64  `json:"throttled"` // of these, answered 429
	Failed    int64  `json:"failed"`    // of these, without an answer or with 5xx
	Retried   int64  `json:"retried"`   // of these, sent again after a failure or a 429
	Bytes     int64  `json:"bytes"`     // of answers, unpacked
}

// BucketState is where a bucket stands.
type BucketState struct {
	Bucket    string        `json:"bucket"`
	Limit     int           `json:"limit"`     // requests a window that answers show; 0 for not known
	Remaining int           `json:"remaining"` // of these, left to all clients in the window
	Share     int           `json:"share"`     // requests of ours that a window may hold
	Used      int           `json:"used"`      // of these, sent in the window
	Waited    time.Duration `json:"waited"`    // how long requests stood waiting for the bucket
}

// Usage tells what this Source has used since it was opened.
func (s *Source) Usage() Usage {
	u := Usage{Uses: s.client.meter.all()}
	for _, b := range s.client.pace.all() {
		u.Buckets = append(u.Buckets, b.state())
	}
	u.Width, u.Highest = s.client.flow.widths()
	return u
}

// RunUsage tells what was used since the run began that BeginRun named last, its Estimate included. The run is 0 when
// none began.
func (s *Source) RunUsage() (run int64, u Usage) {
	u = s.Usage()
	s.client.meter.mu.Lock()
	defer s.client.meter.mu.Unlock()
	u.subtract(s.client.meter.before)
	return s.client.meter.run, u
}

// Total adds up the uses that keep accepts, by stream and bucket; nil accepts all.
func (u Usage) Total(keep func(Use) bool) (sum Use) {
	for _, use := range u.Uses {
		if keep == nil || keep(use) {
			sum.add(use, 1)
		}
	}
	return sum
}

func (u *Use) add(other Use, sign int64) {
	u.Calls += sign * other.Calls
	u.Throttled += sign * other.Throttled
	u.Failed += sign * other.Failed
	u.Retried += sign * other.Retried
	u.Bytes += sign * other.Bytes
}

func (u *Usage) subtract(before Usage) {
	for _, was := range before.Uses {
		for i := range u.Uses {
			if u.Uses[i].Bucket == was.Bucket && u.Uses[i].Stream == was.Stream {
				u.Uses[i].add(was, -1)
			}
		}
	}
	u.Uses = slices.DeleteFunc(u.Uses, func(use Use) bool { return use.Calls == 0 })
	for _, was := range before.Buckets {
		for i := range u.Buckets {
			if u.Buckets[i].Bucket == was.Bucket {
				u.Buckets[i].Waited -= was.Waited
			}
		}
	}
}

// meter counts uses.
type meter struct {
	mu     sync.Mutex
	uses   map[[2]string]*Use
	run    int64
	toCome bool  // the run has not begun yet, but calls for it are made
	before Usage // when the run began
}

// markRun notes what was used before a run. It reports whether calls for the run were made before it began.
func (s *Source) markRun(run int64) (prepared bool) {
	now := s.Usage()
	m := s.client.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.toCome { // what was used for a run to come is that run's
		m.before = now
	}
	prepared = m.toCome
	m.run, m.toCome = run, run == 0
	return prepared
}

func newMeter() *meter { return &meter{uses: map[[2]string]*Use{}} }

func (m *meter) count(ctx context.Context, bucket string, change Use) {
	stream, _ := ctx.Value(streamKey{}).(string)
	m.mu.Lock()
	defer m.mu.Unlock()
	use := m.uses[[2]string{bucket, stream}]
	if use == nil {
		use = &Use{Bucket: bucket, Stream: stream}
		m.uses[[2]string{bucket, stream}] = use
	}
	use.add(change, 1)
}

// sent counts an attempt and its answer, if there was one.
func (m *meter) sent(ctx context.Context, bucket string, a *answer) {
	use := Use{Calls: 1}
	switch {
	case a == nil:
		use.Failed = 1
	case a.status == http.StatusTooManyRequests:
		use.Throttled = 1
	case a.status >= http.StatusInternalServerError:
		use.Failed = 1
	}
	if a != nil {
		use.Bytes = int64(len(a.body))
	}
	m.count(ctx, bucket, use)
}

func (m *meter) all() []Use {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Use, 0, len(m.uses))
	for _, use := range m.uses {
		all = append(all, *use)
	}
	slices.SortFunc(all, func(a, b Use) int {
		return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.Stream, b.Stream))
	})
	return all
}

// streamKey is the context's key for the name of the stream that requests are for.
type streamKey struct{}

func forStream(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, streamKey{}, name)
}

func (b *bucket) state() BucketState {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := BucketState{Bucket: b.name, Limit: b.limit, Remaining: b.rest, Used: b.used, Waited: b.waited}
	if b.limit > 0 {
		s.Share = b.cap()
	}
	if b.waiting > 0 {
		s.Waited += time.Since(b.waitedFrom)
	}
	if b.known && !time.Now().Before(b.end) {
		s.Remaining, s.Used = b.limit, b.inFlight // the window is over
	}
	return s
}
