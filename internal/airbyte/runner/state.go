package runner

import (
	"bytes"
	"encoding/json"
	"slices"

	"longshore/internal/airbyte"
	"longshore/internal/rawjson"
)

// State is how far the source was read once all before it was durable at the destination.
type State struct {
	Type   string             // airbyte.StreamType, GlobalType or LegacyType
	Stream airbyte.Descriptor // of a StreamType: as the source calls it
	// Value is the stream's state, of a StreamType, in the source's own bytes; null resets the stream.
	Value json.RawMessage
	// Object is the whole state, as an entry of a state file.
	Object  json.RawMessage
	Records int64 // sent since the state of the stream before
}

func newState(kind string, object json.RawMessage, records int64) State {
	s := State{Type: kind, Object: object, Records: records}
	if kind == airbyte.StreamType {
		descriptor, _ := rawjson.Get(object, "stream", "stream_descriptor")
		s.Stream = descriptorOf(descriptor)
		s.Value, _ = rawjson.Get(object, "stream", "stream_state")
		if s.Value == nil {
			s.Value = json.RawMessage("null")
		}
	}
	return s
}

// States are what a state file holds: how far each stream was read, or all of them at once.
type States []json.RawMessage

// With is the states after a further one. That of a stream takes the place of the stream's own, a global or legacy one
// that of all. A null state of a stream takes its own away.
func (all States) With(s State) States {
	if s.Type != airbyte.StreamType {
		return States{s.Object}
	}
	kept := slices.DeleteFunc(slices.Clone(all), func(entry json.RawMessage) bool {
		d, ok := streamOf(entry)
		return !ok || d == s.Stream
	})
	if rawjson.IsNull(s.Value) {
		return kept
	}
	return append(kept, s.Object)
}

// Without is the states without those of some streams, which begin anew. A legacy state, whose streams nobody but its
// source can tell apart, is left out whole.
func (all States) Without(streams ...airbyte.Descriptor) States {
	var kept States
	for _, entry := range all {
		if d, ok := streamOf(entry); ok {
			if !slices.Contains(streams, d) {
				kept = append(kept, entry)
			}
			continue
		}
		global, ok := rawjson.Get(entry, "global")
		if !ok {
			if len(streams) == 0 {
				kept = append(kept, entry)
			}
			continue
		}
		list, _ := rawjson.Get(global, "stream_states")
		var rest [][]byte
		for state := range elements(list) {
			descriptor, _ := rawjson.Get(state, "stream_descriptor")
			if !slices.Contains(streams, descriptorOf(descriptor)) {
				rest = append(rest, state)
			}
		}
		joined := append(append([]byte{'['}, bytes.Join(rest, []byte{','})...), ']')
		kept = append(kept, rawjson.SetMember(entry, "global", rawjson.SetMember(global, "stream_states", joined)))
	}
	return kept
}

// streamOf is the stream of an entry of type STREAM.
func streamOf(entry json.RawMessage) (airbyte.Descriptor, bool) {
	descriptor, ok := rawjson.Get(entry, "stream", "stream_descriptor")
	return descriptorOf(descriptor), ok
}

// file is the content of a state file.
func (all States) file() []byte {
	b := []byte{'['}
	for i, entry := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, entry...)
	}
	return append(b, ']')
}

// String is the state as a state file holds it.
func (s State) String() string { return string(s.Object) }
