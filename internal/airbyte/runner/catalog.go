package runner

import (
	"bytes"
	"encoding/json"
	"fmt"

	"longshore/internal/airbyte"
	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

// moved is a stream of a run, with what both sides call it and what was counted.
type moved struct {
	Stream
	source, destination airbyte.Descriptor
	fields              map[string]bool // nil for all
	same                bool            // its records go through as they are
}

// plan checks the streams of a job and names them for the destination.
func (j Job) plan() ([]*moved, error) {
	if len(j.Streams) == 0 {
		return nil, fault.Errorf(fault.Invalid, "the connection has no streams")
	}
	for _, side := range []*Side{j.Source, &j.Destination} {
		if side != nil && (!rawjson.Valid(side.Config) || !rawjson.IsObject(side.Config)) {
			return nil, notObject(side.Command)
		}
	}
	var all []*moved
	bySource, byDestination := map[airbyte.Descriptor]bool{}, map[airbyte.Descriptor]bool{}
	for i, s := range j.Streams {
		d := s.Descriptor()
		m := &moved{Stream: s, source: d, destination: airbyte.Descriptor{Name: j.Prefix + d.Name, Namespace: d.Namespace}}
		if j.Namespace != nil {
			m.destination.Namespace = j.Namespace(d.Namespace)
		}
		switch {
		case !rawjson.Valid(s.Definition) || d.Name == "":
			return nil, fault.Errorf(fault.Invalid, "stream %d has no definition with a name", i)
		case bySource[m.source]:
			return nil, fault.Errorf(fault.Invalid, "the stream %s is there twice", m.source)
		case byDestination[m.destination]:
			return nil, fault.Errorf(fault.Invalid, "two streams are called %s at the destination", m.destination).
				WithHint("Keep the namespaces of the source apart: use them in the connection's namespace.")
		case s.Mode != airbyte.FullRefresh && s.Mode != airbyte.Incremental:
			return nil, fault.Errorf(fault.Invalid, "stream %s has the sync mode %q: want full_refresh or incremental", d, s.Mode)
		case s.DestinationMode != Append && s.DestinationMode != Overwrite:
			return nil, fault.Errorf(fault.Invalid, "stream %s has the destination's sync mode %q: want append or overwrite", d, s.DestinationMode)
		case s.Generation < 0 || s.MinimumGeneration != 0 && s.MinimumGeneration != s.Generation:
			return nil, fault.Errorf(fault.Invalid, "stream %s has the generation %d and the minimum %d: the minimum must be 0 or the generation", d, s.Generation, s.MinimumGeneration)
		}
		bySource[m.source], byDestination[m.destination] = true, true
		if len(s.Fields) > 0 {
			m.fields = map[string]bool{}
			for _, f := range s.Fields {
				m.fields[f] = true
			}
		}
		m.same = m.source == m.destination && m.fields == nil
		all = append(all, m)
	}
	return all, nil
}

// notObject does not repeat the configuration: there are secrets in it.
func notObject(c Command) error {
	return fault.Errorf(fault.Invalid, "the configuration of %s is no JSON object", c)
}

// configured is one stream of a ConfiguredAirbyteCatalog.
type configured struct {
	Stream          json.RawMessage `json:"stream"`
	Mode            string          `json:"sync_mode"`
	DestinationMode string          `json:"destination_sync_mode"`
	CursorField     []string        `json:"cursor_field"`
	PrimaryKey      [][]string      `json:"primary_key"`
	Generation      int64           `json:"generation_id"`
	Minimum         int64           `json:"minimum_generation_id"`
	SyncID          int64           `json:"sync_id"`
	IncludeFiles    bool            `json:"include_files"`
}

// catalogs are the configured catalogs of both sides: the same streams, each side's own names.
func catalogs(streams []*moved, syncID int64) (source, destination []byte, err error) {
	var theirs, ours []configured
	for _, m := range streams {
		definition := m.Definition
		if m.fields != nil {
			definition = withFields(definition, m.fields)
		}
		c := configured{
			Mode: m.Mode, DestinationMode: m.DestinationMode, CursorField: notNil(m.CursorField), PrimaryKey: notNil(m.PrimaryKey),
			Generation: m.Generation, Minimum: m.MinimumGeneration, SyncID: syncID,
		}
		c.Stream = definition
		theirs = append(theirs, c)
		c.Stream = renamed(definition, m.destination)
		ours = append(ours, c)
	}
	if source, err = catalogFile(theirs); err != nil {
		return nil, nil, err
	}
	destination, err = catalogFile(ours)
	return source, destination, err
}

func catalogFile(streams []configured) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(map[string]any{"streams": streams}); err != nil {
		return nil, fmt.Errorf("write a catalog: %w", err)
	}
	return b.Bytes(), nil
}

// notNil makes an empty list of none: null is no list to strict readers.
func notNil[T any](list []T) []T {
	return append([]T{}, list...)
}

// renamed is an AirbyteStream, or another object with name and namespace, under another name.
func renamed(object []byte, d airbyte.Descriptor) []byte {
	object = rawjson.SetMember(object, "name", rawjson.AppendString(nil, d.Name))
	if d.Namespace != "" {
		return rawjson.SetMember(object, "namespace", rawjson.AppendString(nil, d.Namespace))
	}
	if _, there := rawjson.Get(object, "namespace"); there {
		return rawjson.SetMember(object, "namespace", []byte("null"))
	}
	return object
}

// withFields is an AirbyteStream whose schema has the properties of these names alone.
func withFields(definition []byte, fields map[string]bool) []byte {
	schema, ok := rawjson.Get(definition, "json_schema")
	if !ok {
		return definition
	}
	properties, ok := rawjson.Get(schema, "properties")
	if !ok {
		return definition
	}
	return rawjson.SetMember(definition, "json_schema", rawjson.SetMember(schema, "properties", appendFields(nil, properties, fields)))
}

// appendFields appends an object with the members of these names alone.
func appendFields(dst, object []byte, fields map[string]bool) []byte {
	dst = append(dst, '{')
	begin := len(dst)
	for name, value := range rawjson.Members(object) {
		if text, _ := rawjson.String(name); fields[text] {
			dst = appendMember(dst, begin, name, value)
		}
	}
	return append(dst, '}')
}

// appendMember appends a member whose name is quoted already; begin is where the object's first one stands.
func appendMember(dst []byte, begin int, quoted, value []byte) []byte {
	if len(dst) > begin {
		dst = append(dst, ',')
	}
	dst = append(append(dst, quoted...), ':')
	return append(dst, value...)
}
