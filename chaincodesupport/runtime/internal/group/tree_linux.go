package group

import "syscall"

// sysProcAttr gives the program a process group of its own, and has it killed when the thread that starts it ends.
func sysProcAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitExit returns when the program has ended, and leaves it unreaped: as long as it is, no other process can be given its
// ID, so a signal to its group cannot reach strangers.
func (t *tree) awaitExit() {
	const pPID = 1 // P_PID of waitid(2)
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, pPID, uintptr(t.cmd.Process.Pid), 0, syscall.WEXITED|syscall.WNOWAIT, 0, 0)
		if errno != syscall.EINTR {
			return // any other error is met again, and reported, by whoever reaps the process
		}
	}
}
