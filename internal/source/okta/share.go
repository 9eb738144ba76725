package okta

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"longshore/internal/rawjson"
)

// defaultShare is the part of a bucket that Okta lets one API token use by default.
const defaultShare = 0.5

// minUncertain is how many requests of a window go before Okta is asked for our share: small orgs never ask.
const minUncertain = 20

// What X-Rate-Limit-Limit shows is not documented: the org's ceiling, of which a client may use its share, or that
// share already.
const (
	LimitOfOrg    = "org"
	LimitOfClient = "client"
)

// published are the limits a minute that Okta once published, of all editions. A limit that stands here is an org's
// ceiling; one that makes one of these when divided by our share is our share of it.
var published = map[string][]int{ // read only
	bucketUsers: {100, 600}, "users/{id}": {100, 600, 1000, 2000}, bucketGroups: {100, 500, 600}, "groups/{id}": {100, 600, 1000},
	"apps": {20, 100}, "apps/{id}": {100, 500, 600}, bucketLogs: {20, 50, 120}, "devices": {100, 150}, bucketRest: {100, 600, 1200},
}

// share is how much of a limit shown is ours to use. It never finds out by running into a 429: it reads what Okta says
// of us where that is permitted, compares the limits met with the published ones, and where neither tells takes the
// reading under which it sends less.
type share struct {
	setting float64 // the part of the org's bucket that we are set to use
	told    string  // LimitOfOrg, LimitOfClient, or "" for to be found out

	asked atomic.Bool

	mu      sync.Mutex
	granted float64        // the part that Okta grants us; 0 for not known
	limits  map[string]int // by bucket
	foreign bool           // a limit goes down without us: others count against it too
}

func newShare(setting float64, told string) *share {
	return &share{setting: setting, told: told, limits: map[string]int{}}
}

// of is the part of the limit shown that we may use.
func (s *share) of(name string, limit int) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	granted := s.granted
	switch s.reading() {
	case LimitOfClient:
		if granted == 0 {
			granted = defaultShare
		}
		return min(1, s.setting/granted)
	case LimitOfOrg:
	default:
		if s.setting == 1 { // whoever sets this knows that the limit is the client's own
			return 1
		}
	}
	if granted == 0 {
		granted = 1
	}
	return min(s.setting, granted)
}

// reading is whose ceiling the limits met are, or "" for not known. One bucket that can only be the org's decides:
// taking a client's limit for the org's is merely slow.
func (s *share) reading() string {
	if s.told != "" {
		return s.told
	}
	if s.foreign {
		return LimitOfOrg
	}
	found := ""
	for name, limit := range s.limits {
		whole := slices.Contains(published[name], limit)
		part := s.granted > 0 && s.granted < 1 && slices.ContainsFunc(published[name], func(n int) bool { return int(float64(n)*s.granted) == limit })
		switch {
		case whole && !part:
			return LimitOfOrg
		case part && !whole:
			found = LimitOfClient
		}
	}
	return found
}

// known is the part that is set, and the part that Okta grants us, 0 when that is not known.
func (s *share) known() (setting, granted float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.setting, s.granted
}

// saw notes a bucket's limit.
func (s *share) saw(name string, limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits[name] = limit
}

// shared notes that a bucket's rest goes down by what others send.
func (s *share) shared(string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.foreign = true
}

// ask reads from Okta, once, which part of the limits it grants this client. A credential that may not read it leaves
// it unknown.
func (c *client) askShare(ctx context.Context) {
	if !c.pace.share.asked.CompareAndSwap(false, true) {
		return
	}
	a, err := c.once(ctx, c.sharesRequest(), patience{})
	if err != nil || a.status != http.StatusOK {
		return
	}
	c.pace.share.grants(a.body)
}

// grants takes what Okta says that it grants.
func (s *share) grants(body []byte) {
	least := 0
	for limits, err := range rawjson.Elements(body) {
		if err != nil {
			return
		}
		text, _ := rawjson.Get(limits, "defaultPercentage")
		if n, err := strconv.Atoi(string(text)); err == nil && n > 0 && n <= 100 && (least == 0 || n < least) {
			least = n // of several tokens one is ours; which one is not told
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.granted = float64(least) / 100
}
