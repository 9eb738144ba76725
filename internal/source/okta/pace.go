package okta

import (
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// reserveShare is the part of a bucket left to other clients even when our share would allow more.
	reserveShare = 0.1
	// windowLength is how long Okta counts before it begins anew.
	windowLength = time.Minute
	// minPark and maxPark bound any wait for a window's end: windows are 60 s, and a clock may be off.
	minPark = time.Second
	maxPark = 75 * time.Second
	// windowSlack is added to a window's end, because Date and X-Rate-Limit-Reset are cut to whole seconds.
	windowSlack = time.Second
	// calmWindows is after how many windows a ceiling learnt from a 429 is tried again, a tenth higher.
	calmWindows = 5
	// longWait is the longest wait that is not logged.
	longWait = 5 * time.Second
	// maxLimit bounds what a header may claim.
	maxLimit = 1 << 30
)

// pacer keeps a bucket for each of Okta's rate-limit buckets, so that waiting for one never holds up another.
type pacer struct {
	share  *share
	log    *slog.Logger
	onWait func(until time.Time) // see Config.Waiting

	mu      sync.Mutex
	buckets map[string]*bucket
}

func newPacer(share *share, log *slog.Logger) *pacer {
	return &pacer{share: share, log: log, buckets: map[string]*bucket{}}
}

// bucket returns the bucket that a request counts in.
func (p *pacer) bucket(path string) *bucket { return p.named(bucketOf(path)) }

func (p *pacer) named(name string) *bucket {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.buckets[name]
	if b == nil {
		b = &bucket{name: name, log: p.log, share: p.share, onWait: p.onWait, changed: make(chan struct{})}
		p.buckets[name] = b
	}
	return b
}

// all returns the buckets met so far, by name.
func (p *pacer) all() []*bucket {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]*bucket, 0, len(p.buckets))
	for _, name := range slices.Sorted(maps.Keys(p.buckets)) {
		list = append(list, p.buckets[name])
	}
	return list
}

// foresee tells each bucket how many requests of the work that begins now it will get.
func (p *pacer) foresee(calls map[string]int) {
	for _, b := range p.all() {
		b.foresee(calls[b.name])
	}
	for name, n := range calls {
		p.named(name).foresee(n)
	}
}

const (
	bucketUsers   = "users"
	bucketGroups  = "groups"
	bucketIAM     = "iam"
	bucketLogs    = "logs"
	bucketClients = "oauth2/v1/clients"
	bucketShares  = "principal-rate-limits"
	bucketRest    = "api"
	bucketOther   = "other"
)

// bucketOf names the rate-limit bucket of a request: exact path first, then the longest prefix. The sub-resources of
// a user count with the listing of users, not with reads of one user.
func bucketOf(path string) string {
	path, _, _ = strings.Cut(path, "?")
	if strings.HasPrefix(path, "/oauth2/v1/clients") {
		return bucketClients
	}
	rest, ok := strings.CutPrefix(path, apiPrefix)
	if !ok {
		return bucketOther
	}
	parts := strings.Split(rest, "/")
	switch parts[0] {
	case bucketUsers, bucketGroups, "apps":
		if len(parts) == 2 && parts[1] != "rules" {
			return parts[0] + "/{id}"
		}
		return parts[0]
	case bucketLogs, "devices", bucketIAM, bucketShares:
		return parts[0]
	}
	return bucketRest
}
