package ledgertest

import (
	"context"
	"sync/atomic"
	"time"
)

// Fault decides what happens when a method is called. It is given the call itself, which it makes or doesn't make, and
// returns the error that the method returns. If it makes no call and returns nil, the method's result is nil, too.
//
// Done and Close return nothing, and are always made, after the fault. An error of their fault is dropped.
type Fault func(ctx context.Context, call func() error) error

// Fail makes the method return err. The method itself is not called.
func Fail(err error) Fault {
	return func(context.Context, func() error) error { return err }
}

// Panic makes the method panic with value. The method itself is not called.
func Panic(value any) Fault {
	return func(context.Context, func() error) error { panic(value) } //nolint:forbidigo // what it is for
}

// ReturnNil makes the method return a nil result and no error, without being called. That is a simulator or an iterator that
// is nil, a value that is absent, or an iterator's end.
func ReturnNil() Fault {
	return func(context.Context, func() error) error { return nil }
}

// Hang makes the call only when release is closed or received from, whatever becomes of the context. It stands for a ledger
// that is stuck.
func Hang(release <-chan struct{}) Fault {
	return func(_ context.Context, call func() error) error {
		<-release
		return call()
	}
}

// Delay makes the call, and returns its result when d has passed, whatever becomes of the context.
func Delay(d time.Duration) Fault {
	return func(_ context.Context, call func() error) error {
		err := call()
		<-time.After(d)
		return err
	}
}

// AfterCalls lets the first n calls of the method through, and applies fault to the rest.
func AfterCalls(n int, fault Fault) Fault {
	var calls atomic.Int64
	return func(ctx context.Context, call func() error) error {
		if calls.Add(1) <= int64(n) {
			return call()
		}
		return fault(ctx, call)
	}
}

// Once applies fault to the first call of the method, and lets the rest through.
func Once(fault Fault) Fault {
	var used atomic.Bool
	return func(ctx context.Context, call func() error) error {
		if used.Swap(true) {
			return call()
		}
		return fault(ctx, call)
	}
}
