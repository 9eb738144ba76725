package runner

import (
	"fmt"
	"os"
	"strconv"
	"sync"

	"longshore/internal/airbyte"
	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

// maxWaiting is how many states may be under way: one that a destination has not given back costs about 100 bytes.
const maxWaiting = 1 << 20

// ledger holds the states that were sent and are not back yet. What they say waits in a file, whatever its size.
type ledger struct {
	mu      sync.Mutex
	spool   *os.File
	end     int64 // of what is in the spool
	waiting int
	queues  map[airbyte.Descriptor]*queue // by the destination's name of the stream; the empty one is of global and legacy states
	streams []*moved
	since   map[*moved]int64 // records sent since the stream's last state
}

// queue is the states of one stream, in the order in which they were sent.
type queue struct {
	sent     []sent
	last     digest // of the state that came back last
	returned bool   // there was one
}

type sent struct {
	kind    string
	at, len int64 // in the spool
	digest  digest
	records int64
	counts  map[*moved]int64
}

func newLedger(path string, streams []*moved) (*ledger, error) {
	spool, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the file of states: %w", err)
	}
	return &ledger{spool: spool, queues: map[airbyte.Descriptor]*queue{}, streams: streams, since: map[*moved]int64{}}, nil
}

func (l *ledger) close() { _ = l.spool.Close() }

// record counts a record that is sent.
func (l *ledger) record(m *moved) {
	l.mu.Lock()
	l.since[m]++
	l.mu.Unlock()
}

// unsaid is how many records of the stream were sent since its last state.
func (l *ledger) unsaid(m *moved) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.since[m]
}

// send notes a state before it is sent: in the source's names, to be kept, and as the destination gets it. m is its
// stream; nil for a global or legacy state, which is of all.
func (l *ledger) send(kind string, m *moved, body, theirs []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting >= maxWaiting {
		return fault.Errorf(fault.Unavailable, "the destination has not given back any of %d states", maxWaiting)
	}
	object := bare(kind, body)
	s := sent{kind: kind, at: l.end, len: int64(len(object)), digest: digestOf(kind, theirs), counts: map[*moved]int64{}}
	if _, err := l.spool.WriteAt(object, l.end); err != nil {
		return fmt.Errorf("keep a state until it comes back: %w", err)
	}
	var key airbyte.Descriptor
	if m != nil {
		key = m.destination
		s.counts[m] = l.since[m]
	} else {
		for _, m := range l.streams {
			s.counts[m] = l.since[m]
		}
	}
	for m, n := range s.counts {
		s.records += n
		delete(l.since, m)
	}
	q := l.queues[key]
	if q == nil {
		q = &queue{}
		l.queues[key] = q
	}
	q.sent = append(q.sent, s)
	l.end += s.len
	l.waiting++
	return nil
}

// back takes a state that the destination gave back. again is one that had come back already, which proves nothing new.
func (l *ledger) back(kind string, stream airbyte.Descriptor, body []byte) (s State, counts map[*moved]int64, again bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	what := "all streams"
	if kind == airbyte.StreamType {
		what = "the stream " + stream.String()
	} else {
		stream = airbyte.Descriptor{}
	}
	q, d := l.queues[stream], digestOf(kind, body)
	switch {
	case q == nil:
		return s, nil, false, fault.Errorf(fault.Unavailable, "it gave back a state of %s, of which it was sent none", what)
	case len(q.sent) > 0 && q.sent[0].digest == d:
	case q.returned && q.last == d:
		return s, nil, true, nil
	default:
		for i, later := range q.sent {
			if later.digest == d {
				return s, nil, false, fault.Errorf(fault.Unavailable, "it gave back a state of %s before %d that were sent earlier", what, i)
			}
		}
		return s, nil, false, fault.Errorf(fault.Unavailable, "it gave back a state of %s that it was not sent, or one of before", what)
	}
	first := q.sent[0]
	if stored, told := storedOf(body); told && stored < float64(first.records) {
		return s, nil, false, fault.Errorf(fault.Unavailable, "it counts %.0f of the %d records of %s that were sent before a state", stored, first.records, what)
	}
	object := make([]byte, first.len)
	if _, err := l.spool.ReadAt(object, first.at); err != nil {
		return s, nil, false, fmt.Errorf("read a state that came back: %w", err)
	}
	q.sent, q.last, q.returned = q.sent[1:], d, true
	l.waiting--
	if l.waiting == 0 {
		l.end = 0
		if err := l.spool.Truncate(0); err != nil {
			return s, nil, false, fmt.Errorf("empty the file of states: %w", err)
		}
	}
	return newState(first.kind, object, first.records), first.counts, false, nil
}

// missing is how many states never came back, and a stream that one of them is of.
func (l *ledger) missing() (n int, stream airbyte.Descriptor) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for d, q := range l.queues {
		if len(q.sent) > 0 {
			stream = d
		}
	}
	return l.waiting, stream
}

// storedOf is how many records a destination says that it stored or rejected since the state before, if it says so.
func storedOf(body []byte) (n float64, told bool) {
	stats, _ := rawjson.Get(body, "destinationStats")
	stored, told := rawjson.Get(stats, "recordCount")
	rejected, _ := rawjson.Get(stats, "rejectedRecordCount")
	return number(stored) + number(rejected), told && !rawjson.IsNull(stored)
}

// number is a JSON number, or 0.
func number(span []byte) float64 {
	n, err := strconv.ParseFloat(string(span), 64)
	if err != nil {
		return 0
	}
	return n
}
