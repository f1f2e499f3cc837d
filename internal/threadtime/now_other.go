//go:build !linux

package threadtime

import (
	"testing"
	"time"
)

func now(t testing.TB) time.Duration {
	t.Helper()
	t.Skip("only Linux says how long a thread has run")
	return 0
}
