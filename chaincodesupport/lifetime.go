package chaincodesupport

import (
	"context"
	"sync"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// lifetime is the life of a ChaincodeSupport, from New to Close. It counts everything that is at work, and refuses whatever
// comes too late.
//
// Close has to end much that could start something new meanwhile: a transaction may launch chaincode, and a launch may open
// a stream. So it goes in three steps. With the first, new callers and launches are refused, while those that are there may
// finish. With the second, everything is made to end. The third waits until it has. Each count is checked and raised under
// mu. So whatever begins is either refused, or counted and waited for.
type lifetime struct {
	ending context.Context    // ends with the second step, and ends every stream
	end    context.CancelFunc // ends the context ending

	mu         sync.Mutex
	closed     bool           // the first step has been made
	stopping   bool           // the second step has begun: whatever ends now, ends because of it
	streams    int            // how many are being served
	callers    sync.WaitGroup // those inside Execute, ExecuteID and Launch
	goroutines sync.WaitGroup // streams, handlers, launches and servers, and hooks that their callers have left
}

func newLifetime() *lifetime {
	ending, end := context.WithCancel(context.Background())
	return &lifetime{ending: ending, end: end}
}

// enter counts a caller in. After a nil error the caller must call leave.
func (l *lifetime) enter() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.callers.Add(1)
	return nil
}

func (l *lifetime) leave() { l.callers.Done() }

// launch starts a goroutine that runs a chaincode, and returns true. It returns false if it is too late for that. It does so
// under mu, so that Close finds either no instance or one whose goroutine it waits for. before is called first, but only if
// the goroutine is started.
func (l *lifetime) launch(before, run func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	before()
	l.goroutines.Go(run)
	return true
}

// hold keeps Close waiting until goroutines.Done is called. It returns an error if Close has gone too far for that.
func (l *lifetime) hold() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending.Err() != nil {
		return ErrClosed
	}
	l.goroutines.Add(1)
	return nil
}

// join counts a stream in, of which there may be no more than limit. After a nil error the caller must call part. A stream
// that joins before the streams are ended is ended with them.
func (l *lifetime) join(limit int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending.Err() != nil {
		return status.Error(codes.Unavailable, ErrClosed.Error())
	}
	if l.streams >= limit {
		return status.Errorf(codes.ResourceExhausted, "there are %d streams of chaincode already, which is the limit", limit)
	}
	l.streams++
	l.goroutines.Add(1)
	return nil
}

// part counts a stream out that has ended with err, and returns what its chaincode is told. Close makes streams end in many
// ways. To chaincode they all look the same.
func (l *lifetime) part(err error) error {
	defer l.goroutines.Done()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.streams--
	if l.stopping {
		return status.Error(codes.Unavailable, ErrClosed.Error())
	}
	return err
}

// close does what Close says. It calls stop when it is time to make all chaincode end.
func (l *lifetime) close(ctx context.Context, timeout time.Duration, stop func()) error {
	l.set(&l.closed)
	finished(ctx, &l.callers)
	l.set(&l.stopping)
	stop()
	l.mu.Lock()
	l.end() // under mu: a stream is either refused, or counted and ended
	l.mu.Unlock()
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	if !finished(stopping, &l.callers) || !finished(stopping, &l.goroutines) {
		return errors.Errorf("close chaincode support: something was still running after %s, in a ledger or a runtime", timeout)
	}
	return nil
}

func (l *lifetime) set(step *bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*step = true
}

// finished waits for wg until ctx ends, and reports whether wg was first. The goroutine that it starts waits on, because
// nothing else can end wg.Wait.
func finished(ctx context.Context, wg *sync.WaitGroup) bool {
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}
