package threadtime

import (
	"syscall"
	"testing"
	"time"
)

// now returns how long the thread has run. It doesn't grow while others have the processor.
func now(t testing.TB) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_THREAD, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
