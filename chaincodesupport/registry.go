package chaincodesupport

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/pkg/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/chaincodesupport/runtime"
	"github.com/ccpeer/ccpeer/handler"
)

// instance is one run of a chaincode: from the start of its launch, or its own connection in dev mode, until nothing
// of it is left.
type instance struct {
	chaincodeID string
	stop        context.CancelCauseFunc // ends its runtime; nothing for one that connected by itself
	launched    chan struct{}           // closed when the launch has succeeded or failed
	exited      chan struct{}           // closed when nothing of it is left
	external    bool

	mu      sync.Mutex
	asked   bool             // somebody wants it to end
	since   time.Time        // when it came into the state that it is in
	readyAt time.Time        // zero: it never was
	why     error            // it has ended
	settled bool             // launched is closed
	err     error            // why the launch failed
	handler *handler.Handler // from REGISTER to the stream's end
	ready   bool             // READY was sent
	ended   bool             // the stream has ended, or the launch failed: it is of no use any more
}

func newInstance(chaincodeID string, stop context.CancelCauseFunc) *instance {
	return &instance{
		chaincodeID: chaincodeID,
		stop:        stop,
		launched:    make(chan struct{}),
		exited:      make(chan struct{}),
		since:       time.Now(),
	}
}

// claim makes h the handler of the instance, if it has none.
func (in *instance) claim(h *handler.Handler) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.handler == h: // it came with h
		return nil
	case in.handler != nil:
		return status.Errorf(codes.AlreadyExists, "duplicate chaincodeID: %s", in.chaincodeID)
	case in.ended:
		return status.Errorf(codes.PermissionDenied, "chaincode %s registered after its launch had ended", in.chaincodeID)
	}
	in.handler = h
	return nil
}

// succeed ends the launch well, if h is the instance's handler and nothing has ended it before.
func (in *instance) succeed(h *handler.Handler) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.handler == h && !in.settled {
		in.ready, in.settled = true, true
		in.readyAt = time.Now()
		in.since = in.readyAt
		close(in.launched)
	}
}

// fail makes the instance useless and stops it. The first cause is the one that waiters get; it is of no interest
// once the launch has succeeded.
func (in *instance) fail(cause error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.end(cause)
}

// expire is fail for a launch that is not over; one that is goes on as it is.
func (in *instance) expire(cause error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.settled {
		in.end(cause)
	}
}

// end does what fail says. The caller holds mu.
func (in *instance) end(cause error) {
	if !in.settled {
		in.err, in.settled = cause, true
		if e, ok := cause.(*streamEnd); ok { //nolint:errorlint // one that the runtime has wrapped is its error
			in.err = errors.WithMessage(e, "chaincode registration failed")
		}
		close(in.launched)
	}
	if !in.ended {
		in.ended, in.since, in.why = true, time.Now(), cause
	}
	in.stop(cause)
	if in.handler != nil {
		in.handler.Close()
	}
}

// ask notes that somebody wants the instance to end, who is about to end it.
func (in *instance) ask() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.asked = true
}

// ending returns, of an instance of which nothing is left, whether somebody wanted it to end, how long it was ready, and why
// it ended.
func (in *instance) ending() (asked bool, ready time.Duration, why error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.readyAt.IsZero() {
		ready = in.since.Sub(in.readyAt)
	}
	return in.asked, ready, in.why
}

// refuse fails a launch that waits for REGISTER, when a stream of its chaincode has ended, for that cause, before that or
// with it.
func (in *instance) refuse(cause error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.handler == nil && !in.settled {
		in.end(errors.WithMessage(cause, "chaincode registration failed"))
	}
}

// release ends the instance if h is its handler, and reports whether it is.
func (in *instance) release(h *handler.Handler) bool {
	in.mu.Lock()
	owner := in.handler == h
	in.mu.Unlock()
	if owner {
		in.fail(&streamEnd{h.Err()})
	}
	return owner
}

// streamEnd is the end of a chaincode's stream that nobody has asked for.
type streamEnd struct{ cause error }

func (e *streamEnd) Error() string {
	if e.cause == nil || e.cause == io.EOF { // as the chaincode wanted it
		return runtime.ErrStreamEnded.Error()
	}
	return runtime.ErrStreamEnded.Error() + ": " + e.cause.Error()
}

func (e *streamEnd) Is(target error) bool { return target == runtime.ErrStreamEnded }
func (e *streamEnd) Unwrap() error        { return e.cause }

// launching reports whether the launch has neither succeeded nor failed.
func (in *instance) launching() bool {
	select {
	case <-in.launched:
		return false
	default:
		return true
	}
}

// usable returns the handler if transactions can run on it.
func (in *instance) usable() (*handler.Handler, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.handler, in.ready && !in.ended
}

// instances are the chaincodes that run or are being launched, by chaincode ID: at most one of each. It is what
// handlers register with.
type instances struct {
	devMode bool

	mu      sync.Mutex
	closed  bool
	m       map[string]*instance
	records map[string]*record // of those that this peer has launched
}

var _ handler.Registry = (*instances)(nil)

func newInstances(devMode bool) *instances {
	return &instances{devMode: devMode, m: map[string]*instance{}, records: map[string]*record{}}
}

// get returns the instance of a chaincode ID, or nil.
func (r *instances) get(chaincodeID string) *instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.m[chaincodeID]
}

// getOrAdd returns the instance of a chaincode ID. If there is none, it adds the one that add makes.
func (r *instances) getOrAdd(chaincodeID string, add func() *instance) *instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.m[chaincodeID]
	if in == nil && add != nil {
		if in = add(); in != nil {
			r.m[chaincodeID] = in
		}
	}
	return in
}

// remove removes an instance, not another one of the same chaincode ID, and says that nothing of it is left. after is
// called in between, with mu held; it may be nil.
func (r *instances) remove(in *instance, after func()) {
	r.mu.Lock()
	if r.m[in.chaincodeID] == in {
		delete(r.m, in.chaincodeID)
	}
	if after != nil {
		after()
	}
	r.mu.Unlock()
	close(in.exited)
}

// halt keeps a chaincode from being launched again by itself, and returns its instance, or nil. The caller is about to
// end that.
func (r *instances) halt(chaincodeID string) *instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec := r.records[chaincodeID]; rec != nil {
		rec.cancel()
	}
	in := r.m[chaincodeID]
	if in != nil {
		in.ask()
	}
	return in
}

func (r *instances) stopAll() {
	r.mu.Lock()
	r.closed = true
	for _, rec := range r.records {
		rec.cancel()
	}
	all := make([]*instance, 0, len(r.m))
	for _, in := range r.m {
		all = append(all, in)
	}
	r.mu.Unlock()
	for _, in := range all {
		in.fail(ErrClosed)
	}
}

// Register gives the handler to the launch that waits for it. In dev mode, chaincode that nobody launched is an
// instance of its own.
func (r *instances) Register(h *handler.Handler) error {
	in := r.getOrAdd(h.ChaincodeID(), func() *instance {
		if !r.devMode {
			return nil
		}
		in := newInstance(h.ChaincodeID(), func(error) {})
		in.external, in.handler = true, h // from the start: whoever stops it must reach the stream
		return in
	})
	if in == nil {
		return status.Errorf(codes.PermissionDenied, "peer will not accept external chaincode connection %s (except in dev mode)", h.ChaincodeID())
	}
	return in.claim(h)
}

// Ready ends the launch of the handler's chaincode.
func (r *instances) Ready(h *handler.Handler) {
	if in := r.get(h.ChaincodeID()); in != nil {
		in.succeed(h)
	}
}

// Deregister ends the run of a chaincode whose stream has ended. What is left of it is its runtime's to stop.
func (r *instances) Deregister(h *handler.Handler) {
	if in := r.get(h.ChaincodeID()); in != nil && in.release(h) && in.external {
		r.remove(in, nil)
	}
}
