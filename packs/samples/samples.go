// Package samples turns recorded answers of Okta's API into the records that the source would have written to the lake.
// It is for tests: the recordings are not part of the project, and a test without them skips.
//
// A recording is a JSON list of exchanges, each with the request line ("GET /api/v1/users/00u1/roles"), the status and
// the body. The request's path decides the stream and the parent's id that the record carries:
//
//	/api/v1/users, /users/{id}                   users
//	/api/v1/groups, /groups/{id}, /users/{id}/groups  groups
//	/api/v1/groups/{id}/users                    group_members, groupId
//	/api/v1/users/{id}/roles                     user_role_assignments, userId
//	/api/v1/groups/{id}/roles                    group_role_assignments, groupId
//	/oauth2/v1/clients/{id}/roles                client_role_assignments, clientId
//	/api/v1/iam/roles, /iam/roles/{id}           custom_roles
//	/api/v1/iam/roles/{id}/permissions           permissions, roleId
//	/api/v1/iam/resource-sets                    resource_sets
package samples

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"longshore/internal/fault"
)

// maxFileBytes bounds one recording.
const maxFileBytes = 64 << 20

// Dir looks for the recordings near a checkout of the project: in shared/okta-samples beside root or one folder further up.
func Dir(root string) (string, bool) { return near(root, "okta-samples") }

// GuideDir looks for the guide's own documents in the same places.
func GuideDir(root string) (string, bool) { return near(root, "guide") }

func near(root, name string) (string, bool) {
	for _, up := range []string{"..", "../.."} {
		dir := filepath.Join(root, up, "shared", name)
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir, true
		}
	}
	return "", false
}

// Key is the key of a lake object of the stream, as Airbyte's S3 destination names it for the namespace "okta".
func Key(stream string) string {
	return "data/okta/" + stream + "/year=2026/month=03/05_1772668800000_0.jsonl.gz"
}

// Load reads every recording in dir and returns the records of each stream: one JSON object each, compact, distinct,
// in the order of the files' names and of the exchanges. Exchanges of other endpoints are passed by.
func Load(dir string) (map[string][][]byte, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, fmt.Errorf("list recordings: %w", err)
	}
	if len(names) == 0 {
		return nil, fault.Errorf(fault.NotFound, "no recordings in %q", dir)
	}
	s := set{records: map[string][][]byte{}, seen: map[string]bool{}}
	for _, name := range names {
		text, err := read(name)
		if err != nil {
			return nil, err
		}
		if err := s.file(filepath.Base(name), text); err != nil {
			return nil, fmt.Errorf("read recording %q: %w", filepath.Base(name), err)
		}
	}
	return s.records, nil
}

func read(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Errorf(fault.NotFound, "no recording %q", name)
	}
	if err != nil {
		return nil, fmt.Errorf("read recording: %w", err)
	}
	if info.Size() > maxFileBytes {
		return nil, fault.Errorf(fault.Invalid, "recording %q: %d bytes, at most %d", name, info.Size(), maxFileBytes)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read recording: %w", err)
	}
	return text, nil
}

// set gathers distinct records.
type set struct {
	records map[string][][]byte
	seen    map[string]bool // stream + record, and "uuid" + an event's uuid
}

// file takes one file: a list of exchanges, or of log events (bare or under "event").
func (s *set) file(name string, text []byte) error {
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		return nil // a table of examples or a single document: no exchanges
	}
	if strings.HasPrefix(name, "logs") {
		return s.events(text)
	}
	var exchanges []struct {
		Request string          `json:"request"`
		Status  int             `json:"status"`
		Body    json.RawMessage `json:"body"`
	}
	if err := json.Unmarshal(text, &exchanges); err != nil {
		return err
	}
	for i, e := range exchanges {
		stream, field, parent, key := route(e.Request)
		if stream == "" || e.Status/100 != 2 {
			continue
		}
		bodies, err := split(e.Body, key)
		if err != nil {
			return fmt.Errorf("exchange %d, %s: %w", i, e.Request, err)
		}
		for _, body := range bodies {
			if err := s.add(stream, body, field, parent); err != nil {
				return fmt.Errorf("exchange %d, %s: %w", i, e.Request, err)
			}
		}
	}
	return nil
}

// events takes the first event of each uuid: published examples repeat one with changes.
func (s *set) events(text []byte) error {
	var entries []json.RawMessage
	if err := json.Unmarshal(text, &entries); err != nil {
		return err
	}
	for i, entry := range entries {
		var wrapped struct {
			Event json.RawMessage `json:"event"`
		}
		if err := json.Unmarshal(entry, &wrapped); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
		if wrapped.Event != nil {
			entry = wrapped.Event
		}
		var event struct {
			UUID string `json:"uuid"`
		}
		if err := json.Unmarshal(entry, &event); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
		if s.seen["uuid "+event.UUID] {
			continue
		}
		s.seen["uuid "+event.UUID] = true
		if err := s.add("logs", entry, "", ""); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	return nil
}

// add keeps the record, with the parent's id as its last member, unless it was there before.
func (s *set) add(stream string, body []byte, field, parent string) error {
	var record bytes.Buffer
	if err := json.Compact(&record, body); err != nil {
		return err
	}
	if record.Len() < len(`{"a":1}`) || record.Bytes()[0] != '{' {
		return fault.Errorf(fault.Invalid, "want an object, got %.40q", body)
	}
	if field != "" {
		id, err := json.Marshal(parent)
		if err != nil {
			return err
		}
		record.Truncate(record.Len() - 1)
		fmt.Fprintf(&record, ",%q:%s}", field, id)
	}
	if mark := stream + " " + record.String(); !s.seen[mark] {
		s.seen[mark] = true
		s.records[stream] = append(s.records[stream], record.Bytes())
	}
	return nil
}

// split gives the objects of a body: the body itself, its items, or those of its member key.
func split(body json.RawMessage, key string) ([]json.RawMessage, error) {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil, fault.Errorf(fault.Invalid, "no body")
	}
	if body[0] == '{' && key != "" {
		var members map[string]json.RawMessage
		if err := json.Unmarshal(body, &members); err != nil {
			return nil, err
		}
		if list, ok := members[key]; ok {
			body = list
		}
	}
	if body[0] != '[' {
		return []json.RawMessage{body}, nil
	}
	var items []json.RawMessage
	err := json.Unmarshal(body, &items)
	return items, err
}

// route reads a request line: the stream of the answer's objects, the member that gets the parent's id, that id, and
// the member of a body that holds the list. The stream is "" for an endpoint that no stream reads.
func route(request string) (stream, field, parent, key string) {
	_, path, _ := strings.Cut(request, " ")
	path, _, _ = strings.Cut(path, "?")
	path = strings.TrimPrefix(strings.TrimPrefix(path, "/api/v1/"), "/oauth2/v1/")
	part := strings.Split(path, "/")
	shape := part[0]
	if shape == "iam" && len(part) > 1 {
		part = part[1:]
		shape = "iam " + part[0]
	}
	if len(part) > 2 {
		parent = part[1]
		shape += " " + strings.Join(part[2:], "/")
	} else if len(part) == 2 && part[1] == "rules" {
		return "", "", "", ""
	}
	switch shape {
	case "users":
		return "users", "", "", ""
	case "groups", "users groups":
		return "groups", "", "", ""
	case "groups users":
		return "group_members", "groupId", parent, ""
	case "users roles":
		return "user_role_assignments", "userId", parent, ""
	case "groups roles":
		return "group_role_assignments", "groupId", parent, ""
	case "clients roles":
		return "client_role_assignments", "clientId", parent, ""
	case "iam roles":
		return "custom_roles", "", "", "roles"
	case "iam roles permissions":
		return "permissions", "roleId", parent, "permissions"
	case "iam resource-sets":
		return "resource_sets", "", "", "resource-sets"
	}
	return "", "", "", ""
}
