// Package guard runs chaincode's functions so that neither a panic nor an exit of their goroutine ends the test's process, or
// leaves a transaction without an answer.
package guard

import "runtime/debug"

// Fall is how a function ended that didn't return.
type Fall struct {
	// Value is what it panicked with.
	Value any
	// Exited says that it didn't panic. It ended its goroutine by runtime.Goexit, as t.FailNow does.
	Exited bool
	// Stack is the goroutine's stack at that moment.
	Stack []byte
}

// Call runs f in a goroutine of its own, and waits for it. It returns nil if f returned. The goroutine is needed because a
// function that ends its goroutine can't be stopped from doing that.
func Call(f func()) *Fall {
	ended := make(chan *Fall, 1)
	go func() {
		returned := false
		defer func() {
			v := recover()
			switch {
			case v != nil:
				ended <- &Fall{Value: v, Stack: debug.Stack()}
			case returned:
				ended <- nil
			default:
				ended <- &Fall{Exited: true, Stack: debug.Stack()}
			}
		}()
		f()
		returned = true
	}()
	return <-ended
}
