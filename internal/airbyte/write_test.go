package airbyte

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"longshore/internal/fault"
)

// shelf is a Writer that stores when it is told to.
type shelf struct {
	names      []string
	taken      []int64
	stored     []int64
	every      int64 // records of a stream are stored whenever so many wait; 0 stores none by itself
	age        time.Duration
	since      time.Time
	superseded []string
	fails      error
	closed     bool
	log        []string
}

func (s *shelf) Write(_ context.Context, stream int, r Record) (bool, error) {
	if s.fails != nil {
		return false, s.fails
	}
	s.log = append(s.log, s.names[stream]+" "+string(r.Data))
	if s.since.IsZero() {
		s.since = time.Now()
	}
	s.taken[stream]++
	if s.every > 0 && s.taken[stream]-s.stored[stream] >= s.every {
		s.stored[stream] = s.taken[stream]
		return true, nil
	}
	return false, nil
}

func (s *shelf) Tick(ctx context.Context) (bool, error) {
	if s.age == 0 || s.since.IsZero() || time.Since(s.since) < s.age {
		return false, nil
	}
	return true, s.Flush(ctx)
}

func (s *shelf) Flush(context.Context) error {
	copy(s.stored, s.taken)
	return nil
}
func (s *shelf) Stored(stream int) int64 { return s.stored[stream] }
func (s *shelf) Supersede(_ context.Context, stream int) error {
	if s.stored[stream] != s.taken[stream] {
		return errors.New("superseded before it was stored")
	}
	s.superseded = append(s.superseded, s.names[stream])
	return nil
}
func (s *shelf) Close() { s.closed = true }

// destinationBench runs a destination command over a shelf.
type destinationBench struct {
	t       *testing.T
	shelf   *shelf
	catalog string
	checked error
	opened  error
	output  lockedBuffer
}

// lockedBuffer is read while a command writes to it.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

const twoStreams = `{"streams":[
{"stream":{"name":"users","namespace":"okta","json_schema":{}},"sync_mode":"full_refresh","destination_sync_mode":"overwrite","generation_id":7,"minimum_generation_id":7,"sync_id":42},
{"stream":{"name":"logs"},"sync_mode":"incremental","destination_sync_mode":"append","generation_id":0,"minimum_generation_id":0,"sync_id":42}]}`

func newDestinationBench(t *testing.T) *destinationBench {
	return &destinationBench{t: t, shelf: &shelf{}, catalog: twoStreams}
}

func (b *destinationBench) run(name string, in io.Reader) bool {
	b.t.Helper()
	dir := b.t.TempDir()
	files := Files{Config: filepath.Join(dir, "config.json"), Catalog: filepath.Join(dir, "catalog.json")}
	for path, text := range map[string]string{files.Config: `{}`, files.Catalog: b.catalog} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	d := Destination{
		Specification: Specification{Schema: json.RawMessage(`{}`), Modes: []string{Append}},
		Open: func(json.RawMessage, Environment) (*Target, error) {
			return &Target{
				Check: func(context.Context) error { return b.checked },
				Begin: func(_ context.Context, streams []WrittenStream, _ time.Time) (Writer, error) {
					b.shelf.taken, b.shelf.stored = make([]int64, len(streams)), make([]int64, len(streams))
					for _, s := range streams {
						b.shelf.names = append(b.shelf.names, s.Name)
					}
					return b.shelf, nil
				},
			}, b.opened
		},
	}
	ok, err := d.Run(b.t.Context(), name, files, false, in, &b.output)
	if err != nil {
		b.t.Errorf("%s: %v", name, err)
	}
	return ok
}

// told are the states that came back, and whatever errors were told.
func (b *destinationBench) told() (states, errs []string) {
	b.t.Helper()
	for line := range strings.Lines(b.output.String()) {
		m, ok := ParseMessage([]byte(line))
		if !ok {
			b.t.Fatalf("the output has the line %q", line)
		}
		switch m.Type {
		case "STATE":
			states = append(states, string(m.Body))
		case "TRACE":
			errs = append(errs, string(m.Body))
		}
	}
	return states, errs
}

func rec(stream string, n int) string {
	namespace := map[string]string{"users": `"okta"`, "logs": "null"}[stream]
	return fmt.Sprintf(`{"type":"RECORD","record":{"stream":%q,"namespace":%s,"data":{"n":%d},"emitted_at":1741338302034}}`, stream, namespace, n)
}

func stateOf(stream string, n int) string {
	namespace := map[string]string{"users": `,"namespace":"okta"`}[stream]
	return fmt.Sprintf(`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":%q%s},"stream_state":{"at":%d}},"sourceStats":{"recordCount":1.0}}}`, stream, namespace, n)
}

func globalState(n int) string {
	return fmt.Sprintf(`{"type":"STATE","state":{"type":"GLOBAL","global":{"shared_state":{"lsn":%d}}}}`, n)
}

func end(stream, status string) string {
	namespace := map[string]string{"users": `,"namespace":"okta"`}[stream]
	return fmt.Sprintf(`{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1.0,"stream_status":{"stream_descriptor":{"name":%q%s},"status":%q}}}`, stream, namespace, status)
}

func input(lines ...string) io.Reader { return strings.NewReader(strings.Join(lines, "\n") + "\n") }

// short are the states as "stream or global: position, records stored".
func short(states []string) string {
	var all []string
	for _, s := range states {
		var v struct {
			Type   string
			Stream struct {
				Descriptor Descriptor       `json:"stream_descriptor"`
				State      struct{ At int } `json:"stream_state"`
			}
			Global struct {
				Shared struct{ LSN int } `json:"shared_state"`
			}
			Stats struct {
				Count json.Number `json:"recordCount"`
			} `json:"destinationStats"`
		}
		_ = json.Unmarshal([]byte(s), &v)
		name, at := v.Stream.Descriptor.Name, v.Stream.State.At
		if v.Type == GlobalType {
			name, at = "all", v.Global.Shared.LSN
		}
		all = append(all, fmt.Sprintf("%s:%d,%s", name, at, v.Stats.Count))
	}
	return strings.Join(all, " ")
}

func TestStatesComeBackOnceTheirRecordsAreStored(t *testing.T) {
	both := []string{end("users", StatusComplete), end("logs", StatusComplete)}
	for _, c := range []struct {
		name  string
		every int64
		lines []string
		want  string
	}{
		{"nothing waits", 1, []string{rec("users", 1), stateOf("users", 1), stateOf("users", 2)}, "users:1,1.0 users:2,0.0"},
		{"stored by the end", 0, []string{rec("users", 1), stateOf("users", 1), rec("users", 2), rec("users", 3), stateOf("users", 3)}, "users:1,1.0 users:3,2.0"},
		{"streams do not wait for each other", 2, []string{rec("users", 1), stateOf("users", 1), rec("logs", 1), rec("logs", 2), stateOf("logs", 2)}, "logs:2,2.0 users:1,1.0"},
		{"a state of all waits for all, and holds what follows", 2, []string{rec("users", 1), globalState(5), rec("logs", 1), rec("logs", 2), stateOf("logs", 2)}, "all:5,1.0 logs:2,2.0"},
		{"a state of all keeps its place", 2, []string{rec("users", 1), stateOf("users", 1), globalState(6), rec("users", 2)}, "users:1,1.0 all:6,1.0"},
		{"a stream without a record", 0, []string{stateOf("logs", 9)}, "logs:9,0.0"},
	} {
		b := newDestinationBench(t)
		b.shelf.every = c.every
		if !b.run("write", input(append(c.lines, both...)...)) {
			t.Errorf("%s: failed: %s", c.name, b.output.String())
		}
		states, _ := b.told()
		if got := short(states); got != c.want {
			t.Errorf("%s: the states are %q, want %q", c.name, got, c.want)
		}
		if !slices.Equal(b.shelf.superseded, []string{"users", "logs"}) || !b.shelf.closed {
			t.Errorf("%s: superseded %v, closed %t", c.name, b.shelf.superseded, b.shelf.closed)
		}
	}
}

// What waits is stored when it is old, although nothing more comes.
func TestStatesFlowWhenTheSourceIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newDestinationBench(t)
		b.shelf.age = 15 * time.Minute
		in, out := io.Pipe()
		done := make(chan bool)
		go func() { done <- b.run("write", in) }()
		began := time.Now()
		fmt.Fprintln(out, rec("users", 1)+"\n"+stateOf("users", 1))
		time.Sleep(14 * time.Minute)
		synctest.Wait()
		if states, _ := b.told(); len(states) != 0 {
			t.Errorf("after %s the states are %q", time.Since(began), states)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if states, _ := b.told(); short(states) != "users:1,1.0" {
			t.Errorf("after %s the states are %q", time.Since(began), states)
		}
		fmt.Fprintln(out, end("users", StatusComplete)+"\n"+end("logs", StatusIncomplete))
		out.Close()
		if !<-done {
			t.Errorf("failed: %s", b.output.String())
		}
		if !slices.Equal(b.shelf.superseded, []string{"users"}) {
			t.Errorf("superseded are %v, want the complete stream alone", b.shelf.superseded)
		}
	})
}

func TestWriteThatCannotEndWellDeletesNothing(t *testing.T) {
	for _, c := range []struct {
		name   string
		lines  []string
		states string
		says   []string
	}{
		{"no status at all", []string{rec("users", 1), stateOf("users", 1)}, "users:1,1.0", []string{`\"okta.users\", \"logs\"`, "terminal status", "transient_error"}},
		{"one status missing", []string{end("users", StatusComplete)}, "", []string{`terminal status: \"logs\"`}},
		{"a record behind the end", []string{end("users", StatusComplete), rec("users", 1)}, "", []string{"line 2", "behind its status COMPLETE"}},
		{"an unknown stream", []string{rec("users", 1), strings.ReplaceAll(rec("logs", 1), "logs", "roles")}, "", []string{`the stream \"roles\" is not in the catalog`}},
		{"another namespace", []string{strings.Replace(rec("users", 1), `"okta"`, "null", 1)}, "", []string{`the stream \"users\" is not in the catalog`}},
		{"a cut line", []string{rec("users", 1), rec("users", 2)[:40]}, "", []string{"line 2", "broken JSON"}},
	} {
		b := newDestinationBench(t)
		if b.run("write", input(c.lines...)) {
			t.Errorf("%s: the process ends well", c.name)
		}
		states, errs := b.told()
		if short(states) != c.states || len(errs) != 1 {
			t.Errorf("%s: states %q, errors %q; want %q and one error", c.name, short(states), errs, c.states)
		}
		for _, says := range c.says {
			if !strings.Contains(strings.Join(errs, ""), says) {
				t.Errorf("%s: the error does not say %q: %q", c.name, says, errs)
			}
		}
		if len(b.shelf.superseded) > 0 || !b.shelf.closed {
			t.Errorf("%s: superseded %v, closed %t", c.name, b.shelf.superseded, b.shelf.closed)
		}
	}
}

func TestFailedWriteTellsNoState(t *testing.T) {
	b := newDestinationBench(t)
	b.shelf.fails = fault.Errorf(fault.Denied, "the bucket is not ours")
	ok := b.run("write", input(rec("users", 1), stateOf("users", 1), end("users", StatusComplete), end("logs", StatusComplete)))
	states, errs := b.told()
	if ok || len(states) != 0 || len(errs) != 1 || !strings.Contains(errs[0], "the bucket is not ours") || !strings.Contains(errs[0], "config_error") {
		t.Errorf("ok %t, states %q, errors %q", ok, states, errs)
	}
}

// Text between messages, unknown types, and statuses that are not an end, mean nothing.
func TestWritePassesOverWhatIsNoMessage(t *testing.T) {
	b := newDestinationBench(t)
	long := `{"type":"RECORD","record":{"stream":"logs","data":{"x":"` + strings.Repeat("y", 9<<20) + `"},"emitted_at":1}}`
	ok := b.run("write", input(
		"hello", "", `{"type":"NEW","new":1}`, `[1]`, `{"type":"LOG","log":{"level":"INFO","message":"m"}}`, rec("users", 1), end("users", StatusStarted), long,
		`{"type":"TRACE","trace":{"type":"ERROR","emitted_at":1.0,"error":{"message":"x"}}}`, end("users", StatusComplete), end("logs", StatusComplete),
	))
	if !ok || len(b.shelf.log) != 2 || len(b.shelf.log[1]) < 9<<20 {
		t.Errorf("ok %t, %d records; %.300s", ok, len(b.shelf.log), b.output.String())
	}
}

func TestWriteRefusesItsCatalog(t *testing.T) {
	one := func(members string) string { return `{"streams":[{"stream":{"name":"a"},` + members + `}]}` }
	for catalog, says := range map[string]string{
		"[]":                     "no configured catalog",
		"{}":                     "it has no streams",
		`{"streams":[{}]}`:       "has no name",
		one(`"sync_id":1`):       "0.63.7",
		one(`"generation_id":1`): "0.63.7",
		one(`"generation_id":1,"minimum_generation_id":2`):                                        "minimum_generation_id is 2",
		one(`"generation_id":3,"minimum_generation_id":2`):                                        "want 0, to keep what is there, or generation_id, 3",
		one(`"generation_id":1,"minimum_generation_id":0,"destination_sync_mode":"append_dedup"`): "append_dedup",
		`{"streams":[{"stream":{"name":"a"},"generation_id":0,"minimum_generation_id":0},{"stream":{"name":"a","namespace":null},"generation_id":0,"minimum_generation_id":0}]}`: "named twice",
	} {
		b := newDestinationBench(t)
		b.catalog = catalog
		ok := b.run("write", input())
		if _, errs := b.told(); ok || len(errs) != 1 || !strings.Contains(errs[0], says) || !strings.Contains(errs[0], "config_error") {
			t.Errorf("%s: ok %t, errors %q; want %q", catalog, ok, errs, says)
		}
	}
}

func TestChecksOfADestination(t *testing.T) {
	for _, c := range []struct {
		checked, opened error
		ok              bool
		says            string
	}{
		{nil, nil, true, `"SUCCEEDED"`},
		{fault.Errorf(fault.Denied, "no right"), nil, true, `"FAILED","message":"no right"`},
		{nil, fault.Errorf(fault.Invalid, "no bucket"), true, `"FAILED","message":"no bucket"`},
		{errors.New("a bug"), nil, false, "system_error"},
	} {
		b := newDestinationBench(t)
		b.checked, b.opened = c.checked, c.opened
		if ok := b.run("check", nil); ok != c.ok || !strings.Contains(b.output.String(), c.says) {
			t.Errorf("%v: ok %t, %s; want %q", c.checked, ok, b.output.String(), c.says)
		}
	}
	b := newDestinationBench(t)
	if !b.run("spec", nil) || !strings.Contains(b.output.String(), `"supported_destination_sync_modes":["append"]`) {
		t.Errorf("spec: %s", b.output.String())
	}
}

// states that wait are bounded: many of them make the writer store what it holds.
func TestWaitingStatesAreBounded(t *testing.T) {
	b := newDestinationBench(t)
	big := strings.Replace(stateOf("users", 1), `"at":1`, `"at":1,"x":"`+strings.Repeat("z", maxPendingBytes/4)+`"`, 1)
	lines := []string{rec("users", 1), big, big, big, big, big}
	in, out := io.Pipe()
	go func() {
		fmt.Fprintln(out, strings.Join(lines, "\n"))
		out.CloseWithError(errors.New("the pipe broke"))
	}()
	if b.run("write", in) {
		t.Error("a broken input ends well")
	}
	states, errs := b.told()
	if len(states) < 4 || len(errs) != 1 || !strings.Contains(errs[0], "the pipe broke") {
		t.Errorf("%d states came back before the input broke, errors %q", len(states), errs)
	}
}
