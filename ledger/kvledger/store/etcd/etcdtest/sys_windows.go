package etcdtest

import "syscall"

// What pauses a process, and what has it go on: Windows has no such signals, and an error says so to whoever sends one.
const (
	sigPause  = syscall.Signal(19)
	sigResume = syscall.Signal(18)
)
