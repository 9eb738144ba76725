package airbyte

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strconv"
	"sync"
	"time"

	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

// outBytes is how much output is gathered before it is written; a STATE or any other message than a RECORD is
// written at once.
const outBytes = 64 << 10

// Emitter writes messages, one a line. It is safe for concurrent use.
type Emitter struct {
	mu   sync.Mutex
	out  *bufio.Writer
	line []byte
	err  error
	// broken is told once when the output can no longer be written: whoever read it has gone.
	broken func(error)
	now    func() time.Time
}

func newEmitter(w io.Writer, now func() time.Time, broken func(error)) *Emitter {
	return &Emitter{out: bufio.NewWriterSize(w, outBytes), now: now, broken: broken}
}

// Err is the first error of writing.
func (e *Emitter) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}

// record writes a record as its own bytes stand.
func (e *Emitter) record(stream []byte, data []byte, at time.Time) {
	if bytes.IndexByte(data, '\n') >= 0 {
		data = rawjson.OneLine(data)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	b := append(e.line[:0], `{"type":"RECORD","record":{"stream":`...)
	b = append(b, stream...)
	b = append(b, `,"data":`...)
	b = append(b, data...)
	b = append(b, `,"emitted_at":`...)
	b = strconv.AppendInt(b, at.UnixMilli(), 10)
	b = append(b, "}}\n"...)
	e.line = b
	e.write(b, false)
}

// emit writes any other message, and all that was gathered before it.
func (e *Emitter) emit(m message) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b) // ends with a line break
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(m); err != nil {
		panic(err) // a state or a catalog that is no JSON: checked where it comes from
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.write(b.Bytes(), true)
}

// back writes a message that came from outside.
func (e *Emitter) back(line []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.write(append(line, '\n'), true)
}

// checked answers a check. That the configuration does not work is an answer, and the process ends well; only what is no
// answer to the question ends it with 1.
func (e *Emitter) checked(ctx context.Context, err error) (ok bool) {
	switch {
	case err == nil:
		e.emit(message{Type: "CONNECTION_STATUS", Status: &connectionStatus{Status: "SUCCEEDED"}})
	case ctx.Err() != nil || fault.KindOf(err) == fault.Internal:
		e.failed("", err)
		return false
	default:
		e.emit(message{Type: "CONNECTION_STATUS", Status: &connectionStatus{Status: "FAILED", Message: forPeople(err)}})
	}
	return true
}

func (e *Emitter) write(b []byte, flush bool) {
	if e.err != nil {
		return
	}
	_, err := e.out.Write(b)
	if err == nil && flush {
		err = e.out.Flush()
	}
	if err != nil {
		e.err = err
		e.broken(err)
	}
}

func (e *Emitter) trace(t trace) {
	t.EmittedAt = millis(e.now())
	e.emit(message{Type: "TRACE", Trace: &t})
}

// status tells how far a stream is; a zero reset says nothing of the rate limit.
func (e *Emitter) status(stream, status string, reset time.Time) {
	s := &streamStatus{Stream: Descriptor{Name: stream}, Status: status}
	if !reset.IsZero() {
		s.Reasons = []reason{{Type: "RATE_LIMITED", RateLimited: &rateLimited{QuotaReset: reset.UnixMilli()}}}
	}
	e.trace(trace{Type: "STREAM_STATUS", StreamStatus: s})
}

// failed tells an error, of a stream or ("") of the whole command.
func (e *Emitter) failed(stream string, err error) {
	t := &traceError{Message: forPeople(err), InternalMessage: err.Error(), FailureType: failureType(err)}
	if stream != "" {
		t.Stream = &Descriptor{Name: stream}
	}
	e.trace(trace{Type: "ERROR", Error: t})
}

func (e *Emitter) log(level, text string) {
	e.emit(message{Type: "LOG", Log: &logLine{Level: level, Message: text}})
}

// state tells how far a stream is read, and how many records came since the state before.
func (e *Emitter) state(stream string, state json.RawMessage, records int64) {
	e.emit(message{Type: "STATE", State: &stateBody{
		Type: "STREAM", Stream: &StreamState{Stream: Descriptor{Name: stream}, State: state},
		SourceStats: &stats{RecordCount: double(records)},
	}})
}
