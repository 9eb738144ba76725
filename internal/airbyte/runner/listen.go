package runner

import (
	"context"
	"errors"
	"fmt"
	"io"

	"longshore/internal/airbyte"
)

// listen reads what the destination says to its end, and keeps the states that it gives back. After a fault it reads on,
// so that the process can end, but keeps no more.
func (x *run) listen(ctx context.Context) {
	lines := airbyte.NewLines(x.destination.stdout)
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil {
			err = x.hear(ctx, line)
		}
		if err != nil {
			x.fail(Destination, fmt.Errorf("the destination %s: %w", x.destination.name, err))
			_, _ = io.Copy(io.Discard, x.destination.stdout)
			return
		}
	}
}

func (x *run) hear(ctx context.Context, line []byte) error {
	message, ok := airbyte.ParseMessage(line)
	if !ok {
		x.talk.junk(Destination, line)
		return nil
	}
	switch message.Type {
	case "STATE":
		return x.durable(ctx, message)
	case "CONTROL":
		return x.control(ctx, Destination, message)
	default:
		x.talk.message(Destination, message)
	}
	return nil
}

// durable keeps a state: all before it is where it belongs.
func (x *run) durable(ctx context.Context, message airbyte.Message) error {
	told, err := message.State()
	if err != nil {
		return err
	}
	s, counts, again, err := x.ledger.back(told.Type, told.Stream, message.Body)
	if err != nil {
		return err
	}
	if again {
		x.warn(Destination, "a state came back twice; the second says nothing new")
		return nil
	}
	// What is durable is kept also while the run is being stopped.
	if err := x.sink.State(context.WithoutCancel(ctx), s); err != nil {
		return fmt.Errorf("keep a state that it gave back: %w", err)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.states++
	x.changed = true
	for m, n := range counts {
		x.counts[m].Committed += n
	}
	return nil
}
