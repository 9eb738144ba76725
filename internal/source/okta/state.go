package okta

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"longshore/internal/fault"
	"longshore/internal/rawjson"
)

const (
	// maxStateBytes is the pipeline's bound.
	maxStateBytes = 1500
	stateVersion  = 1
	// stampLayout is how Okta's management objects, and Airbyte's states of users and groups, write an instant.
	stampLayout = "2006-01-02T15:04:05.000Z"
	// wholeLayout is how Airbyte's states of the log write one.
	wholeLayout = "2006-01-02T15:04:05Z"
)

// state is how far a stream is read. Requests in it are path and query, to be sent to the configured host.
//
// LastUpdated and Published are what Airbyte's source reads of a state: the bound up to which everything is known.
// They move on only when a read is complete, so that a state of a half-read stream makes it skip nothing.
type state struct {
	Version int    `json:"v"`
	Phase   int    `json:"n,omitempty"` // which of the stream's listings
	Link    string `json:"l,omitempty"` // the request to go on with; in a sub-stream that of the parents' page
	Parent  string `json:"p,omitempty"` // id of the last parent begun
	Child   string `json:"c,omitempty"` // the request to go on with inside of Parent; "" when it is done
	Recent  string `json:"r,omitempty"` // logs: the newest events' uuids, see recentEvents
	Latest  string `json:"t,omitempty"` // logs: the newest published time
	Began   string `json:"b,omitempty"` // the org's time when the read under way began
	Since   string `json:"s,omitempty"` // of streams that Airbyte reads whole: the bound up to which everything is known
	Follow  string `json:"f,omitempty"` // roles: the request for the log's events behind those that are accounted for
	Ranges  string `json:"g,omitempty"` // users listed with several cursors: the ranges that are left, see span
	Polled  string `json:"w,omitempty"` // logs: the org's time when a read last came to the log's end
	Hole    bool   `json:"h,omitempty"` // something of this read could not be read: its end is no bound, see account
	Done    bool   `json:"done,omitempty"`

	LastUpdated string `json:"lastUpdated,omitempty"` // users, groups
	Published   string `json:"published,omitempty"`   // logs
}

// parseState reads a stored state; nil, null and {} are the start. A state without a version is of Airbyte's source.
func parseState(data json.RawMessage) (state, error) {
	if IsStart(data) {
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
	if !rawjson.IsObject(bytes.TrimSpace(data)) {
		return refuse("is no state of this source")
	}
	if _, ours := rawjson.Get(data, "v"); !ours {
		return parseForeign(data, refuse)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return refuse("is no state of this source")
	}
	if s.Version != stateVersion {
		return refuse("was written by another version")
	}
	for _, link := range []string{s.Link, s.Child, s.Follow} {
		if link == "" {
			continue
		}
		if host, path, err := splitLink(link); err != nil || host != "" || path != link {
			return refuse("holds what is no request")
		}
	}
	for _, stamp := range []string{s.Began, s.Since, s.Polled, s.LastUpdated, s.Published} {
		if _, err := time.Parse(time.RFC3339, stamp); stamp != "" && err != nil {
			return refuse("holds what is no time")
		}
	}
	return s, nil
}

// parseForeign takes over a state of Airbyte's source: a bound, or the mark of a full refresh that is complete.
func parseForeign(data json.RawMessage, refuse func(string) (state, error)) (state, error) {
	s := state{Version: stateVersion}
	for name, member := range map[string]*string{"lastUpdated": &s.LastUpdated, "published": &s.Published} {
		value, ok := rawjson.Get(data, name)
		if !ok || rawjson.IsNull(value) {
			continue
		}
		text, _ := rawjson.String(value)
		at, err := parseForeignTime(text)
		if err != nil {
			return refuse("its " + name + " is no time")
		}
		*member = at.Format(time.RFC3339Nano)
	}
	if s.LastUpdated != "" || s.Published != "" {
		s.Done = s.LastUpdated != "" // the log is never done
		return s, nil
	}
	if airbyteDone(data) {
		return state{Version: stateVersion, Done: true}, nil
	}
	for _, name := range []string{"__ab_no_cursor_state_message", "__ab_full_refresh_sync_complete"} {
		if _, ok := rawjson.Get(data, name); ok {
			return s, nil
		}
	}
	return refuse("is no state of this source")
}

// parseForeignTime takes the forms of time that versions of Airbyte's source have written.
func parseForeignTime(text string) (time.Time, error) {
	text = strings.TrimSpace(text)
	if at, err := time.Parse("2006-01-02T15:04:05.999999999Z0700", text); err == nil { // +0000, without a colon
		return at.UTC(), nil
	}
	if at, err := time.Parse("2006-01-02T15:04:05.999999999", text); err == nil {
		return at.UTC(), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	return at.UTC(), err
}

func airbyteDone(data json.RawMessage) bool {
	value, ok := rawjson.Get(data, "__ab_full_refresh_sync_complete")
	return ok && string(value) == "true"
}

// IsStart reports whether a stored state says nothing: reading begins at the stream's start.
func IsStart(data json.RawMessage) bool {
	text := string(bytes.TrimSpace(data))
	return text == "" || text == "null" || text == "{}"
}

// ResumeFull returns the state from which a full refresh goes on: the given one when it is of a full refresh under way,
// else nil, the start. done is a full refresh that is complete. A bound of incremental reads has no say. A refresh that
// left something out begins again, since whoever goes on with it would not tell what is missing.
func ResumeFull(data json.RawMessage) (from json.RawMessage, done bool) {
	s, err := parseState(data)
	switch {
	case err != nil:
		return data, false // Read tells what is wrong with it
	case s.Hole:
		return nil, false
	case s.Done && (airbyteDone(data) || hasVersion(data)):
		return data, true
	case s.bound() != "" && s.Published == "" || !hasVersion(data):
		return nil, false
	}
	return data, false
}

// ResumeChanges returns the state from which an incremental read goes on. Like a full refresh, one under way that left
// something out begins again, at its bound or, without one, at the start.
func ResumeChanges(data json.RawMessage) json.RawMessage {
	s, err := parseState(data)
	switch {
	case err != nil || !s.Hole || s.Done:
		return data
	case s.bound() == "":
		return nil
	}
	s.Done, s.Follow = true, ""
	return s.encode()
}

func hasVersion(data json.RawMessage) bool {
	_, ok := rawjson.Get(data, "v")
	return ok
}

// bound is the time up to which everything is known, or "".
func (s state) bound() string {
	switch {
	case s.LastUpdated != "":
		return s.LastUpdated
	case s.Since != "":
		return s.Since
	}
	return s.Published
}

// belongsTo reports whether the state's requests are for the given path (without query).
func (s state) belongsTo(path string) bool {
	path, _, _ = strings.Cut(path, "?")
	link, _, _ := strings.Cut(s.Link, "?")
	return s.Link == "" || link == path
}

// encode writes the state. Of a stream that is read to its end only the bounds are left.
func (s state) encode() json.RawMessage {
	s.Version = stateVersion
	if s.Done {
		s = state{Version: stateVersion, Done: true, Hole: s.Hole, LastUpdated: s.LastUpdated, Published: s.Published, Since: s.Since, Follow: s.Follow}
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		panic(err) // strings, numbers and a bool always encode
	}
	return bytes.TrimSpace(buffer.Bytes())
}
