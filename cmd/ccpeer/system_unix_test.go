//go:build unix

package main

import (
	"os/exec"
	"syscall"
	"testing"
)

// needsSignals skips a test that can't end a peer as Ctrl-C does.
func needsSignals(*testing.T) {}

// makePipe makes a pipe in the file system, whose opening at one end waits for the other.
func makePipe(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
}

// kill kills a process that is nobody's child here.
func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// group has a command's processes be killed together.
func group(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
