package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"longshore/internal/fault"
)

// drain is how long the output of a process that has ended may stay open with nothing in it. A child that left the group
// may hold it.
const drain = 2 * time.Second

// process is a connector under way. Stdout must be read to its end before wait, or the process may never end.
type process struct {
	name   string
	limits Limits
	stdin  *os.File // nil when it has none
	stdout io.Reader
	stderr io.Reader

	cmd     *exec.Cmd
	remove  func() // removes the container; nil for a program
	outputs []*output
	exited  chan struct{} // closed once it has ended and its group is gone
	err     error         // of Wait
	stop    sync.Once
	stopped atomic.Bool // by us
}

// launch is what a process is started with.
type launch struct {
	command Command
	args    []string          // the protocol's: command and flags without files
	files   map[string][]byte // flag to content: --config and the like
	env     []string
	role    string // source or destination; the name of its folder
	stdin   bool
}

// start starts a connector in a folder below dir.
func (r *Runner) start(dir string, l launch) (*process, error) {
	l.command.Limits = l.command.Limits.withDefaults()
	if err := l.command.check(); err != nil {
		return nil, err
	}
	work, paths, err := layOut(dir, l)
	if err != nil {
		return nil, err
	}
	p := &process{name: l.command.String(), limits: l.command.Limits, exited: make(chan struct{})}
	env := append(append([]string{}, l.env...), l.command.Env...)
	if l.command.Image == "" {
		args := append(append([]string{}, l.command.Args...), paths...)
		program, err := r.find(args[0])
		if err != nil {
			return nil, err
		}
		args[0] = program
		args = limited(args, l.command.Limits)
		p.cmd = exec.Command(args[0], args[1:]...) //nolint:noctx // it is ended by stopGroup, gently at first
		p.cmd.Env = append([]string{
			"PATH=" + r.Path, "HOME=" + work, "TMPDIR=" + filepath.Join(work, "tmp"), "LANG=C.UTF-8",
		}, env...)
	} else {
		engine, err := r.find(l.command.engine())
		if err != nil {
			return nil, err
		}
		name := containerName()
		p.cmd = exec.Command(engine, l.command.containerArgs(name, filepath.Join(dir, l.role, "files"), env, paths)...) //nolint:noctx // as above
		base := append([]string{"PATH=" + r.Path, "HOME=" + work}, r.EngineEnv...)
		p.cmd.Env = append(base, env...)
		p.remove = func() {
			ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
			defer cancel()
			rm := exec.CommandContext(ctx, engine, "rm", "--force", name)
			rm.Env = base
			_ = rm.Run() // it is gone already when it ended by itself
		}
	}
	p.cmd.Dir = work
	return p, p.begin(l.stdin)
}

// find returns the path of a program: of a bare name by the Runner's own path, never by the process's.
func (r *Runner) find(name string) (string, error) {
	if strings.ContainsRune(name, filepath.Separator) {
		path, err := filepath.Abs(name) // the process works elsewhere
		if err != nil {
			return "", fmt.Errorf("find %q: %w", name, err)
		}
		if path, err = exec.LookPath(path); err != nil {
			return "", fault.Errorf(fault.Invalid, "the program %q cannot be run: %w", name, err)
		}
		return path, nil
	}
	for _, folder := range filepath.SplitList(r.Path) {
		if !filepath.IsAbs(folder) {
			continue
		}
		if path, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return path, nil
		}
	}
	return "", fault.Errorf(fault.Invalid, "there is no program %q in the path", name).
		WithHint("Give its whole path, or install it where the server finds it.")
}

// layOut makes the process's folder and the files that it is given. It returns where it works and all of its arguments.
func layOut(dir string, l launch) (work string, args []string, err error) {
	own := filepath.Join(dir, l.role)
	work = filepath.Join(own, "work")
	files := filepath.Join(own, "files")
	for _, folder := range []string{own, files, work, filepath.Join(work, "tmp")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return "", nil, fmt.Errorf("make the folder of a connector: %w", err)
		}
	}
	mode := os.FileMode(0o600)
	seen := files
	if l.command.Image != "" {
		// The image's user is not ours. The folder above keeps the machine's other users out.
		mode, seen = 0o644, mount
		if err := os.Chmod(files, 0o755); err != nil { //nolint:gosec // as said
			return "", nil, fmt.Errorf("open the folder of a connector: %w", err)
		}
	}
	args = append(args, l.args...)
	for _, name := range []string{"config", "catalog", "state"} {
		data, given := l.files[name]
		if !given {
			continue
		}
		if err := os.WriteFile(filepath.Join(files, name+".json"), data, mode); err != nil {
			return "", nil, fmt.Errorf("write the %s of a connector: %w", name, err)
		}
		path := filepath.Join(seen, name+".json")
		if l.command.Image != "" {
			path = seen + "/" + name + ".json"
		}
		args = append(args, "--"+name, path)
	}
	return work, args, nil
}

// begin starts the process and whoever waits for it.
func (p *process) begin(stdin bool) error {
	var theirs, ours []*os.File
	pipe := func() (r, w *os.File, err error) {
		if r, w, err = os.Pipe(); err == nil {
			return r, w, nil
		}
		for _, f := range append(theirs, ours...) {
			_ = f.Close()
		}
		return nil, nil, fmt.Errorf("make a pipe for %s: %w", p.name, err)
	}
	if stdin {
		r, w, err := pipe()
		if err != nil {
			return err
		}
		p.cmd.Stdin, p.stdin = r, w
		theirs, ours = append(theirs, r), append(ours, w)
	}
	for _, stream := range []*io.Writer{&p.cmd.Stdout, &p.cmd.Stderr} {
		r, w, err := pipe()
		if err != nil {
			return err
		}
		*stream = w
		p.outputs = append(p.outputs, &output{f: r, exited: p.exited})
		theirs, ours = append(theirs, w), append(ours, r)
	}
	p.stdout, p.stderr = p.outputs[0], p.outputs[1]
	ownGroup(p.cmd)
	started := make(chan error)
	go p.live(started)
	err := <-started
	for _, f := range theirs {
		_ = f.Close()
	}
	if err != nil {
		for _, f := range ours {
			_ = f.Close()
		}
		return fault.Errorf(fault.Invalid, "start %s: %w", p.name, err).
			WithHint("The program must be there, and this user allowed to run it.")
	}
	return nil
}

// live starts the process and stays with it until it has ended. All of it is one thread of the system: a process that
// asked to be killed with its parent is killed with the thread that started it.
func (p *process) live(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	killGroup(p.cmd) // what it left behind
	if p.remove != nil {
		p.remove()
	}
	for _, o := range p.outputs {
		_ = o.f.SetReadDeadline(time.Now().Add(drain))
	}
	close(p.exited)
}

// end asks the process to end, and kills it and all of its group if it does not in time. It does not wait.
func (p *process) end() {
	p.stop.Do(func() {
		select {
		case <-p.exited: // its number may be another's by now
			return
		default:
		}
		p.stopped.Store(true)
		endGroup(p.cmd)
		go func() {
			timer := time.NewTimer(p.limits.Stop)
			defer timer.Stop()
			select {
			case <-p.exited:
			case <-timer.C:
				killGroup(p.cmd)
				if p.remove != nil {
					p.remove()
				}
			}
		}()
	})
}

// wait returns how the process ended, once it has.
func (p *process) wait() Exit {
	<-p.exited
	exit := Exit{Stopped: p.stopped.Load()}
	var failed *exec.ExitError
	switch {
	case p.err == nil:
	case errors.As(p.err, &failed):
		exit.Code = failed.ExitCode()
		if status, ok := failed.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			exit.Signal = status.Signal().String()
		}
	default:
		exit.Code = -1
	}
	return exit
}

// close gives the pipes back, once all is read.
func (p *process) close() {
	for _, o := range p.outputs {
		_ = o.f.Close()
	}
	if p.stdin != nil {
		_ = p.stdin.Close()
	}
}

// Exit is how a process ended.
type Exit struct {
	Code    int    // -1 when a signal ended it
	Signal  string // that ended it; "" for none
	Stopped bool   // it was asked to end, or killed, by the runner
}

// OK reports whether the process says that it did all it was asked to.
func (e Exit) OK() bool { return e.Code == 0 && !e.Stopped }

// String is for messages.
func (e Exit) String() string {
	if e.Signal != "" {
		return "was ended by the signal " + e.Signal
	}
	return fmt.Sprintf("ended with exit code %d", e.Code)
}

// output reads a pipe to its end, and no longer than drain past the end of its process once nothing comes any more.
type output struct {
	f      *os.File
	exited <-chan struct{}
}

// Read implements [io.Reader].
func (o *output) Read(b []byte) (int, error) {
	for {
		n, err := o.f.Read(b)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		// The deadline passes also for a pipe that nobody had time to read. What is in it is read all the same.
		if err := o.f.SetReadDeadline(time.Now().Add(drain)); err != nil {
			return 0, err
		}
		if n, err = o.f.Read(b); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		select {
		case <-o.exited:
			return 0, io.EOF
		default:
		}
	}
}
