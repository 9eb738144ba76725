package emulator

import (
	"context"
	"fmt"
	"sync"
)

// living is a workload that runs by itself.
type living struct {
	mu        sync.Mutex
	stop      context.CancelFunc // nil while nothing runs
	done      chan struct{}
	seed      uint64
	perSecond float64
	failed    error // why it ended by itself
}

// maxPerSecond bounds how fast a workload may run by itself.
const maxPerSecond = 1000

// Live lets the org change by itself: a workload of that seed, at that rate, until Close or until Live is called again.
// A rate of 0 stops it.
func (o *Org) Live(seed uint64, perSecond float64) error {
	if perSecond < 0 || perSecond > maxPerSecond {
		return fmt.Errorf("%v changes a second: want 0 to %d", perSecond, maxPerSecond)
	}
	l := &o.living
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stop != nil {
		l.stop()
		<-l.done
	}
	l.stop, l.seed, l.perSecond, l.failed = nil, seed, perSecond, nil
	if perSecond == 0 {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	l.stop, l.done = stop, done
	go func() {
		defer close(done)
		if err := o.Workload(seed).Run(ctx, perSecond); err != nil {
			o.living.fail(err)
		}
	}()
	return nil
}

// fail notes why the workload ended, unless another one took its place.
func (l *living) fail(err error) {
	if l.mu.TryLock() { // who holds it waits for this workload to end
		l.failed = err
		l.mu.Unlock()
	}
}

type livingBody struct {
	Seed      uint64  `json:"seed"`
	PerSecond float64 `json:"perSecond"` // 0: nothing runs
	Error     string  `json:"error,omitempty"`
}

func (l *living) status() livingBody {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := livingBody{Seed: l.seed, PerSecond: l.perSecond}
	if l.failed != nil {
		b.PerSecond, b.Error = 0, l.failed.Error()
	}
	return b
}
