package okta

import (
	"bytes"
	"encoding/json"
	"strings"

	"longshore/internal/fault"
)

const (
	// maxStateBytes is the pipeline's bound.
	maxStateBytes = 1500
	stateVersion  = 1
)

// state is how far a stream is read. Requests in it are path and query, to be sent to the configured host.
type state struct {
	Version int    `json:"v"`
	Phase   int    `json:"n,omitempty"` // which of the stream's listings
	Link    string `json:"l,omitempty"` // the request to go on with; in a sub-stream that of the parents' page
	Parent  string `json:"p,omitempty"` // id of the last parent begun
	Child   string `json:"c,omitempty"` // the request to go on with inside of Parent; "" when it is done
	Recent  string `json:"r,omitempty"` // logs: the newest events' uuids, see recentEvents
	Latest  string `json:"t,omitempty"` // logs: the newest published time
	Done    bool   `json:"done,omitempty"`
}

// parseState reads a stored state; nil and null are the start.
func parseState(data json.RawMessage) (state, error) {
	if trimmed := bytes.TrimSpace(data); len(trimmed) == 0 || string(trimmed) == "null" || string(trimmed) == "{}" {
		return state{Version: stateVersion}, nil
	}
	var s state
	if len(data) > maxStateBytes {
		return s, fault.Errorf(fault.Invalid, "state of %d bytes is longer than %d", len(data), maxStateBytes)
	}
	refuse := func(why string) (state, error) {
		return state{}, fault.Errorf(fault.Invalid, "state %q: %s", data, why).
			WithHint("Reset the stream's state: it will be read from the start.")
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return refuse("is no state of this source")
	}
	if s.Version != stateVersion {
		return refuse("was written by another version")
	}
	for _, link := range []string{s.Link, s.Child} {
		if link == "" {
			continue
		}
		if host, path, err := splitLink(link); err != nil || host != "" || path != link {
			return refuse("holds what is no request")
		}
	}
	return s, nil
}

// belongsTo reports whether the state's requests are for the given path (without query).
func (s state) belongsTo(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	link, _, _ := strings.Cut(s.Link, "?")
	return s.Link == "" || link == path
}

func (s state) encode() json.RawMessage {
	s.Version = stateVersion
	if s.Done {
		s = state{Version: stateVersion, Done: true}
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		panic(err) // strings, numbers and a bool always encode
	}
	return bytes.TrimSpace(buffer.Bytes())
}
