package ingest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"longshore/internal/fault"
	"longshore/internal/lake"
)

// maxFoundBatch is how many listed objects are recorded at once.
const maxFoundBatch = 500

// Finder records objects that a listing showed; those known already are left alone.
type Finder interface {
	Found(ctx context.Context, found []Object) (fresh int, err error)
	// Known reports which of these versions are recorded already.
	Known(ctx context.Context, found []Object) (map[string]bool, error) // by Key + "\x00" + ETag
}

// Watcher finds objects that our own writer did not announce: those of a real Airbyte, or of an earlier life.
type Watcher struct {
	Bucket lake.Bucket
	Layout lake.Layout
	Store  Finder
	Every  time.Duration // pause between listings; 0 means 10 seconds
	Log    *slog.Logger
}

// Run lists until ctx ends. A listing that fails is tried again at the next turn.
func (w *Watcher) Run(ctx context.Context) error {
	every := w.Every
	if every == 0 {
		every = 10 * time.Second
	}
	turn := time.NewTicker(every)
	defer turn.Stop()
	for {
		if _, err := w.Look(ctx); err != nil && ctx.Err() == nil {
			w.Log.Warn("listing the lake failed", "bucket", w.Bucket.Name(), "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-turn.C:
		}
	}
}

// Looked is what a listing showed.
type Looked struct {
	Fresh   int            // objects that are new, and queued
	LeftOut map[string]int // objects that are no records', by reason
}

// Look lists the bucket once and queues what is new.
func (w *Watcher) Look(ctx context.Context) (looked Looked, err error) {
	looked.LeftOut = map[string]int{}
	var batch []Object
	locator := w.Layout.Locator()
	record := func() error {
		n, err := w.record(ctx, batch)
		looked.Fresh, batch = looked.Fresh+n, batch[:0]
		return err
	}
	for o, err := range w.Bucket.List(ctx, "", "") {
		if err != nil {
			return looked, fmt.Errorf("list bucket %s: %w", w.Bucket.Name(), err)
		}
		if strings.HasPrefix(o.Key, lake.OwnPrefix) {
			continue // manifests
		}
		if reason, ignored := lake.IgnoreObject(o); ignored {
			looked.LeftOut[reason]++
			continue
		}
		at, ok := locator.Locate(o.Key)
		if !ok {
			looked.LeftOut["the key has no namespace and stream where the layout puts them"]++
			continue
		}
		batch = append(batch, Object{
			Bucket: w.Bucket.Name(), Key: o.Key, ETag: o.ETag, Namespace: at.Namespace, Stream: at.Stream,
			Bytes: o.Bytes, RowsWritten: -1,
		})
		if len(batch) == maxFoundBatch {
			if err := record(); err != nil {
				return looked, err
			}
		}
	}
	return looked, record()
}

func (w *Watcher) record(ctx context.Context, listed []Object) (int, error) {
	known, err := w.Store.Known(ctx, listed)
	if err != nil {
		return 0, err
	}
	var found []Object
	for _, o := range listed {
		if known[o.Key+"\x00"+o.ETag] {
			continue
		}
		head, err := w.Bucket.Head(ctx, o.Key)
		if fault.Is(err, fault.NotFound) {
			continue // gone between the listing and now
		}
		if err != nil {
			return 0, fmt.Errorf("look at %s: %w", o.Key, err)
		}
		o.RowsWritten, o.SHA256 = ownCount(head)
		found = append(found, o)
	}
	if len(found) == 0 {
		return 0, nil
	}
	return w.Store.Found(ctx, found)
}

// ownCount reads what our own writer noted beside an object: how many lines it wrote.
func ownCount(o lake.Object) (rows int64, sha256 string) {
	var noted struct {
		Rows   *int64 `json:"rows"`
		SHA256 string `json:"sha256"`
	}
	if json.Unmarshal([]byte(o.Metadata[lake.CommitMetadata]), &noted) != nil || noted.Rows == nil {
		return -1, ""
	}
	return *noted.Rows, noted.SHA256
}
