//go:build unix

package etcdtest

import "syscall"

// What pauses a process, and what has it go on.
const (
	sigPause  = syscall.SIGSTOP
	sigResume = syscall.SIGCONT
)
