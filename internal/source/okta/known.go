package okta

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
)

// maxKnown bounds the records of lists that a follower remembers: some 60 MB. What does not find room is looked up in
// the lake when it is needed.
const maxKnown = 1 << 17

// listStream is a stream whose records are listed below a parent. Okta has no word for an element that has gone: it is
// what was known of the parent and is no longer listed.
type listStream struct {
	name   string
	parent string // the member that holds the parent's id
	key    string // the member of the answer that holds the list, or ""
	path   func(id string) string
}

// recalled is the newest that is known of one element of a list.
type recalled struct {
	record     []byte // shortened to what names it; nil once it is gone
	targets    string // ids of what it is limited to, or everyTarget
	generation int64
	at         int64
}

// memory is what is known of the lists, by stream, parent and key.
type memory struct {
	lists map[string]map[string]map[string]recalled
	keys  map[string][][]string // the primary key of each stream
	count int
	full  map[string]bool // streams of which not all found room
	limit int
}

func newMemory(keys map[string][][]string) *memory {
	return &memory{lists: map[string]map[string]map[string]recalled{}, keys: keys, full: map[string]bool{}, limit: maxKnown}
}

// elementKey is the primary key of a record, as text that no other key of the stream has.
func elementKey(primary [][]string, record []byte) string {
	var key []byte
	for _, path := range primary {
		value, _ := rawjson.Get(record, path...)
		key = append(append(key, bytes.TrimSpace(value)...), 0)
	}
	return string(key)
}

// keptMembers are what a record that is gone still tells: its keys, and what mappings make identifiers of.
var keptMembers = []string{"id", "label", "type", "assignmentType", "resource-set", "role", "orn", "roleId", "userId", "groupId", "clientId", "resourceSetId", "memberType", "memberId", "principalType", "principalId"}

// shorten keeps of a record what names it.
func shorten(record []byte, primary [][]string) []byte {
	short := []byte("{}")
	add := func(name string, value []byte) {
		if _, have := rawjson.Get(short, name); !have {
			short = rawjson.AppendMember(nil, short, name, value)
		}
	}
	for _, name := range keptMembers {
		if value, ok := rawjson.Get(record, name); ok {
			add(name, value)
		}
	}
	for _, path := range primary {
		if value, ok := rawjson.Get(record, path[0]); ok && path[0] != "_links" {
			add(path[0], value)
		}
	}
	links := []byte("{}")
	for _, name := range []string{"assignee", "role", "resource-set", "self"} {
		if value, ok := rawjson.Get(record, "_links", name); ok {
			links = rawjson.AppendMember(nil, links, name, value)
		}
	}
	if len(links) > 2 {
		add("_links", links)
	}
	return short
}

// learn takes a record of the lake, or one that is about to lie there.
func (m *memory) learn(stream listStream, r pipeline.Recalled) {
	parent := rawjson.GetString(r.Record, stream.parent)
	if parent == "" {
		return
	}
	key := elementKey(m.keys[stream.name], r.Record)
	_, gone := rawjson.Get(r.Record, pipeline.DeletedMember)
	old, have := m.lists[stream.name][parent][key]
	if have && (old.generation > r.Generation || old.generation == r.Generation && old.at > r.ExtractedAt) {
		return
	}
	if !have && m.count >= m.limit {
		m.full[stream.name] = true
		return
	}
	if m.lists[stream.name] == nil {
		m.lists[stream.name] = map[string]map[string]recalled{}
	}
	if m.lists[stream.name][parent] == nil {
		m.lists[stream.name][parent] = map[string]recalled{}
	}
	kept := recalled{generation: r.Generation, at: r.ExtractedAt}
	if !gone {
		kept.record = shorten(r.Record, m.keys[stream.name])
		kept.targets = targetIDs(r.Record)
	}
	m.lists[stream.name][parent][key] = kept
	if !have {
		m.count++
	}
}

// settle forgets what is gone: only while the lake is folded must an older record not bring it back.
func (m *memory) settle() {
	for _, parents := range m.lists {
		for parent, elements := range parents {
			for key, r := range elements {
				if r.record == nil {
					delete(elements, key)
					m.count--
				}
			}
			if len(elements) == 0 {
				delete(parents, parent)
			}
		}
	}
}

// replace makes records the elements of a parent and returns those that are no longer among them.
func (m *memory) replace(stream listStream, parent string, records [][]byte) (gone [][]byte) {
	fresh := map[string]bool{}
	for _, record := range records {
		fresh[elementKey(m.keys[stream.name], record)] = true
	}
	elements := m.lists[stream.name][parent]
	for key, r := range elements {
		if !fresh[key] {
			gone = append(gone, r.record)
			delete(elements, key)
			m.count--
		}
	}
	if len(elements) == 0 {
		delete(m.lists[stream.name], parent)
	}
	for _, record := range records {
		m.learn(stream, pipeline.Recalled{Record: record, Generation: maxGeneration})
	}
	return gone
}

// maxGeneration is that of what is newer than anything in the lake.
const maxGeneration = 1<<63 - 1

// through returns the users who are known to hold a role through the group.
func (m *memory) through(group string) []string {
	var users []string
	for user, assignments := range m.lists[userRolesStream] {
		for _, r := range assignments {
			if lastSegment(rawjson.GetString(r.record, "_links", "assignee", "href")) == group {
				users = append(users, user)
				break
			}
		}
	}
	return users
}

// everyTarget stands for targets that are too many to be remembered.
const everyTarget = "*"

// maxTargetIDBytes bounds the ids that are remembered of an assignment: some 200.
const maxTargetIDBytes = 4096

// targetIDs are the ids of the targets that a record lists, each with a space on either side.
func targetIDs(record []byte) string {
	list, ok := rawjson.Get(record, "targets")
	if !ok {
		return ""
	}
	ids := " "
	for target, err := range rawjson.Elements(list) {
		if ids += rawjson.GetString(target, "id") + " "; err != nil || len(ids) > maxTargetIDBytes {
			return everyTarget
		}
	}
	return ids
}

// limitedTo returns the principals with a role that is limited to the object, by their kind.
func (m *memory) limitedTo(id string) map[string][]string {
	all := map[string][]string{}
	for principal, assignments := range m.lists[roleTargetsStream] {
		for _, r := range assignments {
			if r.targets == everyTarget || strings.Contains(r.targets, " "+id+" ") {
				kind := rawjson.GetString(r.record, "principalType")
				all[kind] = append(all[kind], principal)
				break
			}
		}
	}
	return all
}

// holds reports whether any element of the parent is known.
func (m *memory) holds(stream, parent string) bool { return len(m.lists[stream][parent]) > 0 }

// fold reads the lists out of the lake.
func (m *memory) fold(ctx context.Context, streams []listStream, opts pipeline.FollowOptions) error {
	if opts.Recall == nil {
		return nil
	}
	for _, stream := range streams {
		for r, err := range opts.Recall(ctx, stream.name) {
			if err != nil {
				return fmt.Errorf("recall %s: %w", stream.name, err)
			}
			m.learn(stream, r)
		}
	}
	m.settle()
	return nil
}

// tombstone is a record of an object that is gone.
func tombstone(record []byte, at time.Time) []byte {
	return rawjson.AppendMember(nil, record, pipeline.DeletedMember, rawjson.AppendString(nil, at.UTC().Format(time.RFC3339)))
}

// object is a record of these string members, given as name and value in turn.
func object(members ...string) []byte {
	record := []byte("{}")
	for i := 0; i < len(members); i += 2 {
		record = rawjson.AppendMember(nil, record, members[i], rawjson.AppendString(nil, members[i+1]))
	}
	return record
}

func lastSegment(path string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return path[i+1:]
		}
	}
	return path
}
