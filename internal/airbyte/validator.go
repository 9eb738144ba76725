package airbyte

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
)

// Validator checks the output of one run of a connector, line by line, against the protocol. The zero value is ready.
type Validator struct {
	Streams []string // the configured streams; nil allows records of any
	Lines   int
	Counts  map[string]int             // messages by type
	Records map[string]int             // by stream
	States  map[string]json.RawMessage // the newest of each stream
	Ends    map[string]string          // the last status of each stream
	Errors  []string                   // messages of TRACE ERROR

	since map[string]int // records of a stream since its last STATE
}

// bodies are the members that hold the body of each type of message.
var bodies = map[string]string{ // read only
	"RECORD": "record", "STATE": "state", "LOG": "log", "TRACE": "trace", "CATALOG": "catalog", "SPEC": "spec",
	"CONNECTION_STATUS": "connectionStatus", "CONTROL": "control",
}

// Read checks a whole output, up to its first error.
func (v *Validator) Read(r io.Reader) error {
	in := bufio.NewReaderSize(r, outBytes)
	for {
		line, err := readLine(in)
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", v.Lines+1, err)
		}
		if err := v.Line(line); err != nil {
			return fmt.Errorf("line %d: %w: %.300s", v.Lines, err, line)
		}
	}
}

// readLine returns a line without its break. One that does not end with a break was cut off.
func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case errors.Is(err, bufio.ErrBufferFull) && len(line) <= MaxLineBytes:
			continue
		case err == io.EOF && len(line) > 0:
			return line, io.ErrUnexpectedEOF
		}
		return line, err
	}
}

// Line checks the next line.
func (v *Validator) Line(line []byte) error {
	v.Lines++
	if v.Counts == nil {
		v.Counts, v.Records, v.since = map[string]int{}, map[string]int{}, map[string]int{}
		v.States, v.Ends = map[string]json.RawMessage{}, map[string]string{}
	}
	envelope, err := object(line)
	if err != nil {
		return err
	}
	kind, err := text(envelope, "type")
	if err != nil {
		return err
	}
	name, known := bodies[kind]
	if !known {
		return fmt.Errorf("type %q is none of the protocol", kind)
	}
	if len(envelope) != 2 {
		return fmt.Errorf("a %s has %d members, want type and %s", kind, len(envelope), name)
	}
	body, err := object(envelope[name])
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	v.Counts[kind]++
	switch kind {
	case "RECORD":
		err = v.record(body)
	case "STATE":
		err = v.state(body)
	case "TRACE":
		err = v.trace(body)
	case "LOG":
		err = oneOf(body, "level", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE")
		if err == nil {
			_, err = text(body, "message")
		}
	case "CATALOG":
		err = checkCatalog(body)
	case "SPEC":
		_, err = object(body["connectionSpecification"])
	case "CONNECTION_STATUS":
		err = oneOf(body, "status", "SUCCEEDED", "FAILED")
	case "CONTROL":
		err = checkControl(body)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", kind, err)
	}
	return nil
}

func (v *Validator) record(body map[string]json.RawMessage) error {
	stream, err := text(body, "stream")
	if err != nil {
		return err
	}
	if v.Streams != nil && !slices.Contains(v.Streams, stream) {
		return fmt.Errorf("a record of the stream %q, which is not configured", stream)
	}
	if v.Ends[stream] != StatusRunning {
		return fmt.Errorf("a record of the stream %q, whose status is %q: want RUNNING", stream, v.Ends[stream])
	}
	if !integer.Match(body["emitted_at"]) {
		return fmt.Errorf("emitted_at is %.40q: want an integer, milliseconds", body["emitted_at"])
	}
	if _, err := object(body["data"]); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	v.Records[stream]++
	v.since[stream]++
	return nil
}

func (v *Validator) state(body map[string]json.RawMessage) error {
	if err := oneOf(body, "type", "STREAM"); err != nil {
		return err
	}
	stream, err := object(body["stream"])
	if err != nil {
		return err
	}
	name, err := describedStream(stream)
	if err != nil {
		return err
	}
	if _, err := object(stream["stream_state"]); err != nil {
		return fmt.Errorf("stream_state: %w", err)
	}
	stats, err := object(body["sourceStats"])
	if err != nil {
		return fmt.Errorf("sourceStats: %w", err)
	}
	if want := fmt.Sprintf("%d.0", v.since[name]); string(stats["recordCount"]) != want {
		return fmt.Errorf("recordCount of %q is %s: want %s, the records since the state before", name, stats["recordCount"], want)
	}
	if end := v.Ends[name]; end != StatusStarted && end != StatusRunning {
		return fmt.Errorf("a state of the stream %q, whose status is %q", name, end)
	}
	v.since[name] = 0
	v.States[name] = bytes.Clone(stream["stream_state"])
	return nil
}

func (v *Validator) trace(body map[string]json.RawMessage) error {
	if !number.Match(body["emitted_at"]) {
		return fmt.Errorf("emitted_at is %.40q: want a number", body["emitted_at"])
	}
	kind, err := text(body, "type")
	if err != nil {
		return err
	}
	switch kind {
	case "ERROR":
		e, err := object(body["error"])
		if err != nil {
			return err
		}
		message, err := text(e, "message")
		if err != nil {
			return err
		}
		v.Errors = append(v.Errors, message)
		return oneOf(e, "failure_type", "system_error", "config_error", "transient_error")
	case "ESTIMATE":
		e, err := object(body["estimate"])
		if err != nil {
			return err
		}
		if !integer.Match(e["row_estimate"]) {
			return fmt.Errorf("row_estimate is %.40q: want an integer", e["row_estimate"])
		}
		if _, err := text(e, "name"); err != nil {
			return err
		}
		return oneOf(e, "type", "STREAM", "SYNC")
	case "STREAM_STATUS":
		s, err := object(body["stream_status"])
		if err != nil {
			return err
		}
		return v.status(s)
	case "ANALYTICS":
		return nil
	}
	return fmt.Errorf("trace type %q is none of the protocol", kind)
}

// status checks the order: STARTED, then RUNNING any number of times, then COMPLETE or INCOMPLETE.
func (v *Validator) status(s map[string]json.RawMessage) error {
	name, err := describedStream(s)
	if err != nil {
		return err
	}
	next, err := text(s, "status")
	if err != nil {
		return err
	}
	follows := map[string][]string{"": {StatusStarted}, StatusStarted: {StatusRunning, StatusComplete, StatusIncomplete}, StatusRunning: {StatusRunning, StatusComplete, StatusIncomplete}}
	if !slices.Contains(follows[v.Ends[name]], next) {
		return fmt.Errorf("status %q of the stream %q follows %q", next, name, v.Ends[name])
	}
	if n := v.since[name]; next == StatusComplete && n > 0 {
		return fmt.Errorf("the stream %q is complete, with %d records behind its last state", name, n)
	}
	if _, told := v.States[name]; next == StatusComplete && !told {
		return fmt.Errorf("the stream %q is complete without a state", name)
	}
	v.Ends[name] = next
	if s["reasons"] == nil {
		return nil
	}
	var reasons []struct {
		Type    string `json:"type"`
		Limited struct {
			Reset json.RawMessage `json:"quota_reset"`
		} `json:"rate_limited"`
	}
	if err := json.Unmarshal(s["reasons"], &reasons); err != nil {
		return err
	}
	for _, r := range reasons {
		if r.Type != "RATE_LIMITED" || !integer.Match(r.Limited.Reset) || next != StatusRunning {
			return fmt.Errorf("status %s with the reasons %s", next, s["reasons"])
		}
	}
	return nil
}

func checkCatalog(body map[string]json.RawMessage) error {
	var streams []map[string]json.RawMessage
	if err := json.Unmarshal(body["streams"], &streams); err != nil || streams == nil {
		return errors.New("streams is no list of objects")
	}
	for _, s := range streams {
		name, err := text(s, "name")
		if err != nil {
			return err
		}
		if _, err := object(s["json_schema"]); err != nil {
			return fmt.Errorf("%s: json_schema: %w", name, err)
		}
		var modes []string
		if err := json.Unmarshal(s["supported_sync_modes"], &modes); err != nil {
			return fmt.Errorf("%s: supported_sync_modes: %w", name, err)
		}
		for _, mode := range modes {
			if mode != FullRefresh && mode != Incremental {
				return fmt.Errorf("%s: sync mode %q", name, mode)
			}
		}
		var key [][]string
		if s["source_defined_primary_key"] != nil && json.Unmarshal(s["source_defined_primary_key"], &key) != nil {
			return fmt.Errorf("%s: source_defined_primary_key is no list of paths", name)
		}
	}
	return nil
}

func checkControl(body map[string]json.RawMessage) error {
	if !number.Match(body["emitted_at"]) {
		return fmt.Errorf("emitted_at is %.40q: want a number", body["emitted_at"])
	}
	if err := oneOf(body, "type", "CONNECTOR_CONFIG"); err != nil {
		return err
	}
	config, err := object(body["connectorConfig"])
	if err != nil {
		return err
	}
	_, err = object(config["config"])
	return err
}

var (
	integer = regexp.MustCompile(`^[0-9]+$`)
	number  = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
)

func object(data []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		return nil, fmt.Errorf("%.60q is no JSON object", data)
	}
	return members, nil
}

func text(members map[string]json.RawMessage, name string) (string, error) {
	var s *string
	if err := json.Unmarshal(members[name], &s); err != nil || s == nil || *s == "" {
		return "", fmt.Errorf("%s is %.60q: want text", name, members[name])
	}
	return *s, nil
}

func oneOf(members map[string]json.RawMessage, name string, values ...string) error {
	s, err := text(members, name)
	if err == nil && !slices.Contains(values, s) {
		err = fmt.Errorf("%s is %q: want one of %q", name, s, values)
	}
	return err
}

func describedStream(members map[string]json.RawMessage) (string, error) {
	d, err := object(members["stream_descriptor"])
	if err != nil {
		return "", fmt.Errorf("stream_descriptor: %w", err)
	}
	return text(d, "name")
}
