package threadtime_test

import (
	"context"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/pkg/errors"
	"go.uber.org/goleak"

	"github.com/ccpeer/ccpeer/internal/threadtime"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The context ends after the thread's time, and knows the longest time between two looks. Waiting doesn't count.
func TestContext(t *testing.T) {
	ctx := threadtime.New(t, 40*time.Millisecond)
	<-time.After(100 * time.Millisecond)
	if err := ctx.Err(); err != nil || ctx.Longest() > 20*time.Millisecond {
		t.Errorf("%v, %v after waiting", err, ctx.Longest())
	}
	const piece = 8 << 20 // takes some milliseconds to hash
	b := make([]byte, piece)
	for range 1000 {
		for range 4 {
			sha256.Sum256(b)
		}
		if ctx.Err() != nil {
			break
		}
	}
	if err := ctx.Err(); !errors.Is(err, context.DeadlineExceeded) || ctx.Longest() < time.Millisecond {
		t.Errorf("%v, %v after work", err, ctx.Longest())
	}
}
