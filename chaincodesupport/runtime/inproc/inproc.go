// Package inproc runs chaincode in the peer's own process, over a stream in memory.
//
//	runtime, err := inproc.New(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
//		return shim.StartInProc(chaincodeID, s, new(asset))
//	})
//
// Chaincode in process is trusted: nothing separates it from the peer but that its panics are confined.
package inproc

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/internal/pipe"
	pb "github.com/ccpeer/ccpeer/proto"
)

// StartFunc runs a chaincode on its end of the stream until the stream ends, as shim.StartInProc does. It should
// return when s does; ctx ends at the same time. It must not leave goroutines behind.
type StartFunc func(ctx context.Context, chaincodeID string, s pb.ClientStream) error

// Runtime runs chaincode in process.
type Runtime struct{ start StartFunc }

var _ runtime.Runtime = (*Runtime)(nil)

// New returns a runtime whose chaincodes are run by start.
func New(start StartFunc) (*Runtime, error) {
	if start == nil {
		return nil, errors.New("start function must be specified")
	}
	return &Runtime{start: start}, nil
}

// PanicError is what Run returns if the start function panicked.
type PanicError struct {
	// Value is what it panicked with. It may hold anything: do not show it to who submits transactions.
	Value any
	// Stack is the goroutine's, as debug.Stack prints it.
	Stack []byte
}

// Error tells the value, not the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("chaincode panicked: %v", e.Value) }

// Run implements runtime.Runtime. It calls handle on the caller's goroutine, and start on one of its own, which it
// waits for: chaincode that does not return when its stream ends cannot be stopped otherwise. A panic in start is
// confined, and returned as a *PanicError.
func (r *Runtime) Run(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
	running, cancel := context.WithCancel(ctx)
	peer, chaincode := pipe.New()
	stop := context.AfterFunc(running, func() { chaincode.Abort(context.Canceled) })
	defer stop()

	var started error // start's result, before ended is closed
	ended := make(chan struct{})
	go func() {
		started = r.call(running, chaincodeID, chaincode)
		close(ended)
		chaincode.Abort(nil) // what it sent before is still received
	}()
	handled, first := func() (err error, first bool) {
		defer func() { // also if handle panics, which is for the caller to deal with
			peer.End(err)
			cancel()
			<-ended
		}()
		err = handle(running, peer)
		return err, !isClosed(ended)
	}()

	var panicked *PanicError
	switch {
	case errors.As(started, &panicked):
		return started
	case ctx.Err() != nil:
		return nil
	case first:
		return handled
	case started == nil:
		return errors.Errorf("chaincode %q ended", chaincodeID)
	default:
		return errors.Wrapf(started, "chaincode %q ended", chaincodeID)
	}
}

func (r *Runtime) call(ctx context.Context, chaincodeID string, s pb.ClientStream) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return r.start(ctx, chaincodeID, s)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
