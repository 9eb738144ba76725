package s3

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"longshore/internal/fault"
	"longshore/internal/lake"
)

// deleteParallel is how many objects are asked about, and deleted, at one time.
const deleteParallel = 8

// Superseded are the generations of a stream that a whole one takes the place of.
type Superseded struct {
	Connection string // pipeline.Connection's identity; "" when it is not known
	Namespace  string
	Stream     string // at the destination
	Before     int64  // generations below this one; 0 is none
	// Beside are the names of the other streams that are written: what could be theirs too is left alone.
	Beside []lake.Names
}

// Removed tells what a Supersede did.
type Removed struct {
	Objects int64 // deleted
	Bytes   int64
	Others  int64 // of a lower generation, but of another connection or stream: left alone
}

// Supersede deletes the objects of older generations of a stream: those whose key is one of the stream's names and whose
// generation (0 when it is not noted) lies below. Objects that say that they are another connection's or stream's, and
// those with other names, are left alone. It may be called again.
func (d *Destination) Supersede(ctx context.Context, s Superseded) (Removed, error) {
	var removed Removed
	if s.Before <= 0 {
		return removed, nil
	}
	names := d.Layout.Names(s.Namespace, s.Stream)
	if !names.OfStream {
		return removed, fault.Errorf(fault.Invalid, "the older generations of %s cannot be told from other streams: the path format does not name the stream", s.Stream).
			WithHint("put ${STREAM_NAME} into s3_path_format, or choose a sync mode that appends")
	}
	var objects, bytes, others atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(deleteParallel)
	for o, err := range d.Bucket.List(ctx, names.Prefix, "") {
		if err != nil {
			group.Go(func() error { return fmt.Errorf("list the older generations of %s: %w", s.Stream, err) })
			break
		}
		if !s.named(names, o.Key) {
			continue
		}
		group.Go(func() error {
			switch gone, other, err := d.supersede(ctx, s, o.Key); {
			case err != nil:
				return err
			case other:
				others.Add(1)
			case gone:
				objects.Add(1)
				bytes.Add(o.Bytes)
			}
			return nil
		})
	}
	err := group.Wait()
	removed = Removed{objects.Load(), bytes.Load(), others.Load()}
	if d.Log != nil && removed != (Removed{}) {
		d.Log.Info("older generations deleted", "namespace", s.Namespace, "stream", s.Stream, "before", s.Before,
			"objects", removed.Objects, "bytes", removed.Bytes, "left to others", removed.Others)
	}
	return removed, err
}

// named reports whether a key is of this stream, and could be of no other.
func (s Superseded) named(names lake.Names, key string) bool {
	if _, ok := names.Part(key); !ok {
		return false
	}
	for _, other := range s.Beside {
		if _, ok := other.Part(key); ok {
			return false
		}
	}
	return true
}

// supersede deletes one object if it is of an older generation and nobody else's.
func (d *Destination) supersede(ctx context.Context, s Superseded, key string) (gone, other bool, err error) {
	o, err := d.Bucket.Head(ctx, key)
	if fault.Is(err, fault.NotFound) {
		return false, false, nil // somebody was quicker
	}
	if err != nil {
		return false, false, err
	}
	generation, known := generationOf(o)
	if !known {
		return false, true, nil
	}
	if generation >= s.Before {
		return false, false, nil
	}
	if by := o.Metadata[ownerMetadata]; by != "" && by != owner(s.Connection, s.Namespace, s.Stream) && by != owner("", s.Namespace, s.Stream) {
		return false, true, nil
	}
	if err := d.Bucket.Delete(ctx, key); err != nil {
		return false, false, fmt.Errorf("delete an older generation of %s: %w", s.Stream, err)
	}
	return true, false, nil
}

// generationOf is the generation that is noted beside an object: 0 when none is, as Airbyte has it. It is not known when
// the note is no number: then somebody else wrote it.
func generationOf(o lake.Object) (generation int64, known bool) {
	text, noted := o.Metadata[lake.GenerationMetadata]
	if !noted {
		return 0, true
	}
	generation, err := strconv.ParseInt(text, 10, 64)
	return generation, err == nil
}
