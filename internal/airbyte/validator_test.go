package airbyte

import (
	"encoding/json"
	"strings"
	"testing"
)

const (
	aStart    = `{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1.0,"stream_status":{"stream_descriptor":{"name":"users"},"status":"STARTED"}}}`
	aRun      = `{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1,"stream_status":{"stream_descriptor":{"name":"users","namespace":null},"status":"RUNNING"}}}`
	aComplete = `{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1.5,"stream_status":{"stream_descriptor":{"name":"users"},"status":"COMPLETE"}}}`
	aRecord   = `{"type":"RECORD","record":{"stream":"users","data":{"id":"00u1"},"emitted_at":1741338302034}}`
	aState    = `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{}},"sourceStats":{"recordCount":1.0}}}`
)

func TestValidatorTakesTheProtocol(t *testing.T) {
	for name, lines := range map[string][]string{
		"a read":      {aStart, aRun, aRecord, aState, aComplete},
		"a wait":      {aStart, strings.Replace(aRun, `"RUNNING"`, `"RUNNING","reasons":[{"type":"RATE_LIMITED","rate_limited":{"quota_reset":1741338360000}}]`, 1)},
		"spec":        {`{"type":"SPEC","spec":{"connectionSpecification":{"type":"object"}}}`},
		"check":       {`{"type":"CONNECTION_STATUS","connectionStatus":{"status":"FAILED","message":"no"}}`},
		"log":         {`{"type":"LOG","log":{"level":"WARN","message":"text"}}`},
		"catalog":     {`{"type":"CATALOG","catalog":{"streams":[{"name":"users","json_schema":{},"supported_sync_modes":["full_refresh"],"source_defined_primary_key":[["id"]]}]}}`},
		"control":     {`{"type":"CONTROL","control":{"type":"CONNECTOR_CONFIG","emitted_at":1.0,"connectorConfig":{"config":{}}}}`},
		"error":       {`{"type":"TRACE","trace":{"type":"ERROR","emitted_at":1.0,"error":{"message":"no","failure_type":"config_error"}}}`},
		"an estimate": {`{"type":"TRACE","trace":{"type":"ESTIMATE","emitted_at":1.0,"estimate":{"name":"users","type":"STREAM","row_estimate":1000}}}`},
	} {
		v := &Validator{Streams: []string{"users"}}
		if err := v.Read(strings.NewReader(strings.Join(lines, "\n") + "\n")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidatorRefusesWhatIsNoProtocol(t *testing.T) {
	for name, lines := range map[string][]string{
		"text":                             {`Reading users`},
		"an empty line":                    {``},
		"two messages in a line":           {aStart + aRun},
		"an unknown type":                  {`{"type":"NOTE","note":{}}`},
		"a body of another name":           {`{"type":"CONNECTION_STATUS","connection_status":{"status":"SUCCEEDED"}}`},
		"a body beside the body":           {strings.TrimSuffix(aStart, "}") + `,"log":{}}`},
		"a record before its stream runs":  {aStart, aRecord},
		"a record of another stream":       {aStart, aRun, strings.Replace(aRecord, "users", "groups", 1)},
		"a record without an object":       {aStart, aRun, strings.Replace(aRecord, `{"id":"00u1"}`, `"00u1"`, 1)},
		"emitted_at with a point":          {aStart, aRun, strings.Replace(aRecord, `302034`, `302034.0`, 1)},
		"emitted_at as text":               {aStart, aRun, strings.Replace(aRecord, `1741338302034`, `"1741338302034"`, 1)},
		"a count without a point":          {aStart, aRun, aRecord, strings.Replace(aState, "1.0", "1", 1)},
		"a count that is wrong":            {aStart, aRun, aRecord, aRecord, aState},
		"a state that is no object":        {aStart, aRun, aRecord, strings.Replace(aState, `"stream_state":{}`, `"stream_state":null`, 1)},
		"a state of a stream not begun":    {strings.Replace(aState, "1.0", "0.0", 1)},
		"complete with records left":       {aStart, aRun, aRecord, aState, aRecord, aComplete},
		"complete without a state":         {aStart, aComplete},
		"complete before the start":        {aComplete},
		"records behind the end":           {aStart, aRun, aRecord, aState, aComplete, aRecord},
		"a status unknown":                 {strings.Replace(aStart, "STARTED", "BEGUN", 1)},
		"a reason unknown":                 {aStart, strings.Replace(aRun, `"RUNNING"`, `"RUNNING","reasons":[{"type":"TIRED"}]`, 1)},
		"a trace without a time":           {strings.Replace(aStart, `"emitted_at":1.0,`, ``, 1)},
		"a level unknown":                  {`{"type":"LOG","log":{"level":"LOUD","message":"text"}}`},
		"an error of no type":              {`{"type":"TRACE","trace":{"type":"ERROR","emitted_at":1.0,"error":{"message":"no","failure_type":"bad_luck"}}}`},
		"an estimate of text":              {`{"type":"TRACE","trace":{"type":"ESTIMATE","emitted_at":1.0,"estimate":{"name":"users","type":"STREAM","row_estimate":"many"}}}`},
		"a catalog without schemas":        {`{"type":"CATALOG","catalog":{"streams":[{"name":"users","supported_sync_modes":["full_refresh"]}]}}`},
		"a catalog with a mode unknown":    {`{"type":"CATALOG","catalog":{"streams":[{"name":"users","json_schema":{},"supported_sync_modes":["sometimes"]}]}}`},
		"a catalog with a key of one path": {`{"type":"CATALOG","catalog":{"streams":[{"name":"users","json_schema":{},"supported_sync_modes":[],"source_defined_primary_key":["id"]}]}}`},
		"a spec without a schema":          {`{"type":"SPEC","spec":{}}`},
		"a status of no kind":              {`{"type":"CONNECTION_STATUS","connectionStatus":{"status":"OK"}}`},
		"a control without configuration":  {`{"type":"CONTROL","control":{"type":"CONNECTOR_CONFIG","emitted_at":1.0,"connectorConfig":{}}}`},
	} {
		v := &Validator{Streams: []string{"users"}}
		if err := v.Read(strings.NewReader(strings.Join(lines, "\n") + "\n")); err == nil {
			t.Errorf("%s: taken for valid: %q", name, lines)
		}
	}
	if err := new(Validator).Read(strings.NewReader(aStart)); err == nil {
		t.Error("a last line that was cut off is taken for valid")
	}
}

func FuzzValidator(f *testing.F) {
	for _, line := range []string{aStart, aRun, aRecord, aState, aComplete} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(_ *testing.T, line []byte) {
		v := &Validator{}
		_ = v.Line([]byte(aStart))
		_ = v.Line(line) // whatever it is, no panic
	})
}

func FuzzTakeState(f *testing.F) {
	f.Add([]byte(`{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{"a":1}}}`))
	f.Add([]byte(`{"type":"LEGACY","data":{"users":{}}}`))
	f.Add([]byte(`{"users":{"lastUpdated":"x"}}`))
	f.Add([]byte(`{"type":"STATE","state":{"type":"STATE","state":{}}}`))
	f.Fuzz(func(t *testing.T, entry []byte) {
		taken := map[string]json.RawMessage{}
		if err := takeState(taken, entry); err != nil {
			return
		}
		for name, state := range taken {
			if name != "" && len(state) == 0 {
				t.Errorf("%q has an empty state for %q", entry, name)
			}
		}
	})
}
