//go:build !unix

package runner

import "os/exec"

func limited(args []string, _ Limits) []string { return args }

func ownGroup(*exec.Cmd) {}

// endGroup has no gentle way here.
func endGroup(cmd *exec.Cmd) { killGroup(cmd) }

func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
