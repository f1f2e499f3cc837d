package etcdtest

import "syscall"

// attributes have the kernel kill a node when whoever started it ends.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
