package remote_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/internal/remote"
)

// engine gives numbered views of a head that the test moves.
type engine struct {
	life   *remote.Lifetime
	views  *remote.Views[*view]
	head   int
	opened int
	unused []*view
	err    error
	gate   chan struct{} // what current waits for; nil is nothing
}

type view struct{ head int }

func newEngine() *engine {
	e := &engine{life: remote.NewLifetime(timeout)}
	e.views = remote.NewViews(e.life, e.current, func(v *view) {
		e.unused = append(e.unused, v)
		e.views.Forget(v)
	})
	return e
}

func (e *engine) current(context.Context) (*view, error) {
	if e.gate != nil {
		<-e.gate
	}
	if e.err != nil {
		return nil, e.err
	}
	if v := e.views.Newest(); v != nil {
		if v.head == e.head {
			return v, nil
		}
		e.views.Release(v)
	}
	e.opened++
	v := &view{e.head}
	e.views.Add(v)
	e.views.SetNewest(v)
	return v, nil
}

func (e *engine) count() (n int) {
	e.views.Each(func(*view) { n++ })
	return n
}

func (e *engine) mustCurrent(t *testing.T) *view {
	t.Helper()
	v, err := e.views.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	synctest.Wait() // until the engine has released it, too
	return v
}

// Snapshots share a view until the head moves, and the view goes with the last of them.
func TestViewsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		first, second := e.mustCurrent(t), e.mustCurrent(t)
		if first != second || e.opened != 1 {
			t.Errorf("%d views are open, want one", e.opened)
		}
		e.head++
		third := e.mustCurrent(t)
		if third == first || third.head != 1 {
			t.Errorf("after a commit the view is of head %d", third.head)
		}
		e.views.Release(first)
		if len(e.unused) != 0 {
			t.Error("a view that is held is unused")
		}
		e.views.Release(second)
		if len(e.unused) != 1 || e.unused[0] != first || e.count() != 1 {
			t.Errorf("%d views are unused, and %d left", len(e.unused), e.count())
		}
		e.views.Release(third)
		if fourth := e.mustCurrent(t); fourth == third || len(e.unused) != 2 {
			t.Error("a view is given again that nobody has held")
		} else {
			e.views.Release(fourth)
		}
		if err := e.life.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A view that has failed is given to nobody else.
func TestViewIsRetired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		first := e.mustCurrent(t)
		e.views.Retire(first)
		second := e.mustCurrent(t)
		if second == first {
			t.Error("it is given again")
		}
		e.views.Retire(first) // which must not retire the other one
		if third := e.mustCurrent(t); third != second {
			t.Error("another view is not given again")
		}
		for _, v := range []*view{first, second, second} {
			e.views.Release(v)
		}
		if e.count() != 0 {
			t.Errorf("%d views are left", e.count())
		}
		if err := e.life.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Who leaves while the head is read holds nothing, whether or not others wait.
func TestLeavingViews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		e.gate = make(chan struct{})
		leaving, leave := context.WithCancel(t.Context())
		left, stayed := make(chan error, 1), make(chan *view, 1)
		ask := func(ctx context.Context) error {
			_, err := e.views.Current(ctx)
			return err
		}
		go func() { left <- ask(leaving) }()
		synctest.Wait()
		go func() { left <- ask(leaving) }()
		go func() {
			v, err := e.views.Current(t.Context())
			if err != nil {
				t.Error(err)
			}
			stayed <- v
		}()
		synctest.Wait()
		leave()
		for range 2 {
			if err := <-left; !errors.Is(err, context.Canceled) {
				t.Errorf("who leaves gets %v", err)
			}
		}
		if err := ask(leaving); !errors.Is(err, context.Canceled) {
			t.Errorf("who has left gets %v", err)
		}
		close(e.gate)
		e.views.Release(<-stayed)
		if err := e.life.Close(); err != nil {
			t.Error(err)
		}
		if e.count() != 0 {
			t.Errorf("%d views are left", e.count())
		}
	})
}

func TestViewsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine()
		e.err = errServer
		if _, err := e.views.Current(t.Context()); !errors.Is(err, errServer) || err.Error() != "open snapshot: the server says no" {
			t.Errorf("got %v", err)
		}
		if err := e.life.Close(); err != nil {
			t.Error(err)
		}
		if _, err := e.views.Current(t.Context()); !errors.Is(err, store.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}
