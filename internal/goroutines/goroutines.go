// Package goroutines lets who serves many streams wait for all that the handlers of these streams have started, without that
// becoming a setting of the handler's for everybody to see.
package goroutines

import (
	"context"
	"sync"
)

type key struct{}

// Count returns a context under which a handler counts its goroutines in wg, as long as they run.
func Count(ctx context.Context, wg *sync.WaitGroup) context.Context {
	return context.WithValue(ctx, key{}, wg)
}

// Counted returns what the goroutines of a handler that is given ctx are to be counted in, or nil.
func Counted(ctx context.Context) *sync.WaitGroup {
	wg, _ := ctx.Value(key{}).(*sync.WaitGroup)
	return wg
}
