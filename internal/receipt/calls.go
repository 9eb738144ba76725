package receipt

import (
	"fmt"
	"time"
)

// Calls is what a run cost at the source: what was foreseen, and what became of it.
type Calls struct {
	Foreseen     int           `json:"foreseen,omitempty"` // 0 when nothing was: the run was taken up, or reads little
	ForeseenTime time.Duration `json:"foreseenTime,omitempty"`
	Unsure       []string      `json:"unsure,omitempty"` // what could not be foreseen
	Made         int64         `json:"made"`
	Throttled    int64         `json:"throttled"` // of these, answered 429
	Failed       int64         `json:"failed"`    // of these, answered 5xx or not at all
	Retried      int64         `json:"retried"`   // sent again for one of these reasons
	Bytes        int64         `json:"bytes"`     // of answers, unpacked
	Buckets      []BucketCalls `json:"buckets,omitempty"`
}

// BucketCalls is the part of one of the source's rate-limit buckets.
type BucketCalls struct {
	Bucket   string        `json:"bucket"`
	Foreseen int           `json:"foreseen"`
	Made     int64         `json:"made"`
	Limit    int           `json:"limit"`  // requests a window that the source shows; 0 for not known
	Share    int           `json:"share"`  // of these, the most that a run may use
	Waited   time.Duration `json:"waited"` // how long requests stood waiting for the bucket
}

// String is the account in one line.
func (c Calls) String() string {
	text := fmt.Sprintf("%d made", c.Made)
	if c.Foreseen > 0 {
		text += fmt.Sprintf(", %d foreseen", c.Foreseen)
	}
	text += fmt.Sprintf("; %d answered 429, %d failed, %d sent again", c.Throttled, c.Failed, c.Retried)
	waited, where := time.Duration(0), ""
	for _, b := range c.Buckets {
		if b.Waited > waited {
			waited, where = b.Waited, b.Bucket
		}
	}
	if waited >= time.Second {
		text += fmt.Sprintf("; waited %s for the rate limit of %s", waited.Round(time.Second), where)
	}
	return text
}

// CountAnswers raises the calls made to the answers that the streams account for: those survive a killed process, while
// Calls are those of the process that ended the run.
func (r *Receipt) CountAnswers() {
	if r.Calls == nil {
		return
	}
	answers := int64(0)
	for _, s := range r.Streams {
		answers += s.Calls
	}
	r.Calls.Made = max(r.Calls.Made, answers)
}
