package ledger

import "context"

// Charger counts what a transaction costs. The handler has one in the context of each request.
type Charger interface {
	// Charge counts n bytes for the transaction, or returns why there is no room for them.
	Charge(n int) error
}

// ChargerKey is the key under which a context has its Charger. You need it if you write a context of your own. Otherwise use
// WithCharger.
type ChargerKey struct{}

// Charge counts n bytes that committing the transaction will need beyond what its requests say.
//
// The handler counts what a request brings: keys, values, metadata. Some requests cost more. A ledger that keeps the version
// with the value must write a whole value again because of a few bytes of metadata. So call Charge with the value's size
// before you note such a request. It never waits. It returns an error if the transaction may not have so much. Then note
// nothing, and return the error.
//
// Call it with the method's ctx, in the method's goroutine. Without a Charger in ctx everything has room.
func Charge(ctx context.Context, n int) error {
	c, ok := ctx.Value(ChargerKey{}).(Charger)
	if !ok {
		return nil
	}
	return c.Charge(n)
}

// WithCharger returns a context in which Charge asks c.
func WithCharger(ctx context.Context, c Charger) context.Context {
	return context.WithValue(ctx, ChargerKey{}, c)
}
