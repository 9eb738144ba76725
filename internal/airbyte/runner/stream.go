package runner

import (
	"encoding/json"
	"slices"
	"strings"

	"longshore/internal/airbyte"
	"longshore/internal/fault"
	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
)

// What a destination does with a stream.
const (
	Append    = "append"
	Overwrite = "overwrite"
)

// Stream is a stream that a Job moves.
type Stream struct {
	// Definition is the stream as the source's discover told it; members that are not known here go through as they are.
	Definition      json.RawMessage
	Mode            string // airbyte.FullRefresh or airbyte.Incremental
	DestinationMode string // Append or Overwrite
	CursorField     []string
	PrimaryKey      [][]string
	Fields          []string // members of the records that go through; none means all
	// Generation counts the times that the stream began anew; MinimumGeneration is 0 to keep what older ones left at the
	// destination, and equals Generation to have it replaced.
	Generation        int64
	MinimumGeneration int64
}

// Descriptor is what the source calls the stream.
func (s Stream) Descriptor() airbyte.Descriptor {
	return airbyte.Descriptor{Name: rawjson.GetString(s.Definition, "name"), Namespace: rawjson.GetString(s.Definition, "namespace")}
}

// resumable tells that a full refresh of the stream goes on from a state.
func (s Stream) resumable() bool {
	value, _ := rawjson.Get(s.Definition, "is_resumable")
	return string(value) == "true"
}

// Choose makes the streams of a connection of what the source offers now. Chosen streams that the source no longer has
// are named in gone and left out: that a schema changed never fails a run. Generations are left to the caller.
func Choose(c pipeline.Connection, offered []json.RawMessage) (streams []Stream, gone []string, err error) {
	byName := map[airbyte.Descriptor]json.RawMessage{}
	choices := c.Streams
	for _, definition := range offered {
		d := Stream{Definition: definition}.Descriptor()
		byName[d] = definition
		if len(c.Streams) == 0 {
			choices = append(choices, pipeline.StreamChoice{Name: d.Name, Namespace: d.Namespace})
		}
	}
	for _, choice := range choices {
		definition, ok := byName[airbyte.Descriptor{Name: choice.Name, Namespace: choice.Namespace}]
		if !ok {
			gone = append(gone, choice.Name)
			continue
		}
		s, err := choose(choice, definition)
		if err != nil {
			return nil, nil, err
		}
		streams = append(streams, s)
	}
	return streams, gone, nil
}

func choose(choice pipeline.StreamChoice, definition json.RawMessage) (Stream, error) {
	s := Stream{Definition: definition, Mode: airbyte.FullRefresh, DestinationMode: Append, CursorField: choice.CursorField, PrimaryKey: choice.PrimaryKey}
	var offer struct {
		Modes         []string   `json:"supported_sync_modes"`
		SourceCursor  bool       `json:"source_defined_cursor"`
		DefaultCursor []string   `json:"default_cursor_field"`
		PrimaryKey    [][]string `json:"source_defined_primary_key"`
	}
	if err := json.Unmarshal(definition, &offer); err != nil {
		return s, fault.Errorf(fault.Invalid, "stream %q: the source describes it wrongly: %w", choice.Name, err)
	}
	if choice.SyncMode == "" || choice.SyncMode == pipeline.FullRefreshOverwrite {
		s.DestinationMode = Overwrite
	}
	if len(s.PrimaryKey) == 0 {
		s.PrimaryKey = offer.PrimaryKey
	}
	if offer.SourceCursor || len(s.CursorField) == 0 {
		s.CursorField = offer.DefaultCursor
	}
	if strings.HasPrefix(choice.SyncMode, pipeline.Incremental) {
		// A source that lists no modes can read in full.
		if !slices.Contains(offer.Modes, airbyte.Incremental) {
			return s, fault.Errorf(fault.Invalid, "stream %q cannot be read incrementally", choice.Name).WithHint("Choose a full refresh for it.")
		}
		if len(s.CursorField) == 0 && !offer.SourceCursor {
			return s, fault.Errorf(fault.Invalid, "stream %q has no cursor to be read incrementally by", choice.Name).WithHint("Choose its cursorField.")
		}
		s.Mode = airbyte.Incremental
	}
	for _, path := range choice.SelectedFields {
		if len(path) != 1 {
			return s, fault.Errorf(fault.Invalid, "stream %q: the selected field %q is nested", choice.Name, strings.Join(path, ".")).
				WithHint("Only whole top-level fields can be selected.")
		}
		s.Fields = append(s.Fields, path[0])
	}
	return s, nil
}
