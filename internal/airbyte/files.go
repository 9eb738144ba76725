package airbyte

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"

	"longshore/internal/fault"
)

// maxFileBytes bounds each file that a command is given. A catalog with the schemas of all streams has some 100 kB.
const maxFileBytes = 64 << 20

// Files are what a command line names.
type Files struct {
	Config  string
	Catalog string
	State   string // may be "", or name a file that holds nothing
}

// readFile returns a file's bytes; what names the kind of file for messages.
func readFile(what, path string) ([]byte, error) {
	if path == "" {
		return nil, fault.Errorf(fault.Invalid, "no %s file is given", what).WithHint("Name it with --%s FILE.", what)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "open the %s file: %w", what, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "read the %s file: %w", what, err)
	}
	if len(data) > maxFileBytes {
		return nil, fault.Errorf(fault.Invalid, "the %s file %q has more than %d bytes", what, path, maxFileBytes)
	}
	return bytes.TrimSpace(data), nil
}

// readConfig returns the configuration, which is a JSON object.
func readConfig(path string) (json.RawMessage, error) {
	data, err := readFile("config", path)
	if err != nil {
		return nil, err
	}
	// The message must not repeat what the file holds: there are secrets in it.
	if !json.Valid(data) || data[0] != '{' {
		return nil, fault.Errorf(fault.Invalid, "the config file %q holds no JSON object", path)
	}
	return data, nil
}

// configured is one stream of a ConfiguredAirbyteCatalog. Members that concern the destination alone are left out.
type configured struct {
	Stream struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"stream"`
	Mode string `json:"sync_mode"`
}

// readCatalog returns the chosen streams, in their order.
func readCatalog(path string) ([]configured, error) {
	data, err := readFile("catalog", path)
	if err != nil {
		return nil, err
	}
	var catalog struct {
		Streams []configured `json:"streams"`
	}
	if err := json.Unmarshal(data, &catalog); err != nil {
		return nil, fault.Errorf(fault.Invalid, "the catalog file %q is no configured catalog: want an object with streams", path)
	}
	seen := map[string]bool{}
	for i, s := range catalog.Streams {
		switch {
		case s.Stream.Name == "":
			return nil, fault.Errorf(fault.Invalid, "the catalog file %q: stream %d has no name", path, i).
				WithHint("A configured catalog holds {\"stream\":{\"name\":…},\"sync_mode\":…} for each stream; what discover tells must be wrapped so.")
		case seen[s.Stream.Name]:
			return nil, fault.Errorf(fault.Invalid, "the catalog file %q names the stream %q twice", path, s.Stream.Name)
		case s.Mode != "" && s.Mode != FullRefresh && s.Mode != Incremental:
			return nil, fault.Errorf(fault.Invalid, "the catalog file %q: stream %q has the sync mode %q: want full_refresh or incremental", path, s.Stream.Name, s.Mode)
		}
		seen[s.Stream.Name] = true
	}
	return catalog.Streams, nil
}

// readStates returns the state of each stream. The file holds an array of bare state objects, or nothing; the forms
// of old platforms are taken too: a LEGACY state, the object {"stream":{…}} alone, and states in their envelopes.
func readStates(path string) (map[string]json.RawMessage, error) {
	states := map[string]json.RawMessage{}
	if path == "" {
		return states, nil
	}
	data, err := readFile("state", path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Errorf(fault.Invalid, "the state file %q does not exist", path).
			WithHint("Leave --state out to read from the start.")
	}
	if err != nil || len(data) == 0 || string(data) == "null" {
		return states, err
	}
	if !json.Valid(data) {
		return nil, fault.Errorf(fault.Invalid, "the state file %q holds no JSON", path)
	}
	if data[0] != '[' {
		data = append(append([]byte("["), data...), ']')
	}
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fault.Errorf(fault.Invalid, "the state file %q holds no states: %w", path, err)
	}
	for i, entry := range list {
		if err := takeState(states, entry); err != nil {
			return nil, fault.Errorf(fault.Invalid, "the state file %q, state %d: %w", path, i, err)
		}
	}
	return states, nil
}

// takeState adds the states that one object of a state file holds. A null stream state resets its stream.
func takeState(states map[string]json.RawMessage, entry json.RawMessage) error {
	var s struct {
		Type   string       `json:"type"`
		Stream *StreamState `json:"stream"`
		Global *struct {
			Streams []StreamState `json:"stream_states"`
		} `json:"global"`
		Data  map[string]json.RawMessage `json:"data"`
		State json.RawMessage            `json:"state"`
	}
	if err := json.Unmarshal(entry, &s); err != nil {
		// A stream that is called stream, or data, makes a legacy state look like one of the others.
		return takeLegacy(states, entry)
	}
	put := func(all ...StreamState) error {
		for _, one := range all {
			if one.Stream.Name == "" {
				return errors.New("it has no stream_descriptor with a name")
			}
			if len(one.State) == 0 || string(one.State) == "null" {
				delete(states, one.Stream.Name)
				continue
			}
			states[one.Stream.Name] = one.State
		}
		return nil
	}
	switch {
	case s.Type == "STATE" && s.State != nil:
		return takeState(states, s.State)
	case s.Stream != nil:
		return put(*s.Stream)
	case s.Global != nil:
		return put(s.Global.Streams...)
	case s.Type == "LEGACY" || s.Type == "" && s.Data != nil:
		for name, state := range s.Data {
			if err := put(StreamState{Stream: Descriptor{Name: name}, State: state}); err != nil {
				return err
			}
		}
		return nil
	case s.Type == "":
		return takeLegacy(states, entry)
	}
	return errors.New("its type " + s.Type + " has no body")
}

// takeLegacy reads the oldest form: an object with a member for each stream.
func takeLegacy(states map[string]json.RawMessage, entry json.RawMessage) error {
	var legacy map[string]json.RawMessage
	if err := json.Unmarshal(entry, &legacy); err != nil {
		return errors.New("it is no object")
	}
	for name, state := range legacy {
		if !bytes.HasPrefix(state, []byte("{")) {
			return errors.New("it is no state: its member " + name + " is no object")
		}
		states[name] = state
	}
	return nil
}

// Sync modes of a destination.
const (
	Append    = "append"
	Overwrite = "overwrite"
)

// readWrittenCatalog returns the streams that a destination writes, in their order.
func readWrittenCatalog(path string) ([]WrittenStream, error) {
	data, err := readFile("catalog", path)
	if err != nil {
		return nil, err
	}
	var catalog struct {
		Streams []struct {
			Stream     Descriptor `json:"stream"`
			Mode       string     `json:"destination_sync_mode"`
			Generation *int64     `json:"generation_id"`
			Minimum    *int64     `json:"minimum_generation_id"`
			SyncID     int64      `json:"sync_id"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(data, &catalog); err != nil {
		return nil, fault.Errorf(fault.Invalid, "the catalog file %q is no configured catalog: %w", path, err)
	}
	if catalog.Streams == nil {
		return nil, fault.Errorf(fault.Invalid, "the catalog file %q is no configured catalog: it has no streams", path)
	}
	var streams []WrittenStream
	seen := map[Descriptor]bool{}
	for i, s := range catalog.Streams {
		refuse := func(format string, args ...any) error {
			return fault.Errorf(fault.Invalid, "the catalog file %q, stream %s: "+format, append([]any{path, s.Stream}, args...)...)
		}
		switch {
		case s.Stream.Name == "":
			return nil, fault.Errorf(fault.Invalid, "the catalog file %q: stream %d has no name", path, i)
		case seen[s.Stream]:
			return nil, refuse("it is named twice")
		case s.Mode != "" && s.Mode != Append && s.Mode != Overwrite:
			return nil, refuse("the sync mode %q is not supported: want append or overwrite", s.Mode)
		case s.Generation == nil || s.Minimum == nil:
			return nil, fault.Errorf(fault.Invalid, "the catalog file %q, stream %s: generation_id and minimum_generation_id are missing", path, s.Stream).
				WithHint("Use a platform that sends them: Airbyte from 0.63.7 on.")
		case *s.Minimum != 0 && *s.Minimum != *s.Generation:
			return nil, refuse("minimum_generation_id is %d: want 0, to keep what is there, or generation_id, %d", *s.Minimum, *s.Generation)
		case *s.Generation < 0:
			return nil, refuse("generation_id is %d", *s.Generation)
		}
		seen[s.Stream] = true
		streams = append(streams, WrittenStream{Descriptor: s.Stream, Generation: *s.Generation, Minimum: *s.Minimum, SyncID: s.SyncID})
	}
	return streams, nil
}
