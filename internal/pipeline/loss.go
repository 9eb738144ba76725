package pipeline

import "longshore/internal/tally"

// The hops of a record on this wing, as receipts name them.
const (
	HopSource = "Okta → API rows"
	HopLake   = "API rows → lake lines"
)

// lossError tells that records did not come over a hop as they were sent. What came is not made durable, and the stream
// ends: it is this program or its machine that is wrong, and going on would spread it.
type lossError struct{ hop, differ string }

func (e *lossError) Error() string { return e.hop + ": " + e.differ }

// summing is a [Batch] that sums up the records that it was given.
type summing interface{ Sum() tally.Sum }
