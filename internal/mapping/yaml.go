package mapping

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"longshore/internal/fault"
)

// The limits of a YAML document: aliases may make much of little.
const (
	maxYAMLNodes = 200_000
	maxYAMLDepth = 200
)

// ToJSON reads a document that is JSON or YAML: mappings, a webhook, an Ocean config. JSON is given back as it is; of YAML the
// keys keep their order, and what is no text, number, boolean or null by YAML's core rules stays text (dates do). Errors are
// fault.Invalid and name the line.
func ToJSON(document []byte) (json.RawMessage, error) {
	if len(document) > maxDocumentBytes {
		return nil, fault.Errorf(fault.Invalid, "the document has %d bytes, at most %d are allowed", len(document), maxDocumentBytes)
	}
	if json.Valid(document) {
		return bytes.TrimSpace(document), nil
	}
	// What begins as JSON is meant as such: its own error says more.
	if start := bytes.TrimSpace(document); len(start) > 0 && (start[0] == '{' || start[0] == '[') {
		if err := jsonError(document); err != nil && !isFlowYAML(document) {
			return nil, err
		}
	}
	return yamlToJSON(document)
}

func isFlowYAML(document []byte) bool {
	_, err := yamlToJSON(document)
	return err == nil
}

func jsonError(document []byte) error {
	var v json.RawMessage
	err := json.Unmarshal(document, &v)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		before := document[:min(int(syntax.Offset), len(document))]
		return fault.Errorf(fault.Invalid, "this is no JSON: line %d: %s", 1+bytes.Count(before, []byte("\n")), syntax)
	}
	return err
}

func yamlToJSON(document []byte) (json.RawMessage, error) {
	d := yaml.NewDecoder(bytes.NewReader(document))
	var root yaml.Node
	err := d.Decode(&root)
	if errors.Is(err, io.EOF) || err == nil && len(root.Content) == 0 {
		return nil, fault.Errorf(fault.Invalid, "the document is empty")
	}
	if err != nil {
		return nil, fault.Errorf(fault.Invalid, "this is neither JSON nor YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, fault.Errorf(fault.Invalid, "the file holds more than one document")
	}
	w := yamlWriter{}
	if err := w.write(root.Content[0], 0); err != nil {
		return nil, err
	}
	return w.out, nil
}

// yamlWriter writes YAML nodes as JSON.
type yamlWriter struct {
	out   []byte
	nodes int
}

func (w *yamlWriter) write(n *yaml.Node, depth int) error {
	if w.nodes++; w.nodes > maxYAMLNodes || len(w.out) > maxDocumentBytes {
		return fault.Errorf(fault.Invalid, "line %d: the document is larger than %d bytes or %d nodes once its aliases are written out", n.Line, maxDocumentBytes, maxYAMLNodes)
	}
	if depth > maxYAMLDepth {
		return fault.Errorf(fault.Invalid, "line %d: nested deeper than %d levels", n.Line, maxYAMLDepth)
	}
	switch n.Kind {
	case yaml.AliasNode:
		return w.write(n.Alias, depth+1)
	case yaml.SequenceNode:
		w.out = append(w.out, '[')
		for i, element := range n.Content {
			if i > 0 {
				w.out = append(w.out, ',')
			}
			if err := w.write(element, depth+1); err != nil {
				return err
			}
		}
		w.out = append(w.out, ']')
		return nil
	case yaml.MappingNode:
		return w.object(n, depth)
	case yaml.ScalarNode:
		return w.scalar(n)
	}
	return fault.Errorf(fault.Invalid, "line %d: this cannot be read", n.Line)
}

func (w *yamlWriter) object(n *yaml.Node, depth int) error {
	w.out = append(w.out, '{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return fault.Errorf(fault.Invalid, "line %d: a key must be text", key.Line)
		}
		if key.Tag == "!!merge" {
			return fault.Errorf(fault.Invalid, "line %d: merge keys (<<) are not read; write the members out", key.Line)
		}
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.text(key.Value)
		w.out = append(w.out, ':')
		if err := w.write(value, depth+1); err != nil {
			return err
		}
	}
	w.out = append(w.out, '}')
	return nil
}

func (w *yamlWriter) scalar(n *yaml.Node) error {
	switch n.ShortTag() {
	case "!!null":
		w.out = append(w.out, "null"...)
	case "!!bool":
		var yes bool
		if err := n.Decode(&yes); err != nil {
			return fault.Errorf(fault.Invalid, "line %d: %s", n.Line, err)
		}
		w.out = strconv.AppendBool(w.out, yes)
	case "!!int", "!!float":
		if json.Valid([]byte(n.Value)) {
			w.out = append(w.out, n.Value...)
		} else { // 0x10, 1_000, .inf: as it was written
			w.text(n.Value)
		}
	case "!!binary":
		return fault.Errorf(fault.Invalid, "line %d: binary values are not read", n.Line)
	default:
		w.text(n.Value)
	}
	return nil
}

func (w *yamlWriter) text(s string) {
	quoted, _ := json.Marshal(s) // a string always encodes
	w.out = append(w.out, quoted...)
}

// Parts are what a document for mapping holds.
type Parts struct {
	Mappings json.RawMessage // never nil
	Config   json.RawMessage // of Ocean; may be nil
}

// Read reads mappings from a file, JSON or YAML: a list of them, a webhook, an Ocean config, or an integration that bears one.
func Read(document []byte) (Parts, error) {
	text, err := ToJSON(document)
	if err != nil {
		return Parts{}, err
	}
	none := json.RawMessage("[]")
	if IsOcean(text) {
		return Parts{none, text}, nil
	}
	members, ok := objectMembers(text)
	if !ok {
		return Parts{Mappings: text}, nil
	}
	var p Parts
	for _, m := range members {
		switch m.name {
		case "mappings":
			p.Mappings = m.value
		case "config":
			p.Config = m.value
		}
	}
	if absent(p.Mappings) && absent(p.Config) {
		return Parts{}, fault.Errorf(fault.Invalid, "the document has neither mappings nor resources").
			WithHint("give a list of mappings, a webhook, or an Ocean config with resources")
	}
	if absent(p.Mappings) {
		p.Mappings = none
	}
	return p, nil
}
