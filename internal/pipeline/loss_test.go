package pipeline_test

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"longshore/internal/pipeline"
	"longshore/internal/tally"
)

// harm is what is done to one record on its way, in the first page of stream a.
type harm struct {
	name string
	do   func(records [][]byte) [][]byte
}

func harms() []harm {
	return []harm{
		{"removed", func(records [][]byte) [][]byte { return records[1:] }},
		{"doubled", func(records [][]byte) [][]byte { return append(slices.Clone(records), records[0]) }},
		{"altered", func(records [][]byte) [][]byte {
			return append([][]byte{[]byte(strings.Replace(string(records[0]), "a0", "x0", 1))}, records[1:]...)
		}},
	}
}

// harmedSource says what its pages hold, and gives something else.
type harmedSource struct {
	pipeline.Source
	harm harm
}

func (h harmedSource) Read(ctx context.Context, stream string, state json.RawMessage) iter.Seq2[pipeline.Page, error] {
	return func(yield func(pipeline.Page, error) bool) {
		for page, err := range h.Source.Read(ctx, stream, state) {
			sum := tally.Of(page.Records)
			page.Sum = &sum
			if stream == "a" && state == nil && h.harm.do != nil {
				page.Records = h.harm.do(page.Records)
			}
			if !yield(page, err) {
				return
			}
		}
	}
}

// harmedDestination hands another record to its batches than it was given.
type harmedDestination struct {
	pipeline.Destination
	harm harm
}

func (h harmedDestination) Open(p pipeline.Part) (pipeline.Batch, error) {
	b, err := h.Destination.Open(p)
	if err == nil && p.Stream == "a" {
		b = &harmedBatch{Batch: b, harm: h.harm}
	}
	return b, err
}

type harmedBatch struct {
	pipeline.Batch
	harm harm
	done bool
}

func (b *harmedBatch) Sum() tally.Sum { return b.Batch.(interface{ Sum() tally.Sum }).Sum() }

func (b *harmedBatch) Append(record []byte, at time.Time) error {
	records := [][]byte{record}
	if !b.done {
		records, b.done = b.harm.do(records), true
	}
	for _, r := range records {
		if err := b.Batch.Append(r, at); err != nil {
			return err
		}
	}
	return nil
}

// One record removed, doubled or altered before it is durable: nothing of it reaches the lake, and the stream names the
// hop. The other streams go on.
func TestLossBeforeTheLakeNamesItsHop(t *testing.T) {
	for _, hop := range []string{pipeline.HopSource, pipeline.HopLake} {
		for _, h := range harms() {
			t.Run(hop+", "+h.name, func(t *testing.T) {
				b := newBench(t, &numbers{rows: map[string]int{"a": 4, "b": 3}})
				s := b.sync()
				if hop == pipeline.HopSource {
					s.Source = harmedSource{s.Source, h}
				} else {
					s.Source, s.Destination = harmedSource{Source: s.Source}, harmedDestination{s.Destination, h}
				}
				done, err := s.Work(t.Context(), b.run, never())
				must(t, err)
				run := b.state()
				if !done || run.Status == pipeline.Succeeded {
					t.Errorf("done %t, the run %s; want it done, and not succeeded", done, run.Status)
				}
				if a := run.Streams[0]; a.Status != pipeline.Failed || !strings.HasPrefix(a.Error, hop+": ") {
					t.Errorf("stream a is %s: %q; want it failed at %q", a.Status, a.Error, hop)
				}
				if got := b.ids(); len(got["a"]) != 0 || len(got["b"]) != 3 {
					t.Errorf("the lake holds %v, want nothing of a and all of b", got)
				}
			})
		}
	}
}
