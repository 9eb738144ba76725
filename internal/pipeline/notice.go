package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Kinds of notices.
const (
	NoticeHeld          = "held-back" // the schedule waits longer, for runs fail
	NoticeResumed       = "resumed"
	NoticeStreamAdded   = "stream-added"
	NoticeStreamRemoved = "stream-removed"
	NoticeFieldAdded    = "field-added"
	NoticeFieldRemoved  = "field-removed"
	NoticeFieldChanged  = "field-changed"
)

// Notice is what is to be known about a connection. It is kept for ever.
type Notice struct {
	ID     int64
	RunID  int64 // of the run in which it was seen; 0 for none
	At     time.Time
	Kind   string
	Stream string
	Text   string
}

// Discovery is what a source has: its streams, and their fields with their types as the source declares them.
type Discovery map[string]map[string]string

// maxFieldNotices is how many changed fields of a stream are told one by one.
const maxFieldNotices = 20

// Since tells what has changed since an earlier discovery.
func (d Discovery) Since(before Discovery) []Notice {
	var all []Notice
	for _, stream := range slices.Sorted(maps.Keys(d)) {
		was, ok := before[stream]
		if !ok {
			all = append(all, Notice{Kind: NoticeStreamAdded, Stream: stream, Text: "the source has a new stream"})
			continue
		}
		all = append(all, fieldsSince(stream, d[stream], was)...)
	}
	for _, stream := range slices.Sorted(maps.Keys(before)) {
		if _, ok := d[stream]; !ok {
			all = append(all, Notice{Kind: NoticeStreamRemoved, Stream: stream, Text: "the source has this stream no longer: it is skipped where it was chosen"})
		}
	}
	return all
}

func fieldsSince(stream string, now, before map[string]string) []Notice {
	var all []Notice
	for _, field := range slices.Sorted(maps.Keys(now)) {
		switch was, ok := before[field]; {
		case !ok:
			all = append(all, Notice{Kind: NoticeFieldAdded, Stream: stream, Text: fmt.Sprintf("new field %q (%s)", field, now[field])})
		case was != now[field]:
			all = append(all, Notice{Kind: NoticeFieldChanged, Stream: stream, Text: fmt.Sprintf("field %q was %s and is %s", field, was, now[field])})
		}
	}
	for _, field := range slices.Sorted(maps.Keys(before)) {
		if _, ok := now[field]; !ok {
			all = append(all, Notice{Kind: NoticeFieldRemoved, Stream: stream, Text: fmt.Sprintf("field %q is gone", field)})
		}
	}
	if len(all) > maxFieldNotices {
		rest := len(all) - maxFieldNotices
		all = append(all[:maxFieldNotices], Notice{Kind: NoticeFieldChanged, Stream: stream, Text: fmt.Sprintf("%d more fields have changed", rest)})
	}
	return all
}
