package runner

import (
	"os/exec"
	"syscall"
)

// ownGroup makes the process the first of a group, which ends with us even when we are killed.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
