package okta

import (
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestLongWaitForTheRateLimitIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		org := sampleOrg()
		refused := false
		org.fault = func(w http.ResponseWriter, _ *http.Request) bool {
			if refused {
				return false
			}
			refused = true
			w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
			w.Header().Set("X-Rate-Limit-Limit", "600")
			w.Header().Set("X-Rate-Limit-Remaining", "0")
			w.Header().Set("X-Rate-Limit-Reset", strconv.FormatInt(time.Now().Add(40*time.Second).Unix(), 10))
			refuse(w, 429, "E0000047", "too many requests")
			return true
		}
		var told []time.Duration
		began := time.Now()
		s := open(t, org, func(c *Config) { c.Waiting = func(until time.Time) { told = append(told, until.Sub(began)) } })
		if _, err := readAll(t, s, "groups", nil); err != nil {
			t.Fatal(err)
		}
		if len(told) != 1 || told[0] < 39*time.Second || told[0] > 45*time.Second {
			t.Errorf("told of waits of %v, want one of 40 seconds", told)
		}
	})
}
