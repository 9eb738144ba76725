package runner

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test's own binary is also the connectors that the tests run: "fake source" and "fake destination", which behave as
// their configuration says.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "fake" {
		os.Exit(fake(os.Args[2], os.Args[3], os.Args[4:]))
	}
	os.Exit(m.Run())
}

// step is one thing that a fake source does.
type step struct {
	Say    string `json:"say,omitempty"` // a line as it is
	Stderr string `json:"stderr,omitempty"`
	Stream string `json:"stream,omitempty"` // of Records and Big
	// Records is how many records of the stream, Big how many bytes one has.
	Records int  `json:"records,omitempty"`
	Big     int  `json:"big,omitempty"`
	Hang    bool `json:"hang,omitempty"`   // for ever
	Deaf    bool `json:"deaf,omitempty"`   // to the request to end
	Spawn   bool `json:"spawn,omitempty"`  // a child that holds the output open, for ever
	Facts   bool `json:"facts,omitempty"`  // writes what it was started with as a record
	States  bool `json:"states,omitempty"` // writes the state file as a record
	Exit    int  `json:"exit,omitempty"`
}

type fakeSource struct {
	Script []step `json:"script"`
	Check  string `json:"check,omitempty"`
}

type fakeDestination struct {
	Into    string `json:"into"`              // a file that gets every line
	States  string `json:"states"`            // how they are given back: "", respelt, twice, late, lost, swapped, invented, changed
	Demands bool   `json:"demands,omitempty"` // every stream COMPLETE, and generations
	Short   int    `json:"short,omitempty"`   // counts so many records too few
	Exit    int    `json:"exit,omitempty"`
	After   int    `json:"after,omitempty"` // lines, then it exits at once
	Stuck   bool   `json:"stuck,omitempty"` // reads nothing
	Fails   string `json:"fails,omitempty"` // with this TRACE ERROR, at the end
}

func fake(role, command string, args []string) int {
	files := map[string][]byte{}
	for i := 0; i+1 < len(args); i += 2 {
		data, err := os.ReadFile(args[i+1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 3
		}
		files[strings.TrimPrefix(args[i], "--")] = data
	}
	switch command {
	case "spec":
		fmt.Println("starting up\n{\"type\":\"SPEC\",\"spec\":{\"connectionSpecification\":{\"type\":\"object\",\"x\":1.0},\"further\":true}}")
		return 0
	case "read":
		return read(files)
	case "write":
		return write(files)
	}
	var c fakeSource
	_ = json.Unmarshal(files["config"], &c)
	fmt.Println(c.Check)
	for _, s := range c.Script {
		if code, ended := s.do(os.Stdout, files); ended {
			return code
		}
	}
	return 0
}

func read(files map[string][]byte) int {
	var c fakeSource
	if err := json.Unmarshal(files["config"], &c); err != nil {
		return 3
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, s := range c.Script {
		if code, ended := s.do(out, files); ended {
			return code
		}
	}
	return 0
}

func (s step) do(out io.Writer, files map[string][]byte) (code int, ended bool) {
	flush := func() {
		if b, ok := out.(*bufio.Writer); ok {
			b.Flush()
		}
	}
	record := func(data string) {
		fmt.Fprintf(out, `{"type":"RECORD","record":{"stream":%q,"data":%s,"emitted_at":1741338302034}}`+"\n", s.Stream, data)
	}
	switch {
	case s.Say != "":
		fmt.Fprintln(out, s.Say)
	case s.Stderr != "":
		fmt.Fprintln(os.Stderr, s.Stderr)
	case s.Big > 0:
		record(`{"text":"` + strings.Repeat("x", s.Big) + `"}`)
	case s.Records > 0:
		for i := range s.Records {
			record(`{"id":` + strconv.Itoa(i) + `,"name":"<é> ","secret":1}`)
		}
	case s.Facts:
		folder, _ := os.Getwd()
		facts, _ := json.Marshal(map[string]any{"env": os.Environ(), "folder": folder, "args": os.Args[1:], "catalog": json.RawMessage(files["catalog"])})
		record(string(facts))
	case s.States:
		record(`{"states":` + string(files["state"]) + `}`)
	case s.Deaf:
		signal.Ignore(syscall.SIGTERM)
	case s.Spawn:
		child := exec.Command("/bin/sh", "-c", "trap '' TERM; while :; do sleep 1000; done")
		child.Stdout = os.Stdout
		if err := child.Start(); err != nil {
			return 3, true
		}
		record(fmt.Sprintf(`{"child":%d}`, child.Process.Pid))
	case s.Hang:
		flush()
		time.Sleep(time.Hour)
	case s.Exit != 0:
		flush()
		return s.Exit, true
	}
	return 0, false
}

// write is a destination that gives a state back when it comes. It demands what the strict ones demand.
func write(files map[string][]byte) int {
	var c fakeDestination
	if err := json.Unmarshal(files["config"], &c); err != nil {
		return 3
	}
	if c.Stuck {
		time.Sleep(time.Hour)
	}
	var catalog struct {
		Streams []struct {
			Stream     struct{ Name, Namespace string } `json:"stream"`
			Generation *int64                           `json:"generation_id"`
			Minimum    *int64                           `json:"minimum_generation_id"`
			SyncID     *int64                           `json:"sync_id"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(files["catalog"], &catalog); err != nil {
		return 3
	}
	into, err := os.Create(c.Into)
	if err != nil {
		return 3
	}
	defer into.Close()
	file := bufio.NewWriter(into)
	defer file.Flush()
	_ = os.WriteFile(filepath.Join(filepath.Dir(c.Into), "catalog.json"), files["catalog"], 0o600)
	out, complete, counts := newEchoes(c), map[string]bool{}, map[string]int{}
	in := bufio.NewReader(os.Stdin)
	for n := 1; ; n++ {
		line, err := in.ReadString('\n')
		if err != nil {
			break
		}
		file.WriteString(line)
		if n == c.After {
			return c.Exit
		}
		var m struct {
			Type   string
			Record struct{ Stream, Namespace string }
			State  struct {
				Stream struct {
					Descriptor struct{ Name, Namespace string } `json:"stream_descriptor"`
				}
			}
			Trace struct {
				Status struct {
					Descriptor struct{ Name, Namespace string } `json:"stream_descriptor"`
					Status     string
				} `json:"stream_status"`
			}
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			fmt.Fprintln(os.Stderr, "not JSON:", line[:min(100, len(line))])
			return 4
		}
		switch m.Type {
		case "RECORD":
			counts[m.Record.Namespace+"."+m.Record.Stream]++
		case "STATE":
			if file.Flush() != nil { // what was given back is durable
				return 3
			}
			d := m.State.Stream.Descriptor
			out.state(strings.TrimSuffix(line, "\n"), counts[d.Namespace+"."+d.Name]-c.Short)
			counts[d.Namespace+"."+d.Name] = 0
		case "TRACE":
			d := m.Trace.Status.Descriptor
			complete[d.Namespace+"."+d.Name] = m.Trace.Status.Status == "COMPLETE"
		default:
			fmt.Fprintln(os.Stderr, "unexpected", m.Type)
			return 5
		}
	}
	out.end()
	for _, s := range catalog.Streams {
		if c.Demands && (s.Generation == nil || s.Minimum == nil || s.SyncID == nil || !complete[s.Stream.Namespace+"."+s.Stream.Name]) {
			fmt.Printf(`{"type":"TRACE","trace":{"type":"ERROR","emitted_at":1.5,"error":{"message":"stream %s did not receive a terminal status","failure_type":"system_error"}}}`+"\n", s.Stream.Name)
			return 1
		}
	}
	if c.Fails != "" {
		fmt.Printf(`{"type":"TRACE","trace":{"type":"ERROR","emitted_at":1.5,"error":{"message":%q,"failure_type":"config_error"}}}`+"\n", c.Fails)
	}
	return c.Exit
}

// echoes gives states back, in the way that the test wants.
type echoes struct {
	how  string
	c    fakeDestination
	kept []string
}

func newEchoes(c fakeDestination) *echoes { return &echoes{how: c.States, c: c} }

func (e *echoes) state(line string, n int) {
	var m map[string]any
	d := json.NewDecoder(strings.NewReader(line))
	_ = d.Decode(&m) // numbers become float64, members are sorted: as many programs do
	state := m["state"].(map[string]any)
	if state["type"] == "STREAM" {
		state["destinationStats"] = map[string]any{"recordCount": float64(n)}
	}
	respelt, _ := json.MarshalIndent(m, "", "")
	line = strings.ReplaceAll(string(respelt), "\n", "")
	switch e.how {
	case "", "respelt":
		fmt.Println(line)
	case "twice":
		fmt.Println(line + "\n" + line)
	case "changed":
		fmt.Println(strings.ReplaceAll(line, "cursor", "other"))
	default:
		e.kept = append(e.kept, line)
	}
}

func (e *echoes) end() {
	switch {
	case e.how == "lost" && len(e.kept) > 1: // the one before the last
		e.kept = append(e.kept[:len(e.kept)-2], e.kept[len(e.kept)-1])
	case e.how == "lost last":
		e.kept = e.kept[:len(e.kept)-1]
	case e.how == "swapped" && len(e.kept) > 1:
		e.kept[0], e.kept[1] = e.kept[1], e.kept[0]
	case e.how == "invented":
		e.kept = append([]string{`{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"nobody"},"stream_state":{}}}}`}, e.kept...)
	}
	for _, line := range e.kept {
		fmt.Println(line)
	}
}
