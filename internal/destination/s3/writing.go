package s3

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"longshore/internal/fault"
	"longshore/internal/lake"
)

// When an object is closed, as Airbyte's S3 destination does it.
const (
	maxObjectBytes = 200 << 20        // compressed
	maxObjectAge   = 15 * time.Minute // from its first record on
	// maxOpen bounds the objects that grow at one time, each with a compressor and a file.
	maxOpen = 64
)

// Target is a stream that is written.
type Target struct {
	Namespace  string
	Stream     string
	Generation int64
	// Minimum is the lowest generation that stays: Generation, or 0 to keep all.
	Minimum int64
	SyncID  int64
}

// WritingOptions are the settings of a Writing. The zero value works.
type WritingOptions struct {
	Connection string        // which connection the streams are of; "" when it is not known
	MaxBytes   int64         // an object is closed beyond it; 0 means 200 MiB
	MaxAge     time.Duration // of an object, from its first record on; 0 means 15 minutes
	MaxOpen    int           // objects that grow at one time; 0 means 64
}

// Writing writes streams of records whose records come mixed, in a process of its own: what it has not put when it ends
// comes again. It is not safe for concurrent use.
type Writing struct {
	d       *Destination
	o       WritingOptions
	start   time.Time
	streams []*growing
	open    int
	begun   int // objects, of all streams
}

// growing is a stream that is being written.
type growing struct {
	Target
	writer *lake.Writer // nil when no object is open
	since  time.Time    // first record of it
	number int          // objects begun
	order  int          // of the open one among those of all streams
	stored int64
	rows   int64 // in the open object
	parts  parts
}

// Begin prepares to write the streams. start is the run's time, which the names tell.
func (d *Destination) Begin(streams []Target, start time.Time, o WritingOptions) *Writing {
	if o.MaxBytes == 0 {
		o.MaxBytes = maxObjectBytes
	}
	if o.MaxAge == 0 {
		o.MaxAge = maxObjectAge
	}
	if o.MaxOpen == 0 {
		o.MaxOpen = maxOpen
	}
	w := &Writing{d: d, o: o, start: start}
	for _, t := range streams {
		w.streams = append(w.streams, &growing{Target: t})
	}
	return w
}

// Write adds a record to a stream, with what was done to it on its way (a JSON array, or nil). stored tells that objects
// were put meanwhile.
func (w *Writing) Write(ctx context.Context, stream int, record, changes []byte, extractedAt time.Time) (stored bool, err error) {
	g := w.streams[stream]
	if g.writer == nil {
		if stored, err = w.begin(ctx, g); err != nil {
			return stored, err
		}
	}
	if err := g.writer.AppendChanged(record, changes, extractedAt); err != nil {
		return stored, err
	}
	g.rows++
	if g.writer.Bytes() >= w.o.MaxBytes {
		return true, w.put(ctx, g)
	}
	return stored, nil
}

// begin opens an object. When too many are open, the oldest one is put.
func (w *Writing) begin(ctx context.Context, g *growing) (stored bool, err error) {
	if w.open >= w.o.MaxOpen {
		if err := w.put(ctx, w.oldest()); err != nil {
			return false, err
		}
		stored = true
	}
	g.number++
	// Another run, another attempt of this one and another object all have other seeds.
	seed := lake.Seed(g.SyncID, g.Namespace, g.Stream, g.number) + "\x00" + strconv.FormatInt(w.start.UnixNano(), 10)
	g.writer, err = lake.NewWriter(lake.WriterOptions{
		Seed: seed, SyncID: g.SyncID, Generation: g.Generation, TempDir: w.d.TempDir, Plain: w.d.Format.Plain, Flatten: w.d.Format.Flatten,
	})
	if err != nil {
		return stored, err
	}
	w.open++
	w.begun++
	g.rows, g.since, g.order = 0, w.d.now(), w.begun
	return stored, nil
}

func (w *Writing) oldest() *growing {
	var oldest *growing
	for _, g := range w.streams {
		if g.writer != nil && (oldest == nil || g.order < oldest.order) {
			oldest = g
		}
	}
	return oldest
}

// Tick puts the objects that are old enough.
func (w *Writing) Tick(ctx context.Context) (stored bool, err error) {
	for _, g := range w.streams {
		if g.writer == nil || w.d.now().Sub(g.since) < w.o.MaxAge {
			continue
		}
		if err := w.put(ctx, g); err != nil {
			return stored, err
		}
		stored = true
	}
	return stored, nil
}

// Flush puts every object that is open.
func (w *Writing) Flush(ctx context.Context) error {
	for _, g := range w.streams {
		if g.writer != nil {
			if err := w.put(ctx, g); err != nil {
				return err
			}
		}
	}
	return nil
}

// Stored is how many records of the stream are in objects that can be read.
func (w *Writing) Stored(stream int) int64 { return w.streams[stream].stored }

// put closes the open object of a stream and puts it.
func (w *Writing) put(ctx context.Context, g *growing) error {
	writer := g.writer
	g.writer = nil
	w.open--
	o, err := writer.Close()
	if err != nil {
		return fmt.Errorf("finish an object of %s: %w", g.Stream, err)
	}
	defer o.Close()
	free, err := g.parts.next(ctx, w.d, w.input(g))
	if err != nil {
		return err
	}
	n := note{Sync: g.SyncID, Part: g.number}
	n.LakeRows, n.APIRows, n.SHA256 = o.Rows, o.Rows, o.SHA256
	text, err := noteText(n)
	if err != nil {
		return err
	}
	if _, err := w.d.put(ctx, o, free, metadata(g.Generation, owner(w.o.Connection, g.Namespace, g.Stream), text)); err != nil {
		return err
	}
	g.stored += g.rows
	return nil
}

func (w *Writing) input(g *growing) lake.KeyInput {
	return lake.KeyInput{
		Namespace: g.Namespace, Stream: g.Stream, Start: w.start, Extension: w.d.Format.Extension(), SyncID: g.SyncID, Now: w.d.now(),
	}
}

// Supersede deletes what the stream's generation takes the place of; nothing when it keeps all.
func (w *Writing) Supersede(ctx context.Context, stream int) (Removed, error) {
	g := w.streams[stream]
	if g.writer != nil {
		return Removed{}, errors.New("destination/s3: the stream is not stored yet") // a mistake of the caller's
	}
	s := Superseded{Connection: w.o.Connection, Namespace: g.Namespace, Stream: g.Stream, Before: g.Minimum}
	for i, other := range w.streams {
		if i != stream {
			s.Beside = append(s.Beside, w.d.Layout.Names(other.Namespace, other.Stream))
		}
	}
	return w.d.Supersede(ctx, s)
}

// Close lets go of the objects that were not put.
func (w *Writing) Close() {
	for _, g := range w.streams {
		if g.writer != nil {
			g.writer.Discard()
			g.writer = nil
		}
	}
	w.open = 0
}

// parts numbers the objects of a stream in its folder.
type parts struct {
	listed bool
	number int          // of the next
	used   map[int]bool // by versions up to 1.4, which begin with the count
}

// next is a name that nobody has: the next number, and behind it the next suffix.
func (n *parts) next(ctx context.Context, d *Destination, in lake.KeyInput) (slot, error) {
	if !n.listed {
		if err := n.list(ctx, d, in); err != nil {
			return slot{}, err
		}
	}
	for n.used[n.number] {
		n.number++
	}
	in.Part = n.number
	n.number++
	key := d.Layout.Key(in)
	for suffix := range maxSuffix {
		_, err := d.Bucket.Head(ctx, suffixed(key, suffix))
		if fault.Is(err, fault.NotFound) {
			return slot{in.Part, key, suffix}, nil
		}
		if err != nil {
			return slot{}, err
		}
	}
	return slot{}, taken(key)
}

// list finds where the numbers go on: behind the highest, or, as versions up to 1.4 do it, at the count of what is there,
// passing over numbers that are in use.
func (n *parts) list(ctx context.Context, d *Destination, in lake.KeyInput) error {
	names := d.Layout.NamesInFolder(in)
	count := 0
	for o, err := range d.Bucket.List(ctx, names.Prefix, "") {
		if err != nil {
			return fmt.Errorf("list what lies beside %s: %w", in.Stream, err)
		}
		number, ok := names.Part(o.Key)
		if !ok {
			continue
		}
		count++
		if !d.Layout.Old {
			n.number = max(n.number, number+1)
			continue
		}
		if n.used == nil {
			n.used = map[int]bool{}
		}
		n.used[number] = true
	}
	if d.Layout.Old {
		n.number = count
	}
	n.listed = true
	return nil
}
