package remote_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pkg/errors"

	"github.com/ccpeer/ccpeer/ledger/kvledger/store"
	"github.com/ccpeer/ccpeer/ledger/kvledger/store/internal/remote"
)

var errServer = errors.New("the server says no")

const timeout = time.Minute

// Close waits for a commit that has begun, and ends everything else.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := remote.NewLifetime(timeout)
		commit, end, err := l.Committing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		called := make(chan error, 1)
		go func() {
			called <- l.Call(t.Context(), "ask", func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			})
		}()
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- l.Close() }()
		synctest.Wait()
		if commit.Err() != nil || len(closed) > 0 || l.Ended() {
			t.Errorf("the commit has %v, and %d of 0 calls of Close have returned", commit.Err(), len(closed))
		}
		end()
		if err := <-closed; err != nil {
			t.Error(err)
		}
		if err := <-called; !errors.Is(err, store.ErrClosed) {
			t.Errorf("a call that was under way returns %v", err)
		}
		<-l.Done()
		wantClosed(t, l)
	})
}

func wantClosed(t *testing.T, l *remote.Lifetime) {
	t.Helper()
	_, _, committing := l.Committing(t.Context())
	called := l.Call(t.Context(), "ask", func(context.Context) error {
		t.Error("f is called")
		return nil
	})
	for what, err := range map[string]error{"commit": committing, "call": called, "close": l.Close()} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if l.Start(func() { t.Error("f is run") }) || !l.Ended() {
		t.Error("it starts a goroutine, or has not ended")
	}
}

// A commit waits for the one before it, as long as its caller does.
func TestCommitting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := remote.NewLifetime(timeout)
		first, end, err := l.Committing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		hurried, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for range 2 { // whose ctx ends, and has ended
			if _, _, err := l.Committing(hurried); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("while another commit is under way: %v", err)
			}
		}
		waiting := make(chan error, 1)
		go func() {
			_, end, err := l.Committing(t.Context())
			if err == nil {
				end()
			}
			waiting <- err
		}()
		if <-first.Done(); !errors.Is(first.Err(), context.DeadlineExceeded) {
			t.Errorf("the commit's context ends with %v", first.Err())
		}
		end()
		if err := <-waiting; err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A caller who has gone gets its own error; others get the server's.
func TestCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := remote.NewLifetime(timeout)
		gone, cancel := context.WithCancel(t.Context())
		err := l.Call(gone, "ask", func(context.Context) error {
			cancel()
			return errServer
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who goes meanwhile gets %v", err)
		}
		if err := l.Call(gone, "ask", func(context.Context) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who has gone gets %v", err)
		}
		err = l.Call(t.Context(), "ask", func(context.Context) error { return errServer })
		if !errors.Is(err, errServer) || err.Error() != "ask: the server says no" {
			t.Errorf("a caller who waits gets %v", err)
		}
		begun := time.Now()
		err = l.Call(t.Context(), "ask", func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if time.Since(begun) != timeout || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a call that nobody answers takes %s and returns %v", time.Since(begun), err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}
