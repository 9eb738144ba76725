package runner

import (
	"context"
	"errors"
	"fmt"
	"io"

	"longshore/internal/airbyte"
	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

// goneError is that the destination takes no more; its own exit tells why.
type goneError struct{ err error }

func (g *goneError) Error() string { return "write to the destination: " + g.err.Error() }
func (g *goneError) Unwrap() error { return g.err }

// pump reads the source to its end and sends on what belongs to the destination. It returns how the source ended.
func (x *run) pump(ctx context.Context) Exit {
	lines := airbyte.NewLines(x.source.stdout)
	var buffer []byte
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			x.fail(Source, fmt.Errorf("the source %s: %w", x.source.name, err))
			_, _ = io.Copy(io.Discard, x.source.stdout)
			break
		}
		if buffer, err = x.take(ctx, buffer[:0], line); err != nil {
			role := Source
			if errors.As(err, new(*goneError)) {
				role = Destination
			}
			x.fail(role, err)
			_, _ = io.Copy(io.Discard, x.source.stdout)
			break
		}
		if cap(buffer) > maxKept {
			buffer = nil
		}
	}
	return x.source.wait()
}

// maxKept is how large the buffer of a line may be to be used again.
const maxKept = 4 << 20

// take takes one line of the source. It returns the buffer, which may have grown.
func (x *run) take(ctx context.Context, buffer, line []byte) ([]byte, error) {
	message, ok := airbyte.ParseMessage(line)
	if !ok {
		x.talk.junk(Source, line)
		return buffer, nil
	}
	switch message.Type {
	case "RECORD":
		defer x.awaitSource()
		return x.record(buffer, message)
	case "STATE":
		defer x.awaitSource()
		return buffer, x.state(message)
	case "CONTROL":
		return buffer, x.control(ctx, Source, message)
	case "TRACE":
		x.trace(message)
		x.talk.message(Source, message)
	default:
		x.talk.message(Source, message)
	}
	return buffer, nil
}

// record sends a record on.
func (x *run) record(buffer []byte, message airbyte.Message) ([]byte, error) {
	r, err := message.Record()
	if err != nil {
		return buffer, fmt.Errorf("the source %s: %w", x.source.name, err)
	}
	m := x.bySrc[r.Stream]
	if m == nil {
		x.drop(r.Stream)
		return buffer, nil
	}
	buffer = appendRecord(buffer, message, r, m)
	x.ledger.record(m)
	x.mu.Lock()
	c := x.counts[m]
	c.Records++
	c.Bytes += int64(len(r.Data))
	x.changed = true
	x.mu.Unlock()
	return buffer, x.write(buffer)
}

// drop counts a record of a stream that the job does not move.
func (x *run) drop(d airbyte.Descriptor) {
	name := d.Name
	if d.Namespace != "" {
		name = d.Namespace + "." + d.Name
	}
	x.mu.Lock()
	n, known := x.unknown[name]
	if known || len(x.unknown) < maxUnknown {
		x.unknown[name] = n + 1
	} else {
		x.unknown["…"]++
	}
	x.mu.Unlock()
	if !known {
		x.warn(Source, "records of the stream %s, which the connection does not have, are dropped", d)
	}
}

// state sends a state on. The destination gives it back when all before it is durable, and only then it counts.
func (x *run) state(message airbyte.Message) error {
	s, err := message.State()
	if err != nil {
		return fmt.Errorf("the source %s: %w", x.source.name, err)
	}
	var m *moved
	if s.Type == airbyte.StreamType {
		if m = x.bySrc[s.Stream]; m == nil {
			x.warn(Source, "a state of the stream %s, which the connection does not have, is dropped", s.Stream)
			return nil
		}
	}
	body := renamedBody(s.Type, message.Body, func(d airbyte.Descriptor) *moved { return x.bySrc[d] })
	if told, ok := rawjson.Get(message.Body, "sourceStats", "recordCount"); ok && m != nil {
		sent := x.ledger.unsaid(m)
		switch {
		case number(told) == float64(sent):
		case x.job.Lenient:
			x.warn(Source, "it counts %.0f records of %s before a state, and %d came", number(told), s.Stream, sent)
		default:
			return fault.Errorf(fault.Unavailable, "the source %s counts %.0f records of %s before a state, and %d came", x.source.name, number(told), s.Stream, sent).
				WithHint("Records were lost or doubled inside the source; the state is not kept.")
		}
	}
	if err := x.ledger.send(s.Type, m, message.Body, body); err != nil {
		return err
	}
	x.mu.Lock()
	x.whole = x.whole || m == nil
	x.stated[m] = true
	x.mu.Unlock()
	line := append(rawjson.SetMember(message.Line, "state", body), '\n')
	if err := x.write(line); err != nil {
		return err
	}
	return x.flush()
}

// trace takes what a source tells of its streams.
func (x *run) trace(message airbyte.Message) {
	if rawjson.GetString(message.Body, "type") == "ESTIMATE" {
		estimate, _ := rawjson.Get(message.Body, "estimate")
		rows, _ := rawjson.Get(estimate, "row_estimate")
		x.mu.Lock()
		defer x.mu.Unlock()
		if m := x.bySrc[descriptorOf(estimate)]; m != nil && number(rows) > 0 {
			x.counts[m].Estimate, x.changed = int64(number(rows)), true
		}
		return
	}
	stream, status, ok := message.StreamStatus()
	if !ok {
		return
	}
	until, waits := throttle(message)
	if waits {
		x.watch.throttled(until)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if m := x.bySrc[stream]; m != nil {
		c := x.counts[m]
		c.Status, c.Until, x.changed = status, until, true
	}
}

// unfinished is the error of a run whose source ended with 0 and had said that a stream is incomplete.
func (x *run) unfinished() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, m := range x.streams {
		if x.counts[m].Status == airbyte.StatusIncomplete {
			return fault.Errorf(fault.Unavailable, "the source %s ended well, but called the stream %s incomplete", x.source.name, m.source)
		}
	}
	return nil
}

// control keeps a configuration that a connector asks to keep.
func (x *run) control(ctx context.Context, role Role, message airbyte.Message) error {
	config, ok := configOf(message)
	if !ok {
		return nil
	}
	if err := x.sink.Reconfigured(ctx, role, config); err != nil {
		return fmt.Errorf("keep the configuration that the %s sent: %w", role, err)
	}
	return nil
}

// write sends a line, and waits as long as the destination lets it.
func (x *run) write(line []byte) error {
	x.watch.waitFor(Destination, "took no records", x.destination.limits.Blocked)
	x.in.Lock()
	defer x.in.Unlock()
	if _, err := x.in.Write(line); err != nil {
		return &goneError{err}
	}
	return nil
}

func (x *run) flush() error {
	x.in.Lock()
	defer x.in.Unlock()
	if err := x.in.Flush(); err != nil {
		return &goneError{err}
	}
	return nil
}

func (x *run) awaitSource() {
	x.watch.waitFor(Source, "sent neither a record nor a state", x.source.limits.Silence)
}

func (x *run) awaitEnd() {
	x.watch.waitFor(Destination, "did not finish", x.destination.limits.Blocked)
}
