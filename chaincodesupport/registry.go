package chaincodesupport

import (
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ccpeer/ccpeer/handler"
)

// instances are the chaincodes that run or are being launched, by chaincode ID: at most one of each. It is what
// handlers register with, from whichever goroutine.
//
// Its lock is taken before that of an instance. So what is asked of both at once is true of both: an instance that has
// gone is not found any more, and one that was stopped is not launched again.
type instances struct {
	devMode bool
	report  func(error) // of what should not have happened
	tell    func(LifecycleEvent)

	mu      sync.Mutex
	running map[string]*instance
	records map[string]*record // of those that this peer has launched
}

var _ handler.Registry = (*instances)(nil)

func newInstances(devMode bool, report func(error), tell func(LifecycleEvent)) *instances {
	return &instances{devMode: devMode, report: report, tell: tell, running: map[string]*instance{}, records: map[string]*record{}}
}

// check reports an event that was illegal.
func (r *instances) check(err error) {
	if err != nil {
		r.report(err)
	}
}

// get returns the instance of a chaincode ID, or nil. It may have ended when the caller looks at it: that is the instance's to
// say.
func (r *instances) get(chaincodeID string) *instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running[chaincodeID]
}

// getOrLaunch returns the instance of a chaincode ID. If there is none, it returns the one that launch adds, or nil. launch is
// called with mu held.
func (r *instances) getOrLaunch(chaincodeID string, launch func() *instance) *instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	if in := r.running[chaincodeID]; in != nil {
		return in
	}
	return launch()
}

// add adds an instance that has just begun. The caller holds mu.
func (r *instances) add(in *instance) {
	r.running[in.chaincodeID] = in
	r.tell(in.event(Launching)) // nobody else has it yet
}

// remove removes an instance of which nothing is left, and tells everybody who waits for that.
//
// A runtime may return long after the stream has ended, but the name stays taken until then; so there is no other instance of
// the same ID that could be removed by mistake. It is looked at nevertheless.
//
// cause is why the instance has ended, if that is better known by now. before is called first, with mu held: it makes the
// next launch due, and returns how long that will be, or 0.
func (r *instances) remove(in *instance, cause error, before func() time.Duration) {
	r.mu.Lock()
	pause := before()
	if r.running[in.chaincodeID] == in {
		delete(r.running, in.chaincodeID)
	}
	e, err := in.depart(cause)
	if pause > 0 {
		e.State, e.Pause = Restarting, pause
	}
	if err == nil {
		r.tell(e)
	}
	r.mu.Unlock()
	r.check(err)
}

// stop ends a chaincode and keeps it from being launched again by itself. Under one lock, so that it meets either a restart
// that is due or the instance that came of it. It returns the instance, or nil.
func (r *instances) stop(chaincodeID string, cause error) *instance {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cancelRestart(chaincodeID)
	in := r.running[chaincodeID]
	if in != nil {
		_ = in.end(stopAsked, cause) // which is legal in every phase
	}
	return in
}

// stopAll stops every chaincode. No restart becomes due any more.
func (r *instances) stopAll() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := range r.records {
		r.cancelRestart(id)
	}
	for _, in := range r.running {
		_ = in.end(stopAsked, ErrClosed) // which is legal in every phase
	}
}

// Register gives the handler to the launch that waits for it. In dev mode, chaincode that nobody launched is an
// instance of its own; it has its handler from the start, so that whoever stops it reaches the stream.
func (r *instances) Register(h *handler.Handler) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	in := r.running[h.ChaincodeID()]
	if in == nil {
		if !r.devMode {
			return status.Errorf(codes.PermissionDenied, "peer will not accept external chaincode connection %s (except in dev mode)", h.ChaincodeID())
		}
		in = newInstance(h.ChaincodeID(), func(error) {}, r.tell)
		in.external = true
		r.add(in)
	}
	return in.claim(h)
}

// Ready ends the launch of the handler's chaincode. The stream may have ended meanwhile, and another instance may have the
// chaincode ID: it then has another handler, and isn't concerned.
func (r *instances) Ready(h *handler.Handler) {
	if in := r.get(h.ChaincodeID()); in != nil {
		r.check(in.succeed(h))
	}
}

// Deregister ends the run of a chaincode whose stream has ended. What is left of it is its runtime's to stop, and the instance
// stays until the runtime has returned. A chaincode that connected by itself has no runtime: nothing is left of it.
func (r *instances) Deregister(h *handler.Handler) {
	in := r.get(h.ChaincodeID())
	if in == nil {
		return
	}
	owner, err := in.release(h)
	r.check(err)
	if owner && in.external {
		r.remove(in, nil, func() time.Duration { return 0 })
	}
}
