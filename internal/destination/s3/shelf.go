package s3

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"longshore/internal/fault"
	"longshore/internal/lake"
	"longshore/internal/pipeline"
)

// maxSuffix is how many objects may share a name but for the number behind it.
const maxSuffix = 10_000

// clockSkew is how far the store's clock may be behind ours.
const clockSkew = time.Hour

// shelf is where the parts of one stream of one run go.
type shelf struct {
	run    int64
	listed bool
	first  int // number of part 0
	// found are parts that the run had written before this process.
	found map[int]lake.Object
	free  slot
}

// slot is a name that was found to be free for a part: a key, and the number behind it.
type slot struct {
	part   int
	key    string
	suffix int
}

func ownerOf(p pipeline.Part) string { return owner(p.Connection, p.Namespace, p.Target()) }

func (d *Destination) now() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}

// shelf is the run's; one of an earlier run is forgotten.
func (d *Destination) shelf(p pipeline.Part) *shelf {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shelves == nil {
		d.shelves = map[string]*shelf{}
	}
	key := ownerOf(p)
	s := d.shelves[key]
	if s == nil || s.run != p.SyncID {
		s = &shelf{run: p.SyncID}
		d.shelves[key] = s
	}
	return s
}

func (d *Destination) input(p pipeline.Part, number int) lake.KeyInput {
	return lake.KeyInput{
		Namespace: p.Namespace, Stream: p.Target(), Start: p.Start, Part: number, Extension: d.Format.Extension(), SyncID: p.SyncID, Now: d.now(),
		UUID: lake.SeededUUID(lake.Seed(p.SyncID, p.Namespace, p.Target(), p.Number)),
	}
}

// Key is the object key of a part, when its name is free and its folder is the run's own.
func (d *Destination) Key(p pipeline.Part) string { return d.Layout.Key(d.input(p, p.Number)) }

// find returns the object that a part is in, or fault.NotFound; then it has noted a name that is free for it.
func (d *Destination) find(ctx context.Context, p pipeline.Part) (lake.Object, note, error) {
	s := d.shelf(p)
	if !s.listed && (!d.Layout.OfRun() || d.Layout.Timed()) {
		if err := d.list(ctx, s, p); err != nil {
			return lake.Object{}, note{}, err
		}
	}
	if o, ok := s.found[p.Number]; ok {
		n, _ := d.readNote(o, p)
		return o, n, nil
	}
	key := d.Layout.Key(d.input(p, s.first+p.Number))
	for suffix := range maxSuffix {
		name := suffixed(key, suffix)
		o, err := d.Bucket.Head(ctx, name)
		if fault.Is(err, fault.NotFound) {
			s.free = slot{p.Number, key, suffix}
			return o, note{}, err
		}
		if err != nil {
			return o, note{}, err
		}
		if n, ours := d.readNote(o, p); ours {
			return o, n, nil
		}
	}
	return lake.Object{}, note{}, taken(key)
}

func suffixed(key string, suffix int) string {
	if suffix == 0 {
		return key
	}
	return key + "-" + strconv.Itoa(suffix)
}

func taken(key string) error {
	return fault.Errorf(fault.Conflict, "%d objects have the name %s already", maxSuffix, key).
		WithHint("put {part_number} into the file name pattern, or ${EPOCH} into the path format")
}

// readNote reads what an object says of itself, and whether it is this part. An older version wrote no part, into
// folders of its own runs.
func (d *Destination) readNote(o lake.Object, p pipeline.Part) (n note, ours bool) {
	if json.Unmarshal([]byte(o.Metadata[lake.CommitMetadata]), &n) != nil {
		return n, false
	}
	if by := o.Metadata[ownerMetadata]; by != "" || n.Sync != 0 {
		return n, by == ownerOf(p) && n.Sync == p.SyncID && n.Part == p.Number
	}
	return n, d.Layout.OfRun()
}

// list finds what there is in the folder of a stream: the parts that this run wrote there before, and the number from
// which on none is taken.
func (d *Destination) list(ctx context.Context, s *shelf, p pipeline.Part) error {
	names := d.Layout.NamesInFolder(d.input(p, 0))
	s.first, s.found = 0, map[int]lake.Object{}
	for listed, err := range d.Bucket.List(ctx, names.Prefix, "") {
		if err != nil {
			return fmt.Errorf("list what lies beside %s: %w", p.Target(), err)
		}
		number, ok := names.Part(listed.Key)
		if !ok {
			continue
		}
		if !listed.Modified.Before(p.Start.Add(-clockSkew)) { // it may be of this run
			o, err := d.Bucket.Head(ctx, listed.Key)
			if err != nil && !fault.Is(err, fault.NotFound) {
				return err
			}
			var n note
			if err == nil && json.Unmarshal([]byte(o.Metadata[lake.CommitMetadata]), &n) == nil && n.Sync == p.SyncID && o.Metadata[ownerMetadata] == ownerOf(p) {
				s.found[n.Part] = o
				continue
			}
		}
		s.first = max(s.first, number+1)
	}
	s.listed = true
	return nil
}

// free is a name for the part that nobody has.
func (d *Destination) free(ctx context.Context, p pipeline.Part) (slot, error) {
	s := d.shelf(p)
	if s.free.key == "" || s.free.part != p.Number {
		switch _, _, err := d.find(ctx, p); {
		case err == nil:
			return slot{}, fault.Errorf(fault.Conflict, "part %d of %s is written already", p.Number, p.Target())
		case !fault.Is(err, fault.NotFound):
			return slot{}, err
		}
	}
	free := s.free
	s.free = slot{}
	return free, nil
}

// put stores an object under a name that was free, or under the next suffix when somebody was quicker. A try that the
// store had taken although it did not say so is found again by what it says of itself.
func (d *Destination) put(ctx context.Context, o *lake.Written, free slot, metadata map[string]string) (lake.Object, error) {
	for suffix := free.suffix; suffix < maxSuffix; suffix++ {
		key := suffixed(free.key, suffix)
		if _, err := o.File.Seek(0, 0); err != nil {
			return lake.Object{}, fmt.Errorf("rewind object: %w", err)
		}
		put, err := d.Bucket.Put(ctx, key, o.File, o.Bytes, lake.PutOptions{IfAbsent: true, ContentType: "application/octet-stream", Metadata: metadata})
		if err == nil {
			return put, nil
		}
		if !fault.Is(err, fault.Conflict) {
			return put, fmt.Errorf("put %s: %w", key, err)
		}
		there, err := d.Bucket.Head(ctx, key)
		switch {
		case err != nil && !fault.Is(err, fault.NotFound):
			return there, err
		case err == nil && there.Metadata[lake.CommitMetadata] == metadata[lake.CommitMetadata] && there.Metadata[ownerMetadata] == metadata[ownerMetadata]:
			return there, nil
		}
	}
	return lake.Object{}, taken(free.key)
}
