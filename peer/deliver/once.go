package deliver

import "context"

// once is something that the first who needs it makes for all. If that one goes meanwhile, another one makes it.
type once[T any] struct {
	turn  chan struct{} // has one element: the right to make it
	ready chan struct{} // is closed when value or err is there
	value T
	err   error
}

func newOnce[T any]() once[T] {
	o := once[T]{turn: make(chan struct{}, 1), ready: make(chan struct{})}
	o.turn <- struct{}{}
	return o
}

// get returns it, or the error of making it, or ctx's. produce is called with ctx, and by one at a time.
func (o *once[T]) get(ctx context.Context, produce func(context.Context) (T, error)) (T, error) {
	select {
	case <-o.ready:
		return o.value, o.err
	default:
	}
	var none T
	select {
	case <-o.ready:
		return o.value, o.err
	case <-ctx.Done():
		return none, ctx.Err()
	case <-o.turn:
	}
	value, err := produce(ctx)
	if err != nil && ctx.Err() != nil {
		o.turn <- struct{}{}
		return none, ctx.Err()
	}
	o.value, o.err = value, err
	close(o.ready)
	return value, err
}
