package main

import (
	"os/exec"
	"testing"
)

// needsSignals skips a test that can't end a peer as Ctrl-C does.
func needsSignals(t *testing.T) {
	t.Helper()
	t.Skip("on Windows, a test can't send Ctrl-C to the peer that it has started")
}

// What follows is for tests that need signals, too.

func makePipe(t *testing.T, _ string) {
	t.Helper()
	needsSignals(t)
}

func kill(t *testing.T, _ int) {
	t.Helper()
	needsSignals(t)
}

func group(*exec.Cmd) {}

func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }
