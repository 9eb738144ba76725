//go:build unix

package runner

import (
	"fmt"
	"os/exec"
	"syscall"
)

// limited puts the limits in front of a command line: the shell sets them, then becomes the program. A limit that the
// system does not know, or that is lower already, stays as it is. Memory is bounded as data, not as address space: runtimes
// reserve far more than they use.
func limited(args []string, l Limits) []string {
	const kib, block = 1 << 10, 512
	script := fmt.Sprintf(`umask 077; for l in "-c 0" "-n %d" "-f %d" "-d %d"; do ulimit $l 2>/dev/null || :; done; exec "$@"`,
		l.OpenFiles, l.FileBytes/block, l.MemoryBytes/kib)
	return append([]string{"/bin/sh", "-c", script, "sh"}, args...)
}

func endGroup(cmd *exec.Cmd)  { signalGroup(cmd, syscall.SIGTERM) }
func killGroup(cmd *exec.Cmd) { signalGroup(cmd, syscall.SIGKILL) }

// signalGroup signals the process and all that it started and that did not leave its group. There may be none of them.
func signalGroup(cmd *exec.Cmd, signal syscall.Signal) {
	_ = syscall.Kill(-cmd.Process.Pid, signal)
}
