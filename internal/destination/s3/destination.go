package s3

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"longshore/internal/fault"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
)

// Destination writes the batches of a connection into a bucket. It is safe for concurrent use.
type Destination struct {
	Bucket  lake.Bucket
	Layout  lake.Layout
	Format  Format
	TempDir string // where objects grow; "" means the system's
	// JournalDir is an existing folder where batches that grow are kept for a killed process's successor; "" means that
	// it asks the source again from the last durable object on.
	JournalDir string
	Now        func() time.Time // for names that tell the time; nil means time.Now
	Log        *slog.Logger     // nil means none

	mu      sync.Mutex
	shelves map[string]*shelf // by owner: the run at hand
}

var _ pipeline.Destination = (*Destination)(nil)

// Existing implements [pipeline.Destination].
func (d *Destination) Existing(ctx context.Context, p pipeline.Part) (pipeline.Commit, error) {
	o, n, err := d.find(ctx, p)
	if err != nil {
		return pipeline.Commit{}, err
	}
	c := n.Commit
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
		Seed: lake.Seed(p.SyncID, p.Namespace, p.Target(), p.Number), SyncID: p.SyncID,
		Generation: p.Generation, TempDir: d.TempDir, Plain: d.Format.Plain, Flatten: d.Format.Flatten,
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

// Commit puts the object, under a name that nobody has. Where an earlier run's object of this part lies, it is refused:
// Existing would have adopted it.
func (b *batch) Commit(ctx context.Context, c pipeline.Commit) (pipeline.Commit, error) {
	o, err := b.Close()
	if err != nil {
		return c, fmt.Errorf("finish batch: %w", err)
	}
	defer o.Close()
	c.LakeRows, c.Bytes, c.SHA256 = o.Rows, o.Bytes, o.SHA256
	text, err := noteText(note{Commit: c, Sync: b.part.SyncID, Part: b.part.Number})
	if err != nil {
		return c, err
	}
	free, err := b.d.free(ctx, b.part)
	if err != nil {
		return c, err
	}
	put, err := b.d.put(ctx, o, free, metadata(b.part.Generation, ownerOf(b.part), text))
	if err != nil {
		return c, err
	}
	c.Key, c.ETag = put.Key, put.ETag
	return c, nil
}

// WriteManifest implements [pipeline.Destination]. Behind the manifest of a whole generation it deletes those
// below the lowest that stays.
func (d *Destination) WriteManifest(ctx context.Context, run pipeline.Run, st pipeline.StreamRun, parts []pipeline.Commit) error {
	m := lake.Manifest{
		Connection: run.Connection.Name, SyncID: run.ID, Namespace: run.Connection.Namespace(), Stream: run.Connection.Prefix + st.Stream, Mode: st.Mode,
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
	if !m.Complete || st.Minimum == 0 {
		return nil
	}
	// Only now: the manifest says that the new generation is whole.
	_, err := d.Supersede(ctx, Superseded{
		Connection: run.Connection.Identity(), Namespace: m.Namespace, Stream: m.Stream, Before: st.Minimum,
	})
	return err
}
