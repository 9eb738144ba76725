package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"longshore/internal/airbyte"
	"longshore/internal/fault"
)

// kept is a Sink that remembers.
type kept struct {
	mu      sync.Mutex
	states  []State
	lines   []Line
	configs []string
	counts  []Count
	refuse  error
	keeps   func(State)
}

func (k *kept) State(_ context.Context, s State) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.states = append(k.states, s)
	if k.keeps != nil {
		k.keeps(s)
	}
	return k.refuse
}

func (k *kept) Reconfigured(_ context.Context, role Role, config json.RawMessage) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.configs = append(k.configs, string(role)+" "+string(config))
	return nil
}

func (k *kept) Log(l Line) {
	k.mu.Lock()
	k.lines = append(k.lines, l)
	k.mu.Unlock()
}

func (k *kept) Progress(counts []Count) {
	k.mu.Lock()
	k.counts = counts
	k.mu.Unlock()
}

func (k *kept) log() string {
	var b strings.Builder
	for _, l := range k.lines {
		fmt.Fprintf(&b, "%s %s %s\n", l.Role, l.Level, l.Text)
	}
	return b.String()
}

// bench is a run with fake connectors.
type bench struct {
	t      *testing.T
	runner *Runner
	job    Job
	sink   *kept
	into   string
}

func newBench(t *testing.T, to fakeDestination, script ...step) *bench {
	t.Helper()
	folder := t.TempDir()
	to.Into = filepath.Join(folder, "lines")
	b := &bench{t: t, sink: &kept{}, into: to.Into, runner: &Runner{Folder: filepath.Join(folder, "runs"), Path: "/usr/bin:/bin"}}
	b.job = Job{
		ID: 4211, Attempt: 2, ConnectionID: "c-1",
		Source:      &Side{Command: faking("source"), Config: marshalled(t, fakeSource{Script: script})},
		Destination: Side{Command: faking("destination"), Config: marshalled(t, to)},
		Streams:     []Stream{stream(`{"name":"users","json_schema":{}}`)},
	}
	return b
}

func faking(role string) Command {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return Command{Args: []string{self, "fake", role}, Limits: Limits{Stop: 100 * time.Millisecond}}
}

func stream(definition string) Stream {
	return Stream{Definition: json.RawMessage(definition), Mode: airbyte.FullRefresh, DestinationMode: Overwrite, Generation: 7, MinimumGeneration: 7}
}

func marshalled(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (b *bench) run() (Outcome, error) {
	b.t.Helper()
	outcome, err := b.runner.Run(b.t.Context(), b.job, b.sink)
	if left, _ := os.ReadDir(b.runner.Folder); len(left) > 0 {
		b.t.Errorf("the run left %s behind, with its configurations", left[0].Name())
	}
	return outcome, err
}

func (b *bench) succeed() Outcome {
	b.t.Helper()
	outcome, err := b.run()
	if err != nil {
		b.t.Fatalf("the run failed: %v\n%s", err, b.sink.log())
	}
	return outcome
}

// fail runs and wants an error with this text.
func (b *bench) fail(want string) Outcome {
	b.t.Helper()
	outcome, err := b.run()
	if err == nil || !strings.Contains(err.Error(), want) {
		b.t.Fatalf("the run ended with %v, want %q\n%s", err, want, b.sink.log())
	}
	return outcome
}

// received are the lines that the destination got.
func (b *bench) received() []string {
	b.t.Helper()
	data, err := os.ReadFile(b.into)
	if err != nil {
		b.t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

func state(name, value string) step {
	return step{Say: `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"` + name + `"},"stream_state":` + value + `}}}`}
}

// A source of the plainest kind: records, no state, no status. A destination of the strictest kind.
func TestStrictDestinationGetsAllThatASilentSourceNeverSaid(t *testing.T) {
	b := newBench(t, fakeDestination{Demands: true}, step{Stream: "users", Records: 3})
	b.job.Prefix, b.job.Namespace = "okta_", func(string) string { return "lake" }
	outcome := b.succeed()
	lines := b.received()
	want := []string{
		`{"type":"RECORD","record":{"stream":"okta_users","namespace":"lake","data":{"id":0,"name":"<é> ","secret":1},"emitted_at":1741338302034}}`,
		`{"type":"RECORD","record":{"stream":"okta_users","namespace":"lake","data":{"id":1,"name":"<é> ","secret":1},"emitted_at":1741338302034}}`,
		`{"type":"RECORD","record":{"stream":"okta_users","namespace":"lake","data":{"id":2,"name":"<é> ","secret":1},"emitted_at":1741338302034}}`,
		`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"okta_users","namespace":"lake"},"stream_state":{}},"sourceStats":{"recordCount":3.0}}}`,
	}
	if len(lines) != 5 || !slices.Equal(lines[:4], want) {
		t.Fatalf("the destination got\n%s", strings.Join(lines, "\n"))
	}
	if m, _ := airbyte.ParseMessage([]byte(lines[4])); !strings.HasSuffix(lines[4], `,"stream_status":{"stream_descriptor":{"name":"okta_users","namespace":"lake"},"status":"COMPLETE"}}}`) || m.Type != "TRACE" {
		t.Errorf("the last line is %s", lines[4])
	}
	if len(b.sink.states) != 1 || string(b.sink.states[0].Object) != `{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{}}}` || b.sink.states[0].Records != 3 {
		t.Errorf("kept %s", b.sink.states)
	}
	if c := outcome.Streams[0]; c.Records != 3 || c.Committed != 3 || outcome.States != 1 || !outcome.SourceExit.OK() {
		t.Errorf("the outcome is %+v", outcome)
	}
	catalog, _ := os.ReadFile(filepath.Join(filepath.Dir(b.into), "catalog.json"))
	wantCatalog := `{"streams":[{"stream":{"name":"okta_users","json_schema":{},"namespace":"lake"},"sync_mode":"full_refresh","destination_sync_mode":"overwrite","cursor_field":[],"primary_key":[],"generation_id":7,"minimum_generation_id":7,"sync_id":4211,"include_files":false}]}`
	if strings.TrimSpace(string(catalog)) != wantCatalog {
		t.Errorf("the destination's catalog is\n%s\nwant\n%s", catalog, wantCatalog)
	}
}

func TestOnlyRecordsAndStatesAreForwarded(t *testing.T) {
	b := newBench(
		t, fakeDestination{Demands: true},
		step{Say: "Picked up JAVA_TOOL_OPTIONS"}, step{Say: `{"half":`}, step{Say: `[1]`}, step{Say: `{"type":"NEWER","newer":{}}`}, step{Stderr: "to stderr"},
		step{Say: `{"type":"LOG","log":{"level":"WARN","message":"careful"}}`},
		step{Say: `{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1.5,"stream_status":{"stream_descriptor":{"name":"users"},"status":"RUNNING","reasons":[{"type":"RATE_LIMITED","rate_limited":{"quota_reset":1741338360000}}]}}}`},
		step{Say: `{"type":"TRACE","trace":{"type":"ESTIMATE","emitted_at":1.0,"estimate":{"name":"users","namespace":null,"type":"STREAM","row_estimate":1000}}}`},
		step{Say: `{"type":"TRACE","trace":{"type":"ANALYTICS","emitted_at":1.0,"analytics":{"type":"x","value":"y"}}}`},
		step{Say: `{"type":"TRACE","trace":{"type":"ERROR","emitted_at":1.5,"error":{"message":"not so bad","failure_type":"transient_error"}}}`},
		step{Say: `{"type":"CONTROL","control":{"type":"CONNECTOR_CONFIG","emitted_at":1.5,"connectorConfig":{"config":{"token":"new"}}}}`},
		step{Stream: "users", Records: 1}, step{Stream: "strangers", Records: 2},
		state("strangers", `{"cursor":1}`), state("users", `{"cursor":1}`),
	)
	outcome := b.succeed()
	var kinds []string
	for _, line := range b.received() {
		m, ok := airbyte.ParseMessage([]byte(line))
		if !ok || strings.Contains(line, "strangers") {
			t.Errorf("the destination got %s", line)
		}
		kinds = append(kinds, m.Type)
	}
	if want := []string{"RECORD", "STATE", "TRACE"}; !slices.Equal(kinds, want) {
		t.Errorf("the destination got %v, want %v", kinds, want)
	}
	if outcome.Unknown["strangers"] != 2 {
		t.Errorf("unknown: %v", outcome.Unknown)
	}
	if want := []string{`source {"token":"new"}`}; !slices.Equal(b.sink.configs, want) {
		t.Errorf("configurations %v, want %v", b.sink.configs, want)
	}
	for _, want := range []string{
		"source INFO Picked up JAVA_TOOL_OPTIONS\n", "source INFO {\"half\":\n", "source INFO [1]\n", "source INFO {\"type\":\"NEWER\"", "source INFO to stderr\n",
		"source WARN careful\n", "source ERROR not so bad\n", `source WARN records of the stream "strangers"`,
	} {
		if !strings.Contains(b.sink.log(), want) {
			t.Errorf("the log lacks %q:\n%s", want, b.sink.log())
		}
	}
	if c := outcome.Streams[0]; c.Estimate != 1000 || c.Status != airbyte.StatusRunning || c.Until.UnixMilli() != 1741338360000 {
		t.Errorf("the stream is %+v", c)
	}
}

// The state that is kept has the source's bytes, although the destination sorted members and rounded numbers.
func TestStatesAreKeptInTheirSourcesBytes(t *testing.T) {
	value := `{"z":12345678901234567890,"__ab_x":1.50,"a":"<é \u2028>","n":null,"e":1e2}`
	b := newBench(t, fakeDestination{}, step{Stream: "users", Records: 2}, state("users", value), step{States: true, Stream: "users"}, state("users", `null`))
	b.job.Prefix = "p_"
	before := json.RawMessage(`{"type":"STREAM","stream":{"stream_descriptor":{"name":"users","namespace":null},"stream_state":` + value + `,"kept":1}}`)
	b.job.States = States{before}
	b.succeed()
	if len(b.sink.states) != 2 || string(b.sink.states[0].Value) != value || string(b.sink.states[1].Value) != "null" {
		t.Fatalf("kept %s", b.sink.states)
	}
	if all := b.job.States.With(b.sink.states[0]); len(all) != 1 || !strings.Contains(string(all[0]), value) {
		t.Errorf("the states are %s", all)
	}
	if all := b.job.States.With(b.sink.states[1]); len(all) != 0 {
		t.Errorf("after a reset the states are %s", all)
	}
	if line := b.received()[3]; !strings.Contains(line, `"data":{"states":[`+string(before)+`]}`) {
		t.Errorf("the source's state file is %s", line)
	}
}

func TestGlobalAndLegacyStates(t *testing.T) {
	global := `{"shared_state":{"lsn":9},"stream_states":[{"stream_descriptor":{"name":"users"},"stream_state":{"c":1}},{"stream_descriptor":{"name":"t","namespace":"n"},"stream_state":{}}]}`
	b := newBench(
		t, fakeDestination{}, step{Stream: "users", Records: 2},
		step{Say: `{"type":"STATE","state":{"type":"GLOBAL","global":` + global + `}}`},
		step{Stream: "users", Records: 1}, step{Say: `{"type":"STATE","state":{"data":{"users":{"c":2}}}}`},
	)
	b.job.Prefix = "p_"
	b.succeed()
	if lines := b.received(); !strings.Contains(lines[2], `{"stream_descriptor":{"name":"p_users"},"stream_state":{"c":1}},{"stream_descriptor":{"name":"t","namespace":"n"}`) {
		t.Errorf("the destination got %s", lines[2])
	}
	var got []string
	for _, s := range b.sink.states {
		got = append(got, fmt.Sprint(s.Records, " ", string(s.Object)))
	}
	if want := []string{`2 {"type":"GLOBAL","global":` + global + `}`, `1 {"type":"LEGACY","data":{"users":{"c":2}}}`}; !slices.Equal(got, want) {
		t.Errorf("kept\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, line := range b.received() {
		if strings.Contains(line, `"stream_state":{}},"sourceStats"`) {
			t.Error("a state was made up for a stream whose source tells global states")
		}
	}
}

func TestStatesThatComeBackWrongAreNotKept(t *testing.T) {
	for _, c := range []struct {
		how  string
		kept int
		want string // "" for success
	}{
		{"respelt", 3, ""},
		{"twice", 3, ""},
		{"lost", 1, "before 1 that were sent earlier"},
		{"lost last", 2, "never gave back 1 states"},
		{"swapped", 0, "before 1 that were sent earlier"},
		{"invented", 0, `a state of the stream "nobody", of which it was sent none`},
		{"changed", 0, "that it was not sent"},
	} {
		t.Run(c.how, func(t *testing.T) {
			b := newBench(
				t, fakeDestination{States: c.how}, step{Stream: "users", Records: 2}, state("users", `{"cursor":1}`),
				step{Stream: "users", Records: 2}, state("users", `{"cursor":2}`), state("users", `{"cursor":3}`),
			)
			if c.want == "" {
				b.succeed()
			} else {
				b.fail(c.want)
			}
			if len(b.sink.states) != c.kept {
				t.Errorf("kept %d states, want %d: %s", len(b.sink.states), c.kept, b.sink.states)
			}
		})
	}
}

func TestCountsThatDisagreeFailTheRun(t *testing.T) {
	b := newBench(t, fakeDestination{Short: 1}, step{Stream: "users", Records: 4}, state("users", `{"cursor":1}`))
	b.fail("it counts 3 of the 4 records")
	if len(b.sink.states) != 0 {
		t.Errorf("kept %s", b.sink.states)
	}
	counted := step{Say: `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{}},"sourceStats":{"recordCount":5.0}}}`}
	b = newBench(t, fakeDestination{}, step{Stream: "users", Records: 4}, counted)
	b.fail("counts 5 records of \"users\" before a state, and 4 came")
	b = newBench(t, fakeDestination{}, step{Stream: "users", Records: 4}, counted)
	b.job.Lenient = true
	b.succeed()
}

func TestFailedSourceLeavesNothingComplete(t *testing.T) {
	b := newBench(
		t, fakeDestination{Demands: true}, step{Stream: "users", Records: 2}, state("users", `{"cursor":1}`), step{Stream: "users", Records: 1},
		step{Say: `{"type":"TRACE","trace":{"type":"ERROR","emitted_at":1.5,"error":{"message":"the token was revoked","failure_type":"config_error"}}}`}, step{Exit: 1},
	)
	outcome, err := b.run()
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "exit code 1: the token was revoked") {
		t.Errorf("the run ended with %v", err)
	}
	if lines := b.received(); len(lines) != 4 || strings.Contains(strings.Join(lines, ""), "COMPLETE") {
		t.Errorf("the destination got\n%s", strings.Join(lines, "\n"))
	}
	if len(b.sink.states) != 1 || outcome.Committed() != 2 || outcome.Streams[0].Records != 3 {
		t.Errorf("kept %s, outcome %+v", b.sink.states, outcome)
	}
}

func TestHowRunsFail(t *testing.T) {
	for _, c := range []struct {
		name   string
		to     fakeDestination
		script []step
		want   string
	}{
		{"a source that says nothing of its end", fakeDestination{}, []step{{Exit: 9}}, "ended with exit code 9 and did not say why"},
		{"a destination that fails at its end", fakeDestination{Exit: 1, Fails: "the bucket is gone"}, []step{{Stream: "users", Records: 1}}, "exit code 1: the bucket is gone"},
		{"an error told, and exit 0", fakeDestination{Fails: "only a notice"}, []step{{Stream: "users", Records: 1}}, ""},
		{"a destination that dies while the source hangs", fakeDestination{After: 1, Exit: 2}, []step{{Stream: "users", Records: 1}, {Hang: true}}, "the destination"},
		{"a destination that ends well, and early", fakeDestination{After: 1}, []step{{Stream: "users", Records: 1}, {Hang: true}}, "ended before it had everything"},
		{"a source that ends well with a stream incomplete", fakeDestination{}, []step{{Say: `{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1.5,"stream_status":{"stream_descriptor":{"name":"users"},"status":"INCOMPLETE"}}}`}}, "incomplete"},
		{"a record without data", fakeDestination{}, []step{{Say: `{"type":"RECORD","record":{"stream":"users","emitted_at":1}}`}}, "no object as its data"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, c.to, c.script...)
			if c.want == "" {
				b.succeed()
				return
			}
			b.fail(c.want)
		})
	}
}

// A line of 50 MB goes through, renamed, and one of 1 byte behind it too.
func TestLongLines(t *testing.T) {
	const size = 50 << 20
	b := newBench(t, fakeDestination{}, step{Stream: "users", Big: size}, step{Stream: "users", Records: 1})
	b.job.Prefix = "p_"
	outcome := b.succeed()
	if lines := b.received(); len(lines) != 4 || len(lines[0]) < size || outcome.Streams[0].Records != 2 {
		t.Errorf("the destination got %d lines, the first of %d bytes", len(lines), len(lines[0]))
	}
}

func TestUnselectedFieldsStayBehind(t *testing.T) {
	b := newBench(t, fakeDestination{}, step{Stream: "users", Records: 1})
	b.job.Streams[0].Definition = json.RawMessage(`{"name":"users","json_schema":{"type":"object","properties":{"id":{"type":"integer"},"secret":{}}}}`)
	b.job.Streams[0].Fields = []string{"name", "id"}
	b.succeed()
	if got := b.received()[0]; !strings.Contains(got, `"data":{"id":0,"name":"<é> "}`) {
		t.Errorf("the record is %s", got)
	}
	catalog, _ := os.ReadFile(filepath.Join(filepath.Dir(b.into), "catalog.json"))
	if !strings.Contains(string(catalog), `"properties":{"id":{"type":"integer"}}`) {
		t.Errorf("the catalog is %s", catalog)
	}
}

func TestClearRunsTheDestinationAlone(t *testing.T) {
	b := newBench(t, fakeDestination{Demands: true})
	b.job.Source = nil
	b.succeed()
	if lines := b.received(); len(lines) != 1 || !strings.Contains(lines[0], "COMPLETE") {
		t.Errorf("the destination got %s", lines)
	}
}

func TestSinkThatCannotKeepAStateEndsTheRun(t *testing.T) {
	b := newBench(t, fakeDestination{}, state("users", `{"cursor":1}`), step{Hang: true})
	b.sink.refuse = errors.New("disk full")
	b.fail("keep a state that it gave back: disk full")
}

func TestJobsThatCannotBeAreRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Job)
		want   string
	}{
		{"no streams", func(j *Job) { j.Streams = nil }, "no streams"},
		{"a hybrid", func(j *Job) { j.Streams[0].MinimumGeneration = 3 }, "the generation 7 and the minimum 3"},
		{"two of a name", func(j *Job) { j.Streams = append(j.Streams, j.Streams[0]) }, "is there twice"},
		{"two of a name at the destination", func(j *Job) {
			j.Streams = append(j.Streams, stream(`{"name":"users","namespace":"b"}`))
			j.Namespace = func(string) string { return "" }
		}, `two streams are called "users" at the destination`},
		{"a secret in no JSON", func(j *Job) { j.Source.Config = []byte("password") }, "is no JSON object"},
		{"a program that is not there", func(j *Job) { j.Source.Command = Command{Args: []string{"/nowhere/source"}} }, `the program "/nowhere/source" cannot be run`},
		{"a program of no path", func(j *Job) { j.Destination.Command = Command{Args: []string{"no-such-program"}} }, `no program "no-such-program"`},
		{"neither program nor image", func(j *Job) { j.Source.Command = Command{} }, "neither a command line nor an image"},
		{"an option as an image", func(j *Job) { j.Source.Command = Command{Image: "--privileged"} }, "looks like an option"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, fakeDestination{})
			c.change(&b.job)
			if _, err := b.run(); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "password") {
				t.Errorf("the job gives %v, want invalid: %s", err, c.want)
			}
		})
	}
}
