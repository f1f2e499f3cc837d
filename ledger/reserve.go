package ledger

import "context"

// Reserver gives room for answers. The handler has one in the context of each request that reads.
type Reserver interface {
	// Reserve waits until there is room for n bytes more of the answer, or returns why there is none.
	Reserve(ctx context.Context, n int) error
}

// ReserverKey is the key under which a context has its Reserver. You need it if you write a context of your own. Otherwise
// use WithReserver.
type ReserverKey struct{}

// Reserve asks for room for n bytes that are about to become part of what a method of a Simulator or of an Iterator returns.
//
// A chaincode may ask for many large values at once, and leave the answers unread. If each value were read first, all of
// them would wait in memory. So call Reserve when you know a value's size, and before you read or copy it. Hold nothing
// large while it waits. It waits until the chaincode has read enough of what it was sent, or until ctx ends. It returns an
// error if the answer is too large already. Then stop, and return the error.
//
// Call it with the method's ctx, in the method's goroutine. There is no need to call it for what is small, or at all: what
// was not reserved is counted when the method has returned. Without a Reserver in ctx there is nothing to wait for.
func Reserve(ctx context.Context, n int) error {
	r, ok := ctx.Value(ReserverKey{}).(Reserver)
	if !ok {
		return nil
	}
	return r.Reserve(ctx, n)
}

// WithReserver returns a context in which Reserve asks r. A nil r is for reading what does not become part of an answer.
func WithReserver(ctx context.Context, r Reserver) context.Context {
	return context.WithValue(ctx, ReserverKey{}, r)
}
