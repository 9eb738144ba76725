package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"longshore/internal/fault"
	"longshore/internal/lake"
	"longshore/internal/mapping"
)

// LatestEvent is the last thing that came to a webhook.
type LatestEvent struct {
	Event      mapping.Event
	Stream     string
	ObjectKey  string
	ReceivedAt time.Time
}

// Latest returns the last call at the webhook's door, or the first record of the newest object of the stream that is named.
// Errors: fault.NotFound when nothing came yet, fault.Unavailable when lake or database do not answer.
func (r *Receiver) Latest(ctx context.Context, hook Webhook, stream string) (LatestEvent, error) {
	if stream == "" {
		stream = EventStream
	}
	list, err := r.store.List(ctx, ObjectFilter{Namespaces: []string{hook.Key, hook.Identifier}, Stream: stream}, 1)
	if err != nil {
		return LatestEvent{}, err
	}
	nothing := fault.Errorf(fault.NotFound, "no event of stream %q has come to webhook %q yet", stream, hook.Identifier).
		WithCode("not_found", map[string]any{"resource": "Event"})
	if len(list) == 0 {
		return LatestEvent{}, nothing
	}
	o := list[0]
	body, _, err := r.bucket.Get(ctx, o.Key)
	if fault.Is(err, fault.NotFound) {
		return LatestEvent{}, nothing
	}
	if err != nil {
		return LatestEvent{}, fmt.Errorf("get %s: %w", o.Key, err)
	}
	defer body.Close()
	lines, err := lake.OpenReader(body, lake.ReaderOptions{})
	if err != nil {
		return LatestEvent{}, fmt.Errorf("read %s: %w", o.Key, err)
	}
	line, err := lines.Next()
	if errors.Is(err, io.EOF) || err == nil && line.Err != nil {
		return LatestEvent{}, nothing
	}
	if err != nil {
		return LatestEvent{}, fmt.Errorf("read %s: %w", o.Key, err)
	}
	at := o.FoundAt
	if line.ExtractedAt > 0 {
		at = time.UnixMilli(line.ExtractedAt).UTC()
	}
	ev := eventOf(line, o.Stream, o.Key)
	ev.Body, ev.Headers, ev.Query = bytes.Clone(ev.Body), bytes.Clone(ev.Headers), bytes.Clone(ev.Query)
	return LatestEvent{ev, o.Stream, o.Key, at}, nil
}
