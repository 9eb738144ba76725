package pipeline_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"longshore/internal/pipeline"
)

// killed is the numbers source in a process that ends after so many pages.
type killed struct {
	*numbers
	pages int
	kill  context.CancelFunc
}

func (k *killed) Read(ctx context.Context, stream string, state json.RawMessage) iter.Seq2[pipeline.Page, error] {
	return func(yield func(pipeline.Page, error) bool) {
		for page, err := range k.numbers.Read(ctx, stream, state) {
			if ctx.Err() != nil {
				yield(pipeline.Page{}, ctx.Err())
				return
			}
			if !yield(page, err) {
				return
			}
			if k.pages--; k.pages == 0 {
				k.kill()
			}
		}
	}
}

// A process that is killed between any two pages is followed by one that asks for what was not read yet, and at most
// for the page that was under way.
func TestKilledProcessLosesAtMostThePageUnderWay(t *testing.T) {
	source := func() *numbers {
		return &numbers{rows: map[string]int{"a": 9, "b": 4, "logs": 3}, gaps: map[string]map[int][]string{"b": {1: {"404 on x"}}}}
	}
	start := func() *bench {
		b := newBench(t, source())
		b.dest.JournalDir = t.TempDir()
		return b
	}
	whole := start()
	_, err := whole.sync().Work(t.Context(), whole.run, never())
	must(t, err)
	want, wantIDs, pages := numbersOf(whole.state()), whole.ids(), len(whole.source.reads)
	for at := 1; at <= pages; at++ {
		b := start()
		ctx, kill := context.WithCancel(t.Context())
		work := b.sync()
		work.Source = &killed{b.source, at, kill}
		if _, err := work.Work(ctx, b.run, never()); err == nil {
			t.Fatalf("killed after page %d, the run did not end", at)
		}
		done, err := b.sync().Work(t.Context(), b.run, never())
		must(t, err)
		if got := numbersOf(b.state()); !done || got != want {
			t.Errorf("killed after page %d: done %t\n%swant\n%s", at, done, got, want)
		}
		if got := b.ids(); !reflect.DeepEqual(got, wantIDs) {
			t.Errorf("killed after page %d: the lake holds %v, want %v", at, got, wantIDs)
		}
		if len(b.source.reads) > pages+1 {
			t.Errorf("killed after page %d: read %s, want at most one page twice", at, strings.Join(b.source.reads, " "))
		}
		if left, err := os.ReadDir(b.dest.JournalDir); err != nil || len(left) != 0 {
			t.Errorf("killed after page %d: %d journals are left (%v), want none", at, len(left), err)
		}
	}
}

// A journal that broke off in the middle of a line is taken up to its last checkpoint; one that is not ours is left.
func TestTornJournalIsTakenUpToItsLastCheckpoint(t *testing.T) {
	for _, c := range []struct {
		name  string
		tear  func(text string) string
		pages int // read again
	}{
		{"in a record", func(s string) string { return s + `1000 {"id":"a` }, 2},
		{"in a checkpoint", func(s string) string { return s[:len(s)-4] }, 3},
		{"of another place", func(s string) string { return strings.Replace(s, `"before":0`, `"before":7`, 1) }, 4},
		{"empty", func(string) string { return "" }, 4},
		{"garbage", func(string) string { return "\x00\xff\n# {}\n" }, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, &numbers{rows: map[string]int{"a": 8}})
			b.dest.JournalDir = t.TempDir()
			ctx, kill := context.WithCancel(t.Context())
			work := b.sync()
			work.Source = &killed{b.source, 2, kill}
			if _, err := work.Work(ctx, b.run, never()); err == nil {
				t.Fatal("the killed run did not end")
			}
			files, err := os.ReadDir(b.dest.JournalDir)
			must(t, err)
			if len(files) != 1 {
				t.Fatalf("%d journals, want one", len(files))
			}
			path := b.dest.JournalDir + "/" + files[0].Name()
			text, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, []byte(c.tear(string(text))), 0o600))
			b.source.reads = nil
			_, err = b.sync().Work(t.Context(), b.run, never())
			must(t, err)
			if got := b.ids()["a"]; !reflect.DeepEqual(got, wanted("a", 8)) || len(b.source.reads) != c.pages {
				t.Errorf("the lake holds %v after reading %v; want each record once after %d pages", got, b.source.reads, c.pages)
			}
		})
	}
}

// meeting is a source whose streams a and b each wait for the other to have begun.
type meeting struct {
	*numbers
	mu    sync.Mutex
	begun map[string]chan struct{}
}

func (m *meeting) Read(ctx context.Context, stream string, state json.RawMessage) iter.Seq2[pipeline.Page, error] {
	return func(yield func(pipeline.Page, error) bool) {
		if own, other := m.begun[stream], m.begun[map[string]string{"a": "b", "b": "a"}[stream]]; own != nil {
			close(own)
			select {
			case <-other:
			case <-ctx.Done():
				yield(pipeline.Page{}, ctx.Err())
				return
			}
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		for page, err := range m.numbers.Read(ctx, stream, state) {
			if !yield(page, err) {
				return
			}
		}
	}
}

// Streams are read side by side, and what they bring is still queued for ingest in their order.
func TestStreamsAreReadSideBySide(t *testing.T) {
	b := newBench(t, &numbers{rows: map[string]int{"a": 5, "b": 3, "logs": 1}})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // they wait for ever if they do not meet
	defer cancel()
	work := b.sync()
	work.Source = &meeting{numbers: b.source, begun: map[string]chan struct{}{"a": make(chan struct{}), "b": make(chan struct{})}}
	work.Parallel, work.Now = 3, time.Now
	done, err := work.Work(ctx, b.run, time.Now().Add(time.Hour))
	must(t, err)
	if run := b.state(); !done || run.Status != pipeline.Succeeded {
		t.Errorf("done %t\n%s\nwant it succeeded", done, numbersOf(run))
	}
	var order []string
	for _, stream := range []string{"a", "b", "logs"} {
		commits, err := b.syncs.Commits(t.Context(), b.run, stream)
		must(t, err)
		for _, c := range commits {
			order = append(order, fmt.Sprint(stream, " ", c.LakeRows))
		}
	}
	if got := strings.Join(order, ", "); got != "a 5, b 3, logs 1" {
		t.Errorf("objects %s", got)
	}
	if got := b.keys; len(got) != 3 || !strings.Contains(got[0], "/a/") || !strings.Contains(got[1], "/b/") {
		t.Errorf("queued %v, want the objects in the order of the streams", got)
	}
}
