//go:build unix

package runner

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"longshore/internal/rawjson"
)

func TestConnectorsSeeNothingOfOurs(t *testing.T) {
	t.Setenv("LONGSHORE_CLIENT_SECRET", "ours")
	b := newBench(t, fakeDestination{}, step{Stream: "users", Facts: true})
	b.job.Source.Command.Env = []string{"OWN=1"}
	b.succeed()
	m := b.received()[0]
	var facts struct {
		Env    []string
		Folder string
		Args   []string
	}
	data, _ := rawjson.Get([]byte(m), "record", "data")
	if err := json.Unmarshal(data, &facts); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, variable := range facts.Env {
		name, value, _ := strings.Cut(variable, "=")
		if name != "PWD" && name != "OLDPWD" && name != "_" && name != "SHLVL" { // the shell's own
			names = append(names, name)
		}
		for want, is := range map[string]string{"WORKER_JOB_ID": "4211", "WORKER_ATTEMPT": "2", "WORKER_CONNECTION_ID": "c-1", "USE_STREAM_CAPABLE_STATE": "true", "HOME": facts.Folder} {
			if name == want && value != is {
				t.Errorf("%s is %q, want %q", name, value, is)
			}
		}
	}
	slices.Sort(names)
	want := []string{"HOME", "LANG", "OWN", "PATH", "TMPDIR", "USE_STREAM_CAPABLE_STATE", "WORKER_ATTEMPT", "WORKER_CONNECTION_ID", "WORKER_JOB_ID"}
	if !slices.Equal(names, want) {
		t.Errorf("the environment has %v, want %v", names, want)
	}
	if !strings.HasPrefix(facts.Folder, b.runner.Folder) {
		t.Errorf("it works in %s", facts.Folder)
	}
}

// A source that hears no request to end, with a child that holds its output open, is gone soon after the cancel.
func TestCancelEndsTheWholeGroup(t *testing.T) {
	b := newBench(t, fakeDestination{}, step{Deaf: true}, step{Stream: "users", Spawn: true}, state("users", `{"cursor":1}`), step{Hang: true})
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("somebody pressed the button")
	b.sink.keeps = func(State) { cancel(stop) } // by then the destination has the record
	_, err := b.runner.Run(ctx, b.job, b.sink)
	if !errors.Is(err, stop) {
		t.Fatalf("the run ended with %v", err)
	}
	data, err := os.ReadFile(b.into)
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	child, _ := rawjson.Get([]byte(line), "record", "data", "child")
	if len(child) == 0 {
		t.Fatalf("the destination got %.300q, want the record with the child's number", data)
	}
	deadline := time.Now().Add(5 * time.Second)
	for running(t, string(child)) {
		if time.Now().After(deadline) {
			t.Fatalf("the child %s is still there", child)
		}
	}
}

// running tells whether a process is there and no zombie that only waits for its parent.
func running(t *testing.T, pid string) bool {
	t.Helper()
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z")
}

func TestChildrenDoNotOutliveTheirSource(t *testing.T) {
	b := newBench(t, fakeDestination{}, step{Stream: "users", Spawn: true}, step{Stream: "users", Records: 1})
	if outcome := b.succeed(); outcome.Streams[0].Records != 2 {
		t.Errorf("%d records came", outcome.Streams[0].Records)
	}
}

func TestSilentSourceAndBlockedDestinationAreEnded(t *testing.T) {
	b := newBench(t, fakeDestination{}, step{Stream: "users", Records: 1}, state("users", `{"cursor":1}`), step{Hang: true})
	b.job.Source.Command.Limits.Silence = 300 * time.Millisecond
	b.fail("the source sent neither a record nor a state for 300ms")
	if len(b.sink.states) != 1 || strings.Contains(strings.Join(b.received(), ""), "COMPLETE") {
		t.Errorf("kept %s", b.sink.states)
	}
	// More than all pipes and buffers hold: a destination that takes nothing holds the source.
	b = newBench(t, fakeDestination{Stuck: true}, step{Stream: "users", Big: 4 << 20}, step{Stream: "users", Records: 100_000})
	b.job.Destination.Command.Limits.Blocked = 300 * time.Millisecond
	outcome := b.fail("the destination took no records for 300ms")
	if got := outcome.Streams[0].Records; got > 2 {
		t.Errorf("%d records were taken from the source although the destination took none", got)
	}
	b = newBench(t, fakeDestination{Stuck: true})
	b.job.Destination.Command.Limits.Blocked = 300 * time.Millisecond
	b.fail("the destination did not finish for 300ms")
}

// still is a clock that goes only when it is told to.
type still struct {
	now   time.Time
	after chan time.Time
	asked chan time.Duration
}

func (s *still) Now() time.Time { return s.now }
func (s *still) After(d time.Duration) <-chan time.Time {
	s.asked <- d
	return s.after
}

func TestHeartbeat(t *testing.T) {
	clock := &still{now: time.UnixMilli(0), after: make(chan time.Time), asked: make(chan time.Duration)}
	w := newWatch(clock)
	w.waitFor(Source, "was silent", 3*time.Hour)
	ended := make(chan error)
	go func() {
		_, err := w.run(t.Context())
		ended <- err
	}()
	asked := func(want time.Duration) {
		t.Helper()
		if got := <-clock.asked; got != want {
			t.Fatalf("the watch waits %s, want %s", got, want)
		}
	}
	asked(3 * time.Hour)
	clock.now = clock.now.Add(2 * time.Hour)
	w.waitFor(Source, "was silent", 3*time.Hour) // a record came
	clock.after <- clock.now
	asked(3 * time.Hour)
	w.throttled(clock.now.Add(5 * time.Hour)) // it must wait, and says until when
	clock.now = clock.now.Add(3 * time.Hour)
	clock.after <- clock.now
	asked(5 * time.Hour)
	clock.now = clock.now.Add(5 * time.Hour)
	clock.after <- clock.now
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "was silent for 3h0m0s") {
		t.Errorf("the watch ended with %v", err)
	}
}

func TestLimitsOfFilesHold(t *testing.T) {
	b := newBench(t, fakeDestination{})
	script := filepath.Join(t.TempDir(), "connector")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho limits $(ulimit -c) $(ulimit -n) $(ulimit -f) $(ulimit -d) $(umask)\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.job.Source.Command = Command{Args: []string{script}, Limits: Limits{OpenFiles: 64, FileBytes: 1 << 20, MemoryBytes: 1 << 30}}
	b.fail("exit code 1")
	if want := "limits 0 64 2048 1048576 0077"; !strings.Contains(b.sink.log(), want) {
		t.Errorf("the log lacks %q:\n%s", want, b.sink.log())
	}
}

func TestLogIsBoundedAndMasked(t *testing.T) {
	b := newBench(t, fakeDestination{}, step{Stderr: "the token is s3cr\"t-token"}, step{Say: strings.Repeat("é", maxLogBytes)}, step{Stderr: "one"}, step{Stderr: "too many"})
	b.job.Source.Secrets = []string{`s3cr"t-token`}
	b.job.Source.Command.Limits.LogLines, b.job.Destination.Command.Limits.LogLines = 2, 1
	outcome := b.succeed()
	if strings.Contains(b.sink.log(), "s3cr") || !strings.Contains(b.sink.log(), "the token is ****") {
		t.Errorf("the log is %.300s", b.sink.log())
	}
	if len(b.sink.lines) != 3 || outcome.LinesDropped != 1 {
		t.Errorf("%d lines of log and %d dropped, want 3 and 1", len(b.sink.lines), outcome.LinesDropped)
	}
	for _, l := range b.sink.lines {
		if len(l.Text) > maxLogBytes+40 {
			t.Errorf("a line of log has %d bytes", len(l.Text))
		}
	}
}

func TestSweepRemovesWhatDeadRunsLeft(t *testing.T) {
	r := &Runner{Folder: t.TempDir()}
	dir, remove, err := r.folder()
	if err != nil {
		t.Fatal(err)
	}
	defer remove()
	dead := filepath.Join(r.Folder, "run-999999999-1")
	if err := os.Mkdir(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := r.Sweep(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead); !os.IsNotExist(err) {
		t.Errorf("the dead run's folder is there: %v", err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("a run's own folder is gone: %v", err)
	}
}

// An engine that shows what it is told: images are run by it, with their files and without our environment.
func TestImagesRunInContainers(t *testing.T) {
	folder := t.TempDir()
	engine := filepath.Join(folder, "podman")
	script := `#!/bin/sh
if [ "$1" = rm ]; then exit 0; fi
printf '%s\n' "$@" > "` + folder + `/args"
env > "` + folder + `/env"
stat -c %a "$(dirname "$(dirname "$HOME")")" > "` + folder + `/mode"
echo '{"type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED"}}'
`
	if err := os.WriteFile(engine, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	r := &Runner{Folder: filepath.Join(folder, "runs"), Path: folder + ":/usr/bin:/bin", EngineEnv: []string{"DOCKER_HOST=unix:///x"}}
	c := Command{Image: "airbyte/source-x:1.0", Engine: "podman", Env: []string{"SECRET=hidden"}, Limits: Limits{MemoryBytes: 1 << 30}}
	answer, err := r.Check(t.Context(), Side{Command: c, Config: []byte(`{}`)})
	if err != nil || !answer.OK {
		t.Fatalf("check: %+v, %v", answer, err)
	}
	data, _ := os.ReadFile(filepath.Join(folder, "args"))
	args := strings.Split(strings.TrimSpace(string(data)), "\n")
	for _, want := range [][]string{
		{"run", "--rm", "--interactive"},
		{"--memory", "1073741824"},
		{"--pids-limit", "512"},
		{"--cap-drop", "ALL"},
		{"--security-opt", "no-new-privileges"},
		{"--env", "USE_STREAM_CAPABLE_STATE"},
		{"--env", "SECRET"},
		{"airbyte/source-x:1.0", "check", "--config", "/longshore/config.json"},
	} {
		if !holds(args, want) {
			t.Errorf("the arguments lack %v: %v", want, args)
		}
	}
	if strings.Contains(string(data), "hidden") {
		t.Error("a secret stands in the list of processes")
	}
	env, _ := os.ReadFile(filepath.Join(folder, "env"))
	if !strings.Contains(string(env), "DOCKER_HOST=unix:///x\n") || !strings.Contains(string(env), "SECRET=hidden\n") {
		t.Errorf("the engine's environment is %s", env)
	}
	if mode, _ := os.ReadFile(filepath.Join(folder, "mode")); strings.TrimSpace(string(mode)) != "700" {
		t.Errorf("the run's folder has the mode %s: others can read the configuration", mode)
	}
}

func holds(list, part []string) bool {
	for i := range list {
		if i+len(part) <= len(list) && slices.Equal(list[i:i+len(part)], part) {
			return true
		}
	}
	return false
}
