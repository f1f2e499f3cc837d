//go:build unix && !linux

package group

import "syscall"

// sysProcAttr gives the program a process group of its own. That it be killed with the peer, macOS and the BSDs can't be told.
func sysProcAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit returns when the program has ended, and reaps it. As long as anything is left of its group, that keeps its ID.
func (t *tree) awaitExit() { _ = t.cmd.Wait() }
