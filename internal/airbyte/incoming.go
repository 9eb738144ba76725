package airbyte

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"time"

	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

// MaxLineBytes bounds a line of the protocol: what real destinations accept.
const MaxLineBytes = 100 << 20

// chunkBytes is the piece in which a long line is gathered: one that grows in place would be copied again and again.
const chunkBytes = 1 << 20

// Lines cuts a stream of messages into lines, whatever their length up to [MaxLineBytes].
type Lines struct {
	in   *bufio.Reader
	line []byte // of the length of a chunk at most, used again
	n    int64
}

// NewLines reads from r.
func NewLines(r io.Reader) *Lines { return &Lines{in: bufio.NewReaderSize(r, outBytes)} }

// Count is how many lines were read.
func (l *Lines) Count() int64 { return l.n }

// Next returns the next line without its break, valid until the following call. At the end it is io.EOF; a last line
// that has no break is returned first, as whole as it came. A line beyond MaxLineBytes is fault.Invalid.
func (l *Lines) Next() ([]byte, error) {
	l.line = l.line[:0]
	var chunks [][]byte // full ones, before what l.line has
	length := 0
	for {
		part, err := l.in.ReadSlice('\n')
		if length += len(part); length > MaxLineBytes+1 {
			return nil, fault.Errorf(fault.Invalid, "line %d has more than %d bytes", l.n+1, MaxLineBytes)
		}
		if err == nil && length == len(part) { // the usual case needs no copy
			l.n++
			return part[:length-1], nil
		}
		if len(l.line)+len(part) > chunkBytes {
			chunks, l.line = append(chunks, l.line), make([]byte, 0, chunkBytes)
		}
		l.line = append(l.line, part...)
		switch {
		case err == nil:
			l.n++
			return joined(chunks, l.line, length)[:length-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case err == io.EOF && length > 0:
			l.n++
			return joined(chunks, l.line, length), nil
		default:
			return nil, err
		}
	}
}

// joined is the chunks and what follows them as one.
func joined(chunks [][]byte, last []byte, length int) []byte {
	if len(chunks) == 0 {
		return last
	}
	whole := make([]byte, 0, length)
	for i, chunk := range chunks {
		whole, chunks[i] = append(whole, chunk...), nil
	}
	return append(whole, last...)
}

// Message is one line that says something in the protocol. Its spans alias the line.
type Message struct {
	Type string
	Line []byte // without space around it
	Body []byte // the member that the type names
}

// ParseMessage takes a line apart. It is false for what is no message: text, or JSON without a type that is known and
// the body that belongs to it. Such lines are log text. Members that are not known are passed over everywhere.
func ParseMessage(line []byte) (Message, bool) {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] != '{' || !rawjson.Valid(line) {
		return Message{}, false
	}
	kind, _ := rawjson.Get(line, "type")
	m := Message{Line: line}
	m.Type, _ = rawjson.String(kind)
	name, known := bodies[m.Type]
	if !known {
		return Message{}, false
	}
	m.Body, _ = rawjson.Get(line, name)
	return m, rawjson.IsObject(m.Body)
}

// Record is the body of a RECORD. Its spans alias the message.
type Record struct {
	Stream    Descriptor
	Data      []byte // a JSON object
	EmittedAt time.Time
	Changes   []byte // a JSON array: what was done to the record on its way; nil for nothing
}

// Record reads the body of a RECORD.
func (m Message) Record() (Record, error) {
	var r Record
	var emitted, meta []byte
	for name, value := range rawjson.Members(m.Body) {
		switch string(name) {
		case `"stream"`:
			r.Stream.Name, _ = rawjson.String(value)
		case `"namespace"`:
			r.Stream.Namespace, _ = rawjson.String(value)
		case `"data"`:
			r.Data = value
		case `"emitted_at"`:
			emitted = value
		case `"meta"`:
			meta = value
		}
	}
	switch {
	case r.Stream.Name == "":
		return r, fault.Errorf(fault.Invalid, "a RECORD names no stream")
	case !rawjson.IsObject(r.Data):
		return r, fault.Errorf(fault.Invalid, "a RECORD of the stream %q holds no object as its data: %.60q", r.Stream.Name, r.Data)
	}
	at, err := wholeNumber(emitted)
	if err != nil {
		return r, fault.Errorf(fault.Invalid, "a RECORD of the stream %q has the emitted_at %.40q: want milliseconds", r.Stream.Name, emitted)
	}
	r.EmittedAt = time.UnixMilli(at)
	if changes, ok := rawjson.Get(meta, "changes"); ok && changes[0] == '[' {
		r.Changes = changes
	}
	return r, nil
}

// wholeNumber reads an integer, also when it is written with a decimal point.
func wholeNumber(text []byte) (int64, error) {
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return n, nil
	}
	const exact = 1 << 53 // beyond it a float is no whole number any more
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > exact {
		return 0, errors.New("no whole number")
	}
	return int64(f), nil
}

// The types of a state.
const (
	StreamType = "STREAM"
	GlobalType = "GLOBAL"
	LegacyType = "LEGACY"
)

// State is the body of a STATE, as far as those who pass it on need it.
type State struct {
	Type   string     // StreamType, GlobalType or LegacyType
	Stream Descriptor // of a StreamType
}

// State reads the body of a STATE. One without a type is LEGACY.
func (m Message) State() (State, error) {
	s := State{Type: rawjson.GetString(m.Body, "type")}
	switch s.Type {
	case StreamType:
		s.Stream.Name = rawjson.GetString(m.Body, "stream", "stream_descriptor", "name")
		s.Stream.Namespace = rawjson.GetString(m.Body, "stream", "stream_descriptor", "namespace")
		if s.Stream.Name == "" {
			return s, fault.Errorf(fault.Invalid, "a STATE of type STREAM names no stream")
		}
	case GlobalType, LegacyType:
	case "":
		s.Type = LegacyType
	default:
		return s, fault.Errorf(fault.Invalid, "a STATE has the type %q: want STREAM, GLOBAL or LEGACY", s.Type)
	}
	return s, nil
}

// The statuses of a stream.
const (
	StatusStarted    = "STARTED"
	StatusRunning    = "RUNNING"
	StatusComplete   = "COMPLETE"
	StatusIncomplete = "INCOMPLETE"
)

// StreamStatus reads the body of a TRACE that tells a stream's status; ok is false for any other TRACE.
func (m Message) StreamStatus() (stream Descriptor, status string, ok bool) {
	if m.Type != "TRACE" || rawjson.GetString(m.Body, "type") != "STREAM_STATUS" {
		return stream, "", false
	}
	stream.Name = rawjson.GetString(m.Body, "stream_status", "stream_descriptor", "name")
	stream.Namespace = rawjson.GetString(m.Body, "stream_status", "stream_descriptor", "namespace")
	status = rawjson.GetString(m.Body, "stream_status", "status")
	return stream, status, stream.Name != "" && status != ""
}

// WithDestinationStats is a STATE message as a destination gives it back: unchanged, but for the number of records that
// it stored since the state before. m must be a STATE.
func (m Message) WithDestinationStats(records int64) []byte {
	stats := append(strconv.AppendInt([]byte(`{"recordCount":`), records, 10), ".0}"...)
	return rawjson.SetMember(m.Line, "state", rawjson.SetMember(m.Body, "destinationStats", stats))
}

// String is the name with its namespace, for messages.
func (d Descriptor) String() string {
	if d.Namespace == "" {
		return strconv.Quote(d.Name)
	}
	return strconv.Quote(d.Namespace + "." + d.Name)
}
