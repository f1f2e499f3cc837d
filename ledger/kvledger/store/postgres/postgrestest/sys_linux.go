package postgrestest

import "syscall"

// dieWithParent has a process get a signal when the thread that started it ends.
func dieWithParent(signal syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: signal}
}
