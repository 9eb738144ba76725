package receipt

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"longshore/internal/lake"
	"longshore/internal/pipeline"
	"longshore/internal/rawjson"
)

const (
	// maxChangedLines bounds the lines that are looked at: a run that changed more did not follow a feed.
	maxChangedLines = 200_000
	// missedOverlap is how long before a run what the feed brought counts as changed while the run was under way.
	missedOverlap = 5 * time.Minute
)

// ChangedLine is a line of the lake that changed an entity. After is the history's JSON of what it changed.
type ChangedLine struct {
	ObjectKey, Stream string
	Line              int64
	After             string
}

// FeedLedger knows what runs and feeds wrote.
type FeedLedger interface {
	ChangedLines(ctx context.Context, runID int64, limit int) ([]ChangedLine, error)
	FeedObjects(ctx context.Context, connectionID int64, stream string, since time.Time) ([]string, error)
}

// Missed counts, by stream, the records of a full run that changed the catalog although a feed had been following: what
// the feed had missed. Records of objects that the feed brought while the run was under way are no misses: the run was
// only quicker. The caller sees to it that all of the run is ingested and that the feed has caught up with it. Objects
// that changed in members alone that a feed leaves to full runs (ignored) are passed over.
func Missed(ctx context.Context, ledger FeedLedger, bucket lake.Bucket, run pipeline.Run, streams []pipeline.Stream, ignored []string) (map[string]int64, error) {
	changed, err := ledger.ChangedLines(ctx, run.ID, maxChangedLines)
	if err != nil {
		return nil, err
	}
	lines := map[string]map[string]map[int64]bool{} // stream → object → lines
	for _, c := range changed {
		if onlyIn(c.After, ignored) {
			continue
		}
		if lines[c.Stream] == nil {
			lines[c.Stream] = map[string]map[int64]bool{}
		}
		if lines[c.Stream][c.ObjectKey] == nil {
			lines[c.Stream][c.ObjectKey] = map[int64]bool{}
		}
		lines[c.Stream][c.ObjectKey][c.Line] = true
	}
	missed := map[string]int64{}
	for _, st := range streams {
		if len(lines[st.Name]) == 0 {
			continue
		}
		n, err := missedOf(ctx, ledger, bucket, run, st, lines[st.Name])
		if err != nil {
			return nil, fmt.Errorf("count what the feed missed of %s: %w", st.Name, err)
		}
		if n > 0 {
			missed[st.Name] = n
		}
	}
	return missed, nil
}

func missedOf(ctx context.Context, ledger FeedLedger, bucket lake.Bucket, run pipeline.Run, st pipeline.Stream, lines map[string]map[int64]bool) (int64, error) {
	keys := map[string]bool{}
	for object, wanted := range lines {
		for line, err := range lake.Lines(ctx, bucket, []string{object}) {
			if err != nil {
				return 0, err
			}
			if wanted[line.Number] {
				keys[keyOf(st.PrimaryKey, line.Body)] = true
			}
		}
	}
	since := run.StartedAt.Add(-missedOverlap)
	objects, err := ledger.FeedObjects(ctx, run.Connection.ID, st.Name, since)
	if err != nil {
		return 0, err
	}
	for line, err := range lake.Lines(ctx, bucket, objects) {
		if err != nil {
			return 0, err
		}
		if line.ExtractedAt >= since.UnixMilli() {
			delete(keys, keyOf(st.PrimaryKey, line.Body))
		}
	}
	return int64(len(keys)), nil
}

func keyOf(primary [][]string, record []byte) string {
	var parts []string
	for _, path := range primary {
		value, _ := rawjson.Get(record, path...)
		parts = append(parts, string(value))
	}
	return strings.Join(parts, "\x00")
}

// onlyIn reports whether a change is of these properties alone.
func onlyIn(after string, names []string) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(after), &fields) != nil || len(fields) == 0 {
		return false
	}
	var properties map[string]json.RawMessage
	for name, value := range fields {
		if name != "properties" || json.Unmarshal(value, &properties) != nil {
			return false
		}
	}
	for name := range properties {
		if !slices.Contains(names, name) {
			return false
		}
	}
	return len(properties) > 0
}
