// Package s3 is the S3 Destination: gzip JSON Lines with Airbyte's envelope, one object a batch, under Airbyte's keys.
package s3

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"longshore/internal/fault"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
)

// maxMetadataBytes bounds a commit as metadata: S3 allows 2 KB an object.
const maxMetadataBytes = 1900

// Destination writes the batches of a connection into a bucket.
type Destination struct {
	Bucket  lake.Bucket
	Layout  lake.Layout
	TempDir string // where objects grow; "" means the system's
	// JournalDir is an existing folder where batches that grow are kept for a killed process's successor; "" means that
	// it asks the source again from the last durable object on.
	JournalDir string
}

var _ pipeline.Destination = (*Destination)(nil)

// Key is the object key of a part.
func (d *Destination) Key(p pipeline.Part) string {
	return d.Layout.Key(lake.KeyInput{
		Namespace: p.Namespace, Stream: p.Stream, Start: p.Start, Part: p.Number,
		Extension: ".jsonl.gz", SyncID: p.SyncID,
	})
}

// Existing implements [pipeline.Destination].
func (d *Destination) Existing(ctx context.Context, p pipeline.Part) (pipeline.Commit, error) {
	key := d.Key(p)
	o, err := d.Bucket.Head(ctx, key)
	if err != nil {
		return pipeline.Commit{}, err
	}
	text, ok := o.Metadata[lake.CommitMetadata]
	if !ok {
		return pipeline.Commit{}, fault.Errorf(fault.Conflict, "object %s is there already, and this connection did not write it", key).
			WithHint("two connections write to one path: give each its own namespace")
	}
	var c pipeline.Commit
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, fmt.Errorf("read the commit of %s: %w", key, err)
	}
	c.Key, c.ETag, c.Bytes = o.Key, o.ETag, o.Bytes
	return c, nil
}

// Open implements [pipeline.Destination].
func (d *Destination) Open(p pipeline.Part) (pipeline.Batch, error) {
	b, err := d.open(p)
	if err != nil {
		return nil, err
	}
	if d.JournalDir != "" {
		if b.journal, err = newJournal(d.JournalDir, p); err != nil {
			b.Discard()
			return nil, err
		}
	}
	return b, nil
}

func (d *Destination) open(p pipeline.Part) (*batch, error) {
	w, err := lake.NewWriter(lake.WriterOptions{
		Seed: lake.Seed(p.SyncID, p.Namespace, p.Stream, p.Number), SyncID: p.SyncID,
		Generation: p.Generation, TempDir: d.TempDir,
	})
	if err != nil {
		return nil, err
	}
	return &batch{Writer: w, d: d, part: p}, nil
}

// Resume implements [pipeline.Destination]: the batch is written again from its journal, which then grows on.
func (d *Destination) Resume(p pipeline.Part) (pipeline.Batch, pipeline.Commit, error) {
	if d.JournalDir == "" {
		return nil, pipeline.Commit{}, fault.Errorf(fault.NotFound, "batches are not kept")
	}
	file, c, length, err := openJournal(d.JournalDir, p)
	if err != nil {
		return nil, c, err
	}
	b, err := d.open(p)
	if err != nil {
		file.Close()
		return nil, c, err
	}
	b.journal = &journal{file: file, out: bufio.NewWriterSize(file, 64<<10), path: file.Name()}
	err = replay(file, length, b.Writer.Append)
	if err == nil {
		err = file.Truncate(length)
	}
	if err == nil {
		_, err = file.Seek(length, io.SeekStart)
	}
	if err != nil {
		b.Forget() // what cannot be taken up is asked for again
		return nil, c, fault.Errorf(fault.NotFound, "take up part %d of %s: %w", p.Number, p.Stream, err)
	}
	return b, c, nil
}

type batch struct {
	*lake.Writer
	d       *Destination
	part    pipeline.Part
	journal *journal // nil when batches are not kept
}

// Append implements [pipeline.Batch].
func (b *batch) Append(record []byte, extractedAt time.Time) error {
	if err := b.Writer.Append(record, extractedAt); err != nil || b.journal == nil {
		return err
	}
	return b.kept(b.journal.record(record, extractedAt))
}

// Checkpoint implements [pipeline.Batch].
func (b *batch) Checkpoint(c pipeline.Commit) error {
	if b.journal == nil {
		return nil
	}
	return b.kept(b.journal.checkpoint(c))
}

func (b *batch) kept(err error) error {
	if err != nil {
		return fault.Errorf(fault.Unavailable, "write a batch's journal: %w", err).WithHint("free some space on the disk of the data folder, then run again")
	}
	return nil
}

// Discard implements [pipeline.Batch]. The journal stays, up to its last checkpoint.
func (b *batch) Discard() {
	b.Writer.Discard()
	if b.journal != nil {
		b.journal.close()
	}
}

// Forget implements [pipeline.Batch].
func (b *batch) Forget() {
	b.Writer.Discard()
	if b.journal != nil {
		b.journal.forget()
	}
}

// Commit puts the object. A key that is taken is refused: an earlier run's object would have been adopted by Existing.
func (b *batch) Commit(ctx context.Context, c pipeline.Commit) (pipeline.Commit, error) {
	o, err := b.Close()
	if err != nil {
		return c, fmt.Errorf("finish batch: %w", err)
	}
	defer o.Close()
	c.LakeRows, c.Bytes, c.SHA256 = o.Rows, o.Bytes, o.SHA256
	c.Key = b.d.Key(b.part)
	text, err := commitText(c)
	if err != nil {
		return c, err
	}
	if _, err := o.File.Seek(0, io.SeekStart); err != nil {
		return c, fmt.Errorf("rewind object: %w", err)
	}
	put, err := b.d.Bucket.Put(ctx, c.Key, o.File, o.Bytes, lake.PutOptions{
		IfAbsent: true, ContentType: "application/octet-stream",
		Metadata: map[string]string{lake.GenerationMetadata: strconv.FormatInt(b.part.Generation, 10), lake.CommitMetadata: text},
	})
	if err != nil {
		return c, fmt.Errorf("put %s: %w", c.Key, err)
	}
	c.ETag = put.ETag
	return c, nil
}

// commitText is a commit as metadata: JSON in ASCII, as S3 wants it, of at most maxMetadataBytes. What only the manifest
// and people read gives way to what a run is taken up by: first gaps and cursors are cut, then left out.
func commitText(c pipeline.Commit) (string, error) {
	const maxGaps, maxGapBytes, maxCursorBytes = 3, 100, 200
	gaps := make([]string, 0, maxGaps)
	for _, g := range c.Gaps[:min(len(c.Gaps), maxGaps)] {
		gaps = append(gaps, cut(g, maxGapBytes))
	}
	c.Gaps = gaps
	shorten := []func(){
		func() {},
		func() {
			c.FirstCursor, c.LastCursor = cut(c.FirstCursor, maxCursorBytes), cut(c.LastCursor, maxCursorBytes)
		},
		func() { c.FirstCursor, c.LastCursor = "", "" },
		func() { // one gap makes the stream partial
			if len(c.Gaps) > 0 {
				c.Gaps = []string{cut(c.Gaps[0], 40)}
			}
		},
	}
	var text string
	for _, step := range shorten {
		step()
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(c); err != nil {
			return "", err
		}
		if text = ascii(strings.TrimSpace(b.String())); len(text) <= maxMetadataBytes {
			return text, nil
		}
	}
	return "", fault.Errorf(fault.Internal, "the commit of %s takes %d bytes of metadata, more than %d", c.Key, len(text), maxMetadataBytes)
}

// cut keeps the first n bytes of a text, whole characters only.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "")
}

// ascii escapes what of a JSON text is beyond ASCII.
func ascii(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < 0x7f:
			b.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, "\\u%04x\\u%04x", high, low)
		default:
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}

// WriteManifest implements [pipeline.Destination].
func (d *Destination) WriteManifest(ctx context.Context, run pipeline.Run, st pipeline.StreamRun, parts []pipeline.Commit) error {
	m := lake.Manifest{
		Connection: run.Connection.Name, SyncID: run.ID, Namespace: run.Connection.Namespace(), Stream: st.Stream, Mode: st.Mode,
		Generation: st.Generation, StartedAt: st.StartedAt, FinishedAt: st.FinishedAt, Pages: st.Pages, Rows: st.LakeRows,
		FirstCursor: st.FirstCursor, LastCursor: st.LastCursor, Statuses: st.Statuses, Complete: st.Status == pipeline.Complete, Reasons: st.Gaps,
		Snapshot: st.Status == pipeline.Complete && st.Mode == pipeline.FullRefresh,
	}
	if st.Error != "" && !slices.Contains(st.Gaps, st.Error) { // it broke off
		m.Reasons = append([]string{st.Error}, st.Gaps...)
	}
	for _, c := range parts {
		m.Objects = append(m.Objects, lake.ManifestObject{Key: c.Key, Rows: c.LakeRows, Bytes: c.Bytes, SHA256: c.SHA256, ETag: c.ETag})
	}
	if _, err := lake.PutManifest(ctx, d.Bucket, m); err != nil {
		return fmt.Errorf("write the manifest of %s: %w", st.Stream, err)
	}
	return nil
}
