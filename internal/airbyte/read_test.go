package airbyte

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"longshore/internal/fault"
	"longshore/internal/pipeline"
)

// pages is a source of streams with numbered records, two a page. A state is the number of records read.
type pages struct {
	counts map[string]int
	fails  map[string]error // after the first page
	gaps   map[string]string
	on     func(stream string, page int) // before each page
}

func (p *pages) Streams() []pipeline.Stream { return nil }

func (p *pages) Read(_ context.Context, stream string, from json.RawMessage) iter.Seq2[pipeline.Page, error] {
	return func(yield func(pipeline.Page, error) bool) {
		at := 0
		if from != nil {
			var st struct{ N int }
			if err := json.Unmarshal(from, &st); err != nil {
				yield(pipeline.Page{}, fault.Errorf(fault.Invalid, "state %s: %w", from, err))
				return
			}
			at = st.N
		}
		for page := 0; at < p.counts[stream]; page++ {
			if p.on != nil {
				p.on(stream, page)
			}
			if err := p.fails[stream]; err != nil && page == 1 {
				yield(pipeline.Page{}, err)
				return
			}
			var records [][]byte
			for range min(2, p.counts[stream]-at) {
				at++
				records = append(records, fmt.Appendf(nil, `{"id":%d,"text":"<&>\u2028"}`, at))
			}
			next := pipeline.Page{Records: records, EmittedAt: time.UnixMilli(1741338302034), State: json.RawMessage(`{"N":` + strconv.Itoa(at) + `}`)}
			if gap := p.gaps[stream]; gap != "" && page == 0 {
				next.Gaps = []string{gap}
			}
			if !yield(next, nil) {
				return
			}
		}
	}
}

// process runs a command with files of these contents, as a process would.
type process struct {
	t       *testing.T
	source  *pages
	session Session
	output  bytes.Buffer
	out     io.Writer // in place of output
	ctx     context.Context
	opened  Environment
}

func newProcess(t *testing.T, source *pages) *process {
	p := &process{t: t, source: source, ctx: t.Context()}
	p.session.Source = source
	for name := range source.counts {
		s := Stream{Name: name, Schema: json.RawMessage(`{}`), Modes: []string{FullRefresh, Incremental}}
		if strings.HasPrefix(name, "full") {
			s.Modes = s.Modes[:1]
		}
		p.session.Catalog.Streams = append(p.session.Catalog.Streams, s)
	}
	p.session.Check = func(context.Context) error { return nil }
	return p
}

func (p *process) run(command, config, catalog, state string) (*Validator, bool) {
	p.t.Helper()
	dir := p.t.TempDir()
	files := Files{Config: filepath.Join(dir, "config"), Catalog: filepath.Join(dir, "catalog")}
	for path, text := range map[string]string{files.Config: config, files.Catalog: catalog, filepath.Join(dir, "state"): state} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	if state != "" {
		files.State = filepath.Join(dir, "state")
	}
	c := &Connector{
		Specification: Specification{Schema: json.RawMessage(`{"type":"object"}`)},
		Open: func(config json.RawMessage, e Environment) (*Session, error) {
			switch {
			case strings.Contains(string(config), "bad"):
				return nil, fault.Errorf(fault.Invalid, "the setting is bad").WithHint("Make it good.")
			case strings.Contains(string(config), "old"):
				e.Reconfigured(json.RawMessage(`{"new":1}`))
			}
			p.opened = e
			e.Log.Warn("opened", "with", "a \"quoted\" word")
			return &p.session, nil
		},
	}
	p.output.Reset()
	out := io.Writer(&p.output)
	if p.out != nil {
		out = p.out
	}
	ok, err := c.Run(p.ctx, command, files, false, out)
	if err != nil && p.out == nil {
		p.t.Fatalf("%s: %v", command, err)
	}
	v := &Validator{}
	if err := v.Read(bytes.NewReader(p.output.Bytes())); err != nil {
		p.t.Fatalf("%s: %v\n%s", command, err, p.output.String())
	}
	return v, ok
}

func catalogOf(mode string, names ...string) string {
	var streams []string
	for _, name := range names {
		streams = append(streams, fmt.Sprintf(`{"stream":{"name":%q,"json_schema":{}},"sync_mode":%q,"destination_sync_mode":"append"}`, name, mode))
	}
	return `{"streams":[` + strings.Join(streams, ",") + `]}`
}

func TestReadTellsEveryStreamFromStartToEnd(t *testing.T) {
	p := newProcess(t, &pages{counts: map[string]int{"users": 5, "empty": 0, "other": 9}})
	v, ok := p.run("read", `{}`, catalogOf(FullRefresh, "users", "empty"), "")
	if !ok || v.Records["users"] != 5 || v.Records["other"] != 0 || v.Ends["users"] != StatusComplete || v.Ends["empty"] != StatusComplete || len(v.Ends) != 2 {
		t.Errorf("ok %t, records %v, ends %v", ok, v.Records, v.Ends)
	}
	if string(v.States["users"]) != `{"N":5}` || string(v.States["empty"]) != `{}` || v.Counts["STATE"] != 4 {
		t.Errorf("states %s, %d messages; want 3 of users and 1 of the empty stream", v.States, v.Counts["STATE"])
	}
	want := `{"type":"RECORD","record":{"stream":"users","data":{"id":1,"text":"<&>\u2028"},"emitted_at":1741338302034}}`
	if lines := strings.Split(p.output.String(), "\n"); !slices.Contains(lines, want) {
		t.Errorf("the record's bytes were changed: want the line %s in\n%s", want, p.output.String())
	}
	if !strings.Contains(p.output.String(), `{"type":"LOG","log":{"level":"WARN","message":"opened with=\"a \\\"quoted\\\" word\""}}`) {
		t.Errorf("the log is not told as it is:\n%s", p.output.String())
	}
}

func TestReadGoesOnFromAnyStateInAnyForm(t *testing.T) {
	for _, form := range []string{
		`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{"N":4}}}]`,
		`[{"type":"STREAM","stream":{"stream_descriptor":{"name":"users","namespace":null},"stream_state":{"N":4}}},{"type":"STREAM","stream":{"stream_descriptor":{"name":"gone"},"stream_state":{"N":1}}}]`,
		`{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{"N":4}}}`,
		`[{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":{"N":4}},"sourceStats":{"recordCount":4.0}}}]`,
		`[{"type":"GLOBAL","global":{"shared_state":{},"stream_states":[{"stream_descriptor":{"name":"users"},"stream_state":{"N":4}}]}}]`,
		`{"type":"LEGACY","data":{"users":{"N":4}}}`,
		`{"data":{"users":{"N":4}}}`,
		`{"users":{"N":4}}`,
	} {
		p := newProcess(t, &pages{counts: map[string]int{"users": 5}})
		if v, ok := p.run("read", `{}`, catalogOf(Incremental, "users"), form); !ok || v.Records["users"] != 1 {
			t.Errorf("state %s: ok %t, %d records, want the last one", form, ok, v.Records["users"])
		}
	}
	for _, start := range []string{"", "[]", "{}", "  \n", "null", `[{"type":"STREAM","stream":{"stream_descriptor":{"name":"users"},"stream_state":null}}]`} {
		p := newProcess(t, &pages{counts: map[string]int{"users": 5}})
		if v, ok := p.run("read", `{}`, catalogOf(Incremental, "users"), start); !ok || v.Records["users"] != 5 {
			t.Errorf("state %q: ok %t, %d records, want all 5", start, ok, v.Records["users"])
		}
	}
	for _, bad := range []string{`[1]`, `nonsense`, `[{"type":"STREAM","stream":{}}]`, `{"users":7}`, `[{"type":"OTHER"}]`} {
		p := newProcess(t, &pages{counts: map[string]int{"users": 5}})
		if v, ok := p.run("read", `{}`, catalogOf(Incremental, "users"), bad); ok || len(v.Errors) != 1 || v.Counts["RECORD"] > 0 {
			t.Errorf("state %q: ok %t, errors %q, %d records; want it refused", bad, ok, v.Errors, v.Counts["RECORD"])
		}
	}
}

func TestReadTellsWhichStreamFailedAndReadsTheOthers(t *testing.T) {
	p := newProcess(t, &pages{
		counts: map[string]int{"users": 5, "roles": 5, "groups": 3},
		fails:  map[string]error{"users": fault.Errorf(fault.Denied, "no scope").WithHint("Grant okta.users.read."), "roles": errors.New("broken")},
	})
	v, ok := p.run("read", `{}`, catalogOf(FullRefresh, "users", "nope", "roles", "groups"), "")
	want := map[string]string{"users": StatusIncomplete, "nope": StatusIncomplete, "roles": StatusIncomplete, "groups": StatusComplete}
	if ok || fmt.Sprint(v.Ends) != fmt.Sprint(want) || v.Records["users"] != 2 || v.Records["groups"] != 3 {
		t.Errorf("ok %t, ends %v, records %v, want the ends %v", ok, v.Ends, v.Records, want)
	}
	if len(v.Errors) != 4 || !strings.Contains(v.Errors[0], "okta.users.read") || !strings.Contains(v.Errors[3], "users, nope, roles") {
		t.Errorf("errors %q: want one a stream and one that sums up", v.Errors)
	}
	for _, part := range []string{`"failure_type":"config_error","stream_descriptor":{"name":"users"}`, `"failure_type":"system_error","stream_descriptor":{"name":"roles"}`} {
		if !strings.Contains(p.output.String(), part) {
			t.Errorf("no %s in\n%s", part, p.output.String())
		}
	}
}

func TestReadTakesAStreamWithGapsForIncompleteUnlessAsked(t *testing.T) {
	for _, accept := range []bool{false, true} {
		p := newProcess(t, &pages{counts: map[string]int{"users": 5}, gaps: map[string]string{"users": "group 00g1 may not be read"}})
		p.session.AcceptGaps = accept
		v, ok := p.run("read", `{}`, catalogOf(FullRefresh, "users"), "")
		if ok != accept || v.Ends["users"] == StatusComplete != accept || v.Records["users"] != 5 || !strings.Contains(p.output.String(), "00g1") {
			t.Errorf("accept %t: ok %t, %v, %d records\n%s", accept, ok, v.Ends, v.Records["users"], p.output.String())
		}
	}
}

func TestReadRefusesAModeThatTheStreamHasNot(t *testing.T) {
	p := newProcess(t, &pages{counts: map[string]int{"full": 5}})
	if v, ok := p.run("read", `{}`, catalogOf(Incremental, "full"), ""); ok || v.Records["full"] > 0 || !strings.Contains(v.Errors[0], "full_refresh") {
		t.Errorf("ok %t, errors %q", ok, v.Errors)
	}
}

func TestReadBeginsWhereTheSessionSays(t *testing.T) {
	p := newProcess(t, &pages{counts: map[string]int{"users": 5}})
	p.session.Begin = func(_, mode string, state json.RawMessage) (json.RawMessage, bool) {
		return json.RawMessage(`{"N":3}`), mode == FullRefresh && state != nil
	}
	if v, ok := p.run("read", `{}`, catalogOf(Incremental, "users"), ""); !ok || v.Records["users"] != 2 {
		t.Errorf("ok %t, %d records, want the last 2", ok, v.Records["users"])
	}
	kept := `[{"stream":{"stream_descriptor":{"name":"users"},"stream_state":{"done":true}}}]`
	if v, ok := p.run("read", `{}`, catalogOf(FullRefresh, "users"), kept); !ok || v.Records["users"] != 0 || string(v.States["users"]) != `{"done":true}` {
		t.Errorf("a full refresh that is done: ok %t, %d records, state %s", ok, v.Records["users"], v.States["users"])
	}
}

func TestReadThatIsStoppedEndsWell(t *testing.T) {
	source := &pages{counts: map[string]int{"users": 50, "groups": 5}}
	p := newProcess(t, source)
	ctx, stop := context.WithCancel(t.Context())
	p.ctx = ctx
	source.on = func(_ string, page int) {
		if page == 3 {
			stop()
		}
	}
	v, ok := p.run("read", `{}`, catalogOf(FullRefresh, "users", "groups"), "")
	if ok || v.Ends["users"] != StatusIncomplete || v.Ends["groups"] != "" || v.Records["users"] > 8 || !strings.Contains(p.output.String(), "transient_error") {
		t.Errorf("ok %t, ends %v, %d records\n%s", ok, v.Ends, v.Records["users"], p.output.String())
	}
}

// A run is worth another try as long as one of its streams is.
func TestRunFailsAsItsStreamsDid(t *testing.T) {
	for want, kinds := range map[fault.Kind][]fault.Kind{
		fault.Denied:      {fault.Denied, fault.Denied},
		fault.Unavailable: {fault.Denied, fault.Unavailable, fault.Denied},
	} {
		got := fault.Unavailable
		for i, kind := range kinds {
			got = worse(got, kind, i == 0)
		}
		if got != want {
			t.Errorf("streams that failed with %v make a run of kind %v, want %v", kinds, got, want)
		}
	}
}

// cut is a pipe whose reader goes away after some bytes.
type cut struct{ left int }

func (c *cut) Write(b []byte) (int, error) {
	if c.left -= len(b); c.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(b), nil
}

func TestReadEndsWhenNobodyReadsIt(t *testing.T) {
	asked := 0
	p := newProcess(t, &pages{counts: map[string]int{"users": 1 << 20}, on: func(string, int) { asked++ }})
	p.out = &cut{left: 4000}
	if _, ok := p.run("read", `{}`, catalogOf(FullRefresh, "users"), ""); ok || asked > 30 {
		t.Errorf("ok %t after %d pages, want the read to end at once", ok, asked)
	}
}

func TestCheckAnswersAndTheProcessEndsWell(t *testing.T) {
	p := newProcess(t, &pages{})
	for _, c := range []struct {
		config string
		err    error
		ok     bool
		status string
	}{
		{`{}`, nil, true, "SUCCEEDED"},
		{`{}`, fault.Errorf(fault.Denied, "401 from the org"), true, "401 from the org"},
		{`{}`, fault.Errorf(fault.Unavailable, "no answer"), true, "FAILED"},
		{`{"bad":1}`, nil, true, "Make it good."},
		{`{}`, errors.New("a bug"), false, "TRACE"},
		{`no JSON`, nil, false, "TRACE"},
	} {
		p.session.Check = func(context.Context) error { return c.err }
		if _, ok := p.run("check", c.config, "", ""); ok != c.ok || !strings.Contains(p.output.String(), c.status) {
			t.Errorf("config %s, error %v: ok %t, want %t and %q in %s", c.config, c.err, ok, c.ok, c.status, p.output.String())
		}
	}
}

func TestOtherCommandsRefuseABadConfiguration(t *testing.T) {
	for _, command := range []string{"discover", "read"} {
		p := newProcess(t, &pages{counts: map[string]int{"users": 1}})
		if v, ok := p.run(command, `{"bad":1}`, catalogOf(FullRefresh, "users"), ""); ok || len(v.Errors) != 1 || !strings.Contains(p.output.String(), "config_error") {
			t.Errorf("%s: ok %t, errors %q", command, ok, v.Errors)
		}
	}
}

func TestOlderConfigurationIsHandedBackInItsNewForm(t *testing.T) {
	p := newProcess(t, &pages{counts: map[string]int{"users": 1}})
	for _, command := range []string{"check", "discover", "read"} {
		if v, ok := p.run(command, `{"old":1}`, catalogOf(FullRefresh, "users"), ""); !ok || v.Counts["CONTROL"] != 1 || !strings.Contains(p.output.String(), `"connectorConfig":{"config":{"new":1}}`) {
			t.Errorf("%s: ok %t, messages %v", command, ok, v.Counts)
		}
	}
}

func TestSecretsOfAnUnreadableConfigurationStaySecret(t *testing.T) {
	p := newProcess(t, &pages{})
	for _, config := range []string{`{"token":"hush"`, `["hush"]`, ``} {
		if _, ok := p.run("discover", config, "", ""); ok || strings.Contains(p.output.String(), "hush") {
			t.Errorf("config %q: ok %t, output %s", config, ok, p.output.String())
		}
	}
}

func TestWaitForTheRateLimitIsToldOfTheStreamThatWaits(t *testing.T) {
	source := &pages{counts: map[string]int{"users": 3, "groups": 3}}
	p := newProcess(t, source)
	source.on = func(stream string, page int) {
		if stream == "groups" {
			p.opened.Throttled(time.UnixMilli(1741338360000))
		}
	}
	v, ok := p.run("read", `{}`, catalogOf(FullRefresh, "users", "groups"), "")
	want := `"stream_status":{"stream_descriptor":{"name":"groups"},"status":"RUNNING","reasons":[{"type":"RATE_LIMITED","rate_limited":{"quota_reset":1741338360000}}]}`
	if n := strings.Count(p.output.String(), want); !ok || n != 2 || v.Ends["groups"] != StatusComplete {
		t.Errorf("ok %t, told %d times, want once a page:\n%s", ok, n, p.output.String())
	}
	length := p.output.Len()
	if p.opened.Throttled(time.Now()); p.output.Len() != length {
		t.Error("a message behind the end of all streams")
	}
}

func TestReadTellsWhatIsForeseen(t *testing.T) {
	p := newProcess(t, &pages{counts: map[string]int{"users": 5, "groups": 1}})
	var told []Begun
	p.session.Foresee = func(_ context.Context, streams []Begun) map[string]int64 {
		told = streams
		return map[string]int64{"users": 6}
	}
	_, ok := p.run("read", `{}`, catalogOf(Incremental, "users", "groups", "nope"), `{"users":{"N":4}}`)
	want := `"type":"ESTIMATE","emitted_at":`
	if n := strings.Count(p.output.String(), want); ok || n != 1 || !strings.Contains(p.output.String(), `"estimate":{"name":"users","type":"STREAM","row_estimate":6}`) {
		t.Errorf("ok %t, %d estimates, want that of users alone:\n%s", ok, n, p.output.String())
	}
	if len(told) != 2 || told[0].Stream != "users" || string(told[0].From) != `{"N":4}` || told[1].From != nil {
		t.Errorf("asked to foresee %+v, want users from its state and groups from its start", told)
	}
}
