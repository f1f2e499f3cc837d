//go:build unix

package chaincodetest_test

import (
	"syscall"
	"time"
)

// cpuTime is how long the process has had a CPU.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
