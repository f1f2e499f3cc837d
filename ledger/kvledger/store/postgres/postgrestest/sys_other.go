//go:build unix && !linux

package postgrestest

import "syscall"

// dieWithParent has no effect here: a server whose process is killed goes on.
func dieWithParent(syscall.Signal) *syscall.SysProcAttr { return new(syscall.SysProcAttr) }
