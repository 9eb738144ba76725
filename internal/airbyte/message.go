package airbyte

import (
	"encoding/json"
	"strconv"
	"time"

	"longshore/internal/fault"
)

// message is the envelope of every line but a RECORD. The names of its bodies mix styles; that is how they are.
type message struct {
	Type    string            `json:"type"`
	State   *stateBody        `json:"state,omitempty"`
	Log     *logLine          `json:"log,omitempty"`
	Trace   *trace            `json:"trace,omitempty"`
	Catalog *Catalog          `json:"catalog,omitempty"`
	Spec    *Specification    `json:"spec,omitempty"`
	Status  *connectionStatus `json:"connectionStatus,omitempty"`
	Control *control          `json:"control,omitempty"`
}

// Specification tells what a connector's configuration looks like.
type Specification struct {
	Documentation string          `json:"documentationUrl,omitempty"`
	Schema        json.RawMessage `json:"connectionSpecification"` // a JSON schema
	Incremental   bool            `json:"supportsIncremental"`
	Modes         []string        `json:"supported_destination_sync_modes,omitempty"` // of a destination
	Protocol      string          `json:"protocol_version,omitempty"`
}

// Catalog is what a source offers.
type Catalog struct {
	Streams []Stream `json:"streams"`
}

// Stream is one stream of a Catalog.
type Stream struct {
	Name          string          `json:"name"`
	Schema        json.RawMessage `json:"json_schema"`
	Modes         []string        `json:"supported_sync_modes"`
	SourceCursor  bool            `json:"source_defined_cursor,omitempty"`
	DefaultCursor []string        `json:"default_cursor_field,omitempty"`
	PrimaryKey    [][]string      `json:"source_defined_primary_key,omitempty"`
	Resumable     bool            `json:"is_resumable"`
}

// Sync modes of a stream.
const (
	FullRefresh = "full_refresh"
	Incremental = "incremental"
)

// Descriptor names a stream. Sources of our own have no namespaces.
type Descriptor struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
}

type stateBody struct {
	Type        string       `json:"type"`
	Stream      *StreamState `json:"stream"`
	SourceStats *stats       `json:"sourceStats"`
}

// StreamState is how far a stream is read: opaque to all but its source.
type StreamState struct {
	Stream Descriptor      `json:"stream_descriptor"`
	State  json.RawMessage `json:"stream_state"`
}

type stats struct {
	RecordCount double `json:"recordCount"`
}

// double is a number that is always written with a decimal point.
type double int64

// MarshalJSON writes 412 as 412.0.
func (d double) MarshalJSON() ([]byte, error) {
	return append(strconv.AppendInt(nil, int64(d), 10), ".0"...), nil
}

// millis is an instant as traces and controls write it: milliseconds with a decimal point.
func millis(t time.Time) double { return double(t.UnixMilli()) }

type logLine struct {
	Level   string `json:"level"`
	Message string `json:"message"`
}

type trace struct {
	Type         string        `json:"type"`
	EmittedAt    double        `json:"emitted_at"`
	Error        *traceError   `json:"error,omitempty"`
	Estimate     *estimate     `json:"estimate,omitempty"`
	StreamStatus *streamStatus `json:"stream_status,omitempty"`
}

type traceError struct {
	Message         string      `json:"message"`
	InternalMessage string      `json:"internal_message,omitempty"`
	FailureType     string      `json:"failure_type"`
	Stream          *Descriptor `json:"stream_descriptor,omitempty"`
}

type estimate struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Rows  int64  `json:"row_estimate"`
	Bytes int64  `json:"byte_estimate,omitempty"`
}

type streamStatus struct {
	Stream  Descriptor `json:"stream_descriptor"`
	Status  string     `json:"status"`
	Reasons []reason   `json:"reasons,omitempty"`
}

type reason struct {
	Type        string       `json:"type"`
	RateLimited *rateLimited `json:"rate_limited,omitempty"`
}

type rateLimited struct {
	QuotaReset int64 `json:"quota_reset"` // Unix milliseconds
}

type connectionStatus struct {
	Status  string `json:"status"`
	Message string `json:"message,omitempty"`
}

type control struct {
	Type      string        `json:"type"`
	EmittedAt double        `json:"emitted_at"`
	Config    controlConfig `json:"connectorConfig"`
}

type controlConfig struct {
	Config json.RawMessage `json:"config"`
}

// forPeople is an error with what can be done about it.
func forPeople(err error) string {
	if hint := fault.HintOf(err); hint != "" {
		return err.Error() + ". " + hint
	}
	return err.Error()
}

// failureType says who can mend an error: the user, time, or we.
func failureType(err error) string {
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Denied, fault.NotFound, fault.Conflict:
		return "config_error"
	case fault.Unavailable:
		return "transient_error"
	case fault.Internal:
	}
	return "system_error"
}
