package connector

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"

	"longshore/internal/airbyte"
	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
)

// schemas holds the JSON schema of each stream. They are tolerant: every member may be null or absent, but for those of
// the key that Airbyte's schemas require too, and unknown members are allowed.
//
//go:embed schemas/*.json
var schemas embed.FS

//go:embed spec.json
var spec []byte

// incremental are the streams that may be read incrementally by this protocol, as in Airbyte's source, with their
// cursor. Others of ours can be too, but what they would leave behind (an assignment taken away) only a full refresh
// tells.
var incremental = map[string]string{"users": "lastUpdated", "groups": "lastUpdated", "logs": "published"} // read only

// catalogOf is what discover tells of the streams.
func catalogOf(streams []pipeline.Stream) (airbyte.Catalog, error) {
	catalog := airbyte.Catalog{Streams: []airbyte.Stream{}}
	for _, st := range streams {
		schema, err := schemaOf(st)
		if err != nil {
			return catalog, err
		}
		s := airbyte.Stream{
			Name: st.Name, Schema: schema, Modes: []string{airbyte.FullRefresh}, PrimaryKey: st.PrimaryKey, Resumable: true,
		}
		if cursor := incremental[st.Name]; cursor != "" {
			s.Modes = append(s.Modes, airbyte.Incremental)
			s.SourceCursor, s.DefaultCursor = true, []string{cursor}
		}
		catalog.Streams = append(catalog.Streams, s)
	}
	return catalog, nil
}

// Schema is the JSON schema of a stream's records, as discover tells it.
func Schema(st pipeline.Stream) (json.RawMessage, error) { return schemaOf(st) }

// schemaOf is the schema of a stream's records. One without a file has records of any shape.
func schemaOf(st pipeline.Stream) (json.RawMessage, error) {
	text, err := schemas.ReadFile("schemas/" + st.Name + ".json")
	if err != nil {
		return json.RawMessage(`{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","additionalProperties":true}`), nil //nolint:nilerr // as said
	}
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil || !rawjson.IsObject(b.Bytes()) {
		return nil, fmt.Errorf("schema of %s is no JSON object: %w", st.Name, err)
	}
	return b.Bytes(), nil
}
