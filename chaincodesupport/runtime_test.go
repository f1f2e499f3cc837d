package chaincodesupport_test

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
)

// untilStopped runs chaincode that connects by other means, here the test.
var untilStopped = runFunc(func(ctx context.Context, _ string, _ runtime.StreamHandler) error {
	<-ctx.Done()
	return nil
})

// slowToStop is untilStopped, but returns only after release was called.
func slowToStop() (rt runtime.Runtime, release func()) {
	gone := make(chan struct{})
	rt = runFunc(func(ctx context.Context, _ string, _ runtime.StreamHandler) error {
		<-ctx.Done()
		<-gone
		return nil
	})
	return rt, sync.OnceFunc(func() { close(gone) })
}

// counted runs one runtime after the other, the last one for ever, and counts the runs, and the most at once.
type counted struct {
	runtimes            []runtime.Runtime
	runs, running, most atomic.Int64
}

func count(runtimes ...runtime.Runtime) *counted { return &counted{runtimes: runtimes} }

func (c *counted) Run(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
	run := int(c.runs.Add(1))
	if n := c.running.Add(1); n > c.most.Load() {
		c.most.Store(n)
	}
	defer c.running.Add(-1)
	return c.runtimes[min(run, len(c.runtimes))-1].Run(ctx, chaincodeID, handle)
}

// after delays a runtime.
func after(d time.Duration, rt runtime.Runtime) runtime.Runtime {
	return runFunc(func(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
		c := make(chan struct{})
		defer time.AfterFunc(d, func() { close(c) }).Stop()
		return when(c, rt).Run(ctx, chaincodeID, handle)
	})
}

// when delays a runtime until c is closed.
func when(c <-chan struct{}, rt runtime.Runtime) runtime.Runtime {
	return runFunc(func(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
		select {
		case <-c:
			return rt.Run(ctx, chaincodeID, handle)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	})
}

// failing fails every launch with err.
func failing(err error) runtime.Runtime {
	return runFunc(func(context.Context, string, runtime.StreamHandler) error { return err })
}
