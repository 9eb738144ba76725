package runner

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// runPrefix begins the names of the folders of runs: "run-", the process's id, "-".
const runPrefix = "run-"

// folder makes a run's own folder. remove takes it away, with the configurations in it.
func (r *Runner) folder() (dir string, remove func(), err error) {
	if err := os.MkdirAll(r.Folder, 0o700); err != nil {
		return "", nil, fmt.Errorf("make the folder of runs: %w", err)
	}
	parent, err := filepath.Abs(r.Folder)
	if err != nil {
		return "", nil, fmt.Errorf("find the folder of runs: %w", err)
	}
	dir, err = os.MkdirTemp(parent, runPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return "", nil, fmt.Errorf("make the folder of a run: %w", err)
	}
	return dir, func() {
		if err := os.RemoveAll(dir); err != nil {
			r.logger().Warn("the folder of a run, which holds configurations, could not be removed", "folder", dir, "error", err)
		}
	}, nil
}

// Sweep removes the folders of runs whose process is no more: they hold configurations. Call it at the start.
func (r *Runner) Sweep() error {
	entries, err := os.ReadDir(r.Folder)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for left-over runs: %w", err)
	}
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), runPrefix)
		id, _, _ := strings.Cut(rest, "-")
		pid, err := strconv.Atoi(id)
		if !ok || err != nil || pid == os.Getpid() || alive(pid) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(r.Folder, e.Name())); err != nil {
			return fmt.Errorf("remove a left-over run: %w", err)
		}
	}
	return nil
}

// alive reports whether a process may be there.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer func() { _ = p.Release() }()
	err = p.Signal(syscall.Signal(0))
	return err == nil || os.IsPermission(err)
}

func containerName() string { return "longshore-" + strings.ToLower(rand.Text()) }
