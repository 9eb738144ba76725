package ingest

import (
	"context"

	"longshore/internal/catalog"
	"longshore/internal/lake"
	"longshore/internal/mapping"
)

// Tried is one record that a Trial judged. Its Changes live until the next one.
type Tried struct {
	Judged  Judged
	Changes []catalog.Change
	Results []catalog.Result
}

// Trial runs mappings over the lines of an object and tells what became of each record, without a ledger. apply
// writes a chunk of changes, to a catalog made for the trial or to none at all. The error may be the object's damage,
// after everything before it was told.
func Trial(ctx context.Context, set *mapping.Set, r *lake.Reader, o Object, apply func([]catalog.Change) ([]catalog.Result, error), each func(Tried) error) error {
	c := (&plan{set: set}).newChunk(&o)
	for from := int64(0); ; from = c.lastLine {
		end, err := c.fill(ctx, r, from)
		if err != nil {
			return err
		}
		if c.results, err = apply(c.changes); err != nil {
			return err
		}
		next := 0
		for i, j := range c.judge() {
			first := next
			for next < len(c.places) && c.places[next].record == i {
				next++
			}
			if err := each(Tried{j, c.changes[first:next], c.results[first:next]}); err != nil {
				return err
			}
		}
		if end != nil {
			return endOf(end)
		}
	}
}
