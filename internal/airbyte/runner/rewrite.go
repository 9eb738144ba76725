package runner

import (
	"encoding/json"
	"iter"
	"slices"
	"strconv"

	"longshore/internal/airbyte"
	"longshore/internal/rawjson"
)

// appendRecord appends a RECORD as the destination gets it: under its name of the stream, with the chosen fields, and
// otherwise in the bytes that came.
func appendRecord(dst []byte, message airbyte.Message, r airbyte.Record, m *moved) []byte {
	if m.same {
		return append(append(dst, message.Line...), '\n')
	}
	const further = 64 // what stands round the names
	dst = slices.Grow(dst, len(message.Line)+len(m.destination.Name)+len(m.destination.Namespace)+further)
	dst = append(dst, `{"type":"RECORD","record":{"stream":`...)
	dst = rawjson.AppendString(dst, m.destination.Name)
	if m.destination.Namespace != "" {
		dst = append(dst, `,"namespace":`...)
		dst = rawjson.AppendString(dst, m.destination.Namespace)
	}
	dst = append(dst, `,"data":`...)
	if m.fields == nil {
		dst = append(dst, r.Data...)
	} else {
		dst = appendFields(dst, r.Data, m.fields)
	}
	for name, value := range rawjson.Members(message.Body) {
		switch string(name) {
		case `"stream"`, `"namespace"`, `"data"`:
		default:
			dst = appendMember(dst, 0, name, value)
		}
	}
	dst = append(dst, '}')
	for name, value := range rawjson.Members(message.Line) {
		switch string(name) {
		case `"type"`, `"record"`:
		default:
			dst = appendMember(dst, 0, name, value)
		}
	}
	return append(dst, "}\n"...)
}

// renamedBody is the body of a STATE as the destination gets it: descriptors under its names, the rest in the bytes that
// came. names is nil for a stream that the job does not move.
func renamedBody(kind string, body []byte, names func(airbyte.Descriptor) *moved) []byte {
	switch kind {
	case airbyte.StreamType:
		stream, _ := rawjson.Get(body, "stream")
		return rawjson.SetMember(body, "stream", renamedState(stream, names))
	case airbyte.GlobalType:
		global, _ := rawjson.Get(body, "global")
		states, ok := rawjson.Get(global, "stream_states")
		if !ok || rawjson.IsNull(states) {
			return body
		}
		list := []byte{'['}
		for state := range elements(states) {
			if len(list) > 1 {
				list = append(list, ',')
			}
			list = append(list, renamedState(state, names)...)
		}
		return rawjson.SetMember(body, "global", rawjson.SetMember(global, "stream_states", append(list, ']')))
	}
	return body
}

func renamedState(state []byte, names func(airbyte.Descriptor) *moved) []byte {
	descriptor, _ := rawjson.Get(state, "stream_descriptor")
	m := names(descriptorOf(descriptor))
	if m == nil || m.source == m.destination {
		return state
	}
	return rawjson.SetMember(state, "stream_descriptor", renamed(descriptor, m.destination))
}

func descriptorOf(object []byte) airbyte.Descriptor {
	return airbyte.Descriptor{Name: rawjson.GetString(object, "name"), Namespace: rawjson.GetString(object, "namespace")}
}

// emptyState is the body of the STATE of a stream that told none: with it the destination says when all records are durable.
func emptyState(d airbyte.Descriptor, records int64) []byte {
	b := append([]byte(`{"type":"STREAM","stream":{"stream_descriptor":`), marshal(d)...)
	b = append(b, `,"stream_state":{}},"sourceStats":{"recordCount":`...)
	b = strconv.AppendInt(b, records, 10)
	return append(b, ".0}}"...)
}

// completeStatus is the TRACE by which a destination knows that it has all of a stream.
func completeStatus(d airbyte.Descriptor, atMillis int64) []byte {
	b := strconv.AppendInt([]byte(`{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":`), atMillis, 10)
	b = append(b, `.0,"stream_status":{"stream_descriptor":`...)
	b = append(b, marshal(d)...)
	return append(b, `,"status":"COMPLETE"}}}`+"\n"...)
}

func marshal(d airbyte.Descriptor) []byte {
	b := append([]byte(`{"name":`), rawjson.AppendString(nil, d.Name)...)
	if d.Namespace != "" {
		b = append(append(b, `,"namespace":`...), rawjson.AppendString(nil, d.Namespace)...)
	}
	return append(b, '}')
}

// bare is a state as a state file holds it, without the counts that only the way needs.
func bare(kind string, body []byte) json.RawMessage {
	member := map[string]string{airbyte.StreamType: "stream", airbyte.GlobalType: "global", airbyte.LegacyType: "data"}[kind]
	value, ok := rawjson.Get(body, member)
	if !ok {
		value = []byte("null")
	}
	b := append([]byte(`{"type":"`+kind+`","`+member+`":`), value...)
	return append(b, '}')
}

// elements are those of a JSON array of a message that was checked; what is no array has none.
func elements(span []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for element, err := range rawjson.Elements(span) {
			if err != nil || !yield(element) {
				return
			}
		}
	}
}
