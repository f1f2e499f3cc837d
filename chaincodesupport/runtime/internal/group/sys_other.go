//go:build unix && !linux

package group

import (
	"os/exec"
	"syscall"
)

func sysProcAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit returns when cmd's process has ended, and reaps it. What is left of its group keeps its ID.
func awaitExit(cmd *exec.Cmd) { _ = cmd.Wait() }
