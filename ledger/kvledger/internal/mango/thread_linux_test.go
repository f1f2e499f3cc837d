package mango_test

import (
	"syscall"
	"testing"
	"time"
)

// threadTime returns how long the thread has run. It doesn't grow while others have the processor.
func threadTime(t *testing.T) time.Duration {
	t.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_THREAD, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
