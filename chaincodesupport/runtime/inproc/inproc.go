// Package inproc runs chaincode in the peer's own process, over a stream in memory.
//
//	runtime := inproc.Runtime(func(_ context.Context, chaincodeID string, s pb.ClientStream) error {
//		return shim.StartInProc(chaincodeID, s, new(asset))
//	})
//
// Chaincode in process is trusted. Its panics are confined, but nothing else separates it from the peer.
package inproc

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/internal/pipe"
	pb "github.com/ccpeer/ccpeer/proto"
)

// Runtime runs chaincode in process. The function runs a chaincode on its end of the stream until the stream ends, as
// shim.StartInProc does. It should return when the stream ends; ctx ends at the same time. It must not leave goroutines
// behind.
type Runtime func(ctx context.Context, chaincodeID string, s pb.ClientStream) error

var _ runtime.Runtime = Runtime(nil)

// PanicError is returned by Run if the start function panicked.
type PanicError struct {
	// Value is what it panicked with. It may hold anything, so do not show it to those who submit transactions.
	Value any
	// Stack is the goroutine's stack, as debug.Stack prints it.
	Stack []byte
}

// Error does not tell the value, because the text may reach those who call the chaincode.
func (e *PanicError) Error() string { return "chaincode panicked" }

// Format makes %+v tell the value and the stack, for logs.
func (e *PanicError) Format(f fmt.State, verb rune) {
	text := e.Error()
	if verb == 'v' && f.Flag('+') {
		text = fmt.Sprintf("%s: %v\n%s", text, e.Value, e.Stack)
	}
	_, _ = io.WriteString(f, text) // there is nowhere to report to
}

var errExited = errors.New("its goroutine exited")

// Run implements runtime.Runtime. It calls handle in the caller's goroutine, and start in one of its own. It waits for
// start: chaincode that does not return when its stream ends cannot be stopped in another way. A panic in start is confined,
// and returned as a *PanicError.
func (r Runtime) Run(ctx context.Context, chaincodeID string, handle runtime.StreamHandler) error {
	if r == nil {
		return &runtime.StartError{Cause: errors.New("inproc.Runtime is nil")}
	}
	if err := ctx.Err(); err != nil {
		return &runtime.StartError{Cause: err}
	}
	running, cancel := context.WithCancel(ctx)
	peer, chaincode := pipe.New()
	stop := context.AfterFunc(running, func() { chaincode.Abort(context.Canceled) })
	defer stop()

	var started error // start's result, before ended is closed
	ended := make(chan struct{})
	go func() {
		defer chaincode.Abort(nil) // what it has sent is still received
		defer close(ended)
		started = errExited // replaced if it returns
		started = r.call(running, chaincodeID, chaincode)
	}()
	handled, first := func() (err error, first bool) {
		defer func() { // even if handle panics, which the caller has to deal with
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

func (r Runtime) call(ctx context.Context, chaincodeID string, s pb.ClientStream) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return r(ctx, chaincodeID, s)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
